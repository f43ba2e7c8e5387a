"""What a scrape shows is what the tasks counted and committed, under names that the documentation explains."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from consumers.exporter import Exporter
from consumers.local import Durable
from consumers.runtime import Runtime
from consumers.transport import Arrived, Assigned, Batch, Drained, Loaded, Notice, Recovery
from consumers.worker import Worker
from stream import config
from stream.chain import Chain, ChainTotals
from stream.drift.value import Realised
from stream.errors import CommitFailed
from stream.monitoring import MonitoringTask
from stream.prequential import ALERTS
from stream.records import Event, Input, Label, Labelled, Lost, Skip, Tick, Undecodable
from stream.reference import Expected
from stream.scoring import ScoringTask
from stream.totals import DELAY_EDGES
from stream.warmup import warm_up

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
SECONDS = {"feed": 0.25, "commit": 0.5}
STREAM = {
    "kind": "binary",
    "classes": ["ham", "spam"],
    "online": "field:a",
    "baseline": "field:b",
    "labels": {"maturity": "10s", "ttl": "100s", "capacity": 1000},
    "monitor": {"costs": {"ham": {"spam": 5}, "spam": {"ham": 1}}, "detectors": {"baseline": ["adwin"]}},
}


def make_chain(**settings: object) -> Chain:
    stream = config.read({"streams": {"spam": {**STREAM, **settings}}}).streams["spam"]
    made = warm_up("streams.spam", stream, [])
    made.models.expected = Expected(classes={"ham": 3, "spam": 1})
    return Chain(ScoringTask("spam", made.stream, made.models), MonitoringTask("spam", made.stream), None)


def event(number: int, baseline: float = 0.1) -> Event:
    return Event(f"e{number}", float(number), {"a": 0.1, "b": baseline}, number)


def inputs() -> list[Input]:
    """A little of everything, and a baseline that is right for 80 events and wrong for the next 80."""
    records: list[Input] = []
    for n in range(160):
        records += [event(n, 0.1 if n < 80 else 0.9), Label(f"e{n}", n + 3.0, "ham")]
    return [
        *records,
        event(159),
        Label("e159", 163.0, "ham"),
        Label("e159", 163.0, "spam"),
        Label("e158", 163.0, "neither"),
        Undecodable("events", "no JSON"),
        Undecodable("labels", "no JSON"),
        Skip("events", "broke the code"),
        Lost("events", 161, 170),
        Event("far", 4e9, {"a": 0.1, "b": 0.1}, 900, ahead=True),
        event(200),
        event(201),
        Label("unseen", 202.0, "ham"),
        Tick(213.0),
        Label("e200", 214.0, "ham"),
    ]


def run(chain: Chain, records: Sequence[Input] | None = None) -> ChainTotals:
    chain.feed(inputs() if records is None else records)
    return chain.totals()


class Shown:
    """An exporter on a registry of its own, and what a scrape of it says."""

    def __init__(self, runtime: Runtime | None = None) -> None:
        self.registry = CollectorRegistry()
        self.time = 1_000.0
        self.exporter = Exporter("spam", self.registry, runtime, now=lambda: 5_000.0, monotonic=lambda: self.time)

    def value(self, name: str, task: str | None = "0", **labels: str) -> float | None:
        place = {"stream": "spam"} | ({} if task is None else {"partition": task})
        return self.registry.get_sample_value(f"rotwatch_{name}", place | labels)

    def counters(self) -> dict[tuple[str, ...], float]:
        return {
            (sample.name, *map(str, sorted(sample.labels.items()))): sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if metric.type in {"counter", "histogram", "summary"}
        }

    def tasks(self) -> set[str]:
        samples = [sample for metric in self.registry.collect() for sample in metric.samples]
        return {sample.labels["partition"] for sample in samples if "partition" in sample.labels}


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture(scope="module")
def totals() -> ChainTotals:
    """Of a run that is too short for some of what a monitor comes to know."""
    made = run(make_chain())
    assert made.monitoring is not None
    labels = msgspec.structs.replace(made.monitoring.labels, share=0.25, takes=3_600.0)
    saved = Realised(0.04, (0.03, 0.01, 0.05), (0.01, -0.01, 0.03), "open", "")
    losses = {  # as an anomaly detector has them beside the others
        model: (count, {**sums, **dict.fromkeys(ALERTS, 1.0)}, decayed)
        for model, (count, sums, decayed) in made.scoring.losses.items()
    }
    scoring = msgspec.structs.replace(made.scoring, losses=losses, entities={"card": (5, 0, 0)})
    return ChainTotals(scoring, msgspec.structs.replace(made.monitoring, labels=labels, retrained=saved))


@pytest.fixture
def full(totals: ChainTotals) -> Shown:
    shown = Shown(
        Runtime(
            1, 2, 3, 4, 5, 6, lag={("spam.events", 0): 7, ("spam.labels", 0): 0}, registry_seen_at=8, refused_swaps=9
        )
    )
    shown.exporter.committed("0", totals, 333, SECONDS)
    return shown


def watched() -> MonitoringTask:
    """A monitor of its own that has read a record that is judged, one left out, one broken, and has lost some."""
    task = MonitoringTask("spam", make_chain().scoring.stream)
    record = Labelled("a", 1.0, 0, "ham", 2.0, None, 0.1, 0.1, 0.1, "ham", "ham", "ham", "field:a", "field:b")
    task.feed(
        [
            record,
            msgspec.structs.replace(record, correction=True),
            Undecodable("labelled", "no JSON"),
            Skip("labelled", "broke the code"),
            Lost("labelled", 7, 9),
        ]
    )
    return task


def test_the_run_behind_these_tests_has_a_little_of_everything(totals: ChainTotals) -> None:
    i, j = totals.scoring.inputs, totals.scoring.labels
    assert totals.scoring.unbalanced() is None
    assert min(i.predicted, i.repeated, i.events_dead, i.labels_dead, i.ahead, i.skipped, i.lost) > 0
    assert min(j.joined, j.duplicate, j.conflicting, j.late) > 0
    assert min(totals.scoring.waiting, totals.scoring.early, totals.scoring.oldest_age) > 0
    assert totals.monitoring is not None
    assert totals.monitoring.alarms


def test_events_and_labels_are_shown_by_their_fates(full: Shown, totals: ChainTotals) -> None:
    i, j = totals.scoring.inputs, totals.scoring.labels
    assert full.value("events_total", fate="predicted") == i.predicted
    assert full.value("events_total", fate="repeated") == i.repeated == 1
    assert full.value("events_total", fate="dead_lettered") == i.events_dead == 2
    for fate in ("joined", "implied", "expired", "evicted"):
        assert full.value("settled_events_total", fate=fate) == getattr(j, fate)
    for fate in ("joined", "orphaned", "duplicate", "conflicting"):
        assert full.value("labels_total", fate=fate) == getattr(j, fate)
    assert full.value("labels_total", fate="dead_lettered") == i.labels_dead == 2
    assert full.value("labels_read_total") == i.labels
    assert full.value("predictions_total") == i.predicted + i.repeated
    assert full.value("dead_letters_total", source="events") == 2
    assert full.value("dead_letters_total", source="labels") == 2
    assert full.value("ahead_records_total") == i.ahead == 1
    assert full.value("skipped_records_total") == i.skipped == 1
    assert full.value("lost_records_total") == i.lost == 10
    assert full.value("late_labels_total") == j.late == 1
    assert full.value("unsampled_events_total") == j.unsampled


def test_both_equations_can_be_checked_from_a_scrape_alone(full: Shown) -> None:
    scrape = {name: list(full.registry.restricted_registry([f"rotwatch_{name}"]).collect()) for name in (
        "events_total", "settled_events_total", "labels_total", "labels_read_total", "waiting_events", "early_labels"
    )}  # fmt: skip
    total = {name: sum(s.value for metric in metrics for s in metric.samples) for name, metrics in scrape.items()}
    assert full.value("events_total", fate="predicted") == total["settled_events_total"] + total["waiting_events"]
    assert total["labels_read_total"] == total["labels_total"] + total["early_labels"]


def test_the_waiting_room_and_the_clock_are_shown(full: Shown, totals: ChainTotals) -> None:
    assert full.value("waiting_events") == totals.scoring.waiting
    assert full.value("held_events") == totals.scoring.held
    assert full.value("early_labels") == totals.scoring.early == 1
    assert full.value("oldest_waiting_seconds") == totals.scoring.oldest_age
    assert full.value("clock_timestamp_seconds") == totals.scoring.clock == 214.0


def test_losses_have_sums_counts_and_means_per_model(full: Shown, totals: ChainTotals) -> None:
    assert set(totals.scoring.losses) == {"online", "baseline", "served"}
    for model, (count, sums, decayed) in totals.scoring.losses.items():
        assert set(sums) == {"error", "log_loss", "brier", *ALERTS}
        for loss in ("error", "log_loss", "brier"):
            assert full.value("loss_count", model=model, loss=loss) == count
            assert full.value("loss_sum", model=model, loss=loss) == sums[loss]
            assert full.value("mean_loss", model=model, loss=loss) == decayed[loss]
    assert full.value("loss_sum", model="baseline", loss="error") == 80


def test_of_anomaly_detectors_it_is_shown_what_their_alerts_found(shown: Shown) -> None:
    chain = make_chain(kind="anomaly", serving="baseline", alert_rate=0.5, monitor={})
    scores = [(0.9, "spam"), (0.9, "ham"), (0.9, "ham"), (0.1, "spam"), (0.1, "ham")]
    for at, (score, label) in enumerate(scores):
        chain.feed([event(at, score), Label(f"e{at}", at + 3.0, label)])
    chain.feed([Tick(100.0)])
    shown.exporter.committed("0", chain.totals(), 10, SECONDS)
    counts = {"alerted_events": 3, "found_positives": 1, "missed_positives": 1}
    for name, count in counts.items():
        assert shown.value(f"{name}_total", model="baseline") == count
    assert shown.value("loss_sum", model="baseline", loss="error") == 3
    assert shown.value("loss_sum", model="baseline", loss="found") is None
    assert shown.value("mean_loss", model="baseline", loss="found") is None


def test_entities_are_shown_by_the_field_that_names_them_and_so_are_those_that_gave_way(shown: Shown) -> None:
    entity = {"by": "card", "statistics": ["risk"], "horizons": ["1d"]}
    made = make_chain(features={"entities": [entity], "entity_capacity": 2})
    records = [Event(f"e{n}", float(n), {"a": 0.1, "b": 0.1, "card": str(n)}, n) for n in range(5)]
    made.feed([*records, Label("e0", 6.0, "spam"), Tick(1e6)])
    shown.exporter.committed("0", made.totals(), 6, SECONDS)
    assert shown.value("entities", field="card") == 2
    assert shown.value("evicted_entities_total", field="card") == 3
    assert shown.value("forgotten_entity_labels_total", field="card") == 1


def test_label_delays_are_a_cumulative_histogram(full: Shown, totals: ChainTotals) -> None:
    buckets = [full.value("label_delay_seconds_bucket", le=str(edge)) for edge in [*DELAY_EDGES, "+Inf"]]
    count = sum(totals.scoring.delays)
    assert buckets == [0, count - 1, *[count] * (len(DELAY_EDGES) - 1)]
    assert full.value("label_delay_seconds_count") == count
    assert full.value("label_delay_seconds_sum") == totals.scoring.delay_sum == 3.0 * (count - 1) + 14.0


def test_model_versions_and_the_blend_are_shown(full: Shown, totals: ChainTotals) -> None:
    assert full.value("model_info", model="online", version="field:a") == 1
    assert full.value("model_info", model="baseline", version="field:b") == 1
    assert full.value("blend_weight") == totals.scoring.blend_weight


def test_without_a_baseline_nothing_is_shown_of_one(shown: Shown) -> None:
    shown.exporter.committed("0", run(make_chain(baseline="none", serving="online")), 333, SECONDS)
    text = generate_latest(shown.registry).decode()
    assert 'verdict="no_baseline"} 1.0' in text
    assert 'model="baseline"' not in re.sub(r"rotwatch_alarms.*", "", text)
    assert "blend_weight" not in text


def test_the_monitor_shows_what_it_judged_and_its_alarms(full: Shown, totals: ChainTotals) -> None:
    monitoring = totals.monitoring
    assert monitoring is not None
    assert full.value("judged_records_total") == monitoring.labelled
    assert full.value("left_out_records_total") == monitoring.left_out == 1
    assert full.value("alarms_total", detector="paired") == monitoring.alarms["paired"]
    for detector, evidence in monitoring.evidence.items():
        assert full.value("evidence", detector=detector) == evidence / 40_000
    mean, low, high = monitoring.excess["deployed"]
    assert full.value("excess_error_ratio", since="deployed", end="mean") == mean
    assert full.value("excess_error_ratio", since="deployed", end="low") == low < high
    [(kind, column, distance)] = monitoring.strengths
    assert full.value("input_distance_ratio", kind=kind, column=column) == distance
    assert full.value("profiles_read_total") == monitoring.profiles > 0
    for model, mean in monitoring.means.items():
        assert full.value("judged_error_ratio", model=model) == mean


def test_what_stands_beside_the_evidence_is_shown(full: Shown, totals: ChainTotals) -> None:
    monitoring = totals.monitoring
    assert monitoring is not None
    account, guessed = monitoring.account, monitoring.guesses
    assert account.served is not None
    assert full.value("served_gap_ratio", between="served-online", end="low") == account.served[1]
    assert full.value("gap_ceiling_ratio") == account.ceiling
    assert full.value("cost_per_1000", model="baseline") == account.costs["baseline"] > 0
    assert full.value("retrain_error_ratio", what="expected") == 0.04
    assert full.value("retrain_error_ratio", what="saved") == 0.03
    assert full.value("estimated_error_ratio", by="online_model") == guessed.estimate
    assert full.value("disagreement_ratio") == guessed.disagreement
    assert full.value("labelled_ratio") == 0.25
    assert full.value("doubling_found_seconds") == 3_600
    assert full.value("label_age_seconds") == monitoring.labels.age
    assert monitoring.watched == {"adwin:baseline": "alarmed"}
    assert full.value("watched_alarm", detector="adwin:baseline") == 1


def test_a_monitors_books_can_be_checked_from_a_scrape_alone(shown: Shown) -> None:
    shown.exporter.committed("all", watched().totals(), 5, SECONDS)
    read = shown.value("labelled_read_total", "all")
    judged, left_out = shown.value("judged_records_total", "all"), shown.value("left_out_records_total", "all")
    dead = shown.value("dead_letters_total", "all", source="labelled")
    assert (read, judged, left_out, dead) == (4, 1, 1, 2)
    assert shown.value("skipped_records_total", "all") == 1
    assert shown.value("dead_letters_total", "all", source="events") is None


def test_lost_inputs_are_counted_by_their_offsets_and_are_no_detectors_alarms(shown: Shown) -> None:
    task = watched()
    assert task.totals().alarms["inputs_lost:labelled"] == 1
    shown.exporter.committed("all", task.totals(), 5, SECONDS)
    assert shown.value("lost_records_total", "all") == 3
    assert "inputs_lost" not in generate_latest(shown.registry).decode()


def test_what_scorer_and_monitor_of_one_chain_both_count_is_one_series(shown: Shown, totals: ChainTotals) -> None:
    both = ChainTotals(totals.scoring, watched().totals())
    shown.exporter.committed("0", both, 1, SECONDS)
    assert shown.value("lost_records_total") == 10 + 3
    assert shown.value("skipped_records_total") == 1 + 1
    series = [line.rpartition(" ")[0] for line in generate_latest(shown.registry).decode().splitlines()]
    assert len(set(series)) == len(series)


def test_exactly_one_verdict_is_set_and_all_others_are_there_at_zero(full: Shown, totals: ChainTotals) -> None:
    verdicts = {
        sample.labels["verdict"]: sample.value
        for metric in full.registry.collect()
        if metric.name == "rotwatch_verdict"
        for sample in metric.samples
    }
    assert totals.monitoring is not None
    assert [verdict for verdict, value in verdicts.items() if value] == [totals.monitoring.verdict] == ["baseline_rot"]
    assert len(verdicts) == 11


def test_a_verdict_that_nobody_listed_is_shown_all_the_same(shown: Shown, totals: ChainTotals) -> None:
    shown.exporter.committed("0", msgspec.structs.replace(totals.monitoring, verdict="new"), 1, SECONDS)
    assert shown.value("verdict", verdict="new") == 1


def test_the_scorer_and_the_monitor_are_shown_without_a_chain_too(shown: Shown, totals: ChainTotals) -> None:
    shown.exporter.committed("0", totals.scoring, 1, SECONDS)
    shown.exporter.committed("1", totals.monitoring, 1, SECONDS)
    assert shown.value("labels_read_total", "0") == totals.scoring.inputs.labels
    assert shown.value("labels_read_total", "1") is None
    assert shown.value("judged_records_total", "0") is None
    assert shown.value("judged_records_total", "1") > 0


def test_totals_of_another_kind_are_refused(shown: Shown) -> None:
    with pytest.raises(TypeError, match="no metrics are known for totals of type dict"):
        shown.exporter.committed("0", {}, 1, SECONDS)


def test_a_task_that_has_read_nothing_shows_zeros_and_no_clock(shown: Shown) -> None:
    shown.exporter.committed("0", make_chain().totals(), 0, {})
    assert shown.value("events_total", fate="predicted") == 0
    assert shown.value("loss_count", model="baseline", loss="error") == 0
    assert shown.value("clock_timestamp_seconds") is None
    assert shown.value("commits_total") == 0
    assert shown.value("last_commit_timestamp_seconds") is None


def test_commits_and_their_times_are_the_process_s_own(shown: Shown, totals: ChainTotals) -> None:
    shown.exporter.committed("0", totals, 0, {})
    assert shown.value("batch_records_count", None) == 0
    shown.exporter.committed("0", totals, 300, SECONDS)
    shown.exporter.committed("0", totals, 5, SECONDS)
    shown.exporter.committed("0", totals, 0, {})
    assert shown.value("commits_total") == 2
    assert shown.value("last_commit_timestamp_seconds") == 5_000.0
    assert shown.value("batch_records_sum", None) == 305
    assert shown.value("batch_records_bucket", None, le="16.0") == 1
    assert shown.value("feed_duration_seconds_sum", None) == 0.5
    assert shown.value("commit_duration_seconds_sum", None) == 1.0


def test_two_tasks_are_told_apart_and_a_revoked_one_is_gone(shown: Shown) -> None:
    shown.exporter.committed("0", run(make_chain(), [event(1)]), 1, SECONDS)
    shown.exporter.committed("1", run(make_chain(), [event(1), event(2)]), 2, SECONDS)
    assert shown.value("events_total", "0", fate="predicted") == 1
    assert shown.value("events_total", "1", fate="predicted") == 2
    shown.exporter.revoked("1")
    assert shown.tasks() == {"0"}
    shown.exporter.revoked("0")
    assert shown.tasks() == set()


def test_what_was_fed_but_not_committed_is_not_shown(shown: Shown) -> None:
    chain = make_chain()
    shown.exporter.committed("0", chain.totals(), 0, {})
    chain.feed(inputs())
    assert shown.value("events_total", fate="predicted") == 0
    assert shown.value("labels_total", fate="joined") == 0
    assert shown.value("loss_count", model="online", loss="error") == 0


class Flaky:
    """A transport over a list of batches: some commits fail, and the journal alone is the checkpoint."""

    def __init__(self, batches: list[list[Input]], failing: set[int]) -> None:
        self.batches = batches
        self.failing = failing
        self.journal: list[Batch] = []
        self.assigned = False
        self.tries = 0

    def poll(self, *_: object, **__: object) -> Sequence[Notice]:
        if not self.assigned:
            self.assigned = True
            return [Assigned("0")]
        done = len(self.journal)
        return [Arrived("0", Batch(self.batches[done], None)) if done < len(self.batches) else Drained("0")]

    def recover(self, _: str) -> Recovery:
        journal = list(self.journal)
        return Recovery(len(journal), lambda: Loaded(None, {}, journal))

    def commit(self, _: str, batch: Batch | None, *__: object) -> Durable:
        self.tries += 1
        if self.tries in self.failing:
            raise CommitFailed("the disk is full")
        if batch is not None:
            self.journal.append(batch)
        return Durable(0.0)

    def close(self) -> None: ...


def test_no_counter_goes_back_over_failed_commits_and_recoveries(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.worker.time.sleep", lambda _: None)
    records = inputs()
    transport = Flaky([records[at : at + 20] for at in range(0, len(records), 20)], failing={2, 5, 6, 11})
    scrapes: list[dict[tuple[str, ...], float]] = []
    recover = transport.recover

    def scraped_recover(task: str) -> Recovery:
        scrapes.append(shown.counters())  # the batch is in the task's memory now, and about to be undone
        return recover(task)

    def scrape() -> bool:
        scrapes.append(shown.counters())
        return False

    monkeypatch.setattr(transport, "recover", scraped_recover)
    arguments = {"batch": 20, "checkpoint_every": 1e9, "observer": shown.exporter, "stop": scrape}
    worker = Worker(transport, lambda _: make_chain(), **arguments)
    assert worker.run()
    scrapes.append(shown.counters())
    assert transport.tries > len(transport.batches)
    for before, after in pairwise(scrapes):
        assert before.keys() <= after.keys()
        assert [key for key in before if after[key] < before[key]] == []
    undisturbed = Shown()
    undisturbed.exporter.committed("0", run(make_chain()), len(records), SECONDS)
    name = ("rotwatch_events_total", "('fate', 'predicted')", "('partition', '0')", "('stream', 'spam')")
    assert scrapes[-1][name] == undisturbed.counters()[name]


def test_a_revoked_task_is_not_ready_and_a_recovered_one_is(shown: Shown) -> None:
    assert shown.exporter.unready() == "no task is assigned and recovered"
    shown.exporter.committed("0", make_chain().totals(), 0, {})
    assert shown.exporter.unready() is None
    shown.exporter.revoked("0")
    assert shown.exporter.unready() == "no task is assigned and recovered"


def test_a_task_that_waits_makes_the_process_unready_and_says_why_until_it_is_published_again(shown: Shown) -> None:
    shown.exporter.committed("0", make_chain().totals(), 0, {})
    shown.exporter.committed("1", make_chain().totals(), 0, {})
    assert shown.value("waiting_tasks", "1") == 0
    shown.exporter.waiting("1", "no answer\nfrom the broker")
    shown.exporter.waiting("0", "the disk is full")
    assert shown.exporter.unready() == "task 0 waits: the disk is full; task 1 waits: no answer from the broker"
    assert shown.value("waiting_tasks", "1") == 1
    assert shown.value("commits_total", "1") == 0
    shown.exporter.committed("0", make_chain().totals(), 0, {})
    assert shown.exporter.unready() == "task 1 waits: no answer from the broker"
    shown.exporter.committed("1", make_chain().totals(), 1, SECONDS)
    assert shown.exporter.unready() is None
    assert shown.value("waiting_tasks", "1") == 0


def test_a_task_that_waits_for_its_first_recovery_is_shown_and_forgotten_when_it_is_revoked(shown: Shown) -> None:
    shown.exporter.waiting("0", "no answer")
    assert shown.exporter.unready() == "task 0 waits: no answer"
    assert shown.value("waiting_tasks") == 1
    assert shown.value("commits_total") is None
    shown.exporter.revoked("0")
    assert shown.exporter.unready() == "no task is assigned and recovered"
    assert shown.tasks() == set()


def test_a_stopped_task_stays_unready_while_others_work(shown: Shown) -> None:
    for task in ("0", "1"):
        shown.exporter.committed(task, make_chain().totals(), 0, {})
    shown.exporter.revoked("0")  # as the worker says it
    shown.exporter.waiting("0", "10 of its last 1,000 inputs broke it")
    shown.exporter.committed("1", make_chain().totals(), 5, SECONDS)
    assert shown.exporter.unready() == "task 0 waits: 10 of its last 1,000 inputs broke it"


def test_a_worker_whose_broker_does_not_answer_is_not_ready(totals: ChainTotals) -> None:
    runtime = Runtime()
    shown = Shown(runtime)
    shown.exporter.committed("0", totals, 0, {})
    assert shown.exporter.unready() is None
    runtime.away = "NoBrokersAvailable: 127.0.0.1:9092"
    assert shown.exporter.unready() == "the broker does not answer: NoBrokersAvailable: 127.0.0.1:9092"
    runtime.away = ""
    assert shown.exporter.unready() is None


def test_a_worker_that_stands_by_is_ready_without_a_task_as_long_as_its_broker_answers() -> None:
    runtime = Runtime()
    shown = Shown(runtime)
    assert shown.exporter.unready() == "no task is assigned and recovered"
    runtime.standing_by = True
    assert shown.exporter.unready() is None
    runtime.away = "gone"
    assert shown.exporter.unready() == "the broker does not answer: gone"


def test_recoveries_are_timed(shown: Shown) -> None:
    shown.exporter.recovered("0", 0.3, 12)
    shown.exporter.recovered("1", 40.0, 0)
    assert shown.value("recovery_duration_seconds_bucket", None, le="0.5") == 1
    assert shown.value("recovery_duration_seconds_bucket", None, le="60.0") == 2
    assert shown.value("recovery_duration_seconds_sum", None) == 40.3


def test_what_the_transport_tells_of_its_process_is_shown(full: Shown) -> None:
    names = (
        "rebalances_total",
        "fenced_total",
        "aborted_transactions_total",
        "refused_checkpoints_total",
        "misrouted_records_total",
        "broker_unavailable_total",
    )
    assert [full.value(name, None) for name in names] == [1, 2, 3, 4, 5, 6]
    assert full.value("lag_records", None, topic="spam.events", partition="0") == 7
    assert full.value("lag_records", None, topic="spam.labels", partition="0") == 0


def test_where_no_transport_tells_anything_nothing_is_shown_of_it(shown: Shown, totals: ChainTotals) -> None:
    shown.exporter.committed("0", totals, 1, SECONDS)
    text = generate_latest(shown.registry).decode()
    assert "rebalances" not in text
    assert "lag" not in text


def test_a_partition_that_is_somebody_elses_has_no_lag_any_more(full: Shown) -> None:
    assert full.exporter.runtime is not None
    full.exporter.runtime.lag = {("spam.labels", 0): 3}
    assert full.value("lag_records", None, topic="spam.events", partition="0") is None
    assert full.value("lag_records", None, topic="spam.labels", partition="0") == 3


def test_a_loop_that_shows_no_life_is_stalled_until_it_does(shown: Shown) -> None:
    assert shown.exporter.stalled(limit=60) is None
    shown.time += 61
    assert shown.exporter.stalled(limit=60) == "the loop has shown no life for 61 s (limit 60 s)"
    shown.exporter.alive()
    assert shown.exporter.stalled(limit=60) is None
    shown.time += 61
    shown.exporter.committed("0", make_chain().totals(), 0, {})
    assert shown.exporter.stalled(limit=60) is None
    shown.time += 61
    shown.exporter.waiting("0", "no answer")
    assert shown.exporter.stalled(limit=60) is None
    shown.time += 61
    shown.exporter.recovered("0", 61.0, 5)
    assert shown.exporter.stalled(limit=60) is None


def test_two_exporters_of_one_registry_are_refused(shown: Shown) -> None:
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        Exporter("ham", shown.registry)


def test_the_exposition_can_be_parsed_in_both_formats(full: Shown) -> None:
    families = list(text_string_to_metric_families(generate_latest(full.registry).decode()))
    assert {"rotwatch_events", "rotwatch_label_delay_seconds", "rotwatch_verdict"} <= {f.name for f in families}
    assert not [sample.name for f in families for sample in f.samples if sample.name.endswith("_created")]
    assert list(parse_openmetrics(generate_openmetrics(full.registry, version="1.0.0").decode()))


def test_promtool_finds_nothing_to_say(full: Shown) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on PATH")
    text = generate_latest(full.registry)
    found = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)
    assert (found.returncode, found.stdout + found.stderr) == (0, b"")


def documented() -> dict[str, tuple[str, set[str]]]:
    """Name to type and labels, from the tables of docs/metrics.md."""
    rows = re.findall(r"^\| `(rotwatch_\w+)` \| (\w+) \| (.*?) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert len({name for name, _, _ in rows}) == len(rows)
    places = {True: {"stream", "partition"}, False: {"stream"}}
    return {name: (kind, places["task" in labels] | set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_every_exported_metric_is_documented_and_every_documented_one_exported(full: Shown) -> None:
    suffixes = {"counter": "_total", "info": "_info"}
    exported = {
        metric.name + suffixes.get(metric.type, ""): (
            metric.type,
            {label for sample in metric.samples for label in sample.labels} - {"le"},
        )
        for metric in full.registry.collect()
    }
    assert exported == documented()


def test_every_value_of_a_label_that_is_a_word_of_ours_is_documented(full: Shown) -> None:
    text = DOCS.read_text("utf-8")
    words = {
        value
        for metric in full.registry.collect()
        for sample in metric.samples
        for label, value in sample.labels.items()
        if label in {"fate", "loss", "model", "source", "verdict"}
    }
    assert {word for word in words if f"`{word}`" not in text} == set()
