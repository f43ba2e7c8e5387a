import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from stream.drift.measures import SMOOTH, Shares, adjusted, more_than

counts = st.lists(st.integers(0, 500), min_size=3, max_size=12).filter(lambda drawn: sum(drawn) > 50)
pairs = st.integers(3, 12).flatmap(
    lambda size: st.tuples(*[st.lists(st.integers(1, 500), min_size=size, max_size=size)] * 2)
)


def shares(*columns, dependence=1.0):
    """Columns of (reference, present) counts."""
    r = np.concatenate([column[0] for column in columns]).astype(float)
    c = np.concatenate([column[1] for column in columns]).astype(float)
    starts = np.cumsum([0, *[len(column[0]) for column in columns[:-1]]])
    return Shares(r, c, starts, np.full((2, len(columns)), dependence))


@settings(deadline=None)
@given(pairs, pairs)
def test_chi_square_is_scipys(first, second):
    statistic, p = shares(first, second).chi_square()
    for at, (r, c) in enumerate((first, second)):
        expected = stats.chi2_contingency([r, c], correction=False)
        assert statistic[at] * expected.dof == pytest.approx(expected.statistic, rel=1e-6, abs=1e-9)
        assert p[at] == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)


@settings(deadline=None)
@given(pairs, pairs)
def test_the_kolmogorov_smirnov_distance_is_scipys(first, second):
    distance, p = shares(first, second).kolmogorov_smirnov()
    for at, (r, c) in enumerate((first, second)):
        a, b = (np.repeat(np.arange(len(each)), each) for each in (r, c))
        assert distance[at] == pytest.approx(stats.ks_2samp(a, b, method="asymp").statistic, abs=1e-9)
    assert np.all((p >= 0) & (p <= 1))


@settings(deadline=None)
@given(pairs)
def test_jensen_shannon_is_scipys_less_what_chance_makes(pair):
    r, c = (np.array(each) + SMOOTH for each in pair)
    made = shares(pair)
    chance = (len(r) - 1) * made.noise[0] / (8 * np.log(2))
    assert made.jensen_shannon()[0] == pytest.approx(max(0.0, jensenshannon(r, c, base=2) ** 2 - chance), abs=1e-9)


@settings(deadline=None)
@given(counts)
def test_equal_shares_have_moved_nowhere(drawn):
    made = shares((drawn, [3 * count for count in drawn]))
    assert made.psi()[0] == 0
    assert made.wasserstein(np.ones(len(drawn)))[0] == pytest.approx(0, abs=1e-9)
    assert made.kolmogorov_smirnov()[1][0] == pytest.approx(1, abs=1e-6)


def test_psi_is_what_chance_makes_on_average_where_nothing_moved():
    chance = np.random.default_rng(5)
    made = []
    for _ in range(400):
        column = chance.multinomial(4_000, [0.05] * 20), chance.multinomial(500, [0.05] * 20)
        one = shares(column)
        a, b = one._smooth(one.c, one.n), one._smooth(one.r, one.m)
        made.append(float(((a - b) * np.log(a / b)).sum() - 19 * one.noise[0]))
    assert np.mean(made) == pytest.approx(0.0, abs=0.002)


def test_psi_of_a_shift_of_half_a_standard_deviation_is_near_its_quarter():
    chance = np.random.default_rng(5)
    edges = stats.norm.ppf(np.linspace(0.05, 0.95, 19))
    r, c = (np.bincount(np.searchsorted(edges, chance.normal(m, 1, 200_000)), minlength=20) for m in (0.0, 0.5))
    assert shares((r, c)).psi()[0] == pytest.approx(0.25, abs=0.02)


@given(st.integers(1, 400), st.integers(0, 9))
def test_the_wasserstein_distance_of_shifted_bins_is_the_shift(rows, by):
    r, c = np.zeros(20), np.zeros(20)
    r[5], c[5 + by] = rows, rows
    assert shares((r, c)).wasserstein(np.full(20, 0.1))[0] == pytest.approx(0.1 * by, abs=1e-9)


def test_dependent_events_count_as_the_fewer_that_they_are_worth():
    column = [100] * 10, [40, 60] * 5
    statistic, p = shares(column).chi_square()
    _, dependent = shares(column, dependence=4.0).chi_square()
    assert dependent[0] == pytest.approx(stats.chi2.sf(statistic[0] * 9 / 4, 9), rel=1e-6)
    assert dependent[0] > p[0]
    assert shares(column, dependence=4.0).psi()[0] < shares(column).psi()[0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_p_values_are_adjusted_as_scipy_does(p):
    assert adjusted(np.array(p)) == pytest.approx(stats.false_discovery_control(p), abs=1e-12)


@given(st.integers(0, 50), st.integers(50, 200), st.floats(0.01, 0.9))
def test_so_many_or_more_is_the_binomials_tail(count, n, share):
    made = more_than(np.array([float(count)]), np.array([float(n)]), np.array([share]))[0]
    assert made == pytest.approx(stats.binom.sf(count - 1, n, share), abs=1e-9)
