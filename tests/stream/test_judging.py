"""What is thought of a baseline by alarms and inputs together."""

import msgspec
import numpy as np
import pandas as pd
import pytest

from stream.config import Features, Labels, Monitor, Stream
from stream.drift.brier import brier
from stream.drift.detectable import Delays, doubling
from stream.drift.inputs import Inputs
from stream.drift.outcomes import Outcomes
from stream.drift.profiler import Profiler
from stream.drift.rot import Limits
from stream.drift.selection import Cell
from stream.duration import Duration
from stream.monitoring import MonitoringTask
from stream.profile import Profile
from stream.records import Alarm, Input, Labelled, References
from stream.reference import Expected
from stream.training.reference import reference
from tests.stream.drift.worlds import EVERY, World

STREAM = Stream(classes=["no", "yes"])


class Stand:
    """A monitor in a world: each hundred events a profile, and their labels with it."""

    def __init__(self, seed=1, stream=STREAM, expected=None, delay=0.0):
        self.delay = delay
        self.world = World(seed, numbers=5)
        self.chance = np.random.default_rng(seed)
        self.monitor = MonitoringTask("s", stream)
        self.alarms: list[Alarm] = []
        self.sent = 0
        risk = Expected(0.06, self.world.reference, {"no": 500, "yes": 500}) if expected is None else expected
        self.feed([References("v1", risk, 0.06)])

    def feed(self, batch: list[Input]) -> None:
        self.alarms += self.monitor.feed(batch).alarms

    def profile(self, change=lambda row: row, labels=EVERY) -> Profile:
        rows, scores = self.world.draw(EVERY)
        made = self.world.profiler.profile(self.sent, [change(row) for row in rows], scores)
        return msgspec.structs.replace(made, until=float(self.sent + EVERY), labels=labels)

    def label(self, at: int, baseline: float, online: float) -> Labelled:
        truth = str(self.chance.choice(STREAM.classes))
        other = {"no": "yes", "yes": "no"}[truth]
        said = [other if self.chance.random() < error else truth for error in (baseline, online)]
        scores = (0.5, 0.5, 0.5)
        times = (float(at), at, truth, at + self.delay)
        return Labelled(f"e{at}", *times, {}, *scores, said[1], said[1], said[0], "o", "v1")

    def live(self, events, *, baseline=0.04, online=0.04, change=lambda row: row, labels=True):
        """The verdicts after each hundred events."""
        verdicts = []
        for _ in range(0, events, EVERY):
            self.feed([self.profile(change, EVERY if labels else 0)])
            if labels:
                self.feed([self.label(self.sent + at, baseline, online) for at in range(EVERY)])
            self.sent += EVERY
            verdicts.append(self.monitor.verdict)
        return verdicts


def times_100(row):
    return {**row, "x0": 100 * row["x0"]}


def moved(row):
    return {**row, "x0": row["x0"] + 0.8}


def test_a_field_that_breaks_is_named_and_is_not_called_rot_though_the_baseline_errs_on_it():
    stand = Stand()
    assert set(stand.live(2_000)) <= {"healthy"}
    during = stand.live(3_000, baseline=0.4, change=times_100)
    assert "data_quality" in during[:3]
    assert set(during[3:]) == {"data_quality"}
    assert stand.monitor.reason.startswith("x0: median")
    assert stand.monitor.reason.endswith("nothing is to be retrained on it")
    named = next(alarm for alarm in stand.alarms if alarm.verdict == "data_quality")
    assert (named.kind, named.position) == ("verdict", 2_099 + 100 * during.index("data_quality"))


def test_a_field_that_cannot_be_read_any_more_is_broken_and_named_until_it_can_be():
    stand = Stand()
    stand.live(2_000)
    for _ in range(3):  # a third of the events is lost, by two fields
        made = stand.profile(labels=50)
        stand.feed([msgspec.structs.replace(made, unread={"x1": 45, "": 5})])
        stand.sent += EVERY
    assert stand.monitor.verdict == "data_quality"
    assert stand.monitor.reason.startswith("x1: cannot be read in 33% of events, dead letters now; 0% at first")
    for _ in range(4):  # then all of them are
        nothing = msgspec.structs.replace(stand.world.profiler.profile(stand.sent, [], []), until=float(stand.sent))
        stand.feed([msgspec.structs.replace(nothing, events=0, unread={"x1": 100})])
    assert "in 100% of events" in stand.monitor.reason
    assert set(stand.live(1_000)[4:]) == {"healthy"}


@pytest.mark.parametrize(("first", "later"), [(0, 5), (25, 30)])
def test_events_that_cannot_be_read_break_nothing_where_they_are_few_or_were_there_from_the_first(first, later):
    stand = Stand()
    for at in range(30):
        stand.feed([msgspec.structs.replace(stand.profile(), unread={"x1": first if at < 10 else later})])
        stand.sent += EVERY
    assert stand.monitor.verdict != "data_quality"


def test_what_is_known_of_what_could_be_read_holds_where_other_events_could_not_be():
    stand = Stand()
    stand.live(1_500)
    stand.live(1_000, baseline=0.3)
    assert stand.monitor.verdict == "baseline_rot"
    for _ in range(4):
        stand.feed([msgspec.structs.replace(stand.profile(labels=0), unread={"x1": 50})])
        stand.sent += EVERY
    assert stand.monitor.verdict == "data_quality"
    assert stand.live(500, baseline=0.3)[-1] == "baseline_rot"
    assert stand.monitor.totals().judged == 3_000


def test_where_nothing_was_ever_scored_nothing_is_missed():
    stand = Stand()
    nothing = stand.world.profiler.profile(0, [], [])
    for until, labels in ((400.0, 300), (50_000.0, 0)):
        stand.feed([msgspec.structs.replace(nothing, until=until, labels=labels, unread={"x1": 100})])
        stand.feed([stand.label(at, 0.0, 0.0) for at in range(300)])
    assert stand.monitor.totals().verdict in ("healthy", "data_quality", "blind")


def test_when_the_field_is_whole_again_nothing_of_what_was_seen_meanwhile_counts():
    stand = Stand()
    stand.live(1_000)
    stand.live(2_000, baseline=0.4, change=times_100)
    assert stand.monitor.judging.judgement.held["paired"]
    broken = stand.sent
    late = [stand.label(at, 1.0, 0.0) for at in range(broken - 500, broken)]
    after = stand.live(400)
    assert after[-1] == "healthy"
    left_out, verdict = stand.monitor.counts.left_out, stand.monitor.verdict
    stand.feed(late)  # of events that were scored on the broken field, and are labelled now
    assert (stand.monitor.counts.left_out, stand.monitor.verdict) == (left_out + 500, verdict)


def test_inputs_that_move_are_a_shift_that_is_confirmed_as_harmless_by_labels_and_ends():
    stand = Stand(delay=2_000.0)
    stand.live(1_000)
    unlabelled = stand.live(1_000, change=moved, labels=False)
    assert unlabelled[-1] == "shift_unconfirmed"
    assert stand.monitor.reason.endswith("no event since has its label yet: wait for the labels")
    assert "x0: median" in stand.monitor.reason
    labelled = stand.live(8_000, change=moved, baseline=0.02, online=0.02)
    assert labelled[-1] == "benign_shift"
    assert "the baseline gets 2" in stand.monitor.reason.replace("gets 1", "gets 2")
    assert stand.live(1_500)[-1] == "healthy"


def test_inputs_that_move_and_cost_something_are_rot_and_the_reason_says_what_moved():
    stand = Stand()
    stand.live(1_000)
    assert stand.live(3_000, change=moved, baseline=0.3)[-1] == "baseline_rot"
    assert "what has moved: x0: median" in stand.monitor.reason
    assert "since about" in stand.monitor.reason


def test_it_says_when_the_first_labels_of_what_has_moved_are_final():
    stand = Stand(stream=msgspec.structs.replace(STREAM, labels=Labels(maturity=Duration(86_400))), delay=86_400.0)
    stand.live(1_000)
    stand.live(1_000, change=moved, labels=False)
    assert "the first are final by 1970-01-02T00:" in stand.monitor.reason


def test_labels_whose_shares_move_are_a_shift():
    stand = Stand(expected=Expected(0.06, None, {"no": 900, "yes": 100}))
    assert "shift_unconfirmed" in stand.live(2_000)
    assert "labels: 'no' 90% ->" in stand.monitor.reason or "labels: 'yes' 10% ->" in stand.monitor.reason


def test_without_a_reference_of_its_inputs_a_baseline_is_judged_by_labels_alone():
    stand = Stand(expected=Expected(0.06))
    assert set(stand.live(2_000, change=times_100)) == {"healthy"}
    assert stand.monitor.totals().findings == []
    stand.feed([References("v1", Expected(0.06, stand.world.reference), 0.06)])  # it comes later, as after an upgrade
    assert stand.live(500, change=times_100)[-1] == "data_quality"


def test_a_new_baseline_has_nothing_to_do_with_what_the_inputs_of_the_former_were():
    stand = Stand()
    stand.live(1_000)
    stand.live(1_000, change=times_100)
    assert stand.monitor.verdict == "data_quality"
    stand.feed([References("v2", Expected(), None)])
    assert stand.monitor.judging.moves.findings == []
    assert stand.live(100)[-1] == "healthy"  # profiles of the former are none of it


@pytest.mark.parametrize("step", [1, 37, 1_000])
def test_state_and_alarms_are_the_same_in_any_batches_and_behind_each_snapshot(step):
    stand = Stand()
    inputs: list[Input] = [References("v1", Expected(0.06, stand.world.reference, {"no": 1, "yes": 1}), 0.06)]
    for change, baseline in ((lambda row: row, 0.04), (moved, 0.04), (times_100, 0.3), (lambda row: row, 0.04)):
        for _ in range(6):
            inputs.append(stand.profile(change))
            inputs += [stand.label(stand.sent + at, baseline, 0.04) for at in range(EVERY)]
            stand.sent += EVERY
    whole, parts = MonitoringTask("s", STREAM), MonitoringTask("s", STREAM)
    expected = whole.feed(inputs).alarms
    found = []
    for at in range(0, len(inputs), step):
        found += parts.feed(inputs[at : at + step]).alarms
        if step > 1 or at % 100 == 0:
            body = parts.snapshot().body
            parts = MonitoringTask("s", STREAM)
            parts.restore(body, {})
            assert parts.snapshot().body == body
    assert found == expected
    assert "data_quality" in {alarm.verdict for alarm in found}
    assert parts.digest() == whole.digest()
    assert parts.snapshot().body == whole.snapshot().body


def sure(at, score, version="v1"):
    """A record of both models' right answers; ``score``: what the baseline gives to the true class."""
    return Labelled(f"e{at}", float(at), at, "yes", float(at), {}, 0.9, 0.9, score, "yes", "yes", "yes", "o", version)


@pytest.mark.parametrize(("loss", "alarms"), [("errors", set()), ("errors+brier", {"paired"})])
def test_probabilities_that_get_worse_count_where_the_loss_has_them(loss, alarms):
    stream = msgspec.structs.replace(STREAM, monitor=Monitor(loss=loss))
    monitor = MonitoringTask("s", stream)
    monitor.feed([References("v1", Expected(0.06), 0.06)])
    monitor.feed([sure(at, 0.9) for at in range(1_000)])
    said = monitor.feed([sure(at, 0.55) for at in range(1_000, 3_000)]).alarms
    assert {alarm.kind for alarm in said if alarm.kind != "verdict"} == alarms
    again = MonitoringTask("s", stream)
    again.restore(monitor.snapshot().body, {})
    assert again.digest() == monitor.digest()


def test_brier_scores_are_of_the_class_that_is_true():
    assert brier(0.9, 1) == pytest.approx(0.01)
    assert brier(0.9, 0) == pytest.approx(0.81)
    assert brier([1.0, 0.0], 1) == 1.0
    assert brier(None, 1) is None


def test_labels_of_two_breaks_are_left_out_however_late_they_come():
    stand = Stand()
    stand.live(1_000)
    late = []
    for _ in range(2):
        begun = stand.sent
        stand.live(1_000, change=times_100, labels=False)
        stand.live(600, labels=False)
        late += [stand.label(at, 1.0, 0.0) for at in range(begun + 200, begun + 1_000)]
    before = stand.monitor.counts.left_out
    stand.feed(late)
    assert stand.monitor.counts.left_out == before + len(late)
    assert not any(alarm.kind == "paired" for alarm in stand.alarms)


def test_a_break_that_a_swap_ends_is_remembered():
    stand = Stand()
    stand.live(1_000)
    begun = stand.sent
    stand.live(1_000, change=times_100, labels=False)
    assert stand.monitor.verdict == "data_quality"
    stand.feed([References("v2", Expected(0.06), 0.06, since=float(stand.sent))])
    before = stand.monitor.counts.left_out
    stand.feed([stand.label(at, 1.0, 0.0) for at in range(begun + 200, begun + 900)])
    assert stand.monitor.counts.left_out == before + 700
    assert not any(alarm.kind == "paired" for alarm in stand.alarms)


def also_moved(row):
    return {**row, "x0": row["x0"] + 0.8, "x1": row["x1"] + 2.0}


def test_what_moves_later_is_another_shift_of_which_nothing_is_known_yet():
    stand = Stand(delay=2_000.0)
    stand.live(1_000)
    assert stand.live(8_000, change=moved, baseline=0.02, online=0.02)[-1] == "benign_shift"
    assert stand.live(1_000, change=also_moved, labels=False)[-1] == "shift_unconfirmed"


def test_a_task_that_lags_behind_a_swap_does_not_take_the_monitor_back():
    stand = Stand()
    stand.live(500)
    reference = stand.world.reference
    stand.feed([References("v2", Expected(0.06, reference), 0.06, since=500.0)])
    stand.feed([References("v1", Expected(0.06, reference), 0.06)])
    assert stand.monitor.judging.moves.version == "v2"
    stand.feed([References("v1", Expected(0.06, reference), 0.06, since=900.0)])  # a rollback
    assert stand.monitor.judging.moves.version == "v1"


def test_models_that_were_always_wrong_together_can_be_judged():
    monitor = MonitoringTask("s", STREAM)
    wrong = Labelled("e", 0.0, 0, "yes", 0.0, {}, 0.1, 0.1, 0.1, "no", "no", "no", "o", "v1")
    monitor.feed([msgspec.structs.replace(wrong, event_id=f"e{at}", time=float(at)) for at in range(1_200)])
    assert monitor.judging.sight.rise is None  # it cannot err twice as often
    assert doubling(Outcomes(0.0, 0.0, 1.0), Limits(), None).paired == float("inf")


def test_a_record_of_before_a_column_was_added_is_judged_all_the_same():
    stream = msgspec.structs.replace(STREAM, features=Features(numeric=["x0", "new"]))
    monitor = MonitoringTask("s", stream)
    monitor.feed([sure(at, 0.9) for at in range(5)])
    assert monitor.counts.labelled == 5


def test_a_profile_that_does_not_fit_is_a_dead_letter_and_the_monitor_goes_on():
    stand = Stand()
    made = msgspec.structs.replace(stand.profile(), numbers={})
    out = stand.monitor.feed([made])
    [letter] = out.dead_letters
    assert letter.source == "profiles"
    assert "has no column" in letter.reason
    assert stand.monitor.totals().unbalanced() is None
    assert stand.live(200)[-1] == "healthy"


def test_under_other_limits_evidence_begins_anew_behind_a_restart():
    stand = Stand()
    stand.live(1_000, baseline=0.08)
    body = stand.monitor.snapshot().body
    for tolerated, events in ((10.0, 1_000), (100.0, 0)):
        limits = Monitor(tolerate_extra_errors_per_1000=tolerated)
        again = MonitoringTask("s", msgspec.structs.replace(STREAM, monitor=limits))
        again.restore(body, {})
        assert again.judging.judgement.rot.events == events
        assert again.judging.judgement.limits.tolerance == tolerated / 1_000


def test_labels_that_were_chosen_count_for_nothing_until_they_are_fair_again():
    stand = Stand()
    stand.live(500)
    stand.monitor.judging.sight.health.selection.baseline["yes"] = Cell(1e4, 1e4, 5e3, 1e3, 1e4)
    stand.live(100)
    assert stand.monitor.verdict == "blind"
    assert "labels were chosen" in stand.monitor.reason
    counted = stand.monitor.counts.labelled
    stand.live(300, baseline=0.9)
    assert stand.monitor.counts.labelled == counted
    del stand.monitor.judging.sight.health.selection.baseline["yes"]
    assert stand.live(200)[-1] == "healthy"
    assert stand.monitor.judging.judgement.rot.events <= 200


def test_a_baseline_that_trails_online_models_less_is_no_reason_to_wait_for_labels():
    stand = Stand(delay=2_000.0)
    stand.live(3_000, online=0.3)
    assert stand.monitor.judging.judgement.held["reverse"]
    stand.live(1_000, online=0.3, change=moved)
    verdicts = stand.live(9_000, baseline=0.02, online=0.3, change=moved)
    assert stand.monitor.judging.judgement.shift == "benign"
    assert "shift_unconfirmed" not in verdicts[-20:]


def test_few_narrow_bins_of_a_sure_baselines_score_are_no_drift():
    chance = np.random.default_rng(5)

    def sure_scores(count, spread):
        side = chance.random(count) < 0.5
        near = chance.exponential(spread, count).clip(0, 0.04)
        return np.where(side, near, 1.0 - near)

    world = World(5, numbers=2)
    rows, _ = world.draw(3_000)
    made = reference(world.features, pd.DataFrame(rows), sure_scores(3_000, 0.01))
    profiler, inputs = Profiler("v1", world.features, made), Inputs("v1", made)
    for at in range(30):
        rows, _ = world.draw(EVERY)
        scores = sure_scores(EVERY, 0.001).tolist()
        inputs.update(profiler.profile(at * EVERY, rows, scores))
    assert [found for found in inputs.findings if found.kind == "score"] == []


def test_a_rise_that_is_never_found_goes_through_the_state_as_it_is(monkeypatch):
    monkeypatch.setattr("stream.drift.sight.doubling", lambda *_: Delays(float("inf"), None))
    stand = Stand()
    stand.live(600)
    again = MonitoringTask("s", STREAM)
    again.restore(stand.monitor.snapshot().body, {})
    assert again.digest() == stand.monitor.digest()
    assert stand.monitor.totals().labels.rise is None
