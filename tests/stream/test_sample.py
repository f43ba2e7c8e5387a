"""Which labels are judged by, where some events are likelier to get one than others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.config import Fields, Labels, Stream
from stream.drift.requests import Requests
from stream.sample import Sample, drawn

N = 20_000


def stated(least=0.05, seed=1) -> Sample:
    fields = Fields(inspection_probability="p")
    return Sample(Stream(fields=fields, labels=Labels(least_inspection_probability=least), seed=seed))


@pytest.mark.parametrize("probability", [0.05, 0.1, 0.5, 1.0])
def test_however_probable_a_label_is_its_event_is_in_the_sample_as_often(probability):
    chance, sample = np.random.default_rng(1), stated()
    got = chance.random(N) < probability
    taken = sum(sample.takes(f"e{at}", probability) for at in range(N) if got[at])
    assert taken == pytest.approx(0.05 * N, abs=4 * (0.05 * N) ** 0.5)


def test_those_that_are_as_rare_as_can_be_all_count():
    assert all(stated().takes(f"e{at}", 0.05) for at in range(1_000))


@given(st.text(), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_a_label_that_counts_would_count_if_it_were_less_probable(event_id, one, other):
    sample = stated(0.01)
    if sample.takes(event_id, max(one, other)):
        assert sample.takes(event_id, min(one, other))


def test_the_draw_is_another_with_another_seed_and_has_nothing_to_do_with_requests():
    ids = [f"e{at}" for at in range(N)]
    first = np.array([stated(0.5, 1).takes(event_id, 1.0) for event_id in ids])
    second = np.array([stated(0.5, 2).takes(event_id, 1.0) for event_id in ids])
    requests = Requests(share=0.5, seed=1)
    wanted = np.array([requests.wanted(event_id, disagree=False) is not None for event_id in ids])
    for other in (second, wanted):
        assert (first & other).mean() == pytest.approx(0.25, abs=0.015)


def test_where_disagreements_are_asked_for_those_that_chance_chose_are_the_sample():
    sample = Sample(Stream(labels=Labels(request_share=0.1, request_disagreements=True), seed=7))
    requests = Requests(share=0.1, disagreements=True, seed=7)
    for at in range(2_000):
        assert sample.takes(f"e{at}") == (requests.wanted(f"e{at}", disagree=True) == "random")


def test_all_labels_count_where_nothing_is_said():
    assert all(Sample(Stream()).takes(f"e{at}") for at in range(1_000))


@given(st.text(), st.integers(0, 2**32 - 1))
def test_all_are_drawn_of_a_whole_and_none_of_nothing(event_id, seed):
    assert drawn("x", event_id, 1.0, seed)
    assert not drawn("x", event_id, 0.0, seed)
