"""The outcome of a chunk that was handed out. Each function runs in the caller's transaction.

Only the holder of the chunk's ticket may record it, even if the chunk was put in doubt meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailkit.bulk.journal import parts
from mailkit.bulk.journal.addressees import index
from mailkit.bulk.journal.batches import in_parts
from mailkit.bulk.journal.chunk_rows import followers, override
from mailkit.bulk.journal.counting import leave
from mailkit.bulk.journal.elsewhere import ALREADY, count
from mailkit.bulk.journal.hearing import close_if_left
from mailkit.bulk.journal.matching import RowChange
from mailkit.bulk.journal.parking import claim
from mailkit.bulk.journal.records import ChunkState, JobRecord, Role, RowState, Ticket
from mailkit.bulk.journal.row_ids import number_of, row_id
from mailkit.bulk.journal.store import Connection, Dialect, NotOurs
from mailkit.bulk.journal.suppressions import names_of
from mailkit.core.dispatch import Sent

__all__ = ["accept", "check_ticket", "leave_out", "leave_out_unwanted", "settle"]

_UNDER_WAY = f"('{ChunkState.LOADING}', '{ChunkState.SENDING}', '{ChunkState.IN_DOUBT}')"


def accept(db: Connection, job: JobRecord, ticket: Ticket, now: float, sent: Sent) -> str | None:
    """The provider took the chunk; see `Chunks.accept`."""
    n, left = ticket.chunk, (sent.rejected, sent.in_doubt, sent.held)
    reference = sent.receipt if sent.reference is None else sent.reference
    if doubt := _taken_before(db, job, reference):
        settle(db, job, ticket, ChunkState.IN_DOUBT, doubt, now)
        return doubt
    settle(db, job, ticket, ChunkState.ACCEPTED, None, now)
    db.execute(
        "UPDATE chunks SET reference = ?, cursor = ?, reconciled = ? WHERE job = ? AND n = ?",
        (reference, sent.cursor, 0 if sent.reference is not None else 2, job.id, n),
    )
    if sent.reference is not None and sent.held:
        index(db, job, n)
    heard = _heard(db, [row_id(job.id, row) for rows in left for row in rows])
    followed = _follow_again(db, job, n)
    rejected, in_doubt, held = (
        {row: why for row, why in rows.items() if row_id(job.id, row) not in heard} for rows in left
    )
    _plan_again(db, job, n, [row_id(job.id, row) for row in held])
    changes = [
        RowChange(row_id(job.id, row), state, why, None)
        for state, rows in ((RowState.REJECTED, rejected), (RowState.IN_DOUBT, in_doubt))
        for row, why in rows.items()
    ]
    if changes or held or followed or not _count_as_alike(db, job, n):
        override(db, job, n, changes)
    # Somebody was taken, so that whoever had been refused alone before is tried once more.
    db.execute(
        f"UPDATE chunks SET role = '{Role.AGAIN}' WHERE job = ? AND role = '{Role.TRIAL}' "
        "AND ended <= (SELECT started FROM chunks WHERE job = ? AND n = ? AND rows > 0)",
        (job.id, job.id, n),
    )
    if sent.reference is not None:
        claim(db, job, n, sent.reference, now)
    return None


_HEARD = f"state = '{RowState.ACCEPTED}' AND delivery > 0"


def _heard(db: Connection, rows: Sequence[int]) -> frozenset[int]:
    """Those of the rows of which events have said already that the provider has them: a good word
    wins.
    """
    return frozenset(
        row
        for marks, some in in_parts(rows)
        for (row,) in db.execute(f"SELECT id FROM rows WHERE id IN ({marks}) AND {_HEARD}", some)
    )


def _follow_again(db: Connection, job: JobRecord, n: int) -> bool:
    """Of whom events have spoken before the chunk's outcome was known follows the chunk from now
    on, as if they had come after it. Whether there was anybody.
    """
    followed = db.execute(
        f"UPDATE rows SET state = NULL WHERE chunk = ? AND id BETWEEN ? AND ? AND {_HEARD}",
        (n, *job.ids),
    )
    return followed.rowcount > 0


def _count_as_alike(db: Connection, job: JobRecord, n: int) -> bool:
    """Whether the chunk has the rows alone that it was cut with, of none of which anything was
    heard. Then they are counted without a look at each.
    """
    counted = db.execute(
        "UPDATE chunks SET unfinished = rows WHERE job = ? AND n = ? AND delivery = 0 "
        "AND own_delivery_rows = 0 AND NOT EXISTS (SELECT 1 FROM rows WHERE chunk = ? "
        "AND id BETWEEN ? AND ?)",
        (job.id, n, n, *job.ids),
    )
    return counted.rowcount == 1


def _plan_again(db: Connection, job: JobRecord, n: int, rows: Sequence[int]) -> None:
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


def leave_out(
    db: Connection, job: JobRecord, n: int, state: RowState, rows: Mapping[int, str]
) -> None:
    """Rows that a stage before the sending has sorted out; a chunk can end up without any."""
    if not rows:
        return
    chunk = n if state is RowState.REJECTED else None
    left = db.executemany(
        "UPDATE rows SET state = ?, reason = ?, chunk = ? WHERE id = ? AND state IS NULL",
        [(state, why, chunk, row_id(job.id, row)) for row, why in rows.items()],
    )
    rejected = left.rowcount if state is RowState.REJECTED else 0
    db.execute(
        "UPDATE chunks SET rows = rows - ?, rejected_rows = rejected_rows + ? "
        "WHERE job = ? AND n = ?",
        (left.rowcount, rejected, job.id, n),
    )
    leave(db, job, state, left.rowcount - rejected)
    emptied = db.execute(
        f"UPDATE chunks SET state = '{ChunkState.EMPTY}', role = NULL WHERE job = ? AND n = ? "
        "AND rows = 0",
        (job.id, n),
    )
    if emptied.rowcount:
        parts.forget(db, job, n)


def leave_out_unwanted(db: Connection, dialect: Dialect, job: JobRecord, n: int) -> bool:
    """Rows of people who were suppressed since the job was planned, or whom another job turned out
    to have mailed. Whether there were any; what was prepared for the chunk begins anew then.
    """
    reason = (
        f"(SELECT min(reason) FROM suppressions WHERE suppressions.key IN ({names_of(db, dialect)})"
        f" AND suppressions.job IN (0, {job.id}))"
    )
    mailed: dict[int, str] = {}
    suppressed: dict[int, str] = {}
    query, values = followers(db, job, n, f"id, {reason} AS why")
    unwanted = db.execute(f"SELECT id, why FROM ({query}) AS found WHERE why IS NOT NULL", values)
    for id, why in unwanted.fetchall():
        (mailed if why.startswith(ALREADY) else suppressed)[number_of(id)] = why
    leave_out(db, job, n, RowState.DUPLICATE, mailed)
    count(db, job, mailed.values())
    leave_out(db, job, n, RowState.SUPPRESSED, suppressed)
    if mailed or suppressed:
        close_if_left(db, job, n)
    return bool(mailed or suppressed)


def _taken_before(db: Connection, job: JobRecord, reference: str | None) -> str | None:
    """Which chunk has this reference already, in words."""
    row = db.execute(
        "SELECT name, n FROM chunks JOIN jobs ON jobs.id = chunks.job "
        "WHERE reference = ? AND provider = ? LIMIT 1",
        (reference, job.provider),
    ).fetchone()
    if row is None:
        return None
    return f"the response has the reference of chunk {row[1]} of {row[0]}: it may be that one's"


def check_ticket(db: Connection, job: JobRecord, ticket: Ticket) -> None:
    """NotOurs unless this worker has the chunk."""
    assert job.worker is not None  # noqa: S101 - whoever has a ticket is a worker
    found = db.execute(
        f"SELECT 1 FROM chunks WHERE job = ? AND n = ? AND state IN {_UNDER_WAY} "
        "AND worker = ? AND takes = ?",
        (job.id, ticket.chunk, job.worker.id, ticket.number),
    )
    if found.fetchone() is None:
        raise _not_ours(job, ticket)


def settle(
    db: Connection,
    job: JobRecord,
    ticket: Ticket,
    state: ChunkState,
    reason: str | None,
    now: float | None,
) -> None:
    """Record the outcome of the chunk; NotOurs unless this worker has it."""
    assert job.worker is not None  # noqa: S101 - whoever has a ticket is a worker
    settled = db.execute(
        "UPDATE chunks SET state = ?, reason = ?, ended = coalesce(?, ended) "
        f"WHERE job = ? AND n = ? AND state IN {_UNDER_WAY} AND worker = ? AND takes = ? "
        "RETURNING rows",
        (state, reason, now, job.id, ticket.chunk, job.worker.id, ticket.number),
    ).fetchall()
    if not settled:
        raise _not_ours(job, ticket)
    if settled == [(0,)]:  # events have settled all of them
        close_if_left(db, job, ticket.chunk)


def _not_ours(job: JobRecord, ticket: Ticket) -> NotOurs:
    return NotOurs(
        f"chunk {ticket.chunk} of the job {job.name} no longer belongs to this worker: another "
        "process declared the worker dead and settled the chunk. Nothing more is sent; check the "
        f"job with: mailkit status {job.name}"
    )
