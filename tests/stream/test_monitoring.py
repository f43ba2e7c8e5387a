"""The monitor: alarms where the baseline trails or has rotted, the same in any batches and after a restore."""

import re

import numpy as np
import pytest

from stream.config import Stream
from stream.errors import StateError
from stream.monitoring import MonitoringTask
from stream.records import DeadLetter, Event, Label, Labelled, Lost, References, Skip, Tick, Undecodable
from stream.reference import Expected

STREAM = Stream(classes=["ham", "spam"])

FIGURES = re.compile(r"since about ([\d,]+) .* baseline gets (\d+) of 1,000 wrong and the online model (\d+)")


def record(index: int, *, baseline_wrong: bool, online_wrong: bool, version: str | None = "b1", **more) -> Labelled:
    said = {True: "ham", False: "spam"}
    return Labelled(
        f"e{index}",
        float(index),
        index,
        "spam",
        float(index),
        {},
        0.5,
        0.5,
        None if version is None else 0.5,
        "spam",
        said[online_wrong],
        None if version is None else said[baseline_wrong],
        "o",
        version,
        **more,
    )


def stretch(n: int, baseline: float, online: float, start: int = 0, seed: int = 5, **more) -> list[Labelled]:
    rng = np.random.default_rng(seed)
    wrong = rng.random((n, 2)) < (baseline, online)
    return [record(start + i, baseline_wrong=bool(b), online_wrong=bool(o), **more) for i, (b, o) in enumerate(wrong)]


def test_a_baseline_that_falls_behind_is_called_rot_and_stays_so_while_it_trails():
    monitor = MonitoringTask("s", STREAM)
    assert monitor.feed(stretch(3_000, 0.02, 0.02)).alarms == []
    assert monitor.verdict == "healthy"
    alarms = monitor.feed(stretch(6_000, 0.2, 0.02, 3_000)).alarms
    [alarm] = alarms  # while it counts, more evidence says nothing new
    assert alarm.position - 3_000 < 150
    assert (alarm.kind, alarm.verdict) == ("paired", "baseline_rot")
    assert alarm.evidence >= 40_000
    assert alarm.detail["began_events_ago"] == pytest.approx(alarm.position - 3_000, abs=100)
    assert alarm.reason.endswith("10 more than the other are tolerated: retrain: rotwatch train")
    assert monitor.verdict == "baseline_rot"


def test_a_verdict_ends_when_the_models_are_level_again():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(1_000, 0.3, 0.02))
    assert monitor.verdict == "baseline_rot"
    monitor.feed(stretch(1_500, 0.02, 0.02, 1_000))
    assert monitor.verdict == "baseline_rot"
    monitor.feed(stretch(3_500, 0.02, 0.02, 2_500))
    assert monitor.verdict == "healthy"


def test_by_its_reference_a_baseline_has_rotted_or_is_merely_outgrown():
    for errors, verdict in ((0.10, "outgrown"), (0.30, "baseline_rot")):
        monitor = MonitoringTask("s", STREAM)
        monitor.feed([References("b1", Expected(0.12), 0.12)])
        assert monitor.totals().off == {} or monitor.judging.version is None
        monitor.feed(stretch(2_500, errors, 0.02))
        assert monitor.verdict == verdict
        assert set(monitor.totals().evidence) == {"paired", "reverse", "absolute_baseline", "absolute_online"}


def test_a_reference_that_comes_later_than_its_version_counts_from_then_on():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(100, 0.02, 0.02))
    assert set(monitor.totals().off) == {"absolute_baseline", "absolute_online"}
    monitor.feed([References("other", Expected(0.1), 0.1), References("b1", Expected(0.04), None)])
    assert set(monitor.totals().off) == {"absolute_online"}
    both = [record(100 + i, baseline_wrong=i % 3 == 0, online_wrong=i % 3 == 0) for i in range(300)]
    [alarm] = monitor.feed(both).alarms
    assert (alarm.kind, alarm.verdict) == ("absolute_baseline", "unexplained")


def test_what_the_baseline_errs_more_is_told_with_its_interval():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(6_000, 0.2, 0.1))
    excess = monitor.totals().excess
    for since in ("deployed", "alarm"):
        mean, low, high = excess[since]
        assert low < 0.1 < high
        assert abs(mean - 0.1) < 0.02


def test_an_online_model_that_falls_behind_is_a_fault_of_its_own():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(3_000, 0.02, 0.02))
    assert "online_fault" in {alarm.verdict for alarm in monitor.feed(stretch(2_000, 0.02, 0.3, 3_000)).alarms}


def test_models_that_get_better_raise_no_alarm():
    monitor = MonitoringTask("s", STREAM)
    assert monitor.feed(stretch(3_000, 0.4, 0.4)).alarms == []
    assert monitor.feed(stretch(3_000, 0.02, 0.02, 3_000)).alarms == []


def test_both_getting_worse_is_no_rot():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed([References("b1", Expected(0.04), 0.04)])
    monitor.feed(stretch(3_000, 0.02, 0.02))
    rng = np.random.default_rng(1)
    both = [
        record(3_000 + i, baseline_wrong=bool(w), online_wrong=bool(w)) for i, w in enumerate(rng.random(2_000) < 0.2)
    ]
    assert [alarm.verdict for alarm in monitor.feed(both).alarms] == ["hard_shift"] * 2
    assert monitor.verdict == "hard_shift"
    assert (
        "where nothing had changed the baseline got 40 at most, and 20 more than that are tolerated" in monitor.reason
    )


def test_rot_that_is_over_does_not_hide_a_fault_of_the_online_model():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed([References("b1", Expected(0.04), 0.04)])
    monitor.feed(stretch(3_000, 0.03, 0.03))
    monitor.feed(stretch(1_500, 0.25, 0.03, 3_000))
    assert monitor.verdict == "baseline_rot"
    monitor.feed(stretch(200, 0.03, 0.03, 4_500))
    alarms = monitor.feed(stretch(600, 0.03, 0.25, 4_700)).alarms
    assert monitor.verdict == "online_fault"
    [fault] = [alarm for alarm in alarms if alarm.kind == "reverse"]
    assert fault.verdict in ("unexplained", "online_fault", "healthy")
    since, baseline, online = (int(number.replace(",", "")) for number in FIGURES.search(fault.reason).groups())
    assert since == pytest.approx(fault.position - 4_700, abs=60)
    assert baseline < 80
    assert online > 150


def test_where_the_online_model_has_no_reference_a_shift_is_hard_when_it_is_not_better():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed([References("b1", Expected(0.04), None)])
    monitor.feed(stretch(3_000, 0.03, 0.03))
    verdicts = []
    for at in range(3_000, 5_000, 100):
        monitor.feed(stretch(100, 0.12, 0.12, at, seed=at))
        verdicts.append(monitor.verdict)
    assert "unexplained" in verdicts
    assert verdicts[-1] == "hard_shift"
    assert "baseline_rot" not in verdicts


def test_a_short_burst_is_no_hard_shift_long_after_it_is_over():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed([References("b1", Expected(0.04), None)])
    monitor.feed(stretch(2_000, 0.03, 0.03))
    monitor.feed([record(2_000 + at, baseline_wrong=True, online_wrong=True) for at in range(9)])
    assert monitor.verdict == "unexplained"
    for at in range(2_009, 5_000, 100):
        monitor.feed(stretch(100, 0.03, 0.03, at, seed=at))
        assert monitor.verdict != "hard_shift"
    assert monitor.verdict == "healthy"


def test_a_shift_of_both_goes_on_when_the_online_model_gets_even_worse():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed([References("b1", Expected(0.04), 0.04)])
    monitor.feed(stretch(2_000, 0.03, 0.03))
    monitor.feed(stretch(2_500, 0.2, 0.2, 2_000))
    assert monitor.verdict == "hard_shift"
    monitor.feed(stretch(1_500, 0.2, 0.4, 4_500))
    assert monitor.totals().alarms["absolute_baseline"] == 1
    assert monitor.verdict == "hard_shift"


def test_of_few_events_it_is_not_said_that_all_is_well():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(1, 0.0, 0.0))
    assert monitor.reason.startswith("of the 1 labelled event so far the baseline gets 0 of 1,000 wrong")
    assert monitor.reason.endswith("too few to say that all is well")
    monitor.feed(stretch(150, 0.0, 0.0, 1))
    assert monitor.reason.endswith("nothing to do")


def test_a_model_that_is_the_worse_one_without_having_changed_is_not_to_serve():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed([References("b1", Expected(0.04), 0.3)])
    [alarm] = monitor.feed(stretch(2_000, 0.03, 0.28)).alarms
    assert (alarm.kind, alarm.verdict) == ("reverse", "healthy")
    assert alarm.reason.endswith("the baseline is the better one: let it serve")


def test_corrections_and_unsampled_records_are_left_out():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(100, 1.0, 1.0, sampled=False) + stretch(50, 1.0, 1.0, correction=True))
    assert (monitor.totals().labelled, monitor.totals().left_out) == (0, 150)


def test_another_baseline_is_judged_anew():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(1_000, 0.5, 0.02))
    monitor.feed(stretch(1_000, 0.0, 0.02, 1_000, version="b2"))
    assert monitor.totals().means["baseline"] == 0.0


def test_without_a_baseline_the_verdict_says_so():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(100, 0.0, 0.1, version=None))
    assert monitor.verdict == "no_baseline"


def test_alarms_and_digest_are_the_same_in_any_batches_and_after_a_restore():
    records = stretch(1_500, 0.02, 0.02) + stretch(1_500, 0.25, 0.05, 1_500)
    whole, parts = MonitoringTask("s", STREAM), MonitoringTask("s", STREAM)
    expected, found = whole.feed(records).alarms, []
    for at in range(0, len(records), 97):
        found += parts.feed(records[at : at + 97]).alarms
        moved = MonitoringTask("s", STREAM)
        moved.restore(parts.snapshot().body, {})
        parts = moved
    assert found == expected != []
    assert parts.digest() == whole.digest()


def test_a_snapshot_of_another_schema_is_refused(monkeypatch):
    monitor = MonitoringTask("s", STREAM)
    snapshot = monitor.snapshot()
    monkeypatch.setattr("stream.monitoring.SCHEMA", 99)
    with pytest.raises(StateError):
        monitor.restore(snapshot.body, {})


def test_late_records_of_a_former_baseline_are_left_out_and_do_not_begin_anything_anew():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(1_000, 0.02, 0.02))
    monitor.feed(stretch(1_000, 0.02, 0.02, 1_000, version="b2"))
    mixed = []
    for new, old in zip(stretch(2_000, 0.5, 0.02, 2_000, version="b2"), stretch(2_000, 0.0, 0.02, 2_000), strict=True):
        mixed += [new, old]
    alarms = monitor.feed(mixed).alarms
    assert "baseline_rot" in {alarm.verdict for alarm in alarms}
    assert monitor.totals().left_out == 2_000


def test_a_worse_online_model_does_not_hide_rot():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed([References("b1", Expected(0.04), 0.04)])
    monitor.feed(stretch(3_000, 0.02, 0.02) + stretch(2_000, 0.5, 0.02, 3_000))
    monitor.feed(stretch(4_000, 0.6, 0.2, 5_000))
    assert monitor.totals().alarms["absolute_online"] == 1
    assert monitor.verdict == "baseline_rot"


def test_before_any_labelled_event_it_is_blind():
    assert MonitoringTask("s", STREAM).verdict == "blind"


def test_every_record_is_judged_left_out_or_dead_and_the_counts_say_so():
    monitor = MonitoringTask("s", STREAM)
    bad = [Undecodable("profiles", "is no JSON", "time", 7, b"{"), Skip("labelled", "broke the code", 8, b"?")]
    out = monitor.feed([*stretch(20, 0.0, 0.0), *stretch(5, 0.0, 0.0, correction=True), *bad, Skip("ticks", "late")])
    assert out.dead_letters == [
        DeadLetter("profiles", "time", "is no JSON", 7, b"{"),
        DeadLetter("labelled", "", "broke the code", 8, b"?"),
    ]
    totals = monitor.totals()
    assert (totals.read, totals.labelled, totals.left_out, totals.dead, totals.skipped) == (27, 20, 5, 2, 2)
    assert totals.unbalanced() is None
    monitor.counts.read += 1
    assert monitor.totals().unbalanced() == "read 28 != labelled + left out + dead = 27"


def test_lost_records_raise_an_alarm_under_the_verdict_in_force_which_they_do_not_change():
    monitor = MonitoringTask("s", STREAM)
    [first] = monitor.feed([Lost("labelled", 0, 0)]).alarms
    assert (first.verdict, first.time) == ("blind", 0.0)
    monitor.feed([*stretch(100, 0.0, 0.0), Tick(500.0)])
    [alarm] = monitor.feed([Lost("labelled", 100, 149)]).alarms
    assert (alarm.stream, alarm.position, alarm.event_id, alarm.time) == ("s", 100, "", 500.0)
    assert (alarm.kind, alarm.verdict, alarm.evidence) == ("inputs_lost:labelled", "healthy", None)
    assert alarm.detail == {"first": 100, "last": 149, "records": 50}
    totals = monitor.totals()
    assert (totals.lost, totals.read, totals.verdict, totals.alarms["inputs_lost:labelled"]) == (51, 100, "healthy", 2)


@pytest.mark.parametrize("record", [Event("a", 0.0, {}), Label("a", 0.0, "ham")])
def test_a_scorers_input_is_none_of_a_monitors(record):
    with pytest.raises(TypeError, match="a monitor takes no"):
        MonitoringTask("s", STREAM).feed([record])


def test_counts_skips_and_clock_go_on_after_a_restore():
    monitor, moved = MonitoringTask("s", STREAM), MonitoringTask("s", STREAM)
    monitor.feed([*stretch(10, 0.0, 0.0), Skip("labelled", "broke the code"), Lost("labelled", 3, 4), Tick(77.0)])
    moved.restore(monitor.snapshot().body, {})
    assert (moved.recent_skips(), moved.totals(), moved.clock) == (1, monitor.totals(), 77.0)
    assert moved.digest() == monitor.digest()
    moved.feed([Tick(1.0)] * 1_000)
    assert moved.recent_skips() == 0


def test_behind_a_rollback_the_former_baseline_is_judged_anew_and_late_records_of_others_are_not():
    task = MonitoringTask("s", STREAM)
    task.feed([References("a"), *stretch(300, 0.1, 0.1, version="a")])
    task.feed([References("b", since=300.0), *stretch(300, 0.1, 0.1, start=300, version="b")])
    task.feed([References("a"), *stretch(20, 0.1, 0.1, start=700, version="a")])  # of a task that has not swapped yet
    task.feed(stretch(20, 0.1, 0.1, start=200, version="a"))  # labelled late
    assert (task.judging.version, task.counts.labelled, task.counts.left_out) == ("b", 600, 40)
    again = unsealed(task)
    for one in (task, again):
        one.feed([References("a", since=600.0), *stretch(300, 0.1, 0.1, start=600, version="a")])
        one.feed(stretch(20, 0.1, 0.1, start=500, version="b"))
        assert (one.judging.version, one.counts.labelled, one.counts.left_out) == ("a", 900, 60)
        assert one.judging.judgement.baseline.events == 300
    assert task.digest() == again.digest()


def unsealed(task: MonitoringTask) -> MonitoringTask:
    """The task out of its snapshot."""
    made = MonitoringTask("s", STREAM)
    made.restore(task.snapshot().body, {})
    return made
