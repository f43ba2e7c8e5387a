"""Whatever MLflow, a database, a disk or a server raises, as one clear RegistryError that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from stream.errors import RegistryError, RotwatchError

ADVICE = {
    "database is locked": "another program holds it: try again when that is done",
    "disk is full": "make room there, and do it again",
    "disk I/O error": "see that there is room and that the disk is sound, and do it again",
    "No space left": "make room there, and do it again",
    "File too large": "make room there, and do it again",
    "readonly database": "see that this user may write there",
    "unable to open database": "see that this user may read and write there",
    "Permission denied": "see that this user may read and write there",
    "Read-only file system": "see that this user may write there",
    "not a database": "put the registry's file back in its place, or name another (registry.uri)",
    "out-of-date database schema": "all that share a registry must have one version of MLflow",
    "Max retries exceeded": "see that the server runs at that address",
    "No module named": "install that package, which this kind of URI needs",
}
"""What to do, by what an error says."""


@contextmanager
def guarded(uri: str, what: str) -> Iterator[None]:
    """Makes one RegistryError of whatever goes wrong while doing ``what``."""
    try:
        yield
    except RotwatchError:
        raise
    except Exception as error:  # MLflow and the stores below it raise whatever they like
        first: BaseException = error
        while first.__cause__ is not None:  # what the driver or the disk said, before others wrapped it up
            first = first.__cause__
        raise failed(uri, what, str(first) or type(first).__name__) from error


def failed(uri: str, what: str, reason: str) -> RegistryError:
    """The error, with what to do if that is known."""
    advice = next((advice for sign, advice in ADVICE.items() if sign in reason), "")
    first = "no answer" if "Max retries exceeded" in reason else reason.strip().splitlines()[0][:300]
    return RegistryError(f"registry {uri}: {what}: {first}{'; ' if advice else ''}{advice}")
