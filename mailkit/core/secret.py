"""A credential that can't be printed."""

from __future__ import annotations

import hashlib
import html
import json
from typing import NoReturn
from urllib.parse import quote, quote_plus

__all__ = ["Secret", "scrub"]

MASK = "***"
_PIECE = 8
"""So many characters of a credential in a row are taken for it, so that one that was cut, or
broken by a line's end or an escape, does not show either."""


class Secret:
    """A text that repr, str, format and pickle do not give away; ``reveal()`` does."""

    __slots__ = ("__value",)

    def __init__(self, value: str | Secret) -> None:
        self.__value: str = value.reveal() if isinstance(value, Secret) else value

    def reveal(self) -> str:
        """The text itself, to be put on the wire and nowhere else."""
        return self.__value

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


def scrub(text: str, secrets: tuple[Secret, ...]) -> str:
    """The text with every credential in it replaced, as written and as JSON, HTML or a URL spell
    it, and every piece of one that is long enough to be of use.
    """
    for secret in secrets:
        for spelling in sorted(_spellings(secret.reveal()), key=len, reverse=True):
            text = text.replace(spelling, MASK)
        text = _without_pieces(text, secret.reveal())
    return text


def _spellings(value: str) -> set[str]:
    if not value:
        return set()
    quoted = quote(value, safe="")
    in_json = json.dumps(value)[1:-1]
    return {
        value,
        quoted,
        quoted.lower(),
        quote_plus(value),
        in_json,
        in_json.replace("/", "\\/"),
        html.escape(value),
    }


def _without_pieces(text: str, value: str) -> str:
    pieces = {value[n : n + _PIECE] for n in range(len(value) - _PIECE + 1)}
    if not pieces:
        return text
    kept: list[str] = []
    end = 0  # of the run that was masked last
    for n in range(len(text) - _PIECE + 1):
        if text[n : n + _PIECE] in pieces:
            if n >= end:
                kept += (text[end:n], MASK)
            end = n + _PIECE
    return "".join(kept) + text[end:]
