"""The HTTP side of a process: /metrics for Prometheus, /livez and /readyz for whoever starts and stops it.

Served from a daemon thread, a thread a request, so that neither a slow client nor a hanging loop keeps the others from
their answer.
"""

import errno
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Protocol, Self
from wsgiref.simple_server import WSGIRequestHandler
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from stream.errors import SettingError

log = structlog.get_logger()

CLIENT_TIMEOUT = 5.0
PLAIN = ("Content-Type", "text/plain; charset=utf-8")


class Health(Protocol):
    """What is asked at each request to /livez and /readyz; the exporter answers it."""

    def stalled(self) -> str | None:
        """Why the process should be restarted, in a line, or None."""

    def unready(self) -> str | None:
        """Why no work can be expected of it yet, in a line, or None."""


class HealthServer:
    """Answers on ``host`` and ``port`` while its context lasts; port 0 is any free one, and ``port`` then names it."""

    def __init__(self, registry: CollectorRegistry, health: Health, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._app = application(registry, {"/livez": health.stalled, "/readyz": health.unready})
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Bind and serve; raises SettingError where host or port cannot be had."""
        self._server = _bind(self.host, self.port)
        self._server.set_app(self._app)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="http", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and give the port back; once stopped it does nothing."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def application(registry: CollectorRegistry, checks: dict[str, Callable[[], str | None]]) -> WSGIApplication:
    """The routes as a WSGI application: GET and HEAD, 404 for other paths, 405 for other methods."""
    metrics = make_wsgi_app(registry)

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path != "/metrics" and path not in checks:
            body = _answer(start, "404 Not Found", f"there are /metrics, {', '.join(checks)}")
        elif method not in {"GET", "HEAD"}:
            body = _answer(start, "405 Method Not Allowed", "GET or HEAD", ("Allow", "GET, HEAD"))
        elif path in checks:
            reason = checks[path]()
            body = _answer(start, "503 Service Unavailable" if reason else "200 OK", reason or "ok")
        else:
            # The client library's application knows no HEAD and gives no length.
            head: list[Any] = []
            body = b"".join(metrics({**environ, "REQUEST_METHOD": "GET"}, lambda *given: head.extend(given)))
            start(head[0], [*head[1], ("Content-Length", str(len(body)))])
        return [] if method == "HEAD" else [body]

    return app


def _answer(start: StartResponse, status: str, line: str, *headers: tuple[str, str]) -> bytes:
    body = f"{line}\n".encode()
    start(status, [PLAIN, ("Content-Length", str(len(body))), *headers])
    return body


class _Handler(WSGIRequestHandler):
    """A request: silent, and given up when its client is slow."""

    timeout = CLIENT_TIMEOUT

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Nothing: a scrape every few seconds is no news."""


class _Server(ThreadingWSGIServer):
    def server_bind(self) -> None:
        """Bind without the base class's look-up of the host's full name, which can hang where DNS does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment] # of an IP socket
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or was too slow is its own affair: a debug line, not a traceback."""
        log.debug("http request failed", client=str(client_address), reason=repr(sys.exc_info()[1]))


def _bind(host: str, port: int) -> _Server:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        kind = type("Server", (_Server,), {"address_family": family})
        server: _Server = kind(address[:2], _Handler)
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            allowed = f"a port that is free on {host}, or 0 for any ({error.strerror})"
            raise SettingError("--metrics-port", port, allowed) from error
        raise SettingError("metrics.host", host, f"an address of this machine ({error.strerror})") from error
    return server
