"""Which kinds of fraud are found: the built-in fraud stream on its simulator, by what only the simulator knows.

Average precision of each kind by itself, against all that is legitimate, of every event behind the warm-up, whether
anybody ever says what it was. The text of the result is docs/fraud.md, "The simulator".
"""

import tempfile
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from sklearn.metrics import average_precision_score

from bench.report import Figure
from consumers.plans import Plan
from consumers.replay import replay
from consumers.settings import load
from consumers.sources import simulated
from stream.records import Prediction
from stream.simulators.fraud import FraudSimulator, known

ROWS = 210_000
"""Some 60 days."""

KINDS = {1: "high amounts", 2: "compromised terminals", 3: "leaked cards"}
MODELS = {"online": "online", "baseline": "baseline", "served": "score"}


def main() -> list[Figure]:
    """Without changes, of two seeds; and by the simulator's changes."""
    figures = [figure for seed in (7, 8) for figure in _of(f"seed {seed}", FraudSimulator(seed, drift=False))]
    return [*figures, *_of("with changes", FraudSimulator())]


def _of(what: str, simulator: FraudSimulator) -> list[Figure]:
    stream = load(None).streams["fraud"]

    with tempfile.TemporaryDirectory() as folder:
        source = simulated("simulator:fraud", lambda: known(simulator.rows(ROWS)), ROWS)
        replay(Plan("fraud", source, stream, out=Path(folder)))
        lines = (Path(folder) / "predictions.jsonl").read_bytes()
    said = msgspec.json.Decoder(Prediction).decode_lines(lines)
    kind = np.array([row["scenario"] for row in simulator.rows(ROWS)])[stream.warm_up :]
    figures = []
    ends = [0, *(change.position - stream.warm_up for change in simulator.changes), len(kind)]
    for begin, end in pairwise(ends):
        part = f"{what}, rows {begin + stream.warm_up:,} to {end + stream.warm_up:,}"
        figures.append(Figure(f"{part}: share of frauds", float((kind[begin:end] > 0).mean())))
        for model, name in MODELS.items():
            scores = np.array([getattr(prediction, name) for prediction in said[begin:end]])
            for number, named in {0: "all frauds", **KINDS}.items():
                truth = kind[begin:end] > 0 if number == 0 else kind[begin:end] == number
                among = truth | (kind[begin:end] == 0)
                found = average_precision_score(truth[among], scores[among])
                figures.append(Figure(f"{part}, {model}: {named}", float(found)))
    return figures
