"""The first part of a replay's page: what came out, in words and figures."""

from collections.abc import Callable, Sequence
from typing import Any

from consumers.page.figures import count, number, per_thousand, percent, score
from consumers.page.loss import Loss
from consumers.page.markup import Content, Node, name, tag
from consumers.page.outcome import Outcome
from consumers.page.tables import facts, folded, part, table
from consumers.page.timeline import Timeline
from consumers.page.turns import BAD
from stream.monitoring import MonitoringTotals
from stream.refitting import Refitted
from stream.wording import plural

SHOWN = 50
"""Retrains that are listed."""

NAMED = 5
"""Retrains that are named at once."""


def overall(outcome: Outcome, timeline: Timeline) -> Node:
    """The verdict, what it is about, and both models' figures."""
    return part(
        "What came out",
        _verdict(outcome),
        facts(_counts(outcome, timeline)),
        _models(outcome),
        _retrains(outcome.retrains, timeline),
    )


def _verdict(outcome: Outcome) -> Node:
    seen = outcome.monitoring
    if seen is None:
        return tag("p", "There was no monitor, and so there is no verdict.", class_="sum")
    said: list[Content] = ["Verdict at the end: ", tag("strong", seen.verdict), ": ", name(seen.reason), "."]
    return tag("p", *said, class_="alarm" if seen.verdict in BAD else "calm")


def _counts(outcome: Outcome, timeline: Timeline) -> dict[str, Content]:
    scoring, seen = outcome.totals.scoring, outcome.monitoring
    labelled = scoring.losses["served"][0] if "served" in scoring.losses else 0
    told: dict[str, Content] = {
        "Events": f"{count(scoring.inputs.events)}, of which {count(scoring.inputs.predicted)} were predicted",
        "Labelled": f"{count(labelled)} of the predicted events",
    }
    if scoring.baseline_version is not None:
        told["Baseline"] = tag("span", tag("code", scoring.baseline_version), " at the end")
    if seen is None:
        return told
    if "deployed" in seen.excess:
        told["The baseline makes"] = _excess(outcome, seen)
    kinds = [f"{kind} {count(times)}" for kind, times in seen.alarms.items() if times]
    told["Alarms"] = f"{count(outcome.raised)}{': ' if kinds else ''}{', '.join(kinds)}"
    if seen.off:
        told["Not tested"] = name("; ".join(f"{detector}: {why}" for detector, why in seen.off.items()))
    told["Retrains"] = _when(outcome.retrains, timeline)
    if seen.retrained is not None:
        told["The last retrain"] = name(seen.retrained.sentence)
    return told


def _excess(outcome: Outcome, seen: MonitoringTotals) -> str:
    excess, loss = seen.excess, Loss.judged(outcome.settings.kind)
    tolerated = outcome.settings.monitor.tolerate_extra_errors_per_1000
    judged = plural(seen.judged, loss.of_what.removesuffix("s"))
    said = f"{_more(excess['deployed'], loss)}, in the {judged} judged since it came into use"
    said += ", or since a field of it was whole again"
    if "alarm" in excess:
        said += f"; {_more(excess['alarm'], loss)}, since the first alarm that it makes more"
    return f"{said}. Tolerated: {number(tolerated)} more"


def _when(retrains: Sequence[Refitted], timeline: Timeline) -> str:
    places = [count(round(timeline.row(each.labelled))) for each in retrains[:NAMED]] if timeline.points else []
    more = f" and {count(len(retrains) - NAMED)} later" if len(retrains) > NAMED else ""
    return count(len(retrains)) + (f", at about row {', '.join(places)}{more}" if places else "")


def _more(excess: tuple[float, float, float], loss: Loss) -> str:
    mean, low, high = excess
    size = per_thousand(abs(mean))
    size += (
        f" {loss.one if size == '1' else loss.many} {'fewer' if mean < 0 else 'more'} per 1,000 than the online model"
    )
    return f"{size} (95% interval of the difference {per_thousand(low)} to {per_thousand(high)})"


def _models(outcome: Outcome) -> Node:
    """How right the answers are, or what the alerts found; and how good the scores are."""
    if outcome.settings.kind == "anomaly":
        heads, of = _alerts(outcome.models)
    else:
        heads, of = ["errors", "per 1,000", "log loss", "Brier score"], _answers
    rows: list[list[Content]] = []
    for model, named in (("served", "served"), ("online", "online model"), ("baseline", "baseline")):
        events = outcome.totals.scoring.losses.get(model, (0, {}, {}))[0]
        if events:
            rows.append([named, count(events), *of(outcome.models.get(model, {}), events)])
    if not rows:
        return tag("p", "No predicted event was labelled.")
    return table(["model", "labelled", *heads], rows)


def _answers(figures: dict[str, Any], events: int) -> list[Content]:
    errors = figures.get("errors")
    return [
        "-" if errors is None else count(errors),
        "-" if errors is None else per_thousand(errors / events),
        *(_score(figures.get(each)) for each in ("log_loss", "brier")),
    ]


def _alerts(models: dict[str, dict[str, Any]]) -> tuple[list[str], Callable[[dict[str, Any], int], list[Content]]]:
    """The heads, and what makes a model's cells; card precision is among them where it is counted."""
    scores = {"precision": "precision", "average_precision": "average precision", "roc_auc": "ROC AUC"}
    if any("card_precision" in figures for figures in models.values()):
        scores["card_precision"] = "card precision"

    def of(figures: dict[str, Any], _: int) -> list[Content]:
        found, alerted = figures.get("found", 0), figures.get("alerted", 0)
        positives = found + figures.get("missed", 0)
        return [
            count(alerted),
            f"{count(found)} of {count(positives)} ({percent(found, positives)})",
            *(_score(figures.get(each)) for each in scores),
        ]

    return ["alerted", "positives found", *scores.values()], of


def _score(value: float | None) -> str:
    return "-" if value is None else score(value)


def _retrains(retrains: Sequence[Refitted], timeline: Timeline) -> Node | None:
    if not retrains:
        return None
    rows: list[list[Content]] = [
        [
            count(each.labelled),
            f"about {count(round(timeline.row(each.labelled)))}" if timeline.points else "-",
            count(each.rows),
            tag("code", each.version),
        ]
        for each in retrains[:SHOWN]
    ]
    made = table(["after labelled events", "at row", "fitted on the newest", "baseline"], rows)
    more = len(retrains) - SHOWN
    note = tag("p", f"And {count(more)} more: summary.json has them all.", class_="small-print") if more > 0 else None
    return folded("When it was retrained", made, note)
