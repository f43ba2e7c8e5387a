"""Small tables to train on, with a known truth."""

import numpy as np
import pandas as pd

from stream.config import Features
from stream.training.trials import Data


def linear(rows: int, columns: int = 6, noise: float = 0.1, seed: int = 1) -> Data:
    """The first two columns tell the label, but for a share of noise; the others tell nothing."""
    chance = np.random.default_rng(seed)
    table = chance.normal(size=(rows, columns))
    labels = (table[:, 0] + table[:, 1] > 0).astype(int)
    flip = chance.random(rows) < noise
    names = [f"x{i}" for i in range(columns)]
    return Data(pd.DataFrame(table, columns=names), np.where(flip, 1 - labels, labels), 2, Features(numeric=names))


def with_column(data: Data, name: str, values: np.ndarray) -> Data:
    """The same with one more numeric column."""
    features = Features(numeric=[*data.features.numeric, name])
    return Data(data.frame.assign(**{name: values}), data.labels, data.classes, features)


def only(data: Data, *names: str) -> Data:
    """The same with these columns alone."""
    return Data(data.frame[list(names)], data.labels, data.classes, Features(numeric=list(names)))


def mails(rows: int, seed: int = 1) -> Data:
    """Texts of twenty words, of which a few are more frequent in one class."""
    chance = np.random.default_rng(seed)
    labels = (chance.random(rows) < 0.4).astype(int)
    words = np.array([f"word{i}" for i in range(400)])
    told = np.array([f"prize{i}" for i in range(8)])
    texts = []
    for label in labels:
        made = list(chance.choice(words, 20))
        if chance.random() < (0.9 if label else 0.05):
            made.append(str(chance.choice(told)))
        texts.append(" ".join(made))
    return Data(pd.DataFrame({"text": pd.Series(texts, dtype=object)}), labels, 2, Features(text=["body"]))


def anomalies(rows: int, share: float = 0.06, seed: int = 1, *, far: bool = True) -> Data:
    """Six numbers, of which two go together; positives lie far outside, or in the middle, where no detector looks."""
    chance = np.random.default_rng(seed)
    table = chance.normal(size=(rows, 6))
    table[:, 1] = table[:, 0] + 0.2 * table[:, 1]
    labels = (chance.random(rows) < share).astype(int)
    positive = labels == 1
    if far:
        table[positive] *= chance.uniform(1.0, 4.0, size=(positive.sum(), 1))
    else:
        table[positive, 2] = 0.8 + 0.05 * chance.normal(size=positive.sum())
        table[positive, 3] = 0.8 + 0.05 * chance.normal(size=positive.sum())
    names = [f"x{i}" for i in range(6)]
    return Data(pd.DataFrame(table, columns=names), labels, 2, Features(numeric=names))
