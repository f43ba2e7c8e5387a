"""Whole stories through the monitor; bench/rot_verdicts.py has many runs of each."""

import pytest

from tests.stream.drift.stories import STORIES, told


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_in_its_verdict_and_nothing_is_said_before_the_change(name):
    for seed in (100, 101):
        found = told(STORIES[name], seed)
        assert found.early == 0
        assert found.last == STORIES[name].right
        assert (found.first is None) == (STORIES[name].right == "healthy")


def test_a_shift_of_inputs_is_unconfirmed_until_its_labels_say_what_it_costs():
    harmless, costly = (STORIES[name] for name in STORIES if "inputs move" in name)
    assert told(harmless, 102).turns == ["shift_unconfirmed", "benign_shift"]
    assert told(costly, 102).turns[0] == "shift_unconfirmed"
