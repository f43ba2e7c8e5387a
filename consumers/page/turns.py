"""The last part of a replay's page: how the verdict changed, and why."""

from typing import Literal

from consumers.page.figures import count
from consumers.page.markup import Content, Node, name, tag
from consumers.page.outcome import Outcome
from consumers.page.tables import part, table
from stream.records import VERDICT, Alarm

SHOWN = 50
"""Alarms and changes that are listed."""

BAD = ("baseline_rot", "data_quality", "hard_shift", "online_fault")
GOOD = ("healthy", "benign_shift")

Look = Literal["against", "weigh", "for"]


def look(verdict: str) -> Look:
    """What a verdict looks like: as what speaks against, for, or is to be weighed."""
    return "against" if verdict in BAD else "for" if verdict in GOOD else "weigh"


def turns(outcome: Outcome) -> Node | None:
    """Alarms and changes of the verdict, the first ones first; nothing where there was no monitor."""
    if outcome.monitoring is None:
        return None
    title, alarms = "How the verdict changed", outcome.alarms
    if not alarms:
        return part(title, tag("p", f"It did not: it was {outcome.monitoring.verdict}, and there was no alarm."))
    made = table(["from row", "verdict", "because of", "reason"], [_row(alarm) for alarm in alarms[:SHOWN]])
    made.set("class", "wide turns")
    more = len(alarms) - SHOWN
    note = f"And {count(more)} more: the file of alarms has them all." if more > 0 else None
    return part(title, made, tag("p", note, class_="small-print") if note else None)


def _row(alarm: Alarm) -> list[Content]:
    why = "no alarm" if alarm.kind == VERDICT else f"alarm: {alarm.kind}"
    verdict = tag("span", alarm.verdict, class_=f"turn {look(alarm.verdict)}")
    return [count(alarm.position), verdict, why, name(alarm.reason) if alarm.reason else None]
