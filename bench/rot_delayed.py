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
        what = f"{name}: of {RUNS} runs, those with an alarm"
        for when, alarms in (
            (f"in {EVENTS:,} s", [one.soon for one in found]),
            (f"in {EVENTS:,} s that was not already called blind", [one.believed for one in found]),
            ("until all labels were there", [one.alarms for one in found]),
        ):
            runs = sum(each > 0 for each in alarms)
            words = f"{what} {when}"
            figures.append(at_most(words, runs, 0) if stream.labels.maturity else Figure(words, runs))
        figures += [
            Figure(f"{name}: of {RUNS} runs, {verdict} after {EVENTS:,} s", count)
            for verdict, count in Counter(one.verdict for one in found).most_common()
        ]
    return figures
