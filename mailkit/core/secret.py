"""A credential that can't be printed."""

from __future__ import annotations

import hashlib
from typing import NoReturn
from urllib.parse import quote, quote_plus

__all__ = ["Secret", "scrub"]

MASK = "***"


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
    """The text with every credential in it replaced, as written and as JSON or a URL spell it."""
    for secret in secrets:
        for spelling in _spellings(secret.reveal()):
            text = text.replace(spelling, MASK)
    return text


def _spellings(value: str) -> set[str]:
    if not value:
        return set()
    quoted = quote(value, safe="")
    return {value, quoted, quoted.lower(), quote_plus(value), value.replace("/", "\\/")}
