"""Scorer, monitor and scoreboard as one task."""

import pytest

from stream.chain import Chain
from stream.config import Features, Stream
from stream.history import FIRST, History
from stream.monitoring import MonitoringTask
from stream.records import Event, Label, Lost
from stream.scoreboard import Scoreboard
from stream.scoring import ScoringTask
from stream.snapshot import pack, unpack
from stream.warmup import warm_up

STREAM = Stream(classes=["a", "b"], online="field:o", baseline="field:b", features=Features())


def chain(*, monitor: bool = True) -> Chain:
    made = warm_up("streams.s", STREAM, [])
    watch = MonitoringTask("s", made.stream) if monitor else None
    return Chain(ScoringTask("s", made.stream, made.models), watch, Scoreboard(made.stream, 0, 100), None, History())


def life(n: int, start: int = 0):
    inputs = []
    for i in range(start, start + n):
        rotten = i > 600
        inputs.append(
            Event(f"e{i}", float(i), {"o": 0.9 if i % 2 else 0.1, "b": 0.5 if rotten else (0.9 if i % 2 else 0.1)}, i)
        )
        inputs.append(Label(f"e{i}", float(i), "b" if i % 2 else "a"))
    return inputs


def test_what_leaves_the_scorer_is_judged_and_counted_at_once():
    made = chain()
    out = made.feed(life(1_500))
    assert {alarm.verdict for alarm in out.alarms} == {"baseline_rot"}
    assert made.totals().monitoring.labelled == made.totals().scoring.labels.joined == 1_500
    assert [part["labelled"] for part in made.board.segments()] == [100] * 15


def test_all_three_go_on_from_a_snapshot_as_if_nothing_had_happened():
    whole, before, after = chain(), chain(), chain()
    whole.feed(life(700))
    before.feed(life(700))
    after.restore(*unpack(pack(before.snapshot())))
    assert after.feed(life(700, 700)) == whole.feed(life(700, 700))
    assert after.digest() == whole.digest()
    assert after.board.segments() == whole.board.segments()
    assert after.history == whole.history
    assert len(after.history.points) == 1_400 // FIRST


def test_what_is_thought_does_not_depend_on_batches():
    whole, parts = chain(), chain()
    said = whole.feed(life(1_500)).alarms
    found = []
    inputs = life(1_500)
    for at in range(0, len(inputs), 333):
        found += parts.feed(inputs[at : at + 333]).alarms
    assert found == said
    assert parts.history == whole.history
    assert parts.monitoring.digest() == whole.monitoring.digest()


def test_the_monitor_may_be_left_out():
    made = chain(monitor=False)
    assert made.feed(life(1_500)).alarms == []
    assert made.totals().monitoring is None
    again = chain(monitor=False)
    again.restore(*unpack(pack(made.snapshot())))
    assert again.digest() == made.digest()


@pytest.mark.parametrize("part", ["scoring", "monitoring", "board", "history"])
def test_the_digest_covers_each_part(part):
    one, other = chain(), chain()
    for made in (one, other):
        made.feed(life(10))
    if part == "scoring":
        one.scoring.arrivals.clock += 1
    elif part == "monitoring":
        one.monitoring.counts.labelled += 1
    elif part == "history":
        one.history.labelled += 1
    else:
        one.board.first += 1
    assert one.digest() != other.digest()


def test_alarms_of_both_tasks_come_out_the_scorers_first():
    made = chain()
    out = made.feed([*life(1_500), Lost("events", 5, 6)])
    assert out.alarms[0].kind == "inputs_lost:events"
    assert len(out.alarms) > 1
    totals = made.totals()
    assert (totals.scoring.inputs.lost, totals.monitoring.lost, totals.monitoring.read) == (2, 0, 1_500)
    assert totals.monitoring.unbalanced() is None
