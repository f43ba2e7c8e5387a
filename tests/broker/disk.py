"""A broker's disk that becomes full: a small file system of its own, or without the right to mount one, a limit."""

import atexit
import os
import resource
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.broker.errors import BrokerError

SIZE = "48m"
"""Room for a broker with a handful of small topics."""


class SmallDisk:
    """A file system in memory, to be mounted by root only: writes fail with ENOSPC when it is full.

    Raises
    ------
    BrokerError
        It may not be mounted here.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"
        folder.mkdir()
        words = [_program("mount"), "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BrokerError(f"a small disk may be mounted by root only: {done.stderr.strip()}")
        atexit.register(self.close)

    @property
    def properties(self) -> dict[str, str]:
        """A broker's properties that put its data there."""
        return {"log.dirs": str(self._folder / "data")}

    def fill(self, _pid: int) -> None:
        """Leave no room."""
        file = os.open(self._ballast, os.O_CREAT | os.O_WRONLY)
        try:
            while True:
                os.write(file, bytes(4096))
        except OSError:
            return  # full
        finally:
            os.close(file)

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink()

    def close(self) -> None:
        """Unmount it, whoever still has files open there. May be called twice."""
        atexit.unregister(self.close)
        if self._folder.is_mount():
            subprocess.run([_program("umount"), "-l", str(self._folder)], check=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Limit:
    """No process's file may grow any more, from a moment on: the broker's writes fail with EFBIG. Needs no rights."""

    properties = {"log.index.size.max.bytes": "65536"}  # noqa: RUF012 - never changed
    """Indexes are made in their full size, which is above the limit too; these are quick to write."""

    def fill(self, pid: int) -> None:
        """Let a process write no further."""
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    def free(self) -> None:
        """The limit has gone with its process."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BrokerError(f"there is no {name} in PATH")
    return found
