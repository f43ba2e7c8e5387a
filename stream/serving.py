"""The served score: the baseline's, the online model's, or a blend of both.

The blend is the fixed-share algorithm of Herbster and Warmuth (Tracking the Best Expert, Machine Learning 32,
1998) on log loss, for which the mixture of the experts' probabilities needs no tuned learning rate. With two
experts and share a, on any stretch of T labelled events, wherever it begins and whichever expert is the better one
on it::

    log loss of the blend, summed  <=  log loss of the expert, summed  +  ln(1/a)  +  T ln(1/(1-a))

At a = 0.001 and T = 2,500 that is .0038 an event. It holds event by event with labels at once: labels that come
D events late leave the weights D events old, and nothing is promised for the events in between. Probabilities
are clipped to [EPSILON, 1 - EPSILON] first, and the bound is on the clipped losses.
"""

from stream.records import Score

EPSILON = 1e-6
"""No probability is taken to be nearer than this to 0 or 1: one sure and wrong answer costs 13.8 nats, not for ever."""

TOP = 1.0 - EPSILON


def clip(p: float) -> float:
    """A probability away from 0 and 1.

    >>> clip(0.0), clip(0.3), clip(1.0)
    (1e-06, 0.3, 0.999999)
    """
    return p if EPSILON < p < TOP else EPSILON if p <= EPSILON else TOP


def clip_all(shares: list[float]) -> list[float]:
    """The probabilities of all classes away from 0 and 1, and summing to 1.

    >>> clip_all([0.0, 1.0])
    [1e-06, 0.999999]
    """
    clipped = [clip(share) for share in shares]
    total = sum(clipped)
    return [share / total for share in clipped]


class Blend:
    """Fixed-share weights of baseline and online model; ``weight`` is the baseline's, in [share, 1 - share].

    >>> blend = Blend(share=0.001)
    >>> blend.score(online=0.9, baseline=0.5)
    0.7
    >>> blend.update(online=0.9, baseline=0.5, label=1)
    >>> blend.weight < 0.5
    True
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.weight = 0.5

    def score(self, online: Score, baseline: Score) -> Score:
        """The mixture of two scores."""
        w = self.weight
        if isinstance(online, float) and isinstance(baseline, float):
            # Few scores need clipping: asking here saves most of the calls.
            o = online if EPSILON < online < TOP else clip(online)
            b = baseline if EPSILON < baseline < TOP else clip(baseline)
            return w * b + (1.0 - w) * o
        mixed = [w * clip(b) + (1.0 - w) * clip(o) for o, b in zip(online, baseline, strict=True)]  # type: ignore[arg-type] # lists
        total = sum(mixed)
        return [share / total for share in mixed]

    def update(self, online: Score, baseline: Score, label: int) -> None:
        """Move weight to the model that gave the label the greater probability."""
        if isinstance(online, float) and isinstance(baseline, float):
            o = online if EPSILON < online < TOP else clip(online)
            b = baseline if EPSILON < baseline < TOP else clip(baseline)
            if label != 1:
                o, b = 1.0 - o, 1.0 - b
        else:
            o, b = likelihood(online, label), likelihood(baseline, label)
        b *= self.weight
        o *= 1.0 - self.weight
        self.weight = self.share + (1.0 - 2.0 * self.share) * b / (b + o)


def likelihood(score: Score, label: int) -> float:
    """The clipped probability that a score gave to the class ``label``.

    >>> likelihood(0.25, 0), likelihood([0.2, 0.5, 0.3], 1)
    (0.75, 0.5)
    """
    if isinstance(score, float):
        p = clip(score)
        return p if label == 1 else 1.0 - p
    assert score is not None  # noqa: S101 - who asks for a likelihood has a score
    return clip_all(score)[label]
