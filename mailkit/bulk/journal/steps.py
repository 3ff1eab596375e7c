"""The steps of a job: a chunk goes planned → sending → accepted | rejected | in doubt.

``take`` commits *sending* to the disk before the request's first byte. What came of the request
is committed too, but reaches the disk with the next ``take`` or the journal's end: if the power
fails before that, the chunk is in doubt, as one that was under way. Both refuse an engine that no
longer owns the job.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import attrs
import msgspec

from mailkit.bulk.journal.database import Database
from mailkit.bulk.journal.jobs import JobRecord, own
from mailkit.core.dispatch import Chunk, ChunkRow, Sent
from mailkit.errors import JournalError

__all__ = ["ChunkKeys", "DueChunk", "Findings", "RowChange", "RowKey", "Steps"]

_N = (1 << 32) - 1
_FIELDS = msgspec.json.Decoder(list[str])


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


class Steps:
    """Moves the chunks of a job through their states."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(self, job: JobRecord, now: float) -> Chunk | None:
        """The next planned chunk, marked *sending* on the disk; None if none is planned."""

        def work(db: sqlite3.Connection) -> Chunk | None:
            own(db, job)
            row = db.execute(
                "SELECT n, attempt FROM chunks WHERE job = ? AND state = 'planned' "
                "ORDER BY n LIMIT 1",
                (job.id,),
            ).fetchone()
            if row is None:
                return None
            n, attempt = row
            db.execute(
                "UPDATE chunks SET state = 'sending', fence = ?, started = ?, reason = NULL "
                "WHERE job = ? AND n = ?",
                (job.fence, now, job.id, n),
            )
            rows = [
                ChunkRow(row_id & _N, address, _FIELDS.decode(fields) if fields else ())
                for row_id, address, fields in _following(db, job, n, "id, address, fields")
            ]
            return Chunk(job=job.name, n=n, attempt=attempt, rows=rows)

        return await self._db.write(work)

    async def accept(self, job: JobRecord, n: int, now: float, sent: Sent) -> None:
        """The provider took the chunk, but for the rows that ``sent`` refuses or leaves in doubt.

        Without a reference, nothing can be asked: the chunk counts as reconciled.
        """

        def work(db: sqlite3.Connection) -> None:
            first = job.ids[0]
            _settle(db, job, n, "accepted", None, now)
            db.execute(
                "UPDATE chunks SET reference = ?, reconciled = ? WHERE job = ? AND n = ?",
                (sent.reference, sent.reference is None, job.id, n),
            )
            left = [("rejected", sent.refused), ("in doubt", sent.doubtful)]
            changes = [
                RowChange(first + row, state, why, None)
                for state, rows in left
                for row, why in rows.items()
            ]
            _override(db, job, n, changes)

        await self._db.write(work, durable=False)

    async def reject(self, job: JobRecord, n: int, now: float, reason: str) -> None:
        """The provider refused the whole chunk: nobody of it was mailed."""
        await self._settle(job, n, "rejected", reason, now)

    async def doubt(self, job: JobRecord, n: int, now: float, reason: str) -> None:
        """Nothing tells whether the provider took the chunk."""
        await self._settle(job, n, "in doubt", reason, now)

    async def put_back(self, job: JobRecord, n: int, now: float, reason: str) -> None:
        """The request was provably not acted upon: the chunk is planned again."""
        await self._settle(job, n, "planned", reason, now)

    async def _settle(self, job: JobRecord, n: int, state: str, reason: str, now: float) -> None:
        await self._db.write(lambda db: _settle(db, job, n, state, reason, now), durable=False)

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
            rows: list[RowKey] = _following(db, job, n, columns).fetchall()
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
            _override(db, job, n, found.changes)
            db.execute(
                "UPDATE chunks SET reconciled = max(reconciled, ?), unfinished = ?, cursor = ?, "
                "delivery = ?, apart = ? WHERE job = ? AND n = ?",
                (reconciled, found.unfinished, cursor, found.delivery, found.apart, job.id, n),
            )

        await self._db.write(work, durable=False)


def _following(db: sqlite3.Connection, job: JobRecord, n: int, columns: str) -> sqlite3.Cursor:
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


def _settle(
    db: sqlite3.Connection, job: JobRecord, n: int, state: str, reason: str | None, now: float
) -> None:
    own(db, job)
    settled = db.execute(
        "UPDATE chunks SET state = ?, reason = ?, ended = ? "
        "WHERE job = ? AND n = ? AND state = 'sending' AND fence = ?",
        (state, reason, now, job.id, n, job.fence),
    )
    if settled.rowcount != 1:
        raise JournalError(f"chunk {n} of the job {job.name} was not being sent by this engine")


def _override(
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
