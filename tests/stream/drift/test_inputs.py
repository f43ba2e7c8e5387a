import msgspec
import numpy as np
import pandas as pd
import pytest

from stream.config import Features
from stream.drift.comparison import State
from stream.drift.inputs import Inputs, LabelShares
from stream.drift.profiler import Profiler
from stream.errors import StateError
from stream.reference import Reference
from stream.training.reference import reference
from tests.stream.drift.worlds import EVERY, World, mails

BREAKS = {
    "unit": (lambda row: {**row, "amount": 100 * row["amount"]}, "amount", "outside"),
    "null": (lambda row: {**row, "x3": None}, "x3", "missing"),
    "renamed": (
        lambda row: {**row, "country": "NOR" if row["country"] == "no" else row["country"]},
        "country",
        "unseen",
    ),
}


def shifted(by):
    return lambda row: {**row, "x7": row["x7"] + by}


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_that_stands_still_gives_no_finding(seed):
    assert World(seed).live(10_000) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_shift_of_half_a_standard_deviation_is_found_within_1000_events_and_nothing_else(seed):
    world = World(seed)
    assert world.live(2_000) == []
    found = world.live(3_000, shifted(0.5))
    assert {each.feature for _, each in found} == {"x7"}
    at, first = found[0]
    assert at <= 1_000
    assert (first.schema, first.kind) == (False, "number")
    assert first.effect >= 0.2
    assert first.p < 1e-4
    assert first.kolmogorov_smirnov > 0.1
    assert 0 < first.jensen_shannon < 0.2
    assert first.present > first.reference


def test_a_shift_too_small_to_matter_is_not_found_however_many_events_there_are():
    world = World(1, trained_on=20_000)
    world.inputs = Inputs("v1", world.reference, window=5_000)
    assert world.live(40_000, shifted(0.1)) == []


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("seed", range(3))
def test_a_broken_field_is_named_within_300_events_and_whole_again_within_500(name, seed):
    change, feature, measure = BREAKS[name]
    world = World(seed)
    assert world.live(1_000) == []
    found = world.live(2_000, change)
    assert found[0][0] <= 300
    assert [(each.feature, each.measure, each.schema) for _, each in found] == [(feature, measure, True)]
    assert world.inputs.broken
    world.live(500)
    assert world.inputs.findings == []
    assert not world.inputs.broken
    assert world.live(4_000) == []


def test_a_unit_change_is_told_in_a_line():
    world = World(2)
    world.live(1_000)
    world.live(300, BREAKS["unit"][0])
    [found] = world.inputs.findings
    assert found.sentence.startswith("amount: median 11.9 -> mean 1,")
    assert found.sentence.endswith("above the range of training")
    assert found.since in {1_100, 1_200, 1_300}


def test_a_null_and_a_renamed_category_are_told_in_a_line():
    world = World(2)
    world.live(300, lambda row: BREAKS["null"][0](BREAKS["renamed"][0](row)))
    missing, unseen = world.inputs.findings
    assert missing.sentence == "x3: missing in 100% of events, 0% in training"
    assert (
        unseen.sentence == "country: 40% are of categories that training does not name, such as 'NOR'; 0% in training"
    )


def test_a_share_that_training_has_too_breaks_nothing():
    world = World(4)

    def half(rows):
        return [{**row, "x1": None if at % 2 else row["x1"]} for at, row in enumerate(rows)]

    rows, scores = world.draw(4_000)
    made = reference(world.features, pd.DataFrame(half(rows)), np.array(scores))
    inputs, profiler = Inputs("v1", made), Profiler("v1", world.features, made)
    for first in range(0, 5_000, EVERY):
        rows, scores = world.draw(EVERY)
        assert inputs.update(profiler.profile(first, half(rows), scores)) == []


def test_while_a_field_is_broken_the_score_that_is_made_of_it_says_nothing():
    world = World(5)
    world.live(1_000)
    for begin in range(0, 2_000, EVERY):
        rows, scores = world.draw(EVERY)
        rows = [BREAKS["null"][0](row) for row in rows]
        profile = world.profiler.profile(begin, rows, [min(1.0, 0.3 + score) for score in scores])
        world.inputs.update(profile)
        assert {each.feature for each in world.inputs.findings} <= {"x3"}
    world.live(500)
    assert world.inputs.findings == []


def test_a_score_that_moves_is_found_and_over_when_it_is_back():
    world = World(6)
    world.live(1_000)
    found = []
    for begin in range(0, 1_000, EVERY):
        rows, scores = world.draw(EVERY)
        found += world.inputs.update(world.profiler.profile(begin, rows, [1 - score for score in scores]))
    assert [(each.feature, each.kind) for each in found] == [("score", "score")]
    world.live(700)
    assert world.inputs.findings == []
    assert world.live(3_000) == []


def test_the_shares_of_categories_are_watched():
    world = World(7)
    world.live(1_000)
    found = world.live(1_000, lambda row: {**row, "country": "fi"} if row["country"] == "no" else row)
    assert {(each.feature, each.measure) for _, each in found} == {("country", "psi")}
    assert "PSI" in found[0][1].sentence


def test_any_split_of_the_profiles_of_a_slot_ends_in_the_same_state():
    world, other = World(8), World(8)
    rows, scores = world.draw(2_000)
    for first in range(0, 2_000, 100):
        world.inputs.update(world.profiler.profile(first, rows[first : first + 100], scores[first : first + 100]))
    for first in range(0, 2_000, 20):
        other.inputs.update(other.profiler.profile(first, rows[first : first + 20], scores[first : first + 20]))
    assert msgspec.json.encode(world.inputs.snapshot()) == msgspec.json.encode(other.inputs.snapshot())


@pytest.mark.parametrize("name", BREAKS)
def test_one_that_is_read_again_goes_on_bit_for_bit(name):
    world = World(9)
    world.live(700)
    world.live(250, BREAKS[name][0])
    state = msgspec.json.encode(world.inputs.snapshot())
    read = Inputs("v1", msgspec.json.decode(msgspec.json.encode(world.reference), type=Reference))
    read.restore(msgspec.json.decode(state, type=State))
    assert msgspec.json.encode(read.snapshot()) == state
    for begin in range(0, 2_000, 70):
        rows, scores = world.draw(70)
        profile = world.profiler.profile(begin, rows, scores)
        assert world.inputs.update(profile) == read.update(profile)
    assert msgspec.json.encode(read.snapshot()) == msgspec.json.encode(world.inputs.snapshot())


def test_the_state_is_as_large_after_many_events_as_after_some():
    world = World(10)
    world.live(2_000)
    some = len(msgspec.json.encode(world.inputs.snapshot()))
    world.live(6_000)
    assert len(msgspec.json.encode(world.inputs.snapshot())) < 1.1 * some


def test_a_profile_of_another_baseline_is_refused():
    world = World(11)
    other = Profiler("v2", world.features, world.reference).profile(0, [], [])
    with pytest.raises(StateError, match="baseline v2 cannot be held against that of v1"):
        world.inputs.update(other)


def test_a_profile_without_a_column_is_refused_by_its_name():
    world = World(11)
    other = Profiler("v1", Features(numeric=world.names), world.reference).profile(0, [], [])
    with pytest.raises(StateError, match="no column amount"):
        world.inputs.update(other)


def test_a_reference_from_before_there_were_wanders_and_vocabularies_serves():
    world = World(12)
    old = msgspec.to_builtins(world.reference)
    del old["wander"], old["vocabulary"]
    read = msgspec.convert(old, Reference)
    world.profiler, world.inputs = Profiler("v1", world.features, read), Inputs("v1", read)
    assert world.live(1_000) == []
    assert world.live(1_000, shifted(1.0))


def test_events_that_depend_on_one_another_are_not_taken_for_drift():
    chance = np.random.default_rng(13)
    features = Features(numeric=["x", "y"])

    def walk(count):
        steps = chance.normal(size=(count + 500, 2)) * np.sqrt(1 - 0.95**2)
        for at in range(1, len(steps)):
            steps[at] += 0.95 * steps[at - 1]
        return [{"x": float(x), "y": float(y)} for x, y in steps[500:]]

    made = reference(features, pd.DataFrame(walk(5_000)), chance.random(1_000))
    assert made.wander["x"].place > 10
    inputs, profiler, live = Inputs("v1", made), Profiler("v1", features, made), walk(20_000)
    for first in range(0, len(live), EVERY):
        profile = profiler.profile(first, live[first : first + EVERY], [None] * EVERY)
        assert inputs.update(profile) == []


def test_the_shares_of_labels_are_watched():
    chance = np.random.default_rng(14)
    shares = LabelShares({"ham": 700, "spam": 300})

    def draw(spam):
        return {"spam": (count := int(chance.binomial(50, spam))), "ham": 50 - count}

    assert not any(shares.update(draw(0.3)) for _ in range(100))
    found = [each for _ in range(20) for each in shares.update(draw(0.7))]
    assert [each.kind for each in found] == ["label"]
    assert found[0].sentence.startswith("labels: 'spam' 30% -> ")
    state = msgspec.json.decode(msgspec.json.encode(shares.snapshot()), type=State)
    read = LabelShares({"ham": 700, "spam": 300})
    read.restore(state)
    assert read.findings == shares.findings
    assert not [each for _ in range(20) for each in shares.update(draw(0.3))]
    assert shares.findings == []


# ------------------------------------------------------------------------------------------- texts


class Mailbox:
    """Mails whose words are drawn by shares; the reference is of 2,000 of them."""

    def __init__(self, seed):
        self.chance = np.random.default_rng(seed)
        self.shares = 1 / (np.arange(400) + 10)
        self.shares /= self.shares.sum()
        self.features = Features(text=["body"])
        texts = [row["body"] for row in mails(self.chance, 2_000, self.shares)]
        made = reference(self.features, pd.DataFrame({"text": texts}), self.chance.random(500))
        self.inputs, self.profiler, self.seen = Inputs("v1", made), Profiler("v1", self.features, made), 0

    def live(self, count, change=lambda text: text):
        found = []
        for _ in range(0, count, EVERY):
            rows = [{"body": change(row["body"])} for row in mails(self.chance, EVERY, self.shares)]
            found += self.inputs.update(self.profiler.profile(self.seen, rows, [None] * EVERY))
            self.seen += EVERY
        return found


def test_mails_that_stay_as_they_are_give_no_finding():
    assert Mailbox(1).live(6_000) == []


def test_new_words_are_found_and_named():
    box = Mailbox(2)
    box.live(1_000)
    found = [each for each in box.live(1_000, lambda text: text + " casino jackpot " * 3) if each.kind == "words"]
    assert [each.kind for each in found] == ["words"]
    assert {each.word for each in found[0].movers[:2]} == {"casino", "jackpot"}
    assert "'casino' in 0% -> " in found[0].sentence


def test_longer_mails_are_found():
    box = Mailbox(3)
    box.live(1_000)
    found = [each for each in box.live(1_000, lambda text: text + " " + text) if each.kind == "length"]
    assert found[0].sentence.startswith("length of the text: median ")


def test_a_text_that_is_gone_is_a_broken_field_and_whole_when_it_is_back():
    box = Mailbox(4)
    box.live(1_000)
    found = box.live(1_000, lambda _: "")
    assert [(each.kind, each.measure, each.schema) for each in found] == [("length", "missing", True)]
    assert box.live(500) == []
    assert box.inputs.findings == []
