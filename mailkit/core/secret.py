"""A credential that can't be printed."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, NoReturn

__all__ = ["Secret", "scrub"]

MASK = "***"
_DEPTH = 3
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_HEX = "[0-9A-Fa-f]"
_ESCAPES: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (re.compile(f"%u({_HEX}{{4}})|%({_HEX}{{2}})"), lambda m: chr(int(m[1] or m[2], 16))),
    (
        re.compile(rf"""\\u({_HEX}{{4}})|\\(["'\\/])"""),
        lambda m: chr(int(m[1], 16)) if m[1] else m[2],
    ),
    (
        re.compile(f"&(#[Xx]{_HEX}{{1,8}}|#[0-9]{{1,8}}|[A-Za-z][A-Za-z0-9]{{1,30}});?"),
        lambda m: html.unescape(m[0]),
    ),
]
"""Of URLs, of JSON, of HTML, and how they are read."""
_PIECE = 8
"""So many characters of a credential in a row are taken for it, so that one that was cut, or
broken by a line's end or an escape, does not show either."""


class Secret:
    """A text that repr, str, format and pickle do not give away; ``reveal()`` does."""

    __slots__ = ("__pieces", "__value")

    def __init__(self, value: str | Secret) -> None:
        self.__value: str = value.reveal() if isinstance(value, Secret) else value
        self.__pieces: _Pieces | None = None

    def reveal(self) -> str:
        """The text itself, to be put on the wire and nowhere else."""
        return self.__value

    def pieces(self) -> _Pieces:
        """What of it must not show; this says as much as ``reveal()``."""
        if self.__pieces is None:
            self.__pieces = _Pieces(_spellings(self.__value))
        return self.__pieces

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that name the credential without telling it."""
        return hashlib.sha256(self.__value.encode()).hexdigest()[:12]

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__value == other.reveal()

    def __hash__(self) -> int:
        return hash(self.__value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret can't be pickled or copied into a log; pass the text on instead")


def scrub(text: str, secrets: Iterable[Secret]) -> str:
    """The text with every credential in it replaced, and every piece of one that is long enough to
    be of use.

    It is found in any mix of upper and lower case, as written or as URLs, JSON and HTML spell it,
    one within the other up to three deep, and in the base64 of whatever it is part of.
    """
    wanted = [secret.pieces() for secret in secrets if secret]
    spans = [span for view in _views(text) for span in _found(view, wanted)] if wanted else []
    kept: list[str] = []
    end = 0  # of what was masked last
    for start, stop in sorted(spans):
        if start > end or not kept:
            kept += (text[end:start], MASK)
        end = max(end, stop)
    return "".join(kept) + text[end:]


class _Pieces:
    """The pieces of some spellings, by their size. Few texts hold any, so they are asked first for
    shorter ones, of which each piece has at least one.
    """

    __slots__ = ("_by_size", "_short")

    def __init__(self, spellings: Iterable[str]) -> None:
        self._by_size: dict[int, set[str]] = {}
        self._short: set[str] = set()
        for spelling in spellings:
            size = min(_PIECE, len(spelling))
            self._by_size.setdefault(size, set()).update(_cut(spelling, size))
            short = -(-size // 2)
            self._short.update(_cut(spelling, short, step=size - short + 1))

    def within(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the text holds one, from its first to after its last character."""
        if not any(short in text for short in self._short):
            return
        for size, pieces in self._by_size.items():
            for n in range(len(text) - size + 1):
                if text[n : n + size] in pieces:
                    yield n, n + size


def _cut(text: str, size: int, step: int = 1) -> Iterator[str]:
    return (text[n : n + size] for n in range(0, len(text) - size + 1, step))


def _spellings(value: str) -> Iterator[str]:
    """What is looked for, in lower case: the value in characters and as the bytes of a URL, and the
    base64 of it at each of the three places that it can have in what is encoded.
    """
    if not value:
        return
    data = value.encode(errors="replace")
    for text in (value, data.decode("latin-1")):
        yield text.translate(_LOWER)
        yield text.replace(" ", "+").translate(_LOWER)
    for shift in range(3):
        # Without the characters at both ends that depend on its neighbors.
        digits = base64.b64encode(bytes(shift) + data).decode().rstrip("=")
        digits = digits[-(-8 * shift // 6) : 8 * (shift + len(data)) // 6]
        if len(digits) >= _PIECE:
            yield digits.lower()
            yield digits.lower().replace("+", "-").replace("/", "_")


class _View(NamedTuple):
    """A text as it reads with some escapes decoded; where each character and its end began."""

    text: str
    starts: Sequence[int]


def _views(text: str) -> Iterator[_View]:
    views = [_View(text, range(len(text) + 1))]
    seen = {text}
    for _ in range(_DEPTH):
        yield from views
        decoded = [_decoded(view, *escape) for view in views for escape in _ESCAPES]
        views = []
        for view in decoded:
            if view.text not in seen:
                seen.add(view.text)
                views.append(view)
    yield from views


def _decoded(view: _View, escape: re.Pattern[str], read: Callable[[re.Match[str]], str]) -> _View:
    texts: list[str] = []
    starts: list[int] = []
    end = 0
    for found in escape.finditer(view.text):
        start, text = found.start(), read(found)
        if len(text) == 1:
            texts += (view.text[end:start], text)
            starts += view.starts[end : start + 1]
            end = found.end()
    if not texts:
        return view
    return _View("".join(texts) + view.text[end:], starts + list(view.starts[end:]))


def _found(view: _View, wanted: Sequence[_Pieces]) -> Iterator[tuple[int, int]]:
    text, starts = view.text.translate(_LOWER), view.starts
    for pieces in wanted:
        for start, stop in pieces.within(text):
            yield starts[start], starts[stop]
