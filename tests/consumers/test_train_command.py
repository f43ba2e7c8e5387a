"""``rotwatch train``: from a file to a challenger in the registry, with words of its own for what is wrong."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from consumers.registry.registry import Registry
from consumers.settings import load
from stream.records import Labelled

SETTINGS = """
[streams.shop]
classes = ["fine", "fraud"]
features.numeric = ["amount", "items"]
training.budget = "1s"
[registry]
uri = "sqlite:///{folder}/registry.sqlite"
"""


def settings():
    return load(Path("rotwatch.toml"))


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rotwatch.toml").write_text(SETTINGS.format(folder=tmp_path))
    monkeypatch.setenv("ROTWATCH_CONFIG", str(tmp_path / "rotwatch.toml"))
    chance = np.random.default_rng(1)
    rows = []
    for n in range(400):
        amount, items = float(chance.normal()), float(chance.normal())
        label = "fraud" if amount + items + chance.normal(0, 0.3) > 1 else "fine"
        rows.append({"event_id": f"e{n}", "time": 1.7e9 + n, "amount": amount, "items": items, "label": label})
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    wrong = [{**row, "label": row["label"].replace("fraud", "FRAUD")} for row in rows]
    (tmp_path / "wrong.jsonl").write_text("".join(json.dumps(row) + "\n" for row in wrong))
    late = [{**row, "time": 1000 * row["time"]} for row in rows]
    (tmp_path / "ms.jsonl").write_text("".join(json.dumps(row) + "\n" for row in late))
    record = Labelled("e", 1.0, 0, "fine", 1.0, {"amount": 1.0}, 0.5, 0.5, 0.5, "fine", "fine", "fine", "o", "b")
    (tmp_path / "log.jsonl").write_bytes(msgspec.json.encode(record) + b"\n")
    return tmp_path


def test_a_file_becomes_a_challenger_with_its_card_and_page(rotwatch, shop):
    code, out, err = rotwatch("train", "events.jsonl", "--stream", "shop")
    assert (code, err) == (0, "")
    assert "shop version 1" in out
    assert "Risk: On the newest 80 rows" in out
    registry = Registry(settings().registry)
    made = registry.in_use("shop").challenger
    card = registry.card(made)
    assert (card.rows, card.stream, card.classes.keys()) == (400, "shop", {"fine", "fraud"})
    assert registry.load(made, settings().streams["shop"]).baseline.version == made.version
    [page] = shop.rglob("card.html")
    assert made.version in page.read_text()


@pytest.mark.usefixtures("shop")
def test_a_registry_that_nothing_can_be_added_to_is_noticed_before_the_training(rotwatch):
    words = ["train", "events.jsonl", "--stream", "shop", "--budget", "1h"]
    toml = Path("rotwatch.toml").read_text()
    Path("rotwatch.toml").write_text(toml + 'artifacts = "registry.sqlite/files"\n')
    code, out, err = rotwatch(*words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "no version of shop can be added: [Errno 20] Not a directory" in err
    Path("rotwatch.toml").write_text(toml.replace("registry.sqlite", "events.jsonl/registry.sqlite"))
    code, out, err = rotwatch(*words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "cannot be made: [Errno 17] File exists" in err


@pytest.mark.usefixtures("shop")
def test_a_range_of_time_and_the_newest_rows_of_it(rotwatch):
    words = ["train", "events.jsonl", "--stream", "shop", "--budget", "10ms"]
    # 1.7e9 is 2023-11-14T22:13:20Z
    assert (
        rotwatch(*words, "--since", "2023-11-14T22:15:00Z", "--until", "2023-11-14T22:18:20", "--last", "150")[0] == 0
    )
    registry = Registry(settings().registry)
    card = registry.card(registry.in_use("shop").challenger)
    assert (card.rows, card.first, card.last) == (150, 1.7e9 + 150, 1.7e9 + 299)


@pytest.mark.usefixtures("shop")
def test_the_rows_since_an_alarm_are_tried(rotwatch):
    # 1.7e9 is 2023-11-14T22:13:20Z; of 400 rows a second apart 350 lie behind the alarm, and the newest 300 judge
    words = ["train", "events.jsonl", "--stream", "shop", "--budget", "1s"]
    assert rotwatch(*words, "--alarm", "2023-11-14T22:14:10Z")[0] == 0
    assert rotwatch(*words)[0] == 0
    registry = Registry(settings().registry)
    with_alarm, without = (registry.card(version) for version in registry.versions("shop"))
    assert {way.name for way in with_alarm.lookbacks.tried} == {"all rows", "since the last alarm"}
    assert without.lookbacks is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["events.jsonl", "--alarm", "today"], "--alarm = 'today': must be a date and time such as"),
        (
            ["events.jsonl", "--since", "2030-01-01"],
            "0 labelled rows are too few to train on: 30 at least; 400 lie outside",
        ),
        (["wrong.jsonl"], "no row is 'fraud'; "),
        (["wrong.jsonl"], "most often since: label 'FRAUD' is none of ['fine', 'fraud']"),
        (["ms.jsonl"], "its time is beyond the year 9999: is fields.time_unit right?"),
        (
            ["log.jsonl", "--map", "amount=sum"],
            "--map = 'amount': must be left out: a training log has the stream's own",
        ),
        (["events.jsonl", "--budget", "soon"], "--budget = 'soon': must be a duration such as \"500ms\""),
        (["events.jsonl", "--since", "yesterday"], "--since = 'yesterday': must be a date and time such as"),
        (["none.jsonl"], "none.jsonl: no such file"),
        (["--limit", "5"], "SOURCE = None: must be a file"),
        (["events.jsonl", "--last", "20"], "20 labelled rows are too few to train on: 30 at least"),
        (
            ["events.jsonl", "--map", "amount=sum"],
            "--map amount = 'sum': must be a column of the input; it has event_id, time, amount",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_registered(rotwatch, shop, words, said):
    code, out, err = rotwatch("train", *words, "--stream", "shop")
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (shop / "registry.sqlite").exists()


FRAUD = """
kind = "anomaly"
serving = "baseline"
online = "half-space-trees"
baseline = "isolation-forest"
alert_rate = 0.2
"""


def test_a_replay_of_an_anomaly_stream_uses_what_was_trained_on_rows_with_labels_and_without(rotwatch, shop):
    path = shop / "rotwatch.toml"
    path.write_text(path.read_text().replace('classes = ["fine", "fraud"]', FRAUD + 'classes = ["fine", "fraud"]'))
    events = [json.loads(line) for line in (shop / "events.jsonl").read_text().splitlines()]
    for row in events[::4]:
        del row["label"]
    (shop / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in events))
    assert rotwatch("train", "some.jsonl", "--stream", "shop", "--limit", "300")[0] == 0
    registry = Registry(settings().registry)
    made = registry.in_use("shop").challenger
    card = registry.card(made)
    assert (card.rows, sum(card.classes.values()), card.chosen_by) == (300, 225, "average precision")
    assert not card.absolute
    words = ["replay", "events.jsonl", "--stream", "shop", "--warm-up", "200", "--baseline", "registry:challenger"]
    assert rotwatch(*words, "--out", "out")[0] == 0
    predictions = [json.loads(line) for line in (shop / "out" / "predictions.jsonl").read_text().splitlines()]
    assert {p["baseline_version"] for p in predictions} == {made.version}
    assert all(0 <= p["score"] <= 1 for p in predictions)
    assert [p["label"] == "fraud" for p in predictions] == [p["score"] >= card.threshold for p in predictions]
    code, out, _ = rotwatch("models", "show", str(made.number), "--stream", "shop")
    assert code == 0
    assert "positives judged" in out


def test_a_replay_uses_a_registered_baseline_and_its_threshold(rotwatch, shop):
    path = shop / "rotwatch.toml"
    path.write_text(path.read_text().replace("training.budget", "training.cost_of_miss = 20\ntraining.budget"))
    assert rotwatch("train", "events.jsonl", "--stream", "shop", "--limit", "200")[0] == 0
    registry = Registry(settings().registry)
    made = registry.in_use("shop").challenger
    threshold = registry.card(made).threshold
    assert threshold < 0.45
    words = ["replay", "events.jsonl", "--stream", "shop", "--warm-up", "200", "--baseline"]
    for which in ("challenger", "1"):
        assert rotwatch(*words, f"registry:{which}", "--out", which)[0] == 0
        assert json.loads((shop / which / "summary.json").read_text())["versions"]["baseline"] == made.version
    predictions = [json.loads(line) for line in (shop / "1" / "predictions.jsonl").read_text().splitlines()]
    assert {p["baseline_version"] for p in predictions} == {made.version}
    summary = json.loads((shop / "1" / "summary.json").read_text())
    truth = {e["event_id"]: e["label"] for e in map(json.loads, (shop / "events.jsonl").read_text().splitlines())}
    wrong = sum((p["baseline"] >= threshold) != (truth[p["event_id"]] == "fraud") for p in predictions)
    assert summary["models"]["baseline"]["errors"] == wrong
    code, _, err = rotwatch(*words, "registry:champion")
    assert (code, "there: shop has no champion" in err) == (2, True)
    code, _, err = rotwatch(*words, "registry:")
    assert (code, "registry:champion, registry:challenger or registry:N" in err) == (2, True)
    code, _, err = rotwatch(*words, "registry:best")
    assert (code, "registry:champion, registry:challenger or registry:N" in err) == (2, True)
