"""What is told of both models while a replay runs."""

from types import SimpleNamespace

from rich.progress import Progress

from consumers.screen import Bar
from stream.totals import Losses

ANSWERS: Losses = (200, {"error": 20.0}, {"error": 0.08})
ALERTS: Losses = (200, {"error": 20.0, "alerted": 9.0, "found": 3.0, "missed": 9.0}, {"error": 0.08})


def told(online: Losses, baseline: Losses) -> str:
    plan = SimpleNamespace(name="s", source=SimpleNamespace(fraction=lambda: 0.5))
    totals = SimpleNamespace(
        scoring=SimpleNamespace(inputs=SimpleNamespace(events=7), losses={"online": online, "baseline": baseline})
    )
    with Progress(disable=True) as progress:
        bar = Bar(progress, plan)
        bar.committed("replay", totals, 7, {})
        return progress.tasks[0].description


def test_both_models_recent_errors_are_told():
    assert told(ANSWERS, ANSWERS).endswith(", recent error: online 8.0% baseline 8.0%")


def test_where_positives_are_rare_it_is_told_how_many_were_found():
    assert told(ALERTS, ALERTS).endswith(", found: online 3 of 12 baseline 3 of 12")


def test_a_model_that_scored_nothing_yet_is_not_told_of():
    assert told(ALERTS, (0, {}, {})).endswith(", found: online 3 of 12")
    assert "error" not in told((0, {}, {}), (0, {}, {}))
