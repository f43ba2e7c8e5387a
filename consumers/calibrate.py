"""``rotwatch calibrate``: what a stream's settings would do, simulated before anything is deployed."""

from typing import Annotated, Any

import typer

from consumers.commands import Config, StreamName

DAYS = 365
"""Of a year."""

TIMES = (2, 3, 5)


def calibrate(
    stream: StreamName,
    baseline_errors: Annotated[float, typer.Option(help="Share of events on which the baseline errs.")],
    config: Config = None,
    online_errors: Annotated[
        float | None, typer.Option(help="Share on which the online model errs; as the baseline, unless given.")
    ] = None,
    disagreement: Annotated[
        float | None,
        typer.Option(help="Share on which exactly one of them errs; as if they erred independently, unless given."),
    ] = None,
    labels_per_day: Annotated[int, typer.Option(min=1, help="Labelled events a day.")] = 1_000,
    judged: Annotated[int, typer.Option(min=0, help="Rows that the references of both models come from.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulation.")] = 1,
) -> None:
    """Simulate a stream's monitor: false alarms a year, and how soon more errors are found."""
    from consumers.settings import find_stream, load
    from consumers.terminal import terminal
    from stream.drift import simulation
    from stream.judging import limits

    chosen = find_stream(load(config), stream)
    tolerated = limits(chosen)
    online = baseline_errors if online_errors is None else online_errors
    healthy = simulation.outcomes(baseline_errors, online, disagreement)
    console = terminal()
    console.print(
        f"{stream}, simulated: the baseline errs on {healthy.baseline:.2%} of the events, the online model on "
        f"{healthy.online:.2%}, exactly one of them on {healthy.disagreement:.2%}; {labels_per_day:,} labelled "
        "events a day."
    )
    changes = {f"The baseline errs {times} times as often": healthy.rotten(times) for times in TIMES}
    changes["Both models err 2 times as often"] = healthy.harder(2)
    for what, after in changes.items():
        if not after.possible:
            console.print(f"{what}: that is more than all events.")
            continue
        late = simulation.delays(tolerated, healthy, after, judged, seed)
        console.print(f"{what}: {_found(late, labels_per_day)}.")
    gap = healthy.baseline - healthy.online
    found = simulation.false_alarms(tolerated, healthy, judged, seed)
    events, year = simulation.HEALTHY_RUNS * simulation.HEALTHY_EVENTS, labels_per_day * DAYS
    most = min(3 / events, 1 / tolerated.false_alarm_every)
    often = f"about {_round(found / events * year)}" if found else f"fewer than {_round(most * year)}"
    console.print(f"While nothing changes: {often} alarms a year ({found:,} in {events:,} simulated events); ", end="")
    if abs(gap) > tolerated.tolerance:
        worse = "baseline" if gap > 0 else "online model"
        console.print(
            f"but the {worse} errs on {1000 * abs(gap):.3g} in 1,000 more than the other from the start, and "
            f"{1000 * tolerated.tolerance:g} are tolerated: alarms that say so are not false."
        )
    else:
        console.print(f"by the guarantee at most {_round(year / tolerated.false_alarm_every)}.")


def _found(late: Any, per_day: int) -> str:
    """In words: when half of the runs have found it, and nine in ten."""
    import numpy as np

    from stream.drift.simulation import EVENTS

    half, most = (float(np.quantile(late, share, method="higher")) for share in (0.5, 0.9))
    if not np.isfinite(half):
        share = float(np.isfinite(late).mean())
        return f"found within {EVENTS:,} labelled events in {share:.0%} of the runs only"
    words = f"found in about {_round(half)} labelled events ({_round(half / per_day)} days)"
    return f"{words}, nine times in ten within {_round(most)}" if np.isfinite(most) else words


def _round(number: float) -> str:
    """Two digits, as more would be chance."""
    return f"{float(f'{number:.2g}'):,g}"
