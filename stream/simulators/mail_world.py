"""The world the simulated mail comes from: who writes (voices), with which words, and what changes when."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.simulators.mail_words import (
    CAMPAIGN_HEADS,
    FUNCTION_WORDS,
    HAM_HEADS,
    PITCH_WORDS,
    Words,
    zipf_table,
)

SLOTS: Final = 6  # campaigns that run at a time
REPLACED: Final = 2  # of them stop at a change point and are replaced
MIN_GAP: Final = 60  # rows between change points, so that what happens between them has a place

_SPAM_SHARE: Final = 0.30
_SPAM_SHARE_AFTER: Final = 0.22  # after the prior shift
_MUTATED_SHARE: Final = 0.6
_EVERYBODY_WORDS: Final = 160
_PITCH_WORDS: Final = 70
_TOPIC_WORDS: Final = 160
_CAMPAIGN_WORDS: Final = 40
_TOPIC_MIX: Final = (0.40, 0.24, 0.18, 0.18)
_TOPIC_MIX_LATE: Final = (0.28, 0.20, 0.24, 0.28)
_HAM_NEW_WORDS: Final = 0.5  # share of a topic's vocabulary that the slow shift replaces


class Change(msgspec.Struct, frozen=True):
    """A known change: from row `position` (the first is 0) on, the world is another one."""

    position: int
    kind: str  # "campaigns", "mutation", "ham_shift_begin", "ham_shift_end" or "prior"
    what: str


class Voice(msgspec.Struct, frozen=True):
    """Who writes: its own vocabulary, the one it borrows from, and the shares of its words they make up."""

    own: int
    borrowed: int
    own_low: float
    own_high: float
    borrowed_share: float


class World(msgspec.Struct, frozen=True):
    """All that rows are drawn from; arrays are looked up, never changed."""

    texts: NDArray[np.object_]  # [word]
    tables: NDArray[np.intp]  # [vocabulary, entry] -> word; vocabulary 0 is everybody's
    voices: tuple[Voice, ...]
    ham_voices: int  # the first so many voices are ham
    steps: tuple[int, ...]  # positions at which a new segment begins
    mixes: NDArray[np.float64]  # [2 * segment + late, voice] -> cumulative share
    ham_shift: tuple[int, int] | None  # begin and end of the slow ham shift
    changes: tuple[Change, ...]


class _Campaign(msgspec.Struct, frozen=True):
    name: str
    voice: int


def build_world(rng: np.random.Generator, change_at: Sequence[int]) -> World:
    """Draw the world whose campaigns are replaced at the positions `change_at` (none: a world without drift).

    Early things are drawn first, so that worlds of one seed agree until their first difference.
    """
    builder = _Builder(rng)
    begin, end = _between(change_at, 0, 1, 6), _between(change_at, 0, 5, 6)
    for number, position in enumerate(change_at):
        builder.replace_campaigns(position, number)
        if number == 0:
            builder.changes.append(Change(begin, "ham_shift_begin", "ham slowly takes up new words and other topics"))
        builder.mutate_campaigns(_between(change_at, number, 1, 2), number)
        if number == 0:
            builder.changes.append(Change(end, "ham_shift_end", "ham has settled on its new words and topics"))
    if change_at:
        builder.shift_prior(_between(change_at, len(change_at) - 1, 2, 3))
    return builder.world((begin, end) if change_at else None)


def _between(change_at: Sequence[int], number: int, part: int, parts: int) -> int:
    """Return the row `part / parts` of the way to the next change point (after the last: as far again)."""
    if not change_at:
        return 0
    starts = (0, *change_at)
    start = starts[number + 1]
    gap = (starts[number + 2] - start) if number + 2 < len(starts) else start - starts[number]
    return start + gap * part // parts


class _Builder:
    def __init__(self, rng: np.random.Generator) -> None:
        self.changes: list[Change] = []
        self._words = Words(rng)
        self._vocabularies: list[list[int]] = []
        self._voices: list[Voice] = []
        self._started = 0
        self._everybody = self._vocabulary(FUNCTION_WORDS, _EVERYBODY_WORDS)
        self._pitch = self._vocabulary(PITCH_WORDS, _PITCH_WORDS)
        self._topics = [self._vocabulary(heads, _TOPIC_WORDS) for heads in HAM_HEADS.values()]
        late = [self._add(self._words.mutate(self._vocabularies[n], _HAM_NEW_WORDS, 0.0)) for n in self._topics]
        for topic, vocabulary in zip(tuple(HAM_HEADS) * 2, self._topics + late, strict=True):
            pitch = 0.20 if topic in {"newsletters", "orders"} else 0.04
            self._voices.append(Voice(vocabulary, self._pitch, 0.12, 0.55, pitch))
        self._ham_voices = len(self._voices)
        self._slots = [self._start_campaign() for _ in range(SLOTS)]
        self._spam_share = _SPAM_SHARE
        self._steps: list[int] = []
        self._mixes = self._mix()

    def replace_campaigns(self, position: int, number: int) -> None:
        """Stop the campaigns of the next slots and start new ones in their places."""
        slots = [(number * REPLACED + offset) % SLOTS for offset in range(REPLACED)]
        stopped = [self._slots[slot].name for slot in slots]
        for slot in slots:
            self._slots[slot] = self._start_campaign()
        started = [self._slots[slot].name for slot in slots]
        self._step(position, "campaigns", f"{_listed(started)} start, {_listed(stopped)} stop")

    def mutate_campaigns(self, position: int, number: int) -> None:
        """Let the newest and the oldest campaign replace a share of their words."""
        mutated = [(number * REPLACED) % SLOTS, ((number + 1) * REPLACED) % SLOTS]
        for slot in mutated:
            campaign = self._slots[slot]
            voice = self._voices[campaign.voice]
            words = self._words.mutate(self._vocabularies[voice.own], _MUTATED_SHARE, 0.5)
            self._slots[slot] = _Campaign(campaign.name, len(self._voices))
            self._voices.append(msgspec.structs.replace(voice, own=self._add(words)))
        names = _listed([self._slots[slot].name for slot in mutated])
        self._step(position, "mutation", f"{names} disguise or replace {_MUTATED_SHARE:.0%} of their words")

    def shift_prior(self, position: int) -> None:
        """Change the share of spam."""
        self._spam_share = _SPAM_SHARE_AFTER
        self._step(position, "prior", f"the share of spam falls from {_SPAM_SHARE:.0%} to {_SPAM_SHARE_AFTER:.0%}")

    def world(self, ham_shift: tuple[int, int] | None) -> World:
        mixes = np.zeros((len(self._mixes), len(self._voices)))
        for row, mix in zip(mixes, self._mixes, strict=True):
            row[: len(mix)] = mix
        return World(
            texts=np.array(self._words.texts, dtype=object),
            tables=np.stack([zipf_table(vocabulary) for vocabulary in self._vocabularies]),
            voices=tuple(self._voices),
            ham_voices=self._ham_voices,
            steps=tuple(self._steps),
            mixes=np.cumsum(mixes, axis=1),
            ham_shift=ham_shift,
            changes=tuple(sorted(self.changes, key=lambda change: change.position)),
        )

    def _step(self, position: int, kind: str, what: str) -> None:
        self.changes.append(Change(position, kind, what))
        self._steps.append(position)
        self._mixes += self._mix()

    def _mix(self) -> list[list[float]]:
        """Return the share of every voice in this segment: first with early ham, then with late ham."""
        ham = 1.0 - self._spam_share
        spam = [0.0] * (len(self._voices) - self._ham_voices)
        for campaign in self._slots:
            spam[campaign.voice - self._ham_voices] = self._spam_share / SLOTS
        none = [0.0] * len(_TOPIC_MIX)
        early = [ham * share for share in _TOPIC_MIX]
        late = [ham * share for share in _TOPIC_MIX_LATE]
        return [early + none + spam, none + late + spam]

    def _start_campaign(self) -> _Campaign:
        """Every second campaign imitates a ham topic; the others pitch as newsletters do."""
        turn, theme = divmod(self._started, len(CAMPAIGN_HEADS))
        name, heads = CAMPAIGN_HEADS[theme]
        vocabulary = self._vocabulary(heads if turn == 0 else (), _CAMPAIGN_WORDS)
        if self._started % 2:
            topic = self._topics[self._started // 2 % len(self._topics)]
            voice = Voice(vocabulary, topic, 0.14, 0.42, 0.22)
        else:
            voice = Voice(vocabulary, self._pitch, 0.14, 0.42, 0.30)
        self._voices.append(voice)
        self._started += 1
        return _Campaign(name if turn == 0 else f"{name} {turn + 1}", len(self._voices) - 1)

    def _vocabulary(self, heads: Sequence[str], size: int) -> int:
        return self._add([self._words.add(text) for text in heads] + self._words.invent(size - len(heads)))

    def _add(self, words: list[int]) -> int:
        self._vocabularies.append(words)
        return len(self._vocabularies) - 1


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)
