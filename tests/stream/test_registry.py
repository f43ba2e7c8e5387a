"""Settings of the registry: what is wrong is named, and a password is never shown."""

import pytest

from stream.config import read
from stream.errors import SettingError


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"uri": "sqlite:///registry.sqlite"},
        {"uri": "sqlite:////data/registry.sqlite", "artifacts": "s3://bucket/models"},
        {"uri": "https://user@mlflow.example:5000/path"},
        {"uri": "postgresql+psycopg://me@db/registry", "artifacts": "/data/models"},
    ],
)
def test_places_that_mlflow_can_keep_are_taken(table):
    registry = read({"registry": table}).registry
    assert (registry.uri, registry.artifacts) == (table.get("uri", ""), table.get("artifacts", ""))


@pytest.mark.parametrize(
    ("table", "key", "allowed"),
    [
        ({"uri": "./mlruns"}, "uri", "sqlite:///FILE, http"),
        ({"uri": "file:///data/mlruns"}, "uri", "sqlite:///FILE, http"),
        ({"uri": "databricks"}, "uri", "sqlite:///FILE, http"),
        ({"uri": "sqlite://"}, "uri", "sqlite:///FILE"),
        ({"uri": "sqlite:///"}, "uri", "sqlite:///FILE"),
        ({"uri": "sqlite:///:memory:"}, "uri", "sqlite:///FILE"),
        ({"uri": "sqlite:///a.db?mode=ro"}, "uri", "without ? and #"),
        ({"uri": "http://mlflow:5000", "artifacts": "/data"}, "artifacts", "left out"),
        ({"uri": "mysql://me@db/registry"}, "artifacts", "since mysql is used"),
        ({"url": "http://mlflow:5000"}, "url", "uri, artifacts"),
    ],
)
def test_other_places_are_refused(table, key, allowed):
    with pytest.raises(SettingError) as wrong:
        read({"registry": table})
    assert wrong.value.key == f"registry.{key}"
    assert allowed in str(wrong.value)


@pytest.mark.parametrize(
    "uri", ["postgresql://me:s3cr3t@db/registry", "https://me:s3cr3t@mlflow:5000", "http://:s3cr3t@m"]
)
def test_a_password_is_refused_and_not_shown(uri):
    with pytest.raises(SettingError, match="without a password") as wrong:
        read({"registry": {"uri": uri, "artifacts": ""}})
    assert "s3cr3t" not in str(wrong.value)
    assert "s3cr3t" not in repr(wrong.value.value)
