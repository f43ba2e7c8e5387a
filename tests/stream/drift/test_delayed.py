"""Labels that come the sooner the more they say."""

import pytest

from tests.stream.drift.delayed import EVENTS, MODES, delayed


@pytest.mark.parametrize("seed", range(3))
def test_in_the_order_of_events_and_once_they_are_final_early_positives_raise_no_alarm(seed):
    found = delayed(MODES["in the order of events, once labels are final"], seed)
    assert (found.soon, found.alarms, found.verdict, found.judged) == (0, 0, "healthy", EVENTS)


def test_in_the_order_of_arrival_they_make_alarms_of_nothing():
    found = [delayed(MODES["in the order of labels' arrival"], seed) for seed in range(4)]
    assert sum(one.believed > 0 for one in found) >= 2
    assert {one.verdict for one in found} == {"blind"}  # it sees that the labels are no sample, too
