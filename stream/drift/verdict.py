"""The verdict: what alarms say together of a stream's models, why, and what to do next.

An alarm counts for LATCH labelled events, and then as long as the decayed mean that it is about is beyond its bound.
"""

from collections.abc import Mapping

from stream.drift.rot import BASELINE, ONLINE, PAIRED, REVERSE

LATCH = 2_000
"""Labelled events for which an alarm counts in any case."""

NEXT = {
    "healthy": "nothing to do",
    "no_baseline": "train the first baseline: rotwatch train --first",
    "blind": "see why no labels come",
    "baseline_rot": "retrain: rotwatch train",
    "outgrown": "the baseline is as good as it was, and the online model is better: retraining on more data may pay",
    "hard_shift": "both models err more than they did: look at inputs and labels before anything is retrained",
    "online_fault": "look at the online model; the baseline errs less",
    "unexplained": "wait: it becomes rot, a hard shift or nothing within some hundred labelled events",
}
"""What to do, by verdict."""


def verdict(held: Mapping[str, bool], off: Mapping[str, str]) -> str:
    """The verdict by the detectors whose alarms count now; those in ``off`` do not run.

    >>> quiet = dict.fromkeys((PAIRED, REVERSE, BASELINE, ONLINE), False)
    >>> verdict(quiet, {}), verdict({**quiet, PAIRED: True}, {}), verdict({**quiet, PAIRED: True, BASELINE: True}, {})
    ('healthy', 'outgrown', 'baseline_rot')
    """
    if held[PAIRED]:
        # Without a reference nobody knows whether the baseline is as good as it was.
        return "baseline_rot" if held[BASELINE] or BASELINE in off else "outgrown"
    if held[BASELINE] and held[ONLINE]:
        return "hard_shift"
    if held[REVERSE] and (held[ONLINE] or ONLINE in off):
        return "online_fault"
    return "unexplained" if held[BASELINE] or held[ONLINE] else "healthy"
