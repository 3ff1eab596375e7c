"""Rows that the status list rejects for want of money: the account is meant, not these rows."""

from __future__ import annotations

from collections.abc import AsyncIterator

import attrs
import pytest

from mailkit import BulkSender, EngineSettings, Journal, Report, read_recipients
from mailkit.bulk.job import Job
from mailkit.cli.run import Exit, exit_code
from mailkit.errors import AccountRefused
from mailkit.testing import FakeClock

from .fakes import MESSAGE, FakeProvider, memory_journal, people

WORDS = "not enough money"


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


@pytest.fixture
def poor() -> FakeProvider:
    return FakeProvider(chunk_rows=3, bad={"p1@example.com"}, why=WORDS)


async def first_run(journal: Journal, provider: FakeProvider) -> Report:
    async with BulkSender(provider, journal=journal, clock=FakeClock()) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(3)), name="a")
        report = await job.wait()
    assert isinstance(job.error, AccountRefused)
    assert (report.held, report.counts.rejected) == (WORDS, 1)
    return report


async def resumed(
    journal: Journal, provider: FakeProvider, *, rejected: bool = False, trust: bool = False
) -> tuple[Job, Report]:
    settings = EngineSettings(trust_refusals=trust)
    clock = FakeClock()
    async with BulkSender(provider, journal=journal, clock=clock, settings=settings) as sender:
        job = await sender.resume("a", rejected=rejected)
        return job, await job.wait()


async def test_a_resume_that_changes_nothing_is_no_success(
    journal: Journal, poor: FakeProvider
) -> None:
    await first_run(journal, poor)
    job, report = await resumed(journal, poor)
    assert (job.error, report.stopped, report.complete) == (None, None, True)
    assert report.held == WORDS
    assert exit_code(report, failed=False) == Exit.ERROR
    assert exit_code(attrs.evolve(report, running=True), failed=False) == Exit.DONE


async def test_once_there_is_money_the_rejected_rows_are_sent_again(
    journal: Journal, poor: FakeProvider
) -> None:
    await first_run(journal, poor)
    poor.bad.clear()
    job, report = await resumed(journal, poor, rejected=True)
    assert (job.error, report.held, report.counts.accepted) == (None, None, 3)
    assert exit_code(report, failed=False) == Exit.DONE


async def test_a_person_may_say_that_it_is_about_these_rows(
    journal: Journal, poor: FakeProvider
) -> None:
    await first_run(journal, poor)
    job, report = await resumed(journal, poor, trust=True)
    assert (job.error, report.held, report.counts.rejected) == (None, None, 1)
    assert exit_code(report, failed=False) == Exit.DONE
