"""``rotwatch models import``: a baseline that was trained elsewhere gets a card by rows that it has not seen."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from consumers.registry.registry import Registry
from consumers.settings import load
from tests.consumers.test_train_command import SETTINGS

COLUMNS = ["amount", "items"]


def rows(count, seed):
    chance = np.random.default_rng(seed)
    amounts, items = chance.normal(size=(2, count))
    labels = np.where(amounts + items + chance.normal(0, 0.3, count) > 1, "fraud", "fine")
    return pd.DataFrame({"amount": amounts, "items": items, "label": labels})


def model(classes=("fine", "fraud"), columns=COLUMNS):
    train = rows(2_000, 1)
    labels = [classes[label == "fraud"] for label in train["label"]]
    steps = [("fill", SimpleImputer()), ("scale", StandardScaler()), ("model", LogisticRegression())]
    return Pipeline(steps).fit(train[columns], labels)


def svm_rows():
    train = rows(500, 1)
    return train[COLUMNS], train["label"]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rotwatch.toml").write_text(SETTINGS.format(folder=tmp_path))
    monkeypatch.setenv("ROTWATCH_CONFIG", str(tmp_path / "rotwatch.toml"))
    events = rows(1_000, 2).to_dict("records")
    Path("held-out.jsonl").write_text(
        "".join(json.dumps({"event_id": n, "time": n, **row}) + "\n" for n, row in enumerate(events))
    )

    def put(estimator):
        Path("model.skops").write_bytes(skops.io.dumps(estimator))

    return put


@pytest.mark.parametrize("classes", [("fine", "fraud"), (0, 1)])
def test_it_is_judged_by_the_rows_and_registered(rotwatch, shop, classes):
    shop(model(classes))
    code, out, err = rotwatch("models", "import", "model.skops", "--card", "held-out.jsonl", "--stream", "shop")
    assert (code, err) == (0, "")
    assert "recipe: imported; 1,000 rows" in out
    registry = Registry(load(Path("rotwatch.toml")).registry)
    made = registry.in_use("shop").challenger
    card = registry.card(made)
    held_out = rows(1_000, 2)
    truth = (held_out["label"] == "fraud").to_numpy()
    right = (model(classes).predict_proba(held_out[COLUMNS])[:, 1] >= 0.5) == truth
    assert card.risk.mean == pytest.approx(1 - right.mean())
    assert (card.risk.rows, card.absolute, card.against_plain, card.reading) == (1_000, True, None, None)
    assert card.reference.rows == 1_000
    [page] = Path().rglob("card.html")
    assert "trained elsewhere" in page.read_text()
    code, out, _ = rotwatch("models", "show", "1", "--stream", "shop")
    assert (code, "imported" in out) == (0, True)
    baseline = registry.load(made, load(Path("rotwatch.toml")).streams["shop"]).baseline
    assert baseline.score(held_out[COLUMNS]) == model(classes).predict_proba(held_out[COLUMNS])[:, 1].tolist()


def test_a_threshold_is_set_by_the_older_half_and_judged_by_the_newer(rotwatch, shop):
    settings = Path("rotwatch.toml")
    settings.write_text(settings.read_text().replace("training.budget", "training.cost_of_miss = 20\ntraining.budget"))
    shop(model())
    assert rotwatch("models", "import", "model.skops", "--card", "held-out.jsonl", "--stream", "shop")[0] == 0
    registry = Registry(load(settings).registry)
    card = registry.card(registry.in_use("shop").challenger)
    assert card.threshold < 0.3
    assert (card.risk.rows, card.rows) == (500, 1_000)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: model(("a", "b")), "classes are ['a', 'b'], in this order, and the stream's ['fine', 'fraud']"),
        (lambda: model(("yes", "fraud")), "the baseline's classes are ['fraud', 'yes']"),
        (lambda: model(columns=["amount"]), "The feature names should match"),
        (lambda: Pipeline([("run", FunctionTransformer(rows)), ("model", LogisticRegression())]), "are not trusted"),
        (lambda: LinearSVC().fit(*svm_rows()), "LinearSVC' object has no attribute 'predict_proba'"),
        (LogisticRegression, "the baseline's classes are []"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_and_nothing_is_registered(rotwatch, shop, made, said):
    shop(made())
    code, out, err = rotwatch("models", "import", "model.skops", "--card", "held-out.jsonl", "--stream", "shop")
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not Path("registry.sqlite").exists()


def test_a_step_that_is_a_function_of_numpys_can_be_registered(rotwatch, shop):
    train = rows(2_000, 1)
    made = Pipeline([("exp", FunctionTransformer(np.exp)), ("model", RandomForestClassifier(5))])
    shop(made.fit(train[COLUMNS], train["label"]))
    code, out, err = rotwatch("models", "import", "model.skops", "--card", "held-out.jsonl", "--stream", "shop")
    assert (code, err) == (0, "")
    assert "shop version 1" in out


def test_one_that_breaks_on_missing_values_is_registered_with_a_warning(rotwatch, shop):
    words = ["models", "import", "model.skops", "--card", "held-out.jsonl", "--stream", "shop"]
    train = rows(500, 1)
    shop(LogisticRegression().fit(train[COLUMNS], train["label"]))
    code, _, err = rotwatch(*words)
    assert code == 0
    assert "this baseline breaks on missing values" in err
    assert "Input X contains NaN" in err


@pytest.mark.usefixtures("shop")
def test_a_file_that_is_not_there_or_no_skops_file_is_refused(rotwatch):
    words = ["models", "import", "model.skops", "--card", "held-out.jsonl", "--stream", "shop"]
    assert "model.skops: No such file" in rotwatch(*words)[2]
    Path("model.skops").write_bytes(b"")
    assert rotwatch(*words)[2] == "rotwatch: model.skops: is empty\n"
    Path("model.skops").write_bytes(b"PK no")
    code, _, err = rotwatch(*words)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "the baseline's file cannot be made ready" in err
