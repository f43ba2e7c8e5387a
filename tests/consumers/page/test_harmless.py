"""Whatever a card holds, its page is well formed, runs nothing and fetches nothing."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from consumers.page.whole import page
from stream.config import Features
from stream.reference import Histogram, Reference
from stream.risk import Risk
from stream.training.aims import Aim
from stream.training.calibration import Bin
from stream.training.card import Ahead, Calibration, Card, Lookbacks, Looked, Part, Tried
from stream.training.diagnosis import Point, Reading
from stream.training.keeping import Eliminated
from tests.consumers.page.harmless import EVIL, harmless
from tests.consumers.page.reading import shown


@pytest.mark.parametrize("kind", ["text", "table", "multiclass", "few", "leak", "fraud", "unlabelled"])
def test_every_kind_of_card_gives_a_page_that_runs_and_fetches_nothing(kind, request):
    assert harmless(page(request.getfixturevalue(kind))).one("main")


def test_no_name_becomes_markup(multiclass):
    plain, evil = named(multiclass, "n"), named(multiclass, EVIL)
    assert harmless(page(evil)).shape == harmless(page(plain)).shape
    assert "<script>alert(1)</script>" in shown(evil).one("h1").text
    assert r"\x00\u202e\udc80" in shown(evil).one("h1").text  # what cannot be seen is written out


def named(card, name):
    """The card with a name at every place that a user, or a card from elsewhere, may fill."""
    reference = card.reference
    return replace(
        card,
        stream=name,
        version=name,
        chosen=f"logistic, {name}",
        plain=name,
        features=Features(numeric=[f"{name}x", f"{name}one"], categorical=[name]),
        kept=[name],
        leaks=[name, f"{name}x"],
        classes={f"{name}{at}": rows for at, rows in enumerate(card.classes.values())},
        left_out={name: 3},
        reading=Reading("overfit", name),
        tried=[replace(each, candidate=f"{name}{at}") for at, each in enumerate(card.tried)],
        elimination_curve=[Eliminated(name, 2, 0.1), Eliminated(name, 1, 0.2)],
        reference=Reference(
            reference.rows,
            reference.scores,
            {f"{name}x": reference.histograms["x"], f"{name}one": reference.histograms["one"]},
            {name: {f"{name}{at}": 10 for at in range(20)}},
            {name: 4},
        ),
        fingerprint=name,
        packages={name: name},
        risk=replace(card.risk, method=name),
    )


words = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=30),
    st.sampled_from(["", EVIL, "W" * 300, "two words", "score", "text", "שלום"]),
)
shares = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 1e-12, math.nan]))
numbers = st.one_of(st.floats(-1e30, 1e30), st.sampled_from([0.0, 1e-300, 1e9, 1e9 + 1e-7]))
whole = st.integers(1, 10**7)
histograms = st.builds(
    lambda edges, chance: Histogram(sorted(set(edges)), [chance.randrange(9) for _ in range(len(set(edges)) + 1)]),
    st.lists(numbers, max_size=25),
    st.randoms(use_true_random=False),
)
bins = st.lists(st.builds(Bin, whole, st.floats(0, 1), st.floats(0, 1)), max_size=15)
spans = st.tuples(st.floats(0, 0.5), st.floats(0.5, 1))
cards = st.builds(
    Card,
    stream=words,
    kind=st.sampled_from(["binary", "multiclass", "anomaly"]),
    features=st.builds(Features, text=st.lists(words, max_size=2), numeric=st.lists(words, max_size=3)),
    version=words,
    chosen=st.sampled_from(["logistic, words, C=10.0", "x"]),
    plain=st.sampled_from(["logistic, words, C=10.0", "x"]),
    scheme=st.sampled_from(["split", "expanding", "k-fold", "another"]),
    folds=st.lists(st.builds(Part, spans, spans), max_size=6),
    rows=st.integers(10**4, 10**7),
    fitted=st.integers(1, 10**4),
    first=st.one_of(st.none(), numbers),
    last=st.one_of(st.none(), numbers),
    classes=st.dictionaries(words, whole, min_size=1, max_size=4),
    left_out=st.dictionaries(words, whole, max_size=3),
    aim=st.sampled_from([Aim(), Aim(1.0, 3.0), Aim(alert_budget=0.0)]),
    threshold=numbers,
    risk=st.builds(Risk, shares, shares, shares, st.integers(0, 10**4), words),
    absolute=st.booleans(),
    trivial_risk=shares,
    against_plain=st.tuples(shares, shares, shares),
    reading=st.builds(Reading, st.sampled_from(["balanced", "overfit"]), words),
    leaks=st.lists(words, max_size=2),
    calibration=st.one_of(st.none(), st.builds(Calibration, st.booleans(), shares, shares, shares, shares, bins, bins)),
    tried=st.lists(st.builds(Tried, words, whole, st.none() | shares, shares, shares, st.none() | shares), max_size=4),
    chosen_by=st.sampled_from(["risk", "average precision", "stability"]),
    judged=st.integers(0, 10**4),
    lookbacks=st.one_of(
        st.none(),
        st.builds(
            Lookbacks,
            whole,
            st.lists(st.builds(Looked, words, whole, shares), min_size=1, max_size=4),
            st.lists(st.builds(Ahead, words, st.builds(Part, spans, spans)), min_size=1, max_size=4),
        ),
    ),
    cut_short=st.booleans(),
    learning_curve=st.lists(st.builds(Point, whole, shares, shares), max_size=5),
    stopping_curve=st.lists(st.floats(0, 1e9), max_size=80),
    elimination_curve=st.lists(st.builds(Eliminated, words, whole, shares), max_size=5),
    kept=st.lists(words, max_size=3),
    reference=st.builds(
        Reference,
        whole,
        histograms,
        st.dictionaries(words, histograms, max_size=3),
        st.dictionaries(words, st.dictionaries(words, whole, max_size=15), max_size=2),
        st.dictionaries(words, whole, max_size=3),
    ),
    fingerprint=words,
    packages=st.dictionaries(words, words, max_size=2),
    seed=whole,
    seconds=st.floats(0, 1e6),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(cards)
def test_any_card_gives_a_page_that_is_well_formed_and_harmless(card):
    assert harmless(page(card)).one("main")
