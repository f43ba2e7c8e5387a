"""Access control on a test's broker: the rights that docs/kafka.md says each role needs, given and taken one by one."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import NoError

DOCS = Path(__file__).parents[2] / "docs" / "kafka.md"

LISTENER = "LOGIN"

PASSWORD = "correct-horse-battery"  # noqa: S105 - of a broker that lives for one test

AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # The plain listeners, which the test itself and the brokers among themselves use, have no names.
    "super.users": "User:ANONYMOUS",
}


class Right(NamedTuple):
    """One operation on one resource, as ``kafka-acls.sh`` names them."""

    operation: str
    resource: str
    name: str
    prefixed: bool = False

    def __str__(self) -> str:
        return f"{self.operation} {self.resource} {self.name}{'*' if self.prefixed else ''}"


def properties(users: Iterable[str]) -> dict[str, str]:
    """A broker's properties: nobody may do anything but by an ACL; ``users`` log in at ``LISTENER`` by ``PASSWORD``."""
    known = " ".join(f'user_{user}="{PASSWORD}"' for user in users)
    module = f"org.apache.kafka.common.security.plain.PlainLoginModule required {known};"
    before = f"listener.name.{LISTENER.lower()}"
    return {
        **AUTHORIZER,
        f"{before}.sasl.enabled.mechanisms": "PLAIN",
        f"{before}.plain.sasl.jaas.config": module,
    }


def documented(name: str, topics: Mapping[str, str]) -> dict[str, list[Right]]:
    """The rights of each role of the stream ``name`` by the table in docs/kafka.md; ``topics``: kind to topic."""
    text = DOCS.read_text("utf-8").split("\n## Rights\n")[1].split("\n## ")[0]
    heads, _, *rows = [_cells(line) for line in text.splitlines() if line.startswith("|")]
    own = f"rotwatch.{name}."
    found: dict[str, list[Right]] = {}
    for roles, *cells in rows:
        rights = []
        for head, cell in zip(heads[1:], cells, strict=True):
            for word in filter(None, re.split(r", *", cell)):
                if head == "on all topics":
                    rights += [Right(_operation(word), "topic", topic) for topic in topics.values()]
                elif head in ("read", "write"):
                    rights.append(Right(_operation(head), "topic", topics[word.replace("-", "_")]))
                else:
                    rights.append(Right(_operation(word), head, own, prefixed=True))
        found |= dict.fromkeys(re.split(r", *", roles.replace("`", "")), rights)
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def _operation(words: str) -> str:
    return "".join(word.title() for word in words.split())


class Grants:
    """Gives users of a broker rights, and takes them; ``bootstrap`` is where the test may do all."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def give(self, user: str, rights: Iterable[Right]) -> None:
        """Let a user do these as well."""
        answer = self._admin.create_acls([_acl(user, right) for right in rights])
        assert not answer["failed"], answer

    def take(self, user: str, right: Right) -> None:
        """Let a user do this no more."""
        self._delete(_acl(user, right))

    def take_all(self, user: str) -> None:
        """Let a user do nothing any more."""
        anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        self._delete(ACLFilter(f"User:{user}", None, ACLOperation.ANY, ACLPermissionType.ANY, anything))

    def close(self) -> None:
        self._admin.close()

    def _delete(self, chosen: ACLFilter) -> None:
        for _, _, error in self._admin.delete_acls([chosen]):
            assert error is NoError, error


def _acl(user: str, right: Right) -> ACL:
    kind = ResourceType[right.resource.replace(" ", "_").upper()]
    pattern = ACLResourcePatternType.PREFIXED if right.prefixed else ACLResourcePatternType.LITERAL
    operation = ACLOperation[re.sub(r"(?<!^)(?=[A-Z])", "_", right.operation).upper()]
    return ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, right.name, pattern))
