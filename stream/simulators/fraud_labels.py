"""Who says what a simulated transaction was, and when: inspectors soon, of a few; chargebacks late, of frauds alone."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.simulators.fraud_world import DAY_MS, Setup

_INSPECTED_DAYS: Final = (1.0, 1.0)  # fewest, and how many more or none
_CHARGED_BACK_DAYS: Final = (3.0, 17.0)


def draw_labels(
    rng: np.random.Generator, times: NDArray[np.int64], fraud: NDArray[np.bool_], setup: Setup
) -> NDArray[np.int64]:
    """Draw when each transaction's label comes, in milliseconds since the epoch; 0 where none ever does.

    A share of all are inspected, and their labels come after one day to two. Most of the other frauds are charged back,
    after three days to twenty, sooner rather than later.
    """
    draws = rng.random((4, len(times)))
    inspected = draws[0] < setup.inspected_share
    charged_back = fraud & ~inspected & (draws[2] < setup.charged_back_share)
    soon = _INSPECTED_DAYS[0] + _INSPECTED_DAYS[1] * draws[1]
    late = _CHARGED_BACK_DAYS[0] + _CHARGED_BACK_DAYS[1] * draws[3] * draws[3]
    delays = (np.where(inspected, soon, late) * DAY_MS).astype(np.int64)
    return np.where(inspected | charged_back, times + delays, 0)
