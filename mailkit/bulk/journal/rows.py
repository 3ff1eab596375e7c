"""Every row of a job with what has become of it: its own state, else that of its chunk.

Chunks are looked up for a thousand rows at once: so no row costs a query, and no more chunks are in
memory than these rows are in.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from mailkit.bulk.journal.batches import in_parts, one_of
from mailkit.bulk.journal.records import ChunkState, JobRecord, RowRecord, RowState
from mailkit.bulk.journal.row_ids import number_of
from mailkit.bulk.journal.store import Connection
from mailkit.events import DeliveryStatus

__all__ = ["COLUMNS", "records", "rows_of"]

ROWS = 1_000
COLUMNS = "id, line, address, fields, state, reason, chunk, delivery"
"""Those that `records` takes."""

_OF_CHUNKS = {
    RowState.ACCEPTED: [ChunkState.ACCEPTED],
    RowState.REJECTED: [ChunkState.REJECTED],
    RowState.IN_DOUBT: [ChunkState.IN_DOUBT, ChunkState.SENDING],
    RowState.UNSENT: [ChunkState.PLANNED, ChunkState.LOADING, ChunkState.SENDING],
}
"""The states of chunks whose rows can be in these."""
_STATES = {str(state): state for state in RowState}
_DELIVERIES = {None: None, 0: None} | {int(status): status for status in DeliveryStatus}
_FIELDS = msgspec.json.Decoder(list[str])


class _Chunk(NamedTuple):
    """What holds for its rows, unless they have a reason or delivery of their own."""

    n: int
    state: RowState
    reason: str | None
    delivery: int


def rows_of(
    db: Connection,
    job: JobRecord,
    alive: Collection[int],
    states: Collection[RowState] = (),
    most: int | None = None,
) -> Iterator[list[RowRecord]]:
    """The job's rows, or those in these states, in reading order, so many at ``most``; what the
    workers that are ``alive`` are sending is unsent.
    """
    which, values = _which(job, states) if states else ("", ())
    found = iter(
        db.execute(
            f"SELECT {COLUMNS} FROM rows WHERE id BETWEEN ? AND ?{which} ORDER BY id",
            (*job.ids, *values),
        )
    )
    left = sys.maxsize if most is None else most
    while left and (some := list(islice(found, ROWS))):
        told = [*records(db, job, alive, some)]
        if states:
            told = [row for row in told if row.state in states]
        del told[left:]
        left -= len(told)
        if told:
            yield told


def _which(job: JobRecord, states: Collection[RowState]) -> tuple[str, Sequence[object]]:
    """The part of a query's condition for rows that can be in these states, and its values."""
    chunks = [chunk for state in states for chunk in _OF_CHUNKS.get(state, ())]
    return (
        f" AND (state IN ({one_of(states)}) OR (state IS NULL AND "
        "(SELECT state FROM chunks WHERE job = ? AND n = coalesce(rows.chunk, (SELECT n FROM "
        "chunks WHERE job = ? AND first BETWEEN 1 AND rows.id ORDER BY first DESC LIMIT 1))) "
        f"IN ({one_of(chunks)})))",
        (*states, job.id, job.id, *chunks),
    )


def records(
    db: Connection, job: JobRecord, alive: Collection[int], found: Sequence[Sequence[Any]]
) -> Iterator[RowRecord]:
    """These rows, which are in reading order, with what is so of their chunks."""
    begins, chunks = _cut_between(db, job, alive, found[0][0], found[-1][0])
    moved = _named(db, job, alive, {row[6] for row in found if row[4] is None and row[6]})
    for id, line, address, fields, own, reason, n, delivery in found:
        if own is not None:
            state = _STATES[own]
        else:
            chunk = chunks[bisect_right(begins, id) - 1] if n is None else moved[n]
            n, state, why, common = chunk
            if reason is None:
                reason = why
            if delivery is None:
                delivery = common
        yield RowRecord(
            number_of(id),
            line,
            address,
            _FIELDS.decode(fields) if fields else (),
            state,
            reason,
            n,
            _DELIVERIES[delivery],
        )


_COLUMNS = "n, state, reason, delivery, worker"


def _cut_between(
    db: Connection, job: JobRecord, alive: Collection[int], first: int, last: int
) -> tuple[list[int], list[_Chunk]]:
    """The ids with which the chunks begin that rows from the first to the last id were cut into,
    and these chunks.
    """
    found = db.execute(
        f"SELECT first, {_COLUMNS} FROM chunks WHERE job = ? AND first BETWEEN coalesce("
        "(SELECT max(first) FROM chunks WHERE job = ? AND first BETWEEN 1 AND ?), 1) AND ? "
        f"AND state <> '{ChunkState.EMPTY}' ORDER BY first",
        (job.id, job.id, first, last),
    ).fetchall()
    return [row[0] for row in found], [_chunk(alive, *rest) for _, *rest in found]


def _named(
    db: Connection, job: JobRecord, alive: Collection[int], numbers: Collection[int]
) -> Mapping[int, _Chunk]:
    """The chunks of these numbers."""
    return {
        row[0]: _chunk(alive, *row)
        for marks, some in in_parts(numbers)
        for row in db.execute(
            f"SELECT {_COLUMNS} FROM chunks WHERE job = ? AND n IN ({marks})", (job.id, *some)
        )
    }


def _chunk(
    alive: Collection[int],
    n: int,
    state: str,
    reason: str | None,
    delivery: int,
    worker: int | None,
) -> _Chunk:
    match ChunkState(state):
        case ChunkState.PLANNED | ChunkState.LOADING:
            told = RowState.UNSENT
        case ChunkState.SENDING:
            told = RowState.UNSENT if worker in alive else RowState.IN_DOUBT
        case ended:
            told = RowState(ended)
    return _Chunk(n, told, reason, delivery)
