"""Labels whose delay depends on what they say: what is alarmed in the order of events, and of the labels' arrival.

One event in five is positive and labelled after 100 s, the others after 3,000 s; an event a second, 3,500 of them. Both
models err in 32 of 1,000 events, the baseline on positives rather, the online model on negatives: there is no gap.
Scores that events bring along, through scorer and monitor with their settings as they are by default. The tests'
streams (tests/stream/drift/delayed.py).
"""

from collections import Counter

from bench.report import Figure, at_most
from tests.stream.drift.delayed import EVENTS, MODES, delayed

RUNS = 200


def delayed_labels() -> list[Figure]:
    """RUNS runs each, seeds 0 and up."""
    figures = []
    for name, stream in MODES.items():
        found = [delayed(stream, seed) for seed in range(RUNS)]
        assert all(one.judged == EVENTS for one in found)
        soon, ever = (
            sum(each > 0 for each in counts) for counts in zip(*((f.soon, f.alarms) for f in found), strict=True)
        )
        what = f"{name}: of {RUNS} runs, those with an alarm"
        final = bool(stream.labels.maturity)
        figures += [
            at_most(f"{what} in {EVENTS:,} s", soon, 0) if final else Figure(f"{what} in {EVENTS:,} s", soon),
            at_most(f"{what} until all labels were there", ever, 0) if final else Figure(f"{what} in all", ever),
            *(
                Figure(f"{name}: of {RUNS} runs, {verdict} after {EVENTS:,} s", count)
                for verdict, count in Counter(one.verdict for one in found).most_common()
            ),
        ]
    return figures
