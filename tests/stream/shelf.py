"""Keeps snapshots as a transport does: two generations of bodies, and each segment as it was at its first asking."""

from typing import Any

from stream.snapshot import Snapshot


class Shelf:
    """``first`` and later snapshots go in; any kept one comes out, with the segments that it names."""

    def __init__(self) -> None:
        self.kept: list[tuple[bytes, list[str]]] = []
        self.segments: dict[str, bytes] = {}
        self.asked = 0

    def keep(self, snapshot: Snapshot) -> None:
        for name, encode in snapshot.segments.items():
            if name not in self.segments:
                self.segments[name] = encode()
                self.asked += 1
        self.kept = [*self.kept, (snapshot.body, list(snapshot.segments))][-2:]
        named = {name for _, names in self.kept for name in names}
        self.segments = {name: data for name, data in self.segments.items() if name in named}

    def restore(self, task: Any, generation: int = -1) -> None:
        body, names = self.kept[generation]
        task.restore(body, {name: self.segments[name] for name in names})
