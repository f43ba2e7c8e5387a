"""Training as a whole: what is chosen, what the card says of it, and that what judges is never looked at."""

from io import BytesIO
from itertools import count
from zipfile import ZipFile

import msgspec
import numpy as np
import pandas as pd
import pytest

from stream.baseline import dump, load
from stream.config import Features
from stream.errors import TrainingError
from stream.training.aims import Aim
from stream.training.calibration import moved, sigmoid
from stream.training.card import Card
from stream.training.diagnosis import leaks
from stream.training.families import PLAIN, Candidate, candidates
from stream.training.imported import judge_imported
from stream.training.search import Budget
from stream.training.splits import plan
from stream.training.train import Order, train
from stream.training.trials import Data, Trials
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


@pytest.mark.parametrize(("rows", "share"), [(250, 0.5), (3_000, 0.05), (20_000, 0.01)])
def test_a_leak_is_named_however_rare_the_class_is_and_a_strong_column_is_none(rows, share):
    chance = np.random.default_rng(3)
    labels = (chance.random(rows) < share).astype(int)
    strong = labels + chance.normal(0, 0.35, rows)
    frame = pd.DataFrame({"strong": strong, "refunded": labels.astype(float), "x": chance.normal(size=rows)})
    fit = rows * 6 // 10
    features = Features(numeric=["strong", "refunded", "x"])
    assert leaks(features, frame[:fit], labels[:fit], frame[fit:], labels[fit:]) == ["refunded"]


def test_a_few_rows_without_an_error_are_no_leak():
    data = only(linear(60, noise=0.0), "x0", "x1")
    sign = with_column(data, "sure", data.labels.astype(float))
    assert leaks(sign.features, sign.frame[:36], sign.labels[:36], sign.frame[36:], sign.labels[36:]) == []


# ------------------------------------------------------------------------------------------- rows that are awkward


def test_texts_beside_numbers_are_trained_on_and_every_recipe_is_one_that_can_be_fitted():
    data = mails(400)
    chance = np.random.default_rng(1)
    both = Data(
        data.frame.assign(size=chance.normal(size=400)), data.labels, 2, Features(text=["body"], numeric=["size"])
    )
    trials = Trials(both, plan(400, "split"), Aim(), 1)
    recipes = [c for c in candidates(both.features, 240, 1) if c.select or c.family != "logistic"]
    assert all(trials.attempt(recipe) is not None for recipe in recipes)


def test_texts_without_a_word_in_common_are_refused_in_words():
    frame = pd.DataFrame({"text": pd.Series([f"word{n}" for n in range(200)], dtype=object)})
    with pytest.raises(TrainingError, match="logistic, words, C=10.0 cannot be fitted on these rows: After pruning"):
        trained(Data(frame, np.arange(200) % 2, 2, Features(text=["body"])), trials=0)


@pytest.mark.parametrize("missing", ["setting", "judged"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_class_that_the_newer_rows_lack_leaves_the_probabilities_as_they_are(missing, classes):
    data = linear(1_000)
    labels = data.labels.copy()
    if classes == 3:
        labels[::10] = 2
    lacking = slice(560, 800) if missing == "setting" else slice(800, 1_000)
    labels[lacking] = np.where(labels[lacking] == classes - 1, 0, labels[lacking])
    names = [str(n) for n in range(classes)]
    order = Order("s", "binary" if classes == 2 else "multiclass", names, scheme="expanding")
    made = train(Data(data.frame, labels, classes, data.features), None, order, Budget(0.0, lambda: 1.0), {}, {})
    assert made.card.rows == 1_000
    assert len(made.baseline.score(data.frame)) == 1_000


def test_the_share_that_a_budget_of_alerts_let_through_is_told():
    data = linear(3_000, noise=0.2)
    card = trained(data, Aim(alert_budget=0.05), trials=0).card
    assert 0.02 < card.flagged.mean < 0.08
    shifted = data.frame.copy()
    shifted.iloc[2_400:] += 1.5  # the inputs of the judged rows
    card = trained(Data(shifted, data.labels, 2, data.features), Aim(alert_budget=0.05), trials=0).card
    assert card.flagged.low > 0.05


def test_with_costs_noise_is_not_taken_for_a_gain():
    chance = np.random.default_rng(5)
    data = linear(600)
    noise = Data(data.frame, (chance.random(600) < 0.3).astype(int), 2, data.features)
    trial = Trials(noise, plan(600), Aim(1.0, 5.0), 1).attempt(PLAIN)
    trivial = Aim(1.0, 5.0).trivial(noise.labels, 2).mean()
    assert trial.risk > 0.95 * trivial


def test_the_reference_of_the_score_is_of_rows_that_were_not_learned_from():
    made = trained(linear(2_000, noise=0.3), trials=0)
    assert sum(made.card.reference.scores.counts) == 400
    assert made.card.reference.rows == 2_000


def test_a_sigmoid_is_moved_without_touching_the_one_it_came_from():
    data = linear(600)
    trials = Trials(data, plan(600), Aim(), 1)
    one, other = (
        trials.fit(PLAIN, np.arange(300)),
        trials.fit(Candidate("logistic", settings=(("C", 1e-4),)), np.arange(300)),
    )
    behind = sigmoid(one, data.frame[300:], data.labels[300:])
    before = behind.predict_proba(data.frame)
    after = moved(behind, other).predict_proba(data.frame)
    assert not np.allclose(before, after)
    assert np.array_equal(behind.predict_proba(data.frame), before)


def test_the_file_of_a_calibrated_baseline_holds_its_vocabulary_once():
    data = mails(600)
    trials = Trials(data, plan(600), Aim(), 1)
    svm = Candidate("linear-svm", "words", settings=(("C", 1.0),))
    plain = trials.fit(svm, np.arange(300))
    behind = sigmoid(plain, data.frame[300:], data.labels[300:])
    assert [schema(dump(made)).count('"prize3"') for made in (plain, behind, moved(behind, plain))] == [1, 2, 1]


def schema(file):
    return ZipFile(BytesIO(file)).read("schema.json").decode()


@pytest.mark.parametrize("scheme", ["split", "k-fold"])
def test_rows_that_may_not_judge_are_learned_from_and_judge_nothing(scheme):
    data, counts = linear(2_000, noise=0.0), np.arange(2_000) % 2 == 0
    wrong = np.where(counts, data.labels, np.where(np.arange(2_000) >= 1_600, 1 - data.labels, data.labels))
    card = trained(Data(data.frame, wrong, 2, data.features, counts), trials=1, scheme=scheme).card
    assert card.judged == card.risk.rows == (200 if scheme == "split" else counts[plan(2_000, scheme).judge].sum())
    assert card.risk.mean < (0.05 if scheme == "split" else 0.2)
    assert card.rows == 2_000
    assert sum(card.classes.values()) == card.reference.rows == 1_000


def test_an_imported_baseline_is_judged_by_the_rows_that_may():
    data, counts = linear(2_000, noise=0.0), np.arange(2_000) % 2 == 0
    made = trained(data, trials=1)
    wrong = np.where(counts, data.labels, 1 - data.labels)
    card = judge_imported(
        made.artifact,
        Data(data.frame, wrong, 2, data.features, counts),
        None,
        Order("s", "binary", ["no", "yes"]),
        {},
        {},
    ).card
    assert card.risk.rows == 1_000
    assert card.risk.mean < 0.05
