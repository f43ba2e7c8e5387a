"""Records are immutable and survive JSON."""

import dataclasses

import msgspec
import pytest

from stream.heavy import Heavy
from stream.profile import Answered, Categories, Numbers, Profile, Words
from stream.records import RECORDS, Alarm, DeadLetter, Labelled, Prediction, References
from stream.reference import Expected, Histogram, Reference

EXAMPLES = {
    "prediction": Prediction("a", 1.0, "spam", 0.9, "blend", 0.8, 1.0, "o", "b", repeated=True),
    "labelled": Labelled(
        "a", 1.0, 7, "b", 2.0, {"x": 1.0}, [0.1, 0.9], [0.2, 0.8], None, "b", "b", None, "o", None, late=True
    ),
    "alarm": Alarm("s", 7, "a", 1.0, "adwin:baseline", "baseline_rot", None, {"mean": 0.5}),
    "dead-letter": DeadLetter("events", "", "is no JSON", 3, b"\xff\x00"),
    "profile": Profile(
        "b",
        1,
        9,
        9,
        {"x": Numbers([1, 8], 0, 1, -7)},
        {"c": Categories([4], 2, 3)},
        [5, 4],
        Words(1, 2, 1, [2], Heavy({"a": 1}, 2, 1)),
        3.5,
        Answered({"ham": {"spam": 9}}, 77),
    ),
    "references": References("b", Expected(0.1, Reference(3, Histogram([0.5], [1, 2]), {}, {}, {}), {"a": 3}), None),
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
