"""What the registry knows of a version without fetching its files: MLflow's tags, read and written."""

from typing import Any

from msgspec import Struct

from consumers.fingerprint import fingerprint
from stream.training.card import Card


class Registered(Struct, frozen=True):
    """A trained baseline in the registry.

    ``number`` is MLflow's, from 1 on in each stream; ``version`` is the baseline's own, which records name. ``created``
    and the training range ``first`` to ``last`` are seconds since the epoch. ``risk`` is the mean loss on the judged
    rows with its 95% interval. ``parent``: the champion's number when it was added. ``code`` and ``data`` are
    fingerprints, ``run`` MLflow's run that holds the files.
    """

    stream: str
    number: int
    version: str
    sha256: str
    card_sha256: str
    run: str
    created: float
    first: float | None
    last: float | None
    rows: int
    risk: tuple[float, float, float]
    parent: int | None
    code: str
    data: str

    @property
    def name(self) -> str:
        """How errors name it."""
        return f"{self.stream} version {self.number} ({self.version})"


def tags_of(card: Card, sha256: str, card_sha256: str, parent: int | None) -> dict[str, str]:
    """The tags of a version to be made."""
    tags: dict[str, Any] = {
        "baseline": card.version,
        "sha256": sha256,
        "card_sha256": card_sha256,
        "first": card.first,
        "last": card.last,
        "rows": card.rows,
        "risk": card.risk.mean,
        "risk_low": card.risk.low,
        "risk_high": card.risk.high,
        "parent": parent,
        "code": fingerprint(),
        "data": card.fingerprint,
    }
    return {name: str(value) for name, value in tags.items() if value is not None}


def read_tags(stream: str, found: Any) -> Registered | None:
    """What MLflow's model version says; None for one that rotwatch has not made."""
    tags: dict[str, str] = found.tags
    try:
        return Registered(
            stream=stream,
            number=int(found.version),
            version=tags["baseline"],
            sha256=tags["sha256"],
            card_sha256=tags["card_sha256"],
            run=found.run_id,
            created=found.creation_timestamp / 1000,
            first=float(tags["first"]) if "first" in tags else None,
            last=float(tags["last"]) if "last" in tags else None,
            rows=int(tags["rows"]),
            risk=(float(tags["risk"]), float(tags["risk_low"]), float(tags["risk_high"])),
            parent=int(tags["parent"]) if "parent" in tags else None,
            code=tags["code"],
            data=tags["data"],
        )
    except (KeyError, ValueError):
        return None


def parameters(card: Card) -> dict[str, str]:
    """What was chosen, for MLflow's tables."""
    aim = card.aim
    chosen: dict[str, Any] = {
        "kind": card.kind,
        "chosen": card.recipe,
        "scheme": card.scheme,
        "seed": card.seed,
        "threshold": card.threshold,
        "calibrated": card.calibration.used if card.calibration else None,
        "cost_of_false_alarm": aim.cost_of_false_alarm,
        "cost_of_miss": aim.cost_of_miss,
        "alert_budget": aim.alert_budget,
        "classes": ", ".join(card.classes),
        "columns": ", ".join(card.kept),
    }
    return {
        name: str(value)[:6000] for name, value in chosen.items() if value is not None
    }  # MLflow takes no longer one


def metrics(card: Card) -> dict[str, float]:
    """Its figures, for MLflow's tables."""
    made = card.calibration
    calibration = (
        {}
        if made is None
        else {
            "calibration_error_before": made.error_before,
            "calibration_error_after": made.error_after,
            "brier_before": made.brier_before,
            "brier_after": made.brier_after,
        }
    )
    return calibration | {
        "risk": card.risk.mean,
        "risk_low": card.risk.low,
        "risk_high": card.risk.high,
        "judged_rows": card.judged_rows,
        "rows": card.rows,
        "fitted_rows": card.fitted,
        "trivial_risk": card.trivial_risk,
        "seconds": card.seconds,
    }
