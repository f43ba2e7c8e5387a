"""A reader whose client does not get its answer asks the next time with another client."""

from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors

from consumers.kafka.reader import Reader
from stream.errors import Unavailable
from tests.consumers.kafka.world import World


def test_who_has_asked_in_vain_is_not_asked_again(
    kafka: str, stream_name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(kafka, stream_name, tmp_path)
    world.send(20)
    stuck: list[KafkaConsumer] = []
    ask, close = KafkaConsumer.end_offsets, KafkaConsumer.close
    closed: list[KafkaConsumer] = []

    def asked(self: KafkaConsumer, *args: Any, **kwargs: Any) -> Any:
        stuck[:] = stuck or [self]  # the first one that is asked, from then on
        if self is stuck[0]:
            raise kafka_errors.KafkaTimeoutError
        return ask(self, *args, **kwargs)

    def let_go(self: KafkaConsumer, *args: Any, **kwargs: Any) -> None:
        closed.append(self)
        close(self, *args, **kwargs)

    monkeypatch.setattr(KafkaConsumer, "end_offsets", asked)
    monkeypatch.setattr(KafkaConsumer, "close", let_go)
    events = TopicPartition(f"{world.name}.events", 0)
    with closing(Reader(world.connection)) as reader:
        with pytest.raises(Unavailable, match="KafkaTimeoutError"):
            reader.bounds([events])
        assert closed == stuck
        assert reader.bounds([events]) == {events: (0, 20)}
        assert [len(records) for _, records in reader.read({events: (0, 20)})] == [20]
