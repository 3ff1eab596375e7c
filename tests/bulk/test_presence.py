"""Who is seen to be at work on a job: by locks, and by leases."""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
import pytest

from mailkit.bulk.journal import JobRecord, Journal, Presence, WorkerInfo

from .fakes import memory_journal, people
from .jobs import die, planned, snapshot


@pytest.fixture
async def shared(postgres_database: str) -> AsyncIterator[Journal]:
    async with await Journal.open(postgres_database) as opened:
        yield opened


async def seen(journal: Journal, job: JobRecord) -> list[WorkerInfo]:
    return [*(await snapshot(journal, job)).workers]


@pytest.mark.sqlite
async def test_a_lock_says_whether_its_process_lives_and_needs_no_times() -> None:
    async with memory_journal() as journal:
        job = await planned(journal, people(2))
        me = WorkerInfo(os.getpid(), platform.node(), "a", True, Presence.ALIVE)
        assert await seen(journal, job) == [me]
        assert me.to_dict() == {
            "process": os.getpid(), "machine": platform.node(), "job": "a", "sends": True,
            "presence": "alive", "last_heard": None, "dead_from": None,
        }  # fmt: skip
        die(job)
        assert [one.presence for one in await seen(journal, job)] == [Presence.DEAD]
        assert [*(await journal.info()).workers] == []
        other = await journal.workers.join(job)
        assert await seen(journal, job) == [me], "somebody went on in its place"
        await journal.workers.leave(other)
        assert await seen(journal, job) == []


AGO = "UPDATE workers SET lease = extract(epoch FROM clock_timestamp()) + 60 - {}"


@pytest.mark.parametrize(
    ("seconds", "presence", "running"),
    [
        ("0", Presence.ALIVE, True),
        ("15", Presence.ALIVE, True),
        ("30", Presence.SILENT, True),
        ("80", Presence.SILENT, True),
        ("100", Presence.DEAD, False),
    ],
)
async def test_a_lease_says_when_its_process_was_last_heard_from(
    shared: Journal,
    postgres_database: str,
    seconds: LiteralString,
    presence: Presence,
    running: bool,
) -> None:
    job = await planned(shared, people(2))
    with psycopg.connect(postgres_database, autocommit=True) as db:
        db.execute(AGO.format(seconds))
    found = await snapshot(shared, job)
    [worker] = found.workers
    assert (worker.presence, found.running, found.shared) == (presence, running, True)
    assert worker.last_heard is not None
    assert worker.dead_from is not None
    assert worker.dead_from - worker.last_heard == timedelta(seconds=90)
    age = datetime.now(UTC) - worker.last_heard
    assert age >= timedelta(seconds=int(seconds))
    assert len((await shared.info()).workers) == running


async def test_a_process_that_goes_on_as_another_worker_is_there_once(
    shared: Journal, postgres_database: str
) -> None:
    job = await planned(shared, people(2))
    with psycopg.connect(postgres_database, autocommit=True) as db:
        db.execute(AGO.format("70"))
    await shared.workers.join(job)
    assert [one.presence for one in await seen(shared, job)] == [Presence.ALIVE]
