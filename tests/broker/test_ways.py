"""A test gets the broker that somebody has named, else the first that can be had, else it says what to install."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.broker import ways
from tests.broker.errors import BrokerError

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    for name in (ways.NAMED, ways.FROM, ways.REQUIRED):
        monkeypatch.delenv(name, raising=False)


def offering(monkeypatch, **offers):
    """Let each way give this address, or fail with this error."""

    def way(offer):
        @contextmanager
        def enter():
            if isinstance(offer, Exception):
                raise offer
            yield offer

        return enter

    monkeypatch.setattr(ways, "WAYS", {name: way(offer) for name, offer in offers.items()})


def test_without_a_word_docker_is_tried_and_then_the_jars():
    assert ways.chosen() == ["container", "jars"]
    assert not ways.required()


def test_a_named_broker_or_way_is_the_only_one_tried_and_must_work(monkeypatch):
    monkeypatch.setenv(ways.NAMED, "127.0.0.1:9092")
    assert ways.chosen() == ["env"]
    monkeypatch.setenv(ways.FROM, "jars")
    assert ways.chosen() == ["jars"]
    assert ways.required()


def test_an_unknown_way_is_an_error_that_names_those_there_are(monkeypatch):
    monkeypatch.setenv(ways.FROM, "cloud")
    with pytest.raises(ValueError, match="ROTWATCH_KAFKA_FROM=cloud: must be one of env, container, jars"):
        ways.chosen()


def test_a_way_that_fails_is_passed_over_and_its_reason_told(monkeypatch):
    offering(monkeypatch, container=BrokerError("no Docker engine answers\nmore"), jars="127.0.0.1:1")
    with ways.broker() as (bootstrap, how):
        assert bootstrap == "127.0.0.1:1"
        assert how == "by jars; not by container: no Docker engine answers"


def test_when_no_way_works_the_error_has_every_reason(monkeypatch):
    offering(monkeypatch, container=BrokerError("no engine"), jars=BrokerError("no java"))
    with pytest.raises(BrokerError, match="container: no engine\njars: no java"), ways.broker():
        pass


def test_an_error_of_the_test_itself_is_not_taken_for_a_missing_broker(monkeypatch):
    offering(monkeypatch, container="127.0.0.1:1", jars="127.0.0.1:2")
    with pytest.raises(BrokerError, match="of the test"), ways.broker():
        raise BrokerError("of the test")


def test_a_named_broker_that_does_not_answer_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setenv(ways.NAMED, "127.0.0.1:1")
    with pytest.raises(BrokerError, match="ROTWATCH_KAFKA=127.0.0.1:1 does not answer"), ways.named():
        pass


@pytest.mark.parametrize(("demanded", "outcome"), [("0", "1 skipped"), ("1", "1 error")])
def test_a_missing_broker_is_a_skip_or_where_demanded_a_failure_and_says_what_to_install(tmp_path, demanded, outcome):
    asks = "tests/broker/test_cluster.py::test_the_shared_broker_keeps_what_was_produced"
    # Not by pyproject.toml: what it asks for besides is not the matter here.
    options = ["-c", os.devnull, f"--rootdir={ROOT}", "--import-mode=importlib", "-q", "-rs", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, asks]
    nothing = {"PATH": "", "JAVA_HOME": "", "XDG_CACHE_HOME": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/none"}
    nothing["PYTHONPATH"] = str(ROOT)
    env = os.environ | nothing | {ways.REQUIRED: demanded}
    said = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False).stdout
    assert outcome in said.splitlines()[-1]
    assert re.search(r"openjdk-17-jre-headless\s+maven", said)
