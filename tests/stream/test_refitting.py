"""Retraining inside a replay: when it comes, on what, and that it depends on nothing but the inputs."""

import msgspec
import numpy as np
import pandas as pd
import pytest

from stream.baseline import load
from stream.chain import Chain
from stream.config import Features, Stream, Training
from stream.errors import SettingError
from stream.monitoring import MonitoringTask
from stream.records import Event, Label, Labelled
from stream.refitting import COLLECT, PIECE, Refitting, check, period
from stream.scoreboard import Scoreboard
from stream.scoring import ScoringTask
from stream.snapshot import pack, unpack
from stream.warmup import warm_up

FEATURES = Features(numeric=["x"])
STREAM = Stream(classes=["a", "b"], features=FEATURES, warm_up=500, training=Training(rows=1_000))
FIRST = 700
TURN = 1_500
"""From this event on the label means the contrary."""


def rows(count: int, start: int = 0):
    for i in range(start, start + count):
        x = float(np.random.default_rng(i).normal())
        yield i, {"x": x}, "ab"[int((x > 0) != (i >= TURN))]


def life(count: int, start: int = 500, delay: int = 0):
    """Events from ``start`` on with their labels, each so many events later."""
    waiting = []
    for i, fields, label in rows(count, start):
        yield Event(f"e{i}", float(i), fields, i)
        waiting.append(Label(f"e{i}", float(i), label))
        if len(waiting) > delay:
            yield waiting.pop(0)
    yield from waiting


def chain(policy: str, stream: Stream = STREAM) -> Chain:
    made = warm_up("streams.s", stream, [(fields, label) for _, fields, label in rows(stream.warm_up)])
    refitting = Refitting("s", made.stream, policy, FIRST)
    refitting.begin((f"e{i}", fields, "ab".index(label), True) for i, fields, label in rows(stream.warm_up))
    scoring = ScoringTask("s", made.stream, made.models)
    return Chain(scoring, MonitoringTask("s", made.stream), Scoreboard(made.stream, 500, 0), refitting)


def errors(made: Chain) -> int:
    return made.board.models()["baseline"]["errors"]


def test_a_baseline_is_fitted_every_so_many_labels_on_the_newest_rows():
    made = chain("periodic:500")
    made.feed(list(life(3_000)))
    found = [done.labelled for done in made.refitting.done]
    assert found == [pytest.approx(500 * n, abs=PIECE * n) for n in range(1, 6)]
    assert {done.rows for done in made.refitting.done} <= {600, 1_000}
    assert made.scoring.models.baseline_version == made.refitting.done[-1].version
    assert errors(made) < 1_000 < errors_of_never()


def test_how_far_back_it_looks_is_decided_by_the_newest_records(monkeypatch):
    monkeypatch.setattr("stream.refitting.SHORT", (400, 800))
    made = chain("periodic:850", msgspec.structs.replace(STREAM, training=Training(rows=100_000)))
    made.feed(list(life(1_900)))
    calm, turned = made.refitting.done
    assert calm.rows == 500 + calm.labelled  # all: nothing has changed, and more rows are better
    assert turned.rows in (400, 800)  # of 1,700 labelled 700 are of the new world


def errors_of_never() -> int:
    made = warm_up("streams.s", STREAM, [(fields, label) for _, fields, label in rows(500)])
    frozen = Chain(ScoringTask("s", made.stream, made.models), None, Scoreboard(made.stream, 500, 0))
    frozen.feed(list(life(3_000)))
    return errors(frozen)


def test_behind_an_alarm_so_many_records_are_gathered_first():
    made = chain("on-alarm")
    alarms = made.feed(list(life(3_000))).alarms
    first = next(alarm.position for alarm in alarms if alarm.verdict == "baseline_rot") - 500
    assert TURN - 500 < first < TURN - 500 + 600  # the online model has to see the new world first
    assert first + COLLECT <= made.refitting.done[0].labelled < first + COLLECT + 600  # until the gap shows
    assert errors(made) < errors_of_never() / 1.5


@pytest.mark.parametrize("delay", [0, 200, 500])
def test_one_change_is_answered_by_one_retraining_however_late_the_labels_are(delay):
    made = chain("on-alarm", msgspec.structs.replace(STREAM, training=Training(rows=100_000)))
    made.feed(list(life(4_500, delay=delay)))
    assert len(made.refitting.done) == 1
    assert made.refitting.done[0].rows in (600, 1_000)  # of which none or few are of the old world


@pytest.mark.parametrize("size", [7, 700])
@pytest.mark.parametrize("policy", ["periodic:400", "on-alarm"])
def test_what_is_fitted_does_not_depend_on_the_batches(policy, size):
    inputs = list(life(2_200))
    whole, cut = chain(policy), chain(policy)
    first = whole.feed(inputs)
    labelled = [r for at in range(0, len(inputs), size) for r in cut.feed(inputs[at : at + size]).labelled]
    assert cut.refitting.done == whole.refitting.done
    assert [r.baseline_version for r in labelled] == [r.baseline_version for r in first.labelled]
    assert len(whole.refitting.done) >= 1


def test_a_restored_replay_retrains_as_if_nothing_had_happened():
    inputs = list(life(2_000))
    whole, before, after = chain("periodic:400"), chain("periodic:400"), chain("periodic:400")
    whole.feed(inputs)
    before.feed(inputs[:1_700])
    after.restore(*unpack(pack(before.snapshot())))
    after.feed(inputs[1_700:])
    assert after.refitting.done == whole.refitting.done
    assert after.digest() == whole.digest()


def test_what_waits_while_the_baseline_changes_keeps_the_version_and_threshold_that_answered_it():
    made = chain("periodic:400")
    made.scoring.models.thresholds = (0.5, 2.0)  # the warm-up's baseline never says b
    old = made.scoring.models.baseline_version
    out = made.feed(list(life(1_000, delay=100)))
    answered = {p.event_id: p.baseline_version for p in out.predictions}
    assert all(answered[r.event_id] == r.baseline_version for r in out.labelled)
    by_old = [r for r in out.labelled if r.baseline_version == old]
    assert {r.baseline_label for r in by_old} == {"a"}
    assert {r.baseline_label for r in out.labelled if r.baseline_version != old} == {"a", "b"}
    first_new = min(r.label_time for r in out.labelled if r.baseline_version != old)
    assert any(r.baseline_version == old and answered[r.event_id] == old for r in out.labelled if r.time < first_new)


def test_without_a_baseline_the_first_one_is_fitted_after_so_many_labels():
    stream = Stream(classes=["a", "b"], features=FEATURES, warm_up=0)
    made = chain("on-alarm", stream)
    inputs = list(life(FIRST + 200, start=0))
    out = made.feed(inputs[: FIRST - 100])
    assert made.monitoring.verdict == "no_baseline"
    rest = made.feed(inputs[FIRST - 100 :])
    assert {p.serving for p in out.predictions[:100]} == {"online"}
    assert made.refitting.done[0].labelled == pytest.approx(FIRST, abs=PIECE)
    assert rest.predictions[-1].serving == "blend"
    assert made.monitoring.verdict == "healthy"


def test_rows_that_lack_a_class_are_not_fitted_on():
    made = chain(
        "periodic:300", Stream(classes=["a", "b"], features=FEATURES, warm_up=500, training=Training(rows=300))
    )
    old = made.scoring.models.baseline_version
    made.feed(
        [r for i in range(500, 1_400) for r in (Event(f"e{i}", float(i), {"x": 0.1}, i), Label(f"e{i}", 0.0, "a"))]
    )
    assert made.refitting.done == []
    assert made.scoring.models.baseline_version == old


def test_a_correction_counts_with_its_last_label():
    made = chain("periodic:400")
    made.feed(list(life(50)))
    made.feed([Label("e510", 600.0, "a"), Label("e510", 601.0, "b")])
    assert made.refitting._rows["e510"][1] == 1


@pytest.mark.parametrize("policy", ["weekly", "periodic", "periodic:", "periodic:0", "periodic:10", "periodic:-1", ""])
def test_what_is_no_policy_is_refused(policy):
    with pytest.raises(SettingError, match="never, on-alarm, or periodic:N"):
        period(policy)


@pytest.mark.parametrize("settings", [{"baseline": "none", "serving": "online"}, {"baseline": "field:b"}])
def test_what_cannot_be_fitted_cannot_be_retrained(settings):
    stream = Stream(classes=["a", "b"], features=FEATURES, **settings)
    check("never", stream)
    with pytest.raises(SettingError, match="nothing that can be fitted here"):
        check("on-alarm", stream)


@pytest.mark.parametrize("novelty", [False, True])
def test_a_detector_is_fitted_anew_on_all_that_is_kept_or_on_what_is_not_positive(novelty):
    stream = Stream(
        kind="anomaly", classes=["a", "b"], features=FEATURES, online="half-space-trees", alert_rate=0.1,
        baseline="gaussian-mixture", serving="online", training=Training(rows=1_000, novelty=novelty),
    )  # fmt: skip
    check("on-alarm", stream)
    refitting = Refitting("s", stream, "periodic:500", FIRST)
    chance = np.random.default_rng(1)
    odd = [90.0 if n % 5 == 0 else float(chance.normal()) for n in range(1_000)]
    refitting.begin((f"e{n}", {"x": x}, int(x > 50), True) for n, x in enumerate(odd))
    made = refitting.fit()
    baseline = load(made.artifact, "anomaly", made.version)
    scores = np.array(baseline.score(pd.DataFrame({"x": odd})))
    assert refitting.done[-1].rows == 1_000
    assert (scores[0] > 0.9) == novelty
    assert (scores >= made.threshold).mean() <= 0.1
    assert made.expected.classes == {"a": 800, "b": 200}


def test_a_detector_can_be_fitted_anew_where_no_label_is_positive():
    stream = Stream(
        kind="anomaly", classes=["a", "b"], features=FEATURES, online="half-space-trees",
        baseline="isolation-forest", serving="online",
    )  # fmt: skip
    refitting = Refitting("s", stream, "periodic:500", FIRST)
    refitting.begin((f"e{n}", {"x": float(n % 17)}, 0, True) for n in range(600))
    assert refitting.fit() is not None


def test_what_is_expected_of_a_new_baseline_is_by_the_records_that_may_judge():
    stream = Stream(
        kind="anomaly", classes=["a", "b"], features=FEATURES, online="half-space-trees", alert_rate=0.1,
        baseline="gaussian-mixture", serving="online", training=Training(rows=6_000, novelty=True),
    )  # fmt: skip
    refitting = Refitting("s", stream, "periodic:500", FIRST)
    chance = np.random.default_rng(1)
    records = []
    for n in range(6_000):
        positive, missed = n % 5 == 0, n % 10 == 0
        x = 90.0 if positive and not missed else float(chance.normal())
        row = {"x": x}
        records.append(
            Labelled(f"e{n}", n, n, "b" if positive else "a", n, row, 0.5, 0.5, 0.5, "a", "a", "a", "o", "v",
                     sampled=not missed or n % 100 == 0)
        )  # fmt: skip
    refitting.hear(records)
    made = refitting.fit()
    assert made.expected.risk < 0.2  # of all labelled positives half are missed, of those that may judge one in eleven
    assert made.expected.classes == {"a": 4_800, "b": 660}
