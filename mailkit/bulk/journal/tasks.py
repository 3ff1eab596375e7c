"""What is to be done for a chunk that was taken: its task, with the rows that it sends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import attrs
import msgspec

from mailkit.bulk.journal.chunk_rows import followers
from mailkit.bulk.journal.ledger import Grant
from mailkit.bulk.journal.parking import references_about
from mailkit.bulk.journal.records import ChunkState, JobRecord, Role, Ticket
from mailkit.bulk.journal.row_ids import row_id
from mailkit.bulk.journal.store import Connection, Dialect
from mailkit.bulk.journal.tokens import journal_id, key_of
from mailkit.core.batch import Batch
from mailkit.core.dispatch import Scope, Stage, Task, TaskRow

__all__ = ["PlannedChunk", "Taken", "task_of"]

_NUMBERS = msgspec.json.Decoder(list[int])
_TEXTS = msgspec.json.Decoder(list[str])
_FIELDS = msgspec.json.Decoder(list[tuple[str, ...]])  # which the garbage collector leaves alone


@attrs.frozen
class Taken:
    """A task that this worker has to do, and the ticket for its chunk. It was ``asked`` for at that
    moment of `mailkit.core.lateness`.

    ``root`` is the refused chunk that this one was cut from, if it was. ``again``: its one row was
    refused before, but others were taken since. ``grant`` has the permits of its request.
    """

    task: Task
    ticket: Ticket
    root: int | None = None
    again: bool = False
    asked: float = 0.0
    grant: Grant | None = None


@attrs.frozen
class PlannedChunk:
    """A chunk as it was planned, in the words of its table."""

    n: int
    attempt: int
    root: int | None
    role: str | None
    takes: int
    stage: int
    cursor: str | None
    started: float | None
    looks: int
    rows: int
    ended: float | None

    @property
    def tried(self) -> float | None:
        """When its last request ended; what a person planned again has had none."""
        return None if self.started is None else self.ended


def task_of(
    db: Connection,
    dialect: Dialect,
    job: JobRecord,
    chunk: PlannedChunk,
    stage: Stage,
    part: int | None = None,
    between: tuple[int, int] | None = None,
) -> Taken:
    """The task of a chunk that is taken for this stage, or of a ``part`` of it."""
    count, cursors = chunk.rows, list[str]()
    if stage.scope is Scope.JOB:
        count, cursors = _to_send(db, job)
    rows: Sequence[TaskRow] = ()
    if stage.has_rows or between is not None:
        rows = _task_rows(db, dialect, job, chunk.n, between)
        count = len(rows)
    task = Task(
        job=job.name,
        chunk=chunk.n,
        stage=stage,
        rows=rows if stage.has_rows else (),
        count=count,
        part=part,
        key=key_of(journal_id(db), job.id, chunk.n, chunk.attempt),
        attempt=chunk.attempt,
        cursor=chunk.cursor,
        cursors=cursors,
        started=_moment(chunk.started),
        looks=chunk.looks,
        tried=_moment(chunk.tried),
        heard_of=()
        if chunk.tried is None
        else references_about(db, job, chunk.n, chunk.started or 0.0),
        take=chunk.takes,
        job_id=job.id,
    )
    return Taken(task, Ticket(chunk.n, chunk.takes), chunk.root, chunk.role == Role.AGAIN)


def _to_send(db: Connection, job: JobRecord) -> tuple[int, list[str]]:
    """How many rows of the job are not sent yet, and the cursors of their chunks."""
    found = db.execute(
        "SELECT rows, cursor FROM chunks WHERE job = ? "
        f"AND state IN ('{ChunkState.PLANNED}', '{ChunkState.LOADING}') ORDER BY n",
        (job.id,),
    ).fetchall()
    return sum(rows for rows, _ in found), [cursor for _, cursor in found if cursor is not None]


def _moment(seconds: float | None) -> datetime | None:
    """The time of so many seconds since 1970."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _task_rows(
    db: Connection,
    dialect: Dialect,
    job: JobRecord,
    n: int,
    between: tuple[int, int] | None = None,
) -> Sequence[TaskRow]:
    """The rows that follow the chunk, or those with ids between these."""
    query, values = followers(db, job, n, "id, address, fields", between=between)
    asked = dialect.by_column(["id - ?", "address"], ["coalesce(fields, '[]')"], query)
    numbers, addresses, fields = db.execute(asked, (row_id(job.id, 0), *values)).fetchone()
    return Batch(
        TaskRow, _NUMBERS.decode(numbers), _TEXTS.decode(addresses), _FIELDS.decode(fields)
    )
