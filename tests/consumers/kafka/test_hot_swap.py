"""A worker on a real broker follows a real registry: champion and challenger come into use without a restart."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from consumers import first_baseline, service, training, upkeep
from consumers.kafka import intake
from consumers.kafka.roles import SCORER
from consumers.registry.registry import Registry
from stream.config import Features
from stream.config import Registry as Place
from stream.duration import Duration
from stream.records import Labelled, Prediction
from stream.training.gathering import Span
from stream.training.search import Budget
from stream.training.train import Order, Trained, train
from stream.training.trials import Data
from tests.consumers.kafka.world import World

WITHIN = 10.0
"""Seconds in which a change in the registry must be in use."""


class DiedError(BaseException):
    """The process is gone here; no Exception, since nothing could handle it."""


def trained(seed: int) -> Trained:
    n = np.random.default_rng(seed).uniform(-1, 1, 200)
    data = Data(pd.DataFrame({"n": n}), (n > 0).astype(int), 2, Features(numeric=["n"]))
    clock = count()
    return train(data, None, Order("s", "binary", ["0", "1"]), Budget(1, lambda: next(clock)), {}, {})


@pytest.fixture(scope="module")
def made() -> list[Trained]:
    return [trained(seed) for seed in (1, 2, 3)]


@pytest.fixture
def world(kafka: str, stream_name: str, tmp_path: Path) -> World:
    world = World(kafka, stream_name, tmp_path)
    place = Place(f"sqlite:///{tmp_path}/registry.sqlite")
    world.settings = msgspec.structs.replace(world.settings, registry=place)
    return world


@pytest.fixture
def registry(world: World, made: list[Trained]) -> Registry:
    """With three versions, none of which is in use."""
    registry = Registry(world.settings.registry)
    for one in made:
        registry.add(world.name, one.artifact, one.card)
    return registry


class Working:
    """A worker in a thread, as ``rotwatch consume`` runs it; ``step`` hears each step of a commit."""

    def __init__(self, world: World, step: Callable[[str], None] = lambda _: None) -> None:
        self.over = threading.Event()
        self.died: BaseException | None = None
        made = service.Service(world.settings, world.name, world.stream, SCORER)
        self.thread = threading.Thread(target=self._run, args=(made, step), daemon=True)
        self.thread.start()

    def _run(self, made: service.Service, step: Callable[[str], None]) -> None:
        try:
            service.serve(made, self.over.is_set, step)
        except BaseException as error:  # noqa: BLE001 - a test looks at it
            self.died = error

    def stop(self) -> None:
        self.over.set()
        self.thread.join(30)
        assert not self.thread.is_alive(), "the worker does not end"


@contextmanager
def working(world: World) -> Iterator[Working]:
    worker = Working(world)
    try:
        yield worker
    finally:
        worker.stop()
    assert worker.died is None


def seen(world: World, what: Callable[[list[Prediction]], bool], within: float) -> list[Prediction]:
    """Sends an event now and then until the predictions are as wanted; gives them."""
    until = time.monotonic() + within
    while not what(found := world.predictions()):
        assert time.monotonic() < until, [(p.event_id, p.baseline_version, list(p.shadows)) for p in found[-3:]]
        world.send(1)
        time.sleep(0.3)
    return found


def labelled(world: World) -> dict[str, Labelled]:
    return {
        (record := msgspec.json.decode(raw.value, type=Labelled)).event_id: record for raw in world.written("labelled")
    }


def in_use(version: str, *shadows: str) -> Callable[[list[Prediction]], bool]:
    def holds(found: list[Prediction]) -> bool:
        return bool(found) and (found[-1].baseline_version, list(found[-1].shadows)) == (version, list(shadows))

    return holds


def test_champion_and_challenger_come_into_use_within_ten_seconds_and_stay_without_the_registry(
    world: World, registry: Registry, made: list[Trained]
) -> None:
    one, two, _ = (trained.card.version for trained in made)
    world.stream = msgspec.structs.replace(
        world.stream, labels=msgspec.structs.replace(world.stream.labels, maturity=Duration(5_000))
    )
    with working(world):
        found = seen(world, bool, 30)
        assert {(p.serving, p.baseline_version) for p in found} == {("online", None)}
        registry.promote(world.name, 1, None)
        seen(world, in_use(one), WITHIN)
        waiting = {p.event_id for p in world.predictions()}
        registry.challenge(world.name, 2)
        seen(world, in_use(one, two), WITHIN)
        registry.promote(world.name, 2, 1)
        found = seen(world, in_use(two), WITHIN)
        versions = [p.baseline_version for p in found]
        assert versions == sorted(versions, key=[None, one, two].index)  # each change once, at one place
    # Another process, and the registry is gone: what is in use is in the state topic.
    registry.place.database.unlink()
    sent = world.sent
    world.sent = 100_000  # later than all maturities
    with working(world):
        seen(world, lambda found: len(found) > sent, 30)
        assert in_use(two)(world.predictions())
        until = time.monotonic() + 20
        while len(out := labelled(world)) < sent:
            assert time.monotonic() < until, len(out)
            time.sleep(0.2)
    for p in found:
        record = out[p.event_id]
        assert (record.baseline, record.baseline_version) == (p.baseline, p.baseline_version)
        # The challenger came while the first events waited; those that had a label it may have known of.
        assert p.shadows.items() <= record.shadows.items() <= {two: record.shadows.get(two)}.items()
    assert {record.baseline_version for name, record in out.items() if name in waiting} == {None, one}
    with world.open() as opened:
        [placed] = opened.placements
        assert opened.newest(placed, upkeep.maker(opened))[1].totals().inputs.swaps == 3


def test_what_waits_unlabelled_is_scored_by_the_challenger_too(
    world: World, registry: Registry, made: list[Trained]
) -> None:
    one, two, _ = (trained.card.version for trained in made)
    registry.promote(world.name, 1, None)
    world.send(20, labels=False)
    with working(world):
        seen(world, in_use(one), 30)
        registry.challenge(world.name, 2)
        seen(world, in_use(one, two), WITHIN)
        for number in range(20):
            world.label(f"e{number}", "1")
        until = time.monotonic() + 20
        while not (found := {f"e{n}" for n in range(20)} & labelled(world).keys()) >= {f"e{n}" for n in range(20)}:
            assert time.monotonic() < until, found
            time.sleep(0.2)
    out = labelled(world)
    before = [p for p in world.predictions() if p.event_id in found]
    assert all(p.shadows == {} for p in before)
    assert all(list(out[p.event_id].shadows) == [two] for p in before)


@pytest.mark.parametrize("step", ["checkpoint", "commit", "done"])
def test_a_worker_that_dies_in_the_commit_of_a_swap_has_swapped_once_or_not_and_the_next_goes_on(
    world: World, registry: Registry, made: list[Trained], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_swap, armed = intake.of_swap, threading.Event()

    def notices(*args: Any) -> Any:
        armed.set()
        return of_swap(*args)

    def dies(at: str) -> None:
        if armed.is_set() and at == step:
            raise DiedError

    monkeypatch.setattr(intake, "of_swap", notices)
    world.send(30)
    doomed = Working(world, dies)
    seen(world, lambda found: len(found) >= 30, 30)
    registry.promote(world.name, 1, None)
    doomed.thread.join(WITHIN)
    assert isinstance(doomed.died, DiedError)
    armed.clear()
    with working(world):
        seen(world, in_use(made[0].card.version), 30)
    found = world.predictions()
    assert len({p.event_id for p in found}) == len(found)
    with world.open() as opened:
        [placed] = opened.placements
        assert opened.newest(placed, upkeep.maker(opened))[1].totals().inputs.swaps == 1


def test_verify_feeds_the_journal_through_a_swap_again(
    world: World, registry: Registry, made: list[Trained], capsys: pytest.CaptureFixture[str]
) -> None:
    with working(world):
        seen(world, bool, 30)
        registry.promote(world.name, 1, None)
        seen(world, in_use(made[0].card.version), WITHIN)
    # The two newest checkpoints are the swap's and the last one.
    with world.open() as opened:
        assert upkeep.verify(opened)
    assert "scorer 0: OK" in capsys.readouterr().out


def test_a_stream_without_a_champion_has_its_first_baseline_after_warm_up_labels(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_baseline, "LOOK_EVERY", 0.2)
    world.stream = msgspec.structs.replace(world.stream, warm_up=250)
    wanted = training.Wanted(world.settings, world.name, world.stream, None, Span(1_000), 1.0, 1)
    said, quiet = Console(file=io.StringIO(), width=500), Console(file=io.StringIO())
    waits = threading.Thread(target=first_baseline.train_first, args=(wanted, said, quiet), daemon=True)
    registry = Registry(world.settings.registry)
    with working(world):
        world.send(200)
        seen(world, lambda found: len(found) >= 200, 30)
        waits.start()
        waits.join(3)
        assert waits.is_alive()
        assert not registry.made
        world.send(100)
        waits.join(60)
        assert not waits.is_alive()
        champion, challenger = registry.numbers(world.name)
        assert (champion, challenger) == (1, None)
        version = registry.version(world.name, 1).version
        found = seen(world, in_use(version), WITHIN)
    assert {p.serving for p in found if p.baseline is None} == {"online"}
    assert found[-1].serving == "blend"
    assert "now the champion" in said.file.getvalue()
    first_baseline.train_first(wanted, said, quiet)
    assert f"{world.name} has a champion, version 1" in said.file.getvalue()
    assert len(registry.versions(world.name)) == 1
