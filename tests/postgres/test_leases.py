"""A process that others take for dead, since it was stopped for long, and that goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import LiteralString

import psycopg
import pytest

from mailkit.bulk.journal import Journal
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_recipients
from mailkit.provider import Task

from ..bulk.fakes import MESSAGE, FakeProvider, people

LAPSED = "UPDATE workers SET lease = lease - 1000"
REAPED = (
    "UPDATE workers SET lease = lease - 1000, ended = 1; "
    "UPDATE chunks SET state = 'in doubt' WHERE state = 'sending'"
)


@pytest.fixture
async def journal(postgres_database: str) -> AsyncIterator[Journal]:
    async with await Journal.open(postgres_database) as opened:
        yield opened


@pytest.mark.parametrize("found", [LAPSED, REAPED])
async def test_it_goes_on_as_another_worker(
    journal: Journal, postgres_database: str, found: LiteralString
) -> None:
    provider = FakeProvider()

    def stops_for_long(task: Task) -> None:
        if task.chunk in (3, 7):
            with psycopg.connect(postgres_database, autocommit=True) as others:
                others.execute(found)

    provider.on_send = stops_for_long
    async with BulkSender(provider, journal=journal) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(60)), name="a")
        report = await job.wait()
    assert report.complete, report
    assert report.stopped is None
    assert provider.mailed == dict.fromkeys(people(60), 1)
    with psycopg.connect(postgres_database) as db:
        (workers,) = db.execute("SELECT count(*) FROM workers WHERE sends = 1").fetchone() or (0,)
    assert workers > 2  # who planned it, and at least two who sent


async def test_it_does_not_go_on_with_a_job_that_was_stopped_meanwhile(
    journal: Journal, postgres_database: str
) -> None:
    provider = FakeProvider()

    def is_stopped(task: Task) -> None:
        if task.chunk == 1:
            with psycopg.connect(postgres_database, autocommit=True) as others:
                others.execute(LAPSED)
                others.execute("UPDATE jobs SET stopped = 'by a person'")

    provider.on_send = is_stopped
    async with BulkSender(provider, journal=journal) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(60)), name="a")
        report = await job.wait()
    assert report.stopped == "by a person"
    assert report.counts.unsent > 0
