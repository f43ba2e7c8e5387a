"""How a replay begins: what it settles at its first start, and reads back from its state at every other."""

import copy
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from consumers.fingerprint import fingerprint
from consumers.infer import infer
from consumers.lines import Row
from consumers.order import Order, Position, SideBySide, TwoFiles
from consumers.plans import Plan, timed
from consumers.redaction import redaction
from consumers.sources import Source
from consumers.store import Store
from stream.chain import Chain
from stream.config import Fields, Stream, check_stream, dump, undump
from stream.decoding import RecordDecoder
from stream.drift.comparing import Comparing
from stream.errors import RecordError, SettingError, SourceError, StateError
from stream.features import FeatureExtractor
from stream.given import GivenScore
from stream.history import History
from stream.models import Models
from stream.monitoring import MonitoringTask
from stream.records import Label, Swap
from stream.refitting import NEVER, Refitting, check
from stream.sample import Sample
from stream.scoreboard import Scoreboard
from stream.scoring import ScoringTask
from stream.warmup import WarmUp, warm_up

log = structlog.get_logger()

LOOK_AT = 1_000
"""So many rows tell which columns there are."""


class Run:
    """One replay's inputs and models: made at the first start, read back from the store at every other."""

    def __init__(self, plan: Plan, store: Store, now: float) -> None:
        self.plan = plan
        self.store = store
        known = store.get("resolved")
        identity = _identity(plan)
        if known is not None and store.get("identity") != identity:
            raise StateError(
                f"{plan.out}: holds a replay of other inputs or settings, or begun by other code, that has not ended; "
                "name another --out, or begin anew with --fresh"
            )
        self.left_out: dict[str, str] = {}
        self.refitting: Refitting | None = None  # after the first start it comes out of the checkpoint
        self.rows = Rows(plan.source, plan.where, plan.limit)
        if known is None:
            self._begin(identity, now)
        else:
            self._go_on(known)

    def _begin(self, identity: bytes, now: float) -> None:
        plan = self.plan
        first = list(islice(self.rows(), max(LOOK_AT, Stream().warm_up if plan.warm_up is None else plan.warm_up)))
        tables = [fields for fields, _ in first if isinstance(fields, dict)]
        if not first:
            raise SourceError(f"{plan.source.name}: has no rows{' that --where keeps' if plan.where else ''}")
        if not tables:
            raise SourceError(
                f"{plan.source.name}: none of its first {len(first)} rows can be read; the first: {first[0][0]}"
            )
        check_mapped(plan, tables)
        if plan.stream is not None:
            columns = [*plan.stream.features.given, *plan.stream.features.keys]
            absent = [name for name in columns if not any(name in row for row in tables)]
            self.left_out = {name: f"it is in none of the first {len(tables):,} rows" for name in absent}
        stream = plan.stream or self._inferred(tables)
        fields = msgspec.structs.replace(stream.fields, **plan.fields)
        fields = timed(plan, fields, {name for row in tables for name in row})
        warm = stream.warm_up if plan.warm_up is None else plan.warm_up
        stream = msgspec.structs.replace(stream, fields=fields, warm_up=warm)
        check_stream(f"streams.{plan.name}", stream)
        check(plan.retrain, stream)
        self._check_delay(stream, tables)
        numbered = not any(fields.event_id in row for row in tables)
        if plan.labels is not None:
            self._check_labels(fields, numbered)
        self.settings = Resolved(stream, warm, numbered, now, self.left_out)
        rows = list(islice(self.rows(), warm + 1))
        if len(rows) <= warm:
            raise SourceError(
                f"{plan.source.name}: has {len(rows)} rows, and the warm-up takes {warm}: give --warm-up fewer"
            )
        examples = self._examples(rows[:warm])
        self.skip = frozenset(example.event_id for example in examples)
        made = warm_up(f"streams.{plan.name}", stream, *given(examples, Sample(stream)))
        self.settings.stream, self.models = made.stream, made.models
        if plan.registered:
            _take(plan, made.stream, made.models)
        self.unused = made.unused
        if plan.retrain != NEVER:
            # Here the warm-up may be none, to see what a stream's first weeks are like.
            usual = (plan.stream or Stream()).warm_up or Stream().warm_up
            self.refitting = Refitting(plan.name, made.stream, plan.retrain, usual)
            extractor = FeatureExtractor(made.stream.features)
            taken = ((at, extractor.logged(row), label) for at, row, label in made.taken if label >= 0)
            self.refitting.begin((examples[at].event_id, row, label, examples[at].fair) for at, row, label in taken)
        chain = self.task()
        _compromise(chain, made, examples)
        begin = chain.snapshot()
        self.store.start(
            Position(warm, warm if plan.labels is None else 0),
            begin.body,
            begin.segments,
            identity=identity,
            resolved=dump(self.settings),
            skip=msgspec.json.encode(sorted(self.skip)),
            unused=msgspec.json.encode(made.unused),
        )

    def _go_on(self, known: bytes) -> None:
        self.settings = undump(known, Resolved)
        self.skip = frozenset(msgspec.json.decode(self.store.get("skip") or b"[]"))
        self.unused = msgspec.json.decode(self.store.get("unused") or b"{}")
        # The models come out of the checkpoint; until then there is nothing to score with.
        self.models = Models(GivenScore("", []), "", None)

    def _inferred(self, tables: list[dict[str, Any]]) -> Stream:
        fields = msgspec.structs.replace(Fields(), **self.plan.fields)
        if self.plan.labels is not None:
            raise SettingError("--stream", None, "a stream's name, where the labels are in a file of their own")
        stream, self.left_out = infer(tables, fields, self.plan.ignore)
        return stream

    def _check_delay(self, stream: Stream, tables: list[dict[str, Any]]) -> None:
        seconds = self.plan.delay.seconds
        if seconds is None:
            return
        if seconds > stream.labels.ttl:
            wanted = f"no more than labels.ttl, {float(stream.labels.ttl):g} s: an event waits no longer for its label"
            raise SettingError("--label-delay", seconds, wanted)
        if not any(stream.fields.time in row for row in tables):
            wanted = (
                f"a number of events, as the rows have no time column {stream.fields.time!r} (name one: --map time=)"
            )
            raise SettingError("--label-delay", seconds, wanted)

    def _check_labels(self, fields: Fields, numbered: bool) -> None:
        if numbered:
            raise SettingError(
                "--map event_id", fields.event_id, "a column of the events, where the labels are in a file of their own"
            )
        assert self.plan.labels is not None  # noqa: S101 - the caller's condition
        row = next((row for row, _ in self.plan.labels.rows() if isinstance(row, dict)), {})
        for wanted in (fields.event_id, fields.time, fields.label, fields.inspection_probability):
            if wanted and wanted not in row:
                raise SourceError(
                    f"{self.plan.labels.name}: has no column {wanted!r}, which a file of labels needs; "
                    f"it has {', '.join(row)}"
                )

    def _examples(self, rows: list[Row]) -> list["Example"]:
        """The warm-up's rows; the labels of a file of their own are looked up there."""
        decoder, sample = self.decoder(), Sample(self.settings.stream)
        examples = side_by_side((fields for fields, _ in rows), decoder, self.plan.delay.seconds or 0.0, sample)
        if self.plan.labels is None:
            return examples
        wanted = {example.event_id for example in examples}
        found: dict[str, Label] = {}
        for index, (fields, _) in enumerate(self.plan.labels.rows()):
            if len(found) == len(wanted):
                break
            try:
                label = decoder.label(fields, index, 0.0) if isinstance(fields, dict) else None
            except RecordError:
                continue
            if label is not None and label.event_id in wanted:
                found.setdefault(label.event_id, label)
        for example in examples:
            label = found.get(example.event_id)
            example.label = None if label is None else label.label
            example.came = example.time if label is None else label.time
            example.fair = label is not None and sample.takes(label.event_id, label.probability)
        return examples

    def decoder(self) -> RecordDecoder:
        """What makes events and labels of rows."""
        s = self.settings
        redact = redaction(f"streams.{self.plan.name}.features", s.stream.features)
        least = s.stream.labels.least_inspection_probability
        names, ahead = s.stream.fields, s.stream.max_ahead
        return RecordDecoder(names, s.started, ahead, numbered=s.numbered, redact=redact, least=least)

    def order(self, start: Position) -> Order:
        """The inputs from a position on."""
        maturity = self.settings.stream.labels.maturity
        if self.plan.labels is None:
            return SideBySide(self.rows, self.decoder(), self.plan.delay, maturity, start, self.settings.warm_up)
        return TwoFiles(self.rows, self.plan.labels.rows, self.decoder(), maturity, start, self.skip)

    def task(self) -> Chain:
        """The tasks, before a checkpoint is put into them."""
        stream = self.settings.stream
        monitor = MonitoringTask(self.plan.name, stream) if self.plan.monitor else None
        # Each task learns for itself: none may begin with what another has learned.
        board = Scoreboard(stream, self.settings.warm_up, self.plan.segment)
        scoring = ScoringTask(self.plan.name, stream, copy.deepcopy(self.models))
        history = History() if monitor is not None and self.plan.out is not None else None
        comparing = Comparing() if self.plan.compare else None
        return Chain(scoring, monitor, board, copy.deepcopy(self.refitting), history, comparing)


class Resolved(Struct):
    """What a replay settles once, at its first start; ``started`` is also when all its records count as received."""

    stream: Stream
    warm_up: int
    numbered: bool
    started: float
    left_out: dict[str, str] = {}


class Rows:
    """A source's rows that ``where`` keeps, up to ``limit`` of them."""

    def __init__(self, source: Source, where: dict[str, str], limit: int | None) -> None:
        self.source = source
        self.where = where
        self.limit = limit

    def __call__(self) -> Iterator[Row]:
        """The rows, from the first on."""
        rows = self.source.rows()
        if self.where:
            rows = (row for row in rows if self._keeps(row[0]))
        return rows if self.limit is None else islice(rows, self.limit)

    def _keeps(self, fields: dict[str, Any] | RecordError) -> bool:
        if isinstance(fields, RecordError):
            return True
        return all(_text(fields.get(name)) == wanted for name, wanted in self.where.items())


def check_mapped(plan: Plan, tables: Sequence[dict[str, Any]]) -> None:
    """See that each column that --map names is there; the label's may stand in a file of its own."""
    for name, column in plan.mapped.items():
        if column and not any(column in row for row in tables) and (name != "label" or plan.labels is None):
            there = ", ".join(list(dict.fromkeys(name for row in tables for name in row))[:40])
            raise SettingError(f"--map {name}", column, f"a column of the input; it has {there}")


class Example(Struct):
    """A row of the warm-up: ``time`` of its event, and when its label ``came``.

    ``label``: what is wrong with it, where it cannot be used. ``fair``: whether it is in the sample that is judged by.
    """

    event_id: str
    fields: dict[str, Any]
    label: str | RecordError | None
    time: float
    came: float
    fair: bool = True


def side_by_side(
    rows: Iterable[dict[str, Any] | RecordError], decoder: RecordDecoder, delay: float, sample: Sample
) -> list[Example]:
    """Rows with their labels in them; those that are no events are left out.

    Labels came when the rows say; after so many seconds where they do not. A time in the future is not believed: the
    event before tells it.
    """
    examples: list[Example] = []
    clock: float | None = None
    for index, fields in enumerate(rows):
        if isinstance(fields, dict):
            with suppress(RecordError):
                event = decoder.event(fields, index, float(index))
                clock = event.time if clock is None or not event.ahead else clock
                label = decoder.label_of(fields)
                said = None if label is None else decoder.label_came(fields)
                came = clock + delay if said is None else said
                example = Example(event.event_id, event.fields, label, clock, came)
                if label is not None and sample.stated:
                    try:
                        example.fair = sample.takes(event.event_id, decoder.probability(fields))
                    except RecordError as error:
                        example.label = error
                examples.append(example)
    return examples


def given(
    examples: Sequence[Example], sample: Sample
) -> tuple[list[tuple[dict[str, Any], str | RecordError | None]], list[tuple[float, float]], list[bool]]:
    """What a warm-up is given of them: fields and label, both times, and which are judged by where not all are."""
    rows = [(each.fields, each.label) for each in examples]
    fair = [each.fair for each in examples] if sample.stated else []
    return rows, [(each.time, each.came) for each in examples], fair


def _compromise(chain: Chain, made: WarmUp, examples: Sequence[Example]) -> None:
    """Tell the figures of a day's alerts whom the warm-up knows to be compromised: nobody would be alerted of them."""
    cards = None if chain.board is None else chain.board.cards
    if cards is not None:
        for at, row, label in made.taken:
            if label == 1 and row[cards.by] is not None:
                cards.compromise(row[cards.by], examples[at].came)


def _take(plan: Plan, stream: Stream, models: Models) -> None:
    """Have a baseline of the registry in place of the warm-up's; raises SettingError and RegistryError."""
    from consumers.registry.choosing import chosen
    from consumers.registry.registry import Registry

    registry, which = Registry(plan.registry), plan.registered
    if which.isdecimal():
        one = registry.version(plan.name, int(which))
    else:
        used = registry.in_use(plan.name)
        known = {"champion": used.champion, "challenger": used.challenger}
        if which not in known:
            raise SettingError(
                "--baseline", f"registry:{which}", "registry:champion, registry:challenger or registry:N"
            )
        found = known[which]
        if found is None:
            raise SettingError("--baseline", f"registry:{which}", f"there: {plan.name} has no {which}")
        one = found
    models.swap(Swap(chosen(registry, one, stream)), stream.kind)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _identity(plan: Plan) -> bytes:
    """What must be the same for a replay to go on where it was."""
    parts: list[Any] = [
        plan.name,
        plan.source.name,
        plan.stream,
        plan.fields,
        plan.ignore,
        plan.where,
        plan.limit,
        plan.segment,
        plan.retrain,
        plan.registered,
    ]
    parts += [
        plan.delay,
        plan.warm_up,
        plan.monitor,
        plan.compare,
        plan.worker.batch,
        None if plan.labels is None else plan.labels.name,
    ]
    if plan.out is not None:
        parts += [_content(source.name) for source in (plan.source, plan.labels) if source is not None]
        if plan.stream is not None:
            parts.append(_content(plan.stream.features.word_key_file))
        parts.append(fingerprint())
    return dump(parts)


def _content(name: str) -> str | None:
    """The digest of a file's bytes; None for what is no file."""
    try:
        with Path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
