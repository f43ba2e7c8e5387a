"""Making the models that a stream's settings name, and seeing that they fit its kind before anything starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from stream import baseline, online
from stream.config import Stream
from stream.detectors import DETECTORS
from stream.errors import RotwatchError, SettingError, TrainingError

FITS: dict[str, dict[str, tuple[str, ...]]] = {
    "online": {
        "logistic": ("binary", "multiclass", "anomaly"),
        "recursive-logistic": ("binary", "anomaly"),
        **dict.fromkeys(online.DETECTORS, ("anomaly",)),
    },
    "baseline": {"logistic": ("binary", "multiclass", "anomaly"), **dict.fromkeys(DETECTORS, ("anomaly",))},
}
"""The kinds of stream that each built-in model is for, by side."""

VERBS: dict[str, dict[str, tuple[tuple[str, ...], ...]]] = {
    "online": {"anomaly": (("score_one", "learn_one"),), "": (("predict_proba_one", "learn_one"),)},
    "baseline": {"anomaly": (("fit", "score_samples"), ("fit", "predict_proba")), "": (("fit", "predict_proba"),)},
}
"""What an estimator must be able to do, one or the other, by side and kind."""


def make_online(key: str, stream: Stream) -> Any:
    """The river estimator that ``stream.online`` names; raises SettingError, or TrainingError if it cannot be made."""
    return _make(key, stream, "online", online.FACTORIES)


def make_baseline(key: str, stream: Stream) -> Any:
    """The unfitted scikit-learn estimator that ``stream.baseline`` names, over what is logged; raises as above."""
    return _make(key, replace(stream, features=stream.features.logged), "baseline", baseline.FACTORIES)


def _make(key: str, stream: Stream, side: str, built_in: dict[str, Any]) -> Any:
    spec, fits = getattr(stream, side), FITS[side]
    anomalies = stream.kind == "anomaly"
    parts = spec.split(online.JOINS) if side == "online" and anomalies else [spec]
    own = [part for part in parts if part not in fits]
    if own and len(parts) > 1:
        raise SettingError(f"{key}.{side}", own[0], f"of those that are pooled one of {', '.join(built_in)}")
    if len(set(parts)) < len(parts):
        raise SettingError(f"{key}.{side}", spec, "each of those that are pooled once")
    factory = online.find(f"{key}.{side}", parts[0], built_in)
    for part in parts:
        if part in fits:
            _check_fit(key, stream, side, part, built_in)
    with guarded(f"{key}.{side} = {spec!r}"):
        built = side == "online" and anomalies and not own
        estimator = online.pooled(stream, parts) if built else factory(stream)
    choices = VERBS[side].get(stream.kind, VERBS[side][""])
    missing = [[verb for verb in verbs if not callable(getattr(estimator, verb, None))] for verbs in choices]
    if all(missing):
        least = min(missing, key=len)
        wanted = f"a factory of an estimator with {' and '.join(least)} (this one made a {type(estimator).__name__})"
        raise SettingError(f"{key}.{side}", spec, wanted)
    return estimator


def _check_fit(key: str, stream: Stream, side: str, spec: str, built_in: dict[str, Any]) -> None:
    """Raises SettingError where a built-in model is not for the stream."""
    fits = FITS[side]
    if stream.kind not in fits[spec]:
        fitting = " or ".join(name for name in built_in if stream.kind in fits[name])
        raise SettingError(f"{key}.{side}", spec, f"{fitting}, as kind is {stream.kind!r}")
    if stream.kind == "anomaly" and not stream.features.numbers:
        raise SettingError(f"{key}.features.numeric", [], f"at least one column, since {spec} reads numbers only")
    behind_pca = stream.training.pca is not None
    if side == "baseline" and spec in DETECTORS and stream.features.text and (spec != "isolation-forest" or behind_pca):
        wanted = f"left out, since {spec}{' behind PCA' if behind_pca else ''} takes no words"
        raise SettingError(f"{key}.features.text", stream.features.text, wanted)


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
