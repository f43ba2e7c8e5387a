"""How far inputs, score and labels are from training, over the stream: a strip a column."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from consumers.page.figures import count
from consumers.page.markup import Content, Node, name, tag
from consumers.page.tables import figure, table
from consumers.page.timeline import Timeline

SHOWN = 40
"""Columns, those that were farthest."""

CELLS = 120
"""Of a strip, at most."""

LEVELS = (0.25, 0.5, 0.75, 1.0, 2.0, 4.0)
"""Where one colour ends and the next begins; from 1 on a distance matters."""

DRIFT = LEVELS.index(1.0) + 1
"""The first level that is."""

LENGTH = 1000
"""Of a strip, in its own units."""


def heat(timeline: Timeline) -> Node | None:
    """The strips; nothing where nothing was compared."""
    found: dict[str, float] = {}
    for point in timeline.points:
        for column, distance in point.distances.items():
            found[column] = max(found.get(column, 0.0), distance)
    if not found:
        return None
    columns = sorted(found, key=lambda column: (-found[column], column))
    groups = _groups(timeline)
    rows = [_row(timeline, column, groups) for column in columns[:SHOWN]]
    made = table(["column", "over the stream", "farthest"], [*rows, _ends(timeline)])
    made.set("class", "wide strips")
    drifted = sum(distance >= 1.0 for distance in found.values())
    which = "farthest first" if len(columns) <= SHOWN else f"the {SHOWN} that were farthest, of {count(len(columns))}"
    return figure(
        made,
        "How far inputs, score and labels were from training, over the stream; from 1 on it matters, and where it is "
        "no chance either the verdict says so. "
        f"{count(drifted)} of {count(len(columns))} columns were that far at some time; {which}.",
        _legend(),
    )


def _groups(timeline: Timeline) -> list[range]:
    """Places of points that share a cell."""
    size = max(1, math.ceil(len(timeline.points) / CELLS))
    return [range(at, min(at + size, len(timeline.points))) for at in range(0, len(timeline.points), size)]


def _row(timeline: Timeline, column: str, groups: Sequence[range]) -> list[Content]:
    distances = [point.distances.get(column) for point in timeline.points]
    known = [(distance, -row) for distance, row in zip(distances, timeline.rows, strict=True) if distance is not None]
    farthest, before = max(known)
    levels = [_level([distance for at in group if (distance := distances[at]) is not None]) for group in groups]
    ends = [timeline.rows[group[-1]] for group in groups]
    said: list[Content] = [f"{farthest:,.{2 if farthest < 1 else 1}f}"]
    if farthest:
        said += [" ", tag("small", f"row {count(-before)}")]
    return [_column(column), _strip(timeline, levels, ends), tag("span", *said)]


def _column(column: str) -> Node:
    """A column's name, and its kind where that says more."""
    kind, _, named = column.partition(":")
    if kind == named:
        return name(named)
    return tag("span", name(named), " ", tag("small", kind))


def _level(distances: Sequence[float]) -> int | None:
    """Of the colours; None where nothing is known."""
    return sum(max(distances) >= edge for edge in LEVELS) if distances else None


def _strip(timeline: Timeline, levels: Sequence[int | None], ends: Sequence[int]) -> Node:
    return tag(
        "svg",
        *_cells(timeline, levels, ends),
        viewBox=f"0 0 {LENGTH} 10",
        preserveAspectRatio="none",
        class_="strip",
        aria_hidden="true",
    )


def _cells(timeline: Timeline, levels: Sequence[int | None], ends: Sequence[int]) -> Iterator[Node]:
    """Neighbours of one level are one. Drift stands out by its height too."""
    x = timeline.axis()._replace(start=0.0, end=float(LENGTH))
    begin = 0.0
    for level, together in groupby(zip(levels, ends, strict=True), lambda each: each[0]):
        end = x.at([row for _, row in together][-1])
        if level is not None:
            top = 0 if level >= DRIFT else 4
            yield tag("rect", x=begin, y=top, width=end - begin, height=10 - top, class_=f"heat-{level}")
        begin = end


def _ends(timeline: Timeline) -> list[Content]:
    first, last = timeline.begin, timeline.rows[-1]
    return [
        tag("span", "row", class_="unit"),
        tag("span", *(tag("span", count(row)) for row in (first, (first + last) // 2, last)), class_="ends"),
        None,
    ]


def _legend() -> Node:
    names = [f"below {LEVELS[0]:g}", *(f"from {edge:g}" for edge in LEVELS)]
    parts: list[Content] = []
    for level, named in enumerate(names):
        top = 0 if level >= DRIFT else 4
        swatch = tag("rect", x=0, y=top, width=20, height=10 - top, class_=f"heat-{level}")
        drift = " (matters)" if level == DRIFT else ""
        square = tag("svg", swatch, viewBox="0 0 20 10", class_="swatch", aria_hidden="true")
        parts.append(tag("span", square, f"{named}{drift}"))
    return tag("p", *parts, class_="legend small-print")
