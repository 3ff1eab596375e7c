"""The suppression store: addresses that no job of this journal mails any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

from mailkit.address import dedupe_key, normalize
from mailkit.bulk.journal.store import Connection, Store

__all__ = ["Suppression", "Suppressions"]


class Suppression(NamedTuple):
    """A suppressed address, why, and since when (seconds since 1970)."""

    address: str
    reason: str
    since: float


class Suppressions:
    """One store for all jobs, because people unsubscribe from a sender, not from a job."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, addresses: Iterable[str], *, reason: str, now: float) -> int:
        """Suppress these addresses; returns how many were new.

        An address that can't be one raises InvalidArgument, and none is added.
        """
        rows = [(dedupe_key(normalize(address)), reason, now) for address in addresses]

        def work(db: Connection) -> int:
            return db.executemany(
                "INSERT INTO suppressions (job, key, reason, since) VALUES (0, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                rows,
            ).rowcount

        return await self._store.write(work)

    async def remove(self, addresses: Iterable[str]) -> int:
        """Allow these addresses again; returns how many were suppressed."""
        keys = [(dedupe_key(normalize(address)),) for address in addresses]

        def work(db: Connection) -> int:
            return db.executemany(
                "DELETE FROM suppressions WHERE job = 0 AND key = ?", keys
            ).rowcount

        return await self._store.write(work)

    async def list(self) -> AsyncIterator[Suppression]:
        """Every suppressed address, in alphabetical order."""
        found = self._store.stream(
            "SELECT key, reason, since FROM suppressions WHERE job = 0 ORDER BY key", ()
        )
        async for rows in found:
            for row in rows:
                yield Suppression(*row)
