"""Which rate for the online model of tables: fading and lasting ones, each row tested before it is learned.

Logistic regression (softmax for insects) behind the project's own scaling; the first 2,500 rows are learned untested.
The text of the result is docs/online-models.md.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from river import linear_model, optim

from bench.report import DATA, Figure, publish
from stream.online import TABLE_RATE
from stream.scaling import ScaleNumbers

WARM_UP = 2_500

SYNTHETIC = {
    "SEA": ("sea_street_kim_50000.csv.gz", "x1 x2 x3"),
    "sine": ("harvard_synth/sine_0123_abrupto.csv.gz", "X1 X2"),
    "mixed": ("harvard_synth/mixed_0101_abrupto.csv.gz", "X1 X2 X3 X4"),
    "rt": ("harvard_synth/rt_2563789698568873_abrupto.csv.gz", "X1 X2"),
    "stagger": ("harvard_synth/stagger_0120_abrupto.csv.gz", "X1 X2 X3"),
}
PRICES = ["nswprice", "nswdemand", "vicprice", "vicdemand", "transfer", "period"]

CHOSEN = f"SGD {TABLE_RATE:g}"
RATES: dict[str, Callable[[], Any]] = {
    "AdaGrad .1": lambda: optim.AdaGrad(0.1),
    CHOSEN: lambda: optim.SGD(TABLE_RATE),
    "SGD .1": lambda: optim.SGD(0.1),
    "SGD .3": lambda: optim.SGD(0.3),
    "RMSProp .01": lambda: optim.RMSProp(0.01),
    "Adam .01": lambda: optim.Adam(0.01),
}

Rows = tuple[list[dict[str, float]], list[Any]]


def streams() -> dict[str, Rows]:
    """Rows and labels by stream."""
    made = {
        name: _read(pd.read_csv(DATA / file), columns.split(), "class") for name, (file, columns) in SYNTHETIC.items()
    }
    made["elec2"] = _read(pd.read_csv(DATA / "elec2_electricity.csv.gz"), PRICES, "class")
    insects = pd.read_csv(DATA / "insects_gradual_balanced_24150.csv.gz", header=None)
    insects.columns = [str(name) for name in insects.columns]
    *numbers, label = insects.columns
    made["insects"] = _read(insects, numbers, label)
    return made


def _read(frame: pd.DataFrame, columns: Sequence[str], label: str) -> Rows:
    codes = frame[label].astype("category").cat.codes
    many = codes.nunique() > 2
    rows = [
        {str(name): value for name, value in row.items()}
        for row in frame[list(columns)].astype(float).to_dict("records")
    ]
    return rows, [int(code) if many else bool(code) for code in codes]


def tested(rows: Rows, rate: Any) -> tuple[int, float]:
    """Errors behind the warm-up, and the mean log loss (nats, clipped at 1e-6)."""
    features, labels = rows
    many = type(labels[0]) is int
    model = linear_model.SoftmaxRegression(rate) if many else linear_model.LogisticRegression(rate, intercept_lr=0.1)
    pipeline = ScaleNumbers(list(features[0])) | model
    errors, loss = 0, 0.0
    for at, (x, label) in enumerate(zip(features, labels, strict=True)):
        if at >= WARM_UP:
            shares = pipeline.predict_proba_one(x)
            errors += max(shares, key=lambda each: (shares[each], each), default=None) != label
            loss -= float(np.log(max(1e-6, shares.get(label, 0.0))))
        pipeline.learn_one(x, label)
    return errors, loss / (len(labels) - WARM_UP)


def main() -> None:
    """Measure all, and publish the errors."""
    table = Table(title="errors (log loss) behind the warm-up", title_justify="left", box=box.SIMPLE)
    for column in ("stream", *RATES):
        table.add_column(column)
    figures = []
    for name, rows in streams().items():
        found = {words: tested(rows, make()) for words, make in RATES.items()}
        table.add_row(name, *(f"{errors:,} ({loss:.3f})" for errors, loss in found.values()))
        figures += [Figure(f"{name}: errors, {words}", errors) for words, (errors, _) in found.items()]
    Console(width=150).print(table)
    publish("table-models", figures)


if __name__ == "__main__":
    main()
