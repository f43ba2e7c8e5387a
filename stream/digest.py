"""The canonical digest of a state: equal states have equal digests, however they came about.

Pickle's bytes do not serve: they differ for equal river models (memo order, interning). The walk
here sorts what has no order, writes floats in hex and arrays as bytes, and meets an object through
the protocol that pickle uses (``__reduce_ex__``), so that models written in Rust are walked too.
"""

import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np

from stream.errors import StateError

ATOMS = (type(None), bool, int, str, bytes)

ADDRESSES = ("_stop_words_id",)
"""Attributes that hold an object's address, another in each process: scikit-learn's text vectorizers have one."""

UNSEEDED = "_rng"
"""A river distribution's generator, seeded by the process where ``seed`` is None: it only samples from it."""


def digest(state: object) -> str:
    """The sha256 of the canonical walk over ``state``, in hex.

    Raises StateError for an object that refers to itself or that cannot be walked.

    >>> digest({"a": 1.0, "b": [2]}) == digest({"b": [2], "a": 1.0})
    True
    >>> digest(1) == digest(1.0)
    False
    """
    return hashlib.sha256(_walk(state, set())).hexdigest()


def _walk(value: Any, open_ids: set[int]) -> bytes:
    kind = type(value)
    if kind is float:
        return b"f" + str.encode(value.hex())
    if kind in ATOMS:
        return b"a" + str.encode(repr(value))
    if id(value) in open_ids:
        raise StateError(f"a {kind.__name__} refers to itself: it has no canonical digest")
    open_ids.add(id(value))
    try:
        return _compound(value, open_ids)
    finally:
        open_ids.discard(id(value))


def _compound(value: Any, open_ids: set[int]) -> bytes:  # noqa: PLR0911 - one return a kind of value
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        return b"n" + f"{value.dtype.descr}{value.shape}".encode() + _bytes(np.asarray(value))
    if isinstance(value, OrderedDict):
        return _sequence(b"o", (part for item in value.items() for part in item), open_ids)
    if type(value) is dict:
        return _mapping(value, open_ids)
    if isinstance(value, set | frozenset):
        return b"s(" + b",".join(sorted(_walk(item, open_ids) for item in value)) + b")"
    if type(value) in (list, tuple):
        return _sequence(b"l" if type(value) is list else b"t", value, open_ids)
    if isinstance(value, deque):
        return _sequence(b"q%d" % (-1 if value.maxlen is None else value.maxlen), value, open_ids)
    if isinstance(value, MethodType):
        # The object that a method is bound to is walked where it stands; here it could only be a cycle.
        return b"m" + _name(type(value.__self__)) + _name(value.__func__)
    if isinstance(value, type | FunctionType | BuiltinFunctionType):
        return b"c" + _name(value)
    if isinstance(value, np.ufunc):
        return b"u" + str.encode(repr(value))
    return _object(value, open_ids)


def _bytes(value: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    if value.dtype.names:  # the nodes of a tree: what lies between their fields is whatever was in memory
        return b"".join([value[name].tobytes() for name in value.dtype.names])
    return value.tobytes()


def _sequence(mark: bytes, items: Iterable[Any], open_ids: set[int]) -> bytes:
    return mark + b"(" + b",".join([_walk(item, open_ids) for item in items]) + b")"


def _mapping(value: dict[Any, Any], open_ids: set[int]) -> bytes:
    # The weights of a linear model are a large dict of numbers: sorting the keys themselves is ten times faster.
    kinds = set(map(type, value))
    if kinds in ({int}, {str}) and set(map(type, value.values())) == {float}:
        keys = sorted(value)
        return b"w" + repr(keys).encode() + ",".join([value[key].hex() for key in keys]).encode()
    items = sorted((_walk(key, open_ids), _walk(item, open_ids)) for key, item in value.items())
    return b"d(" + b",".join(key + b":" + item for key, item in items) + b")"


def _object(value: Any, open_ids: set[int]) -> bytes:
    reduced = value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return b"g" + reduced.encode()
    make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    if isinstance(state, dict):
        unseeded = type(value).__module__.startswith("river.proba") and state.get("seed") is None
        left_out = (*ADDRESSES, UNSEEDED) if unseeded else ADDRESSES
        state = {key: item for key, item in state.items() if key not in left_out}
    name = f"{type(value).__module__}.{type(value).__qualname__}".encode()
    parts = [_name(make), _walk(arguments, open_ids), _walk(state, open_ids)]
    if items is not None:
        parts.append(_sequence(b"l", items, open_ids))
    if pairs is not None:
        parts.append(_mapping(dict(pairs), open_ids))
    return b"r" + name + b"(" + b",".join(parts) + b")"


def _name(what: Any) -> bytes:
    name = f"{getattr(what, '__module__', '')}.{getattr(what, '__qualname__', type(what).__qualname__)}"
    if "<" in name:
        raise StateError(f"{name} has no name by which it could be known again: use a function of a module")
    return name.encode()
