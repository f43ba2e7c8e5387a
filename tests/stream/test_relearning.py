"""Learning again from the training log what was learned when it was written."""

import random
from itertools import pairwise

import pytest
from msgspec.structs import replace

from stream import relearning
from stream.alerts import LEAST
from stream.config import Features, Labels, Stream
from stream.duration import Duration
from stream.errors import TrainingError
from stream.records import Event, Label
from stream.relearning import Logged, Relearning, Survey
from stream.scoring import ScoringTask
from stream.snapshot import pack, unpack
from stream.warmup import warm_up

STREAM = Stream(
    features=Features(numeric=["n"]),
    classes=["no", "yes"],
    labels=Labels(values={"1": "yes", "0": "no", "yes": "no"}),
    recent_ids=500,
)


def models(stream=STREAM):
    return warm_up("streams.s", stream, []).models


def inputs(count, first=0):
    """Events whose label says whether n is above 0; each label comes at once."""
    chance = random.Random(first)
    found = []
    for number in range(first, first + count):
        n = chance.uniform(-1, 1)
        found.append(Event(f"e{number}", float(number), {"n": n}, number))
        found.append(Label(f"e{number}", number + 0.5, "1" if n > 0 else "0", number))
    return found


def written(task, records):
    """What the task's training log holds after these inputs."""
    return [Logged(record, record.label_time) for record in task.feed(records).labelled]


def relearned(log, stream=STREAM, batch=100):
    made = Relearning("s", stream, models(stream))
    for at in range(0, len(log), batch):
        made.feed(log[at : at + batch])
    return made


@pytest.fixture
def scorer():
    return ScoringTask("s", STREAM, models())


def test_what_is_learned_from_the_log_is_what_was_learned_when_it_was_written(scorer):
    log = written(scorer, inputs(400))
    made = relearned(log)
    again = made.finish()
    ahead = [made for made in inputs(100, first=400) if isinstance(made, Event)]
    assert (made.learned, made.left_out) == (400, {})
    assert [p.online for p in again.feed(ahead).predictions] == [p.online for p in scorer.feed(ahead).predictions]
    assert again.decisions.weight == scorer.decisions.weight


def test_the_state_goes_into_a_task_of_the_streams_own_settings_and_its_counts_begin_at_0(scorer):
    made = relearned(written(scorer, inputs(400))).finish()
    late = replace(STREAM, labels=Labels(maturity=Duration(60), absent_means="no"))
    task = ScoringTask("s", late, models(late))
    task.restore(*unpack(pack(made.snapshot())))
    totals = task.totals()
    assert (totals.inputs.predicted, totals.labels.joined, totals.waiting, totals.early) == (0, 0, 0, 0)
    assert totals.losses["online"][0] == 0
    assert totals.clock == 399.5
    task.feed([Event("new", 400.0, {"n": 1.0}), Label("new", 401.0, "yes")])
    assert task.totals().unbalanced() is None
    assert task.totals().inputs.predicted == 1


def test_an_event_that_comes_again_gets_the_answer_that_was_published(scorer):
    log = written(scorer, inputs(400))
    first = log[-1].record
    answer = replace(first, served=0.123, served_label="yes", online=0.4, baseline=0.123, baseline_version="old")
    task = relearned([*log[:-1], Logged(answer, 1e9)]).finish()
    [again] = task.feed([Event(first.event_id, 900.0, {"n": 0.0})]).predictions
    assert again.repeated
    assert (again.score, again.label, again.online, again.baseline) == (0.123, "yes", 0.4, 0.123)
    assert (again.serving, again.baseline_version, again.time) == ("baseline", "old", first.time)


def test_a_record_that_is_there_twice_is_learned_once(scorer):
    log = written(scorer, inputs(400))
    for twice in (log[:100] + log, log + log[-300:], [logged for logged in log for _ in range(2)]):
        made = relearned(twice)
        assert made.learned == 400
        assert made.left_out == {"is there twice": len(twice) - 400}


def test_the_last_label_wins(scorer):
    records = inputs(20)
    log = written(scorer, [*records, Label("e3", 30.0, "1"), Label("e3", 31.0, "0"), Label("e3", 32.0, "1")])
    assert sum(logged.record.correction for logged in log) >= 1
    last = [logged.record.label for logged in log if logged.record.event_id == "e3"][-1]
    survey = Survey(STREAM)
    survey.feed(log)
    taken = [survey.corrected(logged) for logged in log]
    labels = {t.record.event_id: t.record.label for t in taken if not t.record.correction}
    first = {logged.record.event_id: logged.record.label for logged in log if not logged.record.correction}
    assert labels == first | {"e3": last}
    assert first["e3"] != last
    made = relearned(taken)
    assert (made.learned, made.left_out) == (20, {})
    task = made.finish()
    task.feed([Label("e3", 99.0, last)])
    assert task.totals().labels.duplicate == 1


def test_so_many_last_labels_are_remembered_and_the_others_are_counted(scorer, monkeypatch):
    monkeypatch.setattr(relearning, "MOST_CORRECTIONS", 3)
    [logged] = written(scorer, inputs(1))
    survey = Survey(STREAM)
    survey.feed([Logged(replace(logged.record, event_id=f"e{i}", label="yes", correction=True), 0) for i in range(5)])
    assert survey.overlooked == 2
    first = [survey.corrected(Logged(replace(logged.record, event_id=f"e{i}", label="no"), 0)) for i in range(5)]
    assert [one.record.label for one in first] == ["no", "no", "yes", "yes", "yes"]


def test_records_that_cannot_be_learned_from_are_counted_by_reason_and_leave_nothing_behind(scorer):
    log = written(scorer, inputs(10))
    bad = [
        replace(log[0].record, event_id="a", features=None),
        replace(log[0].record, event_id="b", label="maybe"),
        replace(log[0].record, event_id="c", features={"n": "many"}),
    ]
    made = relearned([*log, *(Logged(record, 1e9) for record in bad)])
    assert made.learned == 10
    assert made.left_out == {
        "has no features": 1,
        "label 'maybe' is none of ['no', 'yes']": 1,
        "field 'n': must be a number, not str 'many'": 1,
    }
    task = made.finish()
    assert (task.totals().early, task.totals().waiting, task.totals().held) == (0, 0, 0)
    task.feed([Event("c", 20.0, {"n": 1.0}), Label("c", 21.0, "yes")])
    assert task.totals().labels.joined == 1


def test_a_label_is_read_as_the_class_that_it_names_and_not_as_what_labellers_write(scorer):
    log = written(scorer, [Event("a", 0.0, {"n": 1.0}), Label("a", 0.0, "1")])
    assert log[0].record.label == "yes"
    task = relearned(log).finish()
    assert task.arrivals.join.known("a").label == 1


def test_a_time_that_was_not_believed_then_moves_no_clock_now(scorer):
    log = written(scorer, inputs(10))
    wrong = replace(log[0].record, event_id="w", time=1e9, label_time=1e9)
    made = relearned([*log, Logged(wrong, 20.0)])
    assert made.learned == 11
    assert made.finish().clock == 9.5


def test_the_room_never_fills_however_long_the_log_is():
    stream = replace(STREAM, labels=replace(STREAM.labels, capacity=16))
    log = written(ScoringTask("s", stream, models(stream)), inputs(2_000))
    made = relearned(log, stream)
    assert made.learned == 2_000
    assert made.finish().arrivals.join.threshold == 1 << 64


def test_scores_that_events_bring_along_are_taken_from_the_log():
    for kind, classes, given in (
        ("binary", ["no", "yes"], 0.25),
        ("multiclass", ["a", "b", "c"], {"a": 0.5, "b": 0.5}),
    ):
        stream = Stream(
            kind=kind, features=Features(numeric=["n"]), classes=classes, baseline="field:theirs", serving="baseline"
        )
        scorer = ScoringTask("s", stream, models(stream))
        log = written(scorer, [Event("a", 0.0, {"n": 1.0, "theirs": given}), Label("a", 1.0, classes[0])])
        made = relearned(log, stream)
        assert (made.learned, made.left_out) == (1, {})
        [again] = made.finish().feed([Event("a", 2.0, {"n": 1.0, "theirs": given})]).predictions
        assert again.baseline == log[0].record.baseline


def test_a_record_of_another_number_of_classes_is_left_out():
    stream = Stream(
        kind="multiclass", features=Features(numeric=["n"]), classes=["a", "b", "c"], baseline="field:theirs"
    )
    scorer = ScoringTask("s", stream, models(stream))
    [logged] = written(scorer, [Event("a", 0.0, {"n": 1.0, "theirs": {"a": 1.0}}), Label("a", 1.0, "a")])
    made = relearned([Logged(replace(logged.record, baseline=[0.5, 0.5]), 1.0)], stream)
    assert made.learned == 0
    assert sum(made.left_out.values()) == 1


def test_columns_that_are_not_in_the_log_are_neither_learned_nor_taken_for_missing():
    stream = replace(STREAM, features=Features(text=["t", "u"], numeric=["n", "secret"], unlogged=["secret", "u"]))
    scorer = ScoringTask("s", stream, models(stream))
    made = []
    for number, event in enumerate(inputs(400)):
        made.append(
            replace(event, fields={**event.fields, "secret": 1.0, "t": "a", "u": "b"}) if number % 2 == 0 else event
        )
    log = written(scorer, made)
    assert log[0].record.features.keys() == {"t", "n"}
    relearned_from = relearned(log, stream)
    assert (relearned_from.learned, relearned_from.left_out) == (400, {})
    again = relearned_from.finish()
    model = again.models.online.estimator["LogisticRegression"]
    assert "n" in model.weights
    assert "secret?" not in model.weights
    assert again.feed([Event("x", 900.0, {"n": 0.5, "secret": 1.0, "t": "a"})]).predictions[0].score > 0.5
    behind = [Event(f"y{n}", 901.0, {"n": n / 50 - 1, "secret": 1.0}) for n in range(100)]
    wrong = sum(
        (p.online > 0.5) != (e.fields["n"] > 0) for p, e in zip(again.feed(behind).predictions, behind, strict=True)
    )
    assert wrong < 10


def test_an_anomaly_streams_thresholds_are_those_that_the_log_was_answered_by():
    stream = Stream(
        kind="anomaly", features=Features(numeric=["n"]), classes=["ok", "fraud"], serving="online",
        online="field:mine", baseline="field:theirs",
    )  # fmt: skip
    made = models(stream)
    made.thresholds = (0.7, 0.9)
    scorer = ScoringTask("s", stream, made)
    chance = random.Random(1)
    scores = [(chance.random(), chance.random()) for _ in range(LEAST)]
    events = [Event(f"e{i}", float(i), {"n": 1.0, "mine": m, "theirs": t}) for i, (m, t) in enumerate(scores)]
    log = written(scorer, [made for e in events for made in (e, Label(e.event_id, e.time, "ok"))])
    survey = Survey(stream)
    survey.feed(log)
    online, baseline = survey.thresholds()
    assert online == min(m for m, _ in scores if m >= 0.7)
    assert baseline == min(t for _, t in scores if t >= 0.9)
    assert all((m >= 0.7) == (m >= online) for m, _ in scores)
    quiet = Survey(stream)
    quiet.feed([logged for logged in log if logged.record.online < 0.5])
    assert 0.49 < quiet.thresholds()[0] < 0.5
    assert Survey(stream).thresholds() == (0.5, 0.5)
    assert all(a.record.label_time <= b.record.label_time for a, b in pairwise(log))


def test_a_model_that_breaks_on_the_log_is_one_known_error(scorer, monkeypatch):
    log = written(scorer, inputs(5))
    made = Relearning("s", STREAM, models())
    monkeypatch.setattr(made._task.models.online, "learn", lambda *_: 1 / 0)
    with pytest.raises(TrainingError, match="out of the training log, cannot be made ready: ZeroDivisionError"):
        made.feed(log)
