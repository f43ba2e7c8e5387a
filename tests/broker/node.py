"""One Kafka broker, which is a controller too, as a process of its own."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.broker import jars
from tests.broker.errors import BrokerError
from tests.broker.ports import HOST

CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"

_LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = {folder}/server.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c %m%n
"""


class Node:
    """A broker's folder, ports and process. ``start`` again and again: the data stay.

    Parameters
    ----------
    number
        The node's id, from 0.
    folder
        Made by the first ``start``; holds settings, data and ``server.log``.
    ports
        Listener to port.
    jvm
        Options of the Java machine.
    """

    def __init__(self, number: int, folder: Path, ports: Mapping[str, int], jvm: Sequence[str]) -> None:
        self.number = number
        self.ports = ports
        self._folder = folder
        self._jvm = jvm
        self._process: subprocess.Popen[bytes] | None = None
        self._archive: Path | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's number; it must have been started."""
        assert self._process is not None, f"node {self.number} was never started"
        return self._process.pid

    @property
    def archives(self) -> bool:
        """Whether a clean stop would write the archive of classes that makes the next starts quicker."""
        return self._archive is not None and self.running

    def configure(self, properties: Mapping[str, str]) -> None:
        """Write the settings and format the storage.

        Raises
        ------
        BrokerError
            Kafka refuses the settings.
        """
        self._folder.mkdir()
        lines = {"node.id": str(self.number), "log.dirs": str(self._folder / "data"), **properties}
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        (self._folder / "server.properties").write_text(text, "utf-8")
        (self._folder / "log4j2.properties").write_text(_LOGGING.format(folder=self._folder), "utf-8")
        settings = str(self._folder / "server.properties")
        command = self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", settings)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise BrokerError(f"Kafka could not format node {self.number}'s storage:\n{done.stdout[-2_000:]}")

    def start(self, *, archive: bool = False) -> None:
        """Start the process. It answers later.

        Parameters
        ----------
        archive
            Have a clean stop write the archive of classes, if there is none yet.
        """
        assert not self.running, f"node {self.number} runs already"
        options: list[str] = []
        if archive and not jars.class_archive().exists():
            self._archive = jars.class_archive().with_suffix(f".{self.number}-{id(self)}.part")
            options = [f"-XX:ArchiveClassesAtExit={self._archive}"]
        with (self._folder / "out.log").open("ab") as out:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._folder / "server.properties"), options=options),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the test run, which then stops the brokers itself
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; SIGKILL is waited for."""
        if not self.running:
            raise BrokerError(f"node {self.number} does not run: start it before {number.name}")
        assert self._process is not None
        self._process.send_signal(number)
        if number is signal.SIGKILL:
            self._process.wait()

    def wait(self, timeout: float) -> bool:
        """Wait for the end, at most ``timeout`` seconds, then kill. Whether it ended by itself."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            return False
        if self._archive is not None:
            if self._archive.exists():
                self._archive.replace(jars.class_archive())
            self._archive = None
        return True

    def last_words(self) -> str:
        """The end of its logs, for an error's message."""
        texts = []
        for name in ("server.log", "out.log"):
            path = self._folder / name
            if path.exists() and (text := path.read_text("utf-8", errors="replace").strip()):
                texts.append(f"node {self.number}, {name}:\n{text[-1_500:]}")
        return "\n".join(texts) or f"node {self.number} has logged nothing"

    def address(self, listener: str) -> str:
        """host:port of a listener."""
        return f"{HOST}:{self.ports[listener]}"

    def _java(self, *command: str, options: Sequence[str] = ()) -> list[str]:
        shared = [] if options else [f"-XX:SharedArchiveFile={jars.class_archive()}"]  # passed over if not there
        logging = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}"
        return [jars.java(), *self._jvm, *shared, *options, logging, "-cp", f"{jars.fetch()}/*", *command]
