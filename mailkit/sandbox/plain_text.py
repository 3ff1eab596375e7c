"""The text of an HTML message, for people."""

import re
from html.parser import HTMLParser

_BLOCKS = re.compile(
    r"address|article|aside|blockquote|center|div|dl|fieldset|footer|form|h[1-6r]|header|main|"
    r"[ou]l|p|pre|section|table"
)
_LINES = frozenset({"br", "dd", "dt", "li", "tr"})
_UNSEEN = frozenset({"head", "script", "style", "template", "title"})


def plain_text(html: str) -> str:
    """The words of the HTML, a line for each block, with the addresses of links."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).split("\n"))
    text = "\n".join(lines)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = ""
        self._link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._unseen:
            return
        if tag in _UNSEEN:
            self._unseen = tag
        elif tag in _LINES or _BLOCKS.fullmatch(tag):
            self.pieces.append("\n")
        elif tag in ("td", "th"):
            self.pieces.append(" ")
        elif tag == "a":
            self._link = dict(attrs).get("href") or ""
        elif tag == "img":
            self.pieces.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            if tag == self._unseen:
                self._unseen = ""
            return
        if _BLOCKS.fullmatch(tag):
            self.pieces.append("\n")
        elif tag == "a" and self._link:
            self.pieces.append(f" ({self._link})")
            self._link = ""

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data.replace("\n", " "))
