"""Promises kept by whole replays that are killed, stopped, tampered with, and run under other conditions."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.simulators.mail import MailSimulator

ROOT = Path(__file__).parents[2]

RANDOM_KILLS = 50

MEASURED = ("events_per_second", "cpu_seconds", "peak_rss_bytes")
"""What of summary.json tells of the run and not of the replay."""

VARIANTS: dict[str, dict[str, Any]] = {
    "labels at once": {},
    "labels 50 events late": {"delay": {"events": 50}},
    "labels held for maturity in a full room": {"delay": {"seconds": 600}, "maturity": 3600, "capacity": 200},
    "labels two minutes late": {"delay": {"seconds": 120.0}},
    "labels of their own": {"labels": "labels.jsonl"},
}

Result = dict[str, Any]


class Replays:
    """Runs replays of the same mail in children of one process that has imported everything already."""

    def __init__(self, folder: Path, hash_seed: int) -> None:
        self.folder = folder
        self.server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("kill_target.py")), str(folder / "error")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONHASHSEED": str(hash_seed),
                "PYTHONPATH": str(ROOT),
                "XDG_STATE_HOME": str(folder / "state"),
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
        )
        self.undisturbed: dict[str, Result] = {}

    def run(self, out: str, variant: str = "labels at once", **order: Any) -> tuple[int, str]:
        """Replay into a folder: how it ended, and its error if it had one."""
        order = {"inputs": "mail.jsonl", **VARIANTS[variant], **order}
        for name in ("inputs", "labels"):
            if name in order:
                order[name] = str(self.folder / order[name])
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps({**order, "out": str(self.folder / out)}) + "\n")
        self.server.stdin.flush()
        answer = json.loads(self.server.stdout.readline())
        return answer["status"], answer["error"]

    def finish(self, out: str, variant: str = "labels at once", **order: Any) -> Result:
        """Replay to the end and read what came of it; the folder then goes."""
        assert self.run(out, variant, **order) == (0, "")
        return self.take(out)

    def take(self, out: str) -> Result:
        """What a replay has left: each file by its name, and nothing of another name."""
        folder = self.folder / out
        found: Result = {path.name: path.read_bytes() for path in folder.iterdir()}
        shutil.rmtree(folder)
        summary = json.loads(found["summary.json"])
        found["summary.json"] = {name: value for name, value in summary.items() if name not in MEASURED}
        return found

    def expected(self, variant: str, inputs: str = "mail.jsonl") -> Result:
        """What an undisturbed replay leaves."""
        key = f"{variant}, {inputs}"
        if key not in self.undisturbed:
            self.undisturbed[key] = self.finish("undisturbed", variant, inputs=inputs)
        return self.undisturbed[key]

    def close(self) -> None:
        """End the process that runs them."""
        self.server.communicate()


def lines(count: int) -> Iterator[bytes]:
    """Simulated mail with some of what goes wrong: repeats, no label, a wrong label, broken records, a time in 2099."""
    for index, row in enumerate(MailSimulator(seed=3, change_at=(1_500,)).rows(count)):
        mail: dict[str, Any] = dict(row)
        if index % 41 == 7:
            del mail["label"]
        if index % 97 == 11:
            mail["label"] = "neither"
        if index % 503 == 100:
            mail["time"] = 4_070_908_800.0
        if index % 211 == 50:
            mail["subject"] = index
        line = json.dumps(mail).encode()
        yield line[: len(line) // 2] if index % 173 == 20 else line
        if index % 151 == 60:
            yield line


def write(path: Path, rows: Iterator[bytes]) -> None:
    path.write_bytes(b"".join(row + b"\n" for row in rows))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kill")
    write(folder / "mail.jsonl", lines(3_000))
    write(folder / "more-mail.jsonl", lines(10_000))
    labels = (
        {"event_id": row["event_id"], "time": row["time"] + 30.0 * (index % 20), "label": row["label"]}
        for index, row in enumerate(MailSimulator(seed=3, change_at=(1_500,)).rows(3_000))
    )
    write(folder / "labels.jsonl", (json.dumps(label).encode() for label in labels))
    return folder


@pytest.fixture(scope="module")
def replays(folder: Path) -> Iterator[Replays]:
    replays = Replays(folder, hash_seed=0)
    yield replays
    replays.close()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_undisturbed_replay_has_outputs_of_every_kind_to_compare(replays: Replays, variant: str) -> None:
    found = replays.expected(variant)
    assert sorted(found) == ["alarms.jsonl", "dead-letters.jsonl", "predictions.jsonl", "report.html", "summary.json"]
    summary = found["summary.json"]
    assert found["predictions.jsonl"].count(b"\n") == summary["predictions"] + summary["fates"]["repeated"] > 2_400
    assert summary["dead_letters"] > 20
    assert summary["fates"]["repeated"] > 10
    if "full room" in variant:
        assert min(summary["fates"][fate] for fate in ("joined", "evicted", "unsampled")) > 50
    else:
        assert summary["alarms"]
        assert summary["joined"] > 2_000


STEPS = [
    ("begin", "labels at once", False),
    ("fence", "labels 50 events late", False),
    ("outputs", "labels two minutes late", False),
    ("journal", "labels of their own", False),
    ("checkpoint", "labels 50 events late", True),
    ("outputs", "labels held for maturity in a full room", True),
    ("commit", "labels held for maturity in a full room", False),
    ("commit", "labels at once", False),
    ("done", "labels of their own", False),
    ("done", "labels at once", True),
]


@pytest.mark.parametrize(("step", "variant", "always"), STEPS)
def test_a_replay_killed_at_a_step_of_the_commit_goes_on_as_if_nothing_had_happened(
    replays: Replays, step: str, variant: str, always: bool
) -> None:
    for nth in (1, 2, 9):
        ended, _ = replays.run("steps", variant, step=step, nth=nth, checkpoint_always=always)
        assert ended == -signal.SIGKILL
    assert replays.finish("steps", variant) == replays.expected(variant)


@pytest.mark.parametrize("moment", ["results", "results written"])
def test_a_replay_killed_while_it_writes_its_results_writes_them_at_the_next_start(
    replays: Replays, moment: str
) -> None:
    ended, _ = replays.run("results", step=moment, nth=1)
    assert ended == -signal.SIGKILL
    assert replays.finish("results") == replays.expected("labels at once")


def test_fifty_kills_at_random_times_lose_nothing_and_count_nothing_twice(replays: Replays) -> None:
    chance = random.Random(20)
    variant = "labels 50 events late"
    began = time.monotonic()
    expected = replays.expected(variant, "more-mail.jsonl")
    whole = time.monotonic() - began  # however fast the machine is, most kills come in the midst of the work
    kills = finished = 0
    while kills < RANDOM_KILLS:
        after = chance.uniform(0.02, 0.25 * whole)
        order = {"inputs": "more-mail.jsonl", "signal": signal.SIGKILL, "after": after}
        ended, error = replays.run("random", variant, **order)
        if ended == 0:
            finished += 1
            assert replays.take("random") == expected
        else:
            assert (ended, error) == (-signal.SIGKILL, "")
            kills += 1
            left = replays.folder / "random"
            if (left / "summary.json").exists() and not (left / "state.sqlite").exists():
                finished += 1  # the kill came behind the last step: nothing is left to be done
                assert replays.take("random") == expected
    assert replays.finish("random", variant, inputs="more-mail.jsonl") == expected
    assert finished < RANDOM_KILLS / 5, "the runs are too short to be killed in their midst"


def test_a_replay_that_is_asked_to_stop_ends_with_a_checkpoint_and_the_next_start_goes_on(
    replays: Replays, folder: Path
) -> None:
    variant = "labels 50 events late"
    midway = 0
    for _ in range(20):
        order = {"inputs": "more-mail.jsonl", "signal": signal.SIGTERM, "after": 0.5}
        ended, error = replays.run("stopped", variant, **order)
        if ended == 0:
            break
        assert (ended, error) == (3, "")
        state = sqlite3.connect(folder / "stopped" / "state.sqlite")
        committed = state.execute("SELECT sequence FROM position").fetchone()
        assert state.execute("SELECT max(sequence) FROM checkpoint").fetchone() == committed
        state.close()
        midway += committed[0] > 0
    else:
        assert replays.run("stopped", variant, inputs="more-mail.jsonl") == (0, "")
    assert midway, "never stopped in its midst"
    assert replays.take("stopped") == replays.expected(variant, "more-mail.jsonl")


def half_done(replays: Replays, folder: Path, out: str) -> Path:
    """A replay that was killed in its midst; answers its state file."""
    state = folder / out / "state.sqlite"
    assert replays.run(out, step="done", nth=6, checkpoint_always=True)[0] == -signal.SIGKILL
    assert state.exists()
    return state


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": "more-mail.jsonl"},
        {"batch": 65},
        {"delay": {"events": 1}},
        {"delay": {"seconds": 1.0}},
        {"labels": "labels.jsonl"},
    ],
    ids=str,
)
def test_going_on_with_other_inputs_or_settings_is_refused_in_one_line(
    replays: Replays, folder: Path, change: dict[str, Any]
) -> None:
    half_done(replays, folder, "changed")
    ended, error = replays.run("changed", **change)
    assert ended == 2
    assert error.startswith("StateError: ")
    assert "holds a replay of other inputs or settings" in error
    assert "--fresh" in error
    assert "\n" not in error
    assert replays.finish("changed") == replays.expected("labels at once")  # and the replay itself was left alone


@pytest.mark.parametrize("change", ["cut short", "a row changed", "a row more"])
def test_going_on_with_a_file_that_has_changed_is_refused_in_one_line(
    replays: Replays, folder: Path, change: str
) -> None:
    original = (folder / "mail.jsonl").read_bytes()
    changed = folder / "changing.jsonl"
    changed.write_bytes(original)
    order = {"inputs": "changing.jsonl", "step": "done", "nth": 6}
    assert replays.run("file-changed", **order)[0] == -signal.SIGKILL
    if change == "cut short":
        changed.write_bytes(original[: len(original) // 10])
    elif change == "a row changed":
        changed.write_bytes(original.replace(b"a", b"b", 1))
    else:
        changed.write_bytes(original + original.splitlines(keepends=True)[0])
    ended, error = replays.run("file-changed", inputs="changing.jsonl")
    shutil.rmtree(folder / "file-changed")
    assert ended == 2
    assert error.startswith("StateError: ")
    assert "\n" not in error


def test_a_state_that_another_key_has_sealed_is_refused(replays: Replays, folder: Path) -> None:
    half_done(replays, folder, "other-key")
    key = folder / "state" / "rotwatch" / "checkpoint.key"
    kept = key.read_bytes()
    key.write_bytes(bytes(reversed(kept)))
    ended, error = replays.run("other-key")
    key.write_bytes(kept)
    assert ended == 2
    assert error.startswith("StateError: ")
    assert "not sealed with our key" in error
    assert "\n" not in error
    assert replays.finish("other-key") == replays.expected("labels at once")


def test_a_state_of_random_bytes_is_refused_in_one_line(replays: Replays, folder: Path) -> None:
    (folder / "bytes").mkdir()
    (folder / "bytes" / "state.sqlite").write_bytes(random.Random(1).randbytes(50_000))
    ended, error = replays.run("bytes")
    shutil.rmtree(folder / "bytes")
    assert ended == 2
    assert error.startswith("StateError: ")
    assert "\n" not in error


@pytest.mark.parametrize("seed", range(8))
def test_a_state_damaged_in_places_is_refused_in_one_line_or_changes_nothing(
    replays: Replays, folder: Path, seed: int
) -> None:
    state = half_done(replays, folder, "damaged")
    sqlite3.connect(state).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    chance = random.Random(seed)
    content = bytearray(state.read_bytes())
    for _ in range(3):
        at = chance.randrange(100, len(content) - 4096)
        content[at : at + 4096] = chance.randbytes(4096)
    state.write_bytes(content)
    ended, error = replays.run("damaged")
    if ended == 0:
        assert replays.take("damaged") == replays.expected("labels at once")
        return
    shutil.rmtree(folder / "damaged")
    assert ended == 2, error
    assert "\n" not in error


def test_two_hash_seeds_give_the_same_bytes_and_the_same_digest(replays: Replays, folder: Path) -> None:
    other = Replays(folder, hash_seed=12345)
    try:
        for variant in ("labels 50 events late", "labels of their own"):
            assert other.finish("seeds", variant) == replays.expected(variant)
    finally:
        other.close()


@pytest.mark.parametrize("variant", ["labels at once", "labels 50 events late", "labels of their own"])
def test_two_batch_sizes_give_bit_equal_online_scores(replays: Replays, variant: str) -> None:
    small = replays.expected(variant)
    large = replays.finish("batches", variant, batch=1_000)
    rows = [[json.loads(line) for line in found["predictions.jsonl"].splitlines()] for found in (small, large)]
    for one, other in zip(*rows, strict=True):
        assert one["event_id"] == other["event_id"]
        assert one["online"] == other["online"]
        assert one["baseline"] == pytest.approx(other["baseline"], abs=1e-9)
        assert one["score"] == pytest.approx(other["score"], abs=1e-9)
    assert small["dead-letters.jsonl"] == large["dead-letters.jsonl"]
    assert small["summary.json"]["fates"] == large["summary.json"]["fates"]
    assert small["summary.json"]["models"]["online"]["errors"] == large["summary.json"]["models"]["online"]["errors"]
