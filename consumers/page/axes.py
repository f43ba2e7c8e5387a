"""A plot's frame: two axes with round ticks, their titles, and the way from values to places."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from consumers.page.markup import Content, Node, tag

FURTHEST = 1e300
"""Values are drawn no further from 0, so that the length of an axis is a number."""

SUFFIXES = ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (2e4, 1e3, "k"))
"""From which size on values are written in which unit, and its letter."""


class Axis(NamedTuple):
    """Values from ``low`` to ``high`` on the places from ``start`` to ``end``, in the picture's units."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float) -> Self:
        """An axis that all values fit on; those that are no numbers are left out."""
        finite = [min(max(value, -FURTHEST), FURTHEST) for value in values if math.isfinite(value)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        if high - low <= 1e-12 * max(abs(low), abs(high)):
            room = abs(high) * 0.1 or 1.0
            low, high = (low if low == 0 else low - room), high + room
        return cls(low, high, start, end)

    def at(self, value: float) -> float:
        """The place of a value; of one that is off the axis, the nearer end."""
        share = (value - self.low) / (self.high - self.low) if math.isfinite(value) else 0.0
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def rounded(self) -> Self:
        """The same from a tick to a tick."""
        step = self._step(5)
        return self._replace(
            low=math.floor(self.low / step + 1e-9) * step, high=math.ceil(self.high / step - 1e-9) * step
        )

    def ticks(self, most: int = 5) -> list[float]:
        """Round values on the axis, ``most`` or so of them."""
        step = self._step(most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]

    def label(self, value: float, most: int = 5) -> str:
        """What stands at a tick: as many digits as tell it from the next one."""
        step, largest = self._step(most), max(abs(self.low), abs(self.high))
        if largest >= 1e15 or largest < 1e-4:
            return f"{value:.3g}"
        scale, suffix = next(((unit, letter) for size, unit, letter in SUFFIXES if largest >= size), (1.0, ""))
        places = max(0, -math.floor(math.log10(step / scale) + 1e-9))
        return f"{value / scale:,.{min(places, 6)}f}{suffix if value else ''}"

    def _step(self, most: int) -> float:
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        return power * next(step for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))


class Decades(Axis):
    """An axis of powers of ten; its values are their exponents."""

    __slots__ = ()

    def ticks(self, most: int = 5) -> list[float]:
        """The whole exponents on the axis, ``most`` or so of them."""
        first, last = math.ceil(self.low), math.floor(self.high)
        return [float(exponent) for exponent in range(first, last + 1, max(1, round((last - first) / most)))]

    def label(self, value: float, most: int = 5) -> str:
        """The power itself."""
        return f"{10.0**value:,.{max(0, -math.floor(value))}f}" if abs(value) < 7 else f"1e{value:.0f}"


class Frame(NamedTuple):
    """The frame of a plot of so many units: where its axes are."""

    width: float
    height: float
    x: Axis
    y: Axis

    @classmethod
    def over(
        cls,
        xs: Iterable[float],
        ys: Iterable[float],
        width: float = 420,
        height: float = 250,
        left: float = 46,
        top: float = 30,
    ) -> Self:
        """A frame that all these values fit in; the upright axis ends at round values."""
        return cls(width, height, Axis.over(xs, left, width - 20), Axis.over(ys, height - 42, top).rounded())

    def axes(self, x_title: str, y_title: str, ticks: int = 5) -> Node:
        """Both axes, with their titles and units."""
        return tag("g", self.across(y_title), level(self.x, self.y.start, x_title, ticks))

    def across(self, title: str = "", ticks: int = 5) -> Node:
        """The upright axis: lines across at its ticks, and its title."""
        parts: list[Content] = []
        for value in self.y.ticks(ticks):
            at = self.y.at(value)
            parts.append(tag("line", x1=self.x.start, x2=self.x.end, y1=at, y2=at, class_="grid"))
            parts.append(tag("text", self.y.label(value, ticks), x=self.x.start - 6, y=at + 4, text_anchor="end"))
        if title:
            parts.append(tag("text", title, x=4, y=14, class_="unit"))
        return tag("g", *parts)


def level(x: Axis, top: float, title: str, ticks: int = 5) -> Node:
    """A level axis at ``top``, with ticks below it and its title below them."""
    parts: list[Content] = [tag("line", x1=x.start, x2=x.end, y1=top, y2=top, class_="axis")]
    for value in x.ticks(ticks):
        at = x.at(value)
        parts.append(tag("line", x1=at, x2=at, y1=top, y2=top + 4, class_="axis"))
        parts.append(tag("text", x.label(value, ticks), x=at, y=top + 17, text_anchor="middle"))
    if title:
        parts.append(tag("text", title, x=(x.start + x.end) / 2, y=top + 35, text_anchor="middle", class_="unit"))
    return tag("g", *parts)


def picture(width: float, height: float, title: str, told: str, *parts: Content) -> Node:
    """A picture with a title, and with what is to be seen on it told to those who cannot see it."""
    return tag(
        "svg",
        tag("title", title),
        tag("desc", told),
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        role="img",
        aria_label=f"{title}. {told}",
    )


def line(frame: Frame, xs: Sequence[float], ys: Sequence[float], class_: str) -> Node:
    """A line through the points of which both values are numbers."""
    places = [
        f"{frame.x.at(x):.1f},{frame.y.at(y):.1f}"
        for x, y in zip(xs, ys, strict=True)
        if math.isfinite(x) and math.isfinite(y)
    ]
    return tag("polyline", points=" ".join(places), class_=f"line {class_}")
