"""A card of each kind, trained on small data."""

from itertools import count

import numpy as np
import pandas as pd
import pytest

from stream.config import Features
from stream.training.aims import Aim
from stream.training.anomalies import train_anomalies
from stream.training.search import Budget
from stream.training.train import Order, train
from stream.training.trials import Data
from tests.stream.training.tables import anomalies, linear, mails, with_column


def trained(data, classes=("no", "yes"), times=None, trials=2, aim=None, left_out=None, kind="binary", **order):
    clock = count()
    made = Order("s", kind, list(classes), aim or Aim(), **order)
    make = train_anomalies if kind == "anomaly" else train
    return make(data, times, made, Budget(trials / 0.7, lambda: next(clock)), {"numpy": "2.0"}, left_out or {}).card


@pytest.fixture(scope="session")
def text():
    times = np.arange(2_600) * 60.0
    return trained(mails(2_600), ("ham", "spam"), times, trials=4, left_out={"no label": 100, "twice": 300})


@pytest.fixture(scope="session")
def table():
    return trained(linear(2_000), trials=3)


@pytest.fixture(scope="session")
def multiclass():
    chance = np.random.default_rng(1)
    numbers = chance.normal(size=600)
    town = pd.Series(chance.choice(["Oslo", "Bergen"], 600), dtype=object)
    town[:60] = None
    frame = pd.DataFrame({"x": numbers, "one": 3.0, "town": town})
    labels = np.digitize(numbers, [-0.5, 0.5])
    data = Data(frame, labels, 3, Features(numeric=["x", "one"], categorical=["town"]))
    return trained(data, ("low", "middle", "high"), trials=0, kind="multiclass")


@pytest.fixture(scope="session")
def few():
    return trained(linear(40, noise=0.0), scheme="k-fold", trials=0)


@pytest.fixture(scope="session")
def leak():
    data = linear(2_000)
    return trained(with_column(data, "refunded", data.labels.astype(float)), trials=1)


@pytest.fixture(scope="session")
def fraud():
    return trained(anomalies(2_500), trials=25, kind="anomaly", aim=Aim(alert_budget=0.02))


@pytest.fixture(scope="session")
def unlabelled():
    data = anomalies(2_500)
    data.labels[:] = -1
    return trained(data, trials=15, kind="anomaly", aim=Aim(alert_budget=0.02))
