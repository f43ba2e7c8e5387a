"""Plots of curves and of calibration."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from consumers.page.axes import Frame, line, picture
from consumers.page.markup import Content, Node, tag
from stream.training.calibration import Bin


class Curve(NamedTuple):
    """A named curve, and the ``look`` of its line and its marks: "first" or "second"."""

    name: str
    ys: Sequence[float]
    look: str = "first"


def curves(
    title: str, xs: Sequence[float], drawn: Sequence[Curve], x_title: str, y_title: str, *, least: float | None = 0.0
) -> Node:
    """Curves over the same places; ``least`` is on the upright axis in any case."""
    frame = Frame.over(xs, [*(y for curve in drawn for y in curve.ys), *([] if least is None else [least])])
    marked = len(xs) <= 40
    parts: list[Content] = [frame.axes(x_title, y_title)]
    for curve in drawn:
        parts.append(line(frame, xs, curve.ys, curve.look))
        for x, y in zip(xs, curve.ys, strict=True) if marked else ():
            if math.isfinite(y):
                told = tag("title", f"{frame.x.label(x)}: {curve.name} {frame.y.label(y, 50)}")
                parts.append(_mark(frame.x.at(x), frame.y.at(y), curve.look, told))
    if len(drawn) > 1:
        parts.append(_legend(frame, drawn))
    said = "; ".join(_told(frame, xs, curve) for curve in drawn)
    return picture(frame.width, frame.height, title, f"{y_title} over {x_title}: {said}", *parts)


def reliability(title: str, bins: Sequence[Bin], low: float) -> Node:
    """How often the likeliest class was right, by how likely it was said to be; both axes from ``low`` to 1."""
    most = max((each.rows for each in bins), default=1)
    frame = Frame.over([low, 1.0], [low, 1.0], 300, 300)
    parts: list[Content] = [
        frame.axes("said probability of the likeliest class", "share in which it was right"),
        line(frame, [low, 1.0], [low, 1.0], "ideal"),
        line(frame, [each.confidence for each in bins], [each.right for each in bins], "first"),
    ]
    for each in bins:
        told = tag("title", f"{each.rows:,} rows: said {each.confidence:.2f}, right {each.right:.2f}")
        at = {"cx": frame.x.at(each.confidence), "cy": frame.y.at(each.right)}
        parts.append(tag("circle", told, class_="mark first", r=2.5 + 6.5 * math.sqrt(each.rows / most), **at))
    points = (f"{each.confidence:.2f} was right in {each.right:.2f} ({each.rows:,} rows)" for each in bins)
    return picture(frame.width, frame.height, title, "Said probability: " + "; ".join(points), *parts)


def _mark(x: float, y: float, look: str, told: Node) -> Node:
    if look == "first":
        return tag("circle", told, cx=x, cy=y, r=3.5, class_=f"mark {look}")
    return tag("rect", told, x=x - 3, y=y - 3, width=6, height=6, class_=f"mark {look}")


def _legend(frame: Frame, drawn: Sequence[Curve]) -> Node:
    """The curves' names, from the right edge to the left."""
    parts: list[Content] = []
    right = frame.x.end
    for curve in reversed(drawn):
        left = right - 7.2 * len(curve.name)
        parts.append(tag("text", curve.name, x=left, y=14))
        parts.append(tag("line", x1=left - 24, x2=left - 6, y1=10, y2=10, class_=f"line {curve.look}"))
        parts.append(_mark(left - 15, 10, curve.look, tag("title", curve.name)))
        right = left - 36
    return tag("g", *parts)


def _told(frame: Frame, xs: Sequence[float], curve: Curve) -> str:
    """A curve in words: all of its points where they are few, else where it starts, is least, and ends."""
    points = [(x, y) for x, y in zip(xs, curve.ys, strict=True) if math.isfinite(y)]
    if len(points) > 12:
        points = sorted({points[0], min(points, key=lambda point: point[1]), points[-1]})
    said = ", ".join(f"{frame.y.label(y, 50)} at {frame.x.label(x, 50)}" for x, y in points)
    return f"{curve.name} {said}"
