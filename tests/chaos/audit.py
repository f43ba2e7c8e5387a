"""What must hold of a stream when all is done, whatever has died meanwhile.

Each task's journal is fed again from its first checkpoint on: that must end in the very state that its newest
checkpoint and the rest of the journal lead to, and must say what was published, byte for byte.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from consumers.fingerprint import fingerprint
from consumers.kafka.outputs import Encoder
from consumers.kafka.placement import Placement, placement, state_keys
from consumers.kafka.recovery import Recoverer
from consumers.kafka.roles import MONITOR, SCORER, Role, decode_sides
from stream.digest import digest
from stream.given import GivenScore
from stream.models import Models
from stream.monitoring import MonitoringTask
from stream.records import Event, Input, Label, Prediction
from stream.scoring import ScoringTask
from tests.chaos.records import answers, repeated
from tests.chaos.world import World

Published = list[tuple[str, bytes | None, bytes | None]]


class Story(Struct):
    """A task's end by both ways, how many batches there were, and what the whole journal says."""

    restored: Any
    again: Any
    batches: int
    ticks: int
    rest: int
    said: Published


class Auditor:
    """Reads a role's state as a worker would, and as one that began at its beginning."""

    def __init__(self, world: World, role: Role = SCORER) -> None:
        self.world = world
        self.role = role
        self.decoder = role.decoder(world.stream)

    def task(self, partition: int) -> Any:
        """One to be restored."""
        if self.role is MONITOR:
            return MonitoringTask(self.world.name, self.world.stream)
        return ScoringTask(self.world.name, self.world.stream, Models(GivenScore("", []), "", None), partition)

    def _recoverer(self, partition: int) -> tuple[Recoverer, Placement]:
        world = self.world
        placed = placement(self.role, world.name, world.stream, partition)
        keys = state_keys(self.role, world.name, placed, world.keys)
        return Recoverer(world.reader, keys, placed, code=fingerprint()), placed

    def genesis(self, partition: int) -> tuple[Any, list[Any]]:
        """A task as it was before its first batch, and all state records behind."""
        recoverer, _ = self._recoverer(partition)
        begin, end = recoverer.reader.bounds([recoverer.state])[recoverer.state]
        records = list(recoverer._state(begin, end))
        at = next(i for i, record in enumerate(records) if recoverer.keys.is_manifest(record))
        manifest = recoverer.keys.open_manifest(records[at])
        assert (manifest.generation, manifest.number) == (1, 0), "the journal is not kept from its beginning on"
        body = recoverer.keys.join("body-1", manifest.body, 1, iter(records[:at]))
        task = self.task(partition)
        task.restore(body, recoverer.segments(manifest.segments))
        return task, records[at + 1 :]

    def story(self, partition: int) -> Story:
        """Both ways to a task's end."""
        recoverer, placed = self._recoverer(partition)
        decode = decode_sides(self.decoder, placed.sources)
        standing = recoverer.standing(self.world.committed(placed.inputs, self.role.name))
        loaded, lost = recoverer.load(standing, decode)
        assert loaded.body is not None, "there is a checkpoint"
        assert not lost
        restored = self.task(partition)
        restored.restore(loaded.body, loaded.segments)
        rest = 0
        for batch in loaded.batches:
            restored.feed(batch.inputs)
            rest += 1
        again, records = self.genesis(partition)
        entries = list(recoverer._entries(records, 0, standing.number))
        encoder = Encoder(self.world.name, self.world.stream)
        said: Published = []
        for batch in recoverer.journalled.batches(entries, decode, partial(recoverer._file, {})):
            out = again.feed(batch.inputs)
            said += [(to, key, value) for to, records in encoder.tables(out) for key, value in records]
            said += [(record.topic, record.key, record.value) for record in encoder.records(out, [])]
        ticks = sum(len(entry.ticks) for entry in entries)
        return Story(restored, again, len(entries), ticks, rest, said)

    def undisturbed(self, partition: int, batch: int) -> tuple[ScoringTask, list[Prediction]]:
        """The task and its answers had it been fed all that its topics hold, with nothing between."""
        task, _ = self.genesis(partition)
        inputs = self._merged(partition)
        predictions = []
        for at in range(0, len(inputs), batch):
            predictions += task.feed(inputs[at : at + batch]).predictions
        return task, predictions

    def _merged(self, partition: int) -> list[Input]:
        """Smallest time first, events before labels at a tie, each in its topic's order."""
        sides = []
        for side, kind in enumerate(SCORER.reads):
            made = [self.decoder.input(kind, record) for record in self.world.read(kind, partition)]
            assert all(isinstance(m, Event | Label) for m in made), "only records that can be read"
            sides.append([(made.time, side, made) for made in made][::-1])
        merged: list[Input] = []
        while any(sides):
            side = min((side for side in sides if side), key=lambda side: side[-1][:2])
            merged.append(side.pop()[2])
        return merged


def check_tasks(world: World) -> list[Story]:
    """Each partition's state and outputs are what its journal says, and its equations hold."""
    auditor = Auditor(world)
    return [
        _check(world, auditor.story(partition), ("predictions", "labelled", "profiles"), partition)
        for partition in range(world.stream.partitions)
    ]


def check_monitor(world: World) -> Story:
    """The same of the monitor, which has read each labelled record once."""
    story = _check(world, Auditor(world, MONITOR).story(0), ("alarms",), 0)
    totals = story.restored.totals()
    assert (totals.read, totals.profiles) == (len(world.read("labelled")), len(world.read("profiles")))
    return story


def _check(world: World, story: Story, kinds: Sequence[str], partition: int) -> Story:
    assert story.restored.digest() == story.again.digest(), f"partition {partition}: another state"
    assert story.restored.totals() == story.again.totals()
    assert story.restored.totals().unbalanced() is None
    said: dict[str, Published] = defaultdict(list)
    for record in story.said:
        said[record[0]].append(record)
    for kind in kinds:
        topic = world.topics[kind]
        there = [(topic, record.key, record.value) for record in world.read(kind, partition)]
        assert said[topic] == there, f"partition {partition}: {kind} are not what the journal says"
    return story


def check_sent(world: World, stories: Sequence[Story], *, more: Sequence[str] = (), poison: bool = False) -> None:
    """Of all events and labels that were sent none is missing, and none was taken twice.

    ``more``: further events that must be answered. ``poison``: there may be dead letters.
    """
    numbers = range(world.sent)
    behind = [*more, *(world.key_of(partition) for partition in range(world.stream.partitions))]
    wanted = Counter({(f"e{number}", False): 1 for number in numbers})
    wanted.update((key, False) for key in behind)
    wanted.update((f"e{number}", True) for number in numbers if repeated(number))
    assert differences(world.predictions(), wanted) == {}
    labelled = Counter((row["event_id"], row.get("correction", False)) for row in world.decoded("labelled"))
    wanted = Counter((f"e{number}", False) for number in numbers if answers(number))
    wanted.update((f"e{number}", True) for number in numbers if len(set(answers(number))) == 2)
    assert differences(labelled, wanted) == {}
    assert poison or world.read("dead_letters") == []
    totals = [story.restored.totals() for story in stories]
    assert sum(t.inputs.predicted for t in totals) == world.sent + len(behind)
    assert sum(t.inputs.repeated for t in totals) == sum(map(repeated, numbers))
    assert sum(t.labels.joined for t in totals) == sum(bool(answers(number)) for number in numbers)
    assert sum(t.labels.conflicting for t in totals) == sum(len(set(answers(number))) == 2 for number in numbers)
    read = sum(t.inputs.events + t.inputs.labels for t in totals)
    assert read == len(world.read("events")) + len(world.read("labels"))


def differences(there: Counter[Any], wanted: Counter[Any]) -> dict[Any, tuple[int, int]]:
    """What is there another number of times than it should be: how often, and how often it should."""
    keys = {*there, *wanted}
    return {key: (there[key], wanted[key]) for key in sorted(keys) if there[key] != wanted[key]}


def check_undisturbed(world: World, stories: Sequence[Story], batch: int) -> None:
    """Nothing of what died shows: the online scores are those of a run in which nothing did, bit for bit."""
    auditor = Auditor(world)
    for partition, story in enumerate(stories):
        task, predictions = auditor.undisturbed(partition, batch)
        there = [msgspec.json.decode(r.value, type=Prediction) for r in world.read("predictions", partition)]
        assert [(p.event_id, p.repeated, p.online) for p in there] == [
            (p.event_id, p.repeated, p.online) for p in predictions
        ]
        assert all(abs(a.score - b.score) <= 1e-9 for a, b in zip(there, predictions, strict=True))
        totals = story.restored.totals()
        assert digest(story.restored.models.online) == digest(task.models.online)
        assert totals.inputs == task.arrivals.inputs
        assert totals.labels == task.arrivals.join.counts
