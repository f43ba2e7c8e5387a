"""Where the rows to train on come from, and that training and serving see the same numbers."""

import gzip
from io import StringIO

import msgspec
import numpy as np
import pytest
from rich.console import Console

from consumers import plans, training
from consumers.training_rows import of_file
from stream.config import Duration, Features, Settings, Stream
from stream.config import Training as TrainingSettings
from stream.errors import SettingError, SourceError, TrainingError
from stream.features import FeatureExtractor
from stream.records import Event, Label
from stream.scoring import ScoringTask
from stream.training.gathering import Span
from stream.warmup import warm_up

STREAM = Stream(
    classes=["ham", "spam"],
    features=Features(text=["subject", "body"], numeric=["size"], text_cap=40),
    training=TrainingSettings(budget=Duration(1)),
)


def rows(count, seed=1):
    chance = np.random.default_rng(seed)
    for n in range(count):
        spam = bool(chance.random() < 0.4)
        words = " ".join(
            chance.choice(["cash", "prize", "now", "free"] if spam else ["report", "lunch", "now", "tea"], 6)
        )
        size = None if n % 7 == 0 else str(round(float(chance.normal(5 + spam)), 3))
        yield {
            "event_id": f"e{n}",
            "time": 1e9 + n,
            "subject": words[:9],
            "body": words * 3,
            "size": size,
            "label": "spam" if spam else "ham",
        }


def plan(path, stream=STREAM, mapping=None, where=None):
    return plans.make(
        Settings(streams={"mail": stream}),
        source=str(path),
        stream="mail",
        mapping=mapping or {},
        where=where or {},
    )


def written(path, records):
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    return path


def logged(records):
    """What a scorer publishes of these, as the training log has it."""
    made = warm_up("streams.mail", STREAM, [])
    task = ScoringTask("mail", made.stream, made.models)
    inputs = []
    for n, row in enumerate(records):
        fields = {name: value for name, value in row.items() if name != "label"}
        inputs += [Event(row["event_id"], row["time"], fields, n), Label(row["event_id"], row["time"], row["label"])]
    return task.feed(inputs).labelled


def wanted(source, stream=STREAM, **more):
    settings = Settings(streams={"mail": stream})
    made = {"plan": plan(source, stream), "span": Span(10_000), "budget": 0.01, "seed": 1} | more
    return training.Wanted(settings, "mail", stream, **made)


def quiet():
    return Console(file=StringIO())


@pytest.mark.parametrize("zipped", [False, True])
def test_the_log_and_the_file_of_events_give_the_same_rows(tmp_path, zipped):
    events = written(tmp_path / "events.jsonl", rows(200))
    log = written(tmp_path / "labelled.jsonl", logged(rows(200)))
    if zipped:
        (tmp_path / "labelled.jsonl.gz").write_bytes(gzip.compress(log.read_bytes()))
        log = tmp_path / "labelled.jsonl.gz"
    (one, times), (other, as_logged) = (of_file("mail", STREAM, plan(path), Span(500)).data() for path in (events, log))
    assert one.frame.equals(other.frame)
    assert one.labels.tolist() == other.labels.tolist()
    assert times.tolist() == as_logged.tolist()


def test_what_is_trained_on_the_log_scores_raw_events_as_it_scored_its_rows(tmp_path):
    log = written(tmp_path / "labelled.jsonl", logged(rows(300)))
    made = training.run(wanted(log), quiet())
    data, _ = of_file("mail", STREAM, plan(log), Span(500)).data()
    extractor = FeatureExtractor(STREAM.features)
    raw = extractor.frame([extractor.row(row) for row in rows(300)])
    assert made.baseline.score(raw) == made.baseline.score(data.frame)
    assert made.card.rows == 300
    assert made.card.classes == {"ham": int((data.labels == 0).sum()), "spam": int((data.labels == 1).sum())}


def test_records_that_cannot_be_read_are_counted_and_the_others_used(tmp_path):
    log = written(tmp_path / "labelled.jsonl", logged(rows(60)))
    log.write_bytes(log.read_bytes() + b'{"event_id": 7}\nnot json\n')
    gathering = of_file("mail", STREAM, plan(log), Span(500))
    assert len(gathering.data()[1]) == 60
    assert sum(gathering.left_out.values()) == 2
    assert all("cannot be read" in reason for reason in gathering.left_out)


def test_columns_may_have_other_names_and_rows_may_be_kept_by_their_values(tmp_path):
    renamed = (
        {("text" if k == "body" else "y" if k == "label" else k): v for k, v in row.items()} for row in rows(100)
    )
    path = written(tmp_path / "events.jsonl", ({**row, "test": n >= 50} for n, row in enumerate(renamed)))
    made = plan(path, mapping={"body": "text", "label": "y"}, where={"test": "false"})
    data, times = of_file("mail", STREAM, made, Span(500)).data()
    plain, _ = of_file("mail", STREAM, plan(written(tmp_path / "plain.jsonl", rows(50))), Span(500)).data()
    assert data.frame.equals(plain.frame)
    assert len(times) == 50


def test_rows_without_a_time_are_in_the_order_of_the_file_and_have_no_range_of_time(tmp_path):
    untimed = [{name: value for name, value in row.items() if name != "time"} for row in rows(60)]
    path = written(tmp_path / "events.jsonl", untimed)
    card = training.run(wanted(path), quiet()).card
    assert (card.rows, card.first, card.last) == (60, None, None)
    with pytest.raises(SourceError, match="has no column 'time', so no range of time can be taken of it"):
        training.run(wanted(path, span=Span(100, since=5.0)), quiet())


def test_classes_are_read_off_the_rows_where_settings_name_none(tmp_path):
    stream = msgspec.structs.replace(STREAM, classes=[], positive="ham")
    path = written(tmp_path / "events.jsonl", rows(60))
    assert of_file("mail", stream, plan(path, stream), Span(500)).stream.classes == ["spam", "ham"]


def test_the_terminal_is_told_of_each_trial(tmp_path):
    heard = StringIO()
    console = Console(file=heard, force_terminal=True, width=200)
    training.run(wanted(written(tmp_path / "events.jsonl", rows(300)), budget=1.0), console)
    assert "trials: " in heard.getvalue()


def test_an_anomaly_stream_is_trained_on_its_warm_up_only(tmp_path):
    stream = Stream(kind="anomaly", classes=["no", "yes"], features=Features(numeric=["size"]), serving="online")
    with pytest.raises(SettingError, match=r"streams\.mail\.kind.*trained on its warm-up"):
        training.run(wanted(written(tmp_path / "events.jsonl", rows(60)), stream), quiet())


def test_a_file_without_rows_and_one_with_too_few_are_refused(tmp_path):
    with pytest.raises(SourceError, match="has no rows that can be read"):
        training.run(wanted(written(tmp_path / "empty.jsonl", [])), quiet())
    with pytest.raises(TrainingError, match="10 labelled rows are too few"):
        training.run(wanted(written(tmp_path / "few.jsonl", rows(10))), quiet())
