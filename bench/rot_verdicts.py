"""Whether each story ends in its verdict, what was said first, how soon, and whether anything was said too early.

Simulated losses and inputs through the whole monitor with its settings as they are by default; references are the upper
ends of 1,000 judged rows, drawn anew in each run. The tests' stories (tests/stream/drift/stories.py).
"""

from collections import Counter

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from bench.report import Figure, at_least, at_most
from tests.stream.drift.stories import STORIES, told

RUNS = 40

console = Console(width=150)


def verdicts() -> list[Figure]:
    """RUNS runs of each story, seeds 0 and up."""
    table = Table(title=f"verdicts, {RUNS} runs each", title_justify="left", box=box.SIMPLE)
    for column in ("story", "right", "last", "first that is not healthy", "events until it, median", "all in order"):
        table.add_column(column)
    figures, early, runs = [], 0, 0
    for name, story in STORIES.items():
        found = [told(story, seed) for seed in range(RUNS)]
        early, runs = early + sum(one.early for one in found), runs + RUNS
        right = sum(one.last == story.right for one in found) / RUNS
        firsts = [one.first for one in found if one.first is not None]
        median = float(np.median(firsts)) if firsts else float("inf")
        table.add_row(
            name,
            f"{right:.3f}",
            _often([one.last for one in found]),
            _often([one.turns[0] if one.turns else "none" for one in found]),
            f"{median:,.0f}",
            _often([" > ".join(one.turns) for one in found]),
        )
        figures += [
            at_least(f"{name}: share that ends as {story.right}", right, 0.95),
            Figure(f"{name}: events until the first verdict that is not healthy", median),
        ]
    console.print(table)
    return [*figures, at_most(f"alarms and verdicts before the change, {runs} runs", early, 0)]


def _often(words: list[str]) -> str:
    return ", ".join(f"{word} {count}" for word, count in Counter(words).most_common())
