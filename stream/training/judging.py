"""What the chosen recipe is worth on rows that nobody has looked at, and the baseline that is then made with it.

Going forward over the judged rows tells what the recipe is worth. Then everything fits, the judged rows included, as
far back as the newest rows say: that is the baseline, with the threshold and the sigmoid that the judged rows set.
"""

from typing import Any

import numpy as np
from msgspec import Struct

from stream.config import Features
from stream.errors import TrainingError
from stream.training.aims import Aim
from stream.training.calibration import Said, brier, calibration_error, moved, reliability
from stream.training.card import Ahead, Calibration, Lookbacks, Looked, Part
from stream.training.forward import Block, Going, fitted_sigmoid
from stream.training.lookback import Lookback, Looks
from stream.training.scores import Array, positive
from stream.training.trials import Trial, Trials, newest
from stream.windows import NEWEST


class Judged(Struct):
    """The baseline's estimator, how many rows it learned from, the columns that it uses, and how its recipe did.

    ``threshold`` is the baseline's, set by the judged rows; these were judged with one that older rows had set.
    ``losses``, ``plain`` and ``trivial`` are of each judged row: the recipe's, the plain candidate's, and those of the
    best answer that is the same for all rows. ``flagged``: those that were called positive. ``scores``: theirs.
    ``lookbacks``: None where there was none to choose.
    """

    estimator: Any
    fitted: int
    kept: list[str]
    threshold: float
    losses: Array
    plain: Array
    trivial: Array
    flagged: Array
    scores: Array
    calibration: Calibration
    lookbacks: Lookbacks | None


def judge(trials: Trials, looks: Looks, plain: Trial, aim: Aim) -> Judged:
    """Judge the candidate of ``looks`` beside the plain one, and fit it on all rows."""
    data, chosen, rows = trials.data, looks.trial, len(looks.rows)
    truth = data.labels[trials.plan.judge]
    blocks = Going(trials, looks, plain, aim).forward()
    made, before, after, answered, theirs = (
        np.concatenate([getattr(block, name) for block in blocks])
        for name in ("decisions", "probabilities", "calibrated", "answered", "plain")
    )
    ways = looks.choose(rows)
    candidate = ways[0][0].of(chosen.candidate)
    last = trials.fit(candidate, np.arange(rows), chosen.iterations)
    estimator, scores = last, before
    counts = data.judging(trials.plan.judge)
    used = blocks[-1].used or not hasattr(last, "predict_proba")
    if used:
        said = Said(data.classes)
        newer = fitted_sigmoid(said, made, truth, data.classes)
        newer = blocks[-1].sigmoid if newer is None else newer
        if newer is None:
            raise TrainingError(
                f"{candidate} needs a sigmoid for its probabilities, and the {len(truth)} judged rows allow none: they "
                "lack a class, or it answers them the wrong way round; take more rows"
            )
        estimator, scores = moved(newer, last), moved(newer, said).predict_proba(made)
    truth, before, after, answered, theirs, scores = (
        each[counts] for each in (truth, before, after, answered, theirs, scores)
    )
    return Judged(
        estimator,
        len(newest(candidate, looks.rows, 1.0)),
        columns(last, data.features),
        aim.threshold(truth, positive(scores)),
        aim.losses(truth, answered),
        aim.losses(truth, theirs),
        aim.trivial(truth, data.classes),
        answered == 1,
        positive(scores),
        Calibration(
            used,
            calibration_error(truth, before),
            calibration_error(truth, after),
            brier(truth, before),
            brier(truth, after),
            reliability(truth, before),
            reliability(truth, after),
        ),
        None if len(ways) == 1 else _lookbacks(ways, blocks, rows),
    )


def _lookbacks(ways: list[tuple[Lookback, float]], blocks: list[Block], rows: int) -> Lookbacks:
    judged = []
    for block in blocks:
        first = block.begin - block.back.window if block.back.window else 0
        at = Part((first / rows, block.begin / rows), (block.begin / rows, block.end / rows))
        judged.append(Ahead(block.back.name, at))
    return Lookbacks(NEWEST, [Looked(way.name, way.window or rows, score) for way, score in ways], judged)


def columns(estimator: Any, features: Features) -> list[str]:
    """Those of the stream's columns that an estimator uses; beside text none is dropped."""
    if features.text:
        return features.columns
    used = {name for _, _, names in estimator["columns"].transformers for name in names}
    return [name for name in features.columns if name in used]
