"""The simulated mail: the same everywhere, and its changes are where it says and do what it says."""

import hashlib
import os
import subprocess
import sys
from itertools import islice, pairwise
from pathlib import Path

import msgspec
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from stream.simulators.mail import Mail, MailSimulator

ROOT = Path(__file__).resolve().parents[3]
WARM_UP = 2_500
CHANGE_AT = (4_000, 6_000)
PRINT_DIGEST = """
import hashlib, msgspec
from stream.simulators.mail import MailSimulator
rows = list(MailSimulator(7, change_at=(1_000, 2_000)).rows(3_000))
print(hashlib.sha256(msgspec.json.encode(rows)).hexdigest())
"""


def digest(seed: int, count: int) -> str:
    """Return the sha256 of the first rows, which tell of the world before and after its first change."""
    rows = list(MailSimulator(seed, change_at=(1_000, 2_000)).rows(count))
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


def frozen_errors(rows: list[Mail], bounds: tuple[int, ...]) -> list[float]:
    """Return the error rates, between bounds, of a model fitted on the warm-up and left alone."""
    texts = [f"{row['subject']} {row['body']}" for row in rows]
    labels = [row["label"] for row in rows]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=1_000))
    model.fit(texts[:WARM_UP], labels[:WARM_UP])
    return [
        1.0 - float(model.score(texts[start:stop], labels[start:stop])) for start, stop in pairwise((WARM_UP, *bounds))
    ]


def test_the_same_seed_gives_the_same_rows_in_another_process_with_another_hash_seed() -> None:
    here = digest(7, 3_000)
    assert here == digest(7, 3_000)
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


def test_the_rows_are_those_that_were_calibrated() -> None:
    # another digest means another world: measure the error rates of the module's docstring again
    assert digest(7, 3_000) == "15ca7af2b6e4dcdab621e2abc92a84a034934afe640672d259aa67177131cb45"


def test_another_seed_gives_other_rows() -> None:
    assert digest(7, 600) != digest(8, 600)


def test_ids_are_unique_and_times_increase() -> None:
    rows = list(MailSimulator().rows(5_000))
    assert [row["event_id"] for row in rows[:2]] == ["mail-000000000", "mail-000000001"]
    assert len({row["event_id"] for row in rows}) == len(rows)
    assert all(before["time"] < after["time"] for before, after in pairwise(rows))


def test_texts_have_fifteen_to_sixty_words_and_new_words_never_end() -> None:
    words = [f"{row['subject']} {row['body']}".split() for row in MailSimulator(drift=False).rows(8_000)]
    assert all(15 <= len(row) <= 60 for row in words)
    seen = {word for row in words[:7_000] for word in row}
    assert len({word for row in words[7_000:] for word in row} - seen) > 300


def test_chunked_reading_equals_one_pass() -> None:
    stream = iter(MailSimulator())
    chunked = [row for size in (1, 511, 700, 0, 1_288) for row in islice(stream, size)]
    assert chunked == list(MailSimulator().rows(2_500))


def test_every_iteration_begins_anew_and_disturbs_no_other() -> None:
    simulator = MailSimulator()
    one = simulator.rows(1_200)
    begun = list(islice(one, 600))
    assert list(simulator.rows(1_200)) == begun + list(one)


def test_rows_before_the_first_change_are_those_of_the_world_without_drift() -> None:
    drifting = list(MailSimulator(change_at=(1_000,)).rows(1_500))
    still = list(MailSimulator(drift=False).rows(1_500))
    assert drifting[:1_000] == still[:1_000]
    assert drifting[1_000:] != still[1_000:]


def test_the_changes_are_known_from_the_start_and_stand_in_order() -> None:
    changes = MailSimulator().changes
    assert [(change.position, change.kind) for change in changes] == [
        (8_000, "campaigns"),
        (9_000, "ham_shift_begin"),
        (11_000, "mutation"),
        (13_000, "ham_shift_end"),
        (14_000, "campaigns"),
        (17_000, "mutation"),
        (18_000, "prior"),
    ]
    assert MailSimulator(drift=False).changes == ()
    assert MailSimulator(change_at=()).changes == ()


@pytest.mark.parametrize("change_at", [(60,), (60, 120), tuple(range(500, 8_500, 500)), (100, 1_000, 1_060)])
def test_any_number_of_change_points_gives_ordered_changes_and_rows(change_at: tuple[int, ...]) -> None:
    simulator = MailSimulator(change_at=change_at)
    positions = [change.position for change in simulator.changes]
    assert positions == sorted(positions)
    assert [change.position for change in simulator.changes if change.kind == "campaigns"] == list(change_at)
    assert len(list(simulator.rows(600))) == 600


@pytest.mark.parametrize("change_at", [(0,), (-5,), (59,), (8_000, 8_000), (14_000, 8_000)])
def test_change_points_that_are_too_near_or_out_of_order_are_refused_by_name(
    change_at: tuple[int, ...],
) -> None:
    with pytest.raises(ValueError, match=r"change_at=.*must be at least 60 rows after"):
        MailSimulator(change_at=change_at)


def test_a_new_campaigns_words_come_with_the_change_and_a_stopped_ones_go() -> None:
    rows = list(MailSimulator(change_at=CHANGE_AT).rows(6_000))
    before, after = (" ".join(row["body"] for row in part).split() for part in (rows[:4_000], rows[4_000:]))
    assert before.count("casino") > 50
    assert after.count("casino") == 0
    assert before.count("bitcoin") == 0
    assert after.count("bitcoin") > 50


def test_a_mutation_writes_letters_of_some_words_as_digits() -> None:
    simulator = MailSimulator(change_at=CHANGE_AT)
    mutation = next(change.position for change in simulator.changes if change.kind == "mutation")
    rows = list(simulator.rows(6_000))

    def disguised(part: list[Mail]) -> int:
        words = {word for row in part for word in row["body"].split()}
        return sum(len(word) < 10 and not word.isalpha() for word in words)  # tokens have ten characters

    assert mutation == 5_000
    assert disguised(rows[:mutation]) == 0
    assert disguised(rows[mutation:]) >= 10


@pytest.mark.parametrize("seed", [7, 8])
def test_a_frozen_models_error_rises_at_each_change(seed: int) -> None:
    rows = list(MailSimulator(seed, change_at=CHANGE_AT).rows(8_000))
    stationary, first, second = frozen_errors(rows, (*CHANGE_AT, 8_000))
    assert stationary < 0.05
    assert first > stationary + 0.05
    assert second > first + 0.03


@pytest.mark.parametrize("seed", [7, 8])
def test_a_frozen_models_error_stays_without_drift(seed: int) -> None:
    rows = list(MailSimulator(seed, drift=False).rows(8_000))
    errors = frozen_errors(rows, (*CHANGE_AT, 8_000))
    assert max(errors) < 0.05
    assert max(errors) - min(errors) < 0.02
