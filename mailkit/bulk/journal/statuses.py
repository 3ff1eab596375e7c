"""Statuses in the journal: which chunks to ask about, and what the provider said of their rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import attrs

from mailkit.bulk.journal.database import Database
from mailkit.bulk.journal.jobs import JobRecord, own

__all__ = [
    "ChunkKeys",
    "DueChunk",
    "Findings",
    "RowChange",
    "RowKey",
    "Statuses",
    "following",
    "override",
]

RowKey = tuple[int, str, str | None, int | None]
"""A row of an accepted chunk, as the journal gives it: its id, what to match it by, its own state
and its own delivery."""


@attrs.frozen
class ChunkKeys:
    """The rows of an accepted chunk, and the delivery of those that have none of their own."""

    delivery: int
    rows: Sequence[RowKey]


class RowChange(NamedTuple):
    """A row's new state, reason and own delivery; ``state`` None: it follows its chunk."""

    id: int
    state: str | None
    reason: str | None
    delivery: int | None


@attrs.frozen
class Findings:
    """What a poll found of a chunk: the ``delivery`` of the rows that follow the chunk and have
    none of their own, how many others (``apart``) have one, and what changes: own deliveries
    alone as (delivery, row id), and whole rows. ``unfinished`` rows are still on their way;
    ``missing`` ones were not named.
    """

    delivery: int
    apart: int
    deliveries: Sequence[tuple[int | None, int]]
    changes: Sequence[RowChange]
    unfinished: int
    missing: int


@attrs.frozen
class DueChunk:
    """An accepted chunk that can still be asked about; times are seconds since 1970."""

    n: int
    reference: str
    ended: float
    reconciled: bool
    cursor: str | None


class Statuses:
    """What polls find of accepted chunks."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def due(self, job: JobRecord, *, track: bool) -> list[DueChunk]:
        """The accepted chunks to ask about: those that are not reconciled, those with a row that
        was not found in time (it may be there by now), and with ``track`` the unfinished ones.
        """

        def work(db: sqlite3.Connection) -> list[DueChunk]:
            found = db.execute(
                "SELECT n, reference, ended, reconciled, cursor, doubts FROM (SELECT *, EXISTS "
                "(SELECT 1 FROM rows WHERE rows.state = 'in doubt' AND rows.chunk = chunks.n "
                "AND id BETWEEN ? AND ?) AS doubts FROM chunks WHERE job = ? "
                "AND state = 'accepted' AND reference IS NOT NULL) "
                "WHERE reconciled = 0 OR doubts OR (? AND unfinished > 0) ORDER BY n",
                (*job.ids, job.id, track),
            )
            return [
                DueChunk(n, ref, end, bool(done), None if doubts else mark)
                for n, ref, end, done, mark, doubts in found
            ]

        return await self._db.read(work)

    async def keys(self, job: JobRecord, n: int) -> ChunkKeys:
        """Every row of the chunk, also those that have a state of their own."""

        def work(db: sqlite3.Connection) -> ChunkKeys:
            columns = "id, coalesce(key, address), state, delivery"
            rows: list[RowKey] = following(db, job, n, columns).fetchall()
            rows += db.execute(
                f"SELECT {columns} FROM rows WHERE chunk = ? AND id BETWEEN ? AND ? "
                "AND state IS NOT NULL",
                (n, *job.ids),
            )
            (delivery,) = db.execute(
                "SELECT delivery FROM chunks WHERE job = ? AND n = ?", (job.id, n)
            ).fetchone()
            return ChunkKeys(delivery, rows)

        return await self._db.read(work)

    async def reconcile(
        self, job: JobRecord, n: int, found: Findings, *, reconciled: bool, cursor: str | None
    ) -> None:
        """Store what a poll found of the chunk's rows; if that is lost, it is asked for again."""

        def work(db: sqlite3.Connection) -> None:
            own(db, job)
            # Touching no other column spares the indexes.
            db.executemany("UPDATE rows SET delivery = ? WHERE id = ?", found.deliveries)
            override(db, job, n, found.changes)
            db.execute(
                "UPDATE chunks SET reconciled = max(reconciled, ?), unfinished = ?, cursor = ?, "
                "delivery = ?, apart = ? WHERE job = ? AND n = ?",
                (reconciled, found.unfinished, cursor, found.delivery, found.apart, job.id, n),
            )

        await self._db.write(work, durable=False)


def following(db: sqlite3.Connection, job: JobRecord, n: int, columns: str) -> sqlite3.Cursor:
    """The rows whose state is this chunk's, in reading order."""
    first, last = db.execute(
        "SELECT first, last FROM chunks WHERE job = ? AND n = ?", (job.id, n)
    ).fetchone()
    return db.execute(
        f"SELECT {columns} FROM rows WHERE id BETWEEN ? AND ? AND state IS NULL "
        "AND chunk IS NULL UNION ALL "
        f"SELECT {columns} FROM rows WHERE chunk = ? AND id BETWEEN ? AND ? AND state IS NULL",
        (first, last, n, *job.ids),
    )


def override(
    db: sqlite3.Connection,
    job: JobRecord,
    n: int,
    changes: Sequence[RowChange],
) -> None:
    """Give rows of the chunk a state of their own (or None: the chunk's again)."""
    if not changes:
        return
    followers = db.execute(
        "SELECT rows FROM chunks WHERE job = ? AND n = ?", (job.id, n)
    ).fetchone()[0]
    for row_id, state, *_ in changes:
        (before,) = db.execute("SELECT state FROM rows WHERE id = ?", (row_id,)).fetchone()
        followers += (before is not None) - (state is not None)
    db.executemany(
        "UPDATE rows SET reason = CASE WHEN state IS ?1 THEN coalesce(?2, reason) ELSE ?2 END, "
        "state = ?1, delivery = ?3, "
        "chunk = CASE WHEN ?1 IS NULL THEN chunk ELSE ?4 END WHERE id = ?5",
        [(state, why, heard, n, row_id) for row_id, state, why, heard in changes],
    )
    db.execute("UPDATE chunks SET rows = ? WHERE job = ? AND n = ?", (followers, job.id, n))
