"""Training as a whole: what is chosen, what the card says of it, and that what judges is never looked at."""

from itertools import count

import msgspec
import numpy as np
import pandas as pd
import pytest

from stream.baseline import load
from stream.config import Features
from stream.errors import TrainingError
from stream.training.aims import Aim
from stream.training.card import Card
from stream.training.search import Budget
from stream.training.train import Order, train
from stream.training.trials import Data
from tests.stream.training.tables import linear, mails, only, with_column


def trained(data, aim=None, trials=4, **order):
    """Train with a budget of so many trials."""
    clock = count()
    return train(
        data,
        None,
        Order("s", "binary", ["no", "yes"], aim or Aim(), **order),
        Budget(trials / 0.7, lambda: next(clock)),
        {},
        {},
    )


@pytest.fixture(scope="module")
def table():
    return trained(linear(2_000), trials=2)


def test_the_baseline_scores_as_its_file_does(table):
    data = linear(200, seed=2)
    again = load(table.artifact, "binary", table.baseline.version)
    assert again.score(data.frame) == table.baseline.score(data.frame)
    errors = np.mean((np.array(table.baseline.score(data.frame)) >= table.card.threshold) != data.labels)
    assert errors < 0.2


def test_the_card_survives_json(table):
    assert msgspec.json.decode(msgspec.json.encode(table.card), type=Card) == table.card


def test_the_same_rows_order_and_trials_give_the_same_baseline_and_card(table):
    again = trained(linear(2_000), trials=2)
    assert again.baseline.version == table.baseline.version
    assert msgspec.structs.replace(again.card, seconds=0) == msgspec.structs.replace(table.card, seconds=0)


def test_the_risk_is_that_of_the_noise(table):
    risk = table.card.risk
    assert (risk.rows, risk.method) == (400, "Clopper-Pearson")
    assert 0.1 - 0.03 < risk.low < risk.mean < 0.1 + 0.05  # two standard errors of 400 rows, and what it has to learn
    assert not table.card.absolute  # it takes 500


def test_what_judges_changes_nothing_of_what_is_chosen():
    data = linear(2_000)
    other = Data(data.frame.copy(), data.labels.copy(), 2, data.features)
    other.frame.iloc[1_600:] = 0.0
    other.labels[1_600:] = 1 - other.labels[1_600:]
    one, two = trained(data, trials=2).card, trained(other, trials=2).card
    assert one.tried == two.tried
    assert one.chosen == two.chosen
    assert one.learning_curve == two.learning_curve
    assert one.threshold == two.threshold
    assert one.risk != two.risk


def test_the_final_fit_takes_the_newest_rows_too():
    data = linear(2_000)
    other = Data(data.frame, np.concatenate([data.labels[:1_600], 1 - data.labels[1_600:]]), 2, data.features)
    assert trained(data, trials=1).baseline.version != trained(other, trials=1).baseline.version


@pytest.mark.parametrize(
    ("scheme", "rows"), [("auto", 60), ("auto", 400), ("split", 60), ("expanding", 60), ("k-fold", 60)]
)
def test_few_rows_can_be_trained_on_by_every_scheme(scheme, rows):
    card = trained(linear(rows, noise=0.0), scheme=scheme, trials=0).card
    assert card.risk.rows == round(rows * 0.2)
    assert not card.absolute  # fewer than 500 judged rows
    assert card.risk.mean < 0.35


def test_a_class_that_is_missing_is_said():
    data = linear(500)
    with pytest.raises(TrainingError, match="too few of one of the 2 classes"):
        trained(Data(data.frame, np.zeros(500, dtype=int), 2, data.features))


def test_mails_are_told_apart_by_their_words():
    data = mails(2_000)
    made = trained(data, trials=6)
    assert made.card.risk.mean < 0.12
    assert made.card.reading.fit == "balanced"
    assert made.card.plain == "logistic, words, C=10.0"
    assert "text" in made.card.reference.histograms


def test_a_dear_miss_lowers_the_threshold_and_the_risk_is_that_of_the_costs():
    data = linear(2_000, noise=0.2)
    cheap, dear = trained(data, trials=1).card, trained(data, Aim(1.0, 10.0), trials=1).card
    assert dear.threshold < cheap.threshold
    assert dear.risk.method == "empirical Bernstein"


def test_a_budget_of_alerts_is_kept():
    made = trained(linear(2_500, noise=0.2), Aim(alert_budget=0.1), trials=1)
    fresh = linear(5_000, noise=0.2, seed=9)
    flagged = np.mean(np.array(made.baseline.score(fresh.frame)) >= made.card.threshold)
    assert 0.05 < flagged < 0.15


# ------------------------------------------------------------------------------------------- what the card says


def test_an_overfit_is_named():
    chance = np.random.default_rng(1)
    names = [f"x{i}" for i in range(300)]
    frame = pd.DataFrame(chance.normal(size=(200, 300)), columns=names)
    labels = (frame["x0"].to_numpy() + chance.normal(size=200) > 0).astype(int)
    card = trained(Data(frame, labels, 2, Features(numeric=names)), trials=2).card
    assert card.reading.fit == "overfit"
    assert "learned its rows" in card.reading.reason


def test_an_underfit_is_named():
    card = trained(only(linear(2_000), "x0"), trials=3).card
    assert card.reading.fit == "underfit"
    assert "cannot even answer the rows it was fitted on" in card.reading.reason


def test_a_column_that_gives_the_label_away_is_named():
    data = linear(2_000)
    card = trained(with_column(data, "refunded", data.labels.astype(float)), trials=1).card
    assert card.leaks == ["refunded"]
    assert trained(data, trials=1).card.leaks == []


def test_a_category_that_gives_the_label_away_is_named():
    data = linear(2_000)
    columns = msgspec.structs.replace(data.features, categorical=["state"])
    states = pd.Series(np.where(data.labels == 1, "closed", "open"), dtype=object)
    card = trained(Data(data.frame.assign(state=states), data.labels, 2, columns), trials=1).card
    assert card.leaks == ["state"]
