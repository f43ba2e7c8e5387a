"""The families of models that are tried for a baseline.

A candidate is a recipe: how columns become numbers, what is kept of them, the model and its settings, and how far
back its rows go. All that a recipe learns (vocabulary, scales, which columns are kept) it learns from the rows it is
fitted on. Its estimator is stock scikit-learn, so that a skops file needs few types.

Text: TF-IDF of words, of characters, or both, with logistic regression, a linear support vector machine (Joachims
1998) or complement naive Bayes (Rennie et al. 2003); chi-square or L1 selection; truncated SVD (Deerwester et al.
1990). Tables: logistic regression, random forest (Breiman 2001), gradient boosting on histograms (Ke et al. 2017);
columns kept by variance, mutual information or recursive elimination (Guyon et al. 2002); PCA. Anomalies: the
detectors of ``stream.detectors``, and where labels are there the families above.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np
from msgspec import Struct

from stream.config import Features

Setting = float | int | str | None


class Candidate(Struct, frozen=True, order=True):
    """A recipe.

    ``window``: it learns from its newest so many rows (0: all); ``half_life``: a row so many rows older counts half.
    """

    family: str
    text: str = ""
    select: str = ""
    settings: tuple[tuple[str, Setting], ...] = ()
    window: int = 0
    half_life: int = 0

    def __str__(self) -> str:
        parts = [self.family, self.text, self.select, *(f"{name}={value}" for name, value in self.settings)]
        back = f"newest {self.window:,}" if self.window else ""
        fades = f"half-life {self.half_life:,}" if self.half_life else ""
        return ", ".join(part for part in (*parts, back, fades) if part)


PLAIN = Candidate("logistic", settings=(("C", 10.0),))
"""What a stream's own factory makes, ``stream.baseline.logistic``: the candidate that all others must beat."""


def candidates(features: Features, rows: int, seed: int) -> list[Candidate]:
    """All recipes for these columns, PLAIN first, then one of each family in turn, drawn by ``seed``.

    The order is what a search under a time budget gets through.
    """
    plain = PLAIN if not features.text else Candidate("logistic", "words", settings=(("C", 10.0),))
    return _in_turn(plain, _supervised(features, rows), seed)


def anomaly_candidates(features: Features, rows: int, seed: int, *, labels: bool) -> list[Candidate]:
    """All recipes for a stream of anomalies in the same order, an isolation forest first; ``labels``: classifiers too.

    Of these only such as give probabilities by themselves: a sigmoid needs more positives than there may be.
    """
    plain = Candidate("isolation-forest", "words" if features.text else "")
    supervised = [each for each in _supervised(features, rows) if each.family != "linear-svm"] if labels else []
    return _in_turn(plain, [*_detectors(features), *supervised], seed)


def _supervised(features: Features, rows: int) -> list[Candidate]:
    return list(_texts(features, rows) if features.text else _tables(features))


def _in_turn(plain: Candidate, found: list[Candidate], seed: int) -> list[Candidate]:
    drawn = [found[at] for at in np.random.default_rng(seed).permutation(len(found)) if found[at] != plain]
    turns: Counter[str] = Counter()
    turn = {}
    for candidate in drawn:
        turn[candidate] = turns[candidate.family]
        turns[candidate.family] += 1
    return [plain, *sorted(drawn, key=turn.__getitem__)]


def _texts(features: Features, rows: int) -> Iterator[Candidate]:
    # A hashed word has no characters that mean anything.
    words = ("words", "chars", "both") if features.keep == "text" else ("words",)
    weights = (None, "balanced")
    for text, c, weight in product(words, (1.0, 10.0, 100.0), weights):
        yield Candidate("logistic", text, settings=_set(C=c, class_weight=weight))
    for c in (1.0, 10.0, 100.0):
        yield Candidate("logistic", "words", settings=_set(C=c, l1_ratio=1.0))
    yield Candidate("logistic", "words", settings=_set(C=10.0, l1_ratio=0.5))
    for text, c, weight in product(words, (0.1, 1.0, 10.0), weights):
        yield Candidate("linear-svm", text, settings=_set(C=c, class_weight=weight))
    # Chi-square takes no negative numbers, which scaled columns are.
    selections = ["l1"] if features.numbers else [f"chi2:{max(50, rows // 2)}", f"chi2:{rows * 4}", "l1"]
    for text, select in product([text for text in words if text != "chars"], selections):
        yield Candidate("logistic", text, select, _set(C=10.0))
    for size in (50, 200):
        yield Candidate("logistic", "words", f"svd:{size}", _set(C=10.0))
        yield Candidate("gradient-boosting", "words", f"svd:{size}", _set(learning_rate=0.1, max_leaf_nodes=15))
    if not (features.numbers or features.categorical or features.onehot):
        for text, alpha in product(words, (0.01, 0.1, 1.0)):
            yield Candidate("complement-nb", text, settings=_set(alpha=alpha))


def _tables(features: Features) -> Iterator[Candidate]:
    weights = (None, "balanced")
    for c, weight in product((0.01, 0.1, 1.0, 10.0, 100.0), weights):
        yield Candidate("logistic", settings=_set(C=c, class_weight=weight))
    for c, ratio in product((0.1, 1.0), (0.5, 1.0)):
        yield Candidate("logistic", settings=_set(C=c, l1_ratio=ratio))
    shares: tuple[Setting, ...] = ("sqrt", 0.5)
    for leaf, most, weight in product((1, 5, 20), shares, weights):
        yield Candidate("random-forest", settings=_set(min_samples_leaf=leaf, max_features=most, class_weight=weight))
    # Without class weights: scikit-learn 1.9 takes minutes for the bins of weighted rows with many columns (#34304).
    for rate, leaves, l2 in product((0.05, 0.1), (7, 15, 31), (0.0, 1.0)):
        settings = _set(learning_rate=rate, max_leaf_nodes=leaves, l2_regularization=l2)
        yield Candidate("gradient-boosting", settings=settings)
    count = len(features.columns)
    if count > 2:
        halves: list[int] = sorted({max(1, count // 4), max(1, count // 2)})
        for family, select in product(
            ("logistic", "random-forest", "gradient-boosting"), ("variance", "mutual-information", "elimination")
        ):
            for keep in [0] if select == "variance" else halves:
                yield Candidate(family, select=f"{select}:{keep}" if keep else select)
    if len(features.numbers) > 2:
        for size in sorted({max(1, len(features.numbers) // 4), max(2, len(features.numbers) // 2)}):
            yield Candidate("logistic", select=f"pca:{size}")


def _detectors(features: Features) -> Iterator[Candidate]:
    each = (
        ("isolation-forest", _set()),
        ("isolation-forest", _set(max_features=0.5)),
        ("gaussian-mixture", _set(covariance="diag")),
        ("gaussian-mixture", _set(covariance="full")),
        ("autoencoder", _set(bottleneck=0.25)),
        ("autoencoder", _set(bottleneck=0.5)),
        ("local-outlier-factor", _set(neighbours=20)),
        ("local-outlier-factor", _set(neighbours=100)),
    )
    # Most of them take dense numbers only, which a vocabulary has too many of.
    selects = ["svd:50"] if features.text else [""]
    if not features.text and len(features.numbers) > 2:
        selects.append(f"pca:{max(2, len(features.numbers) // 2)}")
    for (family, settings), select in product(each, selects):
        yield Candidate(family, "words" if features.text else "", select, settings)


def _set(**settings: Setting) -> tuple[tuple[str, Setting], ...]:
    return tuple((name, value) for name, value in settings.items() if value is not None)
