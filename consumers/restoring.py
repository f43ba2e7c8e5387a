"""A task's state put back into it; what the code cannot take up is said with the way out."""

from collections.abc import Callable, Mapping
from typing import Any

from consumers.transport import Batch, Task
from stream.errors import SettingError, StateError, TransportError

ANEW = (
    "go back to the settings or the code that wrote it, or make the state anew: rotwatch state rebuild, for a monitor "
    "rotwatch state reset; a replay begins anew with --fresh"
)


def restored(task: str, make: Callable[[], Any], body: bytes, segments: Mapping[str, bytes]) -> Any:
    """What ``make`` gives with a state in it; raises StateError for one that this code cannot take up."""
    made = make()
    try:
        made.restore(body, segments)
    except StateError as error:
        raise StateError(f"{task}: {error}; {ANEW}") from error
    except Exception as error:  # an old pickle may raise whatever it likes
        raise StateError(f"{task}: its checkpoint cannot be taken up by this code ({said(error)}); {ANEW}") from error
    return made


def feed_again(task: str, made: Task, batch: Batch) -> None:
    """Feed a batch that was committed once; raises StateError where it breaks the code, which it did not then."""
    try:
        made.feed(batch.inputs)
    except (TransportError, SettingError, StateError):
        raise
    except Exception as error:  # whatever a model or a user's own code raises
        raise StateError(
            f"{task}: a batch that was fed and committed breaks this code ({said(error)}); {ANEW}"
        ) from error


def said(error: BaseException) -> str:
    """An error in one line: its type, and the beginning of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:500]
