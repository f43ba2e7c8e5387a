"""Settings of training a baseline: the table ``[streams.NAME.training]``."""

from typing import Literal

from msgspec import Struct

from stream.duration import Duration
from stream.errors import SettingError

Scheme = Literal["auto", "split", "expanding", "k-fold"]


class Training(Struct, frozen=True, forbid_unknown_fields=True):
    """What a baseline is trained on, how it is chosen, and what for.

    ``rows``: the newest so many labelled rows. ``validation``: the scheme of stream.training.splits. ``budget``: of
    the search. Costs are in any unit; ``alert_budget``: the share of events that may be flagged, in their place.
    ``novelty``: detectors of anomalies are fitted on rows that are not labelled positive, else on all. ``pca``: the
    share of the variance that is kept before a detector that is fitted on the warm-up; None: all columns as they are.
    """

    rows: int = 100_000
    validation: Scheme = "auto"
    budget: Duration = Duration(60)
    cost_of_false_alarm: float = 1.0
    cost_of_miss: float = 1.0
    alert_budget: float | None = None
    novelty: bool = False
    pca: float | None = None


def check_training(key: str, training: Training, kind: str) -> None:
    """Check what a type cannot say; raises SettingError. ``kind``: the stream's."""
    if training.rows < 1:
        raise SettingError(f"{key}.rows", training.rows, "a whole number of at least 1")
    if not training.budget:
        raise SettingError(f"{key}.budget", 0, "more than 0")
    for name in ("cost_of_false_alarm", "cost_of_miss"):
        cost = getattr(training, name)
        if not 0 < cost < float("inf"):
            raise SettingError(f"{key}.{name}", cost, "a number above 0")
        if cost != 1.0 and kind != "binary":
            raise SettingError(f"{key}.{name}", cost, 'left out: costs are of the two answers of kind = "binary"')
    _check_detectors(key, training, kind)
    if training.alert_budget is None:
        return
    if kind == "multiclass":
        raise SettingError(f"{key}.alert_budget", training.alert_budget, 'left out where kind is "multiclass"')
    if not 0 < training.alert_budget < 1:
        raise SettingError(f"{key}.alert_budget", training.alert_budget, "a share between 0 and 1")
    if training.cost_of_false_alarm != 1.0 or training.cost_of_miss != 1.0:
        raise SettingError(f"{key}.alert_budget", training.alert_budget, "left out, or the costs are")


def _check_detectors(key: str, training: Training, kind: str) -> None:
    for name, off in (("novelty", False), ("pca", None)):
        if kind != "anomaly" and getattr(training, name) != off:
            allowed = 'left out: it is about the detectors of kind = "anomaly"'
            raise SettingError(f"{key}.{name}", getattr(training, name), allowed)
    if training.pca is not None and not 0 < training.pca < 1:
        raise SettingError(f"{key}.pca", training.pca, "a share between 0 and 1")
