"""A broker whose disk is full halts; a scorer waits for it, loses nothing, and goes on when there is room again."""

import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from msgspec.structs import replace

from consumers import service, upkeep
from consumers.kafka.roles import SCORER
from stream.duration import Duration
from tests.broker.cluster import Cluster
from tests.broker.disk import Limit, SmallDisk
from tests.broker.errors import BrokerError
from tests.broker.ports import HOST, free_ports
from tests.chaos.workers import await_
from tests.consumers.kafka.world import World


def disk_of(way: str, folder: Path) -> SmallDisk | Limit:
    if way == "limit":
        return Limit()
    try:
        return SmallDisk(folder)
    except BrokerError as error:
        pytest.skip(str(error))


def ready(port: int) -> str:
    """What /readyz says; empty where all is well."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=5):
            return ""
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    except OSError as error:
        return str(error)


@pytest.mark.usefixtures("outages")
@pytest.mark.parametrize(("way", "step"), [("file system", "outputs"), ("limit", "commit")])
def test_a_disk_that_is_full_loses_and_doubles_nothing(way: str, step: str, stream_name: str, tmp_path: Path) -> None:
    with disk_of(way, tmp_path / "disk") as disk, Cluster(extra=disk.properties) as cluster:
        world = World(cluster.bootstrap, stream_name, tmp_path)
        kafka = replace(world.settings.kafka, transaction_timeout=Duration(4))  # so long a commit may hang
        settings = replace(world.settings, kafka=kafka)
        over, full, ended = threading.Event(), threading.Event(), []
        steps: list[str] = []
        [port] = free_ports(1)
        scorer = service.Service(settings, world.name, world.stream, SCORER, port)

        def at_step(name: str) -> None:
            steps.append(name)
            if steps.count(step) == 4 and not full.is_set():
                disk.fill(cluster.nodes[0].pid)
                full.set()

        def work() -> None:
            try:
                service.serve(scorer, over.is_set, at_step)
            except BaseException as error:  # noqa: BLE001 - told below
                ended.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        world.send(2_000)
        await_("a full disk", full.is_set)
        await_("the end of the broker", lambda: not cluster.nodes[0].running)
        await_("the word that nothing is ready", lambda: ready(port))
        disk.free()
        cluster.restart()
        world.send(200)
        await_("all predictions", lambda: len(world.written("predictions")) >= world.sent, 90.0, 0.5)
        await_("readiness", lambda: not ready(port))
        over.set()
        thread.join(60)
        assert not thread.is_alive()
        assert ended == []
        assert sorted(p.event_id for p in world.predictions()) == sorted(f"e{n}" for n in range(world.sent))
        with world.open() as opened:
            assert upkeep.verify(opened)
            totals = opened.newest(opened.placements[0], upkeep.maker(opened))[1].totals()
        assert totals.unbalanced() is None
        assert totals.inputs.predicted == totals.labels.joined == world.sent
