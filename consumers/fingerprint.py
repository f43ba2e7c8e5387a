"""A fingerprint of what computes: what was journalled must not be fed again through other code unnoticed."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from stream import records

LIBRARIES = ("river", "scikit-learn", "numpy", "scipy", "pandas", "msgspec")


@cache
def fingerprint() -> str:
    """The digest of stream/'s source and of the versions of the libraries that it computes with."""
    print_of = hashlib.sha256()
    for file in sorted(Path(records.__file__).parent.rglob("*.py")):
        print_of.update(file.read_bytes())
    for library in LIBRARIES:
        print_of.update(f"{library} {version(library)}".encode())
    return print_of.hexdigest()
