"""The monitor with all settings on: the same alarms and the same state whatever the batches and the restores."""

from functools import cache

import msgspec
import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.config import Labels, Monitor, Stream
from stream.duration import Duration
from stream.monitoring import MonitoringTask
from stream.profile import UNIT, Answered
from stream.records import Alarm, Input, Labelled, Lost, References, Skip, Tick, Undecodable
from stream.reference import Expected
from tests.stream.drift.worlds import EVERY, World

CLASSES = ["no", "yes"]
DETECTORS = {
    "baseline": ["adwin", "page-hinkley", "ddm", "eddm", "hddm-a", "hddm-w"],
    "online": ["adwin", "hddm-w"],
    "disagreement": ["adwin", "ddm"],
    "gap": ["page-hinkley", "kswin"],
    "baseline_score": ["adwin"],
}
PHASES = [
    # hundreds of events, version, errors of both, what befalls the rows
    (5, "v1", (0.05, 0.05), lambda row: row),
    (3, "v1", (0.05, 0.05), lambda row: {**row, "x0": row["x0"] + 1.5}),
    (4, "v1", (0.5, 0.1), lambda row: {**row, "x1": None, "country": "??"}),
    (6, "v1", (0.5, 0.05), lambda row: row),
    (5, "v2", (0.05, 0.3), lambda row: row),
]


def stream(world: World) -> Stream:
    return Stream(
        classes=CLASSES,
        features=world.features,
        labels=Labels(maturity=Duration(50), request_share=0.8, request_disagreements=True),
        monitor=Monitor(
            false_alarm_every=200,
            tolerate_extra_errors_per_1000=70,
            tolerate_above_reference_per_1000=5,
            must_know_within=Duration(3_600),
            costs={"no": {"yes": 2.0}, "yes": {"no": 7.5}},
            detectors=DETECTORS,
        ),
    )


@cache
def life() -> tuple[Stream, list[Input]]:
    """Settings, and the inputs of a life in which everything comes once."""
    world, chance = World(3, numbers=5), np.random.default_rng(3)
    known = Expected(0.08, world.reference, {"no": 700, "yes": 300})
    inputs: list[Input] = [References("v1", known, 0.08), Tick(0.5)]
    at = 0
    for hundreds, version, errors, change in PHASES:
        if version != "v1":
            inputs.append(References(version, known, None))
        for _ in range(hundreds):
            rows, scores = world.draw(EVERY)
            rows = [change(row) for row in rows]
            labelled = [
                record(chance, at + place, row, score, errors, version)
                for place, (row, score) in enumerate(zip(rows, scores, strict=True))
            ]
            profile = world.profiler.profile(at, rows, [one.baseline for one in labelled])
            pairs: dict[str, dict[str, int]] = {name: dict.fromkeys(CLASSES, 0) for name in CLASSES}
            for one in labelled:
                pairs[one.baseline_label][one.online_label] += 1
            answers = Answered(pairs, round(sum(one.online for one in labelled) * UNIT))
            inputs.append(replace(profile, version=version, until=float(at + EVERY), answers=answers))
            inputs += labelled
            inputs += [replace(labelled[7], correction=True), replace(labelled[9], sampled=False)]
            at += EVERY
        inputs += [
            Undecodable("labelled", "no JSON"),
            Skip("labelled", "broke the code", at, b"?"),
            Lost("labelled", at, at + 1),
            Tick(float(at)),
        ]
    return stream(world), inputs


def record(chance, at, row, score, errors, version) -> Labelled:
    truth = chance.random() < 0.3
    called = [bool(truth ^ (chance.random() < error)) for error in errors]
    names = [CLASSES[one] for one in (truth, *called)]
    ours, others = (0.5 + (0.5 if call else -0.5) * chance.random() for call in called)
    return Labelled(
        f"e{at}", float(at), at, names[0], at + 30.0 * chance.random(), row,
        score, others, ours, names[2], names[2], names[1], "o", version,
    )  # fmt: skip


@cache
def one_pass() -> tuple[list[Alarm], str, dict]:
    made, inputs = life()
    whole = MonitoringTask("s", made)
    alarms = whole.feed(inputs).alarms
    return alarms, whole.digest(), remembered(whole)


def remembered(task: MonitoringTask) -> dict:
    """A snapshot without river's detectors, which are pickles: the digest compares these."""
    state = msgspec.json.decode(task.snapshot().body)
    assert state.pop("watched")
    return state


def test_in_this_life_nearly_everything_is_said():
    alarms, _, _ = one_pass()
    assert {"data_quality", "baseline_rot", "shift_unconfirmed"} <= {alarm.verdict for alarm in alarms}
    kinds = {alarm.kind for alarm in alarms}
    assert {"paired", "absolute_baseline", "verdict", "inputs_lost:labelled", "disagreement"} <= kinds
    assert any(kind.startswith("adwin:") for kind in kinds)


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])  # to shrink takes minutes
@given(st.lists(st.integers(1, 400), max_size=30), st.integers(0, 3))
def test_alarms_and_state_are_bit_equal_to_one_pass_in_any_batches_and_behind_any_restores(sizes, every):
    made, inputs = life()
    parts, found, begin = MonitoringTask("s", made), [], 0
    for number, size in enumerate([*sizes, len(inputs)]):
        found += parts.feed(inputs[begin : begin + size]).alarms
        begin += size
        if every and number % every == 0:
            body = parts.snapshot().body
            parts = MonitoringTask("s", made)
            parts.restore(body, {})
            assert remembered(parts) == {
                key: each for key, each in msgspec.json.decode(body).items() if key != "watched"
            }
    assert (found, parts.digest(), remembered(parts)) == one_pass()
