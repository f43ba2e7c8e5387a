"""The verdict: what alarms and inputs say together of a stream's models, why, and what to do next.

An alarm counts for LATCH labelled events, and then until the decayed mean that it is about is at RELEASE of what is
tolerated: so a mean about its bound does not turn the verdict again and again.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from stream.drift.rot import BASELINE, ONLINE, PAIRED, REVERSE

LATCH = 2_000
"""Labelled events for which an alarm counts in any case."""

WAITED = 1_000
"""Labelled events in which a gap of some 40 errors in 1,000 is found; smaller ones take longer."""

RELEASE = 0.5
"""Of what is tolerated: where an alarm ends."""

Shift = Literal["", "open", "benign"]
"""Of inputs, score or label shares: nothing has moved; it is open whether that costs anything; it costs nothing."""

NEXT = {
    "healthy": "nothing to do",
    "no_baseline": "train the first baseline: rotwatch train --first",
    "blind": "see why labels do not come, or who chose them",
    "data_quality": "see what became of this field; nothing is to be retrained on it",
    "baseline_rot": "retrain: rotwatch train",
    "outgrown": "the baseline is as good as it was, and the online model is better: retraining on more data may pay",
    "hard_shift": "both models err more than they should: look at inputs and labels before anything is retrained",
    "online_fault": "look at the online model; the baseline errs less",
    "unexplained": "wait: it becomes rot, a hard shift or nothing within some hundred labelled events",
    "shift_unconfirmed": "wait for the labels",
    "benign_shift": "nothing to do",
}
"""What to do, by verdict."""


class Seen(Struct, frozen=True):
    """What a verdict is by, beside alarms.

    ``broken``: there is evidence that a field is. ``invalid``: labels were chosen by what the models said. ``blind``:
    labels do not come, or too few. ``waited``: the baseline's own alarm has counted for WAITED events, it still errs
    that much, and the online model does not seem to be better. ``rare``: positives alone count, and are so few that the
    online model has not learned what is new before the baseline's own alarm.
    """

    broken: bool = False
    invalid: bool = False
    blind: bool = False
    shift: Shift = ""
    waited: bool = False
    rare: bool = False


def verdict(held: Mapping[str, bool], off: Mapping[str, str], seen: Seen) -> str:  # noqa: PLR0911 - one a verdict
    """The verdict by the detectors whose alarms count now, of which those in ``off`` do not run, and by what is seen.

    A broken field comes first: on it every model errs, and the online one learns to live with it, which looks like rot
    of the other. What alarms have shown does not become unknown by labels that stop.

    >>> quiet = dict.fromkeys((PAIRED, REVERSE, BASELINE, ONLINE), False)
    >>> rotten = {**quiet, PAIRED: True, BASELINE: True}
    >>> [verdict(held, {}, Seen()) for held in (quiet, {**quiet, PAIRED: True}, rotten)]
    ['healthy', 'outgrown', 'baseline_rot']
    >>> verdict(rotten, {}, Seen(broken=True)), verdict(quiet, {}, Seen(shift="open"))
    ('data_quality', 'shift_unconfirmed')
    >>> verdict({**quiet, BASELINE: True}, {}, Seen(rare=True))
    'baseline_rot'
    """
    if seen.broken:
        return "data_quality"
    if seen.invalid:
        return "blind"
    if held[PAIRED]:
        # Without a reference nobody knows whether the baseline is as good as it was.
        return "baseline_rot" if held[BASELINE] or BASELINE in off else "outgrown"
    if held[BASELINE] and seen.rare:
        return "baseline_rot"
    if held[BASELINE] and (held[ONLINE] or (ONLINE in off and seen.waited)):
        return "hard_shift"
    if held[REVERSE] and (held[ONLINE] or ONLINE in off):
        return "online_fault"
    if held[BASELINE] or held[ONLINE]:
        return "unexplained"
    if seen.blind:
        return "blind"
    return {"": "healthy", "open": "shift_unconfirmed", "benign": "benign_shift"}[seen.shift]
