"""What both models' alerts found over the stream, where positives are rare: a point a segment."""

import math
from typing import Any

from consumers.page.curves import Curve, curves
from consumers.page.figures import count, moment, percent, score
from consumers.page.markup import Content, Node, tag
from consumers.page.outcome import Outcome
from consumers.page.tables import figure, folded, grid, part, table

SHOWN = 200
"""Segments that are listed."""

FIGURES = {
    "average_precision": ("Average precision", "How well the scores put positives first; 1 is best."),
    "recall": ("Positives found", "The share of the positives that the alerts found, within their budget."),
    "card_precision": ("Card precision", "The share of a day's alerted cards that were worth it, a mean over days."),
}


def alerts(outcome: Outcome) -> Node | None:
    """Plots and a table; nothing where there are no segments, or the stream has no alerts."""
    segments = outcome.segments
    if outcome.settings.kind != "anomaly" or not segments:
        return None
    models = [model for model in ("online", "baseline") if any(_figures(each, model)["alerted"] for each in segments)]
    rows = [each["first"] for each in segments]
    drawn = []
    for name, (title, caption) in FIGURES.items():
        ys = {model: [_value(_figures(each, model).get(name)) for each in segments] for model in models}
        if any(math.isfinite(y) for values in ys.values() for y in values):
            lines = [Curve(model, ys[model], "first" if model == "online" else "second") for model in models]
            drawn.append(figure(curves(title, rows, lines, "row", title.lower()), caption))
    about = "Each point is a segment of the stream, at the row where it begins."
    heads = [
        "from",
        "labelled",
        "positives",
        *(f"{model}: {what}" for model in models for what in ("found", "avg. prec.")),
    ]
    listed = table(heads, [_row(each, models) for each in segments[:SHOWN]])
    more = len(segments) - SHOWN
    note = tag("p", f"And {count(more)} more: summary.json has them all.", class_="small-print") if more > 0 else None
    return part(
        "Alerts", tag("p", about, class_="small-print"), grid(drawn), folded("Figures of each segment", listed, note)
    )


def _row(segment: dict[str, Any], models: list[str]) -> list[Content]:
    served = _figures(segment, "served")
    cells: list[Content] = [
        moment(segment["begin"]) if "begin" in segment else f"row {count(segment['first'])}",
        count(segment["labelled"]),
        count(served["found"] + served["missed"]),
    ]
    for model in models:
        own = _figures(segment, model)
        value = own["average_precision"]
        cells += [percent(own["found"], own["found"] + own["missed"]), "-" if value is None else score(value)]
    return cells


def _figures(segment: dict[str, Any], model: str) -> dict[str, Any]:
    figures: dict[str, Any] = segment[model]
    return figures


def _value(value: float | None) -> float:
    return math.nan if value is None else value
