"""The values and ranges in which the baseline errs, or misses, most beyond the online model."""

from consumers.page.figures import count, per_thousand
from consumers.page.loss import Loss
from consumers.page.markup import Content, Node, name, tag
from consumers.page.outcome import Outcome
from consumers.page.tables import part, table


def slices(outcome: Outcome) -> Node | None:
    """A table of them; None where the gap is alike everywhere."""
    seen = outcome.monitoring
    if seen is None or not seen.account.slices:
        return None
    rows: list[list[Content]] = [
        [name(each.where), count(each.events), per_thousand(each.baseline_errors), per_thousand(each.online_errors)]
        for each in seen.account.slices
    ]
    loss = Loss.judged(outcome.settings.kind)
    about = (
        f"Values and ranges in which the baseline {loss.verb} more than the online model by surely more than over all "
        f"{loss.of_what}, the surest first; since the last alarm of the paired detector, or since the baseline came "
        "into use."
    )
    heads = ["where", loss.of_what, f"baseline's {loss.many} per 1,000", "online model's"]
    return part(f"Where it {loss.verb}", tag("p", about, class_="small-print"), table(heads, rows))
