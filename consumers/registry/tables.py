"""Versions and their cards as tables for a terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table

from consumers.registry.registered import Registered
from consumers.registry.registry import InUse
from stream.training.card import Card, Lookbacks


def versions_table(versions: Sequence[Registered], used: InUse) -> Table:
    """A line a version, the newest first."""
    table = Table("number", "in use", "version", "added", "trained on", "rows", "risk per 1,000", "champion then")
    for one in reversed(versions):
        then = "-" if one.parent is None else str(one.parent)
        cells = (_role(one, used), one.version, _time(one.created), _range(one.first, one.last), f"{one.rows:,}")
        table.add_row(str(one.number), *cells, _risk(one.risk), then)
    return table


def cards_table(shown: Sequence[tuple[Registered, Card]], used: InUse) -> Table:
    """What is known of each version, side by side."""
    table = Table("", *(f"version {one.number}" for one, _ in shown))
    columns = [_lines(one, card, used) for one, card in shown]
    for what in columns[0]:
        table.add_row(what, *(lines[what] for lines in columns))
    return table


def _lines(one: Registered, card: Card, used: InUse) -> dict[str, str]:
    risk, calibration, aim = card.risk, card.calibration, card.aim
    rows = sum(card.classes.values())
    of = "positives" if card.kind == "anomaly" else "rows"
    if aim.alert_budget is None:
        chosen_for = f"a false alarm costs {aim.cost_of_false_alarm:g}, a miss {aim.cost_of_miss:g}"
    else:
        chosen_for = f"the most found within alerts on {aim.alert_budget:.1%} of the events"
    searched = f"{len(card.tried):,} tried in {card.seconds:,.0f} s{', cut short by the budget' * card.cut_short}"
    return {
        "version": one.version,
        "in use": _role(one, used),
        "added": f"{_time(one.created)}, champion then: {one.parent or 'none'}",
        "recipe": card.recipe,
        "trained on": f"{card.rows:,} rows, {_range(card.first, card.last)}; fitted on the last {card.fitted:,}",
        "how far back": "-" if card.lookbacks is None else _lookbacks(card.lookbacks),
        "classes": ", ".join(f"{name} {count / max(rows, 1):.1%}" for name, count in card.classes.items()),
        "left out": ", ".join(f"{count:,} {why}" for why, count in card.left_out.items()) or "none",
        "risk per 1,000": f"{_risk((risk.mean, risk.low, risk.high))}, {risk.method}, {risk.rows:,} {of} judged",
        "one answer for all rows": f"{1000 * card.trivial_risk:.1f}",
        "fewer than the plain recipe": "-"
        if card.against_plain is None
        else f"{_risk(card.against_plain)} ({card.plain})",
        "for absolute rot": f"enough {of} judged" if card.absolute else f"too few {of} judged",
        "fit": "-" if card.reading is None else f"{card.reading.fit}: {card.reading.reason}",
        "leaks": ", ".join(card.leaks) or "none",
        "calibration error": "-"
        if calibration is None
        else _change(calibration.error_before, calibration.error_after, calibration.used),
        "Brier score": "-"
        if calibration is None
        else _change(calibration.brier_before, calibration.brier_after, calibration.used),
        "threshold": f"{card.threshold:.4g}; {chosen_for}",
        "columns": ", ".join(card.kept),
        "search": f"by {card.chosen_by}, {searched}; {card.scheme}, seed {card.seed}",
        "packages": ", ".join(f"{name} {version}" for name, version in card.packages.items()) or "-",
        "fingerprints": f"data {one.data[:12]}, code {one.code[:12]}, file {one.sha256[:12]}",
    }


def _lookbacks(lookbacks: Lookbacks) -> str:
    scores = ", ".join(f"{way.name} {way.brier:.4f}" for way in lookbacks.tried)
    return f"{lookbacks.tried[0].name}; Brier scores of the newest {lookbacks.newest}: {scores}"


def _role(one: Registered, used: InUse) -> str:
    if used.champion is not None and one.number == used.champion.number:
        return "champion"
    return "challenger" if used.challenger is not None and one.number == used.challenger.number else ""


def _risk(figures: tuple[float, float, float]) -> str:
    mean, low, high = (1000 * figure for figure in figures)
    return f"{mean:.1f} ({low:.1f} to {high:.1f})"


def _change(before: float, after: float, used: bool) -> str:
    return f"{before:.4f}; {after:.4f} behind a sigmoid, which is {'' if used else 'not '}used"


def _range(first: float | None, last: float | None) -> str:
    return "no times" if first is None or last is None else f"{_time(first)} to {_time(last)}"


def _time(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}Z"
    except (ValueError, OverflowError, OSError):  # beyond the calendar: another registered it
        return f"{seconds:g} s since 1970"
