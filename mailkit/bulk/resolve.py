"""Ending doubts by a person's word."""

from __future__ import annotations

from mailkit.bulk.journal import Journal
from mailkit.bulk.sender import take_lease

__all__ = ["resolve"]


async def resolve(journal: Journal, name: str, chunk: int | None = None, *, accepted: bool) -> int:
    """Say of a job's doubts, or of one chunk's, that the provider took them (``accepted``) or not.

    What was not taken is planned again, and the next ``resume`` sends it. Returns the number of
    rows. InvalidArgument if the chunk is not in doubt, or while an engine runs the job.
    """
    record = await journal.jobs.get(name)
    lease = await take_lease(journal, record)
    try:
        record = await journal.jobs.adopt(record)
        if accepted:
            return await journal.resolving.accepted(record, chunk)
        return await journal.resolving.not_sent(record, chunk)
    finally:
        lease.release()
