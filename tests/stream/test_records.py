"""Records are immutable and survive JSON."""

import dataclasses

import msgspec
import pytest

from stream.records import RECORDS, Alarm, DeadLetter, Histogram, Labelled, Prediction, Profile

EXAMPLES = {
    "prediction": Prediction("a", 1.0, "spam", 0.9, "blend", 0.8, 1.0, "o", "b", repeated=True),
    "labelled": Labelled(
        "a", 1.0, 7, "b", 2.0, {"x": 1.0}, [0.1, 0.9], [0.2, 0.8], None, "b", "b", None, "o", None, late=True
    ),
    "alarm": Alarm("s", 7, "a", 1.0, "adwin:baseline", "baseline_rot", None, {"mean": 0.5}),
    "dead-letter": DeadLetter("events", "", "is no JSON", 3, b"\xff\x00"),
    "profile": Profile("s", 0, 1, 9, 9, {"x": Histogram([0.0], [1, 2])}, {"x": 1}, {}),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_record_comes_back_from_json_as_it_was(name):
    record = EXAMPLES[name]
    assert msgspec.json.decode(msgspec.json.encode(record), type=RECORDS[name]) == record


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_record_cannot_be_changed(name):
    with pytest.raises((AttributeError, dataclasses.FrozenInstanceError)):
        EXAMPLES[name].stream = "x"
    assert RECORDS[name].__struct_config__.frozen
