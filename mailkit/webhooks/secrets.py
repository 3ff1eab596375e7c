"""The secrets in a receiver's path: compared in constant time, kept as digests, masked in logs."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from mailkit.core.secret import Secret
from mailkit.errors import InvalidArgument

__all__ = ["LEAST", "MASK", "Secrets", "wrapped"]

LEAST = 16
"""Characters of a secret: one of 16 random letters and digits can't be guessed."""
MASK = "hidden"
"""What paths show in the secret's place; it reads the same in any encoding of an address."""

_TEXT = re.compile(r"[A-Za-z0-9._~-]+")


def wrapped(given: str | Sequence[str | Secret]) -> Sequence[Secret]:
    """The secrets in a form that a traceback, which can show local variables, does not show."""
    return [Secret(one) for one in ([given] if isinstance(given, str) else given)]


class Secrets:
    """One secret, or several while the old one is being replaced; errors call it ``name``."""

    def __init__(self, given: Sequence[Secret], name: str = "secret") -> None:
        if not given:
            raise InvalidArgument(f"{name}: give one, or several while you replace the old one")
        self._digests = [_digest(_checked(secret, name)) for secret in given]

    def match(self, text: str) -> bool:
        """Whether it is one of them; takes as long for any text of its length."""
        digest, found = _digest(text), False
        for known in self._digests:
            found |= hmac.compare_digest(digest, known)
        return found

    def mask(self, text: str) -> str:
        """The text without them."""
        return _TEXT.sub(lambda found: MASK if self._is_secret(found[0]) else found[0], text)

    def _is_secret(self, word: str) -> bool:
        return len(word) >= LEAST and self.match(word)


def _checked(secret: Secret, name: str) -> str:
    """The secret's text, if nobody can guess it and it can stand in an address."""
    if len(secret.reveal()) < LEAST:
        raise InvalidArgument(f"{name} is too short: give at least {LEAST} characters")
    if not _TEXT.fullmatch(secret.reveal()):
        raise InvalidArgument(
            f"{name}: use letters, digits and . _ ~ - only, since it is part of a URL"
        )
    return secret.reveal()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
