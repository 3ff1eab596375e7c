"""What replaces an address that was removed: a code that can't be read back.

It is a hash of the person's key with the journal's own secret, so that the journal still knows
that somebody has a message, or must not get any, once the address itself is at hand again. Nothing
that looks for people costs more in a journal that has none.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256

from mailkit.bulk.journal.store import Connection

__all__ = ["IS_ONE", "MARK", "aliases", "code_of", "has_any", "pseudonym", "secret"]

MARK = ":"
"""How each begins, and no address does."""
IS_ONE = f"substr(coalesce(key, address), 1, 1) = '{MARK}'"
"""The condition for rows of people who were removed; an invalid row's text may begin so, too."""

_DIGITS = 24  # of the hash: 96 bits
_ASKED = "SELECT value FROM meta WHERE key = 'pseudonyms'"


def code_of(secret: str, key: str) -> str:
    """The code that stands for the person with this key."""
    return f"{MARK}{sha256((secret + key).encode()).hexdigest()[:_DIGITS]}"


def pseudonym(secret: str | None, person: str | None) -> str | None:
    """The same for SQL, where both may be NULL. Each `Dialect` has it."""
    return None if secret is None or person is None else code_of(secret, person)


def has_any(db: Connection) -> bool:
    """Whether anybody was ever removed from the journal."""
    return db.execute(_ASKED).fetchone() is not None


def secret(db: Connection) -> str:
    """The journal's secret, made at its first use."""
    made = secrets.token_hex(16)
    db.execute("INSERT INTO meta VALUES ('pseudonyms', ?) ON CONFLICT DO NOTHING", (made,))
    return str(db.execute(_ASKED).fetchone()[0])


def aliases(db: Connection, keys: Iterable[str]) -> Mapping[str, str]:
    """The codes of the people with these keys, each with the key; none if the journal has none."""
    found = db.execute(_ASKED).fetchone()
    if found is None:
        return {}
    return {code_of(str(found[0]), key): key for key in keys}
