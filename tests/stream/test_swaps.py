"""Other baselines come into use: who scored what, what a challenger says of what waits, and that all of it is kept."""

import hashlib

import msgspec
import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from stream.alerts import LEAST
from stream.baseline import dump, fit, version
from stream.config import Duration, Features, Labels, Stream
from stream.errors import ModelError, StateError
from stream.factories import make_baseline
from stream.features import FeatureExtractor
from stream.models import Models
from stream.records import Chosen, Event, Label, Swap, Tick
from stream.scoring import ScoringTask
from stream.snapshot import pack, unpack
from stream.tally import MOST_VERSIONS
from stream.warmup import warm_up

STREAM = Stream(classes=["no", "yes"], features=Features(numeric=["x", "y"]), warm_up=200)
HELD = msgspec.structs.replace(STREAM, labels=Labels(maturity=Duration(100)))


def rows(count: int, seed: int):
    rng = np.random.default_rng(seed)
    for index in range(count):
        x, y = (float(value) for value in rng.normal(size=2))
        yield index, {"x": x, "y": y}, "yes" if x + 0.5 * y + rng.normal() > 0 else "no"


def task(stream: Stream = STREAM) -> ScoringTask:
    made = warm_up("streams.s", stream, [(fields, label) for _, fields, label in rows(200, seed=1)])
    return ScoringTask("s", made.stream, made.models)


def trained(seed: int, *, threshold: float = 0.5, until: float | None = None) -> Chosen:
    estimator = make_baseline("streams.s", STREAM)
    extractor = FeatureExtractor(STREAM.features)
    of = list(rows(300, seed=seed))
    frame = extractor.frame([extractor.row(fields) for _, fields, _ in of])
    fit(estimator, frame, [int(label == "yes") for _, _, label in of], "binary", 2)
    data = dump(estimator)
    return Chosen(version(estimator), hashlib.sha256(data).hexdigest(), threshold, until, data)


NEW, OTHER = trained(7), trained(8)


def events(count: int, start: int = 0):
    return [Event(f"e{start + i}", float(start + i), fields, start + i) for i, fields, _ in rows(count, seed=2 + start)]


def labels(made, time: float | None = None, label: str = "yes"):
    return [Label(event.event_id, event.time if time is None else time, label) for event in made]


def same(one, other) -> bool:
    return msgspec.json.encode(one) == msgspec.json.encode(other)


def test_what_was_scored_before_a_swap_stays_the_former_baselines_with_its_threshold():
    made = task()
    before = made.models.baseline_version
    early, late = events(20), events(20, 20)
    first = made.feed(early).predictions
    made.feed([Swap(msgspec.structs.replace(NEW, threshold=2.0))])
    second = made.feed(late).predictions
    assert {p.baseline_version for p in first} == {before}
    assert {p.baseline_version for p in second} == {NEW.version}
    assert [p.baseline for p in second] != [p.baseline for p in task().feed(late).predictions]
    out = made.feed(labels([*early, *late])).labelled
    assert [r.baseline_version for r in out] == [before] * 20 + [NEW.version] * 20
    assert {r.baseline_label for r in out[:20]} == {"no", "yes"}  # by the threshold of then, not by that of now
    assert {r.baseline_label for r in out[20:]} == {"no"}


def test_a_shadow_is_scored_and_changes_nothing_of_what_is_served():
    plain, made = task(), task()
    made.feed([Swap(None, [NEW])])
    inputs = events(30)
    with_shadow, without = made.feed(inputs).predictions, plain.feed(inputs).predictions
    assert same([msgspec.structs.replace(p, shadows={}) for p in with_shadow], without)
    assert all(list(p.shadows) == [NEW.version] for p in with_shadow)
    (record,) = made.feed(labels(inputs[:1])).labelled
    assert record.shadows == with_shadow[0].shadows
    champion = task()
    champion.feed([Swap(NEW)])
    for shadowed, scored in zip(with_shadow, champion.feed(inputs).predictions, strict=True):
        said = shadowed.shadows[NEW.version]
        assert said.score == scored.baseline
        assert said.label == ("yes" if said.score >= 0.5 else "no")


def test_a_shadow_scores_what_waits_without_a_label_and_of_what_has_one_only_the_newer():
    made = task(HELD)
    inputs = events(40)
    made.feed(inputs)
    made.feed(labels(inputs[:30], time=40.0))
    made.feed([Swap(None, [msgspec.structs.replace(NEW, trained_until=20.0)])])
    out = made.feed([*labels(inputs[30:], time=41.0), Tick(1_000.0)]).labelled
    assert [r.event_id for r in out] == [e.event_id for e in inputs]
    assert [bool(r.shadows) for r in out] == [False] * 21 + [True] * 19
    fresh = task(HELD)
    fresh.feed([Swap(None, [NEW])])
    scores = [p.shadows[NEW.version].score for p in fresh.feed(inputs).predictions]
    assert [r.shadows[NEW.version].score for r in out[21:]] == pytest.approx(scores[21:], abs=1e-9)


def test_of_a_shadow_that_says_nothing_of_its_training_no_labelled_event_is_asked():
    made = task(HELD)
    inputs = events(4)
    made.feed([*inputs, *labels(inputs[:2], time=5.0), Tick(6.0)])
    made.feed([Swap(None, [NEW])])
    assert [bool(r.shadows) for r in made.feed([*labels(inputs[2:], 6.0), Tick(999.0)]).labelled] == [False] * 2 + [
        True
    ] * 2


def test_a_dropped_shadow_leaves_its_scores_with_the_events_that_it_scored_as_they_came():
    made = task()
    inputs = events(10)
    made.feed([Swap(None, [NEW])])
    made.feed(inputs)
    made.feed([Swap(None, [OTHER])])
    more = events(3, 10)
    made.feed(more)
    made.feed([Swap(None)])
    last = events(2, 13)
    assert all(p.shadows == {} for p in made.feed(last).predictions)
    out = made.feed(labels([*inputs, *more, *last])).labelled
    assert [list(r.shadows) for r in out] == [[NEW.version]] * 10 + [[OTHER.version]] * 3 + [[]] * 2
    assert not made.lates.names()  # what it said of events that waited nobody asks for any more


def test_an_event_that_a_shadow_breaks_on_is_served_and_has_no_score_of_it():
    stream = msgspec.structs.replace(STREAM, labels=Labels(maturity=Duration(1_000)))
    fragile = Pipeline(
        [("columns", ColumnTransformer([("xy", "passthrough", ["x", "y"])])), ("m", LogisticRegression())]
    )
    frame = FeatureExtractor(STREAM.features).frame([fields for _, fields, _ in rows(50, seed=3)])
    fragile.fit(frame, [int(label == "yes") for *_, label in rows(50, seed=3)])
    challenger = Chosen("fragile", "", 0.5, None, dump(fragile))
    made = task(stream)
    gap = Event("gap", 30.0, {"x": 1.0, "y": None}, 30)
    made.feed([*events(3), msgspec.structs.replace(gap, event_id="waits")])
    made.feed([Swap(None, [challenger])])
    together = made.feed([*events(3, 40), gap]).predictions
    alone = task(stream)
    alone.feed([Swap(None, [challenger])])
    assert [bool(p.shadows) for p in together] == [True] * 3 + [False]
    for one, event in zip(together, [*events(3, 40), gap], strict=True):
        (other,) = alone.feed([event]).predictions
        assert list(other.shadows) == list(one.shadows)
    out = made.feed([Tick(5_000.0), *labels(events(3), 5_000.0), *labels([gap], 5_000.0)]).labelled
    assert {r.event_id: bool(r.shadows) for r in out} == {"e0": True, "e1": True, "e2": True, "gap": False}


def test_a_promoted_challenger_was_scored_in_the_shadow_up_to_the_swap():
    made = task()
    old = made.models.baseline_version
    made.feed([Swap(None, [NEW])])
    shadowed = made.feed(events(5)).predictions
    without_file = msgspec.structs.replace(NEW, artifact=b"")
    made.feed([Swap(without_file)])  # its file is here already
    served = made.feed(events(5, 5)).predictions
    assert [(p.baseline_version, list(p.shadows)) for p in shadowed] == [(old, [NEW.version])] * 5
    assert [(p.baseline_version, list(p.shadows)) for p in served] == [(NEW.version, [])] * 5
    assert unpack(pack(made.snapshot()))[1][f"baseline-{NEW.version}"] == NEW.artifact


@pytest.mark.parametrize("stream", [STREAM, HELD], ids=["at once", "held"])
def test_a_task_restored_behind_swaps_goes_on_bit_for_bit(stream: Stream):
    made = task(stream)
    first, second, third = events(25), events(25, 25), events(25, 50)
    made.feed(first)
    made.feed([Swap(None, [NEW])])
    made.feed([*second, *labels(first[:9], time=50.0)])
    made.feed([Swap(NEW, [OTHER])])
    made.feed(third[:5])
    body, segments = unpack(pack(made.snapshot()))
    again = ScoringTask("s", made.stream, Models(None, "", None))  # type: ignore[arg-type] # all comes out of the snapshot
    again.restore(body, segments)
    assert again.digest() == made.digest()
    rest = [*third[5:], *labels([*first, *second, *third], time=80.0), *labels(first[8:14], 81.0, "no"), Tick(500.0)]
    one, other = made.feed(rest), again.feed(rest)
    assert same(one.labelled, other.labelled)
    assert same(one.predictions, other.predictions)
    assert again.digest() == made.digest()
    assert any(r.correction and len(r.shadows) == 2 for r in one.labelled)


def test_where_batches_end_changes_nothing_behind_a_swap_either():
    lives = []
    for size in (1, 7, 100):
        made = task()
        for start, swap in ((0, Swap(None, [NEW])), (40, Swap(NEW)), (80, Swap(None))):
            made.feed([swap])
            inputs = [part for e in events(40, start) for part in (e, *labels([e]))]
            lives += [(size, made.feed(inputs[at : at + size]).labelled) for at in range(0, len(inputs), size)]
    one, *others = ([r for size, out in lives if size == of for r in out] for of in (1, 7, 100))
    assert len(one) == 120
    for other in others:
        assert [(r.online, r.baseline_version, r.baseline_label, list(r.shadows)) for r in one] == [
            (r.online, r.baseline_version, r.baseline_label, list(r.shadows)) for r in other
        ]
        assert [r.baseline for r in one] == pytest.approx([r.baseline for r in other], abs=1e-9)


def test_scores_of_what_waited_are_kept_while_their_events_are_remembered_and_no_longer():
    made = task(msgspec.structs.replace(STREAM, recent_ids=30))
    made.feed(events(10))
    made.feed([Swap(None, [NEW])])
    assert [name for name in made.snapshot().segments if name.startswith("late-")]
    made.feed(labels(events(10)))
    assert made.lates.names()  # a correction may still come
    made.feed([part for e in events(31, 10) for part in (e, *labels([e]))])
    assert not made.lates.names()


def test_what_a_challenger_says_of_what_waited_is_within_the_alert_budget_too():
    """Its threshold is one to begin with: 0 would flag all."""
    rare = msgspec.structs.replace(STREAM, kind="anomaly", alert_rate=0.05, online="recursive-logistic")
    made = task(rare)
    made.feed(events(2_000))
    low = msgspec.structs.replace(NEW, threshold=0.0)
    made.feed([Swap(None, [low])])
    said = [record.shadows[low.version].label for record in made.feed(labels(events(2_000))).labelled]
    assert set(said[:LEAST]) == {"yes"}
    assert said[LEAST:].count("yes") == pytest.approx(50, abs=25)
    further = [p.shadows[low.version].label for p in made.feed(events(500, 2_000)).predictions]
    assert further.count("yes") == pytest.approx(25, abs=20)


def test_the_warm_ups_scores_are_not_those_of_a_baseline_that_came_in_its_place():
    rare = msgspec.structs.replace(STREAM, kind="anomaly", online="recursive-logistic", serving="baseline")
    made = warm_up("streams.s", rare, [(fields, label) for _, fields, label in rows(1_500, seed=1)])
    assert (len(made.models.before.online), len(made.models.before.baseline)) == (750, 500)
    made.models.swap(Swap(NEW), "anomaly")
    assert made.models.before.baseline == []
    assert made.models.before.online


def test_without_its_segment_of_late_scores_a_snapshot_is_refused():
    made = task()
    made.feed(events(3))
    made.feed([Swap(None, [NEW])])
    body, segments = unpack(pack(made.snapshot()))
    with pytest.raises(StateError, match="not there: late-1-baseline-"):
        task().restore(body, {name: data for name, data in segments.items() if not name.startswith("late-")})


def test_a_swap_stands_alone_in_its_batch():
    with pytest.raises(ValueError, match="batch of its own"):
        task().feed([Swap(NEW), *events(1)])


def test_a_file_that_cannot_be_loaded_or_that_cannot_score_what_waits_is_no_swap():
    with pytest.raises(Exception, match="zip"):
        task().feed([Swap(msgspec.structs.replace(NEW, artifact=b"half a file"))])
    other = make_baseline("streams.s", Stream(features=Features(numeric=["z"])))
    extractor = FeatureExtractor(Features(numeric=["z"]))
    fit(other, extractor.frame([{"z": 1.0}, {"z": 2.0}] * 5), [0, 1] * 5, "binary", 2)
    made = task()
    made.feed(events(3))
    with pytest.raises(ModelError, match="baseline baseline-z cannot score: ValueError: columns are missing"):
        made.feed([Swap(Chosen("baseline-z", "", 0.5, None, dump(other)))])


def test_a_swap_is_wanted_where_version_or_threshold_or_shadows_differ():
    made = task()
    made.feed([Swap(NEW, [OTHER])])
    assert not made.differs(Swap(NEW, [OTHER]))
    assert not made.differs(Swap(None, [OTHER]))
    for wanted in (
        Swap(OTHER, [OTHER]),
        Swap(NEW),
        Swap(NEW, [NEW]),
        Swap(msgspec.structs.replace(NEW, threshold=0.4), [OTHER]),
    ):
        assert made.differs(wanted)


def test_the_blend_goes_on_and_late_labels_of_the_former_baseline_teach_it_nothing():
    made = task()
    inputs = events(60)
    made.feed([*inputs, *labels(inputs[:30])])
    earned = made.decisions.weight
    made.feed([Swap(NEW)])
    made.feed(labels(inputs[30:]))
    assert made.decisions.weight == earned != 0.5
    made.feed([part for e in events(5, 60) for part in (e, *labels([e]))])
    assert made.decisions.weight != earned


def test_losses_are_told_apart_by_version_and_the_baselines_mean_is_that_of_the_one_in_use():
    made = task()
    old = made.models.baseline_version
    first, second = events(20), events(10, 20)
    made.feed(first)
    made.feed([Swap(NEW, [OTHER])])
    assert made.totals().shadow_versions == [OTHER.version]
    made.feed([*labels(first), *second, *labels(second)])
    totals = made.totals()
    counts = {name: events for name, (events, _, _) in totals.versions.items()}
    assert counts == {old: 20, NEW.version: 10, OTHER.version: 30}
    assert totals.losses["baseline"][0] == 30
    assert totals.losses["baseline"][2] == totals.versions[NEW.version][2] != totals.versions[old][2]
    sums = [totals.versions[name][1]["error"] for name in (old, NEW.version)]
    assert totals.losses["baseline"][1]["error"] == sum(sums)


def test_losses_of_so_many_versions_are_kept_and_no_more():
    made = task()
    for number in range(MOST_VERSIONS + 3):
        made.feed([Swap(msgspec.structs.replace(NEW, version=f"v{number}"))])
        inputs = events(2, 2 * number)
        made.feed([*inputs, *labels(inputs)])
    assert list(made.totals().versions) == [f"v{number}" for number in range(3, MOST_VERSIONS + 3)]


def test_the_losses_of_the_version_in_use_are_never_those_that_go():
    made = task()
    champion = made.models.baseline_version
    for number in range(MOST_VERSIONS + 3):
        made.feed([Swap(None, [msgspec.structs.replace(NEW, version=f"v{number}")])])
        inputs = events(2, 2 * number)
        made.feed([*inputs, *labels(inputs)])
    assert made.totals().versions[champion][0] == 2 * (MOST_VERSIONS + 3)


def test_where_there_is_no_baseline_the_first_one_is_swapped_in_and_serves_from_then_on():
    stream = msgspec.structs.replace(STREAM, serving="baseline")
    made = ScoringTask("s", stream, warm_up("streams.s", stream, []).models)
    assert made.feed(events(1)).predictions[0].serving == "online"
    made.feed([Swap(NEW)])
    (answer,) = made.feed(events(1, 1)).predictions
    assert (answer.serving, answer.baseline_version, answer.score) == ("baseline", NEW.version, answer.baseline)
    made.feed([Swap(None)])
    assert made.models.baseline_version == NEW.version
