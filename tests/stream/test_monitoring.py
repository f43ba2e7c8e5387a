"""The first monitor: alarms where the baseline trails, the same in any batches and after a restore."""

import numpy as np
import pytest

from stream.config import Stream
from stream.errors import StateError
from stream.monitoring import MonitoringTask
from stream.records import Labelled

STREAM = Stream(classes=["ham", "spam"])


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
    assert monitor.feed(stretch(3_000, 0.02, 0.02)) == []
    assert monitor.verdict == "healthy"
    alarms = monitor.feed(stretch(6_000, 0.2, 0.02, 3_000))
    assert alarms[0].position - 3_000 < 500
    assert "baseline_rot" in {alarm.verdict for alarm in alarms}
    assert {alarm.kind for alarm in alarms} <= {"adwin:baseline", "page-hinkley:baseline"}
    assert monitor.verdict == "baseline_rot"


def test_an_online_model_that_falls_behind_is_a_fault_of_its_own():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(3_000, 0.02, 0.02))
    assert "online_fault" in {alarm.verdict for alarm in monitor.feed(stretch(2_000, 0.02, 0.3, 3_000))}


def test_models_that_get_better_raise_no_alarm():
    monitor = MonitoringTask("s", STREAM)
    assert monitor.feed(stretch(3_000, 0.4, 0.4)) == []
    assert monitor.feed(stretch(3_000, 0.02, 0.02, 3_000)) == []


def test_both_getting_worse_is_no_rot():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(3_000, 0.02, 0.02))
    rng = np.random.default_rng(1)
    both = [
        record(3_000 + i, baseline_wrong=bool(w), online_wrong=bool(w)) for i, w in enumerate(rng.random(2_000) < 0.2)
    ]
    assert {alarm.verdict for alarm in monitor.feed(both)} == {"unexplained"}


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
    expected, found = whole.feed(records), []
    for at in range(0, len(records), 97):
        found += parts.feed(records[at : at + 97])
        moved = MonitoringTask("s", STREAM)
        moved.restore(parts.snapshot())
        parts = moved
    assert found == expected != []
    assert parts.digest() == whole.digest()


def test_a_snapshot_of_another_schema_is_refused(monkeypatch):
    monitor = MonitoringTask("s", STREAM)
    snapshot = monitor.snapshot()
    monkeypatch.setattr("stream.monitoring.SCHEMA", 99)
    with pytest.raises(StateError):
        monitor.restore(snapshot)


def test_late_records_of_a_former_baseline_are_left_out_and_do_not_begin_anything_anew():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(1_000, 0.02, 0.02))
    monitor.feed(stretch(1_000, 0.02, 0.02, 1_000, version="b2"))
    mixed = []
    for new, old in zip(stretch(2_000, 0.5, 0.02, 2_000, version="b2"), stretch(2_000, 0.0, 0.02, 2_000), strict=True):
        mixed += [new, old]
    alarms = monitor.feed(mixed)
    assert "baseline_rot" in {alarm.verdict for alarm in alarms}
    assert monitor.totals().left_out == 2_000


def test_a_weaker_alarm_does_not_hide_rot():
    monitor = MonitoringTask("s", STREAM)
    monitor.feed(stretch(3_000, 0.02, 0.02) + stretch(2_000, 0.5, 0.02, 3_000))
    monitor.feed(stretch(4_000, 0.6, 0.2, 5_000))
    assert monitor.totals().alarms["adwin:online"] > 0
    assert monitor.verdict == "baseline_rot"


def test_before_any_labelled_event_it_is_blind():
    assert MonitoringTask("s", STREAM).verdict == "blind"
