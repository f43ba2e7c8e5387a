"""Models that do not fit their stream are named before anything starts."""

import pytest

from stream.config import Features, Stream
from stream.errors import SettingError, TrainingError
from stream.factories import make_baseline, make_online

NUMBERS = Features(numeric=["a"])


@pytest.mark.parametrize(
    ("make", "settings", "named"),
    [
        (make_online, {"kind": "multiclass", "online": "recursive-logistic"}, "logistic, as kind is 'multiclass'"),
        (make_baseline, {"baseline": "isolation-forest"}, "logistic, as kind is 'binary'"),
        (make_online, {"online": "half-space-trees", "features": NUMBERS}, "logistic, as kind is 'binary'"),
        (make_online, {"kind": "anomaly", "online": "half-space-trees"}, "at least one column"),
        (
            make_online,
            {"kind": "anomaly", "online": "loda+builtins:str", "features": NUMBERS},
            "that are pooled one of",
        ),
        (
            make_online,
            {"kind": "anomaly", "online": "loda+loda", "features": NUMBERS},
            "each of those that are pooled once",
        ),
        (make_online, {"online": "builtins:str", "features": NUMBERS}, "predict_proba_one and learn_one"),
        (make_baseline, {"baseline": "builtins:str", "features": NUMBERS}, "fit and predict_proba"),
        (make_online, {"online": "nowhere:at_all", "features": NUMBERS}, "can be imported"),
    ],
)
def test_a_model_that_does_not_fit_its_stream_is_named_with_what_would(make, settings, named):
    with pytest.raises(SettingError, match=named):
        make("streams.s", Stream(**settings))


def test_a_factory_that_raises_is_one_clear_error():
    with pytest.raises(TrainingError, match=r"streams\.s\.online = 'math:floor' cannot be made ready: TypeError"):
        make_online("streams.s", Stream(online="math:floor", features=NUMBERS))
