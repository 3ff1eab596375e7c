"""The plan phase's part of the journal: rows in, duplicates and suppressed out, chunks cut.

Commits of at most 1,000 rows, so that other processes on the journal get their turn between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from mailkit.bulk.journal.database import Database
from mailkit.bulk.journal.jobs import JobRecord

__all__ = ["PlannedRow", "Planning"]

ROWS_A_COMMIT = 1_000


class PlannedRow(NamedTuple):
    """A row as the plan stores it; the order is that of the table's columns."""

    id: int
    line: int
    address: str
    key: str | None
    fields: str | None
    size: int | None
    state: str | None
    reason: str | None


class Planning:
    """Writes a job's plan."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, job: JobRecord, rows: Sequence[PlannedRow]) -> None:
        """Store these rows, in reading order."""

        def work(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT INTO rows (id, line, address, key, fields, size, state, reason) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            db.execute("UPDATE jobs SET read = read + ? WHERE id = ?", (len(rows), job.id))

        await self._db.write(work, durable=False)

    async def suppress(self, job: JobRecord, keys: Sequence[str], now: float) -> None:
        """Add addresses that this job alone must not mail."""

        def work(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT OR IGNORE INTO suppressions VALUES (?, ?, 'named for this job', ?)",
                [(job.id, key, now) for key in keys],
            )

        await self._db.write(work, durable=False)

    async def mark_duplicates(self, job: JobRecord) -> None:
        """Of the rows with one address the first stays; the others become ``duplicate``."""
        await self._mark(
            "duplicate",
            "SELECT id, 'the address is that of line ' || (SELECT line FROM rows WHERE id = first) "
            "FROM ("
            "  SELECT id, first_value(id) OVER (PARTITION BY coalesce(key, address) ORDER BY id) "
            "  AS first FROM rows WHERE id BETWEEN ? AND ? AND state IS NULL) WHERE id <> first",
            job.ids,
        )

    async def mark_suppressed(self, job: JobRecord) -> None:
        """Rows whose address is in the suppression store become ``suppressed``."""
        await self._mark(
            "suppressed",
            "SELECT rows.id, min(suppressions.reason) FROM rows JOIN suppressions "
            "  ON suppressions.key = coalesce(rows.key, rows.address) "
            "  AND suppressions.job IN (0, ?) "
            "  WHERE rows.id BETWEEN ? AND ? AND rows.state IS NULL GROUP BY rows.id",
            (job.id, *job.ids),
        )

    async def _mark(self, state: str, sql: str, parameters: Sequence[object]) -> None:
        async for found in self._db.stream(sql, parameters, ROWS_A_COMMIT):
            changes = [(state, reason, row_id) for row_id, reason in found]

            def work(db: sqlite3.Connection, changes: list[tuple[str, str, int]] = changes) -> None:
                db.executemany("UPDATE rows SET state = ?, reason = ? WHERE id = ?", changes)

            await self._db.write(work, durable=False)

    async def cut(self, job: JobRecord, *, rows: int, size: int) -> None:
        """Cut the rows that remain into chunks of at most ``rows`` rows and ``size`` bytes.

        A row larger than ``size`` gets a chunk of its own; the plan refuses it before.
        """
        chunks: list[tuple[int, int, int, int, int]] = []
        first = last = count = weight = number = 0
        remaining = self._db.stream(
            "SELECT id, coalesce(size, 0) FROM rows "
            "WHERE id BETWEEN ? AND ? AND state IS NULL ORDER BY id",
            job.ids,
            10_000,
        )
        async for found in remaining:
            for row_id, row_size in found:
                if count and (count == rows or weight + row_size > size):
                    number += 1
                    chunks.append((job.id, number, first, last, count))
                    count = weight = 0
                if not count:
                    first = row_id
                last = row_id
                count += 1
                weight += row_size
            await self._store(chunks)
            chunks.clear()
        if count:
            await self._store([(job.id, number + 1, first, last, count)])

    async def _store(self, chunks: Sequence[tuple[int, int, int, int, int]]) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT INTO chunks (job, n, state, first, last, rows, attempt, reconciled, "
                "unfinished) VALUES (?, ?, 'planned', ?, ?, ?, 1, 0, 0)",
                chunks,
            )

        await self._db.write(work, durable=False)
