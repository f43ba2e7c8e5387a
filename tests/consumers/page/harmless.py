"""What no page may hold, whatever the data say."""

import math
import re

from tests.consumers.page.reading import read

KINDS = {
    *("html head meta title style body main header section h1 h2 h3 p small code strong bdi span div ul li".split()),
    *("dl dt dd figure figcaption details summary table thead tbody tr th td".split()),
    *("svg g desc line rect circle polyline polygon text".split()),
}
"""The elements that a page is made of: none that runs, fetches, or leads elsewhere."""

EVIL = "</title></style></bdi><script>alert(1)</script><img src=x onerror='a()'>\"&quot;&amp;\x00\u202e\udc80]]><!--"


def harmless(made):
    """Check a page, and give its root."""
    root = read(made)
    made.encode()
    for element in root.all():
        assert element.kind in KINDS
        for attribute in element.attributes:
            assert not attribute.startswith("on")
            assert attribute not in ("href", "src", "style", "xlink:href", "action")
    style = root.one("style").text
    assert "url(" not in style
    assert "@import" not in style
    policies = [meta.attributes["content"] for meta in root.all("meta") if meta.attributes.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    for svg in root.all("svg"):
        if svg.attributes.get("aria-hidden") is None:
            assert (svg.attributes["role"], bool(svg.one("title").text), bool(svg.one("desc").text)) == (
                "img",
                True,
                True,
            )
        for element in svg.all():
            for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height"):
                assert math.isfinite(float(element.attributes.get(name, 0)))
            for place in re.split("[ ,]", element.attributes.get("points") or "0"):
                assert math.isfinite(float(place))
    return root
