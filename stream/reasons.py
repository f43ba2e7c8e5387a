"""What the monitor's reasons say, in words."""

from collections.abc import Sequence
from datetime import UTC, datetime

from stream.drift.findings import Finding
from stream.drift.guesses import Guessed
from stream.drift.judgement import After, Judgement
from stream.wording import plural

NAMED = 2
"""Findings that a reason names."""


def broken(findings: Sequence[Finding]) -> str:
    """The fields that are broken."""
    return _named([each for each in findings if each.schema])


def moved(findings: Sequence[Finding]) -> str:
    """What has moved; empty where nothing has."""
    return _named([each for each in findings if not each.schema])


def shifted(verdict: str, judgement: Judgement, after: After, maturity: float) -> str:
    """What is known of the costs of what has moved; ``maturity`` of labels, in seconds."""
    events, loss = plural(after.loss.events, judgement.one), 1000 * after.loss.mean
    if verdict == "benign_shift":
        return f"of {events} since the baseline {judgement.loses(loss)}, which is tolerated"
    if after.loss.events:
        return f"{events} since do not tell yet what it costs"
    if not maturity:
        return "no event since has its label yet"
    try:
        due = datetime.fromtimestamp(after.since + maturity, UTC).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):
        return "no event since has its label yet"
    return f"no event since has its label yet; the first are final by {due}"


def guessed(known: Guessed) -> str:
    """Why the models are thought to part."""
    share, bound = 1000 * (known.disagreement or 0.0), 1000 * (known.bound or 1.0)
    return (
        f"an estimate, without labels: the models disagree on more events than the {bound:.0f} of 1,000 that were to "
        f"be expected ({share:.0f} on average since this version is in use), so at least one of them has changed; "
        "which, labels will tell"
    )


def _named(findings: Sequence[Finding]) -> str:
    more = len(findings) - NAMED
    return "; ".join(each.sentence for each in findings[:NAMED]) + (f"; and {more} more" if more > 0 else "")
