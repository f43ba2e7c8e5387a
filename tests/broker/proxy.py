"""A TCP proxy before a broker, with which a test cuts the network."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.broker.ports import HOST, free_ports

Address = tuple[str, int]

_GLANCE = 0.05  # seconds between two looks at whether a connection that is held back has been given up


class Proxy:
    """Listens on a port of its own, the same for life, and passes everything on to ``target``.

    Parameters
    ----------
    target
        The (host, port) to connect to; may be set later, but before the first client comes.
    """

    def __init__(self, target: Address | None = None) -> None:
        self.target = target
        self.address: Address = (HOST, free_ports(1)[0])
        self._requests = threading.Event()
        self._replies = threading.Event()
        self._lock = threading.Lock()
        self._pipes: set[_Pipe] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.heal()

    def cut(self, *, requests: bool = True, replies: bool = True, forget: bool = False) -> None:
        """From now on nothing gets through, and nothing is closed: a cable that was pulled.

        As on a real network, what was sent meanwhile arrives after ``heal``. New connections are opened by the
        kernel, but nobody answers.

        Parameters
        ----------
        requests, replies
            The directions to cut. With ``requests=False`` a commit reaches the broker and its answer is lost.
        forget
            The connections of this moment never pass anything again, ``heal`` or not: a firewall that has lost its
            state.
        """
        if requests:
            self._requests.clear()
        if replies:
            self._replies.clear()
        if forget:
            with self._lock:
                for pipe in self._pipes:
                    pipe.forgotten = True

    def refuse(self) -> None:
        """Close all connections and refuse new ones: a machine that is up, and a broker that is down."""
        with self._lock:
            listener, self._listener = self._listener, None
            pipes = list(self._pipes)
        if listener is not None:
            # shutdown() wakes the thread in accept(); close() alone would leave it there, and the port open.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for pipe in pipes:
            pipe.shutdown()

    def heal(self) -> None:
        """End a cut or a refusal."""
        self._requests.set()
        self._replies.set()
        if self._listener is None:
            self._listener = socket.create_server(self.address, backlog=128)
            self._start(self._accept, self._listener)

    def close(self) -> None:
        """Close everything; all threads end."""
        self.refuse()
        for thread in list(self._threads):
            thread.join(timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        with self._lock:
            thread = threading.Thread(target=target, args=args, daemon=True)
            self._threads = [known for known in self._threads if known.is_alive()] + [thread]
            thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # closed by refuse()
                return
            self._start(self._connect, client, listener)

    def _connect(self, client: socket.socket, listener: socket.socket) -> None:
        # The connection itself is a request: a cut holds it back, a refusal ends it.
        while not self._requests.wait(_GLANCE) and self._listener is listener:
            pass
        if self._listener is not listener or self.target is None:
            client.close()
            return
        try:
            broker = socket.create_connection(self.target, timeout=10)
        except OSError:  # the broker is down, and so is the connection to it
            client.close()
            return
        broker.settimeout(None)
        for side in (client, broker):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pipe = _Pipe(client, broker)
        with self._lock:
            self._pipes.add(pipe)
            refused = self._listener is not listener
        if refused:
            pipe.shutdown()
        self._start(self._pump, pipe, broker, client, self._replies)
        self._pump(pipe, client, broker, self._requests)

    def _pump(self, pipe: "_Pipe", source: socket.socket, sink: socket.socket, gate: threading.Event) -> None:
        try:
            while True:
                data = source.recv(65_536)
                while not gate.wait(_GLANCE) and not pipe.closed:
                    pass
                if pipe.closed or (pipe.forgotten and not data):  # forgotten: the other side is never told
                    break
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    break
                if not pipe.forgotten:
                    sink.sendall(data)
        except OSError:  # one side is gone: the other learns of it
            pipe.shutdown()
        if pipe.direction_ended():
            with self._lock:
                self._pipes.discard(pipe)


class _Pipe:
    """One client's connection through the proxy: two sockets, and a thread for each direction."""

    def __init__(self, client: socket.socket, broker: socket.socket) -> None:
        self.forgotten = False
        self.closed = False
        self._sides = (client, broker)
        self._running = 2
        self._lock = threading.Lock()

    def direction_ended(self) -> bool:
        """Count an ended direction; with the second one the sockets are closed. Whether it was the second."""
        with self._lock:
            self._running -= 1
            last = self._running == 0
        if last:  # not earlier: the number of a closed socket may be another's while a thread still reads from it
            for side in self._sides:
                side.close()
        return last

    def shutdown(self) -> None:
        """Both sides see the end, and both threads wake up."""
        self.closed = True
        for side in self._sides:
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
