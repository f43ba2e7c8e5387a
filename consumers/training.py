"""``rotwatch train``: a baseline trained on labelled rows within a budget of time, shown on the terminal."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version

import structlog
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from consumers.fingerprint import LIBRARIES
from consumers.kafka.alarm_log import last_rot
from consumers.kafka.client import connection
from consumers.page.markup import text
from consumers.page.verdicts import verdicts
from consumers.page.whole import page
from consumers.plans import Plan
from consumers.training_rows import of_file, of_topic
from stream.config import Settings, Stream
from stream.errors import SettingError, TrainingError
from stream.training.aims import Aim
from stream.training.anomalies import train_anomalies
from stream.training.card import Card
from stream.training.gathering import Span
from stream.training.imported import judge_imported, needs_values
from stream.training.scores import Array
from stream.training.search import Budget, Told
from stream.training.train import Order, Trained, train
from stream.training.trials import Data, Trial

log = structlog.get_logger()


class Wanted(Struct):
    """What to train: a stream's baseline, on which rows, with which seed. ``plan`` None: the training log in Kafka.

    ``budget`` is in seconds. ``alarmed``: when the last alarm was, seconds since the epoch; None: not known.
    """

    settings: Settings
    name: str
    stream: Stream
    plan: Plan | None
    span: Span
    budget: float
    seed: int
    alarmed: float | None = None


def run(wanted: Wanted, console: Console, least: int = 0, prepare: Callable[[], None] | None = None) -> Trained:
    """Gather that many rows at least, and train; raises TrainingError, SourceError, SettingError, Unavailable.

    ``prepare`` is called in between, when there are rows to train on.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("reading rows", total=None)
        data, times, order, left_out = _gathered(wanted)
        if len(data.labels) < least:
            raise TrainingError(f"there are {len(data.labels):,} labelled rows, and {least:,} are waited for")
        order = replace(order, alarmed=_alarmed(wanted, times))
        if prepare is not None:
            prepare()
        progress.update(bar, description=f"training on {len(data.labels):,} rows")
        began = time.monotonic()
        budget = Budget(wanted.budget, lambda: time.monotonic() - began)
        make = train_anomalies if order.kind == "anomaly" else train
        return make(data, times, order, budget, _packages(), left_out, _shown(progress, bar))


def judge(wanted: Wanted, artifact: bytes) -> Trained:
    """A baseline that was trained elsewhere, with its card by rows that it has not seen; raises as ``run`` does."""
    if wanted.stream.kind == "anomaly":
        allowed = "binary or multiclass: what is imported is a classifier"
        raise SettingError(f"streams.{wanted.name}.kind", "anomaly", allowed)
    data, times, order, left_out = _gathered(wanted)
    judged = judge_imported(artifact, data, times, order, _packages(), left_out)
    broken = needs_values(judged.baseline, data)
    if broken:
        log.warning(
            "this baseline breaks on missing values: as the champion it makes dead letters of such events, and ten of "
            "1,000 stop a task; put an imputer before it unless no value is ever missing",
            reason=broken,
        )
    return judged


def _gathered(wanted: Wanted) -> tuple[Data, Array | None, Order, dict[str, int]]:
    name, stream = wanted.name, wanted.stream
    if not stream.features.logged.columns:
        raise SettingError(f"streams.{name}.features", [], "at least one logged column to train on")
    if wanted.plan is None:
        gathering = of_topic(wanted.settings, name, stream, wanted.span)
    else:
        gathering = of_file(name, stream, wanted.plan, wanted.span)
    data, times = gathering.data()
    training = stream.training
    budget = training.alert_budget
    if budget is None and stream.kind == "anomaly":
        budget = stream.alert_rate
    aim = Aim(training.cost_of_false_alarm, training.cost_of_miss, budget)
    classes = gathering.stream.classes
    order = Order(name, stream.kind, classes, aim, training.validation, wanted.seed, novelty=training.novelty)
    return data, times if gathering.timed else None, order, gathering.left_out


def _alarmed(wanted: Wanted, times: Array | None) -> float | None:
    """When the last alarm was: what is said, or what the stream's alarms in Kafka say."""
    if wanted.alarmed is None and wanted.plan is None:
        return last_rot(connection(wanted.settings.kafka, "rotwatch-training"), wanted.name, wanted.stream)
    if wanted.alarmed is not None and times is None:
        allowed = "left out, where the rows have no times"
        raise SettingError("--alarm", datetime.fromtimestamp(wanted.alarmed, UTC).isoformat(), allowed)
    return wanted.alarmed


def _packages() -> dict[str, str]:
    return {library: version(library) for library in LIBRARIES}


def register(wanted: Wanted, trained: Trained, console: Console, *, first: bool = False) -> None:
    """Put a trained baseline into the registry as the challenger, and say what it is worth; raises RegistryError.

    The ``first`` one becomes the champion, unless there is one by now, or one answer for all events is known to be no
    worse: it has nothing else to be better than.
    """
    from consumers.registry.registry import Registry

    registry, card = Registry(wanted.settings.registry), trained.card
    made = registry.add(wanted.name, trained.artifact, card, page(card))
    better = not card.risk.rows or card.risk.mean < card.trivial_risk
    champion = first and better and registry.numbers(wanted.name)[0] is None
    if champion:
        registry.promote(wanted.name, made.number, over=None)
    else:
        registry.challenge(wanted.name, made.number)
    for line in told(trained.card):
        console.print(line, soft_wrap=True)
    console.print(
        f"registered: {made.name}, now the {'champion' if champion else 'challenger'}. All of its card: rotwatch "
        f"models show {made.number} --stream {wanted.name}; beside the online model: rotwatch replay FILE --stream "
        f"{wanted.name} --baseline registry:{made.number}",
        markup=False,
        soft_wrap=True,
    )


def told(card: Card) -> Iterator[str]:
    """What is worth knowing of a baseline at once, a line each: what it is, and the verdicts of its page."""
    tried = f", of {len(card.tried):,} candidates" if card.tried else ""
    yield f"recipe: {card.recipe}{tried}; {card.rows:,} rows"
    for verdict in verdicts(card):
        yield f"{verdict.title}: {text(verdict.said)}"
    for reason, count in sorted(card.left_out.items(), key=lambda item: -item[1])[:3]:
        yield f"{count:,} rows left out: {reason}"


def _shown(progress: Progress, bar: TaskID) -> Told:
    def told(number: int, total: int, trial: Trial) -> None:
        progress.update(
            bar,
            total=total,
            completed=number,
            description=f"{number} of {total} trials: {trial.risk:.4f} with {trial.candidate}",
        )

    return told
