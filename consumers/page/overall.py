"""The first part of a replay's page: what came out, in words and figures."""

from collections.abc import Sequence

from consumers.page.figures import count, number, per_thousand, score
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
        told["The baseline makes"] = _excess(seen, outcome.settings.monitor.tolerate_extra_errors_per_1000)
    kinds = [f"{kind} {count(times)}" for kind, times in seen.alarms.items() if times]
    told["Alarms"] = f"{count(outcome.raised)}{': ' if kinds else ''}{', '.join(kinds)}"
    if seen.off:
        told["Not tested"] = name("; ".join(f"{detector}: {why}" for detector, why in seen.off.items()))
    told["Retrains"] = _when(outcome.retrains, timeline)
    if seen.retrained is not None:
        told["The last retrain"] = name(seen.retrained.sentence)
    return told


def _excess(seen: MonitoringTotals, tolerated: float) -> str:
    excess = seen.excess
    said = f"{_more(excess['deployed'])}, in the {plural(seen.judged, 'labelled event')} judged since it came into use"
    said += ", or since a field of it was whole again"
    if "alarm" in excess:
        said += f"; {_more(excess['alarm'])}, since the first alarm that it makes more"
    return f"{said}. Tolerated: {number(tolerated)} more"


def _when(retrains: Sequence[Refitted], timeline: Timeline) -> str:
    places = [count(round(timeline.row(each.labelled))) for each in retrains[:NAMED]] if timeline.points else []
    more = f" and {count(len(retrains) - NAMED)} later" if len(retrains) > NAMED else ""
    return count(len(retrains)) + (f", at about row {', '.join(places)}{more}" if places else "")


def _more(excess: tuple[float, float, float]) -> str:
    mean, low, high = excess
    size = per_thousand(abs(mean))
    size += f" error{'' if size == '1' else 's'} {'fewer' if mean < 0 else 'more'} per 1,000 than the online model"
    return f"{size} (95% interval of the difference {per_thousand(low)} to {per_thousand(high)})"


def _models(outcome: Outcome) -> Node:
    """Errors, and how good the scores are."""
    more = {"log_loss": "log loss", "brier": "Brier score"}
    if outcome.settings.kind == "anomaly":
        more = {"roc_auc": "ROC AUC", "average_precision": "average precision"}
    rows: list[list[Content]] = []
    for model, named in (("served", "served"), ("online", "online model"), ("baseline", "baseline")):
        figures = outcome.models.get(model, {})
        events = outcome.totals.scoring.losses.get(model, (0, {}, {}))[0]
        if not events:
            continue
        errors = figures.get("errors")
        rows.append(
            [
                named,
                count(events),
                "-" if errors is None else count(errors),
                "-" if errors is None else per_thousand(errors / events),
                *("-" if (value := figures.get(each)) is None else score(value) for each in more),
            ]
        )
    if not rows:
        return tag("p", "No predicted event was labelled.")
    return table(["model", "labelled", "errors", "per 1,000", *more.values()], rows)


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
