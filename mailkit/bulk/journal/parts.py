"""Stages that are done part by part, and barriers that every chunk waits at.

The parts of a chunk are cut when the first of such stages is taken up, and each goes through all of
those in a row by itself. The chunk stays planned meanwhile; it goes on, and its parts are
forgotten, when the last of them is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from mailkit.bulk.journal.chunk_rows import following
from mailkit.bulk.journal.packing import packed
from mailkit.bulk.journal.records import ChunkState, JobRecord, Later, PartState
from mailkit.bulk.journal.store import Connection, NotOurs
from mailkit.core.dispatch import Limits, Scope, Stage

__all__ = [
    "advance",
    "begin_anew",
    "defer",
    "end",
    "forget",
    "halve",
    "later",
    "open_stages",
    "parameters",
    "take",
]


@cache
def open_stages(stages: tuple[Stage, ...]) -> str:
    """The part of a query's condition that leaves out chunks whose stage can't be taken up now:
    all of their parts are under way, or other chunks have not come to the barrier.
    """
    conditions = (
        " AND (anew = 0 OR NOT EXISTS (SELECT 1 FROM parts WHERE parts.job = chunks.job "
        f"AND parts.chunk = chunks.n AND parts.state = '{PartState.LOADING}'))"
        if any(stage.scope is Scope.PART for stage in stages)
        else ""
    )
    for at, stage in enumerate(stages):
        if stage.scope is Scope.JOB:
            conditions += (
                f" AND (stage <> {at} OR NOT EXISTS (SELECT 1 FROM chunks AS behind "
                "WHERE behind.job = ? AND ("
                f"(behind.state = '{ChunkState.PLANNED}' AND behind.stage < {at}) OR "
                f"(behind.state = '{ChunkState.LOADING}' AND behind.stage <= {at}))))"
            )
        elif stage.scope is Scope.PART:
            own = "SELECT 1 FROM parts WHERE parts.job = chunks.job AND parts.chunk = chunks.n"
            conditions += (
                f" AND (stage <> {at} OR NOT EXISTS ({own}) OR EXISTS ({own} AND parts.state = "
                f"'{PartState.PLANNED}' AND (parts.until IS NULL OR parts.until <= ?)))"
            )
    return conditions


def parameters(stages: Sequence[Stage], job: JobRecord, now: float) -> list[object]:
    """The values for the marks in `open_stages`."""
    values: dict[Scope, list[object]] = {
        Scope.JOB: [job.id],
        Scope.PART: [now],
        Scope.CHUNK: [],
    }
    return [value for stage in stages for value in values[stage.scope]]


def later(db: Connection, job: JobRecord, now: float, which: str) -> Later | None:
    """When the next of the chunks for ``which`` something has to be waited for can be taken."""
    row = db.execute(
        f"SELECT until, reason FROM chunks WHERE job = ? AND state = '{ChunkState.PLANNED}' "
        f"AND {which} AND until > ? UNION ALL "
        f"SELECT until, reason FROM parts WHERE job = ? AND state = '{PartState.PLANNED}' "
        "AND until > ? ORDER BY until LIMIT 1",
        (job.id, now, job.id, now),
    ).fetchone()
    return None if row is None else Later(row[0], row[1] or "the provider asks for it")


def take(
    db: Connection,
    job: JobRecord,
    chunk: int,
    *,
    stage: int,
    limits: Limits,
    now: float,
) -> tuple[int, int, str | None, tuple[int, int]]:
    """The next part of the chunk, which is cut first if it is not yet: the part's number, stage and
    cursor, and the first and last id of its rows.
    """
    assert job.worker is not None  # noqa: S101 - the caller looked
    part = _next(db, job, chunk, now)
    if part is None:
        _cut(db, job, chunk, stage, limits)
        part = _next(db, job, chunk, now)
    assert part is not None  # noqa: S101 - the chunk has rows
    n, at, cursor, first, last = part
    db.execute(
        f"UPDATE parts SET state = '{PartState.LOADING}', worker = ?, until = NULL, reason = NULL "
        "WHERE job = ? AND chunk = ? AND n = ?",
        (job.worker.id, job.id, chunk, n),
    )
    return n, at, cursor, (first, last)


def _next(
    db: Connection, job: JobRecord, chunk: int, now: float
) -> tuple[int, int, str | None, int, int] | None:
    found: tuple[int, int, str | None, int, int] | None = db.execute(
        "SELECT n, stage, cursor, first, last FROM parts WHERE job = ? AND chunk = ? "
        f"AND state = '{PartState.PLANNED}' AND (until IS NULL OR until <= ?) ORDER BY n LIMIT 1",
        (job.id, chunk, now),
    ).fetchone()
    return found


def _cut(db: Connection, job: JobRecord, chunk: int, stage: int, limits: Limits) -> None:
    rows = sorted(following(db, job, chunk, "id, size"))
    spans = packed(rows, limits.part_rows or limits.rows, limits.size - limits.base)
    (cursor,) = db.execute(
        "SELECT cursor FROM chunks WHERE job = ? AND n = ?", (job.id, chunk)
    ).fetchone()
    db.executemany(
        "INSERT INTO parts (job, chunk, n, state, stage, first, last, cursor) "
        f"VALUES (?, ?, ?, '{PartState.PLANNED}', ?, ?, ?, ?)",
        [(job.id, chunk, n, stage, ids[0], ids[-1], cursor) for n, ids in enumerate(spans, 1)],
    )


def end(
    db: Connection,
    job: JobRecord,
    chunk: int,
    part: int,
    *,
    state: PartState = PartState.PLANNED,
    until: float | None = None,
    reason: str | None = None,
    cursor: str | None = None,
    stage: int | None = None,
) -> None:
    """Record the outcome of the part; NotOurs unless this worker has it."""
    assert job.worker is not None  # noqa: S101 - whoever took a part is a worker
    changed = db.execute(
        "UPDATE parts SET state = ?, until = ?, reason = ?, cursor = coalesce(?, cursor), "
        f"stage = coalesce(?, stage) WHERE job = ? AND chunk = ? AND n = ? AND worker = ? "
        f"AND state = '{PartState.LOADING}'",
        (state, until, reason, cursor, stage, job.id, chunk, part, job.worker.id),
    )
    if changed.rowcount != 1:
        raise NotOurs(
            f"part {part} of chunk {chunk} of the job {job.name} no longer belongs to this worker"
        )


def advance(
    db: Connection,
    job: JobRecord,
    chunk: int,
    part: int,
    *,
    stage: int,
    cursor: str | None,
    stages: Sequence[Stage],
) -> None:
    """The part is done with this stage; with the last of them, maybe the chunk is, too."""
    if stages[stage + 1].scope is Scope.PART:
        end(db, job, chunk, part, stage=stage + 1, cursor=cursor)
        return
    end(db, job, chunk, part, state=PartState.DONE)
    left = db.execute(
        f"SELECT 1 FROM parts WHERE job = ? AND chunk = ? AND state <> '{PartState.DONE}' LIMIT 1",
        (job.id, chunk),
    )
    if left.fetchone() is None:
        forget(db, job, chunk)
        db.execute(
            "UPDATE chunks SET stage = ? WHERE job = ? AND n = ?", (stage + 1, job.id, chunk)
        )


def defer(db: Connection, job: JobRecord, chunk: int, part: int) -> None:
    """The part comes after all others of its chunk."""
    end(db, job, chunk, part)
    db.execute(
        "UPDATE parts SET n = (SELECT max(n) + 1 FROM parts WHERE job = ? AND chunk = ?) "
        "WHERE job = ? AND chunk = ? AND n = ?",
        (job.id, chunk, job.id, chunk, part),
    )


def forget(db: Connection, job: JobRecord, chunk: int) -> None:
    """The chunk has no parts any more."""
    db.execute("DELETE FROM parts WHERE job = ? AND chunk = ?", (job.id, chunk))


def begin_anew(db: Connection, job: JobRecord, chunk: int) -> None:
    """Rows have left the chunk since it was prepared: it begins with the first stage, under another
    label, or has nothing to send.
    """
    db.execute(
        f"UPDATE chunks SET state = CASE WHEN rows = 0 THEN '{ChunkState.EMPTY}' ELSE state END, "
        "attempt = attempt + 1, stage = 0, until = NULL, cursor = NULL, reason = NULL, anew = 0 "
        "WHERE job = ? AND n = ?",
        (job.id, chunk),
    )
    forget(db, job, chunk)


def halve(db: Connection, job: JobRecord, chunk: int, part: int, rows: Sequence[int]) -> None:
    """Two parts instead of this one, whose rows have these ids."""
    middle = len(rows) // 2
    end(db, job, chunk, part)
    db.execute(
        "INSERT INTO parts (job, chunk, n, state, stage, first, last, cursor) "
        "SELECT job, chunk, (SELECT max(n) + 1 FROM parts WHERE job = ? AND chunk = ?), state, "
        "stage, ?, last, cursor FROM parts WHERE job = ? AND chunk = ? AND n = ?",
        (job.id, chunk, rows[middle], job.id, chunk, part),
    )
    db.execute(
        "UPDATE parts SET last = ? WHERE job = ? AND chunk = ? AND n = ?",
        (rows[middle - 1], job.id, chunk, part),
    )
