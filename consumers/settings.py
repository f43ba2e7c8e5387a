"""Reading the settings file: the built-in streams, and the user's file laid over them."""

import os
import tomllib
from importlib import resources
from pathlib import Path

from stream import config
from stream.config import Settings, Stream
from stream.errors import SettingError, SourceError

BOOTSTRAP = "ROTWATCH_KAFKA_BOOTSTRAP"
"""The environment variable that stands above ``kafka.bootstrap``: in a container only the broker's address differs."""


def load(path: Path | None) -> Settings:
    """The settings of a file (None: the built-in ones alone); the broker's address may come from the environment.

    Raises SourceError for a file that cannot be read as TOML, SettingError for what is wrong in it.
    """
    table = tomllib.loads(resources.files("stream").joinpath("streams.toml").read_text("utf-8"))
    if path is not None:
        try:
            table = config.merge(table, tomllib.loads(path.read_text("utf-8")))
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SourceError(f"{path}: is no TOML: {error}") from error
    if os.environ.get(BOOTSTRAP):
        table = config.merge(table, {"kafka": {"bootstrap": os.environ[BOOTSTRAP]}})
    return config.read(table)


def find_stream(settings: Settings, name: str) -> Stream:
    """The stream of a name; raises SettingError, which lists those that there are."""
    if name not in settings.streams:
        raise SettingError("--stream", name, f"one of {', '.join(settings.streams)}")
    return settings.streams[name]


def check_models(settings: Settings) -> None:
    """See that every model, detector, decoder and redaction that the settings name can be made and fits its stream.

    Raises SettingError and StateError.
    """
    from consumers.redaction import redaction
    from stream.drift import detectors
    from stream.factories import make_baseline, make_online
    from stream.online import find

    for name, stream in settings.streams.items():
        key = f"streams.{name}"
        if not stream.online.startswith("field:"):
            make_online(key, stream)
        if stream.baseline != "none" and not stream.baseline.startswith("field:"):
            make_baseline(key, stream)
        detectors.check(f"{key}.monitor.detectors", stream.monitor.detectors)
        if stream.decoder:
            find(f"{key}.decoder", stream.decoder, {})
        redaction(f"{key}.features", stream.features)
