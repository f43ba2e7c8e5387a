"""What must be set before any test is collected, and the broker that tests share."""

import gc
import uuid
import warnings
from collections.abc import Iterator

import pytest

from tests.broker import ways
from tests.broker.errors import BrokerError

# The contract's checks are in a module of their own, whose assertions are to explain themselves too.
pytest.register_assert_rewrite("tests.consumers.contract")

BROKER = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[str]:
    """host:port of a broker that all tests of a run share: ``stream_name`` keeps them apart."""
    try:
        with ways.broker() as (bootstrap, how):
            pytestconfig.stash[BROKER] = how
            yield bootstrap
    except BrokerError as error:
        if ways.required():
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def stream_name() -> str:
    """A stream's name that no other test has; so its topics, groups and transactional ids are its own too."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def outages(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """For a test whose clients call a dead broker.

    kafka-python 3.0.12 leaves the socket of each failed connection to the garbage collector, which warns of it.
    """
    warnings.filterwarnings("ignore", "unclosed <(ssl|socket)", ResourceWarning)  # pytest forgets it after the test
    yield
    caplog.get_records("call").clear()  # they hold the errors, which hold the sockets
    gc.collect()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which broker it was."""
    if BROKER in config.stash:
        terminalreporter.write_line(f"Kafka: {config.stash[BROKER]}")
