"""The simulated transactions: the same everywhere, labelled late and seldom, and changed where and as it says."""

import hashlib
import os
import subprocess
import sys
import tracemalloc
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from stream.simulators.fraud import FraudSimulator

ROOT = Path(__file__).resolve().parents[3]
BEGIN = 1_704_067_200.0
DAY = 86_400.0
SMALL = {"customers": 200, "terminals": 400}
"""Of 360 transactions a day."""

ALL = (("terminal_attack", 2), ("spending_shift", 4), ("night_fraud", 5), ("inflation", 6))
PRINT_DIGEST = """
import hashlib, msgspec
from stream.simulators.fraud import FraudSimulator
changes = (("terminal_attack", 2), ("spending_shift", 4), ("night_fraud", 5), ("inflation", 6))
rows = list(FraudSimulator(7, changes=changes, customers=200, terminals=400).rows(3_500))
print(hashlib.sha256(msgspec.json.encode(rows)).hexdigest())
"""


def digest(seed: int, count: int) -> str:
    """Return the sha256 of the first rows, which tell of the world before and after each change."""
    rows = list(FraudSimulator(seed, changes=ALL, **SMALL).rows(count))
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


def table(days: int, seed: int = 7, **more: Any) -> pd.DataFrame:
    """Return the rows of the first days, with the `day`, the `hour` and the label's `delay` in days."""
    rows = []
    for row in FraudSimulator(seed, **more):
        if row["time"] >= BEGIN + days * DAY:
            break
        rows.append(row)
    made = pd.DataFrame(rows)
    made["day"] = (made["time"] - BEGIN) // DAY
    made["hour"] = (made["time"] - BEGIN) % DAY / 3_600
    made["delay"] = (made["label_time"] - made["time"]) / DAY
    return made


def changed(kind: str, day: int, days: int, **more: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of days from a change on, and the same days' without it, of three seeds."""
    parts = [
        pd.concat([table(days, seed, changes=changes, **more).assign(seed=seed) for seed in (1, 2, 7)])
        for changes in (((kind, day),), ())
    ]
    return parts[0][parts[0]["day"] >= day], parts[1][parts[1]["day"] >= day]


@pytest.fixture(scope="module")
def still() -> pd.DataFrame:
    """Return 20 days of each of five seeds, without drift."""
    return pd.concat([table(20, seed, drift=False).assign(seed=seed) for seed in range(1, 6)], ignore_index=True)


# ------------------------------------------------------------------------------------------- the same rows


def test_the_same_seed_gives_the_same_rows_in_another_process_with_another_hash_seed() -> None:
    here = digest(7, 3_500)
    assert here == digest(7, 3_500)
    for hash_seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.strip() == here


def test_the_rows_are_those_that_were_measured() -> None:
    # another digest means another world: measure the figures of the module's docstring, and of docs/fraud.md, again
    assert digest(7, 3_500) == "97dbbbea02d10b67a13b1654cc0ba76c410d2ba3d399b61afa9f8c11f3cd7283"


def test_another_seed_gives_other_rows() -> None:
    assert digest(7, 600) != digest(8, 600)


def test_chunked_reading_equals_one_pass_and_disturbs_no_other() -> None:
    simulator = FraudSimulator(changes=ALL, **SMALL)
    stream = iter(simulator)
    chunked = []
    for size in (1, 359, 700, 0, 1_500):
        chunked += islice(stream, size)
        list(simulator.rows(900))
    assert chunked == list(simulator.rows(2_560))


@pytest.mark.parametrize("change", ALL)
def test_rows_before_a_change_are_those_of_the_world_without_drift(change: tuple[str, int]) -> None:
    drifting, without = (FraudSimulator(changes=(change,), drift=drift, **SMALL) for drift in (True, False))
    [known] = drifting.changes
    rows, others = list(drifting.rows(known.position + 1_500)), list(without.rows(known.position + 1_500))
    assert rows[: known.position] == others[: known.position]
    assert rows[known.position :] != others[known.position :]
    assert rows[known.position - 1]["time"] < known.time <= rows[known.position]["time"]


def test_the_changes_are_known_from_the_start_and_stand_in_order() -> None:
    changes = FraudSimulator(changes=ALL, **SMALL).changes
    assert [(change.kind, (change.time - BEGIN) / DAY) for change in changes] == list(ALL)
    assert all(one.position < two.position for one, two in pairwise(changes))
    assert FraudSimulator(drift=False).changes == ()
    assert FraudSimulator(changes=()).changes == ()


@pytest.mark.parametrize("customers", [200, 8_000])
def test_ids_are_unique_and_times_never_go_back(customers: int) -> None:
    rows = list(FraudSimulator(customers=customers).rows(30_000))
    assert [row["event_id"] for row in rows[:2]] == ["tx-000000000", "tx-000000001"]
    assert [int(row["event_id"][3:]) for row in rows] == list(range(len(rows)))
    assert all(before["time"] <= after["time"] for before, after in pairwise(rows))


def test_memory_is_flat_however_long_the_stream_runs() -> None:
    stream = iter(FraudSimulator(**SMALL, changes=ALL))

    def most(rows: int) -> int:
        tracemalloc.reset_peak()
        for _ in islice(stream, rows):
            pass
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        most(2_000)
        early = most(4_000)
        assert most(20_000) < 1.3 * early
    finally:
        tracemalloc.stop()


# ------------------------------------------------------------------------------------------- what is in them


def test_a_day_has_some_3500_transactions_few_of_them_at_night(still: pd.DataFrame) -> None:
    a_day = still.groupby(["seed", "day"]).size()
    assert a_day.between(3_250, 3_850).all()
    night = (still["hour"] < 5).mean()
    assert 0.015 < night < 0.035  # of a fifth of the day
    assert still["hour"].between(9, 21).mean() > 0.75


def test_customers_differ_and_buy_near_their_homes(still: pd.DataFrame) -> None:
    one = still[still["seed"] == 1]
    by_customer = one[one["scenario"] == 0].groupby("customer_id")
    assert by_customer.size().quantile(0.9) > 4 * by_customer.size().quantile(0.1)
    assert by_customer["amount"].mean().quantile(0.9) > 4 * by_customer["amount"].mean().quantile(0.1)
    assert one["customer_id"].nunique() > 1_950
    assert one["terminal_id"].nunique() > 1_990
    assert by_customer["terminal_id"].nunique().max() <= 20


def test_each_kind_of_fraud_is_as_frequent_as_it_says(still: pd.DataFrame) -> None:
    shares = still["scenario"].value_counts(normalize=True)
    assert 0.0010 < shares[1] < 0.0014
    assert 0.0050 < shares[2] < 0.0080
    assert 0.0022 < shares[3] < 0.0038
    by_seed = (still["scenario"] > 0).groupby(still["seed"]).mean()
    assert by_seed.between(0.007, 0.014).all()
    assert ((still["truth"] == "fraud") == (still["scenario"] > 0)).all()


def test_the_first_days_have_as_much_fraud_as_any() -> None:
    first = pd.concat([table(2, seed, drift=False) for seed in range(20)])
    shares = first["scenario"].value_counts(normalize=True)
    assert shares[2] > 0.0045
    assert shares[3] > 0.0022


def test_a_share_of_kind_nought_gives_none_of_it() -> None:
    rows = table(6, amount_share=0.0, compromised_share=0.0, leaked_share=0.0, changes=(("terminal_attack", 1),))
    assert (rows["scenario"] == 0).all()


def test_amounts_that_are_too_high_are_so_for_their_customers_and_no_threshold_finds_all(still: pd.DataFrame) -> None:
    usual = still[still["scenario"] == 0]
    means = usual.groupby(["seed", "customer_id"])["amount"].mean().rename("mean").reset_index()
    high = still[still["scenario"] == 1].merge(means)
    times = high["amount"] / high["mean"]
    assert times.between(1.5, 14).all()
    assert times.median() > 4
    assert 0.2 < (high["amount"] < usual["amount"].quantile(0.98)).mean() < 0.8


def test_all_purchases_at_a_compromised_terminal_are_frauds_for_four_weeks() -> None:
    rows = table(60, drift=False, rate=4.0, leaked_share=0.0, amount_share=0.0)
    bad = rows[rows["scenario"] == 2].groupby("terminal_id")["day"].agg(["min", "max", "size"])
    bad = bad[(bad["min"] > 0) & (bad["max"] < 59) & (bad["size"] > 8)]
    lasted = bad["max"] - bad["min"] + 1
    assert len(bad) > 5
    assert lasted.max() <= 2 * 28  # one may be compromised twice
    assert 25 < lasted.median() <= 28
    all_at = rows[rows["terminal_id"].isin(bad[lasted <= 28].index)].join(bad, on="terminal_id")
    all_at = all_at[all_at["day"].between(all_at["min"], all_at["max"])]
    assert (all_at["scenario"] == 2).all()


def test_a_leaked_card_is_used_for_two_weeks_in_quick_succession_for_higher_amounts(still: pd.DataFrame) -> None:
    leaked = still[still["scenario"] == 3]
    cards = leaked.groupby(["seed", "customer_id"])
    lasted = cards["day"].agg(lambda days: days.max() - days.min() + 1)
    assert 9 < lasted[cards.size() >= 10].median() <= 14
    gaps = cards["time"].diff().dropna()
    assert (gaps < 1_800).mean() > 0.35
    usual = still[still["scenario"] == 0].groupby(["seed", "customer_id"])["amount"].mean().rename("mean")
    times = leaked.join(usual, on=["seed", "customer_id"])
    assert 3.0 < (times["amount"] / times["mean"]).mean() < 4.0


# ------------------------------------------------------------------------------------------- labels


def test_labels_come_of_the_few_inspected_soon_and_of_frauds_charged_back_late(still: pd.DataFrame) -> None:
    assert (still["label"].isna() == still["label_time"].isna()).all()
    told = still[still["label"].notna()]
    assert (told["label"] == told["truth"]).all()
    legitimate = told[told["truth"] == "legitimate"]
    assert legitimate["delay"].between(1, 2).all()
    assert 0.098 < len(legitimate) / (still["truth"] == "legitimate").sum() < 0.102
    frauds = still[still["truth"] == "fraud"]
    assert 0.88 < frauds["label"].notna().mean() < 0.94  # .1 + .9 * .9
    assert frauds["delay"].dropna().map(lambda days: 1 <= days <= 2 or 3 <= days <= 20).all()
    assert 0.08 < (frauds["delay"] <= 2).mean() < 0.12
    assert 5.5 < frauds["delay"].median() < 7.5
    assert frauds["delay"].max() > 18


@pytest.mark.parametrize(
    ("shares", "legitimate", "fraud"),
    [((0.0, 0.0), 0.0, 0.0), ((1.0, 0.0), 1.0, 1.0), ((0.0, 1.0), 0.0, 1.0)],
)
def test_who_is_told_of_is_set(shares: tuple[float, float], legitimate: float, fraud: float) -> None:
    rows = table(5, inspected_share=shares[0], charged_back_share=shares[1])
    told = rows["label"].notna().groupby(rows["truth"]).mean()
    assert (told["legitimate"], told["fraud"]) == (legitimate, fraud)


# ------------------------------------------------------------------------------------------- changes


def test_a_terminal_attack_compromises_three_times_as_many_and_its_frauds_are_small() -> None:
    after, before = changed("terminal_attack", 2, 40)
    later = after["day"] >= 30
    ratio = (after[later]["scenario"] == 2).mean() / (before[before["day"] >= 30]["scenario"] == 2).mean()
    assert 2.2 < ratio < 4.0
    assert after[later & (after["scenario"] == 2)]["amount"].max() <= 5.0
    assert before[before["scenario"] == 2]["amount"].median() > 15
    others = [(part["scenario"].isin([1, 3])).mean() for part in (after, before)]
    assert others[0] == pytest.approx(others[1], rel=0.25)


def test_a_spending_shift_moves_half_of_the_customers_to_other_terminals_and_amounts() -> None:
    rows = table(12, changes=(("spending_shift", 6),))
    rows = rows[rows["scenario"] == 0]
    places = rows["terminal_id"].str[9:].astype(int)
    now, then = ((rows["day"] >= 6), (rows["day"] < 6))
    away = (
        places[now].groupby(rows["customer_id"]).median() - places[then].groupby(rows["customer_id"]).median()
    ).abs()
    assert 0.42 < (np.minimum(away, 2_000 - away) > 25).mean() < 0.56
    spent = rows[now].groupby("customer_id")["amount"].mean() / rows[then].groupby("customer_id")["amount"].mean()
    moved = np.minimum(away, 2_000 - away) > 25
    assert spent[moved].quantile(0.9) > 3
    assert spent[~moved].quantile(0.9) < 2
    assert rows[now]["amount"].mean() == pytest.approx(rows[then]["amount"].mean(), rel=0.1)


def test_night_fraud_moves_frauds_to_the_night_but_those_at_terminals() -> None:
    after, before = changed("night_fraud", 2, 15)
    by_night = (after["hour"] < 5.5).groupby(after["scenario"]).mean()
    assert 0.7 < by_night[1] < 0.9
    assert 0.7 < by_night[3] < 0.9
    assert by_night[0] < 0.05
    assert by_night[2] < 0.1
    assert (before["hour"] < 5.5).groupby(before["scenario"]).mean().max() < 0.1
    assert (after["scenario"] > 0).mean() == pytest.approx((before["scenario"] > 0).mean(), rel=0.2)


def test_inflation_lets_all_amounts_rise_day_after_day() -> None:
    after, before = changed("inflation", 3, 34)
    assert (after["customer_id"].to_numpy() == before["customer_id"].to_numpy()).all()
    prices = after["amount"].to_numpy() / before["amount"].to_numpy()
    large = before["amount"].to_numpy() > 20  # of small ones the cents' rounding is felt
    np.testing.assert_allclose(prices[large], 1 + 0.02 * (after["day"].to_numpy()[large] - 3), rtol=1e-3)
    assert (before["scenario"].to_numpy()[large] > 0).any()


# ------------------------------------------------------------------------------------------- wrong arguments


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("customers", 0),
        ("terminals", 0),
        ("rate", 0.0),
        ("rate", 4.1),
        ("rate", float("nan")),
        ("amount_share", -0.1),
        ("compromised_share", 1.1),
        ("leaked_share", float("nan")),
        ("inspected_share", 2.0),
        ("charged_back_share", -1.0),
        ("changes", (("flood", 3),)),
        ("changes", (("inflation", 0),)),
        ("changes", (("inflation", 5), ("night_fraud", 4))),
        ("changes", (("inflation", 5), ("inflation", 6))),
    ],
)
def test_an_impossible_argument_is_refused_by_name(argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{argument}="):
        FraudSimulator(**{argument: value})
