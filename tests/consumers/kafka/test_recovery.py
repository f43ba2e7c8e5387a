"""Recovery from damaged, moved, forged and forgotten state: refused, the older generation used, nothing executed."""

import hashlib
import pickle
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consumers.kafka import commit, recovery, state
from consumers.kafka.roles import MONITOR
from consumers.kafka.state import Blob, Manifest, StateKeys, found
from consumers.runtime import Runtime
from stream.errors import StateError
from stream.models import Models
from stream.scoring import MADE_FOR, ScoringTask
from tests.consumers.kafka.shelf import KEY, STREAM, Bomb, Life, Shelf, Stored

OTHER = b"o" * 32


def test_the_bomb_goes_off_where_it_is_unpickled(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "boom")))  # noqa: S301 - that is the point
    assert (tmp_path / "boom").exists()


@pytest.fixture
def life(monkeypatch):
    """A task with three generations (two are kept), and batches behind the newest."""
    monkeypatch.setattr(state, "CHUNK", 1_000)  # so that a body has several chunks
    life = Life(Shelf())
    for first in (0, 20, 40):
        life.live(first, first + 20, checkpoint=True)
    life.live(60, 70)
    return life


def recover(life: Life, **how: Any) -> tuple[ScoringTask, int, Runtime]:
    """The task as recovery gives it back, the generation that it comes from, and what was counted."""
    recoverer = life.recoverer(**how)
    standing = recoverer.standing(life.committed())
    loaded, lost = recoverer.load(standing, life.decode())
    assert lost == []
    task = ScoringTask("s", STREAM, Models(life.task.models.online, "", None))
    assert loaded.body is not None
    task.restore(loaded.body, loaded.segments)
    for batch in loaded.batches:
        task.feed(batch.inputs)
    assert standing.number == life.standing.number
    assert standing.place == life.standing.place
    return task, standing.generations[-1].generation, recoverer.runtime


def test_a_task_comes_back_as_it_was_from_its_newest_generation(life):
    task, generation, runtime = recover(life)
    assert task.digest() == life.task.digest()
    assert (generation, runtime.refused_checkpoints) == (3, 0)


def test_a_state_that_has_been_compacted_gives_the_same_task(life):
    before = len(life.shelf.topics[life.state])
    life.shelf.compact(life.state)
    assert len(life.shelf.topics[life.state]) < before
    assert recover(life)[0].digest() == life.task.digest()


# ------------------------------------------------------------------------------------------- 100 corruptions


class Newest:
    """Where the newest generation lies, and what can be done to it."""

    def __init__(self, life: Life, seed: int, tmp_path: Path) -> None:
        self.life = life
        self.random = random.Random(seed)
        self.bomb = tmp_path / "boom"
        self.records = {r.offset: r for r in life.shelf.topics[life.state]}
        self.pointer = life.standing.generations[-1]
        self.manifest: Manifest = life.standing.manifests[self.pointer.generation]
        self.body = [self.records[at] for at in range(self.manifest.body.first, self.manifest.body.last + 1)]
        self.sealed = self.records[self.pointer.manifest]
        self.changed: dict[int, Stored | None] = {}

    def damage(self, record: Stored) -> Stored | None:
        return self.changed.get(record.offset, record)

    def set(self, record: Stored, value: bytes | None) -> None:
        self.changed[record.offset] = record._replace(value=value)

    def any_record(self) -> Stored:
        return self.random.choice([*self.body, self.sealed, self.sealed])

    # -- the corruptions

    def flip(self) -> None:
        """One bit of the manifest or of a chunk is another."""
        record = self.any_record()
        value = bytearray(record.value)
        bit = self.random.randrange(len(value) * 8)
        value[bit // 8] ^= 1 << bit % 8
        self.set(record, bytes(value))

    def truncate(self) -> None:
        """The end of the manifest or of a chunk is gone."""
        record = self.any_record()
        self.set(record, record.value[: self.random.randrange(len(record.value))])

    def lose(self) -> None:
        """The manifest or a chunk is gone, or a tombstone is over it."""
        record = self.any_record()
        self.changed[record.offset] = self.random.choice([None, record._replace(value=None)])

    def swap(self) -> None:
        """Two chunks have changed places."""
        one, two = self.random.sample(self.body, 2)
        self.changed |= {one.offset: one._replace(value=two.value), two.offset: two._replace(value=one.value)}

    def wrong_key(self) -> None:
        """The manifest is sealed with a key that is none of ours."""
        self._reseal(OTHER)

    def other_partition(self) -> None:
        """The whole checkpoint is another partition's."""
        self._reseal(KEY, place=f"s/scorer/{self.random.randrange(1, 99)}")

    def other_stream(self) -> None:
        """The whole checkpoint is another stream's."""
        self._reseal(KEY, place=f"s{self.random.randrange(99)}/scorer/0")

    def other_role(self) -> None:
        """The whole checkpoint is another role's; under our key, as whoever moves records can see to."""
        self._reseal(KEY, place="s/monitor/0")

    def other_record(self) -> None:
        """A journal entry's authentic bytes stand where the manifest was."""
        entries = [r for r in self.records.values() if r.key is not None and b"/journal/" in r.key]
        self.set(self.sealed, self.random.choice(entries).value)

    def older(self) -> None:
        """Generation 1, which had the same keys, has been put in the place of generation 3: all of it is authentic."""
        for record in (*self.body, self.sealed):
            older = next(r for r in self.records.values() if r.key == record.key)
            if older.offset < record.offset:  # the older body may have fewer chunks
                self.changed[record.offset] = older._replace(offset=record.offset)
            else:
                self.changed[record.offset] = None

    def older_body(self) -> None:
        """The body of generation 1 stands under the manifest of generation 3."""
        for record in self.body:
            older = next(r for r in self.records.values() if r.key == record.key)
            if older.offset < record.offset:  # the older body may have fewer chunks
                self.set(record, older.value)

    def old_layout(self) -> None:
        """It is ours, and was written by a version whose layout is another."""
        self._write(msgspec.structs.replace(self.manifest, layout=self.random.choice([0, 2, -1])), KEY)

    def old_schema(self) -> None:
        """It is ours, and was written by a version whose manifests were made otherwise."""
        payload = self.random.choice([b"", b"\x93\1\2\3", msgspec.msgpack.encode({"layout": 1}), b"\xc1"])
        self.set(self.sealed, StateKeys(self.life.keys.place, "scorer", [KEY])._seal("manifest", payload))

    def bomb_with_other_key(self) -> None:
        """A pickle that runs code, in a checkpoint that is right in all but its key."""
        self._plant(OTHER)

    def bomb_as_body(self) -> None:
        """A pickle that runs code, under our own manifest."""
        for record, value in zip(self.body, self._evil(), strict=True):
            self.set(record, value)

    def bomb_as_manifest(self) -> None:
        """A pickle that runs code, where the manifest was."""
        self.set(self.sealed, pickle.dumps(Bomb(self.bomb)))

    # -- how

    def _evil(self) -> list[bytes]:
        evil = pickle.dumps(Bomb(self.bomb))
        return [evil, *[b""] * (len(self.body) - 1)]

    def _plant(self, key: bytes) -> None:
        evil = self._evil()
        for record, value in zip(self.body, evil, strict=True):
            self.set(record, value)
        digest = hashlib.sha256(b"".join(evil)).digest()
        at = self.manifest.body
        body = Blob(at.first, at.last, at.chunks, digest)
        self._write(msgspec.structs.replace(self.manifest, body=body), key)

    def _reseal(self, key: bytes, place: str = "s/scorer/0") -> None:
        self._write(self.manifest, key, place)

    def _write(self, manifest: Manifest, key: bytes, place: str = "s/scorer/0") -> None:
        self.set(self.sealed, StateKeys(place, "scorer", [key]).manifest(manifest).value)


CORRUPTIONS = {
    "flip": 25,
    "truncate": 16,
    "lose": 8,
    "swap": 6,
    "wrong_key": 2,
    "other_partition": 5,
    "other_stream": 5,
    "other_role": 2,
    "other_record": 6,
    "older": 2,
    "older_body": 2,
    "old_layout": 6,
    "old_schema": 8,
    "bomb_with_other_key": 3,
    "bomb_as_body": 2,
    "bomb_as_manifest": 2,
}


HUNDRED = [(what, seed) for what, count in CORRUPTIONS.items() for seed in range(count)]


@pytest.mark.parametrize(("what", "seed"), HUNDRED)
def test_a_corrupted_checkpoint_is_refused_and_the_older_one_used_and_nothing_executed(life, tmp_path, what, seed):
    newest = Newest(life, seed, tmp_path)
    getattr(newest, what)()
    assert newest.changed
    life.shelf.damage = newest.damage
    task, generation, runtime = recover(life)
    assert (generation, runtime.refused_checkpoints) == (2, 1)
    assert task.digest() == life.task.digest()
    assert not newest.bomb.exists()


def test_there_are_a_hundred_corruptions():
    assert len(HUNDRED) == 100


def test_a_bomb_sealed_with_our_own_key_would_go_off_so_that_the_key_is_what_keeps_it_out(life, tmp_path):
    newest = Newest(life, 0, tmp_path)
    newest._plant(KEY)
    life.shelf.damage = newest.damage
    with pytest.raises(TypeError, match="NoneType"):
        recover(life)
    assert newest.bomb.exists()


def test_where_no_generation_is_authentic_the_task_does_not_begin_anew_but_says_what_to_do(life):
    with pytest.raises(StateError, match=r"(?s)s/scorer/0: holds no checkpoint .* state inspect.* state rebuild"):
        recover(life, keys=[OTHER])


def test_a_damaged_segment_that_both_generations_need_refuses_both(life):
    life.live(70, 1_010, batch=500, checkpoint=True)
    life.live(1_010, 1_020, checkpoint=True)
    life.live(1_020, 1_025)
    manifests = list(life.standing.manifests.values())
    [shared] = set(manifests[0].segments) & set(manifests[1].segments) - {MADE_FOR}
    at = manifests[1].segments[shared].first
    assert recover(life)[0].digest() == life.task.digest()
    life.shelf.damage = lambda r: r._replace(value=r.value[:-1] + bytes([r.value[-1] ^ 1])) if r.offset == at else r
    with pytest.raises(StateError, match=f"{shared} is not what was sealed"):
        recover(life)


# ------------------------------------------------------------------------------------------- the journal


def entries(life: Life) -> list[Stored]:
    records = life.shelf.topics[life.state]
    return [
        r for r in records if r.key.startswith(b"scorer/journal/") and r.offset > life.standing.generations[-1].manifest
    ]


def test_a_journal_entry_that_was_changed_moved_or_lost_stops_the_recovery(life):
    one, two, *_ = entries(life)
    for changed in (
        {two.offset: two._replace(value=two.value[:-1] + b"?")},
        {two.offset: two._replace(value=one.value)},
        {two.offset: None},
        {entries(life)[-1].offset: None},
    ):
        life.shelf.damage = lambda r, changed=changed: changed.get(r.offset, r)
        with pytest.raises(StateError, match=r"sealed|missing|ends with"):
            recover(life)


def test_inputs_that_are_others_than_those_journalled_stop_the_recovery(life):
    tp = life.placed.inputs[0]
    life.shelf.topics[tp] = [r for r in life.shelf.topics[tp] if r.offset != 65]
    with pytest.raises(StateError, match="no longer what was journalled; have topics been made anew"):
        recover(life)


def test_the_journals_keys_come_round_and_the_task_still_comes_back(monkeypatch):
    monkeypatch.setattr(state, "RING", 16)
    monkeypatch.setattr(commit, "RING", 16)
    life = Life(Shelf())
    for first in range(0, 60, 6):
        life.live(first, first + 6, batch=2, checkpoint=True)  # six commits each: the ring is gone through four times
    life.live(60, 63)
    assert life.standing.number == 63
    assert recover(life)[0].digest() == life.task.digest()
    life.shelf.compact(life.state)
    assert sum(b"/journal/" in r.key for r in life.shelf.topics[life.state]) == 16
    assert recover(life)[0].digest() == life.task.digest()
    newest = life.standing.generations[-1].manifest
    life.shelf.damage = lambda r: None if r.offset == newest else r
    task, generation, _ = recover(life)
    assert (task.digest(), generation) == (life.task.digest(), life.standing.generations[0].generation)
    life.shelf.group.clear()
    assert recover(life)[0].digest() == life.task.digest()


def test_no_entry_is_written_over_that_a_kept_checkpoint_needs(monkeypatch):
    monkeypatch.setattr(state, "RING", 16)
    monkeypatch.setattr(commit, "RING", 16)
    life = Life(Shelf())
    life.live(0, 2, checkpoint=True)
    with pytest.raises(StateError, match="the journal is full: no checkpoint since batch 2"):
        life.live(2, 40, batch=1)
    assert recover(life)[0].totals().inputs.predicted > 0


# ------------------------------------------------------------------------------------------- the group's offsets


def test_where_the_groups_offsets_have_expired_the_state_topic_leads_back(life):
    life.shelf.group.clear()
    task, generation, _ = recover(life)
    assert (task.digest(), generation) == (life.task.digest(), 3)
    life.shelf.compact(life.state)
    assert recover(life)[0].digest() == life.task.digest()


def test_where_the_offsets_have_expired_and_the_newest_generation_is_damaged_the_older_one_is_used(life):
    life.shelf.group.clear()
    newest = life.standing.generations[-1].manifest
    life.shelf.damage = lambda r: r._replace(value=b"?") if r.offset == newest else r
    task, generation, runtime = recover(life)
    assert (task.digest(), generation) == (life.task.digest(), 2)
    assert runtime.refused_checkpoints == 1


def test_where_the_offsets_have_expired_and_nothing_is_authentic_the_task_does_not_begin_anew(life):
    life.shelf.group.clear()
    for damage in (
        lambda r: r._replace(value=b"?") if b"/manifest/" in r.key else r,
        lambda r: None if b"/journal/" in r.key else r._replace(value=b"?"),
        lambda r: None if b"/manifest/" in r.key else r,
    ):
        life.shelf.damage = damage
        with pytest.raises(StateError, match="holds no checkpoint that can be used"):
            recover(life)


def test_state_that_was_forgotten_does_not_come_back_when_the_offsets_expire(life):
    for key in {r.key for r in life.shelf.topics[life.state]}:
        life.shelf.append(life.state, key, None)
    life.shelf.group.clear()
    standing = life.recoverer().standing(life.committed())
    assert (standing.number, standing.generations, standing.place.offsets) == (0, [], [0, 0])


def test_state_that_was_made_anew_is_what_comes_back_when_the_offsets_expire(life):
    for key in {r.key for r in life.shelf.topics[life.state]}:
        life.shelf.append(life.state, key, None)
    life.standing = recovery.Standing(0, recovery.Place([70, 70], 0.0), [], {})
    life.live(70, 75, checkpoint=True)
    life.shelf.group.clear()
    task, generation, _ = recover(life)
    assert (task.digest(), generation) == (life.task.digest(), 1)


def test_offsets_that_another_program_has_committed_are_refused(life):
    for text in ("", "somebody else's", "{}", '{"number": 1}'):
        life.shelf.group[life.placed.inputs[0]] = (5, text)
        with pytest.raises(StateError, match=r"not committed by rotwatch.*another program.*state reset"):
            recover(life)


def test_an_offset_that_is_gone_while_the_others_are_there_is_refused(life):
    del life.shelf.group[life.placed.inputs[1]]
    with pytest.raises(StateError, match=r"lost its offset of s.labels-0.*state reset"):
        recover(life)


@pytest.mark.parametrize("expired", [False, True])
def test_state_made_with_another_number_of_partitions_is_refused_by_offsets_and_by_the_state_topic(life, expired):
    if expired:
        life.shelf.group.clear()
    recoverer = life.recoverer()
    recoverer.partitions = 4
    with pytest.raises(StateError, match=r"made with 1 partitions, and now there are 4.*rotwatch state rebuild"):
        recoverer.standing(life.committed())


def test_a_monitor_is_told_to_begin_anew_since_only_scorers_are_rebuilt():
    life = Life(Shelf(), role=MONITOR)
    life.recoverer()
    with pytest.raises(StateError, match="rotwatch state reset --role monitor"):
        life.recoverer()._same_partitions(4)


# ------------------------------------------------------------------------------------------- keys


def test_the_first_key_seals_and_the_others_open(life):
    assert recover(life, keys=[OTHER, KEY])[0].digest() == life.task.digest()
    life.committer.keys = StateKeys("s/scorer/0", "scorer", [OTHER, KEY])
    life.live(70, 80, checkpoint=True)
    life.live(80, 90, checkpoint=True)
    assert recover(life, keys=[OTHER])[0].digest() == life.task.digest()
    with pytest.raises(StateError, match="not sealed with our key"):
        recover(life, keys=[KEY])


# ------------------------------------------------------------------------------------------- lost inputs


def test_inputs_that_retention_has_deleted_are_told_and_the_journal_behind_them_is_fed(life):
    tp = life.placed.inputs[0]
    life.shelf.topics[tp] = [r for r in life.shelf.topics[tp] if r.offset >= 64]
    recoverer = life.recoverer()
    loaded, lost = recoverer.load(recoverer.standing(life.committed()), life.decode())
    assert [(side, loss.source, loss.first) for side, loss in lost] == [(0, "events", 60), (1, "labels", 60)]
    fed = [made.event_id for batch in loaded.batches for made in batch.inputs]
    assert {"e64", "e69"} <= set(fed)
    assert lost[0][1].last == 63


def test_a_task_of_no_state_begins_where_its_inputs_begin():
    life = Life(Shelf())
    recoverer = life.recoverer()
    loaded, lost = recoverer.load(recoverer.standing(life.committed()), life.decode())
    assert (loaded.body, lost) == (None, [])


def test_the_metadata_says_where_both_generations_are(life):
    said = found(life.shelf.group[life.placed.inputs[0]][1])
    assert [pointer.generation for pointer in said.generations] == [2, 3]
    assert said.number == life.standing.number
    with pytest.raises(StateError, match="metadata is 'x'"):
        found("x")


def test_a_snapshot_alone_is_a_generation_at_the_batch_before(life):
    before = life.standing.number
    life.standing = life.committer.commit(life.standing, None, [], [], life.task.snapshot(), None).result()
    task, generation, _ = recover(life)
    assert (generation, life.standing.number, task.digest()) == (4, before, life.task.digest())
