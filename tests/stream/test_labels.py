"""The waiting room: fates of labels, and what eviction leaves is a fair sample."""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import pytest

from stream.config import Duration, Labels
from stream.entry import EVICTED, JOINED, Entry
from stream.labels import ALL, LabelJoin
from stream.records import Prediction
from stream.snapshot import pack, unpack

HAM, SPAM = 0, 1


def entry(event_id: str, arrived: float = 0.0, position: int = 0) -> Entry:
    prediction = Prediction(event_id, arrived, "ham", 0.5, "online", 0.5, None, "v", None)
    return Entry(prediction, position, arrived, {"body": "x"}, {1: 1.0})


def room(*, maturity=0.0, ttl=100.0, capacity=16, recent=1000, implied=-1) -> LabelJoin:
    return LabelJoin(Labels(maturity=Duration(maturity), ttl=Duration(ttl), capacity=capacity), recent, implied)


def fates(join: LabelJoin, *labels: tuple[str, int]) -> list[str]:
    return [join.join(event_id, label, 1.0, 1.0)[0] for event_id, label in labels]


def test_the_first_label_joins_the_next_are_duplicate_or_conflicting():
    join = room()
    join.admit("a", entry("a"))
    assert fates(join, ("a", SPAM), ("a", SPAM), ("a", HAM), ("a", SPAM)) == [
        "joined",
        "duplicate",
        "conflicting",
        "conflicting",
    ]


def test_a_contradiction_said_twice_is_a_duplicate():
    join = room()
    join.admit("a", entry("a"))
    assert fates(join, ("a", SPAM), ("a", HAM), ("a", HAM)) == ["joined", "conflicting", "duplicate"]


def test_a_label_before_its_event_waits_for_it_and_a_second_one_is_told_apart():
    join = room()
    assert fates(join, ("a", SPAM), ("a", SPAM), ("a", HAM)) == ["early", "duplicate", "conflicting"]
    early = join.take_early("a")
    assert early is not None
    assert (early.label, early.time, early.last) == (SPAM, 1.0, HAM)
    assert join.take_early("a") is None


def test_a_label_for_nothing_is_orphaned_when_its_time_to_live_is_over():
    join = room(ttl=10.0)
    assert fates(join, ("nothing", SPAM)) == ["early"]
    list(join.advance(11.0))
    assert (join.counts.orphaned, len(join.early)) == (0, 1)  # at the very moment it is still in time
    list(join.advance(11.1))
    assert (join.counts.orphaned, len(join.early)) == (1, 0)


def test_a_label_after_the_time_to_live_is_orphaned():
    join = room(ttl=10.0)
    join.admit("a", entry("a"))
    list(join.advance(10.5))
    assert join.counts.expired == 1
    assert fates(join, ("a", SPAM)) == ["orphaned"]


def test_a_label_within_maturity_is_held_until_then_and_a_later_one_is_not():
    join = room(maturity=10.0)
    join.admit("soon", entry("soon"))
    join.admit("late", entry("late"))
    assert join.join("soon", SPAM, 5.0, 5.0)[2] is False
    assert [e.prediction.event_id for e in join.advance(10.0)] == []
    assert [e.prediction.event_id for e in join.advance(10.5)] == ["soon"]
    assert join.join("late", SPAM, 11.0, 11.0)[2] is True
    assert join.counts.late == 1


def test_an_absent_label_means_the_class_set_once_mature():
    join = room(maturity=10.0, implied=HAM)
    join.admit("a", entry("a"))
    [left] = join.advance(11.0)
    assert (left.label, join.counts.implied, join.waiting) == (HAM, 1, 0)
    assert fates(join, ("a", HAM), ("a", SPAM)) == ["duplicate", "conflicting"]


def test_what_came_before_the_clock_began_arrives_when_it_begins():
    join = room(ttl=10.0)
    join.admit("ahead", entry("ahead", -math.inf))
    join.join("nothing", SPAM, 0.0, -math.inf)
    join.begin(1_000.0)
    list(join.advance(1_005.0))
    assert (join.counts.expired, join.counts.orphaned) == (0, 0)
    list(join.advance(1_011.0))
    assert (join.counts.expired, join.counts.orphaned) == (1, 1)


def test_an_event_is_known_while_it_waits_even_when_the_recent_ids_have_forgotten_it():
    join = room(recent=2)
    for name in "abcd":
        join.admit(name, entry(name))
    assert len(join.recent) == 2
    assert join.known("a") is not None
    fates(join, ("a", SPAM))
    assert join.known("a") is None


def test_eviction_goes_by_the_hash_of_the_id_and_takes_labelled_and_unlabelled_alike():
    join = room(maturity=1e9, ttl=1e9)
    left: list[Entry] = []
    for index in range(400):
        left += join.admit(f"e{index}", entry(f"e{index}"))
        if index % 2:
            join.join(f"e{index}", SPAM, 0.0, 0.0)
    assert len(join.young) <= 16
    kept = {int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") for key in join.young}
    assert max(kept) < join.threshold
    assert all(one.state == JOINED for one in left)
    assert join.counts.unsampled == len(left) > 0
    assert join.counts.evicted > 300 - len(left) - 200
    assert join.known("e1").state in (JOINED, EVICTED)


def test_the_room_opens_again_when_the_rush_is_over():
    join = room(maturity=10.0, ttl=20.0)
    for index in range(500):
        join.admit(f"e{index}", entry(f"e{index}", 0.0))
    assert join.threshold < ALL
    list(join.advance(100.0))
    for index in range(64):
        now = 100.0 + index * 10
        list(join.advance(now))
        join.admit(f"later{index}", entry(f"later{index}", now))
    assert join.threshold == ALL


def test_a_snapshot_gives_back_the_same_tables():
    join = room(maturity=5.0, recent=8)
    for index in range(40):
        join.admit(f"e{index}", entry(f"e{index}", float(index)))
        list(join.advance(float(index)))
        if index % 3 == 0:
            join.join(f"e{index + index % 2 * 5}", SPAM, float(index), float(index))
    for table in (join.young, join.overdue):
        for one in table.values():
            one.pack()
    again = room(maturity=5.0, recent=8)
    body, kept = unpack(pack(join.snapshot()))
    again.restore(body, kept)
    assert again.snapshot().body == body
    assert again.digest() == join.digest()
    assert (again.threshold, again.waiting, again.counts) == (join.threshold, join.waiting, join.counts)
    shared = set(again.recent) & set(again.young)
    assert shared
    assert all(again.recent[key] is again.young[key] for key in shared)  # one entry, not two copies


# --------------------------------------------------------------------------- eviction is blind to the label


class OldestFirst(LabelJoin):
    """What most queues do: the oldest goes; if it has its label it counts."""

    def _make_room(self) -> list[Entry]:
        _, oldest = self.young.popitem(last=False)
        if oldest.state == JOINED:
            return [oldest]
        self.waiting -= 1
        self._evict(oldest)
        return []


class SparesTheLabelled(LabelJoin):
    """By hash, but only events without a label have to go: it looks thrifty, and the early labels win."""

    def _make_room(self) -> list[Entry]:
        for key in [key for key in sorted(self.young, key=_hashed) if self.young[key].state != JOINED][-13:]:
            self.waiting -= 1
            self._evict(self.young.pop(key))
        while len(self.young) > self.settings.capacity:
            self.young.popitem()
        return []


def _hashed(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=8).digest()


def life(
    kind: type[LabelJoin], *, counts_leaving: bool, implied: bool = False, spread: bool = True
) -> dict[str, tuple[int, int]]:
    """(spam, all) among the sampled records, in a calm and a rushed half; spam is reported early, ham late or never."""
    rng = np.random.default_rng(11)
    labels = Labels(maturity=Duration(2_000), ttl=Duration(4_000), capacity=200)
    join = kind(labels, 500, HAM if implied else -1)
    halves = {"calm": [0, 0], "rush": [0, 0]}
    due: list[tuple[float, str, int]] = []
    now = 0.0

    def take(left: Sequence[Entry]) -> None:
        for one in left:
            half = halves["rush" if one.position >= 10_000 else "calm"]
            half[0] += one.label == SPAM
            half[1] += 1

    for index in range(28_000):
        rush = index >= 10_000
        now += 0.4 if rush and spread else 1.0
        while due and due[0][0] <= now:
            at, event_id, label = due.pop(0)
            take(list(join.advance(at)))
            join.join(event_id, label, at, at)
        take(list(join.advance(now)))
        spam = rng.random() < (0.5 if rush else 0.2)
        left = join.admit(f"e{index}", entry(f"e{index}", now, index))
        if counts_leaving:
            take(left)
        if spam or not implied:
            due.append((now + (50.0 if spam else 1_900.0), f"e{index}", SPAM if spam else HAM))
            if spam:
                due.sort()
    return {half: (spam, n) for half, (spam, n) in halves.items()}


def far_off(found: tuple[int, int], truth: float) -> float:
    """Distance from the true share in standard errors."""
    spam, n = found
    return abs(spam / n - truth) / math.sqrt(truth * (1 - truth) / n)


@pytest.mark.parametrize("implied", [False, True])
def test_under_pressure_the_sampled_labels_are_a_fair_sample_although_spam_is_reported_first(implied):
    found = life(LabelJoin, counts_leaving=False, implied=implied)
    assert found["calm"][1] > 400
    assert found["rush"][1] > 400
    assert far_off(found["calm"], 0.2) < 3.5
    assert far_off(found["rush"], 0.5) < 3.5


@pytest.mark.parametrize(
    ("kind", "counts_leaving"), [(OldestFirst, True), (SparesTheLabelled, False), (LabelJoin, True)]
)
def test_it_would_not_be_one_if_the_oldest_went_or_the_labelled_were_spared_or_those_that_leave_early_counted(
    kind, counts_leaving
):
    found = life(kind, counts_leaving=counts_leaving)
    assert max(far_off(found["calm"], 0.2), far_off(found["rush"], 0.5)) > 5.5
