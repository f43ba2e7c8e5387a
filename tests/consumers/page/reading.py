"""A page as a test reads it: a tree of elements, made strictly, so that what is not well formed is an error."""

from collections.abc import Iterator
from html.parser import HTMLParser

from consumers.page.whole import page

VOID = {"meta"}


class Element:
    """An element, its attributes, and what is in it."""

    def __init__(self, kind, attributes):
        self.kind = kind
        self.attributes = attributes
        self.content = []

    def all(self, kind=None, class_=None) -> "Iterator[Element]":
        """Those in it, at any depth, of a kind and a class."""
        for part in self.content:
            if isinstance(part, Element):
                if kind in (None, part.kind) and (class_ is None or class_ in part.classes):
                    yield part
                yield from part.all(kind, class_)

    def one(self, kind, class_=None):
        """The first of them."""
        return next(self.all(kind, class_))

    @property
    def classes(self):
        return (self.attributes.get("class") or "").split()

    @property
    def text(self):
        """Its text, all spaces alike."""
        return " ".join("".join(self._texts()).split())

    @property
    def shape(self):
        """The elements and the names of their attributes, without texts and values."""
        return (self.kind, sorted(self.attributes), [part.shape for part in self.content if isinstance(part, Element)])

    def _texts(self):
        for part in self.content:
            yield from [part] if isinstance(part, str) else part._texts()


class Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: <{tag} {attrs}>"
        made = Element(tag, dict(attrs))
        self.open[-1].content.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag, attrs):
        raise AssertionError(f"<{tag}/> is no HTML")

    def handle_endtag(self, tag):
        assert self.open[-1].kind == tag, f"</{tag}> within <{self.open[-1].kind}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].content.append(data)

    def handle_decl(self, decl):
        assert (decl, len(self.root.content)) == ("doctype html", 0)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data):
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data):
        raise AssertionError(f"a declaration: {data}")


def read(text: str) -> Element:
    """The root of a page; raises AssertionError for one that is not well formed."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [reader.root], f"never closed: {[element.kind for element in reader.open]}"
    return reader.root.one("html")


def shown(card):
    return read(page(card))


def part(root, title):
    return next(section for section in root.all("section") if section.one("h2").text == title)


def height(drawn, label):
    """Where on the upright axis a tick with this label stands."""
    text = next(
        each for each in drawn.all("text") if each.text == label and each.attributes.get("text-anchor") == "end"
    )
    return float(text.attributes["y"]) - 4


def titles(root):
    return [section.one("h2").text for section in root.all("section")]


def verdict(root, title):
    return next(item for item in root.all("li") if item.one("strong").text == f"{title}.")


def rows(element):
    return [[cell.text for cell in row.all() if cell.kind in ("th", "td")] for row in element.one("tbody").all("tr")]


def picture(root, title):
    return next(svg for svg in root.all("svg") if svg.attributes.get("role") and svg.one("title").text == title)


def places(shape):
    """The points of a line or an area."""
    return [tuple(map(float, place.split(","))) for place in shape.attributes["points"].split()]


def texts(drawn):
    return [each.text for each in drawn.all("text")]
