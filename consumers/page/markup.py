"""HTML and SVG elements. The standard library writes them, so that no name out of a user's data becomes markup."""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

Node = ET.Element
Content = Node | str | None


def tag(kind: str, *content: Content, **attributes: str | float) -> Node:
    """An element. In attributes' names "_" stands for "-", and one at the end for nothing: ``class_``.

    >>> written(tag("b", "1 < 2", class_="x"))
    '<b class="x">1 &lt; 2</b>'
    """
    made = Node(kind, {key.rstrip("_").replace("_", "-"): _value(value) for key, value in attributes.items()})
    last: Node | None = None
    for part in content:
        if part is None:
            continue
        if isinstance(part, Node):
            made.append(part)
            last = part
        elif last is None:
            made.text = (made.text or "") + printable(part)
        else:
            last.tail = (last.tail or "") + printable(part)
    return made


def name(text: str) -> Node:
    """A name out of the user's data, which keeps its direction of writing to itself."""
    return tag("bdi", seen(text))


def names(texts: Iterable[str]) -> list[Content]:
    """Names, with commas between them."""
    found: list[Content] = []
    for text in texts:
        found += [", ", name(text)]
    return found[1:]


def seen(text: str) -> str:
    """The name, or a word for one that has no letter."""
    return text if text.strip() else "(blank)"


def printable(text: str) -> str:
    r"""The text with what cannot be seen written out: control characters, lone surrogates, turns of direction.

    >>> printable("gnp\u202e.txt\n")
    'gnp\\u202e.txt\\n'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def text(content: Iterable[Content]) -> str:
    """The content without markup.

    >>> text(["the column ", name("x"), " alone"])
    'the column x alone'
    """
    return "".join(
        printable(part) if isinstance(part, str) else "".join(part.itertext()) for part in content if part is not None
    )


def style(rules: str) -> Node:
    """A style sheet; its text is the project's own, and stands as it is."""
    made = Node("style")
    made.text = rules
    return made


def written(node: Node) -> str:
    """An element as HTML."""
    return ET.tostring(node, encoding="unicode", method="html")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return printable(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")
