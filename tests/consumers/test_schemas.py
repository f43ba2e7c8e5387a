"""JSON Schemas: valid, and they say yes and no where the decoder does."""

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.schemas import schemas
from stream.config import Features, Fields, Labels, Stream
from stream.decoding import RecordDecoder
from stream.errors import RecordError
from stream.features import FeatureExtractor
from stream.records import RECORDS, Alarm, Prediction

STREAM = Stream(
    classes=["no", "yes"],
    fields=Fields(event_id="id", label="fraud", time_unit="ms"),
    features=Features(text=["body"], numeric=["size"], categorical=["city"], onehot={"day": ["mo"]}),
    labels=Labels(values={"0": "no", "1": "yes"}),
    baseline="field:score",
)


@pytest.mark.parametrize("stream", [None, STREAM, Stream(kind="multiclass", baseline="field:scores")])
def test_every_schema_is_valid_and_has_a_name(stream):
    known = schemas(stream)
    assert set(known) == set(RECORDS)
    for schema in known.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    "record",
    [
        Prediction("a", 1.0, "yes", 0.5, "blend", 0.4, None, "o", None),
        Prediction("a", 1.0, "b", [0.2, 0.8], "online", [0.2, 0.8], None, "o", None),
        Alarm("s", 1, "a", 1.0, "adwin", "baseline_rot", None, {"mean": 1.0}),
    ],
)
def test_what_is_published_keeps_to_its_schema(record):
    name = type(record).__name__.lower()
    published = msgspec.json.decode(msgspec.json.encode(record))
    assert jsonschema.Draft202012Validator(schemas(None)[name]).is_valid(published)


value = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.sampled_from(["", "x", "2"]) | st.just([1])
)


@given(record=st.dictionaries(st.sampled_from(["id", "time", "body", "size", "city", "day", "more"]), value))
def test_an_event_that_keeps_to_the_schema_can_be_read(record):
    record.setdefault("id", "a")
    if not jsonschema.Draft202012Validator(schemas(STREAM)["event"]).is_valid(record):
        return
    try:
        RecordDecoder(STREAM.fields, 0.0, 0.0).event(record, 0, 0.0)
        FeatureExtractor(STREAM.features).row(record)
    except RecordError as error:
        assert error.field == "time"  # noqa: PT017 - any text may be a date to a schema


def test_the_score_that_each_event_brings_along_is_in_the_schema():
    check = jsonschema.Draft202012Validator(schemas(STREAM)["event"]).is_valid
    assert check({"id": "a", "score": 0.5})
    assert not check({"id": "a", "score": 1.5})


INSPECTED = msgspec.structs.replace(
    STREAM,
    fields=Fields(event_id="id", label="fraud", inspection_probability="p"),
    labels=Labels(values={"1": "yes"}, least_inspection_probability=0.1),
)


@given(st.dictionaries(st.sampled_from(["id", "time", "fraud", "p"]), value | st.floats(0, 1)))
def test_a_label_that_states_its_probability_as_the_schema_says_can_be_read(record):
    record.setdefault("id", "a")
    if not jsonschema.Draft202012Validator(schemas(INSPECTED)["label"]).is_valid(record):
        return
    assert 0.1 <= RecordDecoder(INSPECTED.fields, 0.0, 0.0, least=0.1).probability(record) <= 1.0


@pytest.mark.parametrize("bad", [None, 0, 0.05, 1.5, "often", True])
def test_a_label_without_a_probability_or_with_none_does_not_keep_to_the_schema(bad):
    made = {"id": "a", "fraud": "yes"} | ({} if bad is None else {"p": bad})
    assert not jsonschema.Draft202012Validator(schemas(INSPECTED)["label"]).is_valid(made)
    assert jsonschema.Draft202012Validator(schemas(INSPECTED)["label"]).is_valid({**made, "p": 0.1})
