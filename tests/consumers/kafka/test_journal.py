"""The journal's entries: what is written comes back, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.kafka.journal import SMALL, Entry, decode, encode, runs, sides
from stream.errors import StateError

ENTRY = Entry(7, [3, 4], [5, 6], [0, 2, 1, 2], 12.5, "code", {1: 2.0}, {0: ("events", 1, 2)}, {3: "broke"}, [2])


@given(st.lists(st.integers(-4, 3), max_size=60))
def test_the_order_of_sides_comes_back_from_its_runs(order):
    assert sides(runs(order)) == order


@pytest.mark.parametrize("entry", [ENTRY, Entry(1, [0], [9_000], [0, 1, 1, 1] * 2_000, 0.0, "code" * 9)])
def test_an_entry_comes_back_whether_it_was_compressed_or_not(entry):
    assert decode(encode(entry)) == entry


def test_a_long_entry_is_compressed_and_a_short_one_is_not():
    long = Entry(1, [0], [9_000], [0, 1, 1, 1] * 2_000, 0.0, "code")
    assert len(encode(ENTRY)) < SMALL
    assert encode(ENTRY)[:1] == b"\0"
    assert len(encode(long)) < 200
    assert encode(long)[:1] == b"\1"


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\1", b"\1junk", b"\0\xc1", b"\0\x93\1\2\3", encode(ENTRY)[:-1], b"\1" + encode(ENTRY)]
)
def test_what_was_never_written_is_one_known_error(data):
    with pytest.raises(StateError, match="a journal entry cannot be read"):
        decode(data)
