"""Processes that are killed in the midst of it, and processes that do the same thing at the same time."""

import signal

import pytest

from consumers.registry.registry import Registry
from stream.config import Registry as Settings
from tests.consumers.registry.shelf import STREAM

ADDING = [
    ("create_experiment", "after"),
    ("create_run", "after"),
    ("log_artifacts", "before"),
    ("log_artifacts", "after"),
    ("set_terminated", "after"),
    ("create_registered_model", "after"),
    ("create_model_version", "before"),
]
"""Calls after which a killed ``add`` has left no version."""

PROMOTING = [
    ("set_registered_model_tag", "before", 1),
    ("set_registered_model_tag", "after", 1),
    ("set_registered_model_alias", "after", 2),
    ("delete_registered_model_alias", "before", 2),
    ("delete_registered_model_alias", "after", 2),
]
"""A killed ``promote`` of version 2 over 1, and who is champion then."""


def job(shelf, verb, *words, **more):
    return {"uri": shelf.uri, "verb": verb, "words": words, **more}


@pytest.mark.parametrize(("call", "when"), ADDING)
def test_an_add_that_is_killed_leaves_no_version_and_the_next_one_is_made(shelf, others, call, when):
    [(status, _)] = others.run(job(shelf, "add", "shop", kill=call, when=when))
    assert status == -signal.SIGKILL
    registry = shelf.open()
    assert registry.versions("shop") == []
    added = registry.add("shop", shelf.made.artifact, shelf.made.card)
    assert added.number == 1
    assert registry.load(added, STREAM).baseline.version == added.version


def test_an_add_that_is_killed_when_its_version_is_made_has_left_a_whole_one(shelf, others):
    [(status, _)] = others.run(job(shelf, "add", "shop", kill="create_model_version", when="after"))
    assert status == -signal.SIGKILL
    registry = shelf.open()
    [version] = registry.versions("shop")
    assert registry.load(version, STREAM).baseline.version == shelf.made.card.version


def test_a_registry_whose_making_was_killed_is_made_anew(bare, others):
    [(status, _)] = others.run(job(bare, "add", "shop", kill="__init__", when="after"))
    assert status == -signal.SIGKILL
    assert not bare.database.exists()
    assert bare.open().add("shop", bare.made.artifact, bare.made.card).number == 1
    assert sorted(path.name for path in bare.folder.iterdir()) == [
        "artifacts",
        "registry.sqlite",
        "registry.sqlite.lock",
    ]


@pytest.mark.parametrize(("call", "when", "champion"), PROMOTING)
def test_a_promotion_that_is_killed_has_happened_or_not(shelf, others, call, when, champion):
    registry = shelf.filled(3, champion=1)
    registry.challenge("shop", 2)
    [(status, _)] = others.run(job(shelf, "promote", "shop", 2, 1, kill=call, when=when))
    assert status == -signal.SIGKILL
    used = registry.in_use("shop")
    assert used.champion.number == champion
    assert (used.challenger is None) == (champion == 2)
    promoted = registry.promote("shop", 3, champion)
    assert registry.in_use("shop").champion == promoted
    assert (registry.in_use("shop").challenger is None) == (champion == 2)
    assert registry.rollback("shop", 3).number == champion
    if champion == 2:
        assert registry.rollback("shop", 2).number == 1


@pytest.mark.parametrize("call", ["set_registered_model_tag", "set_registered_model_alias"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_rollback_that_is_killed_has_happened_or_not(shelf, others, call, when):
    registry = shelf.filled(3, champion=1)
    registry.promote("shop", 2, 1)
    registry.promote("shop", 3, 2)
    [(status, _)] = others.run(job(shelf, "rollback", "shop", 3, kill=call, when=when))
    assert status == -signal.SIGKILL
    champion = registry.in_use("shop").champion.number
    assert champion == (2 if (call, when) == ("set_registered_model_alias", "after") else 3)
    while champion > 1:
        assert registry.rollback("shop", champion).number == champion - 1
        champion -= 1


def test_of_processes_that_promote_at_the_same_time_one_does_and_the_others_are_told(shelf, others):
    registry = shelf.filled(4, champion=1)
    ended = others.run(*(job(shelf, "promote", "shop", number, 1) for number in (2, 3, 4, 2)))
    assert sorted(status for status, _ in ended) == [0, 2, 2, 2]
    champion = registry.in_use("shop").champion.number
    assert champion == [2, 3, 4, 2][[status for status, _ in ended].index(0)]
    for status, error in ended:
        if status:
            assert (
                f"decided with version 1 as champion of shop, and now version {champion} is: another process" in error
            )
    assert registry.rollback("shop", champion).number == 1


def test_of_processes_that_roll_back_at_the_same_time_one_does(shelf, others):
    registry = shelf.filled(3, champion=1)
    registry.promote("shop", 2, 1)
    registry.promote("shop", 3, 2)
    ended = others.run(job(shelf, "rollback", "shop", 3), job(shelf, "rollback", "shop", 3))
    assert sorted(status for status, _ in ended) == [0, 2]
    assert registry.in_use("shop").champion.number == 2


def test_processes_that_add_at_the_same_time_each_get_a_version_in_one_registry(bare, others):
    ended = others.run(*(job(bare, "add", "shop") for _ in range(3)), job(bare, "add", "other"))
    assert ended == [(0, "")] * 4
    registry = bare.open()
    assert [one.number for one in registry.versions("shop")] == [1, 2, 3]
    assert len({one.run for one in registry.versions("shop")}) == 3
    assert len(registry.versions("other")) == 1


def test_who_asks_while_others_write_sees_one_champion_all_the_time(shelf, others):
    registry = shelf.filled(2, champion=1)
    ended = others.run(
        *(job(shelf, "promote", "shop", 2, 1) for _ in range(2)),
        *(job(shelf, "in_use", "shop") for _ in range(3)),
    )
    assert [status for status, _ in ended[2:]] == [0, 0, 0]
    assert Registry(Settings(shelf.uri)).in_use("shop").champion.number == 2
    assert registry.in_use("shop").champion.number == 2
