"""The jars are fetched once, whole or not at all, whoever asks at the same time."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.broker import jars
from tests.broker.errors import BrokerError


@pytest.fixture
def maven(tmp_path, monkeypatch):
    """Put a Maven in PATH that notes each call and then does what a script says; gives the notes' file."""
    calls = tmp_path / "calls"
    program = tmp_path / "bin" / "mvn"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def does(script):
        program.write_text(
            f"#!{sys.executable}\nimport pathlib, sys, time\n"
            f"open({str(calls)!r}, 'a').write('called\\n')\n"
            "folder = pathlib.Path(sys.argv[-1].removeprefix('-DoutputDirectory='))\n"
            f"{script}\n"
        )
        program.chmod(0o755)
        return calls

    return does


FETCHES = "folder.mkdir(); time.sleep(0.3); (folder / 'kafka_2.13-4.1.0.jar').touch()"


def test_two_that_ask_at_once_have_it_fetched_once_and_both_get_it_whole(maven):
    calls = maven(FETCHES)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: jars.fetch(), range(2))
    assert first == second
    assert [jar.name for jar in first.iterdir()] == ["kafka_2.13-4.1.0.jar"]
    assert calls.read_text() == "called\n"


def test_what_a_killed_fetch_has_left_is_not_used(maven):
    maven(FETCHES)
    left = jars.cache_folder().with_name(f"{jars.cache_folder().name}.part")
    left.mkdir(parents=True)
    (left / "half.jar").touch()
    assert [jar.name for jar in jars.fetch().iterdir()] == ["kafka_2.13-4.1.0.jar"]


@pytest.mark.parametrize("script", [f"{FETCHES}; print('no route'); sys.exit(1)", "print('no route')"])
def test_a_fetch_that_fails_is_an_error_with_mavens_words_and_leaves_nothing_to_be_used(maven, script):
    maven(script)
    with pytest.raises(BrokerError, match="no route"):
        jars.fetch()
    assert not jars.cache_folder().exists()
    maven(FETCHES)
    assert jars.fetch().is_dir()


@pytest.mark.usefixtures("maven")
def test_without_maven_the_error_says_what_to_install():
    with pytest.raises(BrokerError, match="apt-get install openjdk-17-jre-headless maven"):
        jars.fetch()


def test_a_java_that_is_too_old_is_refused(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(BrokerError, match="too old"):
        jars.java.__wrapped__()
