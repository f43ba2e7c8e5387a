"""From the words of the command to a plan."""

from collections.abc import Callable

import pytest

from consumers.order import Delay
from consumers.plans import Plan, make, pairs, timed
from consumers.settings import load
from stream.config import Fields
from stream.errors import SettingError


@pytest.fixture
def plan() -> Callable[..., Plan]:
    def build(**words) -> Plan:
        nothing = {
            "source": "Phishing", "stream": None, "mapping": {}, "ignore": [], "where": {}, "labels": None,
            "label_delay": "0", "segment": "0", "speed": "max", "input_format": None, "models": {},
        }  # fmt: skip
        return make(load(None), **(nothing | words))

    return build


@pytest.mark.parametrize(
    ("word", "delay"),
    [("0", Delay()), ("500", Delay(events=500)), ("7d", Delay(seconds=604_800.0)), ("0s", Delay(seconds=0.0))],
)
def test_a_delay_is_in_events_or_in_time(plan, word, delay):
    assert plan(label_delay=word).delay == delay


@pytest.mark.parametrize(
    ("word", "segment"), [("0", 0), ("500", 500), ("500, 900", [500, 900]), ("7d", 604_800.0), ("30s", 30.0)]
)
def test_a_segment_is_a_length_or_where_segments_begin(plan, word, segment):
    assert plan(segment=word).segment == segment
    assert type(plan(segment=word).segment) is type(segment)  # a float is a time


@pytest.mark.parametrize(("word", "speed"), [("max", 0.0), ("realtime", 1.0), ("x100", 100.0), ("x0.5", 0.5)])
def test_a_speed_is_a_multiple(plan, word, speed):
    assert plan(speed=word).speed == speed


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ({"label_delay": "-1"}, "--label-delay"),
        ({"label_delay": ""}, "--label-delay"),
        ({"segment": ""}, "--segment"),
        ({"segment": "1,,2"}, "--segment"),
        ({"segment": "-5"}, "--segment"),
        ({"segment": "7 days"}, "--segment"),
        ({"segment": "7d,8d"}, "--segment"),
        ({"speed": "x"}, "--speed"),
        ({"speed": "x-1"}, "--speed"),
        ({"speed": "x0"}, "--speed"),
        ({"speed": "xinf"}, "--speed"),
        ({"speed": "100"}, "--speed"),
        ({"stream": "spam", "labels": "Phishing", "mapping": {"label_time": "came"}}, "--map label_time"),
        ({"mapping": {"body": "x"}}, "--map"),
        ({"models": {"baseline": "none"}}, "--stream"),
        ({"stream": "nope"}, "--stream"),
        ({"stream": "spam", "mapping": {"size": "x"}}, "--map"),
    ],
)
def test_a_wrong_word_is_named(plan, words, key):
    with pytest.raises(SettingError) as error:
        plan(**words)
    assert error.value.key == key


def test_features_may_go_by_another_name_and_be_left_out(plan):
    made = plan(stream="spam", mapping={"subject": "title", "label": "y"})
    assert made.stream.features.text == ["title", "body"]
    assert made.fields == {"label": "y"}
    assert plan(stream="spam", mapping={"subject": ""}).stream.features.text == ["body"]


def test_alerts_are_about_the_same_entity_under_its_other_name(plan):
    made = plan(stream="fraud", mapping={"customer_id": "card"}).stream
    assert (made.alerts_by, made.features.keys) == ("card", ["card", "terminal_id"])
    assert plan(stream="fraud").stream.alerts_by == "customer_id"


def test_models_named_by_words_replace_those_of_the_settings(plan):
    made = plan(stream="spam", models={"baseline": "none", "online": None}).stream
    assert (made.baseline, made.serving, made.online) == ("none", "online", load(None).streams["spam"].online)


def test_the_labels_time_may_go_by_another_name_as_the_other_fields_may(plan):
    assert plan(mapping={"label_time": "came"}).fields == {"label_time": "came"}


def test_a_labels_time_counts_only_where_the_rows_have_it_and_their_labels_count(plan):
    fields, columns = Fields(label_time="came"), {"event_id", "time", "label", "came"}
    assert timed(plan(), fields, columns) == fields
    assert timed(plan(), fields, columns - {"came"}) == Fields()
    assert timed(plan(label_delay="7d"), fields, columns - {"came"}) == Fields()
    assert timed(plan(stream="spam", labels="Phishing"), fields, columns) == Fields()


@pytest.mark.parametrize(("delay", "value"), [("7d", 604_800.0), ("500", 500), ("0s", 0.0)])
def test_a_delay_where_rows_say_when_their_labels_came_is_refused(plan, delay, value):
    with pytest.raises(SettingError, match="'came'") as error:
        timed(plan(label_delay=delay), Fields(label_time="came"), {"time", "came"})
    assert (error.value.key, error.value.value) == ("--label-delay", value)


def test_a_labels_time_without_a_time_of_the_event_is_refused(plan):
    with pytest.raises(SettingError, match="'at'") as error:
        timed(plan(), Fields(time="at", label_time="came"), {"came", "time"})
    assert error.value.key == "--map label_time"


def test_pairs_are_cut_at_the_first_sign():
    assert pairs("--where", ["a=b=c", "d="]) == {"a": "b=c", "d": ""}


@pytest.mark.parametrize("word", ["a", "=b", ""])
def test_what_is_no_pair_is_refused(word):
    with pytest.raises(SettingError, match="NAME=VALUE"):
        pairs("--where", [word])


def test_a_column_that_is_not_logged_may_go_by_another_name(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text(
        '[streams.s]\nfeatures.text = ["body"]\nfeatures.numeric = ["age", "n"]\nfeatures.unlogged = ["age"]'
    )
    made = make(load(file), source="Phishing", stream="s", mapping={"age": "years", "n": ""})
    assert (made.stream.features.numeric, made.stream.features.unlogged) == (["years"], ["years"])
    assert make(load(file), source="Phishing", stream="s", mapping={"age": ""}).stream.features.unlogged == []
