"""What hypothesis draws from: scores, sequences of bets, and a stream's life as a list of moves."""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from stream.config import Duration, Features, Labels, Stream

CLASSES = ["ham", "spam"]

probabilities = st.one_of(
    st.floats(0.0, 1.0),
    st.sampled_from([0.0, 1.0, 0.5, 1e-300, 1e-7, 1e-6, 1 - 1e-6, 1 - 1e-16]),
)


def shares(classes: int) -> st.SearchStrategy[list[float]]:
    """Probabilities of all classes, zeros and ones among them."""
    weights = st.lists(st.sampled_from([0.0, 1e-9, 0.1, 1.0, 5.0]), min_size=classes, max_size=classes).filter(any)
    return weights.map(lambda drawn: [weight / sum(drawn) for weight in drawn])


def bets(score: st.SearchStrategy[Any], classes: int) -> st.SearchStrategy[list[tuple[Any, Any, int]]]:
    """Sequences of (online score, baseline score, label); runs in which one model is right are common."""
    one = st.tuples(score, score, st.integers(0, classes - 1))
    run = st.tuples(one, st.integers(1, 40)).map(lambda drawn: [drawn[0]] * drawn[1])
    return st.lists(run, min_size=1, max_size=8).map(lambda runs: [bet for run in runs for bet in run])


def scored_rows(most: int = 300) -> st.SearchStrategy[list[tuple[int, float]]]:
    """(label, score) rows with many ties and extremes."""
    score = st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.0, 1.0, 0.5, 1e-6, 1e-5, 0.999]))
    return st.lists(st.tuples(st.integers(0, 1), score), min_size=1, max_size=most)


# ------------------------------------------------------------------------------ a stream's life


class Move(NamedTuple):
    """One thing that happens: what, to which event (how far back; below 0 is one to come), how much later, which label."""

    what: str
    back: int
    later: float
    label: str


def moves() -> st.SearchStrategy[list[Move]]:
    """The inputs of one batch."""
    what = st.sampled_from(
        ["event"] * 6 + ["label"] * 8 + ["repeat", "tick", "bad", "ahead", "ahead_label", "undecodable", "skip"]
    )
    back = st.integers(-3, 40)
    later = st.sampled_from([0.0, 0.0, 0.0, 1.0, 1.0, 5.0, 25.0])
    label = st.sampled_from(["right", "right", "right", "wrong", "nonsense"])
    return st.lists(st.builds(Move, what, back, later, label), min_size=1, max_size=14)


def streams() -> st.SearchStrategy[Stream]:
    """Settings under which a few dozen events meet every limit."""
    return st.builds(
        _stream,
        kind=st.sampled_from(["binary", "binary", "anomaly"]),
        maturity=st.sampled_from([0.0, 0.0, 12.0, 40.0]),
        wait=st.sampled_from([0.0, 15.0, 1000.0]),
        absent=st.booleans(),
        recent=st.sampled_from([1, 6, 500]),
        serving=st.sampled_from(["blend", "online", "baseline"]),
    )


def _stream(*, kind: str, maturity: float, wait: float, absent: bool, recent: int, serving: str) -> Stream:
    labels = Labels(
        maturity=Duration(maturity),
        ttl=Duration(maturity + wait),
        capacity=16,
        absent_means="ham" if absent and maturity else None,
        values={"yes": "spam", "no": "ham"},
    )
    return Stream(
        kind=kind,  # type: ignore[arg-type]
        classes=CLASSES,
        features=Features(numeric=["uid", "size"]),
        serving="online" if kind == "anomaly" and serving == "blend" else serving,  # type: ignore[arg-type]
        labels=labels,
        recent_ids=recent,
        blend_share=0.01,
    )
