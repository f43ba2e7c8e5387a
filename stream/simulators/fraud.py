"""A seeded stream of card transactions whose change points are known, with labels that are rare, late or missing.

In the spirit of the simulator in Le Borgne, Siblini, Lebichot and Bontempi, *Reproducible Machine Learning for Credit
Card Fraud Detection - Practical Handbook* (2022), chapter 3.

- Customers differ in how much they spend, how evenly and how often, and buy at the terminals near their homes, with a
  daily rhythm.
- Frauds of kind 1 are some 2.5 to 8 times the customer's mean, which for most is what others spend. Those of kind 2
  are all purchases at a terminal that is compromised for 28 days, and look like others there. Those of kind 3 are a
  third of the purchases with a card that has leaked for 14 days, at 2 to 5 times the amount, each followed by up to two
  more within minutes.
- A label comes of those that are inspected, after one day to two, and of most other frauds, charged back after 3 to 20
  days, half of them within 7.3 days. Nobody ever says of other purchases that they were legitimate:
  `labels.absent_means`.

Terminals are compromised as in the handbook, where of 10,000 two a day are, for 28 days. Otherwise than there a
terminal has 1.75 purchases a day, not one, and of most legitimate ones nothing is ever heard, where the handbook knows
all labels after a week.

Uniform draws of PCG64 and sums, products and comparisons of doubles decide the rows: the same anywhere.

At the defaults there are 3,450 to 3,580 transactions a day, and of them frauds of kind 1 .0011 to .0014, of kind 2
.0048 to .0077, of kind 3 .0024 to .0039, of all .0085 to .0124: each the range over seeds 1 to 5, 20 days without
drift. Some 400,000 rows are made in a second. How well each kind is found: docs/fraud.md.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, Literal, TypedDict

from stream.simulators.fraud_days import Day, Days
from stream.simulators.fraud_world import DAY_MS, KINDS, Change, Setup, check_changes

__all__ = ["TRUTH", "Change", "FraudSimulator", "Transaction", "known"]

Truth = Literal["legitimate", "fraud"]

TRUTH: Final = ("truth", "scenario")
"""Fields to measure with: of what no bank knows when it decides, and often never."""

_START_MS: Final = 1_704_067_200_000  # 2024-01-01T00:00:00Z
_BLOCK: Final = 4_096  # rows made at once of a day's arrays: a day of a large world need not fit in memory as rows


class Transaction(TypedDict):
    """One row.

    `time` is in seconds; `label_time` too, and both it and `label` are None where nobody ever says. `truth` and
    `scenario` (0 for legitimate, 1 a high amount, 2 a compromised terminal, 3 a leaked card) are there to measure with:
    they must never be a feature.
    """

    event_id: str
    time: float
    customer_id: str
    terminal_id: str
    amount: float
    label: Truth | None
    label_time: float | None
    truth: Truth
    scenario: int


def known(rows: Iterable[Transaction]) -> Iterator[dict[str, Any]]:
    """Leave out of rows what no bank knows."""
    for row in rows:
        yield {name: value for name, value in row.items() if name not in TRUTH}


class FraudSimulator:
    """An endless stream of transactions; every `iter()` begins anew, and `rows(n)` ends after `n` rows.

    Rows follow from the arguments alone. Until the first change they are those of the same seed without drift. A day
    is drawn at a time and nothing is kept of those already given, so memory is flat however long the stream runs.

    Parameters
    ----------
    seed
        Draws the customers and the rows.
    drift
        False gives a world in which nothing ever changes: every alarm on it is a false one.
    changes
        Kinds, each once, and the days at whose beginnings they come into force, in order; the first day is 0, and a
        change comes on day 1 at the earliest. A change stays:

        - ``"terminal_attack"``: new terminals are compromised three times as often, until three times as many are, and
          frauds there are small sums that test stolen cards.
        - ``"spending_shift"``: half of the customers move, to other terminals, and get other mean amounts.
        - ``"night_fraud"``: four of five frauds of the kinds 1 and 3 take place between midnight and five.
        - ``"inflation"``: all amounts, frauds' too, rise by 2% of what they were, day after day.
    customers, terminals
        How many there are.
    rate
        Transactions that the mean customer makes a day; 4 at most.
    amount_share
        Share of the transactions that are frauds of kind 1.
    compromised_share
        Share of the terminals that are compromised at a time; 0: no frauds of kind 2, with or without an attack.
    leaked_share
        Share of the customers whose cards are leaked at a time; a third of their transactions are then frauds.
    inspected_share
        Share of all transactions, whatever they are, that are looked into: by somebody, or by asking the customer.
    charged_back_share
        Share of the frauds not inspected that are charged back.

    Raises
    ------
    ValueError
        Names the argument that is impossible, its value and what is allowed.

    Examples
    --------
    >>> simulator = FraudSimulator(seed=7)
    >>> for change in simulator.changes:
    ...     print(change.position, change.time, change.kind)
    107449 1706659200.0 terminal_attack
    161076 1707955200.0 spending_shift
    >>> for row in simulator.rows(2):
    ...     print(row["event_id"], row["time"], row["customer_id"], row["terminal_id"], row["amount"], row["label"])
    tx-000000000 1704067313.896 customer-00572 terminal-01850 53.0 None
    tx-000000001 1704067365.553 customer-01309 terminal-01335 23.24 None
    >>> FraudSimulator(seed=7, drift=False).changes
    ()

    """

    def __init__(
        self,
        seed: int = 7,
        *,
        drift: bool = True,
        changes: tuple[tuple[str, int], ...] = (("terminal_attack", 30), ("spending_shift", 45)),
        customers: int = 2_000,
        terminals: int = 2_000,
        rate: float = 1.75,
        amount_share: float = 0.0012,
        compromised_share: float = 0.0056,
        leaked_share: float = 0.0045,
        inspected_share: float = 0.1,
        charged_back_share: float = 0.9,
    ) -> None:
        shares = (amount_share, compromised_share, leaked_share, inspected_share, charged_back_share)
        self._setup = Setup(customers, terminals, rate, *shares).check()
        self._seed = seed
        days = check_changes(changes)
        self._days = days if drift else {}

    @property
    def changes(self) -> tuple[Change, ...]:
        """The known change points, in the order of their times; to count the rows before them takes a moment."""
        days, found, position, day = self._begin(), [], 0, 0
        for kind, begins in self._days.items():
            position += sum(len(days.next().times) for _ in range(day, begins))
            day = begins
            found.append(Change(position, (_START_MS + day * DAY_MS) / 1000.0, kind, KINDS[kind]))
        return tuple(found)

    def __iter__(self) -> Iterator[Transaction]:
        """Begin the stream anew."""
        days, position = self._begin(), 0
        while True:
            day = days.next()
            for start in range(0, len(day.times), _BLOCK):
                yield from _rows(day, position, slice(start, start + _BLOCK))
            position += len(day.times)

    def rows(self, count: int) -> Iterator[Transaction]:
        """Return an iterator over the first `count` rows."""
        return islice(self, count)

    def _begin(self) -> Days:
        return Days(self._setup, self._seed, self._days, _START_MS)


def _rows(day: Day, position: int, part: slice) -> list[Transaction]:
    columns = zip(
        range(position + part.start, position + len(day.times)),
        (day.times[part] / 1000.0).tolist(),
        day.customers[part].tolist(),
        day.terminals[part].tolist(),
        day.amounts[part].tolist(),
        day.scenarios[part].tolist(),
        (day.label_times[part] / 1000.0).tolist(),
        strict=False,  # the numbers are those of the rest of the day
    )
    return [
        {
            "event_id": f"tx-{number:09d}",
            "time": time,
            "customer_id": f"customer-{customer:05d}",
            "terminal_id": f"terminal-{terminal:05d}",
            "amount": amount,
            "label": ("fraud" if scenario else "legitimate") if label_time else None,
            "label_time": label_time or None,
            "truth": "fraud" if scenario else "legitimate",
            "scenario": scenario,
        }
        for number, time, customer, terminal, amount, scenario, label_time in columns
    ]
