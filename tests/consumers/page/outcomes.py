"""What replays came to, made up."""

from consumers.page.outcome import Outcome
from consumers.page.replayed import replayed
from stream.chain import ChainTotals
from stream.config import Stream
from stream.drift.account import Accounted
from stream.drift.guesses import Guessed
from stream.drift.label_health import Shares
from stream.drift.sight import Labels
from stream.history import BINS, History, Point
from stream.labels import LabelCounts
from stream.monitoring import MonitoringTotals
from stream.records import Alarm
from stream.totals import InputCounts, ScoringTotals
from tests.consumers.page.reading import read

FIGURES = {"errors": 120, "log_loss": 0.25, "brier": 0.0625, "roc_auc": 0.875, "average_precision": 0.75}

ALERTED = {
    "alerted": 50, "found": 10, "missed": 30, "precision": 0.2, "recall": 0.25, "roc_auc": 0.875,
    "average_precision": 0.75,
}  # fmt: skip


def point(labelled, verdict="healthy", version="b1", **words):
    """A point; its event stands 100 rows below, behind a warm-up of as many."""
    made = {
        "errors": {"baseline": 0.1, "online": 0.1},
        "gap": (0.0, -0.01, 0.01),
        "evidence": {"paired": 0.01},
        "distances": {"number:x": 0.5},
        "scores": {"baseline": [1] * BINS, "online": [2] * BINS},
    }
    return Point(labelled, labelled + 100, version, verdict, **{**made, **words})


def alarm(position, kind="paired", verdict="baseline_rot", reason="because of this"):
    return Alarm("s", position, f"e{position}", 0.0, kind, verdict, None, {}, reason)


def scoring(labelled=2_000, version="b1", models=("online", "baseline", "served")):
    return ScoringTotals(
        inputs=InputCounts(predicted=labelled, events_dead=10),
        labels=LabelCounts(),
        waiting=0,
        held=0,
        early=0,
        oldest_age=0.0,
        clock=0.0,
        losses={model: (labelled, {}, {}) for model in models},
        versions={},
        delays=[],
        delay_sum=0.0,
        online_version="o",
        baseline_version=version,
        shadow_versions=[],
        blend_weight=None,
        reasons={},
    )


def monitoring(**words):
    made = {
        "alarms": {"paired": 2, "reverse": 0},
        "verdict": "baseline_rot",
        "reason": "it errs: retrain",
        "means": {},
        "evidence": {},
        "threshold": 40_000.0,
        "off": {},
        "judged": 12_345,
        "excess": {"deployed": (0.042, 0.031, 0.056)},
        "findings": [],
        "strengths": [],
        "account": Accounted(),
        "retrained": None,
        "guesses": Guessed(None, None, None, None, None),
        "labels": Labels(None, Shares({}, {}, {}), {}, None, None, None, ""),
        "watched": {},
    }
    counts = dict.fromkeys(("read", "profiles", "labelled", "left_out", "dead", "skipped", "lost"), 0)
    return MonitoringTotals(**counts, **{**made, **words})


def outcome(points=(), alarms=(), retrains=(), **words):
    made = {
        "stream": "s",
        "settings": Stream(classes=["ham", "spam"], warm_up=100),
        "totals": ChainTotals(scoring(), monitoring()),
        "models": {model: dict(FIGURES) for model in ("online", "baseline", "served")},
        "history": History(points=list(points)),
    }
    return Outcome(alarms=list(alarms), retrains=list(retrains), **{**made, **words})


def page_of(*arguments, **words):
    return read(replayed(outcome(*arguments, **words)))
