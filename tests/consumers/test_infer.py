"""Settings read off a file's first rows."""

import pytest

from consumers.infer import MOST_CATEGORIES, MOST_CLASSES, infer
from stream.config import Fields
from stream.errors import SettingError


def rows(n: int = 200, **columns):
    return [{"label": i % 2, **{name: make(i) for name, make in columns.items()}} for i in range(n)]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda i: i / 3, "numeric"),
        (lambda i: str(i / 3), "numeric"),
        (lambda i: "" if i % 5 else -i, "numeric"),
        (lambda i: None if i % 5 else -i, "numeric"),
        (lambda _: 7, "numeric"),
        (lambda _: "0.0", "numeric"),
        (lambda i: i if i < 49 else None, "numeric"),
        (lambda i: max(i, 1), "numeric"),
        (lambda i: 1.5 if i else 10**400, "numeric"),
        (lambda i: str(i % 9) if i else "1" * 5_000, "numeric"),
        (lambda i: bool(i % 3), "categorical"),
        (lambda i: bool(i % 3) if i else "unknown", "categorical"),
        (lambda i: f"city {i % 7}", "categorical"),
        (lambda i: f"{i % 190}" if i % 5 else f"mixed{i}", "text"),
        (lambda i: f"a mail about number {i}", "text"),
        (lambda i: f"word{i // 2 * 2}", "categorical"),
        (lambda i: f"v{i % (MOST_CATEGORIES + 1)}", "text"),
        (lambda i: f"v{i % MOST_CATEGORIES}", "categorical"),
        (lambda i: f"word{i}" if i < 49 else None, "categorical"),
        (lambda i: 10**400 - i, "categorical"),
    ],
)
def test_a_column_is_told_by_what_it_holds(make, kind):
    stream, left_out = infer(rows(x=make), Fields(), [])
    assert [name for name in ("text", "numeric", "categorical") if "x" in getattr(stream.features, name)] == [kind]
    assert left_out == {}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: None, "always empty"),
        (lambda _: "", "always empty"),
        (lambda _: "always the same", "always the same"),
        (lambda _: True, "always the same"),
        (lambda i: [i], "nested values"),
        (lambda i: {"a": i} if i == 100 else "b", "nested values"),
        (lambda _: b"bytes", "neither numbers nor text"),
        (lambda i: i if i % 2 else f"mixed with text {i}", "mixes numbers and text"),
        (lambda i: "n/a" if i == 7 else i / 2, "mixes numbers and text"),
        (lambda i: str(i) if i % 6 else "n/a", "mixes numbers and text"),
        (lambda i: f"word{i}", "looks like an id: every value is different"),
        (lambda i: f"word{i}" if i < 50 else None, "looks like an id: every value is different"),
        (lambda i: 3 * i - 9, "looks like a counter: it only grows"),
        (str, "looks like a counter: it only grows"),
        (lambda i: i if i < 50 else None, "looks like a counter: it only grows"),
        (lambda i: 10**400 + i, "looks like a counter: it only grows"),
    ],
)
def test_a_column_that_says_nothing_is_left_out_with_the_reason(make, reason):
    stream, left_out = infer(rows(x=make, known=float), Fields(), [])
    assert stream.features.columns == ["known"]
    assert left_out == {"x": reason}


def test_id_time_label_and_ignored_columns_are_no_features():
    stream, left_out = infer(rows(event_id=str, time=float, a=float, b=float), Fields(), ["b"])
    assert stream.features.columns == ["a"]
    assert left_out == {}


def test_two_labels_make_it_binary_and_more_multiclass():
    two, _ = infer(rows(a=float), Fields(), [])
    assert (two.kind, two.classes) == ("binary", ["0", "1"])
    many, _ = infer([{"y": f"c{i % 3}", "a": i} for i in range(90)], Fields(label="y"), [])
    assert (many.kind, many.classes) == ("multiclass", ["c0", "c1", "c2"])


def test_without_the_label_column_the_columns_there_are_are_named():
    with pytest.raises(SettingError, match="--map label = 'label'.*it has a, b"):
        infer([{"a": 1, "b": 2}] * 9, Fields(), [])


@pytest.mark.parametrize("label", [lambda i: i / 7, lambda i: i % (MOST_CLASSES + 1), lambda _: 1])
def test_a_number_to_predict_is_out_of_scope_and_one_class_is_too_few(label):
    with pytest.raises(SettingError, match="regression is out of scope"):
        infer([{"label": label(i), "a": i} for i in range(200)], Fields(), [])
