"""The brokers that tests kill do what a killed broker does, and leave nothing behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from tests.broker.cluster import Cluster
from tests.broker.errors import BrokerError


@pytest.fixture(scope="module")
def one():
    with Cluster(proxied=True) as cluster:
        yield cluster


def create(bootstrap, topic, **options):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics({topic: {"num_partitions": 1, **options}}, wait_for_metadata=True)
    admin.close()


def produce(bootstrap, topic, value):
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", delivery_timeout_ms=30_000)
    try:
        return producer.send(topic, value).get(30).offset
    finally:
        producer.close()


def consume(bootstrap, topic, count):
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    found = []
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        for records in consumer.poll(500).values():
            found += [record.value for record in records]
    consumer.close()
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_shared_broker_keeps_what_was_produced(kafka, stream_name):
    create(kafka, stream_name)
    assert produce(kafka, stream_name, b"kept") == 0
    assert consume(kafka, stream_name, 1) == [b"kept"]


@pytest.mark.usefixtures("outages")
def test_a_killed_broker_has_its_records_when_it_is_back(one, stream_name):
    create(one.bootstrap, stream_name)
    produce(one.bootstrap, stream_name, b"before")
    one.kill()
    assert not one.nodes[0].running
    one.restart()
    produce(one.bootstrap, stream_name, b"after")
    assert consume(one.bootstrap, stream_name, 2) == [b"before", b"after"]


@pytest.mark.usefixtures("outages")
def test_a_paused_broker_is_silent_and_goes_on_when_resumed(one, stream_name):
    create(one.bootstrap, stream_name)
    producer = KafkaProducer(bootstrap_servers=one.bootstrap)
    producer.send(stream_name, b"before").get(10)
    one.pause()
    sent = producer.send(stream_name, b"meanwhile")
    time.sleep(1.0)
    assert not sent.is_done
    one.resume()
    assert sent.get(20).offset == 1
    producer.close()


@pytest.mark.usefixtures("outages")
def test_a_cleanly_stopped_cluster_starts_again_over_its_data(one, stream_name):
    create(one.bootstrap, stream_name)
    produce(one.bootstrap, stream_name, b"kept")
    one.stop()
    assert not one.nodes[0].running
    one.start()
    assert consume(one.bootstrap, stream_name, 1) == [b"kept"]


@pytest.mark.usefixtures("outages")
def test_of_three_nodes_another_leads_when_the_leader_is_killed(stream_name):
    with Cluster(nodes=3) as three:
        create(three.bootstrap, stream_name)
        produce(three.bootstrap, stream_name, b"before")
        old = three.leader(stream_name)
        three.kill(old)
        deadline = time.monotonic() + 20
        while (new := three.leader(stream_name)) in (old, -1):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        produce(three.bootstrap, stream_name, b"after")
        assert consume(three.bootstrap, stream_name, 2) == [b"before", b"after"]
        three.restart(old)
        assert {node.number for node in three.nodes if node.running} == {0, 1, 2}
        assert new != old


@pytest.mark.usefixtures("outages")
def test_a_client_behind_the_proxy_is_cut_off_and_goes_on_when_it_is_healed(one, stream_name):
    [proxy] = one.proxies
    create(one.bootstrap, stream_name)
    producer = KafkaProducer(bootstrap_servers=one.bootstrap)
    producer.send(stream_name, b"before").get(10)
    proxy.cut()
    sent = producer.send(stream_name, b"meanwhile")
    time.sleep(1.0)
    assert not sent.is_done
    assert one.leader(stream_name) == 0  # goes past the proxy
    proxy.heal()
    assert sent.get(10).offset == 1
    proxy.refuse()
    sent = producer.send(stream_name, b"later")
    time.sleep(0.5)
    assert not sent.is_done
    proxy.heal()
    assert sent.get(20).offset == 2
    producer.close()


def test_settings_that_kafka_refuses_are_an_error_that_quotes_it():
    cluster = Cluster(extra={"log.retention.check.interval.ms": "soon"})
    try:
        with pytest.raises(BrokerError, match="soon"):
            cluster.start()
    finally:
        cluster.close()


def test_a_broker_that_dies_while_starting_is_an_error_with_its_log_at_once():
    cluster = Cluster(extra={"authorizer.class.name": "no.such.Authorizer"})
    started = time.monotonic()
    try:
        with pytest.raises(BrokerError, match=r"died while starting(.|\n)*no\.such\.Authorizer"):
            cluster.start(timeout=60)
    finally:
        cluster.close()
    assert time.monotonic() - started < 30


def test_brokers_and_data_go_with_a_process_that_is_killed():
    code = (
        "import time; from tests.broker.cluster import Cluster; c = Cluster().start();"
        "print(c.nodes[0].pid, c._folder, flush=True); time.sleep(600)"
    )
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-W", "ignore", "-c", code]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        pid, folder = process.stdout.readline().split()
        assert Path(folder).is_dir()
        assert alive(int(pid))
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while Path(folder).exists() or alive(int(pid)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
