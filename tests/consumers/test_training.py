"""Where the rows to train on come from, and that training and serving see the same numbers."""

import gzip
import re
from contextlib import closing
from io import BytesIO, StringIO
from zipfile import ZipFile

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from consumers import plans, service, training
from consumers.redaction import redaction
from consumers.start import Run
from consumers.store import Store
from consumers.training_rows import of_file
from stream.columns import Entity
from stream.config import Duration, Features, Fields, Labels, Settings, Stream
from stream.config import Training as TrainingSettings
from stream.decoding import RecordDecoder
from stream.errors import SettingError, SourceError, TrainingError
from stream.fitness import unfit
from stream.records import Chosen, Label, Swap
from stream.scoring import ScoringTask
from stream.snapshot import pack
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


def decoder_of(stream):
    return RecordDecoder(stream.fields, 2e9, 0.0, redact=redaction("features", stream.features))


def scored(records, stream=STREAM, *, labels=True):
    """A task that has been given these as a scorer gets them, and what it has published."""
    made = warm_up("streams.mail", stream, [])
    task = ScoringTask("mail", made.stream, made.models)
    decoder = decoder_of(stream)
    inputs = []
    for n, row in enumerate(records):
        fields = {name: value for name, value in row.items() if name != "label"}
        inputs.append(decoder.event(fields, n, 0.0))
        inputs += [Label(row["event_id"], row["time"], row["label"])] * labels
    return task, task.feed(inputs)


def logged(records, stream=STREAM):
    """What a scorer publishes of these, as the training log has it."""
    return scored(records, stream)[1].labelled


def no_names(text):
    """A redaction hook: nobody is to know of the lunch."""
    return re.sub("lunch", "[meal]", text)


@pytest.fixture(params=["text", "redacted", "unlogged", "hashed", "all"])
def stream(request, tmp_path):
    """The stream, with each setting of what is kept."""
    settings = {
        "text": {},
        "redacted": {"redact": f"{__name__}:no_names"},
        "unlogged": {"unlogged": ["size", "subject"]},
        "hashed": {"keep": "features", "word_key_file": str(tmp_path / "key")},
    }
    settings["all"] = settings["redacted"] | settings["unlogged"] | settings["hashed"]
    (tmp_path / "key").write_text("ab" * 32, "ascii")
    return msgspec.structs.replace(
        STREAM, features=msgspec.structs.replace(STREAM.features, text_cap=400, **settings[request.param])
    )


def wanted(source, stream=STREAM, **more):
    settings = Settings(streams={"mail": stream})
    made = {"plan": plan(source, stream), "span": Span(10_000), "budget": 0.01, "seed": 1} | more
    return training.Wanted(settings, "mail", stream, **made)


def quiet():
    return Console(file=StringIO())


@pytest.mark.parametrize("zipped", [False, True])
def test_the_log_and_the_file_of_events_give_the_same_rows(tmp_path, zipped, stream):
    events = written(tmp_path / "events.jsonl", rows(200))
    log = written(tmp_path / "labelled.jsonl", logged(rows(200), stream))
    if zipped:
        (tmp_path / "labelled.jsonl.gz").write_bytes(gzip.compress(log.read_bytes()))
        log = tmp_path / "labelled.jsonl.gz"
    (one, times), (other, as_logged) = (
        of_file("mail", stream, plan(path, stream), Span(500)).data() for path in (events, log)
    )
    assert one.features == other.features == stream.features.logged
    assert one.frame.equals(other.frame)
    assert one.labels.tolist() == other.labels.tolist()
    assert times.tolist() == as_logged.tolist()


def test_a_risk_is_of_labels_that_had_come_by_the_times_that_rows_say(tmp_path):
    """Else training would know labels sooner, or later, than the stream does."""
    card = Entity("card", "", ["risk"], [Duration(86_400.0)])
    features, fields = Features(numeric=["size"], entities=[card]), Fields(label_time="came")
    stream = replace(STREAM, features=features, fields=fields, labels=Labels(maturity=Duration(1_000.0)))
    found = []
    for later in (10.0, 500.0, None):
        given = [
            {**row, "card": "c", "size": "1", "came": None if later is None else row["time"] + later}
            for row in rows(600)
        ]
        path = written(tmp_path / f"{later}.jsonl", given)
        data, _ = of_file("mail", stream, plan(path, stream), Span(600)).data()
        found.append(int(data.frame["card.risk.1d"].isna().sum()))
    assert found == [10, 500, 600]


def test_what_is_trained_on_the_log_scores_raw_events_as_it_scored_its_rows(tmp_path, stream):
    log = written(tmp_path / "labelled.jsonl", logged(rows(300), stream))
    made = training.run(wanted(log, stream), quiet())
    data, _ = of_file("mail", stream, plan(log, stream), Span(500)).data()
    task, _ = scored([], stream)
    task.feed([Swap(Chosen(made.baseline.version, "", made.card.threshold, artifact=made.artifact))])
    decoder = decoder_of(stream)
    raw = task.feed([decoder.event(row, n, 0.0) for n, row in enumerate(rows(300))])
    assert [p.baseline for p in raw.predictions] == made.baseline.score(data.frame)
    assert unfit(made.card.made_for, stream) == ""
    assert made.card.rows == 300
    assert made.card.classes == {"ham": int((data.labels == 0).sum()), "spam": int((data.labels == 1).sum())}


def test_nothing_of_a_text_can_be_read_where_only_features_are_kept(tmp_path, stream):
    task, said = scored(rows(300), stream)
    log = written(tmp_path / "labelled.jsonl", said.labelled)
    made = training.run(wanted(log, stream), quiet())
    with ZipFile(BytesIO(made.artifact)) as file:
        inside = b"".join(file.read(name) for name in file.namelist())
    kept = {
        "log": log.read_bytes(),
        "state": pack(task.snapshot()),
        "waiting room": pack(scored(rows(300), stream, labels=False)[0].snapshot()),
        "baseline": inside,
        "card": msgspec.json.encode(made.card),
    }
    hashed, redacted = stream.features.keep == "features", bool(stream.features.redact)
    read = {name: [word for word in ("report", "lunch", "tea", "cash") if word.encode() in kept[name]] for name in kept}
    shown = [] if hashed else ["report", "tea", "cash"] if redacted else ["report", "lunch", "tea", "cash"]
    assert read == {"log": shown, "state": [], "waiting room": shown, "baseline": shown, "card": shown}
    assert str(tmp_path).encode() not in kept["card"]


def test_a_column_that_is_not_logged_is_in_no_labelled_record_and_in_no_row_that_waits(stream):
    columns = {"subject", "body", "size"} - set(stream.features.unlogged)
    assert all(record.features.keys() == columns for record in logged(rows(50), stream))
    waiting, _ = scored(rows(50), stream, labels=False)
    assert waiting.arrivals.join.known("e7").row.keys() == columns


@pytest.mark.parametrize("door", ["replay", "consume"])
def test_a_warm_up_is_redacted_too_whoever_makes_it(tmp_path, stream, door):
    stream = msgspec.structs.replace(stream, warm_up=200)
    made = plan(written(tmp_path / "events.jsonl", rows(201)), stream)
    made.retrain = "periodic:500"
    if door == "consume":
        models = service.warm_models(made, stream)()
    else:
        with closing(Store(None, b"k" * 32, ())) as store:
            run = Run(made, store, 2e9)
        models = run.models
        assert [row for row, *_ in run.refitting._rows.values()] == [r.features for r in logged(rows(200), stream)]
    columns = models.baseline.estimator[0]
    assert {*columns.feature_names_in_} == {"text", "size"} - {*stream.features.unlogged}
    readable = stream.features.keep == "text"
    known = columns.named_transformers_["text"].vocabulary_.keys()
    assert ("report" in known, "lunch" in known) == (readable, readable and not stream.features.redact)
    task, _ = scored(rows(200), stream)
    assert (
        models.online.estimator["LogisticRegression"].weights
        == task.models.online.estimator["LogisticRegression"].weights
    )


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


FRAUD = Stream(
    kind="anomaly", classes=["ham", "spam"], features=Features(numeric=["size"]), serving="online", alert_rate=0.1
)


def test_rows_of_an_anomaly_stream_may_lack_a_label_and_rows_of_others_may_not(tmp_path):
    some = [row if n % 3 else {name: row[name] for name in row if name != "label"} for n, row in enumerate(rows(90))]
    path = written(tmp_path / "events.jsonl", some)
    gathered = of_file("mail", FRAUD, plan(path, FRAUD), Span(500))
    data, _ = gathered.data()
    assert (data.labels == -1).tolist() == [n % 3 == 0 for n in range(90)]
    assert gathered.left_out == {}
    gathered = of_file("mail", STREAM, plan(path), Span(500))
    assert (len(gathered.data()[0].labels), gathered.left_out) == (60, {"has no label": 30})


@pytest.mark.parametrize(("budget", "flagged"), [(None, 0.1), (0.3, 0.3)])
def test_an_anomaly_stream_is_trained_for_its_alert_budget(tmp_path, budget, flagged):
    stream = msgspec.structs.replace(FRAUD, training=TrainingSettings(alert_budget=budget))
    made = training.run(wanted(written(tmp_path / "events.jsonl", rows(300)), stream), quiet())
    assert made.card.aim.alert_budget == flagged
    assert made.card.chosen_by == "average precision"
    assert unfit(made.card.made_for, stream) == ""


def test_novelty_is_handed_on_to_the_training(tmp_path):
    path = written(tmp_path / "events.jsonl", rows(300))
    fitted = []
    for novelty in (False, True):
        stream = msgspec.structs.replace(FRAUD, training=TrainingSettings(novelty=novelty))
        fitted.append(training.run(wanted(path, stream, budget=1e-9), quiet()).card.fitted)
    assert fitted[0] == 300 > fitted[1]


def test_no_baseline_of_an_anomaly_stream_is_imported(tmp_path):
    with pytest.raises(SettingError, match=r"streams\.mail\.kind.*binary or multiclass"):
        training.judge(wanted(written(tmp_path / "events.jsonl", rows(60)), FRAUD), b"")


def test_a_file_without_rows_and_one_with_too_few_are_refused(tmp_path):
    with pytest.raises(SourceError, match="has no rows that can be read"):
        training.run(wanted(written(tmp_path / "empty.jsonl", [])), quiet())
    with pytest.raises(TrainingError, match="10 labelled rows are too few"):
        training.run(wanted(written(tmp_path / "few.jsonl", rows(10))), quiet())
