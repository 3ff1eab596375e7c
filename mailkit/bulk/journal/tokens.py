"""How a message is named to a provider, so that whatever is said of it later finds its row.

A chunk's key names job, chunk and attempt as no other journal does. A row's token
(`mailkit.core.dispatch.Task.token`) has it in front of what it was made of.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

from mailkit.bulk.journal.store import Connection
from mailkit.core.dispatch import TOKEN_BYTES

__all__ = ["Place", "journal_id", "key_of", "place_of"]

_chunk = re.compile(r"([0-9a-f]{10})/(\d{1,10})/(\d{1,10})/(\d{1,10})", re.ASCII).fullmatch
_row = re.compile(r"\d{1,10}", re.ASCII).fullmatch


Place = tuple[int, int, int]
"""A job, by its id, the chunk in which a row of it was sent, and the row, by its number."""


def journal_id(db: Connection) -> str:
    """The journal's own name, which no other has."""
    (journal,) = db.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
    return str(journal)


def key_of(journal: str, job: int, chunk: int, attempt: int) -> str:
    """The key of a chunk, as it was sent in this attempt."""
    named = f"{journal}/{job}/{chunk}/{attempt}"
    return blake2b(named.encode(), digest_size=5).hexdigest()


def place_of(journal: str, token: str) -> Place | None:
    """What the token names; None if this journal has not made it."""
    if len(token) > TOKEN_BYTES:
        return None
    named, _, row = token.rpartition("/")
    chunk = _chunk_of(journal, named)
    return (*chunk, int(row)) if chunk is not None and _row(row) else None


@lru_cache(maxsize=1_000)  # of a batch, many are about one chunk
def _chunk_of(journal: str, named: str) -> tuple[int, int] | None:
    """Job and chunk that a token names before the row."""
    parts = _chunk(named)
    if parts is None:
        return None
    job, chunk, attempt = map(int, parts.groups()[1:])
    return (job, chunk) if key_of(journal, job, chunk, attempt) == parts[1] else None
