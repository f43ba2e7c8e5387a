"""A swap in the journal: recovery takes other baselines into use at the same place, out of the state topic alone."""

import hashlib
from typing import Any

import msgspec
import pytest

from consumers.kafka import state
from consumers.kafka.journal import SMALL, bare, decode, encode
from stream.baseline import dump, fit, version
from stream.errors import StateError
from stream.factories import make_baseline
from stream.features import FeatureExtractor
from stream.models import Models, file_segment
from stream.records import Chosen, Swap
from stream.scoring import ScoringTask
from tests.consumers.kafka.shelf import STREAM, Life, Shelf


def trained(flip: float) -> Chosen:
    estimator = make_baseline("streams.s", STREAM)
    frame = FeatureExtractor(STREAM.features).frame([{"n": flip * n} for n in range(40)])
    fit(estimator, frame, [int(n >= 20) for n in range(40)], "binary", 2)
    data = dump(estimator)
    return Chosen(version(estimator), hashlib.sha256(data).hexdigest(), 0.5, None, data)


FIRST, SECOND, THIRD = trained(1.0), trained(-1.0), trained(3.0)


@pytest.fixture
def life(monkeypatch: pytest.MonkeyPatch) -> Life:
    """A task with a champion and a challenger, which then has been promoted; batches before, between and behind."""
    monkeypatch.setattr(state, "CHUNK", 1_000)  # so that a file has several chunks
    life = Life(Shelf())
    life.live(0, 20, checkpoint=True)
    life.swap(Swap(FIRST, [SECOND]))
    life.live(20, 31)
    life.swap(Swap(SECOND, [THIRD]))
    life.live(31, 45)
    return life


def recover(life: Life) -> tuple[ScoringTask, int]:
    """The task as recovery gives it back, and the generation that it comes from."""
    recoverer = life.recoverer()
    standing = recoverer.standing(life.committed())
    loaded, lost = recoverer.load(standing, life.decode())
    assert lost == []
    task = ScoringTask("s", STREAM, Models(life.task.models.online, "", None))
    assert loaded.body is not None
    task.restore(loaded.body, loaded.segments)
    for batch in loaded.batches:
        task.feed(batch.inputs)
    return task, standing.generations[-1].generation


def refuse_newest(life: Life) -> None:
    """The newest generation's body is damaged: recovery must go through the swap that was committed with it."""
    body = life.standing.manifests[life.standing.generations[-1].generation].body
    life.shelf.damage = lambda r: r._replace(value=b"!") if r.offset == body.first else r


def test_a_task_comes_back_with_the_baselines_of_its_last_swap(life: Life) -> None:
    task, generation = recover(life)
    assert (task.models.baseline_version, list(task.models.shadows)) == (SECOND.version, [THIRD.version])
    assert (task.digest(), generation) == (life.task.digest(), 3)


def test_where_the_newest_checkpoint_is_refused_the_journal_swaps_at_the_same_place(life: Life) -> None:
    refuse_newest(life)
    task, generation = recover(life)
    assert (task.digest(), generation) == (life.task.digest(), 2)


def test_the_files_are_found_where_the_topic_has_been_compacted_too(life: Life) -> None:
    life.shelf.compact(life.state)
    refuse_newest(life)
    task, generation = recover(life)
    assert (task.digest(), generation) == (life.task.digest(), 2)


def test_a_baseline_that_comes_back_is_found_where_it_was_written_the_first_time(life: Life) -> None:
    life.swap(Swap(FIRST))
    life.live(45, 50)
    refuse_newest(life)
    task, generation = recover(life)
    assert (task.models.baseline_version, task.digest(), generation) == (FIRST.version, life.task.digest(), 3)


def test_files_that_no_kept_checkpoint_names_go_and_those_that_one_names_stay(life: Life) -> None:
    def there() -> set[str]:
        life.shelf.compact(life.state)
        keys = {record.key.decode() for record in life.shelf.topics[life.state] if record.key is not None}
        return {chosen.version for chosen in (FIRST, SECOND, THIRD) if any(chosen.version in key for key in keys)}

    assert there() == {FIRST.version, SECOND.version, THIRD.version}
    life.live(45, 50, checkpoint=True)
    assert there() == {SECOND.version, THIRD.version}


@pytest.mark.parametrize("how", ["gone", "changed"])
def test_without_the_file_as_it_was_a_journalled_swap_is_refused_with_the_way_out(life: Life, how: str) -> None:
    refuse_newest(life)
    before, name = life.shelf.damage, file_segment(THIRD.version).encode()

    def damage(record: Any) -> Any:
        if record.key is not None and name in record.key:
            return None if how == "gone" else record._replace(value=record.value[::-1])
        return before(record)

    life.shelf.damage = damage
    with pytest.raises(StateError, match=f"swaps to baseline {THIRD.version}.*rotwatch state rebuild"):
        recover(life)


def test_the_journal_holds_no_file() -> None:
    swap = Swap(FIRST, [SECOND])
    life = Life(Shelf())
    life.swap(swap)
    entries = [r for r in life.shelf.topics[life.state] if life.keys.is_entry(r)]
    entry = life.keys.open_entry(entries[0], 1)
    assert entry.swap == bare(swap)
    assert decode(encode(entry)) == entry
    assert len(encode(entry)) < 3 * SMALL < len(FIRST.artifact)
    assert [chosen.sha256 for chosen in (entry.swap.champion, *entry.swap.shadows)] == [FIRST.sha256, SECOND.sha256]
    assert msgspec.structs.replace(entry.swap.champion, artifact=FIRST.artifact) == FIRST
