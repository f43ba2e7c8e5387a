"""Ends what a process has started when that process itself can no longer do it."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

# Each line replaces the list of processes. The pipe ends when its only writer does, however it dies.
# Not PR_SET_PDEATHSIG, which fires when the *thread* ends that started the child.
_SCRIPT = """
pids=
while read -r line; do pids=$line; done
[ -z "$pids" ] || kill -9 $pids 2>/dev/null
tries=50
while [ $tries -gt 0 ] && ! rm -rf "$1" 2>/dev/null; do tries=$((tries - 1)); sleep 0.1; done
"""


class Watchdog:
    """A shell in the background that waits for this process to end, then kills and removes what is left.

    A child that was forked without ``exec`` holds the pipe open as well: then the last of them counts.

    Parameters
    ----------
    folder
        Removed at the end, in every case.
    """

    def __init__(self, folder: Path) -> None:
        # A session of its own: Ctrl-C and a signal to the test run's process group are not for it.
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "watchdog", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, pids: Iterable[int]) -> None:
        """From now on exactly these processes are killed at the end."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{' '.join(map(str, pids))}\n".encode("ascii"))
        self._shell.stdin.flush()

    def close(self) -> None:
        """End now: what is watched is killed, the folder is removed."""
        if self._shell.poll() is None:
            assert self._shell.stdin is not None
            self._shell.stdin.close()
            self._shell.wait()
