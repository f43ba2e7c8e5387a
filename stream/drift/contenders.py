"""What may be asked whether something changed, all in one form: this project's detectors, river's, fixed windows.

Each takes an event's losses of the baseline and of the online model and says whether it detects something; after a
detection it begins anew.
"""

from collections import deque
from collections.abc import Callable

from msgspec import Struct

from stream.drift.detectors import FACTORIES
from stream.drift.rot import BASELINE, PAIRED, Limits, Reference, Rot, begin
from stream.watching import DETECTORS

Step = Callable[[float, float], bool]

WINDOW = 500
"""Events of a fixed window."""

RISE, GAP = 0.05, 0.02
"""What fixed windows alarm on: so much more loss than the reference, so much more than the online model's."""

COSTLY = "kswin"
"""The one that takes hundreds of microseconds an event."""


class Contender(Struct, frozen=True):
    """``begin`` makes its step, from the start. ``off``: why it cannot run.

    ``bound``: of the mean it tests (``gap``: of the gap, else of the baseline's loss); None where it asks for a change.
    """

    name: str
    begin: Callable[[], Step]
    bound: float | None = None
    gap: bool = False
    off: str = ""


def contenders(limits: Limits, reference: float | None, seed: int) -> list[Contender]:
    """All of them. ``reference``: the upper end of the baseline's risk, None where it is not known."""

    def rot() -> Rot:
        return begin(limits, Reference(reference), Reference())

    off = rot().off.get(BASELINE, "")
    known = 0.0 if off or reference is None else reference
    return [
        Contender("paired", lambda: _paired(rot()), limits.tolerance, gap=True),
        Contender("absolute", lambda: _absolute(rot()), known + limits.absolute_tolerance, off=off),
        *(Contender(name, _Errors(name, seed)) for name in DETECTORS),
        Contender("window: loss", lambda: window(known + RISE, gap=False), known + RISE, off=off),
        Contender("window: gap", lambda: window(GAP, gap=True), GAP, gap=True),
    ]


def _paired(rot: Rot) -> Step:
    update = rot.detectors[PAIRED].update
    return lambda baseline, online: update(baseline - online) is not None


def _absolute(rot: Rot) -> Step:
    update = rot.detectors[BASELINE].update
    return lambda baseline, _: update(baseline) is not None


class _Errors(Struct, frozen=True):
    """Begins one of river's detectors on the baseline's errors."""

    name: str
    seed: int

    def __call__(self) -> Step:
        detector = FACTORIES[self.name](self.seed)

        def step(baseline: float, _: float) -> bool:
            detector.update(baseline)
            return bool(detector.drift_detected)

        return step


def window(bound: float, *, gap: bool) -> Step:
    """Whether the mean of WINDOW events is above the bound; then the window is empty again."""
    last: deque[float] = deque()
    total = 0.0

    def step(baseline: float, online: float) -> bool:
        nonlocal total
        x = baseline - online if gap else baseline
        last.append(x)
        total += x
        if len(last) > WINDOW:
            total -= last.popleft()
        if len(last) < WINDOW or total <= bound * WINDOW:
            return False
        last.clear()
        total = 0.0
        return True

    return step
