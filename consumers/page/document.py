"""A page as one HTML file: no script, nothing to fetch."""

from importlib.resources import files

from consumers.page.markup import Content, style, tag, written

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What a browser may load for the page: nothing but the styles in it."""


def document(title: str, *content: Content) -> str:
    """The whole file, in the style that all pages have."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", title),
        style(files(__package__).joinpath("page.css").read_text(encoding="utf-8")),
    )
    return "<!doctype html>\n" + written(tag("html", head, tag("body", tag("main", *content)), lang="en")) + "\n"
