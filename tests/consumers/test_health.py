"""/metrics, /livez and /readyz over real connections."""

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from consumers import health
from consumers.exporter import Exporter
from consumers.health import HealthServer
from stream.errors import SettingError


class Told:
    """Answers the checks with what a test sets."""

    def __init__(self) -> None:
        self.stall: str | None = None
        self.wait: str | None = None

    def stalled(self) -> str | None:
        return self.stall

    def unready(self) -> str | None:
        return self.wait


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("beats", "Beats.", registry=registry).inc(3)
    return registry


@pytest.fixture
def server(registry: CollectorRegistry, told: Told) -> Iterator[HealthServer]:
    with HealthServer(registry, told, "127.0.0.1", 0) as server:
        yield server


def ask(server: HealthServer, path: str, method: str = "GET") -> tuple[int, str, dict[str, str]]:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own http address
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def test_port_0_picks_a_free_port_and_names_it(server: HealthServer) -> None:
    assert server.port > 0


def test_metrics_are_the_registry_s_in_the_text_format(server: HealthServer) -> None:
    status, body, headers = ask(server, "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert "beats_total 3.0\n" in body


def test_metrics_can_be_asked_for_by_name(server: HealthServer) -> None:
    assert "beats_total 3.0\n" in ask(server, "/metrics?name[]=beats_total")[1]
    assert "beats_total" not in ask(server, "/metrics?name[]=other")[1]


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_check_that_is_content_answers_200(server: HealthServer, path: str) -> None:
    assert ask(server, path)[:2] == (200, "ok\n")


def test_livez_answers_503_with_the_reason_while_the_loop_hangs(server: HealthServer, told: Told) -> None:
    told.stall = "the loop hangs"
    assert ask(server, "/livez")[:2] == (503, "the loop hangs\n")
    assert ask(server, "/readyz")[0] == 200
    told.stall = None
    assert ask(server, "/livez")[0] == 200


def test_readyz_answers_503_with_the_reason_until_a_task_is_recovered(server: HealthServer, told: Told) -> None:
    told.wait = "no task yet"
    assert ask(server, "/readyz")[:2] == (503, "no task yet\n")
    assert ask(server, "/livez")[0] == 200


def test_the_exporter_answers_the_checks() -> None:
    registry = CollectorRegistry()
    with HealthServer(registry, Exporter("spam", registry), "127.0.0.1", 0) as server:
        assert ask(server, "/livez")[:2] == (200, "ok\n")
        assert ask(server, "/readyz")[:2] == (503, "no task is assigned and recovered\n")
        assert 'rotwatch_batch_records_count{stream="spam"} 0.0' in ask(server, "/metrics")[1]


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/metrics/", "/metricsz", "/livez/x"])
def test_an_unknown_path_is_not_found_and_the_answer_names_those_there_are(server: HealthServer, path: str) -> None:
    assert ask(server, path)[:2] == (404, "there are /metrics, /livez, /readyz\n")


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_methods_other_than_get_and_head_are_not_allowed(server: HealthServer, path: str, method: str) -> None:
    status, _, headers = ask(server, path, method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/"])
def test_head_answers_like_get_without_the_body(server: HealthServer, path: str) -> None:
    status, body, headers = ask(server, path, "HEAD")
    wanted, _, of_get = ask(server, path)
    assert (status, body, headers["Content-Type"]) == (wanted, "", of_get["Content-Type"])
    assert headers["Content-Length"] == of_get["Content-Length"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
        assert client.makefile("rb").read().endswith(b"\r\n\r\n")  # urllib would not show a body


def test_requests_are_not_logged(server: HealthServer, capfd: pytest.CaptureFixture[str]) -> None:
    ask(server, "/metrics")
    ask(server, "/nothing")
    assert capfd.readouterr() == ("", "")


def test_a_slow_client_keeps_nobody_waiting_and_is_given_up(
    registry: CollectorRegistry, told: Told, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert 0 < health._Handler.timeout <= 10
    monkeypatch.setattr(health._Handler, "timeout", 1.0)
    with (
        HealthServer(registry, told, "127.0.0.1", 0) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as slow,
    ):
        slow.sendall(b"GET /metr")
        began = time.monotonic()
        assert ask(server, "/metrics")[0] == 200
        assert time.monotonic() - began < 1.0
        assert slow.recv(1) == b""  # hung up on
    assert "Traceback" not in capfd.readouterr().err


def test_an_unfinished_request_does_not_hold_up_the_stop(registry: CollectorRegistry, told: Told) -> None:
    with HealthServer(registry, told, "127.0.0.1", 0) as server:
        slow = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        slow.sendall(b"GET /metr")
        ask(server, "/livez")
        began = time.monotonic()
    with slow:
        assert time.monotonic() - began < 2


def test_a_port_in_use_is_a_setting_error_that_names_it(server: HealthServer, told: Told) -> None:
    with pytest.raises(
        SettingError, match=r"setting --metrics-port = \d+: must be a port that is free on 127\.0\.0\.1"
    ):
        HealthServer(CollectorRegistry(), told, "127.0.0.1", server.port).start()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "256.0.0.1"])
def test_a_host_that_is_not_this_machine_is_a_setting_error_that_names_it(told: Told, host: str) -> None:
    with pytest.raises(SettingError, match=r"setting metrics\.host = .*must be an address of this machine"):
        HealthServer(CollectorRegistry(), told, host, 0).start()


def test_ipv6_is_served_too(registry: CollectorRegistry, told: Told) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with HealthServer(registry, told, "::1", 0) as server, socket.create_connection(("::1", server.port), 5) as client:
        client.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").read().endswith(b"\r\n\r\nok\n")


def test_after_the_stop_the_port_is_free_and_no_thread_is_left(registry: CollectorRegistry, told: Told) -> None:
    server = HealthServer(registry, told, "127.0.0.1", 0)
    server.start()
    ask(server, "/livez")
    server.stop()
    server.stop()
    assert "http" not in {thread.name for thread in threading.enumerate()}
    with HealthServer(registry, told, "127.0.0.1", server.port) as again:
        assert ask(again, "/livez")[0] == 200
