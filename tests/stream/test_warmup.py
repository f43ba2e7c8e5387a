"""The warm-up."""

import pandas as pd
import pytest

from stream.baseline import Baseline
from stream.config import Features, Labels, Stream, Training
from stream.errors import RecordError, SettingError, TrainingError
from stream.reference import Expected
from stream.warmup import name_classes, warm_up

FEATURES = Features(text=["body"])


def rows(n: int, names=("ham", "spam")):
    return [
        ({"body": ["lunch report", "cash prize", "third thing"][i % len(names)]}, names[i % len(names)])
        for i in range(n)
    ]


def test_both_models_learn_from_it_and_the_baseline_is_what_its_file_holds():
    made = warm_up("streams.s", Stream(features=FEATURES), rows(100))
    assert (made.stream.classes, made.used, made.unused) == (["ham", "spam"], 100, {})
    assert isinstance(made.models.baseline, Baseline)
    assert made.artifact
    [x] = __import__("stream.features", fromlist=["x"]).FeatureExtractor(FEATURES).inputs([{"body": "cash prize"}])
    assert made.models.online.score(x) > 0.7


def test_the_same_rows_make_the_same_versions_and_one_row_more_another():
    one, two, three = (warm_up("streams.s", Stream(features=FEATURES), rows(n)).models for n in (100, 100, 101))
    assert (one.online_version, one.baseline.version) == (two.online_version, two.baseline.version)
    assert one.online_version != three.online_version


def test_rows_that_cannot_be_used_are_counted_by_reason():
    bad = [({"body": 3}, "ham"), ({"body": "x"}, None), ({"body": "x"}, "eggs"), ({"body": "x"}, "eggs")]
    made = warm_up("streams.s", Stream(features=FEATURES, classes=["ham", "spam"]), rows(50) + bad)
    assert made.used == 50
    assert sorted(made.unused.values()) == [1, 1, 2]
    assert any("eggs" in reason for reason in made.unused)


def test_a_warm_up_without_a_usable_row_says_what_is_wrong_with_most():
    with pytest.raises(TrainingError, match="none of the 2 warm-up rows can be used.*no label"):
        warm_up("streams.s", Stream(features=FEATURES, classes=["ham", "spam"]), [({"body": "x"}, None)] * 2)


def test_no_rows_leave_the_online_model_alone():
    made = warm_up("streams.s", Stream(features=FEATURES, classes=["ham", "spam"]), [])
    assert (made.models.baseline, made.artifact) == (None, b"")


def test_labels_are_translated():
    stream = Stream(features=FEATURES, classes=["ham", "spam"], labels=Labels(values={"0": "ham", "1": "spam"}))
    assert warm_up("streams.s", stream, rows(20, ("0", "1"))).used == 20


def test_many_classes_are_read_off_the_warm_up():
    made = warm_up("streams.s", Stream(kind="multiclass", features=FEATURES), rows(90, ("c", "a", "b")))
    assert made.stream.classes == ["a", "b", "c"]


def test_the_positive_class_comes_last():
    assert name_classes("k", Stream(classes=["spam", "ham"], positive="spam"), []).classes == ["ham", "spam"]
    assert name_classes("k", Stream(positive="a"), ["b", "a"]).classes == ["b", "a"]


@pytest.mark.parametrize(
    ("labels", "allowed"), [([], "no warm-up shows them"), (["a"], "two classes"), (["a", "b", "c"], "two classes")]
)
def test_classes_that_cannot_be_told_are_named(labels, allowed):
    with pytest.raises(SettingError, match="streams.s.classes") as error:
        name_classes("streams.s", Stream(), labels)
    assert allowed in error.value.allowed


def test_an_anomaly_detector_flags_the_share_set_of_its_warm_up():
    stream = Stream(
        kind="anomaly",
        classes=["ok", "bad"],
        features=Features(numeric=["v"]),
        online="half-space-trees",
        baseline="isolation-forest",
        serving="online",
        alert_rate=0.1,
    )
    warm = [({"v": (i * 37 % 101) / 101}, "ok") for i in range(600)]
    made = warm_up("streams.s", stream, warm)
    frame = __import__("stream.features", fromlist=["x"]).FeatureExtractor(stream.features)
    scores = made.models.baseline.score(frame.frame([frame.row(fields) for fields, _ in warm]))
    assert 0.05 < sum(score >= made.models.thresholds[1] for score in scores) / 600 < 0.15


def test_an_anomaly_stream_can_begin_without_any_label():
    settings = Stream(
        kind="anomaly",
        classes=["usual", "odd"],
        features=Features(numeric=["a"]),
        online="half-space-trees",
        baseline="isolation-forest",
        serving="online",
    )
    made = warm_up("streams.s", settings, [({"a": float(i % 17)}, None) for i in range(300)])
    assert made.used == 300
    assert made.models.baseline is not None


@pytest.mark.parametrize("novelty", [False, True])
def test_whether_the_warm_up_may_hold_positives_is_a_setting(novelty):
    settings = Stream(
        kind="anomaly",
        classes=["usual", "odd"],
        features=Features(numeric=["a"]),
        online="half-space-trees",
        baseline="gaussian-mixture",
        serving="online",
        training=Training(novelty=novelty),
    )
    odd = [({"a": 90.0 + i % 7}, "odd") for i in range(100)]
    usual = [({"a": float(i % 17)}, ["usual", None][i % 2]) for i in range(400)]
    baseline = warm_up("streams.s", settings, odd + usual).models.baseline
    assert (baseline.score(pd.DataFrame({"a": [93.0]}))[0] > 0.9) == novelty


def test_a_warm_up_with_enough_positives_says_how_many_of_them_are_missed():
    settings = Stream(
        kind="anomaly",
        classes=["usual", "odd"],
        features=Features(numeric=["a"]),
        online="half-space-trees",
        baseline="isolation-forest",
        serving="online",
    )
    rows = [({"a": 90.0 if i % 5 == 0 else float(i % 17)}, "odd" if i % 5 == 0 else "usual") for i in range(3_000)]
    assert warm_up("streams.s", settings, rows).models.expected.risk is not None
    assert warm_up("streams.s", settings, rows[:900]).models.expected.risk is None


def given(positives: int) -> tuple[Stream, list[tuple[dict[str, float], str]], list[bool]]:
    """Scores that are given; of the positives four in five are found and inspected for sure, the others one in ten."""
    stream = Stream(kind="anomaly", classes=["ok", "bad"], online="field:s", baseline="field:s", alert_rate=0.05)
    table, fair = [], []
    for at in range(positives):
        found = at % 5 < 4
        table += [({"s": 0.1 + 0.5 * (n % 100) / 100}, "ok") for n in range(20)] + [
            ({"s": 0.9 if found else 0.0}, "bad")
        ]
        fair += [True] * 20 + [at % 50 // 5 == 0 if found else True]
    return stream, table, fair


def test_what_is_expected_of_a_baseline_is_by_the_rows_that_may_judge():
    stream, table, fair = given(2_000)
    every, some = (warm_up("streams.s", stream, table, (), which).models.expected for which in ([], fair))
    assert every.risk == pytest.approx(0.2, abs=0.03)
    assert some.risk == pytest.approx(400 / (400 + 160), abs=0.05)
    assert (every.classes["bad"], some.classes["bad"]) == (2_000, 560)
    assert sum(some.inputs.scores.counts) == sum(fair) < sum(every.inputs.scores.counts)


def test_a_warm_up_of_which_no_row_may_judge_says_nothing_of_its_baseline():
    stream, table, _ = given(200)
    made = warm_up("streams.s", stream, table, (), [False] * len(table))
    assert made.models.expected == Expected()


def test_a_label_that_cannot_be_used_is_counted_by_its_reason():
    bad = [({"body": "x"}, RecordError("p", "is missing"))] * 2
    made = warm_up("streams.s", Stream(features=FEATURES), rows(50) + bad)
    assert (made.used, made.unused) == (50, {"field 'p': is missing": 2})
