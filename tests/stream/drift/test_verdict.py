"""Which verdict follows from which alarms."""

import pytest

from stream.drift.rot import BASELINE, ONLINE, PAIRED, REVERSE
from stream.drift.verdict import NEXT, Seen, verdict

OFF = {BASELINE: "no reference", ONLINE: "no reference"}


@pytest.mark.parametrize(
    ("alarms", "off", "expected"),
    [
        ([], {}, "healthy"),
        ([PAIRED], {}, "outgrown"),
        ([PAIRED], OFF, "baseline_rot"),
        ([PAIRED, BASELINE], {}, "baseline_rot"),
        ([PAIRED, BASELINE, ONLINE], {}, "baseline_rot"),
        ([BASELINE, ONLINE], {}, "hard_shift"),
        ([BASELINE, ONLINE, REVERSE], {}, "hard_shift"),
        ([REVERSE, ONLINE], {}, "online_fault"),
        ([REVERSE], OFF, "online_fault"),
        ([REVERSE], {}, "healthy"),
        ([BASELINE], {}, "unexplained"),
        ([ONLINE], {}, "unexplained"),
    ],
)
def test_a_verdict_follows_from_the_alarms_that_count(alarms, off, expected):
    held = {name: name in alarms for name in (PAIRED, REVERSE, BASELINE, ONLINE)}
    assert verdict(held, off, Seen()) == expected
    assert NEXT[expected]
