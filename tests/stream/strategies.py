"""What hypothesis draws from: scores, sequences of bets, and a stream's life as a list of moves."""

from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from stream.columns import Entity
from stream.config import Duration, Features, Fields, Labels, Stream

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
    """(label, score) rows with many ties and extremes, no two scores so near that they share a histogram's bin."""
    score = st.one_of(st.integers(0, 64).map(lambda n: n / 64), st.sampled_from([1e-6, 1e-5, 0.999, 0.99999]))
    return st.lists(st.tuples(st.integers(0, 1), score), min_size=1, max_size=most)


# ------------------------------------------------------------------------------ a stream's life


class Move(NamedTuple):
    """One thing that happens: what, to which event (how far back; below 0: to come), how much later, which label."""

    what: str
    back: int
    later: float
    label: str


RARE = ["repeat", "repeat", "tick", "bad", "ahead", "ahead_label", "undecodable", "skip", "lost"]
WHAT = ["event"] * 12 + ["label"] * 10 + RARE
BACK = [-2, 0, 0, 1, 2, 3, 5, 8, 12, 20, 33]
LATER = [0.0, 0.0, 0.0, 0.3, 0.3, 1.0, 5.0]
LABEL = ["right", "right", "right", "wrong", "nonsense"]
ALL_OF = ("count", "mean", "spread", "deviation", "since", "risk")
PROBABILITIES = [1.0, 0.5, 0.25]
"""Those that labels state, where they do."""


def moves() -> st.SearchStrategy[list[Move]]:
    """The inputs of one batch: a few, drawn one by one, or a rush of them, which a seed stands for."""
    what, later = st.sampled_from(WHAT), st.sampled_from([*LATER, 25.0])
    few = st.builds(Move, what, st.sampled_from(BACK), later, st.sampled_from(LABEL))
    rush = st.builds(_rush, st.integers(0, 2**32), st.integers(10, 60))
    return st.one_of(st.lists(few, min_size=1, max_size=8), rush, rush)


def _rush(seed: int, size: int) -> list[Move]:
    draw = Random(seed).choice
    return [Move(draw(WHAT), draw(BACK), draw(LATER), draw(LABEL)) for _ in range(size)]


def streams() -> st.SearchStrategy[Stream]:
    """Settings under which a few dozen events meet every limit."""
    return st.builds(
        _stream,
        kind=st.sampled_from(["binary", "binary", "anomaly"]),
        maturity=st.sampled_from([0.0, 0.0, 3.0, 12.0, 40.0]),
        wait=st.sampled_from([0.0, 15.0, 1000.0]),
        absent=st.booleans(),
        capacity=st.sampled_from([4, 16]),
        recent=st.sampled_from([1, 6, 500]),
        serving=st.sampled_from(["blend", "online", "baseline"]),
        chosen=st.sampled_from(["", "", "stated", "requested"]),
        remembers=st.booleans(),
        a_day=st.sampled_from([0, 500]),
    )


def _stream(
    *,
    kind: str,
    maturity: float,
    wait: float,
    absent: bool,
    capacity: int,
    recent: int,
    serving: str,
    chosen: str,
    remembers: bool,
    a_day: int,
) -> Stream:
    labels = Labels(
        maturity=Duration(maturity),
        ttl=Duration(maturity + wait),
        capacity=capacity,
        absent_means="ham" if absent and maturity and chosen != "stated" else None,
        least_inspection_probability=min(PROBABILITIES) if chosen == "stated" else None,
        request_share=0.5,
        request_disagreements=chosen == "requested",
        values={"yes": "spam", "no": "ham"},
    )
    return Stream(
        kind=kind,  # type: ignore[arg-type]
        classes=CLASSES,
        fields=Fields(inspection_probability="p" if chosen == "stated" else ""),
        features=Features(
            numeric=["uid", "size"],
            moments=["hour"] if remembers else [],
            entities=[Entity("card", "size", list(ALL_OF), [Duration(2.0), Duration(30.0)])] if remembers else [],
            entity_capacity=2,
        ),
        serving=serving,  # type: ignore[arg-type]
        alerts_per_day=a_day if kind == "anomaly" else 0,
        labels=labels,
        recent_ids=recent,
        blend_share=0.01,
    )
