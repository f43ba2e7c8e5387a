"""Produce: a file's events and labels onto a stream's topics, as its producers and labellers would send them."""

import time
from collections.abc import Callable

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from consumers import plans
from consumers.kafka.feed import Feed
from consumers.kafka.topics import absent
from consumers.plans import Plan
from consumers.production import Counts, Pace, Production
from consumers.settings import find_stream
from consumers.terminal import terminal
from stream.broker import Kafka
from stream.config import Settings
from stream.errors import SettingError, TransportError


def make(
    settings: Settings,
    *,
    source: str,
    stream: str,
    mapping: dict[str, str],
    where: dict[str, str],
    labels: str | None,
    no_labels: bool,
    label_delay: str,
    input_format: str | None,
    skip: int,
    limit: int | None,
) -> Production:
    """What the words of ``rotwatch produce`` mean; raises SettingError and SourceError."""
    if labels and no_labels:
        raise SettingError("--no-labels", True, "left out with --labels")
    plan = plans.make(
        settings,
        source=source,
        stream=stream,
        mapping=mapping,
        where=where,
        labels=labels,
        label_delay=label_delay,
        input_format=input_format,
    )
    plan.limit = limit
    return Production(find_stream(settings, stream), plan, skip=skip, labels=not no_labels)


# ------------------------------------------------------------------------------------------- on the terminal


def show(production: Production, kafka: Kafka, rate: float, stop: Callable[[], bool]) -> bool:
    """Send to the broker with a progress bar, and print what was sent; whether it came to its end.

    Raises TransportError where the broker cannot be reached, a topic is missing or a record is not delivered.
    """
    plan = production.plan
    topics = production.topics if production.labels else {"events": production.topics["events"]}
    if missing := absent(kafka, topics.values()):
        raise TransportError(
            f"no topic {' and '.join(missing)} is there, or it may not be seen: `rotwatch topics --stream {plan.name}` "
            "makes what is missing"
        )
    feed = Feed(kafka, f"rotwatch-produce-{plan.name}")
    quiet = terminal(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    began = time.monotonic()
    try:
        with Progress(*columns, console=quiet, transient=True, disable=not quiet.is_terminal) as progress:
            counts = production.run(feed, Pace(rate, stop), stop, _Bar(progress, plan).show)
            feed.close()
    except BaseException:
        feed.abandon()
        raise
    seconds = time.monotonic() - began
    terminal().print(
        f"{counts.events:,} events, {counts.labels:,} labels, {counts.unreadable:,} unreadable rows sent in "
        f"{seconds:,.1f} s: {counts.events / max(seconds, 1e-9):,.0f} events/s",
    )
    return not stop()


class _Bar:
    """How far it is, redrawn at most ten times a second."""

    def __init__(self, progress: Progress, plan: Plan) -> None:
        self.progress = progress
        self.plan = plan
        self.task = progress.add_task(plan.name, total=1.0)
        self.began = time.monotonic()
        self.shown = 0.0

    def show(self, counts: Counts) -> None:
        now = time.monotonic()
        if now - self.shown < 0.1:
            return
        self.shown = now
        text = f"{counts.events:,} events, {counts.events / max(now - self.began, 1e-9):,.0f}/s"
        self.progress.update(self.task, completed=self.plan.source.fraction() or 0.0, description=text)
