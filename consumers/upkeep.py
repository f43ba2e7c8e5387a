"""``rotwatch state``: what is in the state topic, whether it can be had again, getting it out and making it anew."""

import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich.table import Table

from consumers.fingerprint import fingerprint
from consumers.kafka.placement import Placement
from consumers.kafka.report import Report
from consumers.kafka.roles import MONITOR, SCORER, Role
from consumers.kafka.topics import check
from consumers.kafka.upkeep import Start, Upkeep
from consumers.seal import load_keys
from consumers.terminal import terminal
from stream.config import Settings, Stream
from stream.errors import SettingError, StateError
from stream.given import GivenScore
from stream.models import Models
from stream.monitoring import MonitoringTask
from stream.scoring import ScoringTask
from stream.warmup import name_classes

ROLES = {"scorer": SCORER, "monitor": MONITOR}

Ask = Callable[[str], None]
"""Says what will be lost, and ends the command where that is not wanted."""


@contextmanager
def opened(settings: Settings, name: str, stream: Stream, role: Role) -> Iterator[Upkeep]:
    """A role's state on Kafka; raises SettingError where the key or the topics are not as they must be."""
    path = settings.worker.checkpoint_key_file
    if not path:
        raise SettingError("worker.checkpoint_key_file", path, "the file with the key that the workers seal with")
    keys = load_keys(Path(path))
    stream = name_classes(f"streams.{name}", stream, [])
    findings = check(settings.kafka, name, stream)
    wrong = [finding for finding in findings if finding.state == "missing" or finding.partitions != stream.partitions]
    if wrong:
        reasons = "; ".join(f"{finding.topic}: {finding.reason}" for finding in wrong)
        raise SettingError("--stream", name, f"one whose topics are right: {reasons}")
    with Upkeep(role, name, stream, settings.kafka, keys, fingerprint()) as upkeep:
        yield upkeep


def maker(upkeep: Upkeep) -> Callable[[], Any]:
    """Makes tasks of a role to be restored; the models come out of the checkpoint."""
    name, stream = upkeep.name, upkeep.stream
    if upkeep.role is MONITOR:
        return lambda: MonitoringTask(name, stream)
    return lambda: ScoringTask(name, stream, Models(GivenScore("", []), "", None))


# ------------------------------------------------------------------------------------------- looking


def inspect(upkeep: Upkeep) -> bool:
    """Print how each task of a role stands; whether nothing is refused."""
    console = terminal()
    right = True
    for placed in upkeep.placements:
        report = upkeep.inspect(placed)
        title = f"{upkeep.role.name} {report.task}"
        if report.anew:
            console.print(f"{title}: no state; it will begin anew")
        elif report.generations:
            console.print(f"{title}: last batch {report.number:,}")
        if report.inputs:
            console.print(_table(("input", "position", "behind it"), _inputs(report)))
        if report.generations:
            columns = ("generation", "batch", "body bytes", "segments", "segment bytes", "code")
            console.print(_table(columns, _generations(report)))
        refused = [f"generation {g.number}: {g.refused}" for g in report.generations if g.refused]
        for reason in [*refused, *([report.refused] if report.refused else [])]:
            console.print(f"{title}: REFUSED: {reason}", soft_wrap=True)
            right = False
    return right


def _inputs(report: Report) -> Iterator[tuple[str, ...]]:
    for side in report.inputs:
        yield side.name, f"{side.position:,}", f"{side.lag:,}"


def _generations(report: Report) -> Iterator[tuple[str, ...]]:
    for g in report.generations:
        if g.refused:
            yield str(g.number), "refused", "", "", "", ""
        else:
            sizes = (f"{value:,}" for value in (g.batch, g.body, g.segments, g.segment_bytes))
            yield str(g.number), *sizes, "this" if g.same_code else "other"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    return table


def verify(upkeep: Upkeep) -> bool:
    """Re-execute each task from its older checkpoint to the newer and print whether they agree; whether all do."""
    console = terminal()
    right = True
    for placed in upkeep.placements:
        title = f"{upkeep.role.name} {placed.task}"
        try:
            found = upkeep.verify(placed, maker(upkeep))
        except StateError as error:
            line, right = f"refused: {error}", False
        else:
            if found is None:
                line = "nothing to verify yet: that takes two checkpoints"
            elif found.fed == found.kept:
                between = f"batches {found.first + 1:,} to {found.last:,} give the digest {found.kept[:16]} again"
                both = f"both checkpoints are after batch {found.last:,} and have the digest {found.kept[:16]}"
                line = f"OK: {between if found.first < found.last else both}"
            else:
                line, right = f"DIFFERS: {found.kept[:16]} was kept, {found.fed[:16]} comes out now", False
            if found is not None and not found.same_code:
                line += " (they were fed to other code than this)"
        console.print(f"{title}: {line}", soft_wrap=True)
    return right


class Exported(Struct, frozen=True):
    """What ``totals.json`` holds of one task: ``positions`` are the next offsets, ``clock`` is null before any time."""

    stream: str
    task: str
    generation: int
    batch: int
    partitions: int
    positions: dict[str, int]
    clock: float | None
    code: str
    versions: dict[str, str | None]
    digest: str
    totals: Any


def export(upkeep: Upkeep, out: Path, partition: int | None) -> list[Path]:
    """Write each scorer task's counts and models into a folder of its own below ``out``; gives the folders.

    Raises SettingError where ``out`` is there already, or there is no such partition.
    """
    placements = upkeep.placements
    if partition is not None:
        if partition >= len(placements):
            raise SettingError("--partition", partition, f"below {len(placements)}")
        placements = [placements[partition]]
    if out.exists():
        raise SettingError("--out", str(out), "a folder that is not there yet")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Written whole beside its place and then moved into it: nobody finds half of it.
    beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for placed in placements:
            _export(upkeep, placed, beside / placed.task)
        beside.chmod(0o755)
        beside.rename(out)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return [out / placed.task for placed in placements]


def _export(upkeep: Upkeep, placed: Placement, folder: Path) -> None:
    manifest, task = upkeep.newest(placed, maker(upkeep))
    models: Models = task.models
    positions = {f"{tp.topic}-{tp.partition}": at for tp, at in zip(placed.inputs, manifest.offsets, strict=True)}
    exported = Exported(
        upkeep.name,
        placed.task,
        manifest.generation,
        manifest.number,
        manifest.partitions,
        positions,
        None if task.clock == float("-inf") else task.clock,
        manifest.code,
        {"online": models.online_version, "baseline": models.baseline_version},
        task.digest(),
        task.totals(),
    )
    folder.mkdir()
    text = msgspec.json.format(msgspec.json.encode(exported))
    (folder / "totals.json").write_bytes(text + b"\n")
    (folder / "online.pickle").write_bytes(pickle.dumps(models.online, protocol=5))
    if models.artifact:
        (folder / "baseline.skops").write_bytes(models.artifact)


# ------------------------------------------------------------------------------------------- beginning anew


def reset(upkeep: Upkeep, start: Start, ask: Ask) -> None:
    """Forget a role's state, task by task; the next start begins anew at ``start``."""
    upkeep.nobody_at_work()
    offsets = {placed.task: upkeep.positions(placed, start) for placed in upkeep.placements}
    lines = []
    for placed in upkeep.placements:
        report = upkeep.inspect(placed)
        was = {side.name: side.position for side in report.inputs}
        ways = []
        for tp, at in zip(placed.inputs, offsets[placed.task], strict=True):
            side = f"{tp.topic}-{tp.partition}"
            ways.append(f"{side} from {was[side]} to {at}" if side in was else f"{side} to {at}")
        state = "no state" if report.anew else f"its state after batch {report.number:,}"
        if report.refused and not report.inputs:  # where it stands cannot be told, which is why it is to go
            state = "a state that cannot be used"
        lines.append(f"{upkeep.role.name} {placed.task} forgets {state} and goes {', '.join(ways)}")
    lost = {
        SCORER: "What the online models have learned, the counts and the events that wait for a label are lost; events "
        "read again are predicted again, events left out never.",
        MONITOR: "The evidence and the counts are lost; labelled records read again raise their alarms again.",
    }
    ask("\n".join([*lines, lost[upkeep.role]]))
    for placed in upkeep.placements:
        upkeep.begin(placed, offsets[placed.task], None)
