"""A change of the key that seals checkpoints, while tasks move between workers that know it and those that do not."""

from itertools import pairwise
from typing import Any

import pytest

from consumers.kafka.state import StateKeys
from stream.errors import StateError
from tests.consumers.kafka.shelf import KEY, Life, Shelf

NEW = b"n" * 32

ROUNDS = [[KEY], [KEY, NEW], [NEW, KEY]]
"""The file before, in the first and in the second round."""


@pytest.fixture
def life() -> Life:
    """A task at work, with a checkpoint."""
    life = Life(Shelf())
    life.live(0, 20, checkpoint=True)
    return life


def sealed_with(life: Life, keys: list[bytes], first: int, *, checkpoint: bool) -> None:
    """A worker with these keys has the task for a while."""
    life.committer.keys = StateKeys(life.keys.place, life.keys.role, keys)
    life.live(first, first + 10, checkpoint=checkpoint)


def load(life: Life, keys: list[bytes]) -> Any:
    """What a worker with these keys gets when the task comes to it."""
    recoverer = life.recoverer(keys=keys)
    loaded, _ = recoverer.load(recoverer.standing(life.committed()), life.decode())
    return loaded.body, [batch.inputs for batch in loaded.batches]


@pytest.mark.parametrize("checkpoint", [False, True])
def test_in_each_round_a_task_moves_between_workers_that_were_restarted_and_those_that_were_not(life, checkpoint):
    first = 20
    for before, after in pairwise(ROUNDS):
        for has, gets in ((before, after), (after, before), (before, after)):
            sealed_with(life, has, first, checkpoint=checkpoint)
            assert load(life, gets) == load(life, has)
            assert load(life, gets)[0] is not None
            first += 10


def test_a_new_key_that_comes_first_at_once_stops_a_task_that_moves_to_a_worker_not_restarted(life):
    sealed_with(life, [NEW, KEY], 20, checkpoint=False)
    with pytest.raises(StateError, match="not sealed with our key"):
        load(life, [KEY])
