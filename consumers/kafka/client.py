"""How to reach the broker: the arguments that all of kafka-python's clients share, secrets included.

Secrets come from files or the environment, are read when a client is made, and show in no error and no log line.
"""

import logging
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import structlog
from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient
from kafka.net.sasl.oauth import AbstractTokenProvider

import consumers.kafka.mends  # noqa: F401 - importing it mends the client
from stream.broker import Kafka
from stream.errors import SettingError, TransportError

PASSWORD = "ROTWATCH_KAFKA_PASSWORD"  # noqa: S105 - the variable's name
KEY_PASSWORD = "ROTWATCH_KAFKA_KEY_PASSWORD"  # noqa: S105 - the variable's name

NETWORK = ("kafka.net.manager", "kafka.net.connection", "kafka.net.transport")
"""Loggers that tell why a connection has failed, once for each attempt and layer."""

OFFSETS = "kafka.coordinator.consumer"
"""Logger that tells ten times a second that a transaction is open on the offsets that are asked for."""

WIRE = ("kafka.net.connection", "kafka.protocol.parser")
"""Loggers that at level debug write down all that is sent, passwords and tokens included."""

STALLS = "kafka.net.selector"
"""Logger that warns of each tenth of a second in which the client's thread did not get the processor."""

_OTHERS = "the broker allows this to others only"

BOOTSTRAP_MS = 15_000
"""So long a command tries to reach the broker before it says that it cannot."""


class Secret(str):
    """A text that does not show itself: kafka-python logs its arguments at level debug.

    >>> f"{Secret('x')!r} {str(Secret('x'))}"
    '*** ***'
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__


class TokenFile(AbstractTokenProvider):  # type: ignore[misc] # kafka-python has no types
    """OAUTHBEARER tokens out of a file that somebody else keeps fresh: read again each time that one is needed."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def token(self) -> str:
        """The token; raises SettingError where the file holds none."""
        return _read("kafka.token_file", self.path)


def connection(kafka: Kafka, client_id: str) -> dict[str, Any]:
    """The arguments of KafkaConsumer, KafkaProducer and KafkaAdminClient that say how to reach the broker, and as whom.

    Raises SettingError for a file or variable that is missing or wrong.
    """
    _warn_if_slow()
    logging.getLogger(STALLS).setLevel(logging.ERROR)
    by_sasl = kafka.sasl != "none"
    protocol = {(False, False): "PLAINTEXT", (True, False): "SSL", (False, True): "SASL_PLAINTEXT"}
    arguments: dict[str, Any] = {
        "bootstrap_servers": kafka.servers,
        "client_id": client_id,
        # Its own default is 30 s: so long nobody would come back after an outage.
        "reconnect_backoff_max_ms": 2_000,
        "security_protocol": protocol.get((kafka.tls, by_sasl), "SASL_SSL"),
    }
    if kafka.tls:
        arguments["ssl_context"] = _context(kafka)
    if by_sasl:
        for name in WIRE:
            # Raised, never lowered: a level of its own would let a logger say what nobody asked to hear.
            logger = logging.getLogger(name)
            logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
        arguments |= {"sasl_mechanism": kafka.sasl.upper()} | _identity(kafka)
    return arguments


def open_client(kind: Any, **arguments: Any) -> Any:
    """A KafkaConsumer, KafkaProducer or KafkaAdminClient.

    One that cannot be made is cleared away: by itself it would leave its thread and sockets behind at each attempt.
    """
    made: list[KafkaNetClient] = []

    def make(**config: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**config))
        return made[-1]

    try:
        return kind(kafka_client=make, **arguments)
    except BaseException:
        for client in made:
            client.close()
        raise


@contextmanager
def reaching(kafka: Kafka) -> Iterator[None]:
    """For the first contact of a command: what the client raises becomes one TransportError that says why.

    The client's own lines about each attempt are held back meanwhile.
    """
    heard = _Heard()
    loggers = [logging.getLogger(name) for name in (*NETWORK, OFFSETS)]
    for logger in loggers:
        logger.addFilter(heard)
    try:
        yield
    except kafka_errors.KafkaError as error:
        raise TransportError(f"kafka.bootstrap = {kafka.bootstrap!r}: {_reason(kafka, error, heard.why)}") from None
    finally:
        for logger in loggers:
            logger.removeFilter(heard)


class _Heard(logging.Filter):
    """Takes warnings and errors in, and remembers why the last attempt has failed."""

    def __init__(self) -> None:
        super().__init__()
        self.why: object = None

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        if record.msg.startswith("Bootstrap connection") and isinstance(record.args, tuple):
            refused = isinstance(self.why, kafka_errors.SaslAuthenticationFailedError)
            self.why = self.why if refused else record.args[1]  # the last attempt may just have run out of time
        return False


def _reason(kafka: Kafka, error: Exception, heard: object) -> str:
    why = heard or error
    if isinstance(why, kafka_errors.SaslAuthenticationFailedError):
        return f"the broker did not let {kafka.username or 'the token'} in, kafka.sasl = {kafka.sasl!r}: {why}"
    if refusal := _refusal(error):
        return refusal
    if isinstance(error, kafka_errors.KafkaTimeoutError) and heard is None:
        return (
            "the broker is there, and has not answered in time. Offsets are told when no transaction on them is open: "
            "what a killed process has left, the broker ends after kafka.transaction_timeout; try again then"
        )
    if isinstance(error, kafka_errors.KafkaTimeoutError | kafka_errors.KafkaConnectionError):
        # A login that is refused at times looks like this too: the broker hangs up before its answer has been read.
        login = "" if kafka.sasl == "none" else f", and the login for kafka.sasl = {kafka.sasl!r}"
        tls = str(kafka.tls).lower()
        return f"no broker answers there: {why}; is it running, is kafka.tls = {tls} right{login}?"
    return told(error)


def told(error: BaseException) -> str:
    """What the client raised, in a line; where the broker lets others only do it, on what it was to be done.

    >>> told(kafka_errors.KafkaError("cannot send", kafka_errors.TopicAuthorizationFailedError({"spam.events"})))
    'the broker allows this to others only (topic spam.events), see the rights in docs/kafka.md'
    """
    return _refusal(error) or f"{type(error).__name__}: {error}"


def _refusal(error: BaseException) -> str:
    """What an error says that the broker does not let this user do; empty where it says nothing of that kind."""
    for part in _parts(error):
        if isinstance(part, kafka_errors.AuthorizationError):
            return f"{_OTHERS} ({_resource(part)}), see the rights in docs/kafka.md"
    # Of some answers kafka-python keeps no more than the error's name, as text.
    said = str(error)
    return f"{_OTHERS} ({said}), see the rights in docs/kafka.md" if "AuthorizationFailed" in said else ""


def _parts(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it carries: kafka-python wraps them as arguments, at times twice."""
    yield error
    for inner in (*error.args, error.__cause__):
        if isinstance(inner, BaseException):
            yield from _parts(inner)


def _resource(refused: kafka_errors.AuthorizationError) -> str:
    kind = re.sub("AuthorizationFailedError$|Error$", "", type(refused).__name__)
    words = re.sub("(?<!^)(?=[A-Z])", " ", kind).lower()
    given = (arg if isinstance(arg, set | frozenset | list | tuple) else [arg] for arg in refused.args)
    return f"{words} {', '.join(sorted(str(name) for names in given for name in names))}".strip()


def _context(kafka: Kafka) -> ssl.SSLContext:
    """Made here and not by kafka-python: it asks at the terminal for a key's password, and names no setting."""
    try:
        # With a file, only what this authority has signed is trusted, and not the system's authorities as well.
        context = ssl.create_default_context(cafile=kafka.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise _wrong("kafka.ca_file", kafka.ca_file, "a readable PEM file of certificates", error) from None
    if kafka.cert_file:
        key_password = os.environ.get(KEY_PASSWORD, "")
        try:
            context.load_cert_chain(kafka.cert_file, kafka.key_file or None, lambda: key_password)
        except (OSError, ssl.SSLError) as error:
            wanted = (
                f"a readable PEM file that fits kafka.key_file = {kafka.key_file!r}; "
                f"an encrypted key needs its password in {KEY_PASSWORD}"
            )
            raise _wrong("kafka.cert_file", kafka.cert_file, wanted, error) from None
    return context


def _identity(kafka: Kafka) -> dict[str, Any]:
    if kafka.sasl == "oauthbearer":
        provider = TokenFile(kafka.token_file)
        provider.token()  # a file that is missing is said now
        return {"sasl_oauth_token_provider": provider}
    if kafka.password_file:
        password = _read("kafka.password_file", kafka.password_file)
    else:
        password = os.environ.get(PASSWORD, "")
        if not password:
            raise SettingError("kafka.password_file", "", f"a file, unless {PASSWORD} holds the password")
    return {"sasl_plain_username": kafka.username, "sasl_plain_password": Secret(password)}


def _read(key: str, path: str) -> str:
    """A file's one line."""
    try:
        text = Path(path).read_text("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(key, path, "a readable text file", error) from None
    if not text:
        raise SettingError(key, path, "a file that is not empty")
    return text


def _wrong(key: str, path: str, wanted: str, error: Exception) -> SettingError:
    # A UnicodeDecodeError shows the bytes around its place, and these may be a password's.
    reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
    return SettingError(key, path, f"{wanted} ({reason})")


@cache
def _warn_if_slow() -> None:
    if find_spec("crc32c") is None:
        structlog.get_logger().warning(
            "crc32c is not installed: records are decoded five times slower; pip install 'kafka-python[crc32c]'"
        )
