"""Whether a cancelled job has anything left that is not to be sent.

Cancelling marks the job (``jobs.cancelled``). The mark counts as long as something of the job is
unsent, or may turn out to be: under way, or in doubt. Once everything was sent it counts no more,
and whoever notices removes it: the job ends as any other. The job is stopped by the mark only while
it has something that could be taken, so that its last requests may end first.
"""

from __future__ import annotations

from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.records import ChunkState, JobRecord
from mailkit.errors import InvalidArgument
from mailkit.remedies import remedy

__all__ = ["CANCELLED", "CANCELLED_AT", "STOPPED", "UNSENT", "check_wanted", "is_unwanted"]

CANCELLED = "cancelled"
"""Why a cancelled job is stopped."""

UNSENT = f"'{ChunkState.PLANNED}', '{ChunkState.LOADING}'"
"""The states of chunks of which nothing was sent yet, as SQL."""

_MAYBE = f"{UNSENT}, '{ChunkState.SENDING}', '{ChunkState.IN_DOUBT}'"
_IS_UNSENT = (
    f"EXISTS (SELECT 1 FROM chunks WHERE job = jobs.id AND rows > 0 AND state IN ({UNSENT}))"
)

CANCELLED_AT = (
    "CASE WHEN cancelled IS NOT NULL AND EXISTS (SELECT 1 FROM chunks WHERE job = jobs.id "
    f"AND (in_doubt_rows > 0 OR (rows > 0 AND state IN ({_MAYBE})))) THEN cancelled END"
)
"""When a row of ``jobs`` was cancelled, as SQL; NULL if it was not, or once everything was sent."""

STOPPED = (
    f"CASE WHEN cancelled IS NOT NULL AND {_IS_UNSENT} THEN '{CANCELLED}' "
    f"ELSE nullif(stopped, '{CANCELLED}') END"
)
"""Why nothing more is to be taken of a row of ``jobs``, as SQL; NULL if something is."""


def is_unwanted(db: Connection, job: JobRecord) -> bool:
    """Whether the job is cancelled, and has something unsent."""
    found = db.execute(
        f"SELECT 1 FROM jobs WHERE id = ? AND cancelled IS NOT NULL AND {_IS_UNSENT}", (job.id,)
    )
    return found.fetchone() is not None


def check_wanted(db: Connection, job: JobRecord) -> None:
    """InvalidArgument if the job is cancelled, and has something unsent."""
    if is_unwanted(db, job):
        raise InvalidArgument(
            f"the job {job.name} is cancelled: to send the rest after all, resume it with "
            + remedy("cancelled=True", "--cancelled")
        )
