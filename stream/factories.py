"""Making the models that a stream's settings name, and seeing that they fit its kind before anything starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from stream import baseline, online
from stream.config import Stream
from stream.detectors import DETECTORS
from stream.errors import RotwatchError, SettingError, TrainingError

FITS = {
    "logistic": ("binary", "multiclass"),
    "half-space-trees": ("anomaly",),
    **dict.fromkeys(DETECTORS, ("anomaly",)),
}
"""The kinds of stream that each built-in model is for."""

VERBS = {
    "online": {"anomaly": ("score_one", "learn_one"), "": ("predict_proba_one", "learn_one")},
    "baseline": {"anomaly": ("fit", "score_samples"), "": ("fit", "predict_proba")},
}
"""What an estimator must be able to do, by side and kind."""


def make_online(key: str, stream: Stream) -> Any:
    """The river estimator that ``stream.online`` names; raises SettingError, or TrainingError if it cannot be made."""
    return _make(key, stream, "online", online.FACTORIES)


def make_baseline(key: str, stream: Stream) -> Any:
    """The unfitted scikit-learn estimator that ``stream.baseline`` names, over what is logged; raises as above."""
    return _make(key, replace(stream, features=stream.features.logged), "baseline", baseline.FACTORIES)


def _make(key: str, stream: Stream, side: str, built_in: dict[str, Any]) -> Any:
    spec = getattr(stream, side)
    factory = online.find(f"{key}.{side}", spec, built_in)
    if spec in FITS and stream.kind not in FITS[spec]:
        fitting = " or ".join(name for name in built_in if stream.kind in FITS[name])
        raise SettingError(f"{key}.{side}", spec, f"{fitting}, as kind is {stream.kind!r}")
    if spec in FITS and stream.kind == "anomaly" and not stream.features.numbers:
        raise SettingError(f"{key}.features.numeric", [], f"at least one column, since {spec} reads numbers only")
    if spec in DETECTORS and stream.features.text and (spec != "isolation-forest" or stream.training.pca is not None):
        wanted = f"left out, since {spec}{' behind PCA' if stream.training.pca is not None else ''} takes no words"
        raise SettingError(f"{key}.features.text", stream.features.text, wanted)
    with guarded(f"{key}.{side} = {spec!r}"):
        estimator = factory(stream)
    verbs = VERBS[side].get(stream.kind, VERBS[side][""])
    missing = [verb for verb in verbs if not callable(getattr(estimator, verb, None))]
    if missing:
        wanted = f"a factory of an estimator with {' and '.join(missing)} (this one made a {type(estimator).__name__})"
        raise SettingError(f"{key}.{side}", spec, wanted)
    return estimator


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Makes one clear error of whatever a model, the user's own perhaps, raises while it is made ready."""
    try:
        yield
    except RotwatchError:
        raise
    except Exception as error:
        line = str(error).strip().splitlines()
        raise TrainingError(
            f"{what} cannot be made ready: {type(error).__name__}: {line[0] if line else ''}"
        ) from error
