"""What a task gives to be kept: a body that changes, and segments that are written once."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from stream.errors import StateError


class Snapshot(Struct):
    """The state of a task at one moment; together with its segments it restores the task on any machine.

    ``body`` is all that changes. ``segments`` are parts that do not: by name, each a function that encodes it when it
    is asked, which must be before the task is fed again. Who stores a snapshot asks only for the segments that are not
    stored yet, and forgets those that no kept snapshot names.

    A name stands for the same content for as long as a task lives, over restores too. What nobody needs any more may be
    missing from a segment that is first asked for late, so that its bytes may differ; whichever are kept serve every
    later body.
    """

    body: bytes
    segments: dict[str, Callable[[], bytes]] = {}


def pack(snapshot: Snapshot) -> bytes:
    """A snapshot with all its segments as one blob, for a store that keeps it whole.

    >>> unpack(pack(Snapshot(b"now", {"once": lambda: b"upon a time"})))
    (b'now', {'once': b'upon a time'})
    """
    return msgspec.msgpack.encode((snapshot.body, {name: encode() for name, encode in snapshot.segments.items()}))


def unpack(blob: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Body and segments, as ``restore`` takes them; raises StateError for what ``pack`` did not make."""
    try:
        return _decode(blob)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StateError(f"the snapshot cannot be read ({error}): it was made by another version, begin anew") from None


_decode = msgspec.msgpack.Decoder(tuple[bytes, dict[str, bytes]]).decode
