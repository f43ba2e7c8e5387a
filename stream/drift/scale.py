"""Place and spread of the values behind a histogram, and quantiles of counts between edges."""

from collections.abc import Sequence

from msgspec import Struct

from stream.reference import Histogram

NORMAL_IQR = 1.349
"""The interquartile range of a normal distribution in standard deviations."""

NORMAL_MIDDLE = 3.29
"""The range of the middle 90% of a normal distribution in standard deviations."""


class Scale(Struct, frozen=True):
    """A median, and a spread that is the standard deviation where values are normal; never 0."""

    median: float
    spread: float


def scale(histogram: Histogram) -> Scale:
    """The scale of a reference's values: robust, so that a few far values do not make every move look small.

    >>> scale(Histogram([0.0, 1.0, 2.0, 3.0, 4.0], [0, 25, 25, 25, 25, 0])).median
    2.0
    """
    edges, counts = histogram.edges, histogram.counts
    if not edges:
        return Scale(0.0, 1.0)
    at = [quantile(edges, counts, share) for share in (0.05, 0.25, 0.5, 0.75, 0.95)]
    for width, normal in ((at[3] - at[1], NORMAL_IQR), (at[4] - at[0], NORMAL_MIDDLE), (edges[-1] - edges[0], 1.0)):
        # Below: what a sum in 64 bits cannot be trusted to tell apart.
        if width > max(1e-12 * max(abs(edges[0]), abs(edges[-1])), 1e-200):
            return Scale(at[2], width / normal)
    return Scale(at[2], max(1.0, abs(edges[0])))


def quantile(edges: Sequence[float], counts: Sequence[float], share: float) -> float:
    """The value below which a share of the counts lies; bins are filled evenly, what lies outside is at the ends."""
    target = share * sum(counts)
    below = float(counts[0])
    if target <= below:
        return edges[0]
    for left, right, count in zip(edges, edges[1:], counts[1:], strict=False):
        if count and below + count >= target:
            return left + (right - left) * (target - below) / count
        below += count
    return edges[-1]
