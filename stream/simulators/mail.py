"""A seeded stream of mail whose change points are known, to show and to measure what is noticed.

- Ham: four topics (work, family, newsletters, orders) with Zipfian vocabularies; both shift slowly.
- Spam: six campaigns at a time, each with its own words. Half of them borrow the words of a ham topic, half
  those of pitches, which newsletters use too. Campaigns start, disguise or replace their words, and stop.
- Both: the words everybody uses; now and then a token that never comes again, so that words never end; and
  some mails in everybody's words only, which no model can tell.

Uniform draws of PCG64 and sums, products and comparisons of doubles decide the rows: the same anywhere.

Error rates at the defaults, each the range over seeds 1, 2 and 7. Frozen: TF-IDF + logistic regression
(C=10) fitted on the first 2,500 rows. Online: river's logistic regression (AdaGrad(.1), hashed words).

| rows             | what holds                    | frozen       | online       |
|------------------|-------------------------------|--------------|--------------|
| 2,500 to 8,000   | nothing changes               | .024 to .027 | .022 to .023 |
| 8,000 to 8,500   | new campaigns                 | .106 to .112 | .066 to .078 |
| 8,500 to 14,000  | ham shifts, a mutation        | .117 to .129 | .023 to .030 |
| 14,000 to 14,500 | new campaigns                 | .178 to .238 | .054 to .062 |
| 14,500 to 18,000 | a mutation                    | .206 to .211 | .022 to .029 |
| 18,000 to 20,000 | less spam                     | .140 to .179 | .011 to .013 |
| 2,500 to 20,000  | `drift=False`                 | .025 to .029 | .020 to .022 |
"""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Final, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from stream.simulators.mail_words import TABLE_SIZE
from stream.simulators.mail_world import MIN_GAP, Change, World, build_world

__all__ = ["Change", "Mail", "MailSimulator"]

_CHUNK: Final = 512  # rows drawn at once; a part of what the seed means: another size draws other rows
_START_MS: Final = 1_704_067_200_000  # 2024-01-01T00:00:00Z
_MEAN_GAP_MS: Final = 4_000
_SUBJECT: Final = (3, 8)  # fewest and most words
_BODY: Final = (12, 52)
_TOKEN_SHARE: Final = 0.015  # of all words: numbers and tracking codes that never come again
_NOTES: Final = 0.04  # share of mails in everybody's words only: what no model can tell
_EVERYBODY: Final = 0


class Mail(TypedDict):
    """One row."""

    event_id: str
    time: float
    subject: str
    body: str
    label: Literal["ham", "spam"]


class MailSimulator:
    """An endless stream of mail; every `iter()` begins anew, and `rows(n)` ends after `n` rows.

    Rows follow from the arguments alone. Until the first change they are those of the same seed without
    drift. Nothing is kept of rows already given, so memory is flat however long the stream runs.

    Parameters
    ----------
    seed
        Draws the vocabularies and the rows.
    drift
        False gives a world in which nothing ever changes: every alarm on it is a false one.
    change_at
        Rows at which a third of the campaigns stop and new ones take over. What else changes is placed
        between: ham shifts slowly from the first to the second, campaigns mutate halfway to the next, and the
        share of spam falls after the last.

    Examples
    --------
    >>> simulator = MailSimulator(seed=7)
    >>> for change in simulator.changes[:2]:
    ...     print(change.position, change.kind, "-", change.what)
    8000 campaigns - parcels and crypto start, pills and casino stop
    9000 ham_shift_begin - ham slowly takes up new words and other topics
    >>> for row in simulator.rows(2):
    ...     print(row["event_id"], row["time"], row["label"], "-", row["subject"])
    mail-000000000 1704067205.33 ham - free to as
    mail-000000001 1704067206.522 ham - 9092b9889a schedule me or you flundnaim
    >>> MailSimulator(seed=7, drift=False).changes
    ()

    """

    def __init__(self, seed: int = 7, *, drift: bool = True, change_at: tuple[int, ...] = (8_000, 14_000)) -> None:
        for before, position in zip((0, *change_at), change_at, strict=False):
            if position < before + MIN_GAP:
                raise ValueError(f"change_at={change_at}: {position} must be at least {MIN_GAP} rows after {before}")
        self._seed = seed
        self._world: World = build_world(np.random.Generator(np.random.PCG64(seed)), change_at if drift else ())

    @property
    def changes(self) -> tuple[Change, ...]:
        """The known change points, in the order of their positions."""
        return self._world.changes

    def __iter__(self) -> Iterator[Mail]:
        """Begin the stream anew."""
        sampler = _Sampler(self._world, self._seed)
        while True:
            yield from sampler.chunk()

    def rows(self, count: int) -> Iterator[Mail]:
        """Return an iterator over the first `count` rows."""
        return islice(self, count)


class _Sampler:
    """Draws chunks of rows from a world, one after the other."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = np.random.Generator(np.random.PCG64(seed).jumped())  # far from the draws that made the world
        self._position = 0
        self._now_ms = _START_MS
        self._steps = np.array(world.steps, dtype=np.intp)
        self._own = np.array([voice.own for voice in world.voices])
        self._own_low = np.array([voice.own_low for voice in world.voices])
        self._own_span = np.array([voice.own_high - voice.own_low for voice in world.voices])
        self._borrowed = np.array([voice.borrowed for voice in world.voices])
        self._borrowed_share = np.array([voice.borrowed_share for voice in world.voices])
        self._gaps_ms = _exponential_table(_MEAN_GAP_MS)

    def chunk(self) -> list[Mail]:
        """Return the next rows."""
        draws = self._rng.random((6, _CHUNK))
        times = self._now_ms + np.cumsum(self._gaps_ms[_scaled(draws[0], TABLE_SIZE)])
        voices = self._voices(draws[1], draws[2])
        subject_sizes = _SUBJECT[0] + _scaled(draws[3], _SUBJECT[1] - _SUBJECT[0] + 1)
        sizes = subject_sizes + _BODY[0] + _scaled(draws[4], _BODY[1] - _BODY[0] + 1)
        words = self._texts(voices, draws[5], sizes)
        ends = np.cumsum(sizes)
        starts = ends - sizes
        labels = ["spam" if spam else "ham" for spam in (voices >= self._world.ham_voices).tolist()]
        columns = zip(
            range(self._position, self._position + _CHUNK),
            (times / 1000.0).tolist(),
            starts.tolist(),
            (starts + subject_sizes).tolist(),
            ends.tolist(),
            labels,
            strict=True,
        )
        self._position += _CHUNK
        self._now_ms = int(times[-1])
        return [
            {
                "event_id": f"mail-{position:09d}",
                "time": time,
                "subject": " ".join(words[start:middle]),
                "body": " ".join(words[middle:end]),
                "label": "spam" if label == "spam" else "ham",
            }
            for position, time, start, middle, end, label in columns
        ]

    def _voices(self, by_mix: NDArray[np.float64], by_time: NDArray[np.float64]) -> NDArray[np.intp]:
        """Pick who writes each row, by the mix in force at its position."""
        world = self._world
        positions = np.arange(self._position, self._position + _CHUNK)
        rows = 2 * np.searchsorted(self._steps, positions, side="right")
        if world.ham_shift is not None:
            begin, end = world.ham_shift
            rows += by_time * (end - begin) < positions - begin
        # the last voice takes what rounding leaves of the cumulative shares
        picked: NDArray[np.intp] = (by_mix[:, None] >= world.mixes[rows, :-1]).sum(axis=1)
        return picked

    def _texts(self, voices: NDArray[np.intp], by_style: NDArray[np.float64], sizes: NDArray[np.intp]) -> list[str]:
        """Draw the words of all rows, one after the other."""
        world = self._world
        total = int(sizes.sum())
        by_source, by_word = self._rng.random((2, total))
        telling = by_style >= _NOTES
        own_share = (self._own_low[voices] + self._own_span[voices] * by_style) * telling
        token_from = np.repeat(own_share + self._borrowed_share[voices] * telling, sizes)
        own = by_source < np.repeat(own_share, sizes)
        borrowed = ~own & (by_source < token_from)
        tables = np.where(own, np.repeat(self._own[voices], sizes), _EVERYBODY)
        tables = np.where(borrowed, np.repeat(self._borrowed[voices], sizes), tables)
        words: list[str] = world.texts[world.tables[tables, _scaled(by_word, TABLE_SIZE)]].tolist()
        tokens = np.flatnonzero((by_source >= token_from) & (by_source < token_from + _TOKEN_SHARE))
        for place, token in zip(tokens.tolist(), _scaled(self._rng.random(len(tokens)), 2**40).tolist(), strict=True):
            words[place] = f"{token:010x}"
        return words


def _scaled(draws: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    """Turn uniform draws of [0, 1) into whole numbers below `size`."""
    return (draws * size).astype(np.intp)


def _exponential_table(mean_ms: int) -> NDArray[np.intp]:
    """Return quantiles of exponential gaps in whole milliseconds: no machine rounds them otherwise."""
    middles = ((entry + 0.5) / TABLE_SIZE for entry in range(TABLE_SIZE))
    return np.array([max(1, round(-math.log(1.0 - middle) * mean_ms)) for middle in middles], dtype=np.intp)
