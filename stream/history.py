"""What a replay looked like over time: points for plots, as many as a picture can show, however long the stream."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from stream.monitoring import MonitoringTask
from stream.records import Input, Labelled

MOST = 800
"""Points; then two at a time become one."""

FIRST = 100
"""Labelled records between two points, at first."""

BINS = 20
"""Of scores, from 0 to 1."""


class Point(Struct):
    """How things stood after ``labelled`` records; the event of the last one was at ``position``.

    ``errors``: decayed shares of errors by model. ``gap``: how much more often the baseline errs than the online model
    since it came into use, mean and 95% interval. ``evidence`` is a share of what raises an alarm, the greatest since
    the point before. ``distances`` of inputs, score and labels from training, by kind and column, are the greatest,
    too. ``scores``: how many in each of BINS bins since the point before, by model.
    """

    labelled: int
    position: int
    version: str | None
    verdict: str
    errors: dict[str, float]
    gap: tuple[float, float, float] | None
    evidence: dict[str, float]
    distances: dict[str, float]
    scores: dict[str, list[int]]


class History(Struct):
    """Points of a monitor; ``every`` labelled records there is one."""

    every: int = FIRST
    labelled: int = 0
    points: list[Point] = []
    scores: dict[str, list[int]] = {}

    def pieces(self, records: Sequence[Input]) -> Iterator[tuple[int, bool]]:
        """Where to cut what the monitor is fed, and whether ``look`` is due there."""
        for at, record in enumerate(records):
            if isinstance(record, Labelled) and not record.correction:
                self.labelled += 1
                self._count(record)
                if self.labelled % self.every == 0:
                    yield at + 1, True
        yield len(records), False

    def look(self, monitor: MonitoringTask) -> None:
        """Note how things stand."""
        judging = monitor.judging
        judged, gap = judging.judgement, judging.judgement.deployed
        means = {"baseline": judged.baseline, "online": judged.online}
        self.points.append(
            Point(
                self.labelled,
                monitor.newest[0],
                judging.version,
                judging.verdict,
                {model: mean.mean for model, mean in means.items() if mean.events},
                (gap.mean, *gap.bounds()) if gap.events else None,
                {name: detector.evidence / detector.every for name, detector in judged.rot.detectors.items()},
                {f"{kind}:{column}": distance for kind, column, distance in judging.moves.strengths},
                self.scores,
            )
        )
        self.scores = {}
        if len(self.points) >= MOST:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [_joined(first, second) for first, second in pairs]
            self.every *= 2

    def _count(self, record: Labelled) -> None:
        for model, score in (("baseline", record.baseline), ("online", record.online)):
            if score is not None:
                likeliest = max(score) if isinstance(score, list) else score
                counts = self.scores.setdefault(model, [0] * BINS)
                counts[min(BINS - 1, max(0, int(likeliest * BINS)))] += 1


def _joined(first: Point, second: Point) -> Point:
    return Point(
        second.labelled,
        second.position,
        second.version,
        second.verdict,
        second.errors,
        second.gap,
        _greatest(first.evidence, second.evidence),
        _greatest(first.distances, second.distances),
        {
            model: _added(first.scores.get(model), second.scores.get(model))
            for model in dict.fromkeys([*first.scores, *second.scores])
        },
    )


def _greatest(a: dict[str, float], b: dict[str, float]) -> dict[str, float]:
    return {name: max(a.get(name, 0.0), b.get(name, 0.0)) for name in dict.fromkeys([*a, *b])}


def _added(a: Any, b: Any) -> list[int]:
    return [x + y for x, y in zip(a or [0] * BINS, b or [0] * BINS, strict=True)]
