"""The monitor is blind where labels are too few to tell in time, and stays so until they are plenty."""

import msgspec
import pytest

from stream.drift.label_health import LabelHealth
from stream.drift.sight import Sight


def sight(share: float) -> Sight:
    """In which it takes such a share of what is tolerated to find a rise."""
    health = LabelHealth()
    for at in range(10):
        health.passed(1_000, 50, 600.0 * at)
    made = Sight(0.0, health=health, rise=100.0)
    assert made.takes is not None
    return msgspec.structs.replace(made, within=made.takes / share)


@pytest.mark.parametrize(
    ("share", "was", "is_now"),
    [(1.05, False, True), (0.95, False, False), (0.95, True, True), (0.85, True, True), (0.75, True, False)],
)
def test_who_is_blind_for_want_of_labels_sees_again_where_they_are_plenty(share, was, is_now):
    assert bool(sight(share).blind(already=was)) is is_now


def test_too_few_labels_are_told_with_how_long_it_takes():
    told = sight(2.0).blind(already=False)
    assert told == (
        "with so few labels it takes 18m and more to find that the baseline's errors have doubled; "
        "must_know_within is 9.1m"
    )


def test_in_between_it_is_told_what_would_be_enough():
    assert sight(0.9).blind(already=True).endswith("must_know_within is 20m, and 16m would be enough")


def test_where_it_is_not_known_how_soon_a_rise_is_found_nobody_is_blind_for_that():
    assert msgspec.structs.replace(sight(2.0), rise=None).blind(already=True) == ""
