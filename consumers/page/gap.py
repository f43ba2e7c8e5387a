"""How much more the baseline errs, or misses, than the online model, with its interval, over the stream."""

import math
from collections.abc import Sequence

from consumers.page.axes import line, picture
from consumers.page.figures import number
from consumers.page.loss import Loss
from consumers.page.markup import Content, Node
from consumers.page.outcome import Outcome
from consumers.page.timeline import WIDTH, Shown, Timeline, area, legend, told, wide

HEIGHT = 260

WIDEST = 0.1
"""The share of points whose interval may reach beyond the picture: there are next to no events behind the first."""


def gap(outcome: Outcome, timeline: Timeline) -> Node | None:
    """The plot; nothing where no baseline was compared."""
    points = timeline.points
    if all(point.gap is None for point in points):
        return None
    loss = Loss.judged(outcome.settings.kind)
    mean, low, high = ([math.nan if point.gap is None else 1000 * point.gap[at] for point in points] for at in range(3))
    tolerance = outcome.settings.monitor.tolerate_extra_errors_per_1000
    seen = [0.0, 1.2 * tolerance, *mean, _quantile(low, WIDEST), _quantile(high, 1 - WIDEST)]
    frame = timeline.frame(seen, HEIGHT)
    shown = [
        Shown("baseline less online model", "line", "second solid"),
        Shown("95% interval", "area", "second"),
        Shown(f"tolerated: {number(tolerance)}", "line", "limit"),
    ]
    parts: list[Content] = [
        frame.axes("row", f"{loss.many} more per 1,000 {loss.of_what}", 10),
        legend(shown),
        line(frame, [frame.x.low, frame.x.high], [0.0, 0.0], "zero"),
    ]
    for version in timeline.versions():
        part = slice(version.start, version.stop)
        parts.append(area(frame, timeline.rows[part], low[part], high[part], "second"))
        parts.append(line(frame, timeline.rows[part], mean[part], "second solid"))
    parts.append(line(frame, [frame.x.low, frame.x.high], [tolerance, tolerance], "limit"))
    said = "; ".join(
        told(name, timeline.rows, values)
        for name, values in (("the difference", mean), ("lower end", low), ("upper end", high))
    )
    title = f"How much more the baseline {loss.verb}"
    drawn = picture(
        WIDTH, HEIGHT, title, f"{loss.many.capitalize()} more per 1,000; tolerated {number(tolerance)}; {said}", *parts
    )
    return wide(
        drawn,
        f"How many {loss.many} more the baseline makes than the online model, on average since it came into use. The "
        "95% interval holds at all times at once; it is cut where it is too wide to be drawn. Below 0 the baseline is "
        "the better one.",
    )


def _quantile(values: Sequence[float], share: float) -> float:
    there = sorted(value for value in values if math.isfinite(value))
    return there[min(len(there) - 1, int(share * len(there)))] if there else 0.0
