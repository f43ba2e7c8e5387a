"""Whatever a replay came to, its page is well formed, runs nothing, fetches nothing, and is not large."""

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.page.replayed import replayed
from stream.chain import ChainTotals
from stream.config import Monitor, Stream
from stream.history import BINS, MOST, History, Point
from stream.records import VERDICT, Alarm
from stream.refitting import Refitted
from tests.consumers.page.harmless import EVIL, harmless
from tests.consumers.page.outcomes import alarm, monitoring, outcome, point, scoring


def test_no_name_becomes_markup():
    plain, evil = (harmless(replayed(named(name))) for name in ("n", EVIL))
    assert evil.shape == plain.shape
    assert "<script>alert(1)</script>" in evil.one("h1").text
    assert r"\x00\u202e\udc80" in evil.one("p", "calm").text  # what cannot be seen is written out


def named(name):
    """A replay with a name at every place that the data, or a user, may fill."""
    levels = {"paired": 0.01, name: 0.5}
    points = [
        point(at, verdict=name, version=name, evidence=levels, distances={f"{name}:{name}": 2.0, name: 0.5})
        for at in (100, 200)
    ]
    seen = monitoring(verdict=name, reason=name, alarms={name: 2}, off={name: name})
    return outcome(
        points,
        [alarm(150, kind, name, name) for kind in ("paired", name, VERDICT)],
        [Refitted(120, 600, name)],
        stream=name,
        settings=Stream(classes=[name, f"{name}2"], online=name, baseline=name),
        totals=ChainTotals(scoring(version=name), seen),
    )


words = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=30),
    st.sampled_from(["", EVIL, "W" * 300, ":", "number:", "label:label", "שלום", "paired", "baseline_rot"]),
)
numbers = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, 1e-12, 1e300]))
whole = st.integers(0, 10**9)
bins = st.lists(st.integers(0, 10**6), min_size=BINS, max_size=BINS)
detectors = st.sampled_from(["paired", "reverse", "absolute_baseline", "absolute_online", "another"])
intervals = st.tuples(numbers, numbers, numbers)
points = st.builds(
    Point,
    labelled=whole,
    position=st.integers(-1, 10**9),
    version=st.one_of(st.none(), words),
    verdict=words,
    errors=st.dictionaries(st.sampled_from(["baseline", "online"]), numbers),
    gap=st.one_of(st.none(), intervals),
    evidence=st.dictionaries(detectors, numbers),
    distances=st.dictionaries(words, numbers, max_size=3),
    scores=st.dictionaries(st.sampled_from(["baseline", "online", "another"]), bins),
)
outcomes = st.builds(
    outcome,
    points=st.lists(points, max_size=6),
    alarms=st.lists(
        st.builds(Alarm, words, whole, words, numbers, st.one_of(words, detectors), words, numbers, st.just({}), words),
        max_size=4,
    ),
    retrains=st.lists(st.builds(Refitted, whole, whole, words), max_size=3),
    stream=words,
    settings=st.builds(
        Stream,
        kind=st.sampled_from(["binary", "multiclass", "anomaly"]),
        classes=st.lists(words, max_size=3),
        online=words,
        baseline=words,
        warm_up=whole,
        monitor=st.builds(Monitor, whole, numbers, numbers),
    ),
    totals=st.builds(
        ChainTotals,
        st.builds(scoring, whole, st.one_of(st.none(), words)),
        st.one_of(
            st.none(),
            st.builds(
                monitoring,
                verdict=words,
                reason=words,
                off=st.dictionaries(words, words, max_size=2),
                excess=st.dictionaries(st.sampled_from(["deployed", "alarm"]), intervals),
                alarms=st.dictionaries(words, whole, max_size=2),
            ),
        ),
    ),
    models=st.dictionaries(
        st.sampled_from(["online", "baseline", "served"]),
        st.fixed_dictionaries({"errors": st.one_of(st.none(), whole), "log_loss": st.one_of(st.none(), numbers)}),
    ),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(outcomes)
def test_any_replay_gives_a_page_that_is_well_formed_and_harmless(made):
    assert harmless(replayed(made)).one("main")


def test_a_page_is_below_a_megabyte_however_long_the_stream():
    verdicts = ("healthy", "outgrown", "baseline_rot", "shift_unconfirmed")
    made = [
        point(
            1_300 * at,
            verdicts[at % 4],
            f"b{at // 20}",
            errors={"baseline": abs(math.sin(at)), "online": abs(math.cos(at))},
            gap=(math.sin(at), math.sin(at) - 0.1, math.sin(at) + 0.1),
            evidence={name: abs(math.sin(at + len(name))) for name in ("paired", "reverse", "absolute_baseline")},
            distances={f"number:{'column' * 8}{column}": abs(5 * math.sin(at * column)) for column in range(100)},
        )
        for at in range(1, MOST)
    ]
    alarms = [alarm(100 * at, reason="a long reason " * 30) for at in range(10_000)]
    retrains = [Refitted(1_000 * at, 600, "baseline-0123456789ab") for at in range(1_000)]
    page = replayed(outcome([], alarms, retrains, history=History(points=made)))
    assert len(page.encode()) < 1_000_000
