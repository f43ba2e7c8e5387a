"""Brokers with access control: the rights in docs/kafka.md are enough, each is needed, and what is refused is named."""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from msgspec.structs import replace

from consumers import service
from consumers.kafka.client import connection
from consumers.kafka.roles import MONITOR, SCORER
from consumers.kafka.topics import KINDS, topic_names
from stream.broker import Kafka
from stream.duration import Duration
from stream.errors import SettingError, Unavailable
from stream.scoring import SAID_EVERY
from tests.broker import acls
from tests.broker.acls import Grants, Right
from tests.broker.cluster import Cluster
from tests.consumers.conftest import Run
from tests.consumers.kafka.world import World

PATIENCE = 30.0

ROLES = {"scorer": SCORER, "monitor": MONITOR}

READERS = "readers of predictions"

COMMANDS = {
    "topics": [["topics"]],
    "topics --check": [["topics", "--check"]],
    "produce": [["produce", "more.jsonl"]],
    "state inspect": [["state", "inspect"]],
    "state export": [["state", "export", "--out", "exported"]],
    "state verify": [["state", "verify"]],
    "state reset": [["state", "reset", "--role", role, "--from", "committed", "--yes"] for role in ROLES],
    "state rebuild": [["state", "rebuild", "--yes"]],
}

DOCUMENTED = acls.documented("NAME", {kind: kind.replace("_", "-") for kind in KINDS})

AT_A_RESTART, ALARMS = Right("Read", "topic", "state"), Right("Write", "topic", "alarms")

PROFILES = Right("Write", "topic", "profiles")


def needed(role: str) -> list[Right]:
    """The rights of a role that no other one brings along: Describe comes with Read and Write."""
    rights = DOCUMENTED[role]
    more = {right.name for right in rights if right.operation in ("Read", "Write")}
    return [right for right in rights if right.operation != "Describe" or right.name not in more]


def one_of_each(role: str) -> list[Right]:
    """Those rights, but of such as are given on all topics one for each operation: they are looked at together."""
    rights = needed(role)
    broad = {right.operation: right for right in rights if right.operation not in ("Read", "Write")}
    return [right for right in rights if right.operation in ("Read", "Write") or right == broad[right.operation]]


class Guarded:
    """A stream on a broker that asks for rights; each role has a user of its own."""

    def __init__(self, cluster: Cluster, name: str, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.grants = Grants(cluster.bootstrap)
        self.world = World(cluster.bootstrap, name, folder)
        self.names = topic_names(name, self.world.stream)
        self.ended = ""
        self.rights = acls.documented(name, self.names)
        (folder / "password").write_text(acls.PASSWORD)

    def own(self, right: Right) -> Right:
        """A right of ``DOCUMENTED`` on this stream."""
        if right.resource == "topic":
            return right._replace(name=self.names[right.name.replace("-", "_")])
        return right._replace(name=f"rotwatch.{self.world.name}.")

    def kafka(self, user: str) -> Kafka:
        """How a user reaches the broker."""
        return Kafka(
            bootstrap=self.cluster.addresses(acls.LISTENER),
            sasl="plain",
            username=user,
            password_file=str(self.folder / "password"),
            session_timeout=Duration(2),
            transaction_timeout=Duration(5),
        )

    def file(self, role: str) -> Path:
        """A settings file for the commands of a role's user."""
        path = self.folder / "settings.toml"
        kafka = self.kafka(user_of(role))
        path.write_text(
            f"""
            [kafka]
            bootstrap = "{kafka.bootstrap}"
            sasl = "plain"
            username = "{kafka.username}"
            password_file = "{kafka.password_file}"
            transaction_timeout = 4  # a refused command leaves one open, which the next one waits for

            [worker]
            checkpoint_key_file = "{self.folder / "key"}"

            [streams.{self.world.name}]
            classes = ["0", "1"]
            features.numeric = ["n"]
            """,
            "utf-8",
        )
        return path

    def give_all(self, *roles: str) -> None:
        """Let the users of roles do all that is documented."""
        for role in roles:
            self.grants.give(user_of(role), self.rights[role])

    @contextmanager
    def without(self, role: str, right: Right) -> Iterator[None]:
        """A role's user has a right of ``DOCUMENTED`` not meanwhile."""
        self.grants.take(user_of(role), self.own(right))
        try:
            yield
        finally:
            self.grants.give(user_of(role), [self.own(right)])

    def put(self, kind: str, value: bytes) -> None:
        """Send a record of any bytes."""
        with closing(KafkaProducer(**self.world.connection)) as producer:
            producer.send(self.names[kind], value, partition=0).get(10)

    def delete_all(self, kind: str) -> None:
        """Do what retention does."""
        with self.world.admin() as admin:
            admin.delete_records({TopicPartition(self.names[kind], 0): -1})

    def delete_topic(self, kind: str) -> None:
        """Delete a topic, and wait until it is gone."""
        with self.world.admin() as admin:
            name = self.names[kind.replace("-", "_")]
            admin.delete_topics([name])
            until(lambda: name not in admin.list_topics(), lambda: name)

    @contextmanager
    def working(self, role: str, seen: Callable[[], str]) -> Iterator[Callable[[], bool]]:
        """A worker of a role, as its user, meanwhile; gives what tells whether it has ended by itself.

        ``seen`` is for the message of one that does not end. ``ended`` is what one has ended with.
        """
        self.ended = ""
        over, ended = threading.Event(), []
        settings = replace(self.world.settings, kafka=self.kafka(role))

        def work() -> None:
            try:
                service.serve(service.Service(settings, self.world.name, self.world.stream, ROLES[role]), over.is_set)
            except BaseException as error:  # noqa: BLE001 - raised again below
                ended.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield lambda: not thread.is_alive()
        finally:
            over.set()
            thread.join(PATIENCE)
        assert not thread.is_alive(), seen()
        if ended:
            self.ended = str(ended[0])
            raise ended[0]

    def close(self) -> None:
        for role in self.rights:
            self.grants.take_all(user_of(role))
        self.grants.close()


def user_of(role: str) -> str:
    return role.replace(" --", "-").replace(" ", "-")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    users = [user_of(role) for role in DOCUMENTED]
    with Cluster(extra=acls.properties(users), listeners={acls.LISTENER: "SASL_PLAINTEXT"}) as made:
        yield made


@pytest.fixture
def guarded(cluster: Cluster, stream_name: str, tmp_path: Path) -> Iterator[Guarded]:
    made = Guarded(cluster, stream_name, tmp_path)
    yield made
    made.close()


class Said:
    """All that is logged, by rotwatch and by the client."""

    def __init__(self, lines: list[Any], caplog: pytest.LogCaptureFixture) -> None:
        self._lines = lines
        self._caplog = caplog

    def text(self) -> str:
        own = [f"{line.get('event')}: {line.get('reason')}" for line in self._lines]
        return "\n".join([*own, *(record.getMessage() for record in self._caplog.records)])

    def forget(self) -> None:
        self._lines.clear()
        self._caplog.clear()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Said]:
    with structlog.testing.capture_logs() as lines, caplog.at_level(logging.WARNING):
        yield Said(lines, caplog)


def until(what: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if what():
                return
        except Unavailable:
            pass
        assert time.monotonic() < end, otherwise()
        time.sleep(0.1)


# ------------------------------------------------------------------------------------------- workers


def judged(guarded: Guarded) -> bool:
    """Whether the monitor has committed all that the training log holds."""
    with guarded.world.open(MONITOR) as opened:
        at = opened.inspect(opened.placements[0]).inputs[0].position
    return bool(at > max((r.offset for r in guarded.world.written("labelled")), default=-1))


def scored(guarded: Guarded) -> bool:
    """Whether the scorer has answered all events, and learned all labels."""
    done = [len(guarded.world.written(kind)) for kind in ("predictions", "labelled")]
    return done == [guarded.world.sent] * 2


@pytest.mark.parametrize(("role", "reads", "done"), [("scorer", "events", scored), ("monitor", "labelled", judged)])
def test_a_worker_works_by_its_documented_rights_and_names_each_that_is_taken_until_it_is_given_back(
    guarded: Guarded, said: Said, role: str, reads: str, done: Callable[[Guarded], bool]
) -> None:
    world, letters = guarded.world, 0
    guarded.give_all("scorer", "monitor")

    def caught_up() -> bool:
        return done(guarded) and len(world.written("dead_letters")) == letters

    def is_named(right: Right) -> None:
        name = guarded.own(right).name
        until(lambda: name in said.text(), lambda: f"{right}: {said.text()}")

    with guarded.working("scorer", said.text), guarded.working(role, said.text):
        world.send(30)
        until(caught_up, said.text)
        for right in needed(role):
            if right.operation.startswith("Describe") or right in (AT_A_RESTART, ALARMS):
                continue
            with guarded.without(role, right):
                said.forget()
                world.send(SAID_EVERY if right == PROFILES else 10)
                guarded.put(reads, b"no record")
                letters += 1
                is_named(right)
            until(caught_up, said.text)
        # An alarm is what a gap in the inputs gives.
        with guarded.without(role, Right("Read", "topic", reads)):
            said.forget()
            guarded.put(reads, b"will be deleted")
            is_named(Right("Read", "topic", reads))
            guarded.delete_all(reads)
            guarded.grants.take(role, guarded.own(Right("Write", "topic", "alarms")))
        said.forget()
        is_named(Right("Write", "topic", "alarms"))
        assert world.written("alarms") == []
        guarded.give_all(role)
        until(lambda: bool(world.written("alarms")), said.text)
    if role == "scorer":
        assert sorted(p.event_id for p in world.predictions()) == sorted(f"e{n}" for n in range(world.sent))


@pytest.mark.parametrize("role", ROLES)
def test_a_worker_without_a_right_that_only_its_start_needs_says_so_and_waits_or_ends(
    guarded: Guarded, said: Said, role: str
) -> None:
    guarded.give_all("scorer", "monitor")
    with guarded.working("scorer", said.text), guarded.working(role, said.text):
        guarded.world.send(30)
        until(lambda: scored(guarded) and (role == "scorer" or judged(guarded)), said.text)
    for right in one_of_each(role):
        if right == AT_A_RESTART or right.operation.startswith("Describe"):
            said.forget()
            name = guarded.own(right).name
            with guarded.without(role, right), suppress(SettingError), guarded.working(role, said.text) as over:
                until(lambda over=over, name=name: name in said.text() or over(), said.text)
            assert name in said.text() + guarded.ended, right


# ------------------------------------------------------------------------------------------- commands


def used(guarded: Guarded) -> Guarded:
    """The same stream, with something in it."""
    guarded.give_all("scorer", "monitor")
    with guarded.working("scorer", str), guarded.working("monitor", str):
        guarded.world.send(30)
        until(lambda: scored(guarded) and judged(guarded), str)
    return guarded


@pytest.fixture(scope="module")
def shared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A stream for commands that change nothing in it."""
    made = Guarded(cluster, "shared", tmp_path_factory.mktemp("shared"))
    yield used(made)
    made.close()


def check_command(guarded: Guarded, role: str, said: Said, rotwatch: Run) -> None:
    """A command is refused without any of its rights, says which, and does its work with them."""
    Path("more.jsonl").write_text('{"event_id": "m", "time": 99, "n": 1, "label": "1"}\n', "utf-8")

    def run() -> tuple[int, str]:
        """The first exit code that is not 0, and all that was printed."""
        code, told = once()
        while "a transaction is open" in told:  # what was refused before has left it, and the broker ends it
            code, told = once()
        return code, told

    def once() -> tuple[int, str]:
        shutil.rmtree("exported", ignore_errors=True)
        told, code = said.text(), 0
        for words in COMMANDS[role]:
            if not code:
                code, out, err = rotwatch(*words, "--stream", guarded.world.name, "--config", guarded.file(role))
                told += out + err
        return code, told

    guarded.give_all(role)
    for right in one_of_each(role):
        with guarded.without(role, right):
            if right.operation == "Create":
                guarded.delete_topic(right.name)
            said.forget()
            code, told = run()
        assert code, right
        # Of this answer kafka-python does not keep the topic's name.
        assert guarded.own(right).name in told, f"{right}: {told}"
    code, told = run()
    assert code == 0, told


@pytest.mark.parametrize("role", ["topics --check", "produce", "state inspect", "state export", "state verify"])
def test_a_command_that_looks_works_by_its_documented_rights_and_names_each_that_is_missing(
    shared: Guarded, said: Said, rotwatch: Run, role: str
) -> None:
    check_command(shared, role, said, rotwatch)


def test_making_topics_works_by_its_documented_rights_and_names_each_that_is_missing(
    guarded: Guarded, said: Said, rotwatch: Run
) -> None:
    check_command(guarded, "topics", said, rotwatch)


@pytest.mark.parametrize("role", ["state reset", "state rebuild"])
def test_making_state_anew_works_by_its_documented_rights_and_names_each_that_is_missing(
    guarded: Guarded, said: Said, rotwatch: Run, role: str
) -> None:
    check_command(used(guarded), role, said, rotwatch)


def test_every_role_in_the_docs_is_tried_here() -> None:
    assert {*ROLES, *COMMANDS, READERS} | {"producers"} == DOCUMENTED.keys()


def test_whoever_reads_predictions_needs_no_more_than_that(shared: Guarded) -> None:
    shared.give_all(READERS)
    tp = TopicPartition(shared.names["predictions"], 0)
    settings = {**connection(shared.kafka(user_of(READERS)), "reader"), "isolation_level": "read_committed"}
    with closing(KafkaConsumer(**settings, auto_offset_reset="earliest")) as consumer:
        consumer.assign([tp])
        read: set[int] = set()
        until(lambda: bool(read.update(r.offset for r in consumer.poll(500).get(tp, []))) or len(read) >= 30, str)
        assert consumer.position(tp) > max(read)
