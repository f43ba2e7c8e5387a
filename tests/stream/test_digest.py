"""Equal states have equal digests, different ones different digests, in any process."""

import os
import pickle
import subprocess
import sys
from collections import OrderedDict, deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import anomaly, drift, ensemble, forest, linear_model, naive_bayes, optim, preprocessing, tree
from sklearn.feature_extraction.text import TfidfVectorizer

from stream.digest import digest
from stream.errors import StateError

MODELS = {
    "logistic": lambda: linear_model.LogisticRegression(optim.AdaGrad(0.1)),
    "softmax": lambda: linear_model.SoftmaxRegression(optim.AdaGrad(0.1)),
    "pipeline": lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(),
    "naive Bayes": naive_bayes.BernoulliNB,
    "Hoeffding tree": lambda: tree.HoeffdingTreeClassifier(grace_period=10),
    "forest": lambda: forest.ARFClassifier(n_models=3, seed=1),
    "bagging": lambda: ensemble.ADWINBaggingClassifier(linear_model.LogisticRegression(), n_models=3, seed=1),
}
DETECTORS = {
    "ADWIN": drift.ADWIN,
    "Page-Hinkley": lambda: drift.PageHinkley(mode="up"),
    "KSWIN": lambda: drift.KSWIN(seed=1),
    "half-space trees": lambda: anomaly.HalfSpaceTrees(n_trees=3, height=3, window_size=20, seed=1),
}


def taught(name: str, rows: int):
    model, rng = MODELS[name](), np.random.default_rng(2)
    for _ in range(rows):
        x = {"a": float(rng.normal()), "b": float(rng.normal())}
        model.learn_one(x, x["a"] + x["b"] > 0)
    return model


def run(name: str, values: int):
    detector, rng = DETECTORS[name](), np.random.default_rng(3)
    for value in rng.random(values):
        if hasattr(detector, "learn_one"):
            detector.learn_one({"a": float(value)})
        else:
            detector.update(float(value > 0.5))
    return detector


@pytest.mark.parametrize(("make", "name"), [(taught, name) for name in MODELS] + [(run, name) for name in DETECTORS])
def test_a_river_model_keeps_its_digest_through_a_pickle_and_changes_it_by_one_more_step(make, name):
    model = make(name, 200)
    first = digest(model)
    assert digest(pickle.loads(pickle.dumps(model))) == first  # noqa: S301 - made on this line
    assert digest(make(name, 201)) != first


@pytest.mark.parametrize(("make", "name"), [(taught, name) for name in MODELS] + [(run, name) for name in DETECTORS])
def test_scoring_and_walking_do_not_change_a_digest(make, name):
    model = make(name, 60)
    first = digest(model)
    if hasattr(model, "predict_proba_one"):
        model.predict_proba_one({"a": 0.1, "b": 0.2})
    assert digest(model) == digest(model) == first


@pytest.mark.parametrize(
    ("make", "name"),
    [(taught, name) for name in MODELS] + [(run, name) for name in DETECTORS],
)
def test_two_models_that_learned_the_same_have_the_same_digest(make, name):
    assert digest(make(name, 200)) == digest(make(name, 200))


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@given(value=values)
def test_a_digest_does_not_depend_on_the_order_of_a_dict(value):
    def turned(item):
        if isinstance(item, dict):
            return {key: turned(item[key]) for key in reversed(list(item))}
        return [turned(part) for part in item] if isinstance(item, list) else item

    assert digest(turned(value)) == digest(value)


@given(weights=st.dictionaries(st.integers() | st.text(), st.floats(), max_size=8))
def test_nor_on_the_order_of_a_models_weights(weights):
    assert digest(dict(reversed(list(weights.items())))) == digest(weights)


@given(one=values, other=values)
def test_different_values_have_different_digests(one, other):
    assert (digest(one) == digest(other)) == (repr(one) == repr(other) or _same(one, other))


def _same(one, other) -> bool:
    """Equality that tells 1, 1.0, True, 0.0 and -0.0 apart."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return repr(one) == repr(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.0, -0.0),
        (1, 1.0),
        (1, True),
        ("1", 1),
        ("a", b"a"),
        ([1, [2]], [[1], 2]),
        ({1: 1.0}, {"1": 1.0}),
        ({1: 1.0, 2: 2.0}, {1: 2.0, 2: 1.0}),
        (np.zeros(4), np.zeros((2, 2))),
        (np.zeros(2), np.zeros(2, dtype=np.float32)),
        (0.1 + 0.2, 0.3),
        (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
        (deque([1, 2]), deque([2, 1])),
        ({1, 2}, {1, 3}),
    ],
    ids=repr,
)
def test_look_alikes_are_told_apart(one, other):
    assert digest(one) != digest(other)


def test_arrays_of_equal_content_are_equal_however_they_lie_in_memory():
    array = np.arange(12.0).reshape(3, 4)
    assert digest(array) == digest(np.asfortranarray(array)) == digest(np.hstack([array, array])[:, :4])


def test_a_state_that_refers_to_itself_is_refused():
    loop: list = []
    loop.append(loop)
    with pytest.raises(StateError, match="itself"):
        digest(loop)


def test_the_same_object_met_twice_is_no_cycle():
    shared = [1]
    assert digest([shared, shared]) == digest([[1], [1]])


STATE = """
import numpy as np
from river import drift, linear_model, optim
from sklearn.feature_extraction.text import TfidfVectorizer
from stream.digest import digest
model = linear_model.LogisticRegression(optim.AdaGrad(0.1))
adwin = drift.ADWIN()
for i in range(300):
    model.learn_one({f"w{(i * 7) % 31}": 1.0, f"w{(i * 5) % 17}": 1.0}, i % 3 == 0)
    adwin.update(float(i > 150))
words = TfidfVectorizer().fit(["a few words here", "and some more words there"])
print(digest([model, adwin, words, {"a", "b", "c"}, frozenset({"x", "y"}), {"k": {"p", "q"}}]))
"""


def test_a_digest_is_the_same_in_every_process_under_every_hash_seed():
    here: list[str] = []
    exec(STATE, {"print": here.append})  # noqa: S102 - the very code that the other process runs
    environment = {**os.environ, "PYTHONHASHSEED": "4321"}
    done = subprocess.run([sys.executable, "-c", STATE], capture_output=True, text=True, env=environment, check=True)
    assert [done.stdout.strip()] == here


def test_addresses_of_objects_do_not_count():
    one, other = TfidfVectorizer().fit(["some words"]), TfidfVectorizer().fit(["some words"])
    other._stop_words_id += 8  # what another process would have there
    assert digest(one) == digest(other)


def test_what_lies_between_the_fields_of_a_structured_array_does_not_count():
    nodes = np.dtype({"names": ["left", "flag"], "formats": ["<i8", "u1"], "offsets": [0, 8], "itemsize": 16})
    one, other = (np.frombuffer(bytes([1] * 9 + [left] * 7), dtype=nodes) for left in (0, 255))
    assert digest(one) == digest(other)
    assert digest(one) != digest(np.frombuffer(bytes([1] * 8 + [2] + [0] * 7), dtype=nodes))
