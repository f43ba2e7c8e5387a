from collections import Counter
from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.heavy import MOST, Heavy, heavy, merged

words = st.one_of(
    st.lists(st.sampled_from("abcdefgh"), max_size=40),
    st.integers(0, 10**6).map(lambda seed: [str((seed * each * each) % 997) for each in range(1_200)]),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(words, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_counts_are_too_low_by_what_was_shed_at_most_in_any_order(parts, chance):
    exact = Counter(word for part in parts for word in part)
    sketches = [heavy(part) for part in parts]
    while len(sketches) > 1:
        chance.shuffle(sketches)
        sketches[:2] = [merged(sketches[0], sketches[1])]
    made = sketches[0]
    assert len(made.counts) <= MOST
    assert made.total == exact.total()
    assert made.shed <= made.total / (MOST + 1)
    assert all(count - made.shed <= made.counts.get(word, 0) <= count for word, count in exact.items())
    assert made.counts.keys() <= exact.keys()


@settings(deadline=None, max_examples=50)
@given(words, words)
def test_two_add_up_to_the_same_either_way(a, b):
    one, other = merged(heavy(a), heavy(b)), merged(heavy(b), heavy(a))
    assert (list(one.counts.items()), one.total, one.shed) == (list(other.counts.items()), other.total, other.shed)


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=40), min_size=1, max_size=6))
def test_while_all_words_fit_counts_are_exact(parts):
    made = reduce(merged, map(heavy, parts), Heavy())
    assert made.counts == Counter(word for part in parts for word in part)
    assert made.shed == 0
