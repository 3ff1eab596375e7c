"""The steps of a job: a chunk goes planned → sending → accepted | rejected | in doubt.

``take`` commits *sending* to the disk before the request's first byte. What came of the request
is committed too, but reaches the disk with the next ``take`` or the journal's end: if the power
fails before that, the chunk is in doubt, as one that was under way. Both refuse an engine that no
longer owns the job.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from mailkit.bulk.journal.database import Database
from mailkit.bulk.journal.jobs import own
from mailkit.bulk.journal.matching import RowChange
from mailkit.bulk.journal.records import ChunkState, JobRecord, Role, RowState
from mailkit.bulk.journal.row_ids import number_of, row_id
from mailkit.bulk.journal.statuses import following, override
from mailkit.core.dispatch import Chunk, ChunkRow, Sent
from mailkit.errors import JournalError

__all__ = ["Steps", "settle"]

_FIELDS = msgspec.json.Decoder(list[str])


class Steps:
    """Moves the chunks of a job through their states."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(
        self, job: JobRecord, now: float, *, n: int | None = None, probes: bool = False
    ) -> Chunk | None:
        """The next planned chunk, or the chunk ``n``, marked *sending* on the disk; None if there
        is none. With ``probes`` it is one that waits until everything else is sent.
        """
        which = f"role = '{Role.PROBE}'" if probes else f"(role IS NULL OR role = '{Role.AGAIN}')"
        parameters: tuple[int, ...] = (job.id,)
        if n is not None:
            which, parameters = "n = ?", (job.id, n)

        def work(db: sqlite3.Connection) -> Chunk | None:
            own(db, job)
            row = db.execute(
                "SELECT n, attempt, root, role, takes FROM chunks "
                f"WHERE job = ? AND state = '{ChunkState.PLANNED}' AND {which} ORDER BY n LIMIT 1",
                parameters,
            ).fetchone()
            if row is None:
                return None
            n, attempt, root, role, takes = row
            self._db.taking(job.id, n, takes + 1)
            db.execute(
                f"UPDATE chunks SET state = '{ChunkState.SENDING}', fence = ?, started = ?, "
                "reason = NULL, "
                "takes = takes + 1 WHERE job = ? AND n = ?",
                (job.fence, now, job.id, n),
            )
            rows = [
                ChunkRow(number_of(id), address, _FIELDS.decode(fields) if fields else ())
                for id, address, fields in following(db, job, n, "id, address, fields")
            ]
            return Chunk(
                job=job.name, n=n, attempt=attempt, rows=rows, root=root, again=role == Role.AGAIN
            )

        return await self._db.write(work)

    async def accept(self, job: JobRecord, n: int, now: float, sent: Sent) -> str | None:
        """The provider took the chunk, but for the rows that ``sent`` refuses, leaves in doubt, or
        holds: those are planned again.

        Without a reference, nothing can be asked: the chunk counts as reconciled. With one that a
        chunk already has, the answer is another request's: the chunk is in doubt, and why is
        returned.
        """

        def work(db: sqlite3.Connection) -> str | None:
            if doubt := _taken_before(db, job, sent.reference):
                settle(db, job, n, ChunkState.IN_DOUBT, doubt, now)
                return doubt
            settle(db, job, n, ChunkState.ACCEPTED, None, now)
            _plan_again(db, job, n, [row_id(job.id, row) for row in sent.held])
            db.execute(
                "UPDATE chunks SET reference = ?, reconciled = ? WHERE job = ? AND n = ?",
                (sent.reference, sent.reference is None, job.id, n),
            )
            left = [(RowState.REJECTED, sent.refused), (RowState.IN_DOUBT, sent.doubtful)]
            changes = [
                RowChange(row_id(job.id, row), state, why, None)
                for state, rows in left
                for row, why in rows.items()
            ]
            override(db, job, n, changes)
            # Somebody was taken, so that whoever had been refused alone before is tried once more.
            db.execute(
                f"UPDATE chunks SET role = '{Role.AGAIN}' WHERE job = ? AND role = '{Role.TRIAL}' "
                "AND ended <= "
                "(SELECT started FROM chunks WHERE job = ? AND n = ? AND rows > 0)",
                (job.id, job.id, n),
            )
            return None

        return await self._db.write(work, durable=False)

    async def reject(self, job: JobRecord, n: int, now: float, reason: str) -> None:
        """The provider refused the whole chunk: nobody of it was mailed."""
        await self._settle(job, n, ChunkState.REJECTED, reason, now)

    async def doubt(self, job: JobRecord, n: int, now: float, reason: str) -> None:
        """Nothing tells whether the provider took the chunk."""
        await self._settle(job, n, ChunkState.IN_DOUBT, reason, now)

    async def put_back(self, job: JobRecord, n: int, now: float, reason: str) -> None:
        """The request was provably not acted upon: the chunk is planned again."""
        await self._settle(job, n, ChunkState.PLANNED, reason, now)

    async def _settle(
        self, job: JobRecord, n: int, state: ChunkState, reason: str, now: float
    ) -> None:
        await self._db.write(lambda db: settle(db, job, n, state, reason, now), durable=False)


def _plan_again(db: sqlite3.Connection, job: JobRecord, n: int, rows: Sequence[int]) -> None:
    if not rows:
        return
    (number,) = db.execute("SELECT max(n) + 1 FROM chunks WHERE job = ?", (job.id,)).fetchone()
    db.execute(
        "INSERT INTO chunks (job, n, state, first, last, rows, attempt, reconciled, unfinished) "
        f"SELECT job, ?, '{ChunkState.PLANNED}', 0, -1, ?, attempt, 0, 0 FROM chunks WHERE job = "
        "? AND n = ?",
        (number, len(rows), job.id, n),
    )
    db.executemany("UPDATE rows SET chunk = ? WHERE id = ?", [(number, row) for row in rows])
    db.execute("UPDATE chunks SET rows = rows - ? WHERE job = ? AND n = ?", (len(rows), job.id, n))


def _taken_before(db: sqlite3.Connection, job: JobRecord, reference: str | None) -> str | None:
    """Which chunk has this reference already, in words."""
    row = db.execute(
        "SELECT name, n FROM chunks JOIN jobs ON jobs.id = chunks.job "
        "WHERE reference = ? AND provider = ? LIMIT 1",
        (reference, job.provider),
    ).fetchone()
    if row is None:
        return None
    return f"the answer has the reference of chunk {row[1]} of {row[0]}: it may be that one's"


def settle(
    db: sqlite3.Connection,
    job: JobRecord,
    n: int,
    state: ChunkState,
    reason: str | None,
    now: float,
) -> None:
    """End the sending of a chunk; JournalError if this engine was not sending it."""
    own(db, job)
    settled = db.execute(
        "UPDATE chunks SET state = ?, reason = ?, ended = ? "
        f"WHERE job = ? AND n = ? AND state = '{ChunkState.SENDING}' AND fence = ?",
        (state, reason, now, job.id, n, job.fence),
    )
    if settled.rowcount != 1:
        raise JournalError(f"chunk {n} of the job {job.name} was not being sent by this engine")
