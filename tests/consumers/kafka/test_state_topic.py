"""A state topic that does not take a checkpoint, on a real broker: the task stops and says so; no record is blamed."""

import time
from types import SimpleNamespace

import pytest
from kafka.admin import ConfigResource

from consumers import service, worker
from consumers.kafka.roles import SCORER
from tests.consumers.kafka.world import World


@pytest.fixture
def world(kafka, stream_name, tmp_path):
    return World(kafka, stream_name, tmp_path)


def limit(world: World, size: int) -> None:
    """Alter how large a message the state topic takes."""
    with world.admin() as admin:
        admin.alter_configs([ConfigResource("TOPIC", f"{world.name}.state", {"max.message.bytes": str(size)})])
    time.sleep(1)


def test_a_state_topic_that_takes_no_checkpoint_stops_the_task_and_no_record_is_blamed(world, monkeypatch):
    told: list[dict[str, object]] = []

    def tell(event: str, **fields: object) -> None:
        told.append({"event": event, **fields})

    monkeypatch.setattr(worker, "log", SimpleNamespace(info=tell, warning=tell))
    monkeypatch.setattr(service, "check", lambda *_: [])  # somebody alters the topic behind the look at it
    world.send(50)
    limit(world, 300)
    deadline = time.monotonic() + 30

    def stop() -> bool:
        assert time.monotonic() < deadline
        return any(said["event"] == "task stopped" for said in told)

    service.serve(service.Service(world.settings, world.name, world.stream, SCORER, None), stop)
    (stopped,) = [said for said in told if said["event"] == "task stopped"]
    assert f"larger than {world.name}.state takes: set its max.message.bytes to 851968" in stopped["reason"]
    assert not world.written("predictions")
    assert not world.written("dead_letters")

    limit(world, 1_048_588)
    world.work(predictions=50, labelled=50)
    assert not world.written("dead_letters")
