"""How many rows of a job are in each state, from what is counted as it happens: however many rows
there are, nobody needs to read them.

Each row is counted in one place. It follows its chunk (``chunks.rows``); or it was sent in a chunk
and has a state of its own (``chunks.accepted_rows`` and its like: see chunk_rows.py); or no chunk
has it (``left_out``).
"""

from __future__ import annotations

from collections.abc import Collection

from mailkit.bulk.journal.batches import one_of
from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.records import (
    SENT_STATES,
    ChunkState,
    Counts,
    JobRecord,
    JobState,
    RowState,
)

__all__ = ["LEFT_OUT", "count_left_out", "counts", "leave", "recounted"]

LEFT_OUT = (RowState.INVALID, RowState.DUPLICATE, RowState.SUPPRESSED)
"""The states of rows that no chunk has."""


def leave(db: Connection, job: JobRecord, state: RowState, rows: int) -> None:
    """So many more rows are left out in this state; fewer, if that is below 0."""
    if rows:
        db.execute(
            "INSERT INTO left_out (job, state, rows) VALUES (?, ?, ?) "
            "ON CONFLICT (job, state) DO UPDATE SET rows = left_out.rows + excluded.rows",
            (job.id, state, rows),
        )


def count_left_out(db: Connection, job: int, ids: tuple[int, int]) -> None:
    """Count the rows that the plan has left out, once it is made."""
    db.execute("DELETE FROM left_out WHERE job = ?", (job,))
    db.execute(
        "INSERT INTO left_out (job, state, rows) SELECT ?, state, count(*) FROM rows "
        f"WHERE state IN ({one_of(LEFT_OUT)}) AND id BETWEEN ? AND ? GROUP BY state",
        (job, *LEFT_OUT, *ids),
    )


def counts(db: Connection, job: JobRecord, alive: Collection[int]) -> Counts:
    """The job's rows by state; what these workers are sending is unsent."""
    read, state = db.execute("SELECT read, state FROM jobs WHERE id = ?", (job.id,)).fetchone()
    totals = _following(db, job, alive)
    if state == JobState.PLANNING:  # nothing of it is sent, and what is left out not counted yet
        own = _own(db, job)
    else:
        own = dict(db.execute("SELECT state, rows FROM left_out WHERE job = ?", (job.id,)))
        sums = db.execute(
            "SELECT coalesce(sum(accepted_rows), 0), coalesce(sum(rejected_rows), 0), "
            "coalesce(sum(in_doubt_rows), 0) FROM chunks WHERE job = ?",
            (job.id,),
        ).fetchone()
        own |= zip(SENT_STATES, sums, strict=True)
    return _together(read, totals, own)


def recounted(db: Connection, job: JobRecord, alive: Collection[int]) -> Counts:
    """The same, of which all rows with a state of their own are counted one by one."""
    (read,) = db.execute("SELECT read FROM jobs WHERE id = ?", (job.id,)).fetchone()
    return _together(read, _following(db, job, alive), _own(db, job))


def _following(db: Connection, job: JobRecord, alive: Collection[int]) -> dict[RowState, int]:
    """The rows that follow their chunks."""
    totals = dict.fromkeys(RowState, 0)
    found = db.execute(
        f"SELECT state, CASE WHEN state = '{ChunkState.SENDING}' THEN worker END AS sender, "
        f"sum(rows) FROM chunks WHERE job = ? AND state <> '{ChunkState.EMPTY}' "
        "GROUP BY state, sender",
        (job.id,),
    )
    for state, worker, rows in found:
        match ChunkState(state):
            case ChunkState.PLANNED | ChunkState.LOADING:
                totals[RowState.UNSENT] += rows
            case ChunkState.SENDING:
                totals[RowState.UNSENT if worker in alive else RowState.IN_DOUBT] += rows
            case ended:
                totals[RowState(ended)] += rows
    return totals


def _own(db: Connection, job: JobRecord) -> dict[str, int]:
    """The rows that have a state of their own, counted one by one."""
    states = tuple(RowState)
    found = db.execute(
        f"SELECT state, count(*) FROM rows WHERE state IN ({one_of(states)}) "
        "AND id BETWEEN ? AND ? GROUP BY state",
        (*states, *job.ids),
    )
    return dict(found.fetchall())


def _together(read: int, totals: dict[RowState, int], own: dict[str, int]) -> Counts:
    for state, rows in own.items():
        totals[RowState(state)] += rows
    return Counts(read, **{state.name.lower(): rows for state, rows in totals.items()})
