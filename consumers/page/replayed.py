"""The page of a replay as a whole."""

from consumers.page.alerts import alerts
from consumers.page.document import document
from consumers.page.error_shares import error_shares
from consumers.page.evidence import evidence
from consumers.page.figures import count, number
from consumers.page.gap import gap
from consumers.page.heat import heat
from consumers.page.loss import Loss
from consumers.page.markup import Node, name, tag
from consumers.page.outcome import Outcome
from consumers.page.overall import overall
from consumers.page.slices import slices
from consumers.page.stretches import stretches
from consumers.page.tables import part
from consumers.page.timeline import Timeline
from consumers.page.turns import turns
from stream.history import FIRST

AGAINST = "Baseline against online model"


def replayed(outcome: Outcome) -> str:
    """What a replay came to as one HTML file to read: no script, nothing to fetch."""
    timeline = Timeline(outcome.settings.warm_up, outcome.points)
    return document(
        f"{outcome.stream}: replay",
        _header(outcome),
        overall(outcome, timeline),
        alerts(outcome),
        slices(outcome),
        *_over_time(outcome, timeline),
        turns(outcome),
    )


def _header(outcome: Outcome) -> Node:
    settings = outcome.settings
    monitor, loss = settings.monitor, Loss.judged(settings.kind)
    said = f"All figures are from after the warm-up of {count(settings.warm_up)} rows."
    if outcome.monitoring is not None:
        said += (
            f" The monitor tolerates {number(monitor.tolerate_extra_errors_per_1000)} {loss.many} more per 1,000 than "
            f"the online model makes, {number(monitor.tolerate_above_reference_per_1000)} more than a model made when "
            f"it was new, and on average one false alarm in {count(monitor.false_alarm_every)} {loss.of_what} at most."
        )
    return tag(
        "header",
        tag("p", "Replay", class_="kind"),
        tag("h1", name(outcome.stream)),
        tag(
            "p", "Baseline: ", name(settings.baseline), "; online model: ", name(settings.online), ".", class_="recipe"
        ),
        tag("p", said, class_="small-print"),
    )


def _over_time(outcome: Outcome, timeline: Timeline) -> list[Node]:
    """The pictures, or why there are none."""
    if outcome.history is None:
        return [part("Over the stream", tag("p", "There was no monitor, and so nothing was noted on the way."))]
    if not timeline.points:
        said = f"There were fewer labelled events than the {FIRST} that it takes for a first point."
        return [part("Over the stream", tag("p", said))]
    against = gap(outcome, timeline)
    found: list[tuple[str, Node | None]] = [
        (f"{Loss.judged(outcome.settings.kind).many.capitalize()} and verdicts", error_shares(outcome, timeline)),
        (AGAINST, against),
        ("Evidence", evidence(outcome, timeline)),
        ("Drift of the inputs", heat(timeline)),
        ("Scores", stretches(outcome, timeline)),
    ]
    parts = [part(title, content) for title, content in found if content is not None]
    if against is None:
        parts.insert(1, part(AGAINST, tag("p", "No baseline was compared with the online model.")))
    return parts
