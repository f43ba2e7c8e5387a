"""Retraining inside a replay: when, on which rows, and the baseline that comes of it, to show what a policy costs.

Policies: ``never``; ``periodic:N``, every N labelled records; ``on-alarm``, COLLECT records after the monitor has said
``baseline_rot``, so that there is something of the new world to learn from; of anomalies POSITIVES since its begin. The
recipe is the stream's own ``baseline``; how far back it looks is tried out (stream.windows): on all that is kept and on
the newest of WINDOWS, and of SHORT, since behind an alarm little is of the new world; judged by the newest COLLECT
records, and then fitted on these too. Where positives are rare windows are RARE_WINDOWS, judged by how many of the
newest positives are missed; detectors are fitted on all that is kept, with ``training.novelty`` on what is not labelled
positive.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from msgspec import Struct

from stream import baseline as batch
from stream.config import Stream
from stream.errors import SettingError
from stream.factories import guarded, make_baseline
from stream.features import FeatureExtractor, Row
from stream.given import GIVEN
from stream.missed import missed
from stream.records import Chosen, Labelled
from stream.training.aims import Aim
from stream.validation import baseline_scores, expected, missed_risk
from stream.windows import NEWEST, WINDOWS, Array, brier_scores, ranked

SHORT = (600, 1_000)
"""Windows beside WINDOWS."""

COLLECT = NEWEST
"""Labelled records that are gathered behind an alarm."""

RARE_WINDOWS = (50_000, 20_000, 10_000)
"""Windows where positives are rare."""

POSITIVES = 100
"""Labelled positives that are gathered, from the estimated change on, where positives are rare."""

PIECE = 64
"""Inputs after which it is seen whether a baseline is to be fitted."""

NEVER = "never"
ON_ALARM = "on-alarm"
PERIODIC = "periodic:"
FORM = "never, on-alarm, or periodic:N with a number of labelled events"


class Refitted(Struct):
    """A baseline fitted anew: when (labelled records so far), on the newest ``rows`` of the records kept."""

    labelled: int
    rows: int
    version: str


class Refitting:
    """Hears of labelled records and alarms, and fits a baseline anew when its policy says so.

    Where there is no baseline, no alarm can be about it: the ``first`` one is fitted after so many records. ``done``:
    what has been fitted. It keeps the newest ``training.rows`` records of the stream.
    """

    def __init__(self, name: str, stream: Stream, policy: str, first: int) -> None:
        self.key = f"streams.{name}"
        self.stream = stream
        self.period = period(policy)
        self.first = first
        self.labelled = 0
        self.done: list[Refitted] = []
        self._classes = {name: index for index, name in enumerate(stream.classes)}
        self._rows: OrderedDict[str, tuple[Row, int, bool]] = OrderedDict()
        self._last = 0
        self._alarmed: int | None = None

    def begin(self, rows: Iterable[tuple[str, Row, int, bool]]) -> None:
        """Keep the warm-up's rows too: (event id, row, class index, whether it is in the sample that is judged by)."""
        for event_id, row, label, counts in rows:
            self._keep(event_id, row, label, counts=counts)

    def hear(self, labelled: Sequence[Labelled]) -> None:
        """Take in what has just been published."""
        for record in labelled:
            index = self._classes[record.label]
            if record.correction:
                if record.event_id in self._rows:
                    row, _, counts = self._rows[record.event_id]
                    self._rows[record.event_id] = (row, index, counts)
            elif record.features is not None:
                self.labelled += 1
                self._keep(record.event_id, record.features, index, counts=record.sampled)

    def due(self, baseline: object, verdict: str | None, since: int | None) -> bool:
        """Whether a baseline is to be fitted now, in place of the one in use.

        ``verdict``: the monitor's on it; ``since``: judged events since the estimated change behind it.
        """
        if verdict != "baseline_rot":
            self._alarmed = None
        elif self._alarmed is None:
            self._alarmed = self.labelled
        if baseline is None:
            return self.labelled - self._last >= self.first
        if self.period:
            return self.labelled - self._last >= self.period
        if self._alarmed is None:
            return False
        if self.stream.kind == "anomaly":
            return since is not None and since >= POSITIVES
        return self.labelled - self._alarmed >= COLLECT

    def fit(self) -> Chosen | None:
        """A baseline on the records kept, to be put into use; None where they lack a class. Raises TrainingError."""
        self._last, self._alarmed = self.labelled, None
        extractor = FeatureExtractor(self.stream.features)
        rows = self._window(extractor)
        taken = self._newest(rows)
        if not self._all_classes(taken):
            return None
        estimator = self._fitted(extractor, taken)
        artifact, version = batch.dump(estimator), batch.version(estimator)
        self.done.append(Refitted(self.labelled, len(taken), version))
        frame, labels = extractor.frame([row for row, _, _ in taken]), [label for _, label, _ in taken]
        counts = [counts for _, _, counts in taken]
        threshold, missing = 0.5, None
        with guarded(f"the baseline {self.stream.baseline}"):
            make, novelty = partial(make_baseline, self.key, self.stream), self.stream.training.novelty
            scores = baseline_scores(make, frame, labels, self.stream.kind, len(self._classes), novelty=novelty)
            if self.stream.kind == "anomaly":
                missing = missed_risk(scores, labels, counts)
                scores = scores or batch.Baseline(estimator, self.stream.kind, version).score(frame)
                flagged = Aim(alert_budget=self.stream.alert_rate)
                threshold = flagged.threshold(np.array(labels[-len(scores) :]), np.array(scores))
        known = expected(self.stream, frame, labels, scores, counts, missing)
        return Chosen(version, hashlib.sha256(artifact).hexdigest(), threshold, artifact=artifact, expected=known)

    def _keep(self, event_id: str, row: Row, label: int, *, counts: bool) -> None:
        self._rows[event_id] = (row, label, counts)
        if len(self._rows) > self.stream.training.rows:
            self._rows.popitem(last=False)

    def _newest(self, rows: int) -> list[tuple[Row, int, bool]]:
        return list(self._rows.values())[-rows:]

    def _all_classes(self, taken: Sequence[tuple[Row, int, bool]]) -> bool:
        return self.stream.kind == "anomaly" or len({label for _, label, _ in taken}) == len(self._classes)

    def _window(self, extractor: FeatureExtractor) -> int:
        """How many of the newest records to fit on, as the newest COLLECT of them say."""
        kept = len(self._rows)
        if self.stream.kind == "anomaly":
            return self._rare_window(extractor, kept)
        judged = self._newest(COLLECT)
        frame, truth = extractor.frame([row for row, _, _ in judged]), np.array([label for _, label, _ in judged])

        def losses(rows: int) -> Array | None:
            taken = self._newest(rows)[:-COLLECT]
            if not self._all_classes(taken):
                return None
            return brier_scores(truth, self._fitted(extractor, taken).predict_proba(frame))

        shorter = sorted((window for window in (*SHORT, *WINDOWS) if window < kept), reverse=True)
        return next((window for window, _ in ranked((kept, *shorter), losses)), kept)

    def _rare_window(self, extractor: FeatureExtractor, kept: int) -> int:
        """The same where positives are rare, as the newest of them that would be missed say; a detector has all."""
        rows = self._newest(kept)
        places = [at for at, (_, label, _) in enumerate(rows) if label == 1][-POSITIVES // 2 :]
        if not places or hasattr(make_baseline(self.key, self.stream), "score_samples"):
            return kept
        judged = rows[places[0] :]
        frame, positive = extractor.frame([row for row, _, _ in judged]), [label == 1 for _, label, _ in judged]

        def losses(window: int) -> Array | None:
            taken = rows[kept - window : places[0]]
            if len({label for _, label, _ in taken}) < 2:
                return None
            fitted = self._fitted(extractor, taken)
            return np.array(missed(fitted.predict_proba(frame)[:, 1].tolist(), positive))

        shorter = (window for window in RARE_WINDOWS if window < kept)
        return next((window for window, _ in ranked((kept, *shorter), losses)), kept)

    def _fitted(self, extractor: FeatureExtractor, taken: Sequence[tuple[Row, int, bool]]) -> Any:
        estimator = make_baseline(self.key, self.stream)
        with guarded(f"the baseline {self.stream.baseline}"):
            labels = [label for _, label, _ in taken]
            frame, novelty = extractor.frame([row for row, _, _ in taken]), self.stream.training.novelty
            batch.fit(estimator, frame, labels, self.stream.kind, len(self._classes), novelty=novelty)
        return estimator


def period(policy: str) -> int:
    """Labelled records between two fits; 0 where alarms decide. Raises SettingError for no policy.

    >>> period("periodic:2500"), period("on-alarm")
    (2500, 0)
    """
    if policy == ON_ALARM:
        return 0
    count = policy.removeprefix(PERIODIC)
    if not policy.startswith(PERIODIC) or not count.isdecimal() or int(count) < COLLECT:
        raise SettingError("--retrain", policy, f"{FORM} ({COLLECT} at least)")
    return int(count)


def check(policy: str, stream: Stream) -> None:
    """Raises SettingError for a policy that this stream cannot have."""
    if policy == NEVER:
        return
    if stream.baseline == "none" or stream.baseline.startswith(GIVEN):
        wanted = "never, where the baseline is nothing that can be fitted here"
        raise SettingError("--retrain", policy, wanted)


def pieces(inputs: int, fed: int) -> Iterator[int]:
    """Where to cut a batch of so many inputs, ``fed`` of the task's before it: at every PIECE inputs ever fed.

    What is fitted comes into use between two pieces, wherever batches end.

    >>> list(pieces(100, 60))
    [4, 68, 100]
    """
    at = PIECE - fed % PIECE
    while at < inputs:
        yield at
        at += PIECE
    yield inputs
