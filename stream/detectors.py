"""Anomaly detectors in scikit-learn's manner: ``fit`` without labels, and ``score_samples``, higher is more normal.

Stock estimators inside; what is ours is what they lack: bounds of time and memory, settings that follow the rows, and
one scale for their scores. All hold arrays and numbers only, so that a skops file of them needs no other types.
"""

import warnings
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.utils import resample

Array = np.ndarray[Any, np.dtype[Any]]

MOST_ROWS = 20_000
"""A mixture or an autoencoder is fitted on a random sample of so many rows: more of them cost time and tell nothing."""

MOST_NEIGHBOURS = 5_000
"""Rows that a local outlier factor keeps: each event is compared with all of them."""

COMPONENTS = (1, 2, 4, 8, 16)
"""Numbers of components that a mixture tries."""

STOPS_EARLY = 100
"""With fewer rows a tenth of them says too little of when an autoencoder should stop."""


def _sample(rows: Any, most: int, seed: int) -> Any:
    """At most so many of the rows, drawn without replacement."""
    count = rows.shape[0]
    return rows if count <= most else resample(rows, replace=False, n_samples=most, random_state=seed)


class Squashed(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A detector whose scores are brought into (-1, 0): minus them are in (0, 1), and the median row has 0.5.

    With z, how far a raw score lies from the training rows' median in units of their interquartile range, the score is
    1/2 + sign(z) / 2 * log(1 + abs(z)) / (1 + log(1 + abs(z))): rising without end, so that two events far outside
    still differ, where a ratio would have used up the digits of a float. The isolation forest needs none of this.

    Parameters
    ----------
    model
        An unfitted estimator with ``fit`` and ``score_samples``, of any range.
    seed
        Draws the rows that set the scale, MOST_NEIGHBOURS of them.

    >>> rows = np.random.default_rng(1).normal(size=(500, 2))
    >>> detector = Squashed(Mixture()).fit(rows)
    >>> [float(round(-score, 2)) for score in detector.score_samples(np.array([[0.0, 0.0], [9.0, 9.0], [1e9, 1e9]]))]
    [0.33, 0.91, 0.99]
    """

    def __init__(self, model: Any, seed: int = 1) -> None:
        self.model = model
        self.seed = seed

    def fit(self, rows: Any, labels: Any = None) -> Self:
        """Fit the detector, and learn the scale of its scores; ``labels`` are not looked at."""
        self.model.fit(rows)
        raw = -self.model.score_samples(_sample(rows, MOST_NEIGHBOURS, self.seed))
        low, middle, high = (float(edge) for edge in np.quantile(raw, (0.25, 0.5, 0.75)))
        # Where most rows are the same row, quartiles are no scale.
        self.middle_ = middle
        self.spread_ = (high - low) or float(np.abs(raw - middle).mean()) or 1.0
        return self

    def score_samples(self, rows: Any) -> Array:
        """Minus the anomaly score of each row, in (-1, 0)."""
        z = (-self.model.score_samples(rows) - self.middle_) / self.spread_
        log = np.log1p(np.abs(z))
        return np.asarray(-0.5 - np.sign(z) / 2 * log / (1 + log))


class Mixture(BaseEstimator):  # type: ignore[misc]
    """A Gaussian mixture with as many components as the Bayesian information criterion says (Schwarz 1978).

    The score of a row is its log-likelihood, in nats. ``covariance``: scikit-learn's ``covariance_type``. Raises
    ValueError for fewer than two rows.
    """

    def __init__(self, covariance: str = "diag", seed: int = 1) -> None:
        self.covariance = covariance
        self.seed = seed

    def fit(self, rows: Any, labels: Any = None) -> Self:
        """Fit with each number of COMPONENTS that has two rows a component, and keep the best."""
        sample = _sample(rows, MOST_ROWS, self.seed)
        found = []
        for count in COMPONENTS:
            if count == 1 or 2 * count <= len(sample):
                model = GaussianMixture(count, covariance_type=self.covariance, reg_covar=1e-3, random_state=self.seed)
                with warnings.catch_warnings():
                    # One that does not converge, or has fewer distinct rows than components, is judged as it is.
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    found.append(model.fit(sample))
        self.model_ = min(found, key=lambda model: float(model.bic(sample)))
        return self

    def score_samples(self, rows: Any) -> Array:
        """The log-likelihood of each row."""
        return np.asarray(self.model_.score_samples(rows))


class Autoencoder(BaseEstimator):  # type: ignore[misc]
    """A network that must reproduce its standardised input through a bottleneck (Hawkins et al. 2002).

    The score of a row is minus its reconstruction error, the mean squared difference in standard deviations. The
    network is an MLPRegressor of three hidden layers that stops early, by a tenth of the rows. ``bottleneck``: its
    width as a share of the input's.
    """

    def __init__(self, bottleneck: float = 0.5, seed: int = 1) -> None:
        self.bottleneck = bottleneck
        self.seed = seed

    def fit(self, rows: Any, labels: Any = None) -> Self:
        """Learn the scale of the columns, then the network."""
        sample = _sample(rows, MOST_ROWS, self.seed)
        self.scale_ = StandardScaler().fit(sample)
        scaled = self.scale_.transform(sample)
        width = scaled.shape[1]
        narrow = max(1, round(width * self.bottleneck))
        self.network_ = MLPRegressor(
            hidden_layer_sizes=(2 * width, narrow, 2 * width),
            early_stopping=len(scaled) >= STOPS_EARLY,
            random_state=self.seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is judged by what it has come to
            self.network_.fit(scaled, scaled if width > 1 else scaled[:, 0])
        for name in ("_optimizer", "_random_state", "_best_coefs", "_best_intercepts"):
            vars(self.network_).pop(name, None)  # of use to further training only
        return self

    def score_samples(self, rows: Any) -> Array:
        """Minus the reconstruction error of each row."""
        scaled = self.scale_.transform(rows)
        made = self.network_.predict(scaled).reshape(scaled.shape)
        return np.asarray(-((scaled - made) ** 2).mean(axis=1))


class Neighbours(BaseEstimator):  # type: ignore[misc]
    """The local outlier factor of new rows (Breunig et al. 2000), against a random sample of MOST_NEIGHBOURS rows.

    ``neighbours``: how many of them a row is compared with. Raises ValueError for fewer than two rows.
    """

    def __init__(self, neighbours: int = 100, seed: int = 1) -> None:
        self.neighbours = neighbours
        self.seed = seed

    def fit(self, rows: Any, labels: Any = None) -> Self:
        """Keep a sample of the rows, and how dense they lie."""
        sample = _sample(rows, MOST_NEIGHBOURS, self.seed)
        # By brute force: a tree of a file would be followed through memory without looking.
        self.model_ = LocalOutlierFactor(
            n_neighbors=min(self.neighbours, max(1, len(sample) - 1)), algorithm="brute", novelty=True
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Duplicate values")  # they make large factors, not wrong ones
            self.model_.fit(sample)
        return self

    def score_samples(self, rows: Any) -> Array:
        """Minus the local outlier factor of each row."""
        return np.asarray(self.model_.score_samples(rows))


DETECTORS = ("isolation-forest", "gaussian-mixture", "autoencoder", "local-outlier-factor")
"""The names that settings and cards have for them."""


def detector(name: str, seed: int, **settings: Any) -> Any:
    """An unfitted detector whose ``score_samples`` are in [-1, 0]; ``settings`` are its own."""
    if name == "isolation-forest":
        return IsolationForest(n_estimators=100, random_state=seed, **settings)
    makes = {"gaussian-mixture": Mixture, "autoencoder": Autoencoder, "local-outlier-factor": Neighbours}
    return Squashed(makes[name](seed=seed, **settings), seed)
