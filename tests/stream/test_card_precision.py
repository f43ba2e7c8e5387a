"""Card precision agrees with a direct computation, in any batches, and its memory is bounded."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream import card_precision
from stream.card_precision import DAY, OPEN, CardPrecision
from stream.digest import digest
from stream.prequential import MODELS
from stream.records import Labelled

NONE = {"card_precision": None, "card_days": 0}


def record(card, day, score, *, positive=False, came=None, hour=12.0):
    """A record of a card's event; its label came after ``came`` days, a week later unless told."""
    time = (day + hour / 24) * DAY
    came = time + 7 * DAY if came is None else came * DAY
    label = "yes" if positive else "no"
    features = {"card": card}
    return Labelled("e", time, 0, label, came, features, score, score, None, label, label, None, "o", None)


def fed(records, k=2, size=1_000):
    made = CardPrecision("card", k)
    for at in range(0, len(records), size):
        batch = records[at : at + size]
        made.update(batch, [0] * len(batch), "yes")
    return made


def life(seed, days=12, events=400, cards=60, delay=3):
    """Events in the order of time; some cards are compromised from some day on, and their labels come days later."""
    rng = np.random.default_rng(seed)
    since = dict(zip(range(cards), rng.choice([0, 3, 6, 99], cards, p=[0.05, 0.1, 0.1, 0.75]), strict=True))
    rows = pd.DataFrame({"time": np.sort(rng.uniform(0, days, days * events))})
    rows["card"] = rng.integers(0, cards, len(rows))
    rows["positive"] = (rows["time"] > rows["card"].map(since)) & (rng.random(len(rows)) < 0.3)
    rows["came"] = rows["time"] + delay * rng.uniform(0.2, 1.5, len(rows))
    for model in MODELS:
        rows[model] = np.round(rng.beta(2, 5, len(rows)) * 0.7 + 0.2 * rows["positive"], 4)
    return rows


def records(rows):
    return [
        Labelled(
            "e", row.time * DAY, 0, "yes" if row.positive else "no", row.came * DAY, {"card": f"c{row.card}"},
            row.served, row.online, row.baseline, "no", "no", "no", "o", "b",
        )
        for row in rows.itertuples()
    ]  # fmt: skip


def by_pandas(rows, model, k):
    """The handbook's card_precision_top_k, less cards whose first label came before the day; ties count by halves."""
    first = rows[rows["positive"]].groupby("card")["came"].min()
    shares = []
    for day, own in rows.groupby(rows["time"] // 1):
        unknown = own[~own["card"].isin(first[first < day].index)]
        best = unknown.groupby("card").agg({model: "max", "positive": "max"}).sort_values(model, ascending=False)
        if len(best) < k:
            continue
        last = best[model].iloc[k - 1]
        above, tied = best[best[model] > last], best[best[model] == last]
        shares.append((above["positive"].sum() + (k - len(above)) * tied["positive"].mean()) / k)
    return {"card_precision": np.mean(shares), "card_days": len(shares)}


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 20), size=st.integers(1, 3_000))
def test_it_is_what_pandas_computes_from_all_events_at_once(seed, k, size):
    rows = life(seed)
    made = fed(records(rows), k, size)
    for model in MODELS:
        assert made.figures(model) == pytest.approx(by_pandas(rows, model, k))


def test_a_card_is_its_greatest_score_and_positive_by_any_event_of_that_day():
    made = fed([record("a", 0, 0.9), record("a", 0, 0.1, positive=True), record("b", 0, 0.8), record("c", 0, 0.2)])
    assert made.figures("online") == {"card_precision": 0.5, "card_days": 1}


def test_a_card_known_when_the_day_began_gets_no_alert_and_one_found_out_that_day_does():
    past = [record("a", 0, 0.9, positive=True, came=0.9), record("b", 0, 0.8, positive=True, came=1.2)]
    today = [record(card, 1, 0.9, positive=True) for card in "ab"]
    rest = [record(card, 1, 0.1) for card in "xy"]
    assert fed(past + today + rest).figures("online")["card_precision"] == pytest.approx((1 + 0.5) / 2)


def test_a_label_that_comes_late_makes_a_card_known_only_then():
    past = [record("a", 0, 0.9, positive=True, came=5)]
    made = fed([*past, *(record(card, day, 0.9, positive=card == "a") for day in (4, 6) for card in "abc")], k=3)
    assert made.figures("online")["card_days"] == 1  # on day 6 two are left of three, and rank nothing
    assert made.figures("online")["card_precision"] == pytest.approx(1 / 3)


def test_whom_the_warm_up_knows_gets_no_alert():
    made = CardPrecision("card", 1)
    made.compromise("a", 0.0)
    made.update([record("a", 1, 0.9, positive=True), record("b", 1, 0.1)], [0, 0], "yes")
    assert made.figures("online")["card_precision"] == 0.0


def test_a_model_that_scored_nothing_and_events_without_a_card_have_no_figure():
    made = fed([record(None, 0, 0.5), *(record(card, 0, 0.5) for card in "abc")])
    assert made.figures("baseline") == NONE
    assert made.figures("online")["card_days"] == 1
    assert fed([]).figures("online") == NONE


def test_a_day_counts_for_the_stretch_of_its_first_record():
    made = CardPrecision("card", 1)
    made.update([record("a", 0, 0.9, positive=True), record("b", 0, 0.8), record("a", 1, 0.1)], [0, 1, 1], "yes")
    assert [made.figures("online", part)["card_precision"] for part in (0, 1, None)] == [1.0, 0.0, 0.5]


def test_a_closed_day_stays_as_it_was_and_what_comes_for_it_is_counted():
    made = fed([record(card, day, 0.5) for day in range(OPEN + 1) for card in "ab"])
    before = made.figures("online")
    made.update([record("a", 0, 0.9, positive=True, came=99)], [0], "yes")
    assert (made.late, made.figures("online")) == (1, before)


def test_times_that_are_far_off_close_no_day_too_early():
    usual = [record(card, day, 0.5, positive=card == "a", came=99) for day in range(20) for card in "abcdefgh"]
    wrong = [record("z", 1e6 * (-1) ** at * (1 + at), 0.5) for at in range(len(usual))]
    mixed = [each for pair in zip(usual, wrong, strict=True) for each in pair]
    assert fed(mixed).figures("online") == pytest.approx(fed(usual).figures("online"))
    assert fed(mixed).late == 0


def test_memory_is_bounded_however_many_cards_and_days_there_are(monkeypatch):
    monkeypatch.setattr(card_precision, "MOST_CARDS", 50)
    monkeypatch.setattr(card_precision, "CLOSED", 5)
    many = [record(f"c{day}-{i}", day, 0.5, positive=True) for day in range(30) for i in range(80)]
    made = fed(many)
    assert made.beyond == 30 * 30
    assert max(len(day.cards) for day in made.days.values()) == 50
    assert (len(made.days), len(made.closed), len(made.compromised), len(made.found)) == (OPEN, 5, 50, 1)


def test_it_goes_on_from_a_pickle_as_if_nothing_had_happened():
    rows = records(life(1))
    whole, before = fed(rows), fed(rows[:2_000])
    after = pickle.loads(pickle.dumps(before))  # noqa: S301 - made above
    for made in (before, after):
        made.update(rows[2_000:], [0] * (len(rows) - 2_000), "yes")
        assert digest(made) == digest(whole)
    assert after.figures("served") == whole.figures("served")
