"""How clients reach the broker, and that secrets stay secret: against listeners with TLS, passwords and tokens."""

import base64
import gc
import json
import logging
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from consumers.kafka.client import KEY_PASSWORD, PASSWORD, STALLS, WIRE, Secret, connection, open_client, reaching, told
from stream.broker import Kafka
from stream.errors import SettingError, TransportError
from tests.broker.certificates import Certificates
from tests.broker.cluster import Cluster

WORD = "correct-horse-battery"
MODULES = "org.apache.kafka.common.security"


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    """What a connection does to the client's loggers ends with its test."""
    before = {name: logging.getLogger(name).level for name in (*WIRE, STALLS)}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    names = {"SCRAM": "SCRAM-SHA-512", "PLAIN": "PLAIN", "TOKEN": "OAUTHBEARER"}
    logins = {
        "SCRAM": "scram.ScramLoginModule required;",
        "PLAIN": f'plain.PlainLoginModule required user_scorer="{WORD}";',
        "TOKEN": 'oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
    }
    extra = {}
    for name in [*names, "MUTUAL"]:
        extra |= certificates.listener(name)
    for name, mechanism in names.items():
        before = f"listener.name.{name.lower()}"
        extra[f"{before}.sasl.enabled.mechanisms"] = mechanism
        extra[f"{before}.{mechanism.lower()}.sasl.jaas.config"] = f"{MODULES}.{logins[name]}"
    extra["listener.name.mutual.ssl.client.auth"] = "required"
    listeners = {**dict.fromkeys(names, "SASL_SSL"), "MUTUAL": "SSL"}
    with Cluster(listeners=listeners, extra=extra) as cluster:
        admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            assert admin.alter_user_scram_credentials([UserScramCredentialUpsertion("scorer", mechanism, WORD)])
        admin.create_topics({"t": {"num_partitions": 1}}, wait_for_metadata=True)
        admin.close()
        yield cluster, certificates


def settings(secured, listener, **more):
    cluster, certificates = secured
    return Kafka(bootstrap=cluster.addresses(listener), tls=True, ca_file=str(certificates.authority), **more)


def offset(kafka, patience=10_000):
    with reaching(kafka):
        producer = open_client(KafkaProducer, **connection(kafka, "test"), bootstrap_timeout_ms=patience)
    try:
        return producer.send("t", b"x").get(10).offset
    finally:
        producer.close(timeout=5)


def refused(kafka):
    """Why the broker is not reached. kafka-python leaves the sockets of attempts that failed to the collector."""
    message = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            offset(kafka, 1_500)
        except TransportError as error:
            message = str(error)
        gc.collect()
    return message


def token(seconds=300):
    now = int(time.time())
    claims = {"sub": "scorer", "iat": now, "exp": now + seconds}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "none"}, claims)]
    return b".".join([*parts, b""]).decode()


# ------------------------------------------------------------------------------------------- real listeners


@pytest.mark.parametrize(("listener", "sasl"), [("SCRAM", "scram-sha-512"), ("PLAIN", "plain")])
def test_a_password_of_a_file_lets_in_and_shows_in_no_log_line_at_any_level(secured, tmp_path, caplog, listener, sasl):
    path = tmp_path / "password"
    path.write_text(f"{WORD}\n")
    kafka = settings(secured, listener, sasl=sasl, username="scorer", password_file=str(path))
    with caplog.at_level(logging.DEBUG, "kafka"):
        KafkaAdminClient(**connection(kafka, "test")).close()
        assert offset(kafka) >= 0
    assert "configuration" in caplog.text  # the line that shows the arguments is there
    assert WORD not in caplog.text


def test_a_password_of_the_environment_lets_in(secured, monkeypatch):
    monkeypatch.setenv(PASSWORD, WORD)
    assert offset(settings(secured, "PLAIN", sasl="plain", username="scorer")) >= 0


def test_a_wrong_password_is_said_without_showing_it(secured, monkeypatch):
    monkeypatch.setenv(PASSWORD, "a-wrong-guess")
    message = refused(settings(secured, "SCRAM", sasl="scram-sha-512", username="scorer"))
    assert "kafka.sasl = 'scram-sha-512'" in message
    assert "a-wrong-guess" not in message


def test_a_token_is_read_again_for_each_connection_and_shows_in_no_log_line(secured, tmp_path, caplog):
    path = tmp_path / "token"
    first = token()
    path.write_text(first)
    kafka = settings(secured, "TOKEN", sasl="oauthbearer", token_file=str(path))
    arguments = connection(kafka, "test")
    second = token(400)
    path.write_text(second)
    assert arguments["sasl_oauth_token_provider"].token() == second
    with caplog.at_level(logging.DEBUG, "kafka"):
        assert offset(kafka) >= 0
    assert second[:40] not in caplog.text


def test_a_client_certificate_lets_in_and_none_is_refused_with_the_reason(secured):
    certificates = secured[1]
    files = {"cert_file": str(certificates.client), "key_file": str(certificates.client_key)}
    assert offset(settings(secured, "MUTUAL", **files)) >= 0
    assert "no broker answers" in refused(settings(secured, "MUTUAL"))


def test_an_encrypted_key_is_opened_with_the_password_of_the_environment(secured, tmp_path, monkeypatch):
    certificates = secured[1]
    key = tmp_path / "key.pem"
    words = ["openssl", "rsa", "-aes256", "-in", str(certificates.client_key), "-out", str(key), "-passout"]
    subprocess.run([*words, f"pass:{WORD}"], check=True, capture_output=True)
    kafka = settings(secured, "MUTUAL", cert_file=str(certificates.client), key_file=str(key))
    with pytest.raises(SettingError, match=f"kafka.cert_file.*{KEY_PASSWORD}"):
        connection(kafka, "test")
    monkeypatch.setenv(KEY_PASSWORD, WORD)
    assert offset(kafka) >= 0


def test_a_broker_of_another_authority_is_not_trusted_and_the_reason_is_told(secured):
    cluster, _ = secured
    assert "CERTIFICATE_VERIFY_FAILED" in refused(Kafka(bootstrap=cluster.addresses("MUTUAL"), tls=True))


# ------------------------------------------------------------------------------------------- arguments


def test_every_client_takes_the_arguments():
    for kind in (KafkaConsumer, KafkaProducer, KafkaAdminClient):
        assert set(connection(Kafka(), "test")) <= set(kind.DEFAULT_CONFIG)


def test_each_way_in_has_its_protocol(monkeypatch):
    monkeypatch.setenv(PASSWORD, "x")
    by_password = {"sasl": "plain", "username": "me"}
    found = {
        connection(Kafka(tls=tls, **sasl), "test")["security_protocol"]: (tls, bool(sasl))
        for tls in (False, True)
        for sasl in ({}, by_password)
    }
    wanted = {"PLAINTEXT": (False, False), "SSL": (True, False), "SASL_PLAINTEXT": (False, True)}
    assert found == {**wanted, "SASL_SSL": (True, True)}


def test_several_addresses_are_all_given_and_the_mechanism_is_the_brokers_word(monkeypatch):
    monkeypatch.setenv(PASSWORD, "x")
    arguments = connection(Kafka(bootstrap="a:1, b:2", sasl="scram-sha-256", username="me"), "me-1")
    assert arguments["bootstrap_servers"] == ["a:1", "b:2"]
    assert arguments["sasl_mechanism"] == "SCRAM-SHA-256"
    assert arguments["client_id"] == "me-1"


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"sasl": "plain", "username": "me"}, "kafka.password_file"),
        ({"sasl": "plain", "username": "me", "password_file": "nowhere"}, "kafka.password_file"),
        ({"sasl": "plain", "username": "me", "password_file": "empty"}, "kafka.password_file"),
        ({"sasl": "plain", "username": "me", "password_file": "binary"}, "kafka.password_file"),
        ({"sasl": "oauthbearer", "token_file": "nowhere"}, "kafka.token_file"),
        ({"tls": True, "ca_file": "nowhere"}, "kafka.ca_file"),
        ({"tls": True, "ca_file": "binary"}, "kafka.ca_file"),
        ({"tls": True, "cert_file": "nowhere"}, "kafka.cert_file"),
    ],
)
def test_a_file_or_secret_that_is_missing_or_wrong_is_named_by_its_setting(monkeypatch, tmp_path, settings, key):
    monkeypatch.delenv(PASSWORD, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    with pytest.raises(SettingError) as error:
        connection(Kafka(**settings), "test")
    assert error.value.key == key
    assert "hunter2" not in str(error.value)


def test_a_secret_is_used_but_not_shown():
    secret = Secret("hunter2")
    assert secret.encode() == b"hunter2"
    assert "hunter2" not in f"{[secret]} {secret!s} {secret!r} { ({'password': secret}) }"
    assert "%s" % secret == "***"  # noqa: UP031 - logging formats in this way


def test_a_broker_that_is_not_there_is_said_with_the_setting_and_the_reason_and_without_noise(caplog):
    message = refused(Kafka(bootstrap="127.0.0.1:1"))
    assert "kafka.bootstrap = '127.0.0.1:1': no broker answers there" in message
    assert "ECONNREFUSED" in message
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("kind", [KafkaConsumer, KafkaProducer, KafkaAdminClient])
def test_a_client_that_cannot_be_made_leaves_no_thread_behind(kind):
    before = threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.raises(TransportError), reaching(Kafka(bootstrap="127.0.0.1:1")):
            open_client(kind, **connection(Kafka(bootstrap="127.0.0.1:1"), "test"), bootstrap_timeout_ms=300)
        gc.collect()
    assert threading.active_count() == before


def test_offsets_that_are_held_back_by_an_open_transaction_are_not_taken_for_a_broker_that_is_away(caplog):
    def ask():
        with reaching(Kafka()):
            logging.getLogger("kafka.coordinator.consumer").error("UnstableOffsetCommitError")
            raise kafka_errors.KafkaTimeoutError

    with pytest.raises(TransportError) as raised:
        ask()
    assert "when no transaction on them is open" in str(raised.value)
    assert "no broker answers" not in str(raised.value)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (kafka_errors.TopicAuthorizationFailedError({"b", "a"}), "only (topic a, b), see"),
        (kafka_errors.TopicAuthorizationFailedError("a"), "only (topic a), see"),
        (kafka_errors.GroupAuthorizationFailedError("g"), "only (group g), see"),
        (kafka_errors.TransactionalIdAuthorizationFailedError(), "only (transactional id), see"),
        (
            kafka_errors.KafkaError(kafka_errors.KafkaError("x", kafka_errors.GroupAuthorizationFailedError("g"))),
            "(group g)",
        ),
        (
            kafka_errors.KafkaError("Error in X: TopicAuthorizationFailedError"),
            "Error in X: TopicAuthorizationFailedError",
        ),
    ],
)
def test_what_others_only_may_do_is_said_with_its_name_and_where_to_look(error, said):
    assert said in told(error)
    assert "docs/kafka.md" in told(error)


def test_missing_crc32c_is_said_once(monkeypatch, capsys):
    from consumers.kafka import client  # noqa: PLC0415 - its cache is emptied here

    client._warn_if_slow.cache_clear()
    monkeypatch.setattr(client, "find_spec", lambda _: None)
    connection(Kafka(), "test")
    connection(Kafka(), "test")
    said = capsys.readouterr()
    assert (said.out + said.err).count("crc32c is not installed") == 1
