"""The proxy cuts as a network does: nothing gets through, nothing is lost, unless the network forgets."""

import socket
import threading

import pytest

from tests.broker.proxy import Proxy


@pytest.fixture
def echo():
    """The address of a server that answers what it is told, and all that it was told."""
    heard = bytearray()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(client):
        with client:
            while data := client.recv(1000):
                heard.extend(data)
                client.sendall(data)

    def accept():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname(), heard
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def proxy(echo):
    with Proxy(echo[0]) as made:
        yield made


@pytest.fixture
def client(proxy):
    with socket.create_connection(proxy.address, timeout=0.3) as made:
        yield made


def ask(client, words):
    client.sendall(words)
    return client.recv(1000)


def test_what_is_sent_comes_through_both_ways(client):
    assert ask(client, b"one") == b"one"
    assert ask(client, b"two") == b"two"


def test_a_cut_holds_back_everything_until_it_is_healed(client, proxy, echo):
    ask(client, b"one")
    proxy.cut()
    with pytest.raises(TimeoutError):
        ask(client, b"two")
    assert bytes(echo[1]) == b"one"
    proxy.heal()
    assert client.recv(1000) == b"two"


def test_of_a_cut_way_back_only_the_answer_is_missing(client, proxy, echo):
    proxy.cut(requests=False)
    with pytest.raises(TimeoutError):
        ask(client, b"commit")
    assert bytes(echo[1]) == b"commit"
    proxy.heal()
    assert client.recv(1000) == b"commit"


def test_a_forgotten_connection_stays_dead_and_a_new_one_works(client, proxy):
    ask(client, b"one")
    proxy.cut(forget=True)
    proxy.heal()
    with pytest.raises(TimeoutError):
        ask(client, b"two")
    with socket.create_connection(proxy.address, timeout=1) as new:
        assert ask(new, b"three") == b"three"


def test_a_connection_made_during_a_cut_is_answered_when_it_is_healed(proxy):
    proxy.cut()
    with socket.create_connection(proxy.address, timeout=0.3) as new:
        with pytest.raises(TimeoutError):
            ask(new, b"hello")
        proxy.heal()
        assert new.recv(1000) == b"hello"


def test_a_refusal_closes_and_refuses_even_in_a_cut_until_it_is_healed(client, proxy):
    ask(client, b"one")
    proxy.cut()
    proxy.refuse()
    client.settimeout(5)
    assert client.recv(1000) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(proxy.address, timeout=1)
    proxy.heal()
    with socket.create_connection(proxy.address, timeout=1) as new:
        assert ask(new, b"two") == b"two"


def test_a_broker_that_is_down_closes_the_connection_to_the_proxy():
    with Proxy() as before:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            before.target = gone.getsockname()
        with socket.create_connection(before.address, timeout=5) as client:
            assert client.recv(1000) == b""


def test_closing_ends_every_thread(echo):
    threads = threading.active_count()
    proxy = Proxy(echo[0])
    with socket.create_connection(proxy.address, timeout=5) as client:
        assert ask(client, b"one") == b"one"
        proxy.cut()
        proxy.close()
        assert client.recv(1000) == b""
    assert not [thread for thread in proxy._threads if thread.is_alive()]
    assert threading.active_count() <= threads + 1  # the server's own
