"""Axes: round ticks, told apart, and a place for every value."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.page.axes import Axis, Decades

values = st.floats(allow_nan=True, allow_infinity=True)


def test_ticks_are_round_and_labels_as_short_as_can_be():
    axis = Axis.over([0.0, 1.0], 0, 100)
    assert [axis.label(tick) for tick in axis.ticks()] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    axis = Axis.over([3.0, 48_000.0], 0, 100)
    assert [axis.label(tick) for tick in axis.ticks()] == ["10k", "20k", "30k", "40k"]
    axis = Axis.over([1_999_000.0, 2_001_000.0], 0, 100)
    assert [axis.label(tick) for tick in axis.ticks()] == ["1.9990M", "1.9995M", "2.0000M", "2.0005M", "2.0010M"]


def test_rounding_takes_an_axis_to_its_ticks():
    axis = Axis.over([0.3, 8.7], 0, 100).rounded()
    assert (axis.low, axis.high) == (0.0, 10.0)


@given(st.lists(values, max_size=5))
def test_every_value_has_a_place_and_ticks_are_few(drawn):
    axis = Axis.over(drawn, 10, 90).rounded()
    assert all(10 <= axis.at(value) <= 90 for value in drawn)
    assert len(axis.ticks()) <= 12
    assert all(axis.label(tick) for tick in axis.ticks())


def test_decades_have_their_powers_at_the_ticks():
    axis = Decades(-4.0, 0.3, 100, 0)
    assert [axis.label(tick) for tick in axis.ticks()] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert len(Decades(-4.0, 8.0, 100, 0).ticks()) <= 7
    assert axis.label(3.0) == "1,000"
