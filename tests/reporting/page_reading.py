"""Reading a page back: elements, text and the numbers in them, with nothing of the code that wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "input", "hr", "path", "use"}
SCALES = {"": 1.0, "billion": 1e9, "million": 1e6}


@dataclass
class Element:
    """An element with its children; text is a child too."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)

    def find(self, *tags: str) -> Iterator[Element]:
        for child in self.children:
            if isinstance(child, Element):
                if child.tag in tags or not tags:
                    yield child
                yield from child.find(*tags)


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("root", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(data)


def read_page(html: str) -> Element:
    """Return the page as a tree; an element closed in the wrong place fails."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert builder.open == [builder.root], f"never closed: {[item.tag for item in builder.open[1:]]}"
    return builder.root


def read_pages(pages: Mapping[str, str]) -> Element:
    """Return the main parts of the pages of a run as one, for what may stand on any; the list of pages is left out."""
    shown = [read_page(html) for file, html in pages.items() if file not in ("index.html", "brief.html")]
    return Element("root", {}, [Element("main", {}, [next(page.find("main")) for page in shown])])


def prose_without_numbers(element: Element) -> str:
    """Return the text of a page less bound numbers, stated constants, labels, drawings, code and tables."""
    if element.tag in ("svg", "style", "code", "data", "title", "table", "dt") or "given" in element.classes:
        return " "
    if {"label", "subtitle"} & set(element.classes) or "download" in element.attributes:
        return " "
    parts = [child if isinstance(child, str) else prose_without_numbers(child) for child in element.children]
    return "".join(parts)


def number_in(text: str) -> float:
    """Return the number a reader would take from the text of a bound number."""
    text = text.replace(",", "").replace("\N{MINUS SIGN}", "-").strip()
    if year := re.fullmatch(r"(\d{4})-(\d{2})", text):
        return float(year[1]) + 1.0
    if re.match(r"(neither a net saving|no change)", text):
        return 0.0
    found = re.search(r"(-?)£?([0-9.]+)\s*(billion|million|%|p)?", text)
    assert found, text
    value = float(found[2]) * (0.01 if found[3] in ("%", "p") else SCALES[found[3] or ""])
    against = found[1] == "-" or "net cost of" in text or text.endswith(" more")
    return -value if against else value


def places_of(text: str) -> float:
    """Return what a number was rounded to: the place of the last digit that is not a filling zero.

    A per cent that divides by 5 may have been rounded to 5, or by 10 to 10.
    """
    found = re.search(r"([0-9][0-9,]*)(?:\.([0-9]+))?\s*(billion|million|%|p)?", text)
    assert found, text
    whole = found[1].replace(",", "")
    if found[3] == "p":
        return 0.01
    if found[3] == "%":
        return 0.1 if int(whole) % 10 == 0 else 0.05 if int(whole) % 5 == 0 else 0.01
    filling = 0 if found[2] else len(whole) - len(whole.rstrip("0"))
    return SCALES[found[3] or ""] * 10.0 ** (filling - len(found[2] or ""))
