"""The settings file over the built-in streams."""

import pytest

from consumers.settings import check_models, find_stream, load
from stream.errors import SettingError, SourceError, StateError


def test_the_built_in_streams_are_right_and_their_models_are_there():
    settings = load(None)
    assert [*settings.streams] == ["spam", "fraud"]
    check_models(settings)


def test_a_file_is_laid_over_the_built_in_streams_key_by_key(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('[streams.spam]\nwarm_up = 7\nlabels.maturity = "1h"\n[worker]\nbatch = 3\n', encoding="utf-8")
    settings = load(path)
    spam, built_in = settings.streams["spam"], load(None).streams["spam"]
    assert (spam.warm_up, spam.labels.maturity, settings.worker.batch) == (7, 3_600.0, 3)
    assert (spam.features, spam.labels.values) == (built_in.features, built_in.labels.values)


@pytest.mark.parametrize("content", [b"[streams", b"\xff\xfe", b"a = 1\na = 2"])
def test_what_is_no_toml_is_refused_with_its_name(tmp_path, content):
    path = tmp_path / "s.toml"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"s\.toml: is no TOML"):
        load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SourceError, match="No such file"):
        load(tmp_path / "nowhere.toml")


def test_the_brokers_address_may_come_from_the_environment(tmp_path, monkeypatch):
    path = tmp_path / "s.toml"
    path.write_text('[kafka]\nbootstrap = "a:1"\nreplication = 3\n', encoding="utf-8")
    monkeypatch.setenv("ROTWATCH_KAFKA_BOOTSTRAP", "b:2,c:3")
    kafka = load(path).kafka
    assert (kafka.servers, kafka.replication) == (["b:2", "c:3"], 3)
    monkeypatch.setenv("ROTWATCH_KAFKA_BOOTSTRAP", "b")
    with pytest.raises(SettingError, match=r"kafka.bootstrap = 'b'"):
        load(path)
    monkeypatch.setenv("ROTWATCH_KAFKA_BOOTSTRAP", "")
    assert load(path).kafka.servers == ["a:1"]


def test_an_unknown_stream_is_named_with_those_there_are():
    with pytest.raises(SettingError, match="one of spam, fraud"):
        find_stream(load(None), "ham")


@pytest.mark.parametrize(("key", "value"), [("online", "bst"), ("baseline", "nowhere:make"), ("decoder", "json:nope")])
def test_a_model_or_decoder_that_is_not_there_is_named_before_anything_starts(tmp_path, key, value):
    path = tmp_path / "s.toml"
    path.write_text(f'[streams.mine]\nfeatures.text = ["a"]\n{key} = "{value}"\n', encoding="utf-8")
    with pytest.raises(SettingError) as error:
        check_models(load(path))
    assert (error.value.key, error.value.value) == (f"streams.mine.{key}", value)


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ('redact = "nowhere:hide"', SettingError, "streams.mine.features.redact"),
        ('keep = "features"\nfeatures.word_key_file = "none/key"', StateError, "the words' key none/key is not there"),
    ],
)
def test_a_redaction_that_cannot_be_had_is_named_before_anything_starts(tmp_path, line, error, said):
    path = tmp_path / "s.toml"
    path.write_text(f'[streams.mine]\nfeatures.text = ["a"]\nfeatures.{line}\n', encoding="utf-8")
    with pytest.raises(error, match=said):
        check_models(load(path))
