"""Journals with jobs in them, for the tests of the journal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from mailkit.bulk.job import Job
from mailkit.bulk.journal import InvalidRecord, JobRecord, Journal, PlannedRow, Snapshot, Taken
from mailkit.bulk.journal.sqlite.store import SqliteStore
from mailkit.bulk.progress import Progress

from .fakes import memory_journal


def in_file(journal: Journal) -> SqliteStore:
    """The store of a journal that is a file."""
    assert isinstance(journal._db, SqliteStore)
    return journal._db


@asynccontextmanager
async def at(
    path: Path, *, adopt: Literal["latest", "older"] | None = None
) -> AsyncIterator[Journal]:
    opened = await Journal.open(path, adopt=adopt)
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def in_each(request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
    """A journal in memory, or in PostgreSQL, as the fixture's parameter says."""
    if request.param == "memory":
        async with memory_journal() as opened:
            yield opened
        return
    async with await Journal.open(str(request.getfixturevalue("postgres_database"))) as opened:
        yield opened


async def planning(journal: Journal, rows: Sequence[str], name: str | None = "a") -> JobRecord:
    """A job with these rows, its planning not ended; what has no @ in it is invalid."""
    job = await journal.jobs.create(name, "fake", "shop", "{}", again=False, now=1.0)
    numbered = [(job.ids[0] + n, n, row) for n, row in enumerate(rows, 1)]
    await journal.planning.add(
        job,
        [PlannedRow(at, n + 1, row, None, f'["{n}"]', 10) for at, n, row in numbered if "@" in row],
        [InvalidRecord(at, n + 1, row, None, "no @") for at, n, row in numbered if "@" not in row],
    )
    return job


async def planned(
    journal: Journal, rows: Sequence[str], name: str = "a", *, chunk: int = 2
) -> JobRecord:
    """A job with these rows in chunks, and a worker that sends it."""
    job = await planning(journal, rows, name)
    await journal.planning.mark_duplicates(job)
    await journal.planning.mark_suppressed(job)
    await journal.planning.cut(job, rows=chunk, size=1_000)
    job = await finish(journal, job)
    joined = await journal.workers.join(job)
    await journal.workers.leave(job)
    return joined


async def finish(journal: Journal, job: JobRecord) -> JobRecord:
    """The job, planned."""
    return await journal.jobs.finish_planning(
        job, columns=["name"], fingerprint=job.name.encode(), name=None, again=False
    )


async def until_waiting(job: Job) -> Progress:
    """The first look at the job that says what it waits for."""
    async for step in job.progress():
        if step.waiting:
            return step
    raise AssertionError("it did not wait")


def die(job: JobRecord) -> None:
    """The process of the job's worker ends, as by kill -9."""
    assert job.worker is not None
    job.worker.life.release()


async def take(journal: Journal, job: JobRecord) -> Taken:
    taken = await journal.chunks.take(job, 2.0)
    assert isinstance(taken, Taken)
    return taken


async def snapshot(journal: Journal, job: JobRecord) -> Snapshot:
    found = await journal.reports.snapshot(job.name)
    assert found is not None
    return found


async def stored(journal: Journal, job: JobRecord) -> int:
    """The rows that really are there."""
    found = await journal.reports.details(job.name, lambda _, details: details.stored())
    assert found is not None
    return found


async def states(journal: Journal, job: JobRecord) -> dict[str, str]:
    found = journal.reports.rows(job)
    return {row.address: row.state async for rows in found for row in rows}
