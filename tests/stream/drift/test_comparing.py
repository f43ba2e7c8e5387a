"""Detectors side by side: each by its own alarms, in the file's order and in a random one."""

from itertools import count

import numpy as np
import pytest

from stream.config import Stream
from stream.drift.comparing import Comparing, detections, episodes
from stream.drift.contenders import contenders
from stream.drift.rot import Limits
from stream.monitoring import MonitoringTask
from stream.records import Labelled, References
from stream.reference import Expected
from stream.watching import DETECTORS

LIMITS = Limits()


def record(index: int, baseline: bool, online: bool, **more) -> Labelled:
    said = {True: "ham", False: "spam"}
    of_models = (0.5, 0.5, 0.5, "spam", said[online], said[baseline])
    return Labelled(f"e{index}", float(index), index, "spam", float(index), {}, *of_models, "o", "b", **more)


def stretch(n: int, baseline: float, start: int = 0) -> list[Labelled]:
    wrong = np.random.default_rng(start).random((n, 2)) < (baseline, 0.03)
    return [record(start + i, bool(b), bool(o)) for i, (b, o) in enumerate(wrong)]


@pytest.fixture(scope="module")
def heard():
    comparing = Comparing()
    comparing.hear([References("b", Expected(0.05), 0.05)], stretch(2_000, 0.03, 100))
    comparing.hear([], [record(0, baseline=True, online=False, sampled=False), *stretch(500, 0.5, 2_100)])
    return comparing


@pytest.fixture(scope="module")
def compared(heard):
    ticks = count()
    return {one.name: one for one in heard.compare(LIMITS, 1, lambda: next(ticks) * 0.01)}


def test_every_detector_is_compared_and_finds_a_large_rise(compared):
    windows = {"window: loss", "window: gap"}
    assert set(compared) == {"paired", "absolute", *DETECTORS, *windows}
    for name in ("paired", "absolute", "adwin", "page-hinkley", "hddm-a", "window: loss"):
        assert compared[name].alarms
        assert 2_100 < compared[name].alarms[0] < 2_350
    assert all(one.microseconds == pytest.approx(0.01 / 2_500 * 1e6) for one in compared.values())


def test_the_rows_are_those_at_which_the_monitor_alarms(heard, compared):
    monitor = MonitoringTask("s", Stream(classes=["ham", "spam"]))
    alarms = monitor.feed(
        [References("b", Expected(0.05), 0.05), *stretch(2_000, 0.03, 100), *stretch(500, 0.5, 2_100)]
    ).alarms
    first = {alarm.kind: alarm.position for alarm in alarms}
    assert (compared["paired"].alarms[0], compared["absolute"].alarms[0]) == (
        first["paired"],
        first["absolute_baseline"],
    )
    assert len(heard.events) == 2_500


def test_shuffled_rates_are_those_of_three_seeded_shuffles_and_say_whether_they_are_false(heard, compared):
    # .12 on average: above what is tolerated, so that paired and absolute are right in any order.
    assert compared["paired"].shuffled > 1
    assert not compared["paired"].null
    assert not compared["window: gap"].null
    assert compared["adwin"].null
    assert compared["adwin"].shuffled == 0.0
    again = {one.name: one for one in heard.compare(LIMITS, 1, lambda: 0.0)}
    assert again["paired"].shuffled == compared["paired"].shuffled
    assert [one.shuffled for one in heard.compare(LIMITS, 2, lambda: 0.0)] != [one.shuffled for one in again.values()]


def test_without_a_reference_what_needs_one_is_off_and_says_why():
    comparing = Comparing()
    comparing.hear([], stretch(50, 0.1))
    off = {one.name: one.off for one in comparing.compare(LIMITS, 1, lambda: 0.0) if one.off}
    assert off == dict.fromkeys(("absolute", "window: loss"), "no reference of its errors")
    assert {one.off for one in Comparing().compare(LIMITS, 1, lambda: 0.0)} == {
        "no event was judged",
        "no reference of its errors",
    }


def test_a_window_alarms_above_its_bound_and_begins_anew():
    [window] = [one for one in contenders(LIMITS, 0.05, 1) if one.name == "window: loss"]
    assert detections(window, [(1.0, 0.0)] * 1_600) == [499, 999, 1_499]
    assert detections(window, [(1.0, 0.0)] * 50 + [(0.0, 0.0)] * 1_000) == []
    assert detections(window, [(1.0, 0.0)] * 51 + [(0.0, 0.0)] * 1_000) == [499]


def test_an_episode_lasts_until_a_thousand_events_have_brought_nothing():
    assert episodes([0, 1_000, 2_001, 2_002]) == [0, 2_001]
    assert episodes([]) == []
