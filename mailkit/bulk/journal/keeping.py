"""What a database does in its own way for whoever looks after a journal: see `Keeper`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import attrs

from mailkit.bulk.journal.store import Store

__all__ = ["Keeper", "StoreFacts"]


@attrs.frozen
class StoreFacts:
    """What can be said of a journal's database: its name and version, the ``version`` of the
    journal's tables, the bytes that it takes, the bytes of these that are ``free`` for new rows
    (None: the database does not say), and sentences about what the promise relies on there.
    """

    database: str
    version: int
    size: int
    free: int | None
    reliance: Sequence[str]


class Keeper(Store, Protocol):
    """A store that can be looked after."""

    async def facts(self) -> StoreFacts:
        """What can be said of the database now."""
        ...

    async def backup(self, destination: Path) -> int:
        """Write a copy of the journal, as it is at one moment, to a new file that only its owner
        can read, while others go on; returns its bytes.

        InvalidArgument if nothing may be written there. JournalError if it can't be written, or if
        such a database is backed up by a program of its own, which it names.
        """
        ...
