"""A snapshot as one blob."""

import pytest

from stream.errors import StateError
from stream.snapshot import Snapshot, pack, unpack


def test_a_packed_snapshot_holds_body_and_every_segment():
    snapshot = Snapshot(b"\x00body", {"a": lambda: b"1", "b": lambda: b""})
    assert unpack(pack(snapshot)) == (b"\x00body", {"a": b"1", "b": b""})


def test_segments_are_encoded_only_when_they_are_asked_for():
    asked = []
    snapshot = Snapshot(b"", {"a": lambda: asked.append("a") or b"1"})
    assert asked == []
    pack(snapshot)
    assert asked == ["a"]


@pytest.mark.parametrize(
    "blob", [b"", b"{}", b"\x80\x05", b"\x92\xc4\x01a", pack(Snapshot(b"x"))[:-1], b"\x92\x01\x80"]
)
def test_what_is_no_packed_snapshot_is_refused(blob):
    with pytest.raises(StateError, match="cannot be read"):
        unpack(blob)
