"""A listener with TLS and passwords beside the plain one, with certificates made for the occasion."""

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion
from kafka.errors import KafkaError

from tests.broker.certificates import Certificates
from tests.broker.cluster import Cluster

SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    extra = {
        **certificates.listener("PASSWORD"),
        **certificates.listener("MUTUAL"),
        "listener.name.password.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.password.scram-sha-512.sasl.jaas.config": SCRAM,
        "listener.name.mutual.ssl.client.auth": "required",
    }
    with Cluster(listeners={"PASSWORD": "SASL_SSL", "MUTUAL": "SSL"}, extra=extra) as cluster:
        admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
        credential = UserScramCredentialUpsertion("scorer", ScramMechanism.SCRAM_SHA_512, "a secret")
        assert admin.alter_user_scram_credentials([credential]) == {"scorer": None}
        admin.create_topics({"t": {"num_partitions": 1}}, wait_for_metadata=True)
        admin.close()
        yield cluster, certificates


def offset(bootstrap, **settings):
    # With a version given the client connects later: a constructor that fails leaves its thread and sockets behind.
    producer = KafkaProducer(bootstrap_servers=bootstrap, api_version=(4, 1), max_block_ms=3_000, **settings)
    try:
        return producer.send("t", b"x").get(10).offset
    finally:
        producer.close(timeout=5)


def password(secured, words):
    cluster, certificates = secured
    return offset(
        cluster.addresses("PASSWORD"),
        security_protocol="SASL_SSL",
        ssl_cafile=str(certificates.authority),
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username="scorer",
        sasl_plain_password=words,
    )


def mutual(secured, **settings):
    cluster, certificates = secured
    bootstrap = cluster.addresses("MUTUAL")
    return offset(bootstrap, security_protocol="SSL", ssl_cafile=str(certificates.authority), **settings)


def test_the_right_password_over_tls_is_let_in(secured):
    assert password(secured, "a secret") >= 0


@pytest.mark.usefixtures("outages")
def test_a_wrong_password_is_refused(secured):
    with pytest.raises(KafkaError):
        password(secured, "a guess")


def test_a_client_with_a_certificate_is_let_in(secured):
    certificates = secured[1]
    assert mutual(secured, ssl_certfile=str(certificates.client), ssl_keyfile=str(certificates.client_key)) >= 0


@pytest.mark.usefixtures("outages")
def test_a_client_without_a_certificate_is_refused(secured):
    with pytest.raises(KafkaError):
        mutual(secured)
