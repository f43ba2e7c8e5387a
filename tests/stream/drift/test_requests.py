"""Label requests: a share that nothing but chance decides, the same in every run."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.drift.requests import Requests
from stream.drift.rot import Limits, Reference, begin
from stream.errors import SettingError

EVENTS = [f"event-{at}" for at in range(50_000)]


def test_the_share_is_the_one_that_is_set_whatever_the_models_say():
    requests = Requests(0.01)
    agree = [requests.wanted(event, disagree=False) for event in EVENTS]
    assert agree.count("random") == pytest.approx(500, abs=70)
    assert agree.count("disagreement") == 0
    assert [requests.wanted(event, disagree=True) for event in EVENTS] == agree


def test_disagreements_come_on_top_and_leave_the_random_share_as_it_is():
    plain, both = Requests(0.05), Requests(0.05, disagreements=True)
    for at, event in enumerate(EVENTS[:5_000]):
        random, said = plain.wanted(event, disagree=False), both.wanted(event, disagree=at % 10 == 0)
        assert said == (random or ("disagreement" if at % 10 == 0 else None))


def test_another_seed_chooses_other_events_at_random():
    one, other = ({e for e in EVENTS if Requests(0.1, seed=seed).wanted(e, disagree=False)} for seed in (1, 2))
    assert len(one & other) == pytest.approx(500, abs=100)


def test_what_is_chosen_does_not_depend_on_the_process():
    code = (
        "from stream.drift.requests import Requests; "
        "print([at for at in range(200) if Requests(0.1).wanted(str(at), disagree=False)])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert said.pop().strip() != b"[]"


@given(st.text())
def test_any_id_can_be_asked_about(event_id):
    assert Requests(1.0).wanted(event_id, disagree=False) == "random"
    assert Requests(0.0).wanted(event_id, disagree=False) is None


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(SettingError, match="setting share"):
        Requests(share)


def test_disagreements_alone_give_the_paired_evidence_of_all_labels_event_for_event():
    """Where the online model has learned from all labels: one that learns from these only says other things."""
    chance = np.random.default_rng(1)
    truth = chance.random(6_000) < 0.3
    rates = np.where(np.arange(6_000) < 3_000, 0.03, 0.10)
    baseline, online = truth ^ (chance.random(6_000) < rates), truth ^ (chance.random(6_000) < 0.03)
    requests = Requests(0.0, disagreements=True)
    known, fewer = (begin(Limits(), Reference(), Reference()) for _ in range(2))
    labels = alarms = 0
    for at in range(6_000):
        said = known.update(float(baseline[at] != truth[at]), float(online[at] != truth[at]))
        label = truth[at] if requests.wanted(f"event-{at}", disagree=bool(baseline[at] != online[at])) else None
        labels += label is not None
        losses = (0.0, 0.0) if label is None else (float(baseline[at] != label), float(online[at] != label))
        assert fewer.update(*losses) == said
        assert fewer.detectors == known.detectors
        alarms += len(said)
    assert alarms
    assert labels < 800
