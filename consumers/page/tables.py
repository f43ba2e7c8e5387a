"""Tables, and what else the parts of the page are put together from."""

from collections.abc import Iterable, Mapping, Sequence

from consumers.page.figures import count, percent
from consumers.page.markup import Content, Node, name, tag


def part(title: str, *content: Content) -> Node:
    """A part of the page."""
    return tag("section", tag("h2", title), *content)


def figure(drawn: Node, caption: Content, *more: Content) -> Node:
    """A picture under its caption, with what else belongs to it below."""
    return tag("figure", tag("figcaption", caption), drawn, *more)


def grid(figures: Iterable[Node], *, small: bool = False) -> Node:
    """Figures side by side, as many as there is room for."""
    return tag("div", *figures, class_="grid small" if small else "grid")


def folded(summary: str, *content: Content) -> Node:
    """What is shown when it is asked for, and in print."""
    return tag("details", tag("summary", summary), *content)


def table(heads: Sequence[str], rows: Iterable[Sequence[Content]]) -> Node:
    """A table; the first column names its row, and all but that are numbers."""
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", *(tag("th", head, scope="col") for head in heads))),
            tag("tbody", *(_row(row) for row in rows)),
        ),
        class_="wide",
    )


def facts(told: Mapping[str, Content]) -> Node:
    """Words, each with what is said of it."""
    pairs = [part for word, said in told.items() for part in (tag("dt", word), tag("dd", said))]
    return tag("dl", *pairs)


def shares(heads: Sequence[str], counts: Iterable[tuple[Content, int]], whole: int) -> Node:
    """Counts with their shares of a whole, and a bar each."""
    rows: list[list[Content]] = [
        [named, count(number), percent(number, whole), _bar(number / whole if whole else 0.0)]
        for named, number in counts
    ]
    made = table([*heads, "rows", "share", ""], rows)
    made.set("class", "wide shares")
    return made


def named(counts: Mapping[str, int]) -> list[tuple[Content, int]]:
    """Counts by names out of the user's data."""
    return [(name(key), number) for key, number in counts.items()]


def _row(cells: Sequence[Content]) -> Node:
    return tag("tr", tag("th", cells[0], scope="row"), *(tag("td", cell) for cell in cells[1:]))


def _bar(share: float) -> Node:
    return tag(
        "svg",
        tag("rect", x=0, y=0, width=100, height=8, class_="empty"),
        tag("rect", x=0, y=0, width=100 * min(1.0, max(0.0, share)), height=8, class_="bar"),
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        class_="share",
        aria_hidden="true",
    )
