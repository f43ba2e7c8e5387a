"""What records of labels state of the probability with which they come."""

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.config import Fields
from stream.decoding import RecordDecoder
from stream.errors import RecordError
from stream.inspections import Inspections

anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.lists(st.floats(0, 1), max_size=2)
)


@given(st.one_of(anything, st.floats(0, 1), st.floats(0, 1).map(str)), st.floats(0, 1, exclude_min=True))
def test_what_is_taken_is_a_probability_of_at_least_the_floor_and_all_else_is_refused_by_name(value, least):
    inspections = Inspections("p", least)
    try:
        right = not isinstance(value, bool) and least <= float(value) <= 1.0
    except (TypeError, ValueError, OverflowError):
        right = False
    if right:
        assert inspections.probability({"p": value}) == float(value)
    else:
        with pytest.raises(RecordError) as refused:
            inspections.probability({"p": value})
        said = str(refused.value)
        assert refused.value.field == "p"
        assert value in (None, "") or repr(value)[:60] in said or f"{float(value):g}" in said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "field 'p': is missing: state with each label the probability with which its event gets one"),
        ("", "is missing"),
        (0, "must be a probability, a number above 0, up to 1, not 0"),
        (-0.5, "not -0.5"),
        (1.000001, "not 1.000001"),
        (math.nan, "not nan"),
        ("nan", "not 'nan'"),
        ("often", "not 'often'"),
        (True, "not True"),
        ([0.5], r"not \[0.5\]"),
        (10**400, "not 1000"),
        (0.04, "is 0.04, and labels.least_inspection_probability is 0.05: inspect no event more rarely, or lower that"),
    ],
)
def test_what_is_none_is_refused_with_the_field_the_value_and_what_to_do(value, said):
    with pytest.raises(RecordError, match=said):
        Inspections("p", 0.05).probability({"p": value})


def test_where_no_field_is_named_every_label_is_as_probable_as_another():
    assert Inspections("", None).probability({"p": "nonsense"}) == 1.0


def test_the_least_that_there_can_be_is_taken():
    tiny = sys.float_info.min
    assert Inspections("p", tiny).probability({"p": tiny}) == tiny


def test_a_label_of_its_own_and_one_beside_its_event_bring_it_along():
    decoder = RecordDecoder(Fields(inspection_probability="p"), 1e9, 0.0, least=0.1)
    row = {"event_id": "a", "time": 5.0, "label": "x", "p": "0.25"}
    assert decoder.label(row, 3, 0.0).probability == 0.25
    beside = decoder.label_beside(decoder.event(row, 3, 0.0))
    assert (beside.event_id, beside.time, beside.label, beside.probability) == ("a", 5.0, "x", 0.25)
    assert decoder.label_beside(decoder.event({**row, "label": None, "p": None}, 3, 0.0)) is None
    for make in (lambda bad: decoder.label(bad, 3, 0.0), lambda bad: decoder.label_beside(decoder.event(bad, 3, 0.0))):
        with pytest.raises(RecordError, match=r"is 0.05, and labels.least_inspection_probability is 0.1"):
            make({**row, "p": 0.05})
