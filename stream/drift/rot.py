"""The rot monitor: four detectors side by side, on the losses of the baseline and of the online model.

| detector | alarm says |
|---|---|
| ``paired`` | the baseline's expected loss exceeds the online model's by more than is tolerated |
| ``reverse`` | the online model's exceeds the baseline's by more than is tolerated |
| ``absolute_baseline`` | the baseline's exceeds what it was known to be, by more than is tolerated |
| ``absolute_online`` | the online model's exceeds what it was known to be, by more than is tolerated |

Each runs at four times ``false_alarm_every``: one bound for the four together. While all that each tests for is absent,
the expected number of alarms in any T labelled events is at most T / false_alarm_every, and what an earlier change has
left behind: at most one alarm a detector. An absolute bound holds for references that are above the true risk.
"""

import math
from typing import Literal

from msgspec import Struct

from stream.config import LEAST_TOLERANCE, Loss
from stream.drift.bounded import Bounded, Null
from stream.drift.evidence import Crossing, Detector, Evidence
from stream.errors import RecordError, SettingError

PAIRED, REVERSE, BASELINE, ONLINE = "paired", "reverse", "absolute_baseline", "absolute_online"
DETECTORS = 4

BASELINE_LOSS, ONLINE_LOSS, BASELINE_BRIER, ONLINE_BRIER = (
    Bounded(name, 0.0, 1.0) for name in ("baseline loss", "online loss", "baseline Brier score", "online Brier score")
)

LEAST_PRODUCT = DETECTORS * LEAST_TOLERANCE / 1000
"""Of tolerance and threshold: below it the evidence of events that tell nothing settles above 17% of the threshold."""


class Reference(Struct, frozen=True):
    """Upper bounds of a model's risk when nothing had changed, as ``Risk.high`` is; None where there is none.

    The baseline's are its card's, the online model's those of its prequential losses on the warm-up.
    """

    errors: float | None = None
    brier: float | None = None


class Limits(Struct, frozen=True):
    """What is tolerated. ``false_alarm_every``: labelled events, jointly; tolerances in losses an event.

    ``errors+brier``: every detector tests the mean of the evidence of the errors and of the Brier scores. ``missed``:
    the labelled events are positives only, and an error is one that an alert budget does not reach (stream.missed).
    """

    false_alarm_every: int = 10_000
    tolerance: float = 0.010
    absolute_tolerance: float = 0.020
    loss: Loss | Literal["missed"] = "errors"

    @property
    def rare(self) -> bool:
        """Whether positives alone count."""
        return self.loss == "missed"


class Rot(Struct):
    """The four detectors of one champion version; ``off`` says why one is not among them.

    >>> rot = begin(Limits(), Reference(0.03), Reference())
    >>> rot.off
    {'absolute_online': 'no reference of its errors'}
    >>> alarms = [alarm for _ in range(40) for alarm in rot.update(1.0, 0.0)]
    >>> [(alarm.detector, alarm.event) for alarm in alarms][:2]
    [('absolute_baseline', 6), ('absolute_baseline', 12)]
    """

    loss: Loss | Literal["missed"]
    detectors: dict[str, Detector]
    off: dict[str, str]
    events: int = 0

    def update(
        self,
        baseline: float,
        online: float,
        baseline_brier: float | None = None,
        online_brier: float | None = None,
    ) -> list[Crossing]:
        """Take in one labelled event: both models' losses, and Brier scores if the loss has them, all in [0, 1].

        Raises RecordError, with nothing changed, for a loss that is missing, out of range or NaN. A Brier score of
        several classes is to be halved.
        """
        BASELINE_LOSS.check(baseline)
        ONLINE_LOSS.check(online)
        gap = baseline - online
        values: dict[str, tuple[float, ...]]
        values = {PAIRED: (gap,), REVERSE: (-gap,), BASELINE: (baseline,), ONLINE: (online,)}
        if self.loss == "errors+brier":
            briers = _checked(BASELINE_BRIER, baseline_brier), _checked(ONLINE_BRIER, online_brier)
            further = briers[0] - briers[1]
            for name, value in zip((PAIRED, REVERSE, BASELINE, ONLINE), (further, -further, *briers), strict=True):
                # An absolute detector without a reference of Brier scores tests the errors alone.
                if name in self.detectors and len(self.detectors[name].parts) > 1:
                    values[name] += (value,)
        self.events += 1
        crossings = []
        for name, detector in self.detectors.items():
            crossing = detector.update(*values[name])
            if crossing is not None:
                crossings.append(crossing)
        return crossings

    def since_alarms(self) -> dict[str, int]:
        """Labelled events since the last alarm of each detector that has raised one; 0: at this event."""
        alarmed = [(name, each.events, each.last_alarm) for name, each in self.detectors.items()]
        return {name: events - last for name, events, last in alarmed if last is not None}


def begin(limits: Limits, baseline: Reference, online: Reference) -> Rot:
    """Begin anew, as with each champion version. Raises SettingError for limits that would alarm on nothing.

    An absolute detector without a reference of errors is off; one without a reference of Brier scores tests the errors
    alone.
    """
    every = float(DETECTORS * limits.false_alarm_every)
    if not limits.tolerance * every >= LEAST_PRODUCT:
        least = LEAST_PRODUCT / every if every > 0 else math.inf
        raise SettingError("tolerance", limits.tolerance, f"at least {least:g} with that false_alarm_every")
    if not limits.absolute_tolerance >= 0:
        raise SettingError("absolute_tolerance", limits.absolute_tolerance, "0 or more")
    kinds = ["errors", "brier"] if limits.loss == "errors+brier" else ["errors"]
    detectors, off = {}, {}
    for name in (PAIRED, REVERSE):
        nulls = [Null(f"{name}_{kind}", -1.0, 1.0, limits.tolerance) for kind in kinds]
        detectors[name] = Detector(name, every, [Evidence(null) for null in nulls])
    for name, reference in ((BASELINE, baseline), (ONLINE, online)):
        found = [(kind, risk) for kind in kinds if (risk := getattr(reference, kind)) is not None]
        bounds = [(kind, risk + limits.absolute_tolerance) for kind, risk in found]
        if reference.errors is None:
            off[name] = "no reference of its errors"
        elif max(bound for _, bound in bounds) >= 1.0:
            off[name] = "its reference and what is tolerated reach 1, which no risk is above"
        else:
            nulls = [Null(f"{name}_{kind}", 0.0, 1.0, bound) for kind, bound in bounds]
            detectors[name] = Detector(name, every, [Evidence(null) for null in nulls])
    return Rot(limits.loss, detectors, off)


def _checked(place: Bounded, loss: float | None) -> float:
    if loss is None:
        raise RecordError(place.name, "is missing, and this stream's evidence is of Brier scores too")
    place.check(loss)
    return loss
