"""What a message says, in a line of text."""

from __future__ import annotations

from html.parser import HTMLParser

__all__ = ["excerpt", "shown"]

LENGTH = 200
_PIECE = 4096
_UNSEEN = frozenset({"head", "script", "style", "template", "title"})
_INLINE = frozenset({"a", "b", "code", "em", "font", "i", "s", "small", "span", "strong", "u"})


def shown(html: str | None, text: str | None) -> str:
    """The body that there is, as a line of text."""
    return shortened(text or "") if html is None else excerpt(html)


def shortened(text: str) -> str:
    """The beginning of the text as one line."""
    line = " ".join(text[: 10 * LENGTH].split())
    return line if len(line) <= LENGTH else line[: LENGTH - 1].rstrip() + "…"


def excerpt(html: str) -> str:
    """The text of an html body, as far as a line of it needs."""
    reader = _Text()
    for at in range(0, len(html), _PIECE):
        reader.feed(html[at : at + _PIECE])
        if reader.enough:
            break
    else:
        reader.close()
    return shortened("".join(reader.found))


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.enough = False
        self._unseen = 0
        self._length = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        self._part(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN and self._unseen:
            self._unseen -= 1
        self._part(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.found.append(data)
            self._length += len(data.strip())
            self.enough = self._length > 2 * LENGTH

    def _part(self, tag: str) -> None:
        if tag not in _INLINE:
            self.found.append(" ")
