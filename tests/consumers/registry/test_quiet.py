"""MLflow stays out of the way: not imported where it is not used, and nothing said, sent or left behind where it is."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from consumers.registry import client
from consumers.registry.registry import Registry
from stream.config import Registry as Settings
from stream.errors import RegistryError

ROOT = Path(__file__).parents[3]

USE = """
import gc, sys, threading
import msgspec
import consumers.registry.client
from pathlib import Path
from consumers import logs
from consumers.registry.registry import Registry
from stream.config import Registry as Settings
from stream.training.card import Card
import socket

def refuse(*words):
    raise AssertionError(f"a connection: {words}")

socket.socket.connect = refuse
logs.configure("text", sys.argv[2])
folder = Path(sys.argv[1])
card = msgspec.json.decode((folder / "card.json").read_bytes(), type=Card)
registry = Registry(Settings())
assert "mlflow" not in sys.modules
registry.add("shop", (folder / "baseline.skops").read_bytes(), card)
registry.promote("shop", 1, None)
assert registry.in_use("shop").champion.number == 1
assert "mlflow" in sys.modules
gc.collect()  # a pool's threads end when it is collected
for thread in set(threading.enumerate()) - {threading.main_thread()}:
    thread.join(10)
assert threading.active_count() == 1, threading.enumerate()
"""

HELP = """
import sys
sys.argv = ["rotwatch", *sys.argv[1:]]
from consumers.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code
# river imports sqlalchemy where it is installed
loaded = {"mlflow", "alembic", "consumers.registry.registry"} & set(sys.modules)
assert not loaded, loaded
"""


def run(code, *words, home, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "PYTEST", "CI"))}
    env = {**kept, "PYTHONPATH": str(ROOT), "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), **more}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env=env,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("level", ["warning", "info"])
def test_a_registry_is_made_and_used_in_silence(tmp_path, made, level):
    kept = tmp_path / "made"
    kept.mkdir()
    (kept / "baseline.skops").write_bytes(made.artifact)
    (kept / "card.json").write_bytes(msgspec.json.encode(made.card))
    home = tmp_path / "home"
    home.mkdir()
    done = run(USE, kept, level, home=home)
    assert (done.stdout, done.stderr) == ("", "")
    assert [path.name for path in home.iterdir()] == ["state"]
    assert sorted(path.name for path in (home / "state/rotwatch/registry").iterdir()) == [
        "artifacts",
        "registry.sqlite",
        "registry.sqlite.lock",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["models", "--help"],
        ["schema", "label"],
        ["replay", "Phishing", "--limit", "450", "--warm-up", "400"],
    ],
)
def test_commands_that_use_no_registry_do_not_import_mlflow(tmp_path, words):
    run(HELP, *words, home=tmp_path)
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "state"])


def test_help_comes_at_once_as_nothing_that_takes_long_is_imported(tmp_path):
    heavy = {"kafka", "mlflow", "numpy", "pandas", "river", "scipy", "skops", "sklearn", "sqlalchemy"}
    run(f"{HELP}loaded = {heavy} & set(sys.modules)\nassert not loaded, loaded\n", "models", "--help", home=tmp_path)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch, shelf):
    monkeypatch.setattr(client, "find_spec", lambda name: None if name == "sqlalchemy" else object())
    with pytest.raises(RegistryError, match=r"pip install 'rotwatch\[registry\]' \(sqlalchemy not found\)"):
        Registry(Settings(shelf.uri)).versions("shop")
