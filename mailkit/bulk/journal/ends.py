"""Whether a job has ended: nothing of it is unsent, under way, in doubt, or looked for."""

from __future__ import annotations

from enum import StrEnum

from mailkit.bulk.journal.records import ChunkState, JobRecord, JobState, RowState
from mailkit.bulk.journal.store import Connection

__all__ = ["Phase", "phase_of"]


class Phase(StrEnum):
    """How far a job is. One that is *open* has rows unsent, in doubt or looked for, and nobody is
    at work on it.
    """

    PLANNING = "planning"
    UNDER_WAY = "under way"
    OPEN = "open"
    ENDED = "ended"


def phase_of(db: Connection, job: JobRecord, *, at_work: bool) -> Phase:
    """How far the job is; ``at_work``: one of its workers is alive."""
    if job.state is JobState.PLANNING:
        return Phase.PLANNING
    if at_work:
        return Phase.UNDER_WAY
    open_ = [ChunkState.LOADING, ChunkState.SENDING, ChunkState.IN_DOUBT]
    if job.cancelled is None:
        open_.append(ChunkState.PLANNED)
    states = ", ".join(f"'{state}'" for state in open_)
    found = db.execute(
        f"SELECT 1 FROM chunks WHERE job = ? AND rows > 0 AND (state IN ({states}) "
        f"OR (state = '{ChunkState.ACCEPTED}' AND reconciled = 0)) UNION ALL "
        f"SELECT 1 FROM rows WHERE state = '{RowState.IN_DOUBT}' AND id BETWEEN ? AND ? LIMIT 1",
        (job.id, *job.ids),
    )
    return Phase.ENDED if found.fetchone() is None else Phase.OPEN
