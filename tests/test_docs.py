"""The documentation and the code say the same: every setting, command and option is documented, and no other."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import click
import msgspec
import pytest
import typer

from consumers.cli import app
from stream.broker import Kafka
from stream.config import Metrics, Stream, Worker, read
from stream.duration import Duration
from stream.records import RECORDS
from stream.registry import Registry

DOCS = Path(__file__).parent.parent / "docs"


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of each line of a table that begins with something in code marks."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# ------------------------------------------------------------------------------------------- settings


def settings(kind: type[msgspec.Struct], before: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(key, type, default) of each setting below a table."""
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        inner = hints[field.name]
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from settings(inner, f"{before}{field.name}.")
        else:
            made = field.default_factory is not msgspec.NODEFAULT
            yield before + field.name, inner, field.default_factory() if made else field.default


CODE = {
    key: (kind, default)
    for part, before in (
        (Stream, ""),
        (Worker, "worker."),
        (Metrics, "metrics."),
        (Kafka, "kafka."),
        (Registry, "registry."),
    )
    for key, kind, default in settings(part, before)
}
SETTINGS = {words(row[0])[0]: row for row in table_rows((DOCS / "settings.md").read_text("utf-8"))}


def test_every_setting_is_documented_and_every_documented_one_exists():
    assert sorted(SETTINGS) == sorted(CODE)
    assert len(CODE) > 35


@pytest.mark.parametrize("key", sorted(CODE))
def test_a_settings_documented_default_is_its_default(key):
    kind, default = CODE[key]
    [written] = words(SETTINGS[key][1])
    value = None if written == "none" else tomllib.loads(f"x = {written}")["x"]
    assert (Duration.parse(value) if kind is Duration else value) == default


@pytest.mark.parametrize("key", sorted(CODE))
def test_a_setting_says_what_is_allowed_and_choices_are_all_named(key):
    choices = getattr(CODE[key][0], "__args__", ())
    said = SETTINGS[key][2]
    assert said
    assert all(choice in words(said) for choice in choices if isinstance(choice, str))


def test_the_docs_say_that_regression_is_out_of_scope():
    assert "Regression is out of scope" in SETTINGS["kind"][3]


def test_the_example_in_the_docs_is_right():
    [example] = re.findall(r"```toml\n(.*?)```", (DOCS / "settings.md").read_text("utf-8"), re.DOTALL)
    assert "reviews" in read(tomllib.loads(example)).streams


# ------------------------------------------------------------------------------------------- commands


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
    for part, below in (inner or {}).items():
        yield from commands(below, f"{name} {part}")


ROOT = typer.main.get_command(app)
KNOWN = dict(commands(ROOT, "rotwatch"))
TEXT = (DOCS / "commands.md").read_text("utf-8")
SECTIONS = {
    re.match(r"`(rotwatch [a-z ]*[a-z])", section).group(1): section
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
}


def options(command: click.Command) -> dict[str, Any]:
    """The options of a command with their defaults; --help is every command's."""
    found = {}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            for word in parameter.opts:
                found[word] = parameter
    return {word: parameter for word, parameter in found.items() if word != "--help"}


def test_every_command_is_documented_and_every_documented_one_exists():
    assert sorted(SECTIONS) == sorted(KNOWN)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_option_is_documented_and_every_documented_one_exists(name):
    documented = [word for row in table_rows(SECTIONS[name]) for word in words(row[0]) if word.startswith("-")]
    assert sorted(documented) == sorted(options(KNOWN[name]))


def test_the_options_of_every_command_are_documented():
    documented = [words(row[0])[0] for row in table_rows(TEXT.split("\n## ")[0])]
    assert sorted(documented) == sorted([*options(ROOT), "--help"])


@pytest.mark.parametrize(("name", "word"), [(name, word) for name in sorted(KNOWN) for word in options(KNOWN[name])])
def test_an_options_documented_default_is_its_default(name, word):
    [row] = [row for row in table_rows(SECTIONS[name]) if word in words(row[0])]
    default = options(KNOWN[name])[word].default
    written = words(row[1])
    if default in (None, "", False) or not isinstance(default, str | int):
        assert written == []
    else:
        assert written == [str(default)]


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_command_and_option_has_a_help_text(name):
    assert KNOWN[name].help
    assert all(parameter.help for parameter in KNOWN[name].params)


def test_every_record_is_named_where_the_schemas_are_explained():
    assert set(RECORDS) <= set(words(SECTIONS["rotwatch schema"]))
