"""Two pictures of the judgement: which rows fit, choose and judge, and where the risk stands beside others."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from consumers.page.axes import Axis, level, picture
from consumers.page.figures import count, moment, per_thousand
from consumers.page.markup import Content, Node, tag
from stream.training.card import Card, Part

ROW = 26
"""Height of a line of the pictures."""

Use = Literal["fit", "choose", "judge"]


class Span(NamedTuple):
    """Rows from one share of all to another, the oldest being 0, and what for."""

    use: Use
    start: float
    end: float


def scheme(card: Card) -> Node:
    """Who sees which rows: a line for each fold, one for the judgement and one for the baseline itself."""
    border = 1 - card.judged_rows / card.rows
    blocks = [block.part for block in card.lookbacks.judged] if card.lookbacks else [Part((0.0, border), (border, 1.0))]
    lines: list[tuple[str, str, Use, list[Part]]] = [
        ("choice", "fold", "choose", card.folds),
        ("judgement", "block", "judge", blocks),
    ]
    drawn: list[tuple[str, list[Span]]] = [
        (f"{several} {at}" if len(parts) > 1 else name, [Span("fit", *one.fit), Span(use, *one.predict)])
        for name, several, use, parts in lines
        for at, one in enumerate(parts, 1)
    ]
    # Of an anomaly stream a baseline learns from rows here and there.
    newest = 1.0 if card.kind == "anomaly" else card.fitted / card.rows
    drawn.append(("baseline", [Span("fit", 1 - newest, 1.0)]))
    height = ROW * len(drawn) + 62
    x = Axis(0.0, float(card.rows), 82, 400)
    parts: list[Content] = [_uses(82)]
    for at, (name, spans) in enumerate(drawn):
        top = 24 + ROW * at
        parts.append(tag("text", name, x=76, y=top + 15, text_anchor="end"))
        parts += [_span(x, span, top, card.rows) for span in spans]
    bottom = 24 + ROW * len(drawn)
    parts.append(level(x, bottom, "rows, oldest first"))
    told = "; ".join(f"{name}: " + ", ".join(_told(span, card.rows) for span in spans) for name, spans in drawn)
    return picture(420, height, "Which rows fit, choose and judge", told, *parts)


def standing(card: Card, unit: str) -> Node:
    """The risk with its interval, beside the plain candidate's and that of one answer for all rows."""
    points = [("this baseline", card.risk.mean)]
    if card.against_plain is not None and card.chosen != card.plain:
        points.append(("plain candidate", card.risk.mean + card.against_plain[0]))
    points.append(("one answer", card.trivial_risk))
    low, high = 1000 * card.risk.low, 1000 * card.risk.high
    height = ROW * len(points) + 66
    x = Axis.over([0.0, high, *(1000 * risk for _, risk in points)], 116, 310)
    parts: list[Content] = [level(x, height - 42, unit)]
    for at, (name, risk) in enumerate(points):
        y = 20 + ROW * at
        place = x.at(1000 * risk)
        parts.append(tag("text", name, x=108, y=y + 4, text_anchor="end"))
        look, after, said = "second", place, per_thousand(risk)
        if not at:
            ends = (x.at(low), x.at(high))
            parts += [tag("line", x1=end, x2=end, y1=y - 8, y2=y + 8, class_="whisker") for end in ends]
            parts.append(tag("line", x1=ends[0], x2=ends[1], y1=y, y2=y, class_="whisker"))
            look, after = "first", max(place, ends[1])
            said += f" ({per_thousand(card.risk.low)} to {per_thousand(card.risk.high)})"
        parts.append(tag("circle", cx=place, cy=y, r=5, class_=f"mark {look}"))
        parts.append(tag("text", said, x=after + 9, y=y + 4))
    told = ", ".join(f"{name} {per_thousand(risk)}" for name, risk in points)
    told += f"; 95% interval of this baseline {per_thousand(card.risk.low)} to {per_thousand(card.risk.high)}"
    return picture(420, height, "Risk on the judged rows", f"{unit}: {told}", *parts)


def dates(card: Card) -> str:
    """The time that the rows span, in words; nothing where no times are known."""
    if card.first is None or card.last is None:
        return ""
    return f"{moment(card.first)} to {moment(card.last)} UTC"


def _uses(left: float) -> Node:
    """What the colours of the spans mean."""
    told: Sequence[tuple[Use, str]] = (("fit", "fits"), ("choose", "chooses"), ("judge", "judges"))
    parts: list[Content] = []
    for use, text in told:
        parts.append(tag("rect", x=left, y=4, width=12, height=12, class_=use))
        parts.append(tag("text", text, x=left + 17, y=14))
        left += 30 + 7 * len(text)
    return tag("g", *parts)


def _span(x: Axis, span: Span, top: float, rows: int) -> Node:
    start, end = x.at(span.start * rows), x.at(span.end * rows)
    width = max(1.5, end - start - 1)
    return tag("rect", tag("title", _told(span, rows)), x=start, y=top, width=width, height=18, class_=span.use)


def _told(span: Span, rows: int) -> str:
    start, end = round(span.start * rows), round(span.end * rows)
    return f"rows {count(start + 1)} to {count(end)} {span.use}"
