"""The scoring task where it can be told in a few lines; everything at once is in test_scoring_machine."""

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from stream.config import Duration, Features, Fields, Labels, Stream
from stream.errors import ModelError, StateError
from stream.profile import Profile
from stream.records import Alarm, Event, Label, Lost, Skip, Tick, Undecodable
from stream.sample import Sample
from stream.scoring import MADE_FOR, ScoringTask
from stream.snapshot import pack, unpack
from stream.warmup import warm_up

FEATURES = Features(text=["body"], numeric=["size"])


def stream(**settings) -> Stream:
    return Stream(classes=["ham", "spam"], features=FEATURES, **settings)


def rows(n: int, seed: int = 1):
    rng = np.random.default_rng(seed)
    for i in range(n):
        spam = bool(rng.random() < 0.4)
        words = rng.choice(["cash", "prize", "now"] if spam else ["report", "lunch", "now"], 4)
        yield {"body": " ".join(words), "size": float(rng.normal(3 + spam))}, "spam" if spam else "ham", i


def task(settings: Stream) -> ScoringTask:
    made = warm_up("streams.s", settings, [(fields, label) for fields, label, _ in rows(200)])
    return ScoringTask("s", made.stream, made.models)


def life(n: int):
    inputs = []
    for fields, label, i in rows(n, seed=2):
        inputs += [Event(f"e{i}", float(i), fields, i), Label(f"e{i}", float(i), label, i)]
    return inputs


@pytest.mark.parametrize("size", [1, 7, 64])
def test_online_scores_are_the_same_bit_for_bit_in_any_batches_and_the_others_almost(size):
    inputs = life(300)
    one, other = task(stream()), task(stream())
    first = one.feed(inputs).predictions
    second = [p for at in range(0, len(inputs), size) for p in other.feed(inputs[at : at + size]).predictions]
    assert [p.online for p in first] == [p.online for p in second]
    assert np.allclose([p.baseline for p in first], [p.baseline for p in second], atol=1e-9, rtol=0)
    assert np.allclose([p.score for p in first], [p.score for p in second], atol=1e-9, rtol=0)


@pytest.mark.parametrize("size", [1, 7, 500])
def test_events_that_cannot_be_read_are_in_the_profile_behind_each_hundred_of_them(size):
    inputs = life(80)
    inputs += [Event(f"bad{i}", 100.0 + i, {"body": "now", "size": "oops"}, 100 + i) for i in range(150)]
    scorer = task(stream())
    profiles = [p for at in range(0, len(inputs), size) for p in scorer.feed(inputs[at : at + size]).profiles]
    [made] = [profile for profile in profiles if isinstance(profile, Profile)]
    assert (made.events, made.unread) == (80, {"size": 100})
    again = task(stream())
    again.restore(*unpack(pack(scorer.snapshot())))
    [made] = again.feed([Undecodable("events", "is no JSON", "", 300 + i, b"{") for i in range(50)]).profiles
    assert (made.events, made.unread) == (0, {"size": 50, "": 50})


def test_a_restored_task_goes_on_bit_for_bit():
    inputs = life(200)
    whole, before = task(stream()), task(stream())
    whole.feed(inputs[:200])
    expected = whole.feed(inputs[200:])
    before.feed(inputs[:200])
    after = task(stream())
    after.restore(*unpack(pack(before.snapshot())))
    assert msgspec.json.encode(after.feed(inputs[200:])) == msgspec.json.encode(expected)
    assert after.digest() == whole.digest()


@pytest.mark.parametrize("there", ["another", "none"])
def test_a_snapshot_brings_its_baseline_along_wherever_another_one_or_none_is_loaded(there):
    inputs = life(60)
    made = task(stream())
    made.feed(inputs[:60])
    body, segments = unpack(pack(made.snapshot()))
    other = warm_up("streams.s", stream(), [(fields, label) for fields, label, _ in rows(150, seed=9)])
    if there == "none":
        other.models.baseline, other.models.artifact = None, b""
    moved = ScoringTask("s", other.stream, other.models)
    moved.restore(body, segments)
    assert msgspec.json.encode(moved.feed(inputs[60:])) == msgspec.json.encode(made.feed(inputs[60:]))
    assert moved.digest() == made.digest()
    assert f"baseline-{made.models.baseline_version}" in moved.snapshot().segments


def test_without_the_baselines_segment_the_baseline_has_to_be_loaded_already():
    made = task(stream())
    body, segments = unpack(pack(made.snapshot()))
    rest = {name: data for name, data in segments.items() if not name.startswith("baseline-")}
    assert len(rest) < len(segments)
    task(stream()).restore(body, rest)
    other = warm_up("streams.s", stream(), [(fields, label) for fields, label, _ in rows(150, seed=9)])
    with pytest.raises(StateError, match="has no segment baseline-baseline-"):
        ScoringTask("s", other.stream, other.models).restore(body, rest)


def test_a_loaded_baseline_without_its_file_takes_the_file_out_of_the_snapshot():
    snapshot = task(stream()).snapshot()
    bare = task(stream())
    bare.models.artifact = b""
    bare.restore(*unpack(pack(snapshot)))
    assert unpack(pack(bare.snapshot()))[1].keys() == snapshot.segments.keys()


@pytest.mark.parametrize("changed", [{"categorical": ["city"]}, {"keep": "features"}, {"hash_bits": 12}])
def test_a_state_that_was_made_under_other_settings_is_refused(changed):
    made = task(stream())
    parts = unpack(pack(made.snapshot()))
    other = task(stream())
    other.stream = replace(other.stream, features=replace(other.stream.features, **changed))
    before = other.digest()
    with pytest.raises(StateError, match="the state was made under other settings: it"):
        other.restore(*parts)
    assert other.digest() == before


@pytest.mark.parametrize("settings", [{"online": "field:o", "baseline": "field:b"}, {"baseline": "none"}])
def test_a_given_score_and_no_baseline_at_all_need_no_segment(settings):
    made = task(stream(**settings))
    snapshot = made.snapshot()
    assert list(snapshot.segments) == [MADE_FOR]
    moved = task(stream())
    moved.restore(*unpack(pack(snapshot)))
    assert moved.models.baseline_version == made.models.baseline_version
    assert moved.models.artifact == b""
    assert moved.digest() == made.digest()


def test_a_snapshot_of_another_schema_is_refused(monkeypatch):
    made = task(stream())
    snapshot = made.snapshot()
    monkeypatch.setattr("stream.scoring.SCHEMA", 99)
    with pytest.raises(StateError, match="reads 99"):
        made.restore(snapshot.body, {})


def test_every_prediction_says_who_served_and_what_both_thought():
    for serving in ("blend", "online", "baseline"):
        [prediction] = task(stream(serving=serving)).feed([Event("a", 0.0, {"body": "cash prize"})]).predictions
        assert (prediction.serving, prediction.label) == (serving, "spam")
        low, high = sorted([prediction.online, prediction.baseline])
        assert low <= prediction.score <= high
        assert prediction.online_version.startswith("logistic-")
        assert prediction.baseline_version.startswith("baseline-")


def test_without_a_baseline_the_online_model_serves():
    made = warm_up("streams.s", stream(), [])
    [prediction] = ScoringTask("s", made.stream, made.models).feed([Event("a", 0.0, {"body": "x"})]).predictions
    assert (prediction.serving, prediction.baseline, prediction.baseline_version) == ("online", None, None)


def test_unusable_records_are_dead_letters_with_their_bytes_and_the_good_ones_around_them_are_predicted():
    made = task(stream())
    out = made.feed(
        [
            Event("a", 0.0, {"body": "lunch"}, 0),
            Event("b", 0.0, {"body": 3}, 1, raw=b'{"body":3}'),
            Event("c", 0.0, {"size": "big"}, 2),
            Undecodable("events", "is no JSON", "", 3, b"\xff"),
            Skip("events", "broke the code", 4, b"?"),
            Label("a", 0.0, "eggs", 5, raw=b"eggs"),
            Undecodable("labels", "is no JSON", "", 6, b"\xfe"),
            Event("d", 0.0, {"body": "cash"}, 7),
        ]
    )
    assert [p.event_id for p in out.predictions] == ["a", "d"]
    letters = [(letter.source, letter.offset, letter.payload) for letter in out.dead_letters]
    assert letters == [
        ("events", 1, b'{"body":3}'),
        ("events", 2, b'{"size":"big"}'),
        ("events", 3, b"\xff"),
        ("events", 4, b"?"),
        ("labels", 5, b"eggs"),
        ("labels", 6, b"\xfe"),
    ]
    assert out.dead_letters[4].reason == "label 'eggs' is none of ham, spam"
    totals = made.totals()
    assert (totals.inputs.events, totals.inputs.predicted, totals.inputs.skipped) == (6, 2, 1)
    assert totals.unbalanced() is None


def test_a_time_ahead_is_scored_but_moves_no_clock():
    made = task(stream(labels=Labels(ttl=Duration(10))))
    made.feed(
        [Event("a", 0.0, {"body": "x"}), Event("b", 4e9, {"body": "x"}, ahead=True), Label("a", 5e9, "ham", ahead=True)]
    )
    assert made.clock == 0.0
    assert (made.totals().inputs.ahead, made.totals().labels.expired) == (2, 0)


def test_an_event_ahead_of_everything_waits_its_full_time_once_the_clock_begins():
    made = task(stream(labels=Labels(ttl=Duration(10))))
    made.feed([Event("a", 4e9, {"body": "x"}, ahead=True)])
    assert made.totals().oldest_age == 0.0
    made.feed([Tick(100.0), Tick(109.0), Label("a", 109.0, "ham")])
    assert made.totals().labels.joined == 1


def test_a_conflicting_label_is_published_as_a_correction_and_teaches_nothing():
    made = task(stream())
    made.feed([Event("a", 0.0, {"body": "cash"}), Label("a", 1.0, "spam")])
    taught = made.models.online.score({1: 1.0})
    [record] = made.feed([Label("a", 2.0, "ham")]).labelled
    assert (record.correction, record.label, record.label_time, record.features) == (True, "ham", 2.0, None)
    assert made.models.online.score({1: 1.0}) == taught
    assert made.totals().losses["online"][0] == 1


def test_label_delays_are_counted_by_bucket_and_never_negative():
    made = task(stream())
    made.feed(
        [
            Label("a", 0.0, "ham"),
            Event("a", 50.0, {"body": "x"}),
            Event("b", 50.0, {"body": "x"}),
            Label("b", 55.0, "ham"),
        ]
    )
    totals = made.totals()
    assert totals.delays[:3] == [1, 1, 0]
    assert totals.delay_sum == 5.0


def test_a_broken_model_is_an_error_and_no_prediction():
    made = task(stream(serving="online"))
    made.models.online.estimator = Broken()
    with pytest.raises(ModelError):
        made.feed([Event("a", 0.0, {"body": "x"})])


class Broken:
    def predict_proba_one(self, x):
        return {True: float("nan")}


def test_published_totals_do_not_change_afterwards():
    made = task(stream())
    made.feed(life(10))
    totals = made.totals()
    before = msgspec.json.encode(totals)
    made.feed([Event("z", 99.0, {"body": "x"}), Tick(1e9)])
    assert msgspec.json.encode(totals) == before
    assert totals.inputs.predicted == 10


def test_a_correction_waits_until_the_record_that_it_corrects_has_left():
    made = task(stream(labels=Labels(maturity=Duration(10), ttl=Duration(100))))
    made.feed([Event("a", 0.0, {"body": "cash"}), Label("a", 1.0, "spam"), Label("a", 2.0, "ham")])
    found = made.feed([Tick(11.0)]).labelled
    assert [(r.label, r.correction, r.label_time) for r in found] == [("spam", False, 1.0), ("ham", True, 2.0)]


def test_labels_that_contradict_each_other_before_their_event_are_both_published():
    made = task(stream())
    found = made.feed([Label("a", 1.0, "spam"), Label("a", 2.0, "ham"), Event("a", 3.0, {"body": "cash"})]).labelled
    assert [(r.label, r.correction) for r in found] == [("spam", False), ("ham", True)]


def test_a_label_that_changes_its_mind_twice_is_published_twice():
    made = task(stream())
    labels = [Label("a", 1.0, "spam"), Label("a", 2.0, "ham"), Label("a", 3.0, "spam")]
    found = made.feed([Event("a", 0.0, {"body": "cash"}), *labels]).labelled
    assert [(r.label, r.correction) for r in found] == [("spam", False), ("ham", True), ("spam", True)]


def test_what_is_no_fair_sample_counts_in_no_loss():
    made = task(stream(labels=Labels(maturity=Duration(1e6), ttl=Duration(1e7), capacity=16)))
    inputs = []
    for fields, label, i in rows(200, seed=3):
        inputs += [Event(f"e{i}", float(i), fields, i), Label(f"e{i}", float(i), label, i)]
    out = made.feed(inputs)
    assert len(out.labelled) > 20
    assert not any(record.sampled for record in out.labelled)
    assert made.totals().losses["online"][0] == 0


def test_under_pressure_labels_without_maturity_are_no_fair_sample():
    made = task(stream(labels=Labels(capacity=16, ttl=Duration(1e6))))
    made.feed([Event(f"e{i}", float(i), {"body": "x"}, i) for i in range(50)])
    left = next(iter(made.arrivals.join.overdue))
    [record] = made.feed([Label(left, 60.0, "ham")]).labelled
    assert not record.sampled


def test_whatever_became_of_an_event_within_its_own_batch_no_models_input_stays_as_it_was():
    """A dict of words is ten times larger than what is at rest: young, overdue, expired, evicted, labelled or not."""
    labels = Labels(maturity=Duration(10), ttl=Duration(40), capacity=16)
    made = task(stream(labels=labels))
    story = [Event(f"e{i}", float(i), {"body": "win a prize"}, i) for i in range(100)]
    story += [Label(f"e{i}", 99.0, "ham") for i in range(0, 100, 3)]
    made.feed(story)
    totals = made.totals()
    assert min(totals.labels.expired, totals.labels.evicted, totals.labels.joined, totals.waiting) > 0
    join = made.arrivals.join
    known = [*join.recent.values(), *join.young.values(), *join.overdue.values()]
    assert [entry.x for entry in known] == [None] * len(known)
    assert {entry.packed is not None for entry in join.overdue.values()} == {True}
    gone = [entry for entry in join.recent.values() if entry.gone]
    assert gone
    assert not any(entry.packed for entry in gone)


def test_an_implied_label_is_dated_at_maturity_however_late_that_is_noticed():
    made = task(stream(labels=Labels(maturity=Duration(10), ttl=Duration(100), absent_means="ham")))
    made.feed([Event("a", 1.0, {"body": "x"})])
    [record] = made.feed([Tick(5_000.0)]).labelled
    assert (record.implied, record.label_time) == (True, 11.0)


def test_skips_are_remembered_across_restarts_for_a_thousand_inputs():
    made = task(stream())
    made.feed([Skip("events", "broke"), Skip("events", "broke")])
    after = task(stream())
    after.restore(*unpack(pack(made.snapshot())))
    assert after.recent_skips() == 2
    after.feed([Tick(float(i)) for i in range(1_000)])
    assert after.recent_skips() == 0


def test_dead_letters_are_counted_by_reason():
    made = task(stream())
    made.feed([Event(f"e{i}", 0.0, {"body": "x", "size": "much"}, i) for i in range(3)])
    [(reason, count)] = made.totals().reasons.items()
    assert "size" in reason
    assert count == 3


def test_lost_inputs_are_counted_and_an_alarm_says_which_but_no_equation_has_them():
    made = task(stream())
    before = made.feed([Lost("labels", 3, 3)])
    after = made.feed([Event("a", 7.0, {"body": "x"}), Lost("events", 10, 19)])
    detail = {"first": 10, "last": 19, "records": 10}
    assert after.alarms == [Alarm("s", 10, "", 7.0, "inputs_lost:events", "data_quality", None, detail)]
    assert [(alarm.time, alarm.kind) for alarm in before.alarms] == [(0.0, "inputs_lost:labels")]
    totals = made.totals()
    assert (totals.inputs.lost, totals.inputs.events, totals.inputs.labels) == (11, 1, 0)
    assert totals.unbalanced() is None


def test_a_labelled_record_is_no_input_of_a_scorer():
    made = task(stream())
    [record] = made.feed([Event("a", 0.0, {"body": "x"}), Label("a", 1.0, "ham")]).labelled
    with pytest.raises(TypeError, match="a scorer takes no Labelled"):
        made.feed([record])


# ------------------------------------------------------------------------------ labels that state their probability


def inspected(**labels) -> ScoringTask:
    least = Labels(least_inspection_probability=0.2, **labels)
    return task(stream(fields=Fields(inspection_probability="p"), labels=least))


def of(sample: Sample, *, fair: bool, count: int = 20) -> list[str]:
    """Ids of events whose label counts, or does not, where it is certain to come."""
    return [name for at in range(1_000) if sample.takes(name := f"e{at}", 1.0) == fair][:count]


def test_a_label_that_is_likelier_than_the_least_counts_in_that_share():
    made = inspected()
    events = [Event(f"e{i}", float(i), fields, i) for fields, _, i in rows(1_000, seed=4)]
    labels = [Label(f"e{i}", 1_000.0, label, i, probability=0.8) for _, label, i in rows(1_000, seed=4)]
    out = made.feed([*events, *labels])
    assert len(out.labelled) == 1_000
    sample = Sample(made.stream)
    assert [r.sampled for r in out.labelled] == [sample.takes(r.event_id, 0.8) for r in out.labelled]
    assert sum(r.sampled for r in out.labelled) == pytest.approx(250, abs=45)
    assert made.totals().losses["online"][0] == sum(r.sampled for r in out.labelled)


@pytest.mark.parametrize("maturity", [0.0, 10.0])
@pytest.mark.parametrize("early", [False, True])
def test_the_first_label_says_whether_its_event_counts_and_a_later_one_changes_nothing(early, maturity):
    made = inspected(maturity=Duration(maturity), ttl=Duration(100))
    sample = Sample(made.stream)
    fair, unfair = of(sample, fair=True), of(sample, fair=False)
    names = [*fair[:5], *unfair[:10]]
    # Of the unfair ones the first five say at first that they are rare, and then that they are certain.
    first = dict.fromkeys(names, 1.0) | dict.fromkeys(unfair[:5], 0.2)
    events = [Event(name, 0.0, {"body": "cash", "size": 1.0}) for name in names]
    labels = [Label(name, 1.0, "spam", probability=first[name]) for name in names]
    changed = [Label(name, 2.0, "ham", probability=0.2 if first[name] == 1.0 else 1.0) for name in names]
    half = made.feed([*labels, *changed] if early else events)
    again = inspected(maturity=Duration(maturity), ttl=Duration(100))
    snapshot = made.snapshot()
    again.restore(snapshot.body, {name: make() for name, make in snapshot.segments.items()})
    assert again.digest() == made.digest()
    rest = again.feed(events if early else [*labels, *changed])
    last = again.feed([Tick(50.0)])
    records = [r for out in (half, rest, last) for r in out.labelled]
    counts = {r.event_id: r.sampled for r in records if not r.correction}
    assert counts == {name: sample.takes(name, first[name]) for name in names}
    assert sum(counts.values()) == 10
    assert sum(r.correction for r in records) == 15


def test_an_event_that_waits_for_maturity_is_as_fair_after_a_restart_as_before():
    made = inspected(maturity=Duration(10), ttl=Duration(100))
    sample = Sample(made.stream)
    names = [*of(sample, fair=True), *of(sample, fair=False)]
    made.feed([Event(name, 0.0, {"body": "cash"}) for name in names])
    made.feed([Label(name, 1.0, "spam") for name in names])
    digest = made.digest()
    snapshot = made.snapshot()
    again = inspected(maturity=Duration(10), ttl=Duration(100))
    again.restore(snapshot.body, {name: make() for name, make in snapshot.segments.items()})
    assert [r.sampled for r in again.feed([Tick(50.0)]).labelled] == [True] * 20 + [False] * 20
    next(iter(made.arrivals.join.young.values())).fair = False
    assert made.digest() != digest
