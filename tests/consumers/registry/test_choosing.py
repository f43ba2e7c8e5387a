"""A registered version as a task takes it into use."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from consumers.registry.choosing import chosen
from stream.risk import Risk
from stream.training.aims import Aim


@pytest.mark.parametrize(("positives", "absolute"), [(99, False), (100, True)])
def test_a_baseline_of_an_anomaly_stream_is_held_against_the_positives_that_it_missed(made, positives, absolute):
    of_positives = Risk(0.2, 0.1, 0.3, positives, "Clopper-Pearson")
    card = replace(made.card, kind="anomaly", aim=Aim(alert_budget=0.01), risk=of_positives, absolute=absolute)
    loaded = SimpleNamespace(card=card, artifact=b"x")
    registered = SimpleNamespace(version=card.version, sha256="s", name="s version 1")
    taken = chosen(SimpleNamespace(load=lambda *_: loaded), registered, None)
    assert taken.expected.risk == (0.3 if absolute else None)
    assert (taken.threshold, taken.expected.classes) == (card.threshold, card.classes)
