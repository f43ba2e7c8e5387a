"""river's detectors beside the verdict: one alarm an episode, on values that suit them, kept over a restore."""

import numpy as np
import pytest
from river.base import BinaryDriftDetector

from stream.config import Monitor, Stream, read
from stream.drift.detectors import FACTORIES, REFRACTORY, Watch, check, monitored
from stream.errors import SettingError, TrainingError
from stream.monitoring import MonitoringTask
from stream.records import Labelled
from stream.watching import DETECTORS, OF_ERRORS, YES_OR_NO

ALL = {value: list(DETECTORS) for value in YES_OR_NO}


class Threshold:
    """A user's own detector: says drift while the value is above a half."""

    def __init__(self):
        self.drift_detected = False

    def update(self, x):
        if x < 0:
            raise ValueError(x)
        self.drift_detected = x > 0.5


class OfErrors(BinaryDriftDetector):
    def update(self, x):
        self._drift_detected = bool(x)


class Unkeepable(Threshold):
    def __init__(self):
        super().__init__()
        self.why = lambda: None


class NoAnswer:
    def update(self, x):
        pass


OWN = f"{__name__}:Threshold"


def record(index: int, baseline: bool, online: bool = False, score: object = 0.25) -> Labelled:
    said = {True: "ham", False: "spam"}
    of_models = (0.5, 0.5, score, "spam", said[online], said[baseline])
    return Labelled(f"e{index}", float(index), index, "spam", float(index), {}, *of_models, "o", "b")


def stream(detectors: dict[str, list[str]]) -> Stream:
    return Stream(classes=["ham", "spam"], monitor=Monitor(detectors=detectors))


def stretch(n: int, baseline: float, start: int = 0, seed: int = 5) -> list[Labelled]:
    wrong = np.random.default_rng(seed).random((n, 2)) < (baseline, 0.03)
    return [record(start + i, bool(b), bool(o)) for i, (b, o) in enumerate(wrong)]


def alarmed(watch: Watch, records: list[Labelled]) -> list[tuple[int, str]]:
    return [(one.position, found.kind) for one in records for found in watch.update(one)]


def test_every_named_detector_finds_a_large_rise_and_says_so_once():
    watch = Watch("s", stream({"baseline": [name for name in DETECTORS if name != "kswin"], "gap": ["adwin"]}))
    alarmed(watch, stretch(3_000, 0.03))
    before = {name for name, state in watch.states().items() if state == "alarmed"}
    found = alarmed(watch, stretch(900, 0.6, 3_000))
    assert before <= {"ddm:baseline", "eddm:baseline"}  # these two cry wolf
    kinds = [kind for _, kind in found]
    assert sorted([*kinds, *before]) == sorted(watch.states())
    assert set(watch.states().values()) == {"alarmed"}


def test_kswin_finds_that_scores_moved_and_draws_by_the_streams_seed():
    chance = np.random.default_rng(3)
    moved = [record(i, baseline=False, score=float(x)) for i, x in enumerate(chance.random(400) / 4 + 0.4)]
    still = [record(i, baseline=False, score=float(x)) for i, x in enumerate(chance.random(200) / 4)]
    watches = [Watch("s", stream({"baseline_score": ["kswin"]})) for _ in range(2)]
    found = [alarmed(watch, [*still, *moved]) for watch in watches]
    assert found[0] == found[1]
    assert [kind for _, kind in found[0]] == ["kswin:baseline_score"]


def test_an_episode_has_one_alarm_and_ends_after_the_refractory_period_recovered_or_settled():
    for after, state in ((0, "recovered"), (0.4, "settled")):
        watch = Watch("s", stream({"baseline_score": [OWN]}))
        values = [0.1] * 300 + [0.9] * 5 + [after] * (REFRACTORY - 1)
        found = alarmed(watch, [record(i, baseline=False, score=x) for i, x in enumerate(values)])
        assert found == [(300, f"{OWN}:baseline_score")]
        assert watch.states() == {f"{OWN}:baseline_score": "alarmed"}
        alarmed(watch, [record(0, baseline=False, score=after)])
        # One event at .9 says little of the level at the alarm: a recent mean weighs it with a hundredth.
        assert watch.states() == {f"{OWN}:baseline_score": state}
        assert alarmed(watch, [record(9, baseline=False, score=0.9)]) == [(9, f"{OWN}:baseline_score")]


def test_a_detection_within_the_refractory_period_prolongs_the_episode():
    watch = Watch("s", stream({"baseline_score": [OWN]}))
    values = [0.9, *([0.1] * (REFRACTORY - 1))] * 3
    assert len(alarmed(watch, [record(i, baseline=False, score=x) for i, x in enumerate(values)])) == 1
    assert set(watch.states().values()) == {"alarmed"}


def test_the_monitored_values_of_a_record():
    assert monitored(record(0, baseline=True, online=False)) == {
        "online": 0.0,
        "baseline": 1.0,
        "disagreement": 1.0,
        "gap": 1.0,
        "baseline_score": 0.25,
    }
    assert monitored(record(0, baseline=True, score=[0.2, 0.7, 0.1]))["baseline_score"] == 0.7
    bare = Labelled("e", 0.0, 0, "spam", 0.0, {}, 0.5, 0.5, None, "spam", "spam", None, "o", None)
    assert monitored(bare) == {"online": 0.0}


def test_a_restored_watch_goes_on_as_one_that_never_stopped():
    whole, parts = (Watch("s", stream({**ALL, "gap": [OWN]})) for _ in range(2))
    records = [*stretch(400, 0.03), *stretch(400, 0.4, 400)]
    expected, found = alarmed(whole, records), []
    for at in range(0, len(records), 133):
        found += alarmed(parts, records[at : at + 133])
        moved = Watch("s", stream({**ALL, "gap": [OWN]}))
        moved.restore(parts.snapshot())
        parts = moved
    assert found == expected != []


def test_after_a_change_of_settings_what_they_still_name_goes_on_and_the_rest_begins():
    before = Watch("s", stream({"baseline": ["adwin", "ddm"]}))
    alarmed(before, stretch(500, 0.5))
    after = Watch("s", stream({"baseline": ["adwin", "eddm"]}))
    after.restore(before.snapshot())
    assert after.state()["adwin:baseline"][1] == before.state()["adwin:baseline"][1]
    assert after.state()["eddm:baseline"][1][0] == 0


def test_a_detector_that_raises_is_switched_off_and_says_so_once():
    watch = Watch("s", stream({"gap": [OWN], "baseline": ["adwin"]}))
    records = [record(i, baseline=False, online=True) for i in range(5)]
    [found] = [found for one in records for found in watch.update(one)]
    assert found.kind == f"{OWN}:gap"
    assert "raised ValueError" in found.reason
    assert watch.states() == {f"{OWN}:gap": "off", "adwin:baseline": "quiet"}


def test_the_monitor_tells_a_detectors_alarm_beside_its_own_verdict_and_keeps_it():
    settings = stream({"online": ["adwin"]})
    monitor, moved = MonitoringTask("s", settings), MonitoringTask("s", settings)
    wrong = np.random.default_rng(1).random(6_000) < np.repeat([0.03, 0.3], 3_000)
    records = [record(i, bool(w), bool(w)) for i, w in enumerate(wrong)]
    [alarm] = monitor.feed(records[:4_000]).alarms
    assert (alarm.kind, alarm.verdict, alarm.evidence) == ("adwin:online", "healthy", None)
    assert 3_000 < alarm.position < 3_200
    assert alarm.detail["before"] < 0.05 < alarm.detail["recent"]
    moved.restore(monitor.snapshot().body, {})
    assert moved.totals() == monitor.totals()
    assert monitor.totals().watched == {"adwin:online": "alarmed"}
    assert monitor.feed(records[4_000:]).alarms == moved.feed(records[4_000:]).alarms
    assert monitor.digest() == moved.digest()
    assert monitor.totals().watched == {"adwin:online": "settled"}


def test_another_baseline_begins_the_detectors_anew():
    monitor = MonitoringTask("s", stream({"baseline": ["adwin"]}))
    monitor.feed(stretch(3_000, 0.03))
    monitor.feed(stretch(300, 0.6, 3_000))
    assert monitor.totals().watched == {"adwin:baseline": "alarmed"}
    other = record(3_300, baseline=False)
    monitor.feed([type(other)(**{**{f: getattr(other, f) for f in other.__struct_fields__}, "baseline_version": "c"})])
    assert monitor.totals().watched == {"adwin:baseline": "quiet"}


def test_settings_and_factories_name_the_same_detectors():
    assert tuple(FACTORIES) == DETECTORS


@pytest.mark.parametrize(
    ("value", "name", "said"),
    [
        ("baselines", "adwin", "about one of baseline, online, disagreement, gap, baseline_score"),
        ("baseline", "adwim", "adwin or page-hinkley or kswin"),
        *((value, name, f"0 or 1 .*{value} is not") for value in ("gap", "baseline_score") for name in OF_ERRORS),
    ],
)
def test_a_detector_that_is_unknown_or_does_not_suit_its_value_is_named_when_settings_are_read(value, name, said):
    table = {"streams": {"s": {"features": {"numeric": ["a"]}, "monitor": {"detectors": {value: [name]}}}}}
    with pytest.raises(SettingError, match=said) as error:
        read(table)
    assert error.value.key == f"streams.s.monitor.detectors.{value}"


def test_a_detector_named_twice_is_refused():
    table = {"streams": {"s": {"features": {"numeric": ["a"]}, "monitor": {"detectors": {"gap": ["adwin"] * 2}}}}}
    with pytest.raises(SettingError, match="named once"):
        read(table)


@pytest.mark.parametrize(
    ("spec", "value", "kind", "said"),
    [
        ("nowhere:Here", "gap", SettingError, "can be imported"),
        ("math:floor", "gap", SettingError, r"update\(x\) and drift_detected"),
        ("builtins:str", "gap", SettingError, r"update\(x\) and drift_detected"),
        (f"{__name__}:NoAnswer", "gap", SettingError, r"update\(x\) and drift_detected"),
        (f"{__name__}:OfErrors", "gap", SettingError, "gap is not"),
        (f"{__name__}:Unkeepable", "gap", TrainingError, "cannot be made ready"),
    ],
)
def test_a_users_class_that_is_no_detector_is_refused(spec, value, kind, said):
    with pytest.raises(kind, match=said):
        check("streams.s.monitor.detectors", {value: [spec]})
    check("streams.s.monitor.detectors", {"gap": [OWN], "baseline": [f"{__name__}:OfErrors"]})
