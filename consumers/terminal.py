"""The terminal, on which what users wrote is printed as they wrote it: ``[b]`` is no markup, ``:car:`` no picture."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def terminal(**settings: Any) -> "Console":
    """A console; ``settings`` as rich's has them."""
    from rich.console import Console  # here, as it takes long

    return Console(highlight=False, markup=False, emoji=False, **settings)
