"""Streams to watch: what they are trained on, and what comes then."""

import numpy as np
import pandas as pd

from stream.config import Features
from stream.drift.inputs import Inputs
from stream.drift.profiler import Profiler
from stream.training.reference import reference

EVERY = 100
WORDS = [f"word{number}" for number in range(400)]


class World:
    """Thirty normal numbers, an amount with a long tail, a country and a score, drawn with a seed."""

    def __init__(self, seed, trained_on=5_000, numbers=30):
        self.chance = np.random.default_rng(seed)
        self.names = [f"x{number}" for number in range(numbers)]
        self.features = Features(numeric=[*self.names, "amount"], categorical=["country"])
        rows, scores = self.draw(trained_on)
        self.reference = reference(self.features, pd.DataFrame(rows), np.array(scores))
        self.profiler = Profiler("v1", self.features, self.reference)
        self.inputs = Inputs("v1", self.reference)
        self.seen = 0

    def draw(self, count):
        values = self.chance.normal(size=(count, len(self.names)))
        amounts = self.chance.lognormal(2.5, 1.0, size=count)
        countries = self.chance.choice(["no", "se", "dk", "fi"], p=[0.4, 0.3, 0.2, 0.1], size=count)
        rows = [
            {**dict(zip(self.names, line, strict=True)), "amount": amount, "country": str(country)}
            for line, amount, country in zip(values.tolist(), amounts.tolist(), countries, strict=True)
        ]
        return rows, self.chance.beta(0.5, 3.0, size=count).tolist()

    def live(self, count, change=lambda row: row):
        """So many events in profiles of EVERY; each finding with the events since the call began."""
        found = []
        for begin in range(0, count, EVERY):
            rows, scores = self.draw(EVERY)
            profile = self.profiler.profile(self.seen, [change(row) for row in rows], scores)
            self.seen += EVERY
            found += [(begin + EVERY, each) for each in self.inputs.update(profile)]
        return found


def mails(chance, count, shares):
    """Mails of 40 words; ``shares``: how likely each of WORDS is."""
    return [{"body": " ".join(chance.choice(WORDS, p=shares, size=40))} for _ in range(count)]
