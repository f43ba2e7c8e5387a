"""The ways to a single broker for tests, tried one after the other: docs/testing.md."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from tests.broker.cluster import Cluster
from tests.broker.errors import BrokerError
from tests.broker.metadata import Metadata

NAMED, FROM, REQUIRED = "ROTWATCH_KAFKA", "ROTWATCH_KAFKA_FROM", "ROTWATCH_REQUIRE_KAFKA"


@contextmanager
def named() -> Iterator[str]:
    """The broker that ``ROTWATCH_KAFKA`` names (host:port, or several with commas), used as it is."""
    bootstrap = os.environ.get(NAMED)
    if not bootstrap:
        raise BrokerError(f"{NAMED} names no broker")
    unanswered = []
    for address in bootstrap.split(","):
        try:
            Metadata(address.strip(), [], timeout=10.0)
            break
        except (OSError, ValueError) as error:
            unanswered.append(str(error))
    else:
        raise BrokerError(f"{NAMED}={bootstrap} does not answer ({'; '.join(unanswered)}): start it, or unset {NAMED}")
    yield bootstrap


@contextmanager
def container() -> Iterator[str]:
    """``apache/kafka`` in Docker."""
    from tests.broker import container as docker  # noqa: PLC0415 - testcontainers takes a second to import

    started = docker.start()
    try:
        yield started.bootstrap
    finally:
        started.stop()


@contextmanager
def jars() -> Iterator[str]:
    """Kafka's jars on this machine's Java."""
    with Cluster() as cluster:
        yield cluster.bootstrap


WAYS: dict[str, Callable[[], AbstractContextManager[str]]] = {"env": named, "container": container, "jars": jars}


def chosen() -> list[str]:
    """The ways to try, in this order. A broker or a way that somebody has named is tried alone."""
    forced = os.environ.get(FROM) or ("env" if os.environ.get(NAMED) else "")
    if not forced:
        return [name for name in WAYS if name != "env"]
    if forced not in WAYS:
        raise ValueError(f"{FROM}={forced}: must be one of {', '.join(WAYS)}")
    return [forced]


def required() -> bool:
    """Whether a missing broker is a failure: demanded, or a way was named and does not work."""
    return os.environ.get(REQUIRED, "") not in ("", "0") or len(chosen()) == 1


@contextmanager
def broker() -> Iterator[tuple[str, str]]:
    """A broker by the first way that works: (host:port, which way and why no earlier one).

    Raises
    ------
    BrokerError
        No way works; the message has the reason for each.
    """
    failed: list[str] = []
    with ExitStack() as stack:
        for name in chosen():
            try:
                bootstrap = stack.enter_context(WAYS[name]())
            except BrokerError as error:
                failed.append(f"{name}: {error}")
            else:
                yield bootstrap, "; ".join([f"by {name}", *(f"not by {why.splitlines()[0]}" for why in failed)])
                return
    raise BrokerError("\n".join(["no Kafka broker for this test", *failed]))
