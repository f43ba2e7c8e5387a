import msgspec
import numpy as np
import pandas as pd

from stream.config import Features
from stream.reference import Reference
from stream.training.reference import reference

FEATURES = Features(text=["subject", "body"], numeric=["x"], categorical=["town"])
FRAME = pd.DataFrame(
    {
        "text": ["Win!\na prize", "\n", "noon\nsee you"] * 400,
        "x": [1.0, np.nan, 3.0] * 400,
        "town": pd.Series(["Oslo", None, "Bergen"] * 400, dtype=object),
    }
)


def test_a_reference_has_what_drift_is_measured_against():
    made = reference(FEATURES, FRAME, np.linspace(0, 1, 1_200))
    assert made.missing == {"text": 400, "x": 400, "town": 400}
    assert (made.histograms["x"].edges[0], made.histograms["x"].edges[-1]) == (1.0, 3.0)
    assert made.vocabulary.words["prize"] == 400
    assert list(made.wander) == ["", "text", "x", "town"]
    assert made.wander[""].place > 100  # it grows from the first row to the last
    assert made.wander["x"].place == 1


def test_a_reference_without_texts_has_no_vocabulary():
    made = reference(Features(numeric=["x"]), FRAME, np.linspace(0, 1, 10))
    assert made.vocabulary is None


def test_a_reference_from_before_there_was_more_can_be_read():
    old = msgspec.to_builtins(reference(FEATURES, FRAME, np.linspace(0, 1, 10)))
    del old["vocabulary"], old["wander"]
    made = msgspec.json.decode(msgspec.json.encode(old), type=Reference)
    assert (made.vocabulary, made.wander) == (None, {})


def test_a_reference_is_the_same_bit_for_bit_when_read_again():
    made = reference(FEATURES, FRAME, np.linspace(0, 1, 1_200))
    read = msgspec.json.decode(msgspec.json.encode(made), type=Reference)
    assert read == made


def test_a_column_without_any_value_has_a_reference():
    frame = FRAME.assign(x=np.nan, town=pd.Series([None] * len(FRAME), dtype=object))
    made = reference(FEATURES, frame, np.linspace(0, 1, 1_200))
    assert made.missing == {"text": 400, "x": 1_200, "town": 1_200}
    assert made.categories["town"] == {}
    assert (made.wander["town"].shape, made.wander["x"].shape) == (1.0, 1.0)
