"""Which online model for mail: the one in use beside its alternatives, each mail tested before it is learned.

Enron without duplicates; the warm-up is learned first, then every label comes at once. Candidates that see the same
features run side by side in one pass. The text of the result is docs/online-models.md.
"""

import gzip
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from river import compose, ensemble, feature_extraction, linear_model, naive_bayes, optim, preprocessing
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

from bench.report import DATA, Figure, at_least, at_most, publish
from consumers.settings import load
from stream.config import Features
from stream.features import FeatureExtractor
from stream.online import MAIL_RATE, logistic
from stream.serving import EPSILON
from stream.words import LONGEST

Mail = dict[str, Any]
Inputs = Callable[[list[Mail]], list[Any]]
Scores = NDArray[np.float64]

WARM_UP = 2_500
SEGMENTS = [WARM_UP, 4_994, 10_799, 16_057, 21_689, 25_248]
GOALS = [0.980, 0.984, 0.991, 0.992, 0.990, 0.988]
BATCH = 512
SMS_WARM_UP = 1_000
SLOW_AFTER, SLOW_TIMED = 600, 20

RATE = f"AdaGrad {str(MAIL_RATE).lstrip('0')}, intercept .1"
REFERENCE = "reference: river's words, AdaGrad .1, whole text"
CHOSEN = f"chosen: subject marked, {RATE}"
ONES = "subject marked, as 0/1, AdaGrad .1"
BAYES = "subject marked, as 0/1, MultinomialNB .1"
DESCENT = "subject marked, SGD 6, intercept .1"


class Result(Struct):
    """Probabilities from the warm-up on, and CPU microseconds a mail; ``features`` is NaN where river makes them."""

    scores: Scores
    features: float
    model: float


def rows(name: str) -> list[Mail]:
    """The rows of a reference stream without duplicates; ends the benchmark with one line where it is absent."""
    path = DATA / name
    if not path.exists():
        sys.exit(f"{path}: is not there, and this benchmark measures on it")
    with gzip.open(path) as file:
        return [row for line in file if not (row := msgspec.json.decode(line)).get("dup")]


def whole(mails: list[Mail]) -> list[Any]:
    """Subject and body in one field."""
    return [{"text": f"{mail['subject']}\n{mail['body']}"} for mail in mails]


def cut(mails: list[Mail]) -> list[Any]:
    """The same, as much of it as the project reads."""
    return [{"text": mail["text"][:LONGEST]} for mail in whole(mails)]


def project(features: Features, prepare: Inputs = list) -> Inputs:
    """What the project's own code makes of mails."""
    extractor = FeatureExtractor(features)
    return lambda mails: extractor.inputs([extractor.row(mail) for mail in prepare(mails)])


def binary(inputs: Inputs) -> Inputs:
    """The same places, every value 1."""
    return lambda mails: [dict.fromkeys(x, 1.0) for x in inputs(mails)]


def hashed(*, log_counts: bool = False, **settings: Any) -> Inputs:
    """Words as scikit-learn's hashing vectorizer finds them; ``log_counts``: 1 + ln(count), scaled to length 1."""
    vectorizer = HashingVectorizer(n_features=1 << 18, alternate_sign=False, **settings)

    def inputs(mails: list[Mail]) -> list[Any]:
        found = vectorizer.transform([mail["text"] for mail in cut(mails)])
        if log_counts:
            found.data = 1.0 + np.log(found.data)
            found = normalize(found)
        places, values, ends = found.indices.tolist(), found.data.tolist(), found.indptr.tolist()
        return [dict(zip(places[a:b], values[a:b], strict=True)) for a, b in pairwise(ends)]

    return inputs


def adagrad(rate: float, intercept: float = 0.01) -> Any:
    """Logistic regression with AdaGrad; the intercept's rate is river's own unless given."""
    return linear_model.LogisticRegression(optim.AdaGrad(rate), intercept_lr=intercept)


def river_words() -> Any:
    """The pipeline that river's guide shows for texts."""
    return compose.Pipeline(feature_extraction.BagOfWords(on="text"), preprocessing.Binarizer(), adagrad(0.1))


def run(inputs: Inputs, models: dict[str, Any], mails: list[Mail], warm_up: int) -> dict[str, Result]:
    """Test, then learn, mail by mail; CPU microseconds a mail are counted after the warm-up."""
    scores: dict[str, list[float]] = {name: [] for name in models}
    spent = dict.fromkeys(models, 0.0)
    making = 0.0
    for x, y in zip(inputs(mails[:warm_up]), mails[:warm_up], strict=True):
        for model in models.values():
            model.learn_one(x, y["label"] == "spam")
    for begin in range(warm_up, len(mails), BATCH):
        batch = mails[begin : begin + BATCH]
        labels = [mail["label"] == "spam" for mail in batch]
        began = time.process_time()
        ready = inputs(batch)
        making += time.process_time() - began
        for name, model in models.items():
            said = scores[name]
            began = time.process_time()
            for x, label in zip(ready, labels, strict=True):
                said.append(model.predict_proba_one(x).get(True, 0.5))
                model.learn_one(x, label)
            spent[name] += time.process_time() - began
    each = 1e6 / (len(mails) - warm_up)
    return {name: Result(np.array(scores[name]), making * each, spent[name] * each) for name in models}


def slow(inputs: Inputs, model: Any, mails: list[Mail]) -> float:
    """CPU microseconds a mail of a model that would take minutes: of a few mails, after some hundred."""
    ready = inputs(mails[: SLOW_AFTER + SLOW_TIMED])
    labels = [mail["label"] == "spam" for mail in mails]
    for x, label in zip(ready[:SLOW_AFTER], labels, strict=False):
        model.learn_one(x, label)
    began = time.process_time()
    for x, label in zip(ready[SLOW_AFTER:], labels[SLOW_AFTER:], strict=False):
        model.predict_proba_one(x)
        model.learn_one(x, label)
    return (time.process_time() - began) / SLOW_TIMED * 1e6


def average(results: dict[str, Result], names: Sequence[str]) -> Result:
    """The mean of several candidates' probabilities, which costs as much as all of them together."""
    parts = [results[name] for name in names]
    scores = np.mean([part.scores for part in parts], axis=0)
    return Result(scores, max(part.features for part in parts), sum(part.model for part in parts))


def mistakes(scores: Scores, labels: NDArray[np.bool_]) -> list[int]:
    """Errors in each segment."""
    wrong = (scores >= 0.5) != labels
    return [int(part.sum()) for part in np.split(wrong, [begin - WARM_UP for begin in SEGMENTS[1:]])]


def log_loss(scores: Scores, labels: NDArray[np.bool_]) -> float:
    """Mean log loss in nats, clipped as everywhere in the project."""
    right = np.where(labels, scores, 1.0 - scores)
    return float(-np.log(np.clip(right, EPSILON, 1.0 - EPSILON)).mean())


def enron(mails: list[Mail]) -> dict[str, Result]:
    """Every candidate's result, by its name, in the order of the table."""
    stream = load(None).streams["spam"]
    chosen = project(stream.features)
    one_field = project(Features(text=["text"]), whole)
    counts = hashed(log_counts=True, norm=None, token_pattern=r"\w+|[^\w\s]")  # noqa: S106 - a word's, not a secret
    tfidf = compose.Pipeline(feature_extraction.TFIDF(on="text"), adagrad(MAIL_RATE, 0.1))
    ftrl = linear_model.LogisticRegression(optim.FTRLProximal(alpha=0.1, beta=0.1, l1=0.0, l2=0.0))
    sgd = linear_model.LogisticRegression(optim.SGD(6.0), intercept_lr=0.1)
    bagging = ensemble.ADWINBaggingClassifier(adagrad(1.0), n_models=5, seed=stream.seed)
    passes: list[tuple[Inputs, dict[str, Any]]] = [
        (whole, {REFERENCE: river_words()}),
        (cut, {"the same, text cut": river_words()}),
        (cut, {f"river's TFIDF, {RATE}": tfidf}),
        (hashed(binary=True, norm=None), {"words as 0/1, AdaGrad .1": adagrad(0.1)}),
        (hashed(binary=True, norm="l2"), {f"words, {RATE}": adagrad(MAIL_RATE, 0.1)}),
        (one_field, {f"words and punctuation, {RATE}": adagrad(MAIL_RATE, 0.1)}),
        (counts, {f"log counts of these, {RATE}": adagrad(MAIL_RATE, 0.1)}),
        (
            binary(chosen),
            {
                ONES: adagrad(0.1),
                "subject marked, as 0/1, FTRL .1": ftrl,
                "subject marked, as 0/1, PAClassifier .01": linear_model.PAClassifier(0.01, mode=1),
                BAYES: naive_bayes.MultinomialNB(0.1),
            },
        ),
        (
            chosen,
            {
                CHOSEN: logistic(stream),
                "subject marked, AdaGrad .5": adagrad(0.5),
                "subject marked, AdaGrad .85": adagrad(0.85),
                "subject marked, AdaGrad 1.5": adagrad(1.5),
                DESCENT: sgd,
                "subject marked, PAClassifier .3": linear_model.PAClassifier(0.3, mode=1),
                "subject marked, ADWIN bagging of 5, AdaGrad 1": bagging,
            },
        ),
    ]
    results: dict[str, Result] = {}
    for inputs, models in passes:
        found = run(inputs, models, mails, WARM_UP)
        if inputs in {whole, cut}:
            for result in found.values():
                result.features = float("nan")
        results.update(found)
    results["mean of chosen and MultinomialNB"] = average(results, [CHOSEN, BAYES])
    results["mean of chosen, 0/1 AdaGrad .1 and MultinomialNB"] = average(results, [CHOSEN, ONES, BAYES])
    results["mean of chosen and SGD 6"] = average(results, [CHOSEN, DESCENT])
    return results


def show(results: dict[str, Result], labels: NDArray[np.bool_]) -> None:
    """Print the table that docs/online-models.md holds."""
    sizes = np.diff([*SEGMENTS, WARM_UP + len(labels)])
    table = Table(box=box.MARKDOWN)
    table.add_column("model")
    for column in (*map(str, SEGMENTS), "errors", "log loss", "features", "model"):
        table.add_column(column, justify="right")
    for name, result in results.items():
        errors = mistakes(result.scores, labels)
        shares = [f"{1 - wrong / size:.4f}"[1:] for wrong, size in zip(errors, sizes, strict=True)]
        making = "(within)" if np.isnan(result.features) else f"{result.features:.0f}"
        loss = f"{log_loss(result.scores, labels):.4f}"[1:]
        table.add_row(name, *shares, str(sum(errors)), loss, making, f"{result.model:.0f}")
    Console(width=160).print("Enron: accuracy in the segment from that row on; CPU microseconds a mail", table)


def figures(results: dict[str, Result], labels: NDArray[np.bool_]) -> list[Figure]:
    """The chosen model's figures with their goals, the reference's beside them, everyone's errors and log loss."""
    sizes = np.diff([*SEGMENTS, WARM_UP + len(labels)])
    chosen, reference = (mistakes(results[name].scores, labels) for name in (CHOSEN, REFERENCE))
    answer: list[Figure] = []
    for begin, goal, size, own, other in zip(SEGMENTS, GOALS, sizes, chosen, reference, strict=True):
        answer.extend(
            (
                at_least(f"chosen: accuracy from row {begin}", float(1 - own / size), goal),
                Figure(f"reference: accuracy from row {begin}", float(1 - other / size)),
            )
        )
    fewer = min(other - own for own, other in zip(chosen, reference, strict=True))
    answer.append(at_least("errors fewer than the reference's, least of all segments", fewer, 0))
    answer.append(at_most("chosen: log loss", log_loss(results[CHOSEN].scores, labels), 0.07))
    answer.append(Figure("reference: log loss", log_loss(results[REFERENCE].scores, labels)))
    for name, result in results.items():
        answer.append(Figure(f"errors: {name}", sum(mistakes(result.scores, labels))))
    return answer


def sms() -> list[Figure]:
    """The same two models on a stream that nothing was chosen on; one text field, so that no word is marked."""
    texts = rows("sms_spam.jsonl.gz")
    stream = load(None).streams["spam"]
    stream = msgspec.structs.replace(stream, features=Features(text=["text"]))
    results = run(list, {"reference": river_words()}, texts, SMS_WARM_UP)
    results.update(run(project(stream.features), {"chosen": logistic(stream)}, texts, SMS_WARM_UP))
    labels = np.array([text["label"] == "spam" for text in texts[SMS_WARM_UP:]])
    answer: list[Figure] = []
    for name, result in results.items():
        wrong = int(((result.scores >= 0.5) != labels).sum())
        answer.append(Figure(f"SMS, {len(labels):,} after the warm-up: {name}: errors", wrong))
        answer.append(Figure(f"SMS: {name}: log loss", log_loss(result.scores, labels)))
    return answer


def costly(mails: list[Mail]) -> list[Figure]:
    """What the candidates cost that are too slow to be run."""
    ones = binary(project(load(None).streams["spam"].features))
    models = {
        "BernoulliNB": naive_bayes.BernoulliNB(),
        "ComplementNB": naive_bayes.ComplementNB(),
        "logistic regression with Adam .01": linear_model.LogisticRegression(optim.Adam(0.01)),
    }
    what = f"microseconds a mail after {SLOW_AFTER}"
    return [Figure(f"{name}: {what}", slow(ones, model, mails)) for name, model in models.items()]


def main() -> None:
    """Measure, show and publish."""
    mails = rows("enron_spam_stream.jsonl.gz")
    labels = np.array([mail["label"] == "spam" for mail in mails[WARM_UP:]])
    results = enron(mails)
    show(results, labels)
    publish("online-models", [*figures(results, labels), *sms(), *costly(mails)])


if __name__ == "__main__":
    main()
