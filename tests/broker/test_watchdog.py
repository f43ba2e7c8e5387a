"""The watchdog kills exactly what it was last told to watch."""

import subprocess

import pytest

from tests.broker.watchdog import Watchdog


@pytest.fixture
def sleeper():
    with subprocess.Popen(["/bin/sh", "-c", "exec sleep 600"]) as process:
        yield process
        process.kill()


def test_at_the_end_what_is_watched_is_killed_and_the_folder_removed(sleeper, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    watchdog = Watchdog(folder)
    watchdog.watch([sleeper.pid])
    assert sleeper.poll() is None
    watchdog.close()
    assert sleeper.wait(timeout=10) == -9
    assert not folder.exists()


def test_what_is_no_longer_watched_is_left_alone(sleeper, tmp_path):
    watchdog = Watchdog(tmp_path / "none")
    watchdog.watch([sleeper.pid])
    watchdog.watch([])
    watchdog.close()
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(timeout=0.3)
    assert sleeper.poll() is None
