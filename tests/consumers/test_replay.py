"""A replay as a whole: the same rows by every door, late labels, segments, and real mail."""

import gzip
import inspect
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgspec
import pandas as pd
import pytest
from rich.console import Console

from consumers.observer import Observer
from consumers.order import Delay
from consumers.plans import Plan
from consumers.replay import Progress, replay
from consumers.results import Results
from consumers.screen import report
from consumers.settings import load
from consumers.sources import Source, open_source, simulated
from stream.columns import Entity
from stream.config import Duration, Features, Fields, Labels, Stream, Worker
from stream.errors import SourceError, StateError, TrainingError
from stream.records import Labelled, Prediction
from stream.sample import Sample
from stream.scoring import ScoringTask

ROOT = Path(__file__).parents[2]
ENRON = ROOT.parent / "shared" / "data" / "enron_spam_stream.jsonl.gz"

MINI = Stream(
    classes=["ham", "spam"],
    features=Features(text=["body"], numeric=["size"], categorical=["city"]),
    warm_up=80,
)
N = 400


def row(index: int) -> dict[str, Any]:
    spam = index % 3 == 0
    return {
        "event_id": f"e{index}",
        "time": 1_700_000_000.0 + 10 * index,
        "body": f"{'cash prize' if spam else 'lunch report'} number{index % 9}",
        "size": index % 11 / 8 + spam,
        "city": f"c{index % 3}",
        "label": "spam" if spam else "ham",
    }


def rows(n: int = N) -> list[dict[str, Any]]:
    return [row(index) for index in range(n)]


def source(table: list[dict[str, Any]]) -> Source:
    return simulated("rows", lambda: table, len(table))


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def done(table: Source, folder: Path | None = None, /, **words: Any) -> tuple[Results, list[Prediction]]:
    plan = Plan(
        "mini", table, words.pop("stream", MINI), out=folder, worker=Worker(batch=words.pop("batch", 64)), **words
    )
    results = replay(plan)
    assert results is not None
    assert results.totals.scoring.unbalanced() is None
    lines = b"" if folder is None else (folder / "predictions.jsonl").read_bytes()
    return results, msgspec.json.Decoder(Prediction).decode_lines(lines)


def labelled(monkeypatch: pytest.MonkeyPatch) -> list[Labelled]:
    """The labelled records of the replays that follow."""
    found: list[Labelled] = []
    feed = ScoringTask.feed

    def listen(self: ScoringTask, batch: Any) -> Any:
        out = feed(self, batch)
        found.extend(out.labelled)
        return out

    monkeypatch.setattr(ScoringTask, "feed", listen)
    return found


# ------------------------------------------------------------------------------------------- the same by every door


def test_the_same_rows_give_the_same_predictions_from_every_kind_of_file(tmp_path, monkeypatch):
    json_lines = "".join(json.dumps(one) + "\n" for one in rows()).encode()
    (tmp_path / "a.jsonl").write_bytes(json_lines)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json_lines))
    frame = pd.DataFrame(rows())
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.csv.gz", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json_lines)))
    expected = done(source(rows()), tmp_path / "rows")
    assert len(expected[1]) == N - 80
    for name in ("a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.gz", "a.parquet", "-"):
        results, predictions = done(
            open_source(name if name == "-" else str(tmp_path / name)), tmp_path / f"out {name}"
        )
        assert predictions == expected[1], name
        assert results.digest == expected[0].digest, name


def test_a_replay_is_the_same_in_every_process_under_every_hash_seed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows(200)))
    words = [sys.executable, "-m", "consumers.cli", "replay", "in.jsonl", "--warm-up", "80", "--out", "there"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "4321"}
    subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, check=True)
    replay(Plan("replay", open_source("in.jsonl"), warm_up=80, out=Path("here")))
    one, other = (json.loads(Path(folder, "summary.json").read_bytes()) for folder in ("here", "there"))
    assert one["versions"] == other["versions"]
    assert one["digest"] == other["digest"]
    assert Path("here/predictions.jsonl").read_bytes() == Path("there/predictions.jsonl").read_bytes()


@pytest.mark.parametrize("batch", [3, 37])
def test_online_scores_do_not_depend_on_the_batches(tmp_path, batch):
    _, expected = done(source(rows()), tmp_path / "a")
    replay(Plan("mini", source(rows()), MINI, out=tmp_path / "b", worker=Worker(batch=batch)))
    found = msgspec.json.Decoder(Prediction).decode_lines((tmp_path / "b" / "predictions.jsonl").read_bytes())
    assert [p.online for p in found] == [p.online for p in expected]
    assert [p.score for p in found] == pytest.approx([p.score for p in expected], abs=1e-9)


def test_parquet_results_hold_what_json_lines_hold(tmp_path):
    _, expected = done(source(rows()), tmp_path / "a")
    replay(Plan("mini", source(rows()), MINI, out=tmp_path / "b", form="parquet", worker=Worker(batch=64)))
    frame = pd.read_parquet(tmp_path / "b" / "predictions.parquet")
    frame["shadows"] = frame["shadows"].map(dict)  # pandas reads a map as pairs
    assert [Prediction(**record) for record in frame.to_dict("records")] == expected


# ------------------------------------------------------------------------------------------- labels


def test_labels_in_a_file_of_their_own_give_what_labels_in_the_rows_give(tmp_path):
    events = [{name: value for name, value in one.items() if name != "label"} for one in rows()]
    labels = [{name: one[name] for name in ("event_id", "time", "label")} for one in rows()]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(one) + "\n" for one in labels))
    _, expected = done(source(rows()), tmp_path / "a")
    results, found = done(source(events), tmp_path / "b", labels=open_source(str(tmp_path / "labels.jsonl")))
    assert [p.online for p in found] == [p.online for p in expected]
    assert results.totals.scoring.labels.joined == N - 80
    assert results.totals.scoring.early == 0


@pytest.mark.parametrize(("delay", "seconds"), [(Delay(events=7), 70.0), (Delay(seconds=65.0), 65.0), (Delay(), 0.0)])
def test_a_late_label_comes_so_many_events_or_so_much_time_later(monkeypatch, delay, seconds):
    found = labelled(monkeypatch)
    results, _ = done(source(rows()), delay=delay)
    assert results.totals.scoring.labels.joined == N - 80
    assert results.totals.scoring.waiting == 0
    delays = {record.label_time - record.time for record in found if record.position < N - 10}
    assert delays == {seconds}


def test_no_online_model_has_learned_from_a_label_that_has_not_come(tmp_path):
    """The first D events after the warm-up are scored by what the warm-up taught, whatever their labels are."""
    turned = [
        one | {"label": "spam" if one["label"] == "ham" else "ham"} if i >= 80 else one for i, one in enumerate(rows())
    ]
    _, one = done(source(rows()), tmp_path / "a", delay=Delay(events=50))
    _, other = done(source(turned), tmp_path / "b", delay=Delay(events=50))
    assert [p.online for p in one[:50]] == [p.online for p in other[:50]]
    assert one[51].online != other[51].online


def with_label_times(hours: float) -> list[dict[str, Any]]:
    """Rows whose labels come so much later; every seventh has a label and no time for it."""
    return [{**row(i), "came": None if i % 7 == 0 else row(i)["time"] + 3_600 * hours} for i in range(N)]


def test_labels_come_when_their_rows_say(monkeypatch):
    found = labelled(monkeypatch)
    results, _ = done(source(with_label_times(0.05)), fields={"label_time": "came"})
    scoring = results.totals.scoring
    dead = sum(i % 7 == 0 for i in range(80, N))
    assert (scoring.inputs.labels_dead, len(found)) == (dead, N - 80 - dead)
    assert {round(record.label_time - record.time) for record in found} == {180}


def test_the_simulated_frauds_labels_come_to_the_fraud_stream_after_days(monkeypatch):
    found = labelled(monkeypatch)
    results, _ = done(open_source("simulator:fraud"), stream=load(None).streams["fraud"], warm_up=1_000, limit=9_000)
    assert (results.totals.scoring.inputs.predicted, results.totals.scoring.inputs.labels_dead) == (8_000, 0)
    assert len(found) > 100
    assert min(record.label_time - record.time for record in found) >= 86_400
    assert {record.label for record in found} == {"legitimate", "fraud"}


def test_a_replay_by_the_labels_times_that_was_killed_gives_the_same_results(tmp_path):
    stream = msgspec.structs.replace(MINI, fields=Fields(label_time="came"))
    table = source(with_label_times(0.2))
    whole, _ = done(table, tmp_path / "whole", stream=stream)
    seen = []

    def stop() -> bool:
        seen.append(True)
        return len(seen) > 4

    plan = Plan("mini", table, stream, out=tmp_path / "cut", worker=Worker(batch=64))
    assert replay(plan, stop=stop) is None
    results, _ = done(table, tmp_path / "cut", stream=stream)
    assert results.digest == whole.digest
    for name in ("predictions.jsonl", "dead-letters.jsonl"):
        assert (tmp_path / "whole" / name).stat().st_size
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def stated(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One label in four states that it is certain, one that it is too rare, the others the least that there is."""
    probabilities = [1.0, 0.01, 0.2, 0.2]
    return [{**each, "p": probabilities[at % 4]} for at, each in enumerate(table)]


INSPECTED = msgspec.structs.replace(
    MINI,
    fields=Fields(inspection_probability="p"),
    labels=Labels(least_inspection_probability=0.2),
)


def test_of_labels_that_state_their_probability_a_fair_draw_is_judged_by_and_bad_ones_are_dead(tmp_path, monkeypatch):
    table, records = stated(rows()), labelled(monkeypatch)
    sample = Sample(INSPECTED)
    results, _ = done(source(table), tmp_path / "beside", stream=INSPECTED)
    found = {record.event_id: record.sampled for record in records}
    assert len(found) == (N - 80) * 3 // 4
    assert all(found[f"e{at}"] for at in range(80, N) if at % 4 in (2, 3))
    assert {at: found[f"e{at}"] for at in range(80, N, 4)} == {
        at: sample.takes(f"e{at}", 1.0) for at in range(80, N, 4)
    }
    assert 0 < sum(found[f"e{at}"] for at in range(80, N, 4)) < 40
    assert results.unused == {
        "field 'p': is 0.01, and labels.least_inspection_probability is 0.2: inspect no event more rarely, or lower "
        "that setting": 20
    }
    assert results.totals.scoring.inputs.labels_dead == (N - 80) // 4
    events = [{name: value for name, value in each.items() if name not in ("label", "p")} for each in table]
    own = [{name: each[name] for name in ("event_id", "time", "label", "p")} for each in table]
    records.clear()
    done(source(events), tmp_path / "apart", stream=INSPECTED, labels=source(own))
    assert {record.event_id: record.sampled for record in records} == found


def test_the_time_of_a_label_is_no_feature_of_a_file_without_settings(tmp_path):
    results, _ = done(source(with_label_times(1.0)), tmp_path, stream=None, fields={"label_time": "came"}, warm_up=80)
    assert "came" not in results.settings.features.columns


def test_absent_labels_mean_what_the_settings_say_and_the_last_ones_mature_at_the_end():
    only_spam = [one if one["label"] == "spam" or i < 80 else one | {"label": None} for i, one in enumerate(rows())]
    labels = Labels(maturity=Duration(100), absent_means="ham")
    stream = msgspec.structs.replace(MINI, labels=labels)
    results, _ = done(source(only_spam), stream=stream, delay=Delay(seconds=30.0))
    counts = results.totals.scoring.labels
    assert (counts.joined, counts.implied) == (
        sum(i % 3 == 0 for i in range(80, N)),
        sum(i % 3 != 0 for i in range(80, N)),
    )
    assert results.models["online"]["accuracy"] > 0.95


# ------------------------------------------------------------------------------------------- which rows


def test_rows_are_kept_by_where_and_the_limit_counts_those_kept():
    table = [one | {"dup": index % 4 == 0} for index, one in enumerate(rows())]
    results, _ = done(source(table), where={"dup": "false"}, limit=200)
    assert results.totals.scoring.inputs.predicted == 200 - 80


def test_segments_begin_at_row_numbers_warm_up_included():
    results, _ = done(source(rows()), segment=[100, 300])
    assert [(part["first"], part["labelled"]) for part in results.segments] == [(80, 20), (100, 200), (300, 100)]


def test_rows_without_ids_are_numbered_and_rows_without_times_keep_their_order(tmp_path):
    table = [{name: one[name] for name in ("body", "size", "city", "label")} for one in rows()]
    _, predictions = done(source(table), tmp_path / "a")
    assert [(p.event_id, p.time) for p in predictions[:2]] == [("row-80", 80.0), ("row-81", 81.0)]


def test_no_warm_up_starts_from_nothing_and_the_online_model_serves(tmp_path):
    results, predictions = done(source(rows()), tmp_path / "a", warm_up=0)
    assert {p.serving for p in predictions} == {"online"}
    assert results.models["baseline"]["accuracy"] is None
    assert results.totals.monitoring.verdict == "no_baseline"


@pytest.mark.parametrize(
    ("table", "error", "word"),
    [
        ([], SourceError, "has no rows"),
        (rows(80), SourceError, "give --warm-up fewer"),
        ([one | {"label": "spam"} for one in rows()], TrainingError, "only 1 of 2 classes"),
        ([one | {"label": "eggs"} for one in rows()], TrainingError, "none of the 80 warm-up rows"),
        ([one | {"body": 3} for one in rows()], TrainingError, "'body'"),
    ],
)
def test_what_cannot_be_begun_with_is_refused_with_what_to_do(table, error, word):
    with pytest.raises(error, match=word):
        done(source(table))


def test_an_anomaly_stream_has_rankings_and_no_losses_of_probabilities(tmp_path):
    stream = Stream(
        kind="anomaly", classes=["0", "1"], features=Features(numeric=["v", "w"]), online="half-space-trees",
        baseline="isolation-forest", serving="baseline", warm_up=300, alert_rate=0.05,
    )  # fmt: skip
    table = [{"v": (i * 37 % 101) / 101 + 9 * (i % 29 == 0), "w": i % 7, "label": int(i % 29 == 0)} for i in range(500)]
    results, predictions = done(source(table), tmp_path / "a", stream=stream, batch=512)
    assert results.models["baseline"]["roc_auc"] > 0.9
    assert results.models["baseline"]["found"] > 0
    assert not {"errors", "accuracy", "log_loss"} & set(results.models["baseline"])
    assert {p.label for p in predictions} == {"0", "1"}


def test_entities_that_gave_way_are_told(tmp_path):
    card = Entity("card", "", ["count"], [Duration(60.0)])
    features = Features(numeric=["v"], entities=[card], entity_capacity=10)
    stream = Stream(classes=["0", "1"], features=features, baseline="none", serving="online", warm_up=100)
    table = [{"time": 1e9 + i, "v": i % 7, "card": f"c{i % 20}", "label": i % 2} for i in range(200)]
    results, _ = done(source(table), tmp_path / "a", stream=stream)
    told = json.loads((tmp_path / "a" / "summary.json").read_bytes())["entities"]
    assert told == {"card": {"remembered": 10, "evicted": 190, "forgotten_labels": told["card"]["forgotten_labels"]}}
    screen = Console(file=io.StringIO(), width=200)
    report(screen, Plan("s", source(table), stream), results)
    assert "card: 10 are remembered, 190 times one gave way to another" in screen.file.getvalue()


def test_card_precision_is_by_days_of_cards_not_known_from_the_warm_up_on(tmp_path):
    stream = Stream(
        kind="anomaly", classes=["no", "yes"], features=Features(categorical=["card"]), online="field:o",
        baseline="field:b", serving="online", warm_up=40, labels=Labels(maturity=Duration(86_400)), alerts_by="card",
        alerts_per_day=2,
    )  # fmt: skip
    # Cards 0 to 9 every day, the even ones with greater scores; card 0 is compromised at once, and 2 from day 4 on.
    table = [
        {"event_id": f"e{at}", "time": 86_400.0 * (at / 20), "card": str(at % 10), "o": 0.5 + 0.04 * (9 - at % 10),
         "b": 0.1 * (at % 10), "label": "yes" if at % 10 == 0 or (at % 10 == 2 and at >= 80) else "no"}
        for at in range(160)
    ]  # fmt: skip
    out = tmp_path / "out"
    plan = Plan(
        "s", source(table), stream, delay=Delay(seconds=Duration(43_200)), out=out, segment=2 * 86_400.0,
        worker=Worker(batch=16),
    )  # fmt: skip
    results = replay(plan)
    # Card 0 is left out from the start; on days 2 to 7 the online model alerts of 1 and 2, the baseline of 9 and 8.
    # Card 2 is compromised on days 4 to 7, and known to be when day 5 begins: it counts on day 4.
    assert results.models["online"]["card_precision"] == pytest.approx(0.5 / 6)
    assert results.models["baseline"]["card_precision"] == 0.0
    assert [part["served"]["card_precision"] for part in results.segments] == [0.0, 0.25, 0.0]
    summary = json.loads((out / "summary.json").read_bytes())
    assert summary["models"]["online"]["card_days"] == 6
    assert summary["cards_left_out"] == {"late": 0, "beyond": 0}
    assert [(part["begin"], part["end"]) for part in summary["segments"]] == [
        (day * 86_400.0, (day + 2) * 86_400.0) for day in (2, 4, 6)
    ]


def test_a_multiclass_stream_is_read_off_its_rows(tmp_path):
    table = [{"v": index % 3 + index % 5 / 10, "label": "abc"[index % 3]} for index in range(600)]
    plan = Plan("many", source(table), warm_up=150, out=tmp_path, worker=Worker(batch=64))
    results = replay(plan)
    assert results.settings.kind == "multiclass"
    assert results.models["served"]["accuracy"] > 0.9
    first = msgspec.json.decode((tmp_path / "predictions.jsonl").read_bytes().splitlines()[0], type=Prediction)
    assert sum(first.score) == pytest.approx(1.0)


# ------------------------------------------------------------------------------------------- real mail


@pytest.mark.skipif(not ENRON.exists(), reason=f"needs {ENRON.name} in ../shared/data beside the repository")
def test_on_enron_the_online_model_beats_the_frozen_one_in_the_second_mailbox():
    results = replay(
        Plan(
            "spam",
            open_source(str(ENRON)),
            load(None).streams["spam"],
            where={"dup": "false"},
            limit=6_000,
            segment=[4_994],
        )
    )
    first, second = results.segments
    assert (first["first"], first["labelled"], second["first"], second["labelled"]) == (2_500, 2_494, 4_994, 1_006)
    assert first["online"]["accuracy"] > 0.975
    assert second["online"]["accuracy"] > second["baseline"]["accuracy"]
    assert second["online"]["accuracy"] > 0.97
    assert second["online"]["log_loss"] < 0.1 < second["baseline"]["log_loss"]
    best = min(second[model]["log_loss"] for model in ("online", "baseline"))
    assert second["served"]["log_loss"] < best + 0.02


def test_a_declared_column_that_the_rows_do_not_have_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"body": f"word{i % 3} and more", "label": "hs"[i % 2]}) for i in range(200)))
    stream = Stream(classes=["h", "s"], features=Features(text=["body", "subjekt"]))
    results = replay(Plan("s", open_source(str(path)), stream, warm_up=50))
    assert results is not None
    assert results.left_out == {"subjekt": "it is in none of the first 200 rows"}


def test_a_replay_begun_by_other_code_is_not_gone_on_with(tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"body": f"word{i % 3} and more", "label": "hs"[i % 2]}) for i in range(200)))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    stream = Stream(classes=["h", "s"], features=Features(text=["body"]))
    plan = Plan("s", open_source(str(path)), stream, warm_up=50, out=tmp_path / "out", worker=Worker(batch=10))
    stops = iter([False, False, False, True])
    assert replay(plan, stop=lambda: next(stops)) is None
    monkeypatch.setattr("consumers.start.fingerprint", lambda: "another")
    with pytest.raises(StateError, match="begun by other code"):
        replay(plan)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert replay(plan) is not None


def test_a_replay_whose_words_were_hashed_with_another_key_is_not_gone_on_with(tmp_path, monkeypatch):
    path, key = tmp_path / "rows.jsonl", tmp_path / "key"
    path.write_text("\n".join(json.dumps({"body": f"word{i % 3} and more", "label": "hs"[i % 2]}) for i in range(200)))
    key.write_text("ab" * 32)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    features = Features(text=["body"], keep="features", word_key_file=str(key))
    stream = Stream(classes=["h", "s"], features=features)
    plan = Plan("s", open_source(str(path)), stream, warm_up=50, out=tmp_path / "out", worker=Worker(batch=10))
    stops = iter([False, False, False, True])
    assert replay(plan, stop=lambda: next(stops)) is None
    key.write_text("cd" * 32)
    with pytest.raises(StateError, match="of other inputs or settings"):
        replay(plan)
    key.write_text("ab" * 32)
    assert replay(plan) is not None


@pytest.mark.parametrize("word", [name for name in vars(Observer) if not name.startswith("_")])
def test_a_replays_listeners_hear_all_that_a_worker_says(word):
    listener = Mock(spec=Observer)
    arguments = [Mock() for name in inspect.signature(getattr(Observer, word)).parameters if name != "self"]
    getattr(Progress([listener]), word)(*arguments)
    getattr(listener, word).assert_called_once_with(*arguments)
