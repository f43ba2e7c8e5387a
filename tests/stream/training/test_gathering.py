"""Which rows are trained on: each event once, with its last label, the newest, in the order of time."""

import numpy as np
import pytest

from stream.config import Features, Labels, Stream
from stream.errors import TrainingError
from stream.records import Labelled
from stream.training.gathering import MOST_REASONS, OTHER, Gathering, Span
from stream.training.splits import LEAST

STREAM = Stream(
    classes=["no", "yes"], features=Features(numeric=["x"], categorical=["c"]), labels=Labels(values={"1": "yes"})
)


def labelled(number, label=None, time=None, features=..., **more):
    label = label or ("yes" if number % 2 else "no")
    row = {"x": float(number), "c": "k"} if features is ... else features
    at = float(number) if time is None else time
    return Labelled(f"e{number}", at, number, label, at, row, 0.5, 0.5, 0.5, "no", "no", "no", "o", "b", **more)


def gathered(records, rows=1_000, **span):
    made = Gathering(STREAM, Span(rows, **span))
    made.feed(list(records))
    return made


def test_rows_come_in_the_order_of_their_events_whatever_the_labels_order_was():
    data, times = gathered(labelled(n) for n in reversed(range(50))).data()
    assert times.tolist() == list(range(50))
    assert data.frame["x"].tolist() == list(range(50))
    assert data.labels.tolist() == [n % 2 for n in range(50)]


def test_the_newest_are_kept_and_no_more_of_them_than_wanted():
    made = gathered((labelled(n) for n in range(500)), rows=40)
    assert len(made._rows) == 40
    assert made.data()[1].tolist() == list(range(460, 500))


def test_a_range_of_time_has_its_beginning_and_not_its_end():
    assert gathered((labelled(n) for n in range(500)), since=100.0, until=150.0).data()[1].tolist() == list(
        range(100, 150)
    )


def test_an_event_counts_once_and_with_its_last_label():
    records = [labelled(n, "no") for n in range(40)]
    records += [labelled(3, "no"), labelled(7, "yes", features=None, correction=True)]
    records += [labelled(99, "yes", features=None, correction=True)]  # of an event that is not among them
    made = gathered(records)
    data, _ = made.data()
    assert data.labels.tolist() == [int(n == 7) for n in range(40)]
    assert made.left_out == {"is there twice": 1}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (labelled(1, "maybe"), "label 'maybe' is none of ['no', 'yes']"),
        (labelled(1, features=None), "has no features"),
        (labelled(1, features={"x": "wide", "c": "k"}), "must be a number"),
        (labelled(1, hashed=True), "its texts were logged with another features.keep"),
    ],
)
def test_what_cannot_be_used_is_counted_by_its_reason(record, reason):
    made = gathered([record])
    [(said, count)] = made.left_out.items()
    assert reason in said
    assert count == 1


def test_reasons_that_name_values_do_not_fill_the_memory():
    made = gathered(labelled(n, f"label {n}") for n in range(500))
    assert len(made.left_out) == MOST_REASONS + 1
    assert made.left_out[OTHER] == 500 - MOST_REASONS


def test_an_event_of_a_file_has_its_label_as_labellers_write_it():
    made = Gathering(STREAM, Span(100))
    for n in range(LEAST):
        made.add(f"e{n}", float(n), {"x": n, "c": None}, "1" if n % 2 else "no")
    made.add("unlabelled", 0.0, {"x": 1.0}, None)
    data, _ = made.data()
    assert data.labels.tolist() == [n % 2 for n in range(LEAST)]
    assert data.frame["c"].tolist() == [None] * LEAST
    assert made.left_out == {"has no label": 1}


def test_too_few_rows_are_refused_and_the_most_frequent_reason_is_told():
    made = gathered([labelled(n, "maybe" if n < 5 else None) for n in range(20)])
    with pytest.raises(
        TrainingError, match=r"15 labelled rows are too few .* 5 cannot be used, most often since: label 'maybe'"
    ):
        made.data()


def test_rows_are_handed_over():
    made = gathered(labelled(n) for n in range(50))
    data, _ = made.data()
    assert not made._rows
    assert data.frame["x"].dtype == np.float64


def test_rows_that_may_not_judge_are_trained_on_all_the_same_and_are_marked():
    made = gathered(labelled(n, sampled=n % 4 == 0) for n in range(100))
    made.feed([labelled(4, "yes", features=None, correction=True)])
    data, _ = made.data()
    assert len(data.labels) == 100
    assert data.labels[4] == 1
    assert data.counts.tolist() == [n % 4 == 0 for n in range(100)]
    assert data.sample[0]["x"].tolist() == list(range(0, 100, 4))
    assert gathered(labelled(n) for n in range(100)).data()[0].counts is None


def test_where_no_row_may_judge_that_is_said_with_what_to_do():
    data, _ = gathered(labelled(n, sampled=n < 50) for n in range(100)).data()
    assert data.judging(np.arange(40, 60)).sum() == 10
    with pytest.raises(TrainingError, match=r"none of the 50 rows that are to judge .* take more rows"):
        data.judging(np.arange(50, 100))
