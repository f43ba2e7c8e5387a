"""The waiting room out of segments that were written once is the waiting room as it was."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream import segments
from stream.config import Duration, Labels
from stream.entry import Entry
from stream.errors import StateError
from stream.labels import LabelJoin
from stream.records import Prediction
from tests.stream.shelf import Shelf

NEVER = float("-inf")


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "SEGMENT", 4)
        yield


class Life:
    """A room under a stream of moves; what leaves is dropped as the scoring task does it."""

    def __init__(self, recent: int, capacity: int, maturity: float, implied: int) -> None:
        self.settings = (Labels(maturity=Duration(maturity), ttl=Duration(maturity + 9.0), capacity=capacity), recent)
        self.implied = implied
        self.join = self.empty()
        self.clock, self.made = NEVER, 0
        self.left: list[tuple] = []

    def empty(self) -> LabelJoin:
        return LabelJoin(*self.settings, self.implied)

    def move(self, what: str, back: int, later: float) -> None:
        if what == "admit":
            self.made += 1
            name = "abc"[self.made % 3]
            score = self.made / 7 if self.made % 5 else [0.25, 0.75]
            prediction = Prediction(f"e{self.made}", self.clock, name, score, "blend", score, None, "v", f"b{name}")
            row = {"text": "x" * (self.made % 9), "n": None}
            entry = Entry(prediction, self.made, self.clock, row, {1: 0.5, "n": 0.1 * self.made})
            self.leave(self.join.admit(prediction.event_id, entry))
            entry.pack()
        elif what == "label":
            fate, entry, final = self.join.join(
                f"e{self.made - back}", back % 3, -0.0, self.clock, fair=self.made % 2 > 0
            )
            self.left.append((fate, None if entry is None else entry.label))
            if entry is not None and fate == "joined":
                assert entry.unpacked() == {1: 0.5, "n": 0.1 * entry.position}
                entry.x = entry.packed = None
                if final:
                    self.leave([entry])
        else:
            self.clock = later if self.clock == NEVER else self.clock + later
            if self.join.begun is None:
                self.join.begin(self.clock)
            for entry in self.join.advance(self.clock):
                self.leave([entry])

    def leave(self, entries) -> None:
        for entry in entries:
            said = entry.label, repr(entry.label_time), entry.fair
            self.left.append((entry.prediction, entry.position, entry.row, said))
            entry.drop()


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["admit", "admit", "admit", "label", "label", "pass"]),
        st.integers(-2, 14),
        st.sampled_from([0.0, 0.5, 3.0]),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(MOVES, min_size=1, max_size=6),
    recent=st.sampled_from([1, 5, 100]),
    capacity=st.sampled_from([4, 9, 100]),
    maturity=st.sampled_from([0.0, 2.0, 50.0]),
    implied=st.sampled_from([-1, 0]),
    before=st.booleans(),
)
def test_a_room_restored_from_segments_written_once_behaves_as_the_one_that_never_stopped(
    parts, recent, capacity, maturity, implied, before
):
    steady, moved = (Life(recent, capacity, maturity, implied) for _ in range(2))
    shelf = Shelf()
    marks = []
    for index, part in enumerate(parts):
        shelf.keep(moved.join.snapshot())
        marks.append((moved.clock, moved.made))
        moved.join = moved.empty()
        if before and index:  # the newest is lost: from the one before, what came since comes again
            shelf.restore(moved.join, -2)
            said, moved.left = moved.left, []
            moved.clock, moved.made = marks[-2]
            for step in parts[index - 1]:
                moved.move(*step)
            moved.left = said
        else:
            shelf.restore(moved.join)
        assert moved.join.digest() == steady.join.digest()
        for step in part:
            steady.move(*step)
            moved.move(*step)
        assert moved.left == steady.left
        assert moved.join.digest() == steady.join.digest()
    assert moved.join.counts == steady.join.counts


def room(events: int, *, recent: int = 100, maturity: float = 0.0) -> Life:
    life = Life(recent, 1_000, maturity, -1)
    life.move("pass", 0, 1.0)
    for _ in range(events):
        life.move("admit", 0, 0.0)
    return life


def names(join: LabelJoin) -> list[str]:
    return list(join.snapshot().segments)


def test_a_segment_closes_when_it_is_full():
    assert names(room(3).join) == []
    assert names(room(4).join) == names(room(7).join) == ["entries-000000"]
    assert names(room(8).join) == ["entries-000000", "entries-000001"]


def test_a_segment_is_asked_for_once_however_many_snapshots_name_it():
    life, shelf = room(0), Shelf()
    for index in range(40):
        life.move("admit", 0, 0.0)
        life.move("label", index % 3, 0.0)
        shelf.keep(life.join.snapshot())
    assert shelf.asked == 10


def test_a_segment_is_named_until_its_last_entry_is_forgotten():
    life = room(8, recent=3)
    assert names(life.join) == ["entries-000000", "entries-000001"]
    for back in (7, 6, 4):
        life.move("label", back, 0.0)
    assert names(life.join) == ["entries-000000", "entries-000001"]
    life.move("label", 5, 0.0)
    assert names(life.join) == ["entries-000001"]


def test_rows_that_were_dropped_are_not_in_a_segment_that_is_first_asked_for_later():
    early, late = room(4), room(4)
    for back in range(4):
        late.move("label", back, 0.0)
    [first], [second] = (life.join.snapshot().segments.values() for life in (early, late))
    assert b"xxx" in first()
    assert b"xxx" not in second()


def test_whichever_encoding_of_a_segment_was_kept_restores_the_same():
    life = room(4)
    before = {name: encode() for name, encode in life.join.snapshot().segments.items()}
    for back in range(3):
        life.move("label", back, 0.0)
    snapshot = life.join.snapshot()
    after = {name: encode() for name, encode in snapshot.segments.items()}
    assert after != before
    for kept in (before, after):
        again = life.empty()
        again.restore(snapshot.body, kept)
        assert again.digest() == life.join.digest()


def test_the_digest_does_not_depend_on_the_segments_in_which_entries_lie(monkeypatch):
    one, shifted = room(6, recent=6), room(6, recent=6)
    shifted.join.admitted += 3
    for entry in shifted.join.recent.values():
        entry.number += 3
    assert names(one.join) != names(shifted.join)
    assert one.join.digest() == shifted.join.digest()
    monkeypatch.setattr(segments, "SEGMENT", 2)
    assert room(6, recent=6).join.digest() == one.join.digest()


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: setattr(entry, "label", 2),
        lambda entry: setattr(entry, "state", 3),
        lambda entry: setattr(entry, "last", 1),
        lambda entry: setattr(entry, "last_time", 1.0),
        lambda entry: setattr(entry, "label_time", -0.0),
        lambda entry: setattr(entry, "row", None),
        lambda entry: setattr(entry, "packed", None),
        lambda entry: setattr(entry, "arrived", 2.0),
        lambda entry: setattr(entry, "position", 99),
    ],
)
def test_the_digest_covers_all_that_counts_of_an_entry(change):
    one, other = room(6, maturity=9.0), room(6, maturity=9.0)
    assert one.join.digest() == other.join.digest()
    change(other.join.young["e5"])
    assert one.join.digest() != other.join.digest()


def test_a_time_of_minus_zero_comes_back_as_that():
    life = room(5, maturity=9.0)
    life.move("label", 1, 0.0)
    assert repr(life.join.young["e4"].label_time) == "-0.0"
    again = life.empty()
    snapshot = life.join.snapshot()
    again.restore(snapshot.body, {name: encode() for name, encode in snapshot.segments.items()})
    assert repr(again.young["e4"].label_time) == "-0.0"


def test_what_came_before_the_clock_began_has_its_arrival_out_of_the_body():
    life = Life(100, 100, 0.0, -1)
    for _ in range(5):
        life.move("admit", 0, 0.0)
    kept = {name: encode() for name, encode in life.join.snapshot().segments.items()}
    life.move("pass", 0, 3.0)
    life.move("admit", 0, 0.0)
    again = life.empty()
    again.restore(life.join.snapshot().body, kept)
    assert [entry.arrived for entry in again.recent.values()] == [3.0] * 6


def test_a_missing_segment_is_named():
    life = room(9)
    snapshot = life.join.snapshot()
    with pytest.raises(StateError, match="not there: entries-000000, entries-000001"):
        life.empty().restore(snapshot.body, {})


def test_a_segment_that_was_encoded_after_the_task_went_on_is_refused():
    life = room(4)
    snapshot = life.join.snapshot()
    life.move("label", 0, 0.0)
    late = {name: encode() for name, encode in snapshot.segments.items()}
    with pytest.raises(StateError, match="after the task had gone on"):
        life.empty().restore(snapshot.body, late)


def test_a_segment_of_fewer_entries_than_the_body_names_is_refused():
    life = room(8)
    snapshot = life.join.snapshot()
    kept = {name: encode() for name, encode in snapshot.segments.items()}
    kept["entries-000000"] = segments.encode([])
    with pytest.raises(StateError, match="lacks entry 0"):
        life.empty().restore(snapshot.body, kept)
