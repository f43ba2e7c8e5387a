"""The warm-up: labelled rows from before the stream begins; they fit the baseline and pre-train the online model."""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from stream import baseline as batch
from stream.baseline import Baseline
from stream.config import Stream
from stream.derived import Derived
from stream.digest import digest
from stream.errors import RecordError, SettingError, TrainingError
from stream.factories import guarded, make_baseline, make_online
from stream.features import FeatureExtractor, ModelInput, Row
from stream.given import GIVEN, GivenScore
from stream.models import Before, Models
from stream.online import OnlineModel
from stream.records import Score
from stream.reference import Expected
from stream.validation import baseline_scores, expected, missed_risk, online_missed, online_risk


class WarmUp(Struct):
    """Models made ready on a warm-up.

    ``stream`` has its classes filled in. ``taken`` are the rows that were used: which of those given each is, its row
    and the index of its class, -1 without a label. ``unused`` counts those left out, by the reason.
    """

    stream: Stream
    models: Models
    taken: list[tuple[int, Row, int]]
    unused: dict[str, int]

    @property
    def used(self) -> int:
        """How many rows were used."""
        return len(self.taken)

    @property
    def artifact(self) -> bytes:
        """The baseline's skops file, empty where there is none."""
        return self.models.artifact


def warm_up(
    key: str,
    stream: Stream,
    rows: Sequence[tuple[dict[str, Any], str | RecordError | None]],
    times: Sequence[tuple[float, float]] = (),
    fair: Sequence[bool] = (),
) -> WarmUp:
    """Fit the baseline and pre-train the online model on (fields, label) rows, in order.

    ``times``: when each row's event was, and when its label came; what is derived of them is needed for. ``fair``:
    which rows' labels are in the sample that is judged by (stream.sample), all where it is empty. ``key`` is where the
    stream's settings stand, for errors. Without rows the online model starts from nothing, and there is no baseline.
    Raises SettingError for a model or class that does not fit, TrainingError for rows that cannot be trained on.
    """
    stream = name_classes(key, stream, [label for _, label in rows if isinstance(label, str)])
    extractor = FeatureExtractor(stream.features)
    derived = Derived(stream.features)
    taken, unused = _usable(stream, extractor, rows, _Deriving(derived, times))
    usable, labels = [row for _, row, _ in taken], [label for _, _, label in taken]
    counts = [fair[at] and label >= 0 for at, _, label in taken] if fair else [True] * len(taken)
    fields = [rows[at][0] for at, _, _ in taken]
    if rows and not usable:
        worst = max(unused, key=lambda reason: unused[reason])
        raise TrainingError(f"none of the {len(rows)} warm-up rows can be used; the most frequent reason: {worst}")
    many = stream.classes if stream.kind == "multiclass" else []
    inputs = extractor.inputs(usable)
    learner: OnlineModel | GivenScore
    alerts: tuple[list[Any], list[Any]] = ([], [])
    risk = None
    if stream.online.startswith(GIVEN):
        learner, name = GivenScore(stream.online.removeprefix(GIVEN), many), stream.online
    else:
        learner = OnlineModel(make_online(key, stream), stream.kind, len(stream.classes))
        with guarded(f"the online model {stream.online}"):
            alerts[0].extend(_pretrain(learner, inputs, labels))
        if stream.kind == "anomaly":
            risk = online_missed(alerts[0], labels, counts)
        else:
            risk = online_risk(alerts[0], labels, counts)
        name = f"{stream.online}-{digest([stream.features.columns, usable, labels])[:12]}"
    unseen: Sequence[Score] = []
    frozen, artifact = _baseline(key, stream, extractor, usable, labels, many)
    if isinstance(frozen, Baseline):
        with guarded(f"the baseline {stream.baseline}"):
            frozen.score(extractor.frame(usable[:8]))
            if stream.kind == "anomaly":
                frame = extractor.frame(usable)
                unseen = _unseen(key, stream, frame, labels)
                alerts[1].extend(unseen or frozen.score(frame))
    models = Models(learner, name, frozen, artifact=artifact, online_risk=risk, derived=derived)
    if stream.kind == "anomaly":
        for side, model in enumerate((learner, frozen)):
            if isinstance(model, GivenScore):
                alerts[side].extend(_given(model, [each for each, _ in rows]))
        models.thresholds = (_threshold(stream, alerts[0]), _threshold(stream, alerts[1]))
        # An online model that has learned next to nothing yet scores as it never will again.
        scored = unseen if isinstance(frozen, Baseline) else alerts[1]
        models.before = Before(alerts[0][len(alerts[0]) // 2 :], list(scored), [time for time, _ in times])
    if frozen is not None and usable:
        given = alerts[1] if stream.kind == "anomaly" else [*_given(frozen, fields)]
        scores = unseen if isinstance(frozen, Baseline) and stream.kind == "anomaly" else given
        models.expected = _expected(key, stream, extractor.frame(usable), labels, list(scores), counts)
    return WarmUp(stream, models, taken, unused)


class _Deriving:
    """Puts derived columns into rows in their order; ``times`` as ``warm_up`` has them."""

    def __init__(self, derived: Derived, times: Sequence[tuple[float, float]]) -> None:
        self.derived = derived
        self.times = times
        self.clock = -math.inf

    def __call__(self, at: int, row: Row, label: int) -> None:
        """Of the row that is at a place, with the index of its class, -1 without a label."""
        if not self.derived:
            return
        time, came = self.times[at]
        self.clock = max(self.clock, time)
        self.derived.advance(self.clock)
        self.derived.add(row, time)
        if label >= 0:
            self.derived.expect(row, came, positive=label == 1)


def _usable(
    stream: Stream,
    extractor: FeatureExtractor,
    rows: Sequence[tuple[dict[str, Any], str | RecordError | None]],
    derive: "_Deriving",
) -> tuple[list[tuple[int, Row, int]], dict[str, int]]:
    """The rows that can be trained on, as WarmUp has them, and how many cannot, by the reason.

    What is derived is of all that can be read, labelled or not, as it will be on the stream.
    """
    known = {name: index for index, name in enumerate(stream.classes)}
    known.update({written: known[meant] for written, meant in stream.labels.values.items()})
    taken: list[tuple[int, Row, int]] = []
    unused: dict[str, int] = {}
    for at, (fields, label) in enumerate(rows):
        try:
            row = extractor.row(fields)
        except RecordError as error:
            _count(unused, str(error))
            continue
        derive(at, row, known.get(label, -1) if isinstance(label, str) else -1)
        if isinstance(label, RecordError):
            _count(unused, str(label))
            continue
        if stream.kind == "anomaly" and label is None:
            # Nothing learns from the labels of an anomaly stream: rows without one serve as well.
            taken.append((at, row, -1))
            continue
        if label not in known:
            _count(unused, "no label" if label is None else f"label {label[:80]!r} is none of {stream.classes}")
            continue
        taken.append((at, row, known[label]))
    return taken, unused


def _expected(
    key: str, stream: Stream, frame: Any, labels: list[int], scores: list[Score], counts: list[bool]
) -> Expected:
    """What is expected of the baseline; ``scores`` are those that rows bring along, or an anomaly detector's."""
    with guarded(f"the baseline {stream.baseline}"):
        make = partial(make_baseline, key, stream)
        given, missing = stream.baseline.startswith(GIVEN), None
        if stream.kind == "anomaly":
            if not given or len(scores) == len(labels):  # else which rows the scores are of is not known
                missing = missed_risk(scores, labels, counts)
        elif not given:
            scores = [*baseline_scores(make, frame, labels, stream.kind, len(stream.classes))]
        elif len(scores) < len(labels):
            scores = []  # which rows they are of is not known
        return expected(stream, frame, labels, scores, counts, missing)


def _unseen(key: str, stream: Stream, frame: Any, labels: list[int]) -> Sequence[Score]:
    """An anomaly detector's scores of the newest rows, fitted on those before; nothing with too few rows."""
    make, novelty = partial(make_baseline, key, stream), stream.training.novelty
    return baseline_scores(make, frame, labels, stream.kind, 2, novelty=novelty)


def _given(model: GivenScore | Baseline, rows: Sequence[dict[str, Any]]) -> Iterator[Score]:
    """The scores that rows bring along; those that bring none are dead letters on the stream, and left out here."""
    if isinstance(model, GivenScore):
        for fields in rows:
            with suppress(RecordError):
                yield model.read(fields)


def _pretrain(learner: OnlineModel, inputs: Sequence[ModelInput], labels: Sequence[int]) -> Iterator[Score]:
    """Learn from every row in order, each scored before: so a model that cannot score is found out here."""
    for x, y in zip(inputs, labels, strict=True):
        yield learner.score(x)
        if learner.at_once:
            learner.learn(x, None)
        if learner.from_labels and y >= 0:
            learner.learn(x, y)


def _baseline(
    key: str, stream: Stream, extractor: FeatureExtractor, rows: list[Row], labels: list[int], many: list[str]
) -> tuple[Baseline | GivenScore | None, bytes]:
    if stream.baseline.startswith(GIVEN):
        return GivenScore(stream.baseline.removeprefix(GIVEN), many), b""
    if stream.baseline == "none" or not rows:
        return None, b""
    estimator = make_baseline(key, stream)
    with guarded(f"the baseline {stream.baseline}"):
        frame, novelty = extractor.frame(rows), stream.training.novelty
        batch.fit(estimator, frame, labels, stream.kind, len(stream.classes), novelty=novelty)
        artifact = batch.dump(estimator)
        # What scores is what the file holds, from the first event on: a restart scores with nothing else.
        return batch.load(artifact, stream.kind, batch.version(estimator)), artifact


def name_classes(key: str, stream: Stream, labels: Sequence[str]) -> Stream:
    """The stream with its classes: those set, or those that the warm-up's labels show, sorted; ``positive`` last."""
    classes = stream.classes or sorted({stream.labels.values.get(label, label) for label in labels})
    if not classes:
        raise SettingError(f"{key}.classes", classes, "the names of the classes, where no warm-up shows them")
    if stream.kind != "multiclass":
        if len(classes) != 2:
            wanted = f"two classes for kind = {stream.kind!r}; name them, or take a longer warm-up that shows both"
            raise SettingError(f"{key}.classes", classes[:20], wanted)
        positive = stream.positive or classes[1]
        if positive not in classes:
            raise SettingError(f"{key}.positive", positive, f"one of {classes}")
        classes = [name for name in classes if name != positive] + [positive]
    return msgspec.structs.replace(stream, classes=classes)


def _threshold(stream: Stream, scores: Sequence[Any]) -> float:
    """The score above which the share ``alert_rate`` of the warm-up lies."""
    return float(np.quantile(scores, 1.0 - stream.alert_rate)) if len(scores) else 0.5


def _count(unused: dict[str, int], reason: str) -> None:
    unused[reason] = unused.get(reason, 0) + 1
