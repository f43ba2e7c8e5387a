"""Alerted events are inspected and others hardly: what is thought of the models then, from events to the verdict."""

import numpy as np
import pytest

from stream.chain import Chain
from stream.config import Fields, Labels, Monitor, Stream
from stream.duration import Duration
from stream.monitoring import MonitoringTask
from stream.records import Event, Label
from stream.risk import risk
from stream.sample import Sample
from stream.scoreboard import Scoreboard
from stream.scoring import ScoringTask
from stream.warmup import warm_up

INSPECTED = 0.1
"""Of the events that are not alerted."""

SHARE = 0.05
"""Of the events that are positive."""

TRUE = {True: 1.0, False: INSPECTED}
"""With which probability an event is inspected, by whether it is alerted."""

WARM = 40_000
BATCH = 250


class World:
    """A bank whose inspectors look at all that the baseline alerts, and at one in ten of the other transactions.

    ``stated``: which probabilities its labels state, by whether the event was alerted; None: none.
    """

    def __init__(self, stated, seed=1):
        self.chance, self.stated = np.random.default_rng(seed), stated
        stream = Stream(
            kind="anomaly",
            classes=["legitimate", "fraud"],
            fields=Fields(inspection_probability="p" if stated else ""),
            online="field:o",
            baseline="field:b",
            serving="baseline",
            alert_rate=0.045,
            labels=Labels(Duration(10), least_inspection_probability=min(stated.values()) if stated else None),
            monitor=Monitor(1_000, 50.0, 50.0),
        )
        sample, rows, fair = Sample(stream), [], []
        for at, (fields, truth) in enumerate(self.draw(WARM, 0.3)):
            alerted = fields["b"] >= 0.99
            inspected = self.chance.random() < TRUE[alerted]
            rows.append((fields, truth if inspected else None))
            fair.append(sample.takes(f"w{at}", self.said(alerted)))
        made = warm_up("streams.s", stream, rows, (), fair if stated else ())
        self.reference = made.models.expected.risk
        tasks = ScoringTask("s", made.stream, made.models), MonitoringTask("s", made.stream)
        self.chain = Chain(*tasks, Scoreboard(made.stream, 0, 0))
        self.now, self.verdicts, self.alarms = 0, [], []

    def said(self, alerted):
        return self.stated[alerted] if self.stated else 1.0

    def draw(self, events, missed):
        """So many events, with what each model says of them; of the positives each misses such a share."""
        positive = self.chance.random(events) < SHARE
        scores = []
        for _ in range(2):
            found = positive & (self.chance.random(events) >= missed)
            score = self.chance.random(events)
            score[positive & ~found] *= 0.9
            score[found] = 0.995 + 0.005 * score[found]
            scores.append(score.tolist())
        names = np.where(positive, "fraud", "legitimate").tolist()
        return [({"b": b, "o": o}, name) for b, o, name in zip(*scores, names, strict=True)]

    def live(self, events, missed=0.3):
        """The verdicts after each batch."""
        verdicts = []
        for _ in range(0, events, BATCH):
            drawn = self.draw(BATCH, missed)
            self.now += BATCH
            made = [
                Event(f"e{self.now + at}", float(self.now), row, self.now + at) for at, (row, _) in enumerate(drawn)
            ]
            out = self.chain.feed(made)
            labels = []
            for prediction, (_, truth) in zip(out.predictions, drawn, strict=True):
                alerted = prediction.label == "fraud"
                if self.chance.random() < TRUE[alerted]:
                    at = float(self.now + 1)
                    labels.append(Label(prediction.event_id, at, truth, probability=self.said(alerted)))
            self.alarms += [*out.alarms, *self.chain.feed(labels).alarms]
            verdicts.append(self.monitor.verdict)
        return verdicts

    @property
    def monitor(self):
        return self.chain.monitoring


def test_where_labels_state_how_probable_they_were_the_verdict_and_the_missed_share_are_right():
    world = World(TRUE)
    assert 0.3 < world.reference < 0.42  # the upper end of an interval
    assert set(world.live(60_000)[8:]) <= {"healthy", "blind"}
    assert world.monitor.verdict == "healthy"
    assert {alarm.kind for alarm in world.alarms} == {"verdict"}
    judgement = world.monitor.judging.judgement
    assert judgement.baseline.events == pytest.approx((60_000 * INSPECTED - 2_000 / (1 - SHARE)) * SHARE, rel=0.25)
    missed = risk(np.array([code > 1 for code in judgement.recent], dtype=float))
    assert missed.low < 0.3 < missed.high < 0.42
    assert "baseline_rot" in world.live(30_000, missed=0.6)
    newest = judgement.recent[-100:]
    assert sum(code > 1 for code in newest) == pytest.approx(60, abs=15)


def test_where_they_do_not_it_is_blind_and_says_what_to_do():
    world = World(None)
    world.live(10_000)
    assert world.monitor.verdict == "blind"
    assert "(fields.inspection_probability)" in world.monitor.reason
    assert "labels were chosen by what the baseline called" in world.monitor.reason


@pytest.mark.parametrize("wrong", [{True: 1.0, False: 1.0}, {True: 0.2, False: INSPECTED}])
def test_where_they_state_other_probabilities_than_there_are_it_is_blind_and_names_the_field(wrong):
    world = World(wrong)
    world.live(60_000)
    assert world.monitor.verdict == "blind"
    assert "drawn by 'p': these are not the probabilities" in world.monitor.reason


def test_figures_of_alerts_are_of_the_sample_so_that_what_was_found_is_no_larger_than_it_is():
    stated, unstated = World(TRUE), World(None)
    for world in (stated, unstated):
        world.live(40_000)
    recalls = [world.chain.board.models()["baseline"]["recall"] for world in (stated, unstated)]
    assert recalls == [pytest.approx(0.7, abs=0.1), pytest.approx(0.96, abs=0.02)]
