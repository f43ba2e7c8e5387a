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
        (lambda i: "" if i % 5 else i, "numeric"),
        (lambda i: None if i % 5 else i, "numeric"),
        (lambda i: bool(i % 3), "categorical"),
        (lambda i: f"city {i % 7}", "categorical"),
        (lambda i: f"a mail about number {i}", "text"),
        (lambda i: f"word{i}", "text"),
        (lambda i: f"v{i % (MOST_CATEGORIES + 1)}", "text"),
        (lambda i: f"v{i % MOST_CATEGORIES}", "categorical"),
        (lambda _: "always the same", None),
        (lambda _: None, None),
        (lambda i: [i], None),
        (lambda i: {"a": i}, None),
        (lambda i: 10**400 + i, "categorical"),
        (lambda i: i if i % 2 else f"mixed with text {i}", "categorical"),
    ],
)
def test_a_column_is_told_by_what_it_holds(make, kind):
    features = infer(rows(x=make, known=lambda i: i), Fields(), []).features
    found = [name for name in ("text", "numeric", "categorical") if "x" in getattr(features, name)]
    assert found == ([kind] if kind else [])


def test_id_time_label_and_ignored_columns_are_no_features():
    found = infer(rows(event_id=str, time=float, a=float, b=float), Fields(), ["b"])
    assert found.features.columns == ["a"]


def test_two_labels_make_it_binary_and_more_multiclass():
    assert (infer(rows(a=float), Fields(), []).kind, infer(rows(a=float), Fields(), []).classes) == (
        "binary",
        ["0", "1"],
    )
    many = infer([{"y": f"c{i % 3}", "a": i} for i in range(90)], Fields(label="y"), [])
    assert (many.kind, many.classes) == ("multiclass", ["c0", "c1", "c2"])


def test_without_the_label_column_the_columns_there_are_are_named():
    with pytest.raises(SettingError, match="--map label = 'label'.*it has a, b"):
        infer([{"a": 1, "b": 2}] * 9, Fields(), [])


@pytest.mark.parametrize("label", [lambda i: i / 7, lambda i: i % (MOST_CLASSES + 1), lambda _: 1])
def test_a_number_to_predict_is_out_of_scope_and_one_class_is_too_few(label):
    with pytest.raises(SettingError, match="regression is out of scope"):
        infer([{"label": label(i), "a": i} for i in range(200)], Fields(), [])
