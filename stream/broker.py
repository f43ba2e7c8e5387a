"""Settings of the connection to the broker: the table ``[kafka]``. Secrets are never among them."""

from typing import Literal

from msgspec import Struct

from stream.duration import Duration
from stream.errors import SettingError

Sasl = Literal["none", "plain", "scram-sha-256", "scram-sha-512", "oauthbearer"]

LONGEST_TRANSACTION = 30.0
"""Seconds: a dead worker's open transaction holds readers of committed data back for so long."""


class Kafka(Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach the broker, and for how long a dead worker is waited for.

    ``bootstrap`` is host:port, several by commas. ``replication`` is that of topics that are made. Files are in PEM
    form. ``session_timeout``: a worker unheard of for so long loses its tasks. ``transaction_timeout``: a transaction
    that has not ended by then is aborted by the broker.
    """

    bootstrap: str = "127.0.0.1:9092"
    replication: int = 1
    tls: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    sasl: Sasl = "none"
    username: str = ""
    password_file: str = ""
    token_file: str = ""
    session_timeout: Duration = Duration(6)
    transaction_timeout: Duration = Duration(30)

    @property
    def servers(self) -> list[str]:
        """The bootstrap addresses.

        >>> Kafka(bootstrap="a:9092, b:9092").servers
        ['a:9092', 'b:9092']
        """
        return [part.strip() for part in self.bootstrap.split(",")]


def check_kafka(kafka: Kafka) -> None:
    """Check what a type cannot say of the connection; raises SettingError."""
    for server in kafka.servers:
        host, _, port = server.rpartition(":")
        if not host or not (port.isdecimal() and 0 < int(port) < 65_536):
            raise SettingError("kafka.bootstrap", kafka.bootstrap, "host:port, several by commas")
    if not 1 <= kafka.replication <= 32_767:
        raise SettingError("kafka.replication", kafka.replication, "a whole number of at least 1")
    if not 1 <= kafka.session_timeout <= 1_800:
        raise SettingError("kafka.session_timeout", float(kafka.session_timeout), "1 s to 30 minutes")
    if not 1 <= kafka.transaction_timeout <= LONGEST_TRANSACTION:
        raise SettingError("kafka.transaction_timeout", float(kafka.transaction_timeout), "1 to 30 s")
    _check_tls(kafka)
    _check_sasl(kafka)


def _check_tls(kafka: Kafka) -> None:
    for name in ("ca_file", "cert_file", "key_file"):
        if getattr(kafka, name) and not kafka.tls:
            raise SettingError(f"kafka.{name}", getattr(kafka, name), "left out, or used with kafka.tls = true")
    if kafka.key_file and not kafka.cert_file:
        raise SettingError("kafka.cert_file", "", "the certificate that belongs to kafka.key_file")


def _check_sasl(kafka: Kafka) -> None:
    by_password = kafka.sasl not in ("none", "oauthbearer")
    if by_password and not kafka.username:
        raise SettingError("kafka.username", "", f"a name, since kafka.sasl = {kafka.sasl!r}")
    for name in ("username", "password_file"):
        if getattr(kafka, name) and not by_password:
            wanted = "left out, or used with kafka.sasl = plain, scram-sha-256 or scram-sha-512"
            raise SettingError(f"kafka.{name}", getattr(kafka, name), wanted)
    if bool(kafka.token_file) != (kafka.sasl == "oauthbearer"):
        wanted = 'a file where kafka.sasl = "oauthbearer", and only there'
        raise SettingError("kafka.token_file", kafka.token_file, wanted)
