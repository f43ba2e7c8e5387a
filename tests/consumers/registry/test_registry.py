"""Versions, their files, and who is champion and challenger, on SQLite and local files."""

import hashlib
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from consumers.registry.registry import Registry
from stream.config import Features
from stream.config import Registry as Settings
from stream.errors import Refused, RegistryError, SettingError
from tests.consumers.registry.shelf import COLUMNS, STREAM
from tests.stream.training.tables import linear


def numbers(registry, stream="shop"):
    used = registry.in_use(stream)
    return tuple(None if one is None else one.number for one in (used.champion, used.challenger))


def test_the_first_version_makes_the_registry_with_everything_in_its_own_folder(bare, monkeypatch):
    elsewhere = bare.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    place = bare.folder / "deep" / "my räume 50%"
    registry = Registry(Settings(f"sqlite:///{place}/registry.sqlite"))
    added = registry.add("shop", bare.made.artifact, bare.made.card, "<p>card</p>")
    assert sorted(path.name for path in place.iterdir()) == ["artifacts", "registry.sqlite", "registry.sqlite.lock"]
    [page] = place.rglob("card.html")
    assert page.read_text() == "<p>card</p>"
    assert list(elsewhere.iterdir()) == []
    assert registry.versions("shop") == [added]


def test_a_version_knows_where_it_comes_from(shelf):
    first = shelf.filled(1, champion=1)
    added = first.add("shop", shelf.made.artifact, replace(shelf.made.card, first=1.5e9, last=1.6e9))
    card = shelf.made.card
    assert (added.stream, added.number, added.version, added.rows) == ("shop", 2, card.version, card.rows)
    assert added.sha256 == hashlib.sha256(shelf.made.artifact).hexdigest()
    assert (added.first, added.last) == (1.5e9, 1.6e9)
    assert added.risk == (card.risk.mean, card.risk.low, card.risk.high)
    assert added.parent == 1
    assert added.data == card.fingerprint
    assert len(added.code) == 64
    assert shelf.open().version("shop", 2) == added
    one = shelf.open().version("shop", 1)
    assert (one.first, one.last, one.parent) == (None, None, None)


def test_mlflow_shows_parameters_and_metrics_of_each_version(shelf):
    registry = shelf.filled(1)
    run = registry._client().get_run(registry.version("shop", 1).run)
    assert run.info.status == "FINISHED"
    assert run.data.params["seed"] == "1"
    assert run.data.params["scheme"] == shelf.made.card.scheme
    assert run.data.params["chosen"] == shelf.made.card.chosen
    assert run.data.metrics["risk"] == shelf.made.card.risk.mean
    assert run.data.metrics["risk_low"] < run.data.metrics["risk_high"]
    assert run.data.metrics["calibration_error_after"] == shelf.made.card.calibration.error_after


def test_what_comes_out_is_what_went_in(shelf):
    registry = shelf.filled(1)
    [version] = registry.versions("shop")
    assert registry.artifact(version) == shelf.made.artifact
    assert registry.card(version) == shelf.made.card
    baseline = registry.load(version, STREAM).baseline
    frame = linear(50, seed=4).frame
    assert baseline.version == shelf.made.baseline.version
    assert baseline.score(frame) == shelf.made.baseline.score(frame)


def test_streams_are_kept_apart(shelf):
    registry = shelf.filled(2, champion=2)
    added = registry.add("other.shop", shelf.made.artifact, shelf.made.card)
    assert (added.number, added.parent) == (1, None)
    assert numbers(registry) == (2, None)
    assert numbers(registry, "other.shop") == (None, None)
    assert numbers(registry, "nobody") == (None, None)
    assert registry.versions("nobody") == []
    assert len(registry.versions("shop")) == 2


@pytest.mark.parametrize("name", ["a/b", "it's", "..", ""])
def test_a_stream_whose_name_mlflow_cannot_hold_is_refused(shelf, name):
    with pytest.raises(SettingError, match="letters of A-Z"):
        shelf.open().add(name, shelf.made.artifact, shelf.made.card)


def test_champion_and_challenger_are_seen_by_whoever_asks(shelf):
    registry, other = shelf.filled(3), shelf.open()
    assert numbers(other) == (None, None)
    registry.promote("shop", 1, None)
    registry.challenge("shop", 3)
    assert numbers(other) == (1, 3)
    registry.drop("shop")
    assert numbers(other) == (1, None)
    registry.drop("shop")
    assert len(other.versions("shop")) == 3


def test_a_challenger_that_is_promoted_is_no_challenger_any_more_and_another_one_stays(shelf):
    registry = shelf.filled(3, champion=1)
    registry.challenge("shop", 2)
    assert registry.promote("shop", 2, 1).number == 2
    assert numbers(registry) == (2, None)
    registry.challenge("shop", 3)
    registry.promote("shop", 1, 2)
    assert numbers(registry) == (1, 3)


def test_a_promotion_decided_against_another_champion_changes_nothing(shelf):
    registry = shelf.filled(3, champion=1)
    for over in (None, 2):
        with pytest.raises(RegistryError, match="now version 1 is: another process changed it; nothing was done"):
            registry.promote("shop", 3, over)
        assert numbers(registry) == (1, None)
    with pytest.raises(RegistryError, match="decided with version 2 as champion of shop"):
        registry.rollback("shop", 2)
    assert numbers(registry) == (1, None)


def test_rollbacks_go_back_through_the_champions_one_by_one(shelf):
    registry = shelf.filled(3, champion=1)
    for number, over in ((2, 1), (3, 2), (2, 3)):
        registry.promote("shop", number, over)
    assert [registry.rollback("shop", over).number for over in (2, 3, 2)] == [3, 2, 1]
    with pytest.raises(RegistryError, match="no champion before version 1"):
        registry.rollback("shop", 1)
    assert numbers(registry) == (1, None)


def test_a_rollback_passes_over_champions_that_have_been_deleted(shelf):
    registry = shelf.filled(3, champion=1)
    registry.promote("shop", 2, 1)
    registry.promote("shop", 3, 2)
    registry._client().delete_model_version("rotwatch.shop", "2")
    assert registry.former("shop", 3).number == 1
    assert registry.rollback("shop", 3).number == 1
    with pytest.raises(Refused, match="no champion before version 1 that is still there: promote the one you want"):
        registry.former("shop", 1)


def test_a_champion_that_somebody_set_by_hand_counts_and_can_be_rolled_back(shelf):
    registry = shelf.filled(3, champion=1)
    registry._client().set_registered_model_alias("rotwatch.shop", "champion", "3")
    assert numbers(registry) == (3, None)
    assert registry.rollback("shop", 3).number == 1
    registry._client().delete_registered_model_alias("rotwatch.shop", "champion")
    assert numbers(registry) == (None, None)
    registry.promote("shop", 2, None)
    assert numbers(registry) == (2, None)


def test_promoting_the_champion_changes_nothing(shelf):
    registry = shelf.filled(2, champion=1)
    registry.promote("shop", 1, 1)
    with pytest.raises(RegistryError, match="no champion before"):
        registry.rollback("shop", 1)


def test_a_version_that_is_not_there_is_refused_and_nothing_changes(shelf):
    registry = shelf.filled(1, champion=1)
    for verb in (
        lambda: registry.version("shop", 7),
        lambda: registry.promote("shop", 7, 1),
        lambda: registry.challenge("shop", 7),
    ):
        with pytest.raises(Refused, match=r"shop has no version 7"):
            verb()
    assert numbers(registry) == (1, None)


def test_what_others_have_registered_is_left_out_of_the_list_and_refused_as_champion(shelf):
    registry = shelf.filled(1, champion=1)
    client = registry._client()
    client.create_model_version("rotwatch.shop", str(shelf.folder), tags={"sha256": "x"})
    client.set_registered_model_alias("rotwatch.shop", "champion", "2")
    assert [one.number for one in registry.versions("shop")] == [1]
    with pytest.raises(Refused, match="version 2 was not registered by rotwatch"):
        registry.in_use("shop")


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (replace(STREAM, features=Features(numeric=COLUMNS[:5])), "its numbers are x0, x1, x2, x3, x4, x5, the stream"),
        (replace(STREAM, features=Features(numeric=COLUMNS, text=["body"])), "its texts are none, the stream has body"),
        (
            replace(STREAM, features=Features(numeric=COLUMNS, onehot={"day": ["mo"]})),
            "its categories are none, the stream has day",
        ),
        (replace(STREAM, kind="multiclass", classes=["no", "yes", "so"]), "it is for kind = 'binary', the stream has"),
        (replace(STREAM, classes=["ham", "spam"]), "its classes are no, yes, in this order, the stream has ham, spam"),
        (replace(STREAM, positive="no"), "its classes are no, yes, in this order, the stream has yes, no"),
    ],
)
def test_a_version_made_for_something_else_is_refused_with_the_reason(shelf, stream, why):
    registry = shelf.filled(1)
    version = registry.version("shop", 1)
    with pytest.raises(Refused, match=r"shop version 1 \(baseline-\w+\) was made for something else: ") as refused:
        registry.load(version, stream)
    assert why in str(refused.value)


def test_columns_in_another_order_and_classes_that_are_not_named_are_no_reason_to_refuse(shelf):
    registry = shelf.filled(1)
    version = registry.version("shop", 1)
    frame = linear(20, seed=5).frame
    for stream in (
        replace(STREAM, features=Features(numeric=COLUMNS[::-1])),
        replace(STREAM, classes=[]),
        replace(STREAM, classes=["yes", "no"], positive="yes"),
    ):
        baseline = registry.load(version, stream).baseline
        shuffled = frame[stream.features.numeric]
        assert baseline.score(shuffled) == shelf.made.baseline.score(frame)


def test_a_file_that_this_code_cannot_load_is_refused(shelf):
    registry = shelf.open()
    version = registry.add("shop", b"no skops file", shelf.made.card)
    with pytest.raises(Refused, match="shop version 1 .* cannot be loaded by this code .*: train it anew"):
        registry.load(version, STREAM)
    assert registry.artifact(version) == b"no skops file"


def test_a_card_that_this_code_cannot_read_is_refused(shelf, monkeypatch):
    class Older(msgspec.Struct):
        version: str
        risk: int

    registry = shelf.filled(1)
    monkeypatch.setattr("consumers.registry.registry.Card", Older)
    with pytest.raises(Refused, match="the card of shop version 1 .* cannot be read by this code"):
        registry.card(registry.version("shop", 1))


def test_without_a_setting_the_registry_is_in_the_users_state_folder_wherever_one_stands(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    place = Registry(Settings()).place
    assert place.uri == f"sqlite:///{tmp_path}/rotwatch/registry/registry.sqlite"
    assert place.artifacts == f"{tmp_path}/rotwatch/registry/artifacts"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Registry(Settings()).place.database == tmp_path / ".local/state/rotwatch/registry/registry.sqlite"


def test_places_are_as_the_settings_say(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Registry(Settings("sqlite:///r/r.db")).place.artifacts == str(tmp_path / "r" / "artifacts")
    assert Registry(Settings("sqlite:////r.db", "s3://b/k")).place.artifacts == "s3://b/k"
    server = Registry(Settings("http://127.0.0.1:5000")).place
    assert (server.uri, server.database, server.artifacts) == ("http://127.0.0.1:5000", None, None)
    shared = Registry(Settings("postgresql+psycopg://db/r", "files")).place
    assert (shared.database, shared.artifacts) == (None, str(Path("files").absolute()))
