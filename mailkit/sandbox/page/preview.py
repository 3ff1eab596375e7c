"""The HTML of a message for the frame that shows it, in which no link leads anywhere."""

import re
from html.parser import HTMLParser

_BLANK = re.compile(r"[\s\ufeff]+")
_DOCTYPE = re.compile(r"<!doctype[^>]*>", re.IGNORECASE)
_INERT = (
    '<base target="_blank">'
    '<style>[target=""],[target="_self" i]{pointer-events:none!important}</style>'
)
"""A link opens a window, which the frame may not; one that insists on the frame takes no click."""


def inert(html: str) -> str:
    """The HTML in which a click on a link does nothing, in the same mode: without standards if it
    has no doctype.
    """
    doctype = _DOCTYPE.match(html, _start(html))
    at = doctype.end() if doctype else 0
    return html[:at] + _INERT + html[at:]


def _start(html: str) -> int:
    """Where it begins, after white space and comments."""
    at = 0
    while True:
        if blank := _BLANK.match(html, at):
            at = blank.end()
        end = html.find("-->", at + 4) if html.startswith("<!--", at) else -1
        if end < 0:
            return at
        at = end + 3


def links(html: str) -> list[str]:
    """Where its links lead, each address once, in their order."""
    reader = _Links()
    reader.feed(html)
    reader.close()
    return list(reader.found)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = (dict(attrs).get("href") or "").strip()
        if tag in ("a", "area") and href:
            self.found[href] = None
