import copy
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.columns import Entity
from stream.digest import digest
from stream.duration import Duration
from stream.entities import LONGEST, PAGE, YOUNGEST, EntityTable
from stream.errors import StateError

DAY = 86_400.0
ALL = ["count", "mean", "spread", "deviation", "since", "risk"]


def table(statistics=tuple(ALL), horizons=(DAY, 7 * DAY), capacity=100):
    return EntityTable([Entity("card", "amount", list(statistics), [Duration(h) for h in horizons])], capacity)


def told(made, key, now, amount=None):
    entity_columns = Entity("card", "amount", ALL, [Duration(DAY), Duration(7 * DAY)]).columns
    return dict(zip(entity_columns, made.observe(key, now, {"amount": amount}), strict=True))


@given(st.lists(st.tuples(st.floats(0, 30 * DAY), st.floats(-1e4, 1e4)), min_size=2, max_size=30))
@settings(deadline=None)
def test_statistics_are_sums_over_all_events_that_fade_by_age(events):
    made = table()
    for now, amount in sorted(events):
        said = told(made, "a", now, amount)
    *before, (now, amount) = sorted(events)
    times = [time for time, _ in sorted(events)]
    age = sum(min(later - time, LONGEST) for time, later in pairwise(times))
    for horizon, name in ((DAY, "1d"), (7 * DAY, "7d")):
        weights = [math.exp((time - now) / horizon) for time, _ in before]
        values = [value for _, value in before]
        whole = 1 - math.exp(-max(YOUNGEST, age / horizon))
        mean = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
        squares = sum(w * (v - mean) ** 2 for w, v in zip(weights, values, strict=True))
        assert said[f"card.count.{name}"] == pytest.approx(sum(weights) / whole)
        assert said[f"card.amount.mean.{name}"] == pytest.approx(mean, abs=1e-6)
        assert said[f"card.amount.spread.{name}"] == pytest.approx(math.sqrt(squares / sum(weights)), abs=1e-3)
    assert said["card.since"] == pytest.approx(now - before[-1][0])


def test_counts_of_events_that_come_evenly_are_right_from_the_first_horizon_on():
    """Without the correction the count over 7 days would be .4 of that after three and a half."""
    made = table(("count",))
    for hour in range(24 * 60):
        one, seven = made.observe("a", hour * 3_600.0, {})
        if hour >= 12:
            assert one == pytest.approx(24, rel=0.1)
            assert seven == pytest.approx(7 * 24, rel=0.15)


def test_an_entity_that_is_new_has_only_what_can_be_told_of_it():
    made = table()
    for day in range(100):
        told(made, "other", day * DAY, 50.0 + day % 2)
    said = told(made, "new", 101 * DAY, 90.0)
    assert said["card.count.1d"] == 0.0
    assert said["card.amount.mean.1d"] is said["card.amount.spread.7d"] is said["card.since"] is None
    assert said["card.amount.deviation.1d"] == pytest.approx(39.5 / 0.5, rel=0.02)  # against all entities' values


def test_an_event_without_its_value_counts_as_an_event_only():
    made = table()
    for now in range(10):
        told(made, "a", now * 60.0, 10.0)
    said = told(made, "a", 600.0)
    assert said["card.amount.deviation.1d"] is None
    assert said["card.amount.mean.1d"] == pytest.approx(10.0)
    assert told(made, "a", 660.0, 10.0)["card.count.1d"] > said["card.count.1d"]
    assert told(made, "a", 720.0, 30.0)["card.amount.mean.1d"] == pytest.approx(10.0)


def test_one_absurd_value_does_not_stay_in_a_mean():
    made = table()
    for now in range(100):
        told(made, "a", now * 3_600.0, 50.0 + now % 10)
    told(made, "a", 100 * 3_600.0, 1e30)
    assert told(made, "a", 101 * 3_600.0, 50.0)["card.amount.mean.1d"] < 60


@given(st.lists(st.floats(0.01, 1e4), min_size=2, max_size=6), st.sampled_from([36.0, 37.0, 40.0, 60.0, 1e4]))
@settings(max_examples=300)
def test_who_comes_back_after_many_horizons_has_finite_columns(amounts, days):
    """Of what is old only rounding is left: a spread of that must not be the root of something below 0."""
    made, now = table(), 0.0
    for amount in amounts:
        for later in (days * DAY, 3_600.0):
            now += later
            said = told(made, "a", now, amount)
            assert all(value is None or math.isfinite(value) for value in said.values())


def test_one_wrong_first_time_does_not_make_an_old_table_of_a_young_one():
    right, wrong = table(("count",), (30 * DAY,)), table(("count",), (30 * DAY,))
    wrong.observe("x", 0.0, {})
    for at in range(5):
        [expected], [found] = (each.observe("a", 20_000 * DAY + at * DAY, {}) for each in (right, wrong))
    assert found == pytest.approx(expected, rel=0.3)


def test_a_smaller_table_takes_the_entities_seen_last_out_of_a_larger_ones_snapshot():
    large, small = table(("count",), (DAY,), capacity=100), table(("count",), (DAY,), capacity=3)
    for now, key in enumerate("abcdeafb"):
        large.observe(key, float(now), {})
    small.restore(copy.deepcopy(large.state()), {name: of() for name, of in large.segments().items()})
    assert list(small.slots) == ["a", "f", "b"]
    assert small.counts.evicted == 3
    again = table(("count",), (DAY,), capacity=3)
    again.restore(copy.deepcopy(small.state()), {name: of() for name, of in small.segments().items()})
    assert digest(again.contents()) == digest(small.contents())
    assert again.observe("b", 8.0, {}) == large.observe("b", 8.0, {})


def test_a_clock_that_goes_back_makes_nothing_younger():
    made = table()
    told(made, "a", 10 * DAY, 1.0)
    back = told(made, "a", 9 * DAY, 1.0)
    assert back["card.since"] == 0.0
    assert told(made, "a", 11 * DAY, 1.0)["card.since"] == DAY
    assert all(value is None or math.isfinite(value) for value in back.values())


def test_a_risk_is_the_share_of_labels_that_have_come_beside_one_that_is_not_positive():
    made = table()
    assert told(made, "a", 0.0, 1.0)["card.risk.1d"] is None
    made.label("a", DAY, positive=True)
    made.label("a", DAY, positive=True)
    said = told(made, "a", 2 * DAY, 1.0)
    assert said["card.risk.1d"] == pytest.approx(2 / math.e / (2 / math.e + 1))
    assert told(made, "b", 2 * DAY, 1.0)["card.risk.1d"] == 0.0


def test_the_entity_seen_longest_ago_gives_way_and_is_counted():
    made = table(("count",), (DAY,), capacity=2)
    for now, key in enumerate("abac"):
        made.observe(key, float(now), {})
    assert list(made.slots) == ["a", "c"]
    assert (made.counts.evicted, len(made.numbers)) == (1, 2 * made.width)
    assert made.observe("b", 5.0, {}) == [0.0], "nothing of its former self, or of whose place it took"
    made.label("a", 6.0, positive=True)
    assert made.counts.forgotten == 1


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1e6), st.sampled_from(["event", "positive", "other"]))))
@settings(deadline=None)
def test_a_table_goes_on_from_a_snapshot_as_if_nothing_had_been(steps):
    made = table(capacity=5)
    for place, (key, now, what) in enumerate(steps):
        if place == len(steps) // 2:
            state, segments = copy.deepcopy(made.state()), {name: of() for name, of in made.segments().items()}
            again = table(capacity=5)
            again.restore(state, segments)
            assert digest(again.contents()) == digest(made.contents())
        for each in (made, again) if place >= len(steps) // 2 else (made,):
            if what == "event":
                answer = each.observe(str(key), now, {"amount": now})
            else:
                answer = each.label(str(key), now, positive=what == "positive")
            if each is made:
                expected = answer
        assert answer == expected
    if steps:
        assert digest(again.contents()) == digest(made.contents())
        assert again.segments().keys() == made.segments().keys()


def test_only_pages_that_have_changed_are_written_again():
    made = table(("count",), (DAY,), capacity=10 * PAGE)
    for key in range(3 * PAGE):
        made.observe(str(key), 0.0, {})
    before = set(made.segments())
    made.observe(str(PAGE + 7), 1.0, {})
    made.label(str(PAGE + 8), 1.0, positive=True)
    assert len(before) == 3
    assert len(set(made.segments()) - before) == 1


def test_a_snapshot_that_lacks_a_page_is_refused():
    made = table()
    made.observe("a", 0.0, {"amount": 1.0})
    with pytest.raises(StateError, match=r"entities-card-0-1"):
        table().restore(made.state(), {})
