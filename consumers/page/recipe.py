"""A candidate's recipe in words; ``stream.training.families`` writes the short form that is read here."""

FAMILIES = {
    "logistic": "logistic regression",
    "linear-svm": "linear support vector machine",
    "complement-nb": "complement naive Bayes",
    "random-forest": "random forest",
    "gradient-boosting": "gradient boosting",
    "isolation-forest": "isolation forest",
    "gaussian-mixture": "Gaussian mixture, components by BIC",
    "local-outlier-factor": "local outlier factor",
}

PARTS = {
    "words": "TF-IDF of words",
    "chars": "TF-IDF of characters",
    "both": "TF-IDF of words and of characters",
    "l1": "the terms that an L1 penalty keeps",
    "since the last alarm": "learned from the rows since the last alarm",
    "variance": "the columns that vary",
    "class_weight=balanced": "rare classes weighted up",
}

SIZED = {
    "chi2": "the {} terms that chi-square ranks highest",
    "svd": "reduced to {} dimensions by truncated SVD",
    "pca": "reduced to {} dimensions by PCA",
    "mutual-information": "the {} columns with the most mutual information",
    "elimination": "the {} columns that recursive elimination leaves",
    "newest ": "learned from the newest {} rows",
    "half-life ": "a row {} rows older counts half",
}

SETTINGS = {
    "C": "C {} (the smaller, the more regularized)",
    "l1_ratio": "{} of the penalty L1",
    "alpha": "smoothing {}",
    "min_samples_leaf": "leaves of {} rows at least",
    "max_features": "{} of the columns at a time",
    "learning_rate": "learning rate {}",
    "max_leaf_nodes": "trees of {} leaves at most",
    "l2_regularization": "L2 penalty {}",
    "covariance": "covariances {}",
    "bottleneck": "a bottleneck of {} of the columns",
    "neighbours": "{} neighbours",
}

SHARES = {"0.25": "a quarter", "sqrt": "the square root", "0.5": "half", "1.0": "all"}


def words(candidate: str) -> str:
    """The recipe in words; what is unknown stands as it is.

    >>> words("logistic, words, chi2:600, C=10.0, newest 2,500")  # doctest: +NORMALIZE_WHITESPACE
    'Logistic regression; TF-IDF of words; the 600 terms that chi-square ranks highest;
    C 10 (the smaller, the more regularized); learned from the newest 2,500 rows'
    """
    family, *parts = candidate.split(", ")
    said = "; ".join([FAMILIES.get(family, family), *map(_part, parts)])
    return said[:1].upper() + said[1:]


def _part(part: str) -> str:
    if part in PARTS:
        return PARTS[part]
    how, _, size = part.partition(":")
    if how in SIZED and size:
        return SIZED[how].format(size)
    for start in ("newest ", "half-life "):
        if part.startswith(start):
            return SIZED[start].format(part.removeprefix(start))
    setting, _, value = part.partition("=")
    if setting in SETTINGS and value:
        shown = (
            SHARES.get(value, value)
            if setting in ("l1_ratio", "max_features", "bottleneck")
            else value.removesuffix(".0")
        )
        return SETTINGS[setting].format(shown)
    return part
