"""Evidence by rare positives alone."""

import math

import msgspec
import numpy as np
import pytest

from stream.drift.positives import Positives, watch
from stream.errors import RecordError, SettingError
from stream.missed import WINDOW, Missed


def filled(chance) -> Missed:
    missed = Missed()
    for score in chance.random(WINDOW).tolist():
        assert missed.update(score, positive=False) is None
    return missed


def rare(chance, events, share, caught):
    """Events of which a share is positive; of these so many have a score that none of the others has."""
    positive = chance.random(events) < share
    above = chance.random(events) < caught
    scores = np.where(positive, np.where(above, 0.995, 0.9 * chance.random(events)), 0.99 * chance.random(events))
    return list(zip(scores.tolist(), positive.tolist(), strict=True))


def found(watched, rows) -> list[int]:
    return [at for at, (score, positive) in enumerate(rows) if watched.update(score, positive=positive) is not None]


def test_a_positive_is_missed_where_one_in_a_hundred_others_has_a_score_as_high():
    missed = Missed()
    for at in range(WINDOW):
        assert missed.update(0.99, positive=True) is None
        missed.update(0.8 if at < 20 else 0.1, positive=False)
    assert [missed.update(score, positive=True) for score in (0.8, 0.81, 0.1)] == [1.0, 0.0, 1.0]
    for _ in range(WINDOW):
        missed.update(0.2, positive=False)
    assert missed.update(0.3, positive=True) == 0.0


def test_a_model_that_says_the_same_of_all_misses_all():
    missed = Missed()
    for _ in range(WINDOW):
        missed.update(0.5, positive=False)
    assert missed.update(0.5, positive=True) == 1.0


@pytest.mark.parametrize("score", [math.nan, -0.1, 1.1, math.inf])
@pytest.mark.parametrize("positive", [True, False])
def test_what_is_no_score_is_refused_by_name_and_changes_nothing(score, positive):
    watched = watch(filled(np.random.default_rng(1)), 0.3)
    before = msgspec.json.encode(watched)
    with pytest.raises(RecordError, match=r"field 'score': must be in \[0, 1\]"):
        watched.update(score, positive=positive)
    assert msgspec.json.encode(watched) == before


def test_a_reference_that_leaves_nothing_to_exceed_is_refused():
    with pytest.raises(SettingError, match="missed positives"):
        watch(Missed(), 0.96)


def test_positives_that_are_missed_more_often_alarm_within_50_of_them_and_not_before():
    chance = np.random.default_rng(2)
    for _ in range(5):
        watched = watch(filled(chance), 0.3)
        assert found(watched, rare(chance, 60_000, 0.005, 0.75)) == []
        rows = rare(chance, 20_000, 0.005, 0.2)
        first = found(watched, rows)[0]
        assert sum(positive for _, positive in rows[: first + 1]) <= 50


def test_a_change_of_their_share_alone_does_not_alarm():
    chance = np.random.default_rng(3)
    for _ in range(5):
        watched = watch(filled(chance), 0.3)
        assert found(watched, rare(chance, 30_000, 0.0035, 0.75) + rare(chance, 20_000, 0.02, 0.75)) == []


def test_a_state_that_goes_through_json_anywhere_is_bit_equal_to_one_pass():
    chance = np.random.default_rng(4)
    whole, parts = watch(filled(np.random.default_rng(5)), 0.3), watch(filled(np.random.default_rng(5)), 0.3)
    for at, (score, positive) in enumerate(rare(chance, 3_000, 0.05, 0.3)):
        assert whole.update(score, positive=positive) == parts.update(score, positive=positive)
        if at % 300 == 0:
            parts = msgspec.json.decode(msgspec.json.encode(parts), type=Positives)
    assert whole.detector.alarms > 0
    assert msgspec.json.encode(parts) == msgspec.json.encode(whole)
