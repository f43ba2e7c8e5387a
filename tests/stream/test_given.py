"""Scores that events bring along."""

import pytest

from stream.config import Features, Stream
from stream.errors import RecordError
from stream.given import GivenScore
from stream.records import Event, Label
from stream.scoring import ScoringTask
from stream.snapshot import pack, unpack
from stream.warmup import warm_up


@pytest.mark.parametrize(("written", "score"), [(0.25, 0.25), ("0.25", 0.25), (1, 1.0), (0, 0.0)])
def test_a_number_from_0_to_1_is_a_score(written, score):
    assert GivenScore("s", []).read({"s": written}) == score


@pytest.mark.parametrize("written", [None, "", "high", -0.1, 1.1, float("nan"), True, [], 10**400])
def test_anything_else_is_refused_by_name(written):
    with pytest.raises(RecordError, match="'s': must be a score from 0 to 1"):
        GivenScore("s", []).read({"s": written})


def test_a_table_of_class_to_probability_is_read_in_the_order_of_the_classes():
    given = GivenScore("s", ["a", "b", "c"])
    assert given.read({"s": {"b": 0.75, "a": 0.25}}) == [0.25, 0.75, 0.0]


@pytest.mark.parametrize("written", [{"a": 0.5}, {"a": 0.9, "b": 0.9}, {"a": "x"}, 0.5, None, {"d": 1.0}])
def test_a_table_that_is_no_distribution_is_refused(written):
    with pytest.raises(RecordError, match="'s'"):
        GivenScore("s", ["a", "b"]).read({"s": written})


def test_two_models_of_the_users_can_be_paired_without_features_or_training():
    stream = Stream(classes=["no", "yes"], online="field:new", baseline="field:old", features=Features())
    made = warm_up("streams.s", stream, [])
    task = ScoringTask("s", made.stream, made.models)
    events = [Event(f"e{i}", float(i), {"new": 0.9, "old": 0.2 if i else "?"}, i) for i in range(3)]
    out = task.feed([*events, Label("e1", 5.0, "yes"), Label("e2", 5.0, "no")])
    assert [letter.field for letter in out.dead_letters] == ["old"]
    assert [(p.online, p.baseline) for p in out.predictions] == [(0.9, 0.2)] * 2
    assert [(r.online_label, r.baseline_label) for r in out.labelled] == [("yes", "no")] * 2
    assert task.totals().losses["online"][1]["error"] == 1.0
    again = ScoringTask("s", made.stream, warm_up("streams.s", stream, []).models)
    again.restore(*unpack(pack(task.snapshot())))
    assert again.digest() == task.digest()
