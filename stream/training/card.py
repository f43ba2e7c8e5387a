"""The model card: what a baseline was trained on, what else was tried, what its risk is, and how far to trust it."""

from typing import Literal

from msgspec import Struct

from stream.config import Features, Kind
from stream.fitness import MadeFor
from stream.reference import Reference
from stream.risk import Risk
from stream.training.aims import Aim
from stream.training.calibration import Bin
from stream.training.diagnosis import Point, Reading
from stream.training.keeping import Eliminated

ChosenBy = Literal["risk", "average precision", "stability"]

ALL_ROWS = "all rows"
"""The way to look back that is taken unless another does better."""


class Tried(Struct, frozen=True):
    """A candidate, and its risks on the rows it was fitted on and on those it was chosen by.

    On a stream of anomalies the risk is 1 less what ``Card.chosen_by`` names, there is none on the rows it was fitted
    on, and ``average_precision`` is that of the rows it was chosen by; None where no positive is among them.
    """

    candidate: str
    rows: int
    train_risk: float | None
    validation_risk: float
    brier: float
    average_precision: float | None = None


class Part(Struct, frozen=True):
    """A fold's rows, as shares of all from the oldest on: those that fit, and those that are then predicted."""

    fit: tuple[float, float]
    predict: tuple[float, float]


class Looked(Struct, frozen=True):
    """A way to look back: the rows that it fits, and its Brier score on the newest rows when these did not fit."""

    name: str
    rows: int
    brier: float


class Ahead(Struct, frozen=True):
    """A block of the judged rows, and the way to look back that was taken for the fit on rows before it."""

    name: str
    part: Part


class Lookbacks(Struct, frozen=True):
    """How the baseline came to look back so far.

    ``tried``: first the way that was taken, then the others, the best first, by the ``newest`` so many rows.
    ``judged``: each block of the judged rows, for which the newest rows before it decided.
    """

    newest: int
    tried: list[Looked]
    judged: list[Ahead]


class Calibration(Struct, frozen=True):
    """Expected calibration error, Brier score and reliability of the judged rows, before and after the sigmoid.

    ``used``: whether the baseline answers with what comes after it.
    """

    used: bool
    error_before: float
    error_after: float
    brier_before: float
    brier_after: float
    bins_before: list[Bin]
    bins_after: list[Bin]


class Card(Struct, frozen=True, kw_only=True):
    """All that is known of a trained baseline.

    ``risk`` is the procedure's: of the chosen recipe fitted on the rows before each block of the judged ones, as far
    back as the newest of them said. The baseline itself is then fitted on the judged ones too. ``absolute``: whether
    enough rows were judged for absolute rot to be measured against it.
    ``folds`` is empty where rows were drawn without order (a k-fold). ``features`` are the stream's, ``kept`` the
    columns that the chosen candidate uses. ``fitted``: rows that the baseline itself has learned from.
    A baseline that was trained elsewhere has no recipe, folds, reading, or comparison.
    ``lookbacks``: None where there was no choice but all rows.
    ``flagged``: the share of the judged rows that were called positive, where the aim is a budget of alerts.
    On a stream of anomalies the risk is of the judged positives alone, its ``rows``: the share of them that
    ``stream.missed`` counts as missed. There is no calibration, and ``chosen_by`` says what candidates were chosen by.
    ``judged``: how many rows judged. Where not all rows may (stream.sample), ``classes`` and ``reference`` are of those
    that may.
    ``against_plain``: mean and 95% interval of the plain candidate's losses less the chosen one's, on the judged rows.
    """

    stream: str
    kind: Kind
    features: Features
    version: str
    chosen: str
    plain: str
    scheme: str
    folds: list[Part]
    rows: int
    fitted: int
    first: float | None
    last: float | None
    classes: dict[str, int]
    left_out: dict[str, int]
    aim: Aim
    threshold: float
    flagged: Risk | None
    risk: Risk
    absolute: bool
    trivial_risk: float
    against_plain: tuple[float, float, float] | None
    reading: Reading | None
    leaks: list[str]
    calibration: Calibration | None
    tried: list[Tried]
    lookbacks: Lookbacks | None
    cut_short: bool
    learning_curve: list[Point]
    stopping_curve: list[float]
    elimination_curve: list[Eliminated]
    kept: list[str]
    reference: Reference
    fingerprint: str
    packages: dict[str, str]
    seed: int
    seconds: float
    chosen_by: ChosenBy = "risk"
    judged: int = 0

    @property
    def judged_rows(self) -> int:
        """How many rows judged; cards from before ``judged`` was there have a risk of all of them."""
        return self.judged or self.risk.rows

    @property
    def made_for(self) -> MadeFor:
        """What the baseline can score."""
        return MadeFor(self.kind, list(self.classes), self.features)

    @property
    def recipe(self) -> str:
        """The chosen candidate, with how far back it looks where that is not all rows."""
        back = self.lookbacks.tried[0].name if self.lookbacks else ALL_ROWS
        return self.chosen if back == ALL_ROWS else f"{self.chosen}, {back}"
