from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.columns import Entity, Features
from stream.config import Labels, Stream, read
from stream.derived import Derived
from stream.digest import digest
from stream.duration import Duration
from stream.errors import SettingError, StateError
from stream.models import Models
from stream.records import Event, Label, Tick
from stream.relearning import Logged, Relearning
from stream.scoring import ScoringTask
from stream.warmup import warm_up

DAY = 86_400.0
HOUR = 3_600.0
FEATURES = Features(
    numeric=["amount"],
    moments=["hour", "weekday", "night"],
    entities=[
        Entity("card", "amount", ["count", "mean", "deviation", "since"], [Duration(DAY)]),
        Entity("terminal", "", ["count", "risk"], [Duration(DAY), Duration(7 * DAY)]),
    ],
)
STREAM = Stream(
    kind="binary",
    classes=["legitimate", "fraud"],
    features=FEATURES,
    baseline="none",
    serving="online",
    labels=Labels(maturity=Duration(2 * DAY), absent_means="legitimate"),
)


def task(stream=STREAM):
    made = warm_up("streams.s", stream, [])
    return ScoringTask("s", made.stream, made.models)


def event(number, time, card="c", terminal="t", amount=10.0):
    return Event(f"e{number}", time, {"amount": amount, "card": card, "terminal": terminal}, number)


def story(length=300, *, delay=DAY, step=1_800.0, again=True):
    """Events of three cards and terminals; each label comes ``delay`` later, those of every seventh never."""
    inputs, due = [], []
    for number in range(length):
        now = number * step
        while due and due[0].time <= now:
            inputs.append(due.pop(0))
        inputs.append(event(number, now, f"c{number % 3}", f"t{number % 5 // 2}", 10.0 + number % 4))
        if number % 7:
            due.append(Label(f"e{number}", now + delay, "fraud" if number % 10 == 3 else "legitimate"))
        if again and number % 50 == 30:
            inputs.append(event(number - 2, now, "c0", "t0"))  # sent again
    return inputs


def fed(made, inputs, sizes):
    predictions, labelled, at = [], [], 0
    for size in sizes:
        out = made.feed(inputs[at : at + size])
        predictions += out.predictions
        labelled += out.labelled
        at += size
    return predictions, labelled


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60))
@settings(deadline=None, max_examples=25)
def test_however_inputs_are_batched_columns_scores_and_state_are_the_same(sizes):
    inputs = story()
    one, many = task(), task()
    expected = fed(one, inputs, [len(inputs)])
    assert fed(many, inputs, [*sizes, len(inputs)]) == expected
    assert digest(many.models.derived.contents()) == digest(one.models.derived.contents())
    assert digest(many.models.online) == digest(one.models.online)


def test_labels_that_come_a_day_later_change_no_score_before_they_come():
    """The columns are of labels that have come: of none that is still to come."""
    early, late = fed(task(), story(), [1_000])[0], fed(task(), story(delay=2 * DAY), [1_000])[0]
    same = [a.score == b.score for a, b in zip(early, late, strict=True)]
    first = next(at for at, (a, b) in enumerate(zip(early, late, strict=True)) if a.score != b.score)
    assert all(same[:first])
    assert early[first].time >= DAY, "no label has come before"
    assert not all(same[first:])


def rows(made, inputs):
    """The features of each event, as they were logged."""
    out = made.feed(inputs).labelled + made.feed([Tick(1e9)]).labelled
    return {record.event_id: record.features for record in out if not record.correction}


def test_a_label_counts_from_the_next_event_on_and_for_its_terminal_only():
    inputs = [event(0, 0.0), event(1, 10.0, terminal="u"), event(2, HOUR), Label("e0", HOUR, "fraud")]
    inputs += [event(3, HOUR), event(4, HOUR, terminal="u")]
    found = rows(task(), inputs)
    risks = [found[f"e{number}"]["terminal.risk.1d"] for number in range(5)]
    assert risks[:3] == [None, None, None]
    assert risks[3:] == [0.5, 0.0]


def test_a_label_that_is_implied_counts_from_when_it_matured():
    inputs = [event(0, 0.0), event(1, 2.5 * DAY)]
    found = rows(task(), inputs)
    assert found["e0"]["terminal.risk.1d"] is None
    assert found["e1"]["terminal.risk.1d"] == 0.0


def test_moments_are_of_the_events_time_in_utc():
    found = rows(task(), [event(0, 3 * DAY + 5.5 * HOUR), event(1, 4 * DAY + 18 * HOUR)])  # a Sunday, a Monday
    assert [found[f"e{n}"][f"time.{of}"] for n in (0, 1) for of in ("hour", "weekday", "night")] == [
        5.5,
        6,
        1,
        18,
        0,
        0,
    ]


def test_a_repeated_event_counts_once():
    inputs = [event(0, 0.0), event(0, 1.0), event(0, 2.0), event(1, 3.0)]
    assert rows(task(), inputs)["e1"]["card.since"] == 3.0


def test_an_event_that_cannot_be_read_counts_for_no_entity():
    bad = Event("bad", 1.0, {"amount": "much", "card": "c", "terminal": "t"}, 1)
    assert rows(task(), [event(0, 0.0), bad, event(2, 3.0)])["e2"]["card.since"] == 3.0


def test_an_event_ahead_of_its_time_goes_by_the_clock():
    ahead = Event("ahead", 1e12, {"amount": 1.0, "card": "c", "terminal": "t"}, 1, ahead=True)
    found = rows(task(), [event(0, 5.0), ahead, event(2, 8.0)])
    assert found["ahead"]["card.since"] == 0.0
    assert found["e2"]["card.since"] == 3.0


def test_an_event_that_names_no_entity_has_none_of_its_columns():
    found = rows(task(), [Event("e", 0.0, {"amount": 1.0, "card": "", "terminal": "t"}, 0)])
    assert found["e"]["card.count.1d"] is None
    assert found["e"]["terminal.count.1d"] == 0.0


def test_the_label_of_an_entity_that_has_given_way_is_counted():
    small = Features(entities=FEATURES.entities, numeric=["amount"], entity_capacity=1)
    made = task(Stream(classes=STREAM.classes, features=small, baseline="none", labels=STREAM.labels))
    made.feed([event(0, 0.0), event(1, 1.0, terminal="u"), Label("e0", 2.0, "fraud"), Tick(DAY)])
    remembered, counts = made.models.derived.counts()["terminal"]
    assert (remembered, counts.evicted, counts.forgotten) == (1, 1, 1)


def test_a_restored_task_goes_on_with_the_same_columns():
    inputs = story()
    whole = fed(task(), inputs, [100, 1_000])
    made, again = task(), task()
    first = fed(made, inputs, [100])
    snapshot = made.snapshot()
    again.restore(snapshot.body, {name: of() for name, of in snapshot.segments.items()})
    rest = fed(again, inputs[100:], [1_000])
    assert (first[0] + rest[0], first[1] + rest[1]) == whole


def test_a_state_made_from_the_log_learns_from_the_columns_as_they_were():
    out = fed(task(), [*story(), Tick(1e8)], [10_000])[1]
    logged = [Logged(record, record.label_time) for record in out if not record.correction]
    made = Relearning("s", STREAM, warm_up("streams.s", STREAM, []).models)
    made.feed(logged)
    assert made.left_out == {}
    learned = made.finish()
    # Test before learn, in the order of the log, by what the log has: a model by hand.
    fresh = warm_up("streams.s", STREAM, []).models
    task_of = learned._extractor
    for each in logged:
        row = task_of.row(each.record.features)
        [x] = task_of.inputs([row])
        fresh.online.learn(x, STREAM.classes.index(each.record.label))
    probe = task_of.inputs([task_of.row(out[100].features)])[0]
    assert learned.models.online.score(probe) == pytest.approx(fresh.online.score(probe))
    assert learned.models.derived.counts()["card"][0] == 3


@pytest.mark.parametrize("soon", [0, 50])
def test_a_state_made_from_the_log_tells_about_the_columns_of_one_that_never_stopped(soon):
    """The newest events, which wait for labels, are not in the log: entities are taken to have gone on as before.

    Also where one in so many has its label at once.
    """
    stream = replace(STREAM, labels=Labels())
    whole = task(stream)
    inputs = story(900, step=600.0, again=False)
    at_once = {f"e{n}" for n in range(900) if soon and n % soon == 1}
    times = {one.event_id: one.time for one in inputs if isinstance(one, Event)}
    inputs = [
        replace(one, time=times[one.event_id] + 60.0) if isinstance(one, Label) and one.event_id in at_once else one
        for one in inputs
    ]
    out = fed(whole, sorted(inputs, key=lambda one: one.time), [10_000])[1]
    made = Relearning("s", stream, warm_up("streams.s", stream, []).models)
    made.feed([Logged(record, record.label_time) for record in out if not record.correction])
    now = whole.clock + 60.0
    probe = [event(9_000 + at, now, f"c{at}", f"t{at}") for at in range(3)]
    told = []
    rebuilt, snapshot = task(stream), made.finish().snapshot()
    rebuilt.restore(snapshot.body, {name: of() for name, of in snapshot.segments.items()})
    for each in (whole, rebuilt):
        each.feed(probe)
        told.append([each.arrivals.join.known(one.event_id).row for one in probe])
    for right, found in zip(*told, strict=True):
        for name in ("card.count.1d", "card.amount.mean.1d", "terminal.count.7d"):
            assert found[name] == pytest.approx(right[name], rel=0.35), name
        assert found["card.since"] == pytest.approx(right["card.since"], abs=3_600.0)


def test_a_label_with_a_time_in_the_future_does_not_keep_a_rebuilt_risk_from_fading():
    whole = task(replace(STREAM, labels=Labels()))
    said = fed(whole, [event(0, 0.0), Label("e0", 4e12, "fraud", 1, ahead=True), Tick(DAY)], [3])[1]
    made = Relearning("s", whole.stream, warm_up("streams.s", STREAM, []).models)
    made.feed([Logged(record, DAY) for record in said])
    risks = made.finish().models.derived.tables["terminal"]
    assert risks.observe("t", 20 * DAY, {})[2] < 0.01


def test_one_time_in_the_future_among_a_warm_ups_rows_keeps_no_table_young():
    given = [({"amount": 10.0, "card": f"c{at % 9}", "terminal": "t"}, "legitimate") for at in range(400)]
    told = []
    for wrong in (None, 100):
        times = [(4e9 if at == wrong else at * HOUR, at * HOUR + DAY) for at in range(400)]
        derived = warm_up("streams.s", STREAM, [*given, *given[:1]], [*times, (400 * HOUR,) * 2]).taken[-1][1]
        told.append(derived["terminal.count.7d"])
    assert told[1] == pytest.approx(told[0], rel=0.1)


def test_what_comes_before_anything_has_told_the_time_counts_for_no_entity():
    made = task()
    fields = {"amount": 10.0, "card": "c", "terminal": "t"}
    early = [Event(f"a{at}", 4e12, fields, at, ahead=True) for at in range(5)]
    made.feed([*early, Label("a0", 4e12, "fraud", 9, True)])
    said = rows(made, [event(at, at * HOUR) for at in range(40)])
    assert said["a3"]["card.count.1d"] is None
    assert said["e0"]["card.count.1d"] == 0.0
    numbers = [value for row in said.values() for value in row.values() if isinstance(value, float)]
    assert all(map(isfinite, numbers))


def test_a_state_is_refused_where_entities_stand_in_another_order():
    snapshot = task().snapshot()
    first, second = FEATURES.entities
    other = replace(second, horizons=second.horizons[::-1])
    turned = task(replace(STREAM, features=replace(FEATURES, entities=[first, other])))
    with pytest.raises(StateError, match="features.entities"):
        turned.restore(snapshot.body, {name: of() for name, of in snapshot.segments.items()})


def test_rows_of_a_warm_up_without_a_label_count_for_entities_too():
    """On the stream all events do."""
    inputs = [one for one in story(300, again=False) if isinstance(one, Event)]
    labels = ["fraud" if at % 10 == 3 else "legitimate" if at % 10 == 4 else None for at in range(300)]
    given = [(one.fields, label) for one, label in zip(inputs, labels, strict=True)]
    made = warm_up("streams.s", STREAM, given, [(one.time, one.time + DAY) for one in inputs])
    streamed = rows(task(), inputs)
    assert [row["card.count.1d"] for _, row, _ in made.taken] == [
        streamed[inputs[at].event_id]["card.count.1d"] for at, _, _ in made.taken
    ]
    assert len(made.taken) == 60


def test_the_warm_up_has_the_same_columns_as_the_stream():
    inputs = story(200, again=False)
    events = {record.event_id: record for record in inputs if isinstance(record, Event)}
    labels = {record.event_id: record for record in inputs if isinstance(record, Label)}
    known = [one for one in events.values() if one.event_id in labels]
    made = warm_up(
        "streams.s",
        STREAM,
        [(one.fields, labels[one.event_id].label) for one in known],
        [(one.time, labels[one.event_id].time) for one in known],
    )
    streamed = task()
    out = streamed.feed(sorted([*known, *labels.values()], key=lambda r: (r.time, isinstance(r, Label)))).labelled
    out += streamed.feed([Tick(1e9)]).labelled
    assert {record.event_id: record.features for record in out} == {
        known[at].event_id: row for at, row, _ in made.taken
    }


@pytest.mark.parametrize(
    ("entity", "named", "wanted"),
    [
        ({"by": "", "statistics": ["count"], "horizons": ["1d"]}, "entities.0.by", "the field"),
        ({"by": "card", "horizons": ["1d"]}, "entities.0.statistics", "at least one"),
        ({"by": "card", "statistics": ["mean"], "horizons": ["1d"]}, "entities.0.value", "amount"),
        ({"by": "card", "statistics": ["mean"], "value": "size", "horizons": ["1d"]}, "entities.0.value", "amount"),
        (
            {"by": "card", "statistics": ["count"], "value": "amount", "horizons": ["1d"]},
            "entities.0.value",
            "left out",
        ),
        ({"by": "card", "statistics": ["count"]}, "entities.0.horizons", "how far back"),
        ({"by": "card", "statistics": ["count"], "horizons": ["0s"]}, "entities.0.horizons", "more than 0"),
        ({"by": "card", "statistics": ["median"], "horizons": ["1d"]}, "entities.0.statistics", "count"),
        ({"by": "note", "statistics": ["count"], "horizons": ["1d"]}, "entities.0.by", "logged"),
        ({"by": "card", "statistics": ["since", "since"]}, "features", "once"),
        ({"by": "amount", "statistics": ["since"]}, "entities.0.by", "ids"),
        ({"by": "label", "statistics": ["since"]}, "features", "its label"),
        ({"by": "event_id", "statistics": ["since"]}, "features", "event's id"),
        ({"statistics": ["since"]}, "entities.0.by", "the field"),
        ({"by": "card", "statistics": ["mean"], "value": "secret", "horizons": ["1d"]}, "entities.0.value", "logged"),
    ],
)
def test_entities_that_make_no_sense_are_refused_by_name(entity, named, wanted):
    features = {"numeric": ["amount", "secret"], "categorical": ["note"], "unlogged": ["note", "secret"]}
    features["entities"] = [entity]
    with pytest.raises(SettingError, match=wanted) as refused:
        read({"streams": {"s": {"features": features}}})
    assert named in str(refused.value)


def test_over_several_partitions_only_entities_of_the_records_key_are_taken():
    entity = {"by": "card", "statistics": ["count"], "horizons": ["1d"]}
    stream = {"partitions": 2, "features": {"numeric": ["amount"], "entities": [entity]}}
    with pytest.raises(SettingError, match=r"features.entities.*card.*fields.key"):
        read({"streams": {"s": stream}})
    read({"streams": {"s": stream | {"fields": {"key": "card"}}}})
    read({"streams": {"s": stream | {"features": stream["features"] | {"partial_entities": True}}}})
    read({"streams": {"s": stream | {"partitions": 1}}})


def test_nothing_is_derived_where_nothing_is_asked_for():
    assert not Derived(Features(numeric=["amount"]))
    assert not Models(None, "", None).derived
