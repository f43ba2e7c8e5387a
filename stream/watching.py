"""Settings of the detectors beside the verdict: which watch which value (``monitor.detectors``)."""

from collections.abc import Mapping, Sequence

from stream.errors import SettingError

OF_NUMBERS = ("adwin", "page-hinkley", "kswin")
"""Detectors that take any number."""

OF_ERRORS = ("ddm", "eddm", "hddm-a", "hddm-w")
"""Detectors that take what is 0 or 1."""

DETECTORS = (*OF_NUMBERS, *OF_ERRORS)

YES_OR_NO = ("baseline", "online", "disagreement")
"""Monitored values that are 0 or 1: whether a model errs, and whether they disagree."""

VALUES = (*YES_OR_NO, "gap", "baseline_score")


def check_detectors(key: str, detectors: Mapping[str, Sequence[str]]) -> None:
    """Check values and built-in names; raises SettingError. A ``module:class`` is looked up by stream.drift.detectors.

    Nothing is mapped so that it may fit: what a detector of errors says of a shifted gap would have another meaning.
    """
    for value, names in detectors.items():
        if value not in VALUES:
            raise SettingError(f"{key}.{value}", list(names), f"about one of {', '.join(VALUES)}")
        for name in names:
            if ":" not in name and name not in DETECTORS:
                raise SettingError(f"{key}.{value}", name, f"{' or '.join(DETECTORS)} or module:class")
            if names.count(name) > 1:
                raise SettingError(f"{key}.{value}", name, "named once")
            if name in OF_ERRORS and value not in YES_OR_NO:
                raise SettingError(f"{key}.{value}", name, refusal(value))


def refusal(value: str) -> str:
    """What is allowed in place of a detector of errors where ``value`` is no such."""
    return f"another detector: this one takes what is 0 or 1 ({', '.join(YES_OR_NO)}), and {value} is not"
