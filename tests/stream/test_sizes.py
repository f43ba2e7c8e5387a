"""Labelled records keep within the size that a broker takes."""

from hypothesis import given
from hypothesis import strategies as st

from stream.records import Labelled
from stream.sizes import MOST, cap

values = st.text(max_size=30) | st.floats(allow_nan=False) | st.none()


def record(features) -> Labelled:
    return Labelled("a", 0.0, 0, "ham", 0.0, features, 0.5, 0.5, None, "ham", "ham", None, "o", None)


@given(features=st.dictionaries(st.text(max_size=3), values, max_size=6), most=st.integers(0, 60))
def test_texts_are_cut_to_fit_and_no_more_than_the_longest_have_to_be(features, most):
    capped = cap(record(features), most).features
    assert list(capped) == list(features)
    cut = []
    for name, value in features.items():
        if isinstance(value, str):
            assert value.startswith(capped[name])
            if capped[name] != value:
                cut.append(len(capped[name]))
        else:
            assert capped[name] is value
    lengths = [len(value) for value in capped.values() if isinstance(value, str)]
    assert sum(lengths) <= most
    if cut:
        assert set(cut) == {max(lengths)}
        assert most - sum(lengths) < len(cut)


def test_a_record_that_fits_is_given_back_itself():
    small, none = record({"body": "x" * MOST, "n": 1.0}), record(None)
    assert cap(small) is small
    assert cap(none) is none


def test_by_default_texts_may_have_as_many_characters_as_one_field():
    assert len(cap(record({"body": "x" * (MOST + 1)})).features["body"]) == MOST
