"""What import-linter cannot see: calls in stream/ that would make it depend on more than its arguments."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

STREAM = Path(__file__).parent.parent / "stream"

BUILTINS = {
    "breakpoint": "waits for a person",
    "hash": "differs with PYTHONHASHSEED: use a keyed digest",
    "input": "reads the terminal",
    "open": "reads or writes a file",
    "print": "writes to the terminal",
}
CLOCKS = {"now", "utcnow", "today"}  # of datetime, date, Timestamp
NEEDS_SEED = {"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64", "SeedSequence", "default_rng"}
OF_NUMPY_RANDOM = NEEDS_SEED | {"BitGenerator", "Generator"}
KEEPS_ORDER = {"deque", "dict", "enumerate", "iter", "list", "map", "next", "tuple", "zip"}


def dotted(node: ast.expr) -> str:
    """'np.random.rand' for that expression, '' for what is no dotted name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return ""


def is_set(node: ast.expr) -> bool:
    """Whether the expression is visibly a set, whose order depends on hashes."""
    if isinstance(node, ast.BinOp):
        return is_set(node.left) or is_set(node.right)
    if isinstance(node, ast.Call):
        return dotted(node.func) in {"set", "frozenset"}
    return isinstance(node, ast.Set | ast.SetComp)


def why_not_called(call: ast.Call) -> str | None:
    """Why stream/ may not contain this call, or None if it may."""
    name = dotted(call.func)
    last = name.rpartition(".")[2]
    if name in BUILTINS:
        return f"{name}() {BUILTINS[name]}"
    if name != last and last in CLOCKS:
        return f"{name}() reads the clock: time is the records' time"
    if name.startswith(("np.random.", "numpy.random.")) and last not in OF_NUMPY_RANDOM:
        return f"{name}() draws from the global generator: take a numpy.random.Generator"
    if last in NEEDS_SEED and not call.args and not call.keywords:
        return f"{name}() has no seed"
    first = call.args[0] if call.args else None
    if first is not None and is_set(first) and (name in KEEPS_ORDER or last == "join"):
        return f"{name}() of a set has no fixed order: sort it"
    return None


def offences(source: str) -> Iterator[tuple[int, str]]:
    """Line and reason of everything in the source that stream/ must not contain."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (reason := why_not_called(node)):
            yield node.lineno, reason
        elif isinstance(node, ast.For | ast.comprehension) and is_set(node.iter):
            yield node.iter.lineno, "iterates over a set, which has no fixed order: sort it"
        elif isinstance(node, ast.Starred) and is_set(node.value):
            yield node.lineno, "unpacks a set, which has no fixed order: sort it"


def test_stream_reads_no_clock_no_file_and_no_unseeded_chance() -> None:
    files = sorted(STREAM.rglob("*.py"))
    assert files
    found = [
        f"{path.relative_to(STREAM.parent)}:{line}: {reason}"
        for path in files
        for line, reason in offences(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now(UTC)",
        "pd.Timestamp.today()",
        "open(name)",
        "hash(word) % size",
        "np.random.rand(3)",
        "np.random.default_rng()",
        "default_rng()",
        "for x in {1, 2}: pass",
        "[x for x in set(words)]",
        "[x for x in set(a) | b]",
        "{x: 1 for x in {y for y in z}}",
        "list(set(words))",
        "' '.join({w for w in words})",
        "f(*{1, 2})",
    ],
)
def test_the_check_finds(source: str) -> None:
    assert list(offences(source))


@pytest.mark.parametrize(
    "source",
    [
        "np.random.default_rng(seed).random()",
        "def f(rng: np.random.Generator): return rng.random()",
        "for x in sorted(set(words)): pass",
        "len(set(words))",
        "if x in {1, 2}: pass",
        "clock.now",
        "store.open(name)",
        "self.hash(word)",
    ],
)
def test_the_check_leaves_alone(source: str) -> None:
    assert not list(offences(source))
