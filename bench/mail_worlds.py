"""Losses on mail, resampled: worlds that stand still, made of real ones.

The baseline is TF-IDF with logistic regression (C = 10), fitted on WARM_UP mails and frozen; the online models know
these too. Mails without duplicates, as much of each as the project reads.
"""

from functools import cache
from typing import Any

import numpy as np
from river import linear_model, optim
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from bench import online_models
from bench.worlds import Losses, World, resampled
from consumers.settings import load
from stream.online import logistic

WARM_UP = 2_500


@cache
def mail() -> dict[str, World]:
    """Enron's mails, resampled: H and I with the study's online model, J with the one in use.

    The gap of J is above what is tolerated, without any drift: it is no null, and an alarm says `outgrown`.
    """
    mails = online_models.rows("enron_spam_stream.jsonl.gz")
    order = np.random.default_rng(7).permutation(len(mails))[: WARM_UP + 3_000]
    shuffled = [mails[place] for place in order]
    features = online_models.project(load(None).streams["spam"].features)
    hashed = online_models.hashed(binary=True, norm="l2")
    return {
        "H Enron shuffled, mails drawn one by one": resampled(_losses(shuffled, hashed, _descent()), 1),
        "I Enron's first segment, by blocks of 250": resampled(_losses(mails[:4_994], hashed, _descent()), 250),
        "J as H, with the online model in use": resampled(
            _losses(shuffled, features, logistic(load(None).streams["spam"])), 1
        ),
    }


def _descent() -> Any:
    """The study's online model for mail."""
    return linear_model.LogisticRegression(optim.SGD(2.0))


def _losses(mails: list[online_models.Mail], inputs: online_models.Inputs, online: Any) -> Losses:
    """Of a frozen TF-IDF with logistic regression, and of an online model, test before learn."""
    labels = np.array([mail["label"] == "spam" for mail in mails])
    found = online_models.run(inputs, {"online": online}, mails, WARM_UP)
    texts = [mail["text"] for mail in online_models.cut(mails)]
    words = TfidfVectorizer()
    baseline = LogisticRegression(C=10, max_iter=1_000).fit(words.fit_transform(texts[:WARM_UP]), labels[:WARM_UP])
    answers = baseline.predict(words.transform(texts[WARM_UP:])), found["online"].scores >= 0.5
    ours, others = ((answer != labels[WARM_UP:]).astype(float)[None, :] for answer in answers)
    return Losses(ours, others)
