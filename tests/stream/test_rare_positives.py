"""What a stream is judged by where positives are rare: those that an alert budget does not reach."""

import math

import msgspec
import numpy as np
import pytest

from stream.config import Monitor, Stream
from stream.errors import RecordError
from stream.missed import WINDOW, Missed
from stream.monitoring import MonitoringTask
from stream.records import Labelled, References
from stream.reference import Expected

STREAM = Stream(
    kind="anomaly",
    classes=["legitimate", "fraud"],
    online="field:o",
    baseline="field:b",
    monitor=Monitor(1_000, 50.0, 50.0),
)


class World:
    """A monitor and what it is fed: events of which a share is positive, with both models' scores."""

    def __init__(self, seed=1, reference=0.3):
        self.chance = np.random.default_rng(seed)
        self.monitor = MonitoringTask("s", STREAM)
        self.monitor.feed([References("v1", Expected(reference), reference)])
        self.at = 0
        self.alarms = []

    def live(self, events, share=0.005, *, baseline=0.75, online=0.75):
        """So many events, of whose positives both models find such shares; how many positives there were."""
        positive = self.chance.random(events) < share
        scores = [self.scores(positive, caught) for caught in (baseline, online)]
        records = []
        for of, theirs, ours in zip(positive.tolist(), *scores, strict=True):
            truth, self.at = STREAM.classes[of], self.at + 1
            called = [STREAM.classes[score >= 0.99] for score in (ours, ours, theirs)]
            moment = float(self.at)
            records.append(
                Labelled(f"e{self.at}", moment, self.at, truth, moment, {}, ours, ours, theirs, *called, "o", "v1")
            )
        self.alarms += self.monitor.feed(records).alarms
        return int(positive.sum())

    def scores(self, positive, caught):
        found = self.chance.random(len(positive)) < caught
        other = self.chance.random(len(positive))
        return np.where(positive, np.where(found, 0.995, 0.9 * other), 0.99 * other).tolist()

    def detectors(self):
        return {alarm.kind for alarm in self.alarms if alarm.kind != "verdict"}


def test_a_positive_is_missed_where_one_in_a_hundred_others_has_a_score_as_high():
    missed = Missed()
    for at in range(WINDOW):
        assert missed.update(0.99, positive=True) is None
        missed.update(0.8 if at < 20 else 0.1, positive=False)
    assert [missed.update(score, positive=True) for score in (0.8, 0.81, 0.1)] == [1.0, 0.0, 1.0]
    for _ in range(WINDOW):
        missed.update(0.2, positive=False)
    assert missed.update(0.3, positive=True) == 0.0


def test_a_model_that_says_the_same_of_all_misses_all():
    missed = Missed()
    for _ in range(WINDOW):
        missed.update(0.5, positive=False)
    assert missed.update(0.5, positive=True) == 1.0


@pytest.mark.parametrize("score", [math.nan, -0.1, 1.1, math.inf])
@pytest.mark.parametrize("positive", [True, False])
def test_what_is_no_score_is_refused_by_name_and_changes_nothing(score, positive):
    missed = Missed()
    for at in range(WINDOW):
        missed.update(at / WINDOW, positive=False)
    before = msgspec.json.encode(missed)
    with pytest.raises(RecordError, match=r"field 'score': must be in \[0, 1\]"):
        missed.update(score, positive=positive)
    assert msgspec.json.encode(missed) == before


def test_positives_that_are_missed_more_often_alarm_within_50_of_them_and_not_before():
    late = []
    for seed in range(5):
        world = World(seed)
        world.live(60_000)
        assert world.detectors() == set()
        assert world.monitor.verdict == "healthy"
        seen = 0
        while "absolute_baseline" not in world.detectors():
            seen += world.live(500, baseline=0.2)
        late.append(seen)
        assert world.monitor.verdict == "baseline_rot"
        assert "misses" in world.monitor.reason
        assert "labelled positives" in world.monitor.reason
    assert max(late) <= 50


def test_rot_is_told_although_the_online_model_misses_as_many_at_first():
    world = World()
    world.live(40_000)
    world.live(20_000, baseline=0.1, online=0.1)
    assert world.monitor.verdict == "baseline_rot"
    assert "absolute_online" in world.detectors()


def test_false_alarms_of_what_is_not_positive_count_for_nothing():
    """Both models call one event in a hundred, and nearly all that they call is legitimate."""
    world = World()
    world.live(40_000, share=0.001, baseline=0.75, online=0.75)
    assert world.monitor.judging.judgement.baseline.events == pytest.approx(40, abs=20)
    assert world.detectors() == set()


def test_a_change_of_their_share_alone_does_not_alarm():
    alarmed = 0
    for seed in range(5):
        world = World(seed)
        world.live(30_000, 0.0035)
        world.live(20_000, 0.02)
        alarmed += bool(world.detectors())
    assert alarmed == 0


def test_how_soon_a_rise_would_be_found_is_told_in_labelled_events():
    world = World()
    world.live(60_000)
    told = world.monitor.judging.sight
    assert told.share == pytest.approx(0.005, rel=0.2)
    assert told.rise > 10 / 0.005


def test_a_monitor_goes_on_from_its_snapshot_bit_for_bit():
    whole, first = World(7), World(7)
    for world in (whole, first):
        world.live(10_000, 0.01)
    again = World(7)
    again.monitor.restore(first.monitor.snapshot().body, {})
    again.chance, again.at = first.chance, first.at
    for world in (whole, again):
        world.live(10_000, 0.01, baseline=0.2)
    assert again.monitor.digest() == whole.monitor.digest()
    assert again.monitor.verdict == "baseline_rot"


def test_labels_that_are_not_drawn_count_in_how_long_it_takes_to_see_a_rise():
    world = World()
    feed = world.monitor.feed

    def thinned(batch):
        drawn = [
            record if at % 10 == 0 else msgspec.structs.replace(record, sampled=False)
            for at, record in enumerate(batch)
        ]
        return feed(drawn)

    world.monitor.feed = thinned
    world.live(120_000, 0.05)
    told = world.monitor.judging.sight
    # One label in twenty is of a positive, and one in ten is drawn, the first 2,000 to hold positives against.
    assert told.share == pytest.approx(0.005 * 5 / 6, rel=0.2)
