"""A registered version as a task takes it into use."""

import structlog

from consumers.registry.registered import Registered
from consumers.registry.registry import Registry
from stream.config import Stream
from stream.records import Chosen
from stream.reference import Expected
from stream.training.reference import watched

log = structlog.get_logger()


def chosen(registry: Registry, registered: Registered, stream: Stream) -> Chosen:
    """A version with its file, which has been loaded once to see that it can be; raises RegistryError, and Refused."""
    loaded = registry.load(registered, stream)
    card = loaded.card
    if card.kind != "anomaly" and not card.aim.plain:
        log.warning(
            "this baseline was chosen for costs or a budget; verdicts and figures here count errors",
            baseline=registered.name,
            aim=card.aim,
        )
    counted = card.aim.plain or card.kind == "anomaly"
    risk = card.risk.high if card.absolute and counted else None
    expected = Expected(risk, watched(card.reference), card.classes)
    return Chosen(registered.version, registered.sha256, card.threshold, card.last, loaded.artifact, expected)
