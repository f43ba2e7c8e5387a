"""All models' figures over a whole replay and over its segments."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stream.config import Stream
from stream.prequential import MODELS, Performance, Scored, scored
from stream.records import Labelled

MOST_SEGMENTS = 1_000
"""The last of so many takes all the rest."""


class Scoreboard:
    """Figures per model: overall, and per segment of event positions.

    ``segment`` is a length, or the positions at which segments begin; ``first`` is where the figures begin.
    """

    def __init__(self, stream: Stream, first: int, segment: int | Sequence[int]) -> None:
        self.kind = stream.kind
        self.classes = {name: index for index, name in enumerate(stream.classes)}
        self.first = first
        self.segment = segment if isinstance(segment, int) else sorted({p for p in segment if p > first})
        self.overall = self._models()
        self.parts: dict[int, dict[str, Performance]] = {}

    def _models(self) -> dict[str, Performance]:
        return {model: Performance(self.kind, len(self.classes)) for model in MODELS}

    def update(self, labelled: Sequence[Labelled], answers: dict[str, Scored] | None = None) -> None:
        """Take in labelled records; corrections do not count. ``answers``: what ``scored`` makes of them, if known."""
        rows = [record for record in labelled if not record.correction]
        for model, batch in (answers or scored(rows, self.classes)).items():
            self.overall[model].update(batch)
        if not self.segment or not rows:
            return
        places = np.array([record.position for record in rows])
        parts = np.minimum(self._parts(places), MOST_SEGMENTS - 1)
        for part in np.unique(parts).tolist():
            if part not in self.parts:
                self.parts[part] = self._models()
            inside = [row for row, own in zip(rows, parts.tolist(), strict=True) if own == part]
            for model, batch in scored(inside, self.classes).items():
                self.parts[part][model].update(batch)

    def _parts(self, places: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        if isinstance(self.segment, int):
            return (places - self.first) // self.segment
        return np.searchsorted(self.segment, places, side="right")

    def models(self) -> dict[str, dict[str, Any]]:
        """The figures of each model overall; all null for one that scored nothing."""
        return {model: performance.figures() for model, performance in self.overall.items()}

    def segments(self) -> list[dict[str, Any]]:
        """The figures of each segment, with the position at which it begins."""
        return [
            {
                "first": self._begin(part),
                "labelled": int(self.parts[part]["served"].confusion.sum()),
                **{model: performance.figures() for model, performance in self.parts[part].items()},
            }
            for part in sorted(self.parts)
        ]

    def _begin(self, part: int) -> int:
        if isinstance(self.segment, int):
            return self.first + part * self.segment
        return self.first if part == 0 else self.segment[part - 1]
