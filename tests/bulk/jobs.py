"""Journals with jobs in them, for the tests of the journal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from mailkit.bulk.journal import InvalidRecord, JobRecord, Journal, Lease, PlannedRow
from mailkit.core.dispatch import Chunk


@asynccontextmanager
async def at(
    path: Path, *, adopt: Literal["latest", "older"] | None = None
) -> AsyncIterator[Journal]:
    opened = await Journal.open(path, adopt=adopt)
    try:
        yield opened
    finally:
        await opened.close()


async def planning(
    journal: Journal, rows: Sequence[str], name: str = "a"
) -> tuple[JobRecord, Lease]:
    """A job with these rows, its planning not ended; what has no @ in it is invalid."""
    job, lease = await journal.jobs.create(name, "fake", "shop", "{}", again=False, now=1.0)
    numbered = [(job.ids[0] + n, n, row) for n, row in enumerate(rows, 1)]
    await journal.planning.add(
        job,
        [PlannedRow(at, n + 1, row, None, f'["{n}"]', 10) for at, n, row in numbered if "@" in row],
        [InvalidRecord(at, n + 1, row, None, "no @") for at, n, row in numbered if "@" not in row],
    )
    return job, lease


async def planned(
    journal: Journal, rows: Sequence[str], name: str = "a", *, chunk: int = 2
) -> JobRecord:
    """A job with these rows in chunks, and an engine that may run it."""
    job, lease = await planning(journal, rows, name)
    await journal.planning.mark_duplicates(job)
    await journal.planning.mark_suppressed(job)
    await journal.planning.cut(job, rows=chunk, size=1_000)
    job = await finish(journal, job)
    lease.release()
    return await journal.jobs.adopt(job)


async def finish(journal: Journal, job: JobRecord) -> JobRecord:
    """The job, planned."""
    return await journal.jobs.finish_planning(
        job, columns=["name"], fingerprint=job.name.encode(), stem=None, again=False
    )


async def take(journal: Journal, job: JobRecord) -> Chunk:
    chunk = await journal.steps.take(job, 2.0)
    assert chunk is not None
    return chunk


async def states(journal: Journal, job: JobRecord, *, running: bool = False) -> dict[str, str]:
    found = journal.accounts.rows(job, running=running)
    return {row.address: row.state async for rows in found for row in rows}
