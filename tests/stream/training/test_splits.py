"""Which rows fit, choose and judge: always in the order of time, and none twice."""

import numpy as np
import pytest

from stream.errors import TrainingError
from stream.training.splits import FOLDS, LEAVE_ONE_OUT, SMALL, plan


def test_many_rows_are_split_60_20_20_in_the_order_of_time():
    made = plan(10_000)
    (fold,) = made.folds
    assert np.array_equal(fold.fit, np.arange(6_000))
    assert np.array_equal(fold.predict, np.arange(6_000, 8_000))
    assert np.array_equal(made.chosen_on, np.arange(8_000))
    assert np.array_equal(made.judge, np.arange(8_000, 10_000))


@pytest.mark.parametrize("rows", [30, 31, 99, 1_000, SMALL - 1])
def test_few_rows_are_predicted_in_blocks_each_by_what_lies_before_it(rows):
    made = plan(rows)
    assert made.scheme == "expanding"
    assert len(made.folds) == FOLDS
    for fold in made.folds:
        assert fold.fit.max() < fold.predict.min()
        assert fold.fit.min() == 0
    asked = np.concatenate([fold.predict for fold in made.folds])
    assert np.array_equal(asked, np.arange(asked[0], made.judge[0]))
    assert made.judge[-1] == rows - 1


@pytest.mark.parametrize("scheme", ["auto", "split", "expanding", "k-fold"])
@pytest.mark.parametrize("rows", [40, 1_200, 5_001])
def test_whoever_judges_has_neither_fitted_nor_chosen(scheme, rows):
    made = plan(rows, scheme)
    judge = set(made.judge.tolist())
    assert not judge & set(made.chosen_on.tolist())
    assert len(judge) + len(made.chosen_on) == rows
    for fold in made.folds:
        assert not judge & set(fold.fit.tolist())
        assert not judge & set(fold.predict.tolist())
        assert not set(fold.fit.tolist()) & set(fold.predict.tolist())


def test_a_k_fold_asks_about_every_row_once_and_leaves_one_out_of_few():
    made = plan(LEAVE_ONE_OUT - 1, "k-fold")
    assert {len(fold.predict) for fold in made.folds} == {1}
    made = plan(LEAVE_ONE_OUT, "k-fold")
    assert len(made.folds) == FOLDS
    assert sorted(np.concatenate([fold.predict for fold in made.folds])) == sorted(made.chosen_on)
    assert not np.array_equal(made.judge, np.sort(made.judge))  # drawn


def test_a_k_fold_is_drawn_by_its_seed():
    assert np.array_equal(plan(500, "k-fold", 1).judge, plan(500, "k-fold", 1).judge)
    assert not np.array_equal(plan(500, "k-fold", 1).judge, plan(500, "k-fold", 2).judge)


def test_too_few_rows_are_refused_with_how_many_it_takes():
    with pytest.raises(TrainingError, match="29 labelled rows are too few .* 30 at least"):
        plan(29)
