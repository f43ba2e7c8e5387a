"""All models' figures over a whole replay and over its segments."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stream.card_precision import CardPrecision
from stream.config import Stream
from stream.prequential import MODELS, Performance, Scored, scored
from stream.records import Labelled
from stream.sample import Sample

MOST_SEGMENTS = 1_000
"""The last of so many takes all the rest."""


class Scoreboard:
    """Figures per model: overall, and per segment.

    ``segment`` is a number of events, or the positions at which segments begin; or, as a float, seconds of event time,
    and the first segment begins with the first labelled event. ``first`` is the position where the figures begin.
    """

    def __init__(self, stream: Stream, first: int, segment: float | Sequence[int]) -> None:
        self.kind = stream.kind
        self.classes = {name: index for index, name in enumerate(stream.classes)}
        self.first = first
        self.segment = segment if isinstance(segment, int | float) else sorted({p for p in segment if p > first})
        self.overall = self._models()
        self.parts: dict[int, dict[str, Performance]] = {}
        self.begins: dict[int, int] = {}
        self.origin: float | None = None
        counted = stream.alerts_by and stream.alerts_per_day
        self.cards = CardPrecision(stream.alerts_by, stream.alerts_per_day) if counted else None
        self._stated = Sample(stream).stated

    def _models(self) -> dict[str, Performance]:
        return {model: Performance(self.kind, len(self.classes)) for model in MODELS}

    def update(self, labelled: Sequence[Labelled], answers: dict[str, Scored] | None = None) -> None:
        """Take in labelled records; corrections and unfair samples do not count.

        Where labels state how probable they were, card precision is of all of them: a sample of the cards has other
        greatest scores, and those of all cards that get an alert are inspected.

        ``answers``: what ``scored`` makes of the others, if known.
        """
        rows = [record for record in labelled if record.sampled and not record.correction]
        for model, batch in (answers or scored(rows, self.classes)).items():
            self.overall[model].update(batch)
        if self.cards is not None:
            known = [record for record in labelled if not record.correction] if self._stated else rows
            self.cards.update(known, self._parts(known), positive=list(self.classes)[-1])
        if not rows:
            return
        parts = self._parts(rows)
        for part in sorted(set(parts)) if self.segment else []:
            if part not in self.parts:
                self.parts[part] = self._models()
            inside = [row for row, own in zip(rows, parts, strict=True) if own == part]
            self.begins[part] = min(self.begins.get(part, inside[0].position), *(row.position for row in inside))
            for model, batch in scored(inside, self.classes).items():
                self.parts[part][model].update(batch)

    def _parts(self, rows: Sequence[Labelled]) -> list[int]:
        """The segment of each record: those before the first belong to it, those behind the last to that."""
        if not rows or not self.segment:
            return [0] * len(rows)
        places = np.array([record.position for record in rows])
        if isinstance(self.segment, int):
            parts = (places - self.first) // self.segment
        elif isinstance(self.segment, float):
            self.origin = rows[0].time if self.origin is None else self.origin
            parts = (np.array([record.time for record in rows]) - self.origin) // self.segment
        else:
            parts = np.searchsorted(self.segment, places, side="right")
        return [int(part) for part in np.clip(parts, 0, MOST_SEGMENTS - 1).tolist()]

    def models(self) -> dict[str, dict[str, Any]]:
        """The figures of each model overall; all null for one that scored nothing."""
        return {model: self._figures(model, performance) for model, performance in self.overall.items()}

    def segments(self) -> list[dict[str, Any]]:
        """The figures of each segment that has a labelled event, and where it begins.

        ``first`` is a position: of a segment in time that of its first labelled event, and ``begin`` and ``end`` are
        then its times, in seconds since the epoch.
        """
        return [
            {
                **self._begin(part),
                "labelled": int(self.parts[part]["served"].confusion.sum()),
                **{model: self._figures(model, performance, part) for model, performance in self.parts[part].items()},
            }
            for part in sorted(self.parts)
        ]

    def _figures(self, model: str, performance: Performance, part: int | None = None) -> dict[str, Any]:
        cards = {} if self.cards is None else self.cards.figures(model, part)
        return {**performance.figures(), **cards}

    def _begin(self, part: int) -> dict[str, float]:
        if isinstance(self.segment, int):
            return {"first": self.first + part * self.segment}
        if isinstance(self.segment, float):
            begin = (self.origin or 0.0) + part * self.segment
            return {"first": self.begins[part], "begin": begin, "end": begin + self.segment}
        return {"first": self.first if part == 0 else self.segment[part - 1]}
