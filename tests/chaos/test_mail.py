"""A whole stream of mail through `produce`, `consume` and `monitor`: what comes out is what `replay` says."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stream.drift.guesses import DISAGREEMENT
from stream.records import VERDICT
from tests.chaos.audit import check_monitor, check_tasks
from tests.chaos.conftest import Make
from tests.chaos.workers import ROOT
from tests.chaos.world import World

ENRON = ROOT.parent / "shared" / "data" / "enron_spam_stream.jsonl.gz"

WARM_UP = 2_500

MAIL = """
classes = ["ham", "spam"]
features.text = ["subject", "body"]
"""

Rows = list[dict[str, Any]]


@pytest.fixture(params=["enron", "simulator"])
def source(request: pytest.FixtureRequest, long: bool) -> list[str]:
    """The words that name a source and the part of it to take; in CI one of the two."""
    if request.param == "enron":
        if not ENRON.exists():
            pytest.skip("the folder ../shared/data is not there: the simulator's mail is taken")
        return [str(ENRON), "--where", "dup=false", *([] if long else ["--limit", "8000"])]
    if ENRON.exists() and not long:
        pytest.skip("real mail is there; `make chaos` takes the simulator's, too")
    return ["simulator:mail", "--limit", "20000" if long else "6000"]


def replayed(world: World, source: list[str]) -> tuple[Rows, Rows]:
    """The predictions and alarms of a replay."""
    out = world.folder / "replay"
    assert world.run("replay", *source, "--out", str(out)).wait(600) == 0, world.workers[-1].tail()
    return _rows(out / "predictions.jsonl"), _rows(out / "alarms.jsonl")


def _rows(file: Path) -> Rows:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def _raised(alarms: Rows) -> list[tuple[str, str, str]]:
    """The alarms of evidence."""
    return [(a["kind"], a["verdict"], a["event_id"]) for a in alarms if a["kind"] not in (VERDICT, DISAGREEMENT)]


def produce(world: World, source: list[str]) -> None:
    """Send all behind the warm-up, before anybody reads."""
    assert world.run("produce", *source, "--skip", str(WARM_UP)).wait(600) == 0, world.workers[-1].tail()


def warm(world: World, source: list[str]) -> None:
    """Start a scorer that warms up on what a replay does."""
    world.run("consume", "--warm-up", source[0], *[word for word in source[1:3] if source[1] == "--where"])


def test_mail_through_kafka_is_scored_and_judged_as_in_a_replay(
    make: Make, source: list[str], show: Callable[[str], None]
) -> None:
    world = make(batch=1_024, commit_every=0.25, checkpoint_every=2, session=6, settings=MAIL)
    wanted, alarms = replayed(world, source)
    produce(world, source)
    warm(world, source)
    world.run("monitor")
    world.caught_up(600.0)
    world.all_judged(300.0)
    world.stop_all()
    there = world.decoded("predictions")
    assert len(there) > 1_000
    assert [(p["event_id"], p["online"]) for p in there] == [(p["event_id"], p["online"]) for p in wanted]
    for name in ("baseline", "score"):
        assert max(abs(a[name] - b[name]) for a, b in zip(there, wanted, strict=True)) <= 1e-9
    # What profiles say is read between other labelled records than in a replay, and may turn the verdict elsewhere.
    assert _raised(world.decoded("alarms")) == _raised(alarms) != []
    check_tasks(world)
    check_monitor(world)
    show(f"mail: {len(there):,} answers and {len(alarms)} alarms as in a replay of {Path(source[0]).name}")


def test_mail_over_partitions_and_workers_is_all_answered(make: Make, source: list[str]) -> None:
    world = make(partitions=4, batch=1_024, commit_every=0.25, checkpoint_every=2, session=6, settings=MAIL)
    produce(world, source)
    for _ in range(2):
        warm(world, source)
    world.caught_up(600.0)
    world.stop_all()
    stories = check_tasks(world)
    sent = Counter(record.key.decode() for record in world.read("events"))
    assert set(sent.values()) == {1}
    assert Counter(p["event_id"] for p in world.decoded("predictions")) == sent
    totals = [story.restored.totals() for story in stories]
    assert all(t.inputs.predicted > 0 for t in totals)
    assert sum(t.inputs.events for t in totals) == sent.total()
    assert sum(t.inputs.labels for t in totals) == len(world.read("labels"))
