"""How state records are keyed, cut and sealed."""

import pytest

from consumers.kafka import state
from consumers.kafka.journal import RING, Entry
from consumers.kafka.state import Blob, Found, Manifest, Pointer, StateKeys, blob, body_name, dropped, found
from stream.errors import StateError
from tests.consumers.kafka.shelf import Stored

KEY = b"k" * 32

KEYS = StateKeys("s/scorer/0", "scorer", [KEY])

MANIFEST = Manifest(1, 5, 70, [3, 4], 1.5, 1, "code", Blob(8, 9, 2, b"d"), {"entries-000000": Blob(1, 1, 1, b"e")})

ENTRY = Entry(RING + 2, [0], [1], [0, 1], 0.0, "code")


def stored(record, offset=0):
    return Stored("s.state", 0, offset, 0, record.key, record.value, record.headers)


def test_a_manifest_and_an_entry_come_back():
    assert KEYS.open_manifest(stored(KEYS.manifest(MANIFEST))) == MANIFEST
    assert KEYS.open_entry(stored(KEYS.entry(ENTRY)), RING + 2) == ENTRY


def test_generations_take_two_slots_in_turn_and_journal_entries_a_ring():
    assert KEYS.manifest(MANIFEST).key == b"scorer/manifest/1"
    assert KEYS.slot(stored(KEYS.manifest(MANIFEST))) == 1
    assert [body_name(generation) for generation in (4, 5, 6)] == ["body-0", "body-1", "body-0"]
    assert KEYS.entry(ENTRY).key == b"scorer/journal/2"
    assert KEYS.number_of(stored(KEYS.entry(ENTRY)), 10) == RING + 2


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 35])
def test_a_blob_is_cut_into_chunks_and_joined_again(monkeypatch, size):
    monkeypatch.setattr(state, "CHUNK", 10)
    data = bytes(range(size))
    records = KEYS.chunks("body-1", data, 5)
    assert all(len(record.value) <= 10 for record in records)
    at = blob(records, list(range(len(records))))
    assert KEYS.join("body-1", at, 5, map(stored, records)) == data
    assert KEYS.join("body-1", at, None, map(stored, reversed(records))) == data
    with pytest.raises(StateError, match="s/scorer/0: body-1 is not what was sealed"):
        KEYS.join("body-1", at, 4, map(stored, records))
    with pytest.raises(StateError, match="parts of it are gone"):
        KEYS.join("body-1", at, 5, map(stored, records[:-1]))


def test_more_than_ten_chunks_are_joined_by_their_number_not_by_their_name(monkeypatch):
    monkeypatch.setattr(state, "CHUNK", 1)
    records = KEYS.chunks("body-0", bytes(range(12)), 1)
    assert KEYS.join("body-0", blob(records, list(range(12))), 1, map(stored, records)) == bytes(range(12))


def test_other_records_among_a_blobs_chunks_are_passed_over():
    records = KEYS.chunks("entries-000001", b"data", 5)
    others = [*KEYS.chunks("entries-000010", b"other", 5), *KEYS.tombstones("entries-000001", MANIFEST.body)]
    made = [*map(stored, records), *map(stored, others), stored(KEYS.entry(ENTRY))]
    assert KEYS.join("entries-000001", blob(records, [0]), None, iter(made)) == b"data"


@pytest.mark.parametrize("place", ["s/scorer/1", "t/scorer/0", "s/monitor/0", ""])
def test_what_is_sealed_for_one_place_opens_in_no_other(place):
    other = StateKeys(place, "scorer", [KEY])
    with pytest.raises(StateError, match="not sealed"):
        other.open_manifest(stored(KEYS.manifest(MANIFEST)))
    with pytest.raises(StateError, match="not sealed"):
        other.open_entry(stored(KEYS.entry(ENTRY)), RING + 2)


def test_an_entry_opens_under_its_own_number_only_though_its_key_comes_round():
    with pytest.raises(StateError, match="not sealed"):
        KEYS.open_entry(stored(KEYS.entry(ENTRY)), 2)
    with pytest.raises(StateError, match="not sealed"):
        KEYS.open_manifest(stored(KEYS.entry(ENTRY))._replace(key=b"scorer/manifest/1"))


def test_the_first_key_seals_and_every_key_opens():
    old, new = b"o" * 32, b"n" * 32
    both = StateKeys("s/scorer/0", "scorer", [new, old])
    assert both.open_manifest(stored(StateKeys("s/scorer/0", "scorer", [old]).manifest(MANIFEST))) == MANIFEST
    sealed = stored(both.manifest(MANIFEST))
    assert StateKeys("s/scorer/0", "scorer", [new]).open_manifest(sealed) == MANIFEST
    with pytest.raises(StateError, match="not sealed"):
        StateKeys("s/scorer/0", "scorer", [old]).open_manifest(sealed)


@pytest.mark.parametrize("value", [None, b"", b"x" * 31, b"x" * 200])
def test_what_holds_no_seal_is_refused(value):
    with pytest.raises(StateError, match="not sealed"):
        KEYS.open_manifest(stored(KEYS.manifest(MANIFEST))._replace(value=value))


def test_where_no_manifest_is_it_is_said():
    for record in (None, stored(KEYS.entry(ENTRY))):
        with pytest.raises(StateError, match="no manifest where one should be"):
            KEYS.open_manifest(record)


def test_the_groups_metadata_comes_back_a_clock_of_none_too():
    for said in (Found(3, None, 1, []), Found(9, 1.5, 4, [Pointer(1, 2, 3), Pointer(2, 5, 6)])):
        assert found(said.dump()) == said


def test_a_segment_is_dropped_when_no_kept_manifest_names_it():
    one, two, three = (Blob(i, i, 1, b"") for i in range(3))
    assert dropped({"a": one, "b": two}, [{"b": two}, {"c": three}]) == {"a": one}
