"""A page as a program reads it: its numbers, its words, and whether it is what it must be."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import attrs

VOID = {"meta", "br", "hr"}
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section"),
    *("article", "h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "figure", "figcaption"),
    *("div", "span", "strong", "code", "bdi", "time", "data", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "rect", "path"),
}
"""None of them loads, runs or sends anything, if its attributes don't."""
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "value", "datetime"),
    *("scope", "role", "tabindex", "aria-label", "aria-hidden", "focusable", "viewbox"),
    *("preserveaspectratio", "x", "y", "width", "height", "d", "vector-effect"),
}


@attrs.define
class Page(HTMLParser):
    """The parsed page; an element that is not closed, or not known to be harmless, is an error."""

    numbers: dict[str, int] = attrs.field(factory=dict)
    words: list[str] = attrs.field(factory=list)
    open: list[str] = attrs.field(factory=list)
    commands: list[str] = attrs.field(factory=list)
    style: str = ""
    policy: str = ""
    _id: str | None = None
    _value: int | None = None

    def __attrs_pre_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    @classmethod
    def read(cls, html: str) -> Page:
        page = cls()
        page.feed(html)
        page.close()
        assert page.open == []
        digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
        assert page.policy == (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )
        assert not re.search(r"url\(|@import|image-set|src\(", page.style)
        assert "://" not in html.replace("http://evil.example", "")
        return page

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def of(self, prefix: str) -> dict[str, int]:
        """The numbers whose ids begin with the prefix, by what follows."""
        first = f"{prefix}-"
        return {i.removeprefix(first): n for i, n in self.numbers.items() if i.startswith(first)}

    def check_sums(self) -> None:
        """All its numbers are of one moment: each state's rows have their reasons, and the sum is
        that of the rows read.
        """
        rows = self.of("rows")
        read, total = rows.pop("read"), rows.pop("sum")
        assert read == total == sum(rows.values())
        assert self.numbers.get("accepted-over-time", 0) <= rows["accepted"]
        for line in ("delivered", "opened", "clicked", "failed"):
            assert self.numbers.get(f"{line}-over-time", 0) <= rows["accepted"]
        reasons, heard = self.of("why"), self.of("delivery")
        for kind in ("invalid", "duplicate", "suppressed", "rejected"):
            assert reasons.pop(kind, 0) == rows[kind]
        for kind, failed in reasons.items():
            assert heard[kind.removeprefix("delivery-")] == failed

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS or "title" in (tag, *self.open[-1:]), tag
        assert {name for name, _ in attrs} <= ATTRIBUTES, (tag, attrs)
        found = dict(attrs)
        assert all((value or "").isprintable() for value in found.values())
        if tag == "meta":
            if found.get("http-equiv") is not None:
                assert found["http-equiv"] == "Content-Security-Policy"
                self.policy = found["content"] or ""
            return
        if tag == "data":
            self._id, self._value = found.get("id"), int(found["value"] or "")
        if tag == "code":
            self.commands.append("")
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            self.style += data
            return
        assert all(char.isprintable() or char == "\n" for char in data)
        self.words.append(data)
        if "code" in self.open:
            self.commands[-1] += data
        if self.open[-1:] == ["data"]:
            assert data == f"{self._value:,}"
            if self._id is not None and self._value is not None:
                assert self._id not in self.numbers, "an id twice"
                self.numbers[self._id] = self._value
