"""What happens to a job is told to hooks and to the standard logging."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from unittest.mock import AsyncMock

import pytest

from mailkit.bulk.journal import Journal
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import AccountRefused, JournalError, OutcomeUnknown, RateLimited
from mailkit.events import (
    ChunkAccepted,
    ChunkInDoubt,
    ChunkRejected,
    JobEnded,
    JobEvent,
    JobHook,
    JobStarted,
    JobStopped,
    SendingHeld,
    SendingResumed,
)
from mailkit.provider import Sent
from mailkit.testing import FakeClock

from .fakes import MESSAGE, FakeProvider, memory_journal, people
from .test_refusals import bad


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


async def events(
    journal: Journal, provider: FakeProvider, count: int, *others: JobHook
) -> list[JobEvent]:
    heard: list[JobEvent] = []
    async with BulkSender(
        provider,
        journal=journal,
        clock=FakeClock(1_000_000.0),
        settings=EngineSettings(concurrency=1),
        hooks=[*others, heard.append],
    ) as sender:
        await (await sender.start(MESSAGE, read_recipients(people(count)), name="a")).wait()
    return heard


async def test_each_thing_that_happens_is_told_once_and_in_order(journal: Journal) -> None:
    provider = FakeProvider()
    provider.acts = [
        RateLimited("too many", retry_after=5),
        lambda chunk: Sent("1", {1: "no such mailbox"}, {2: "not named"}),
        OutcomeUnknown("reset"),
        AccountRefused("no money"),
    ]
    started, held, resumed, accepted, doubt, stopped = await events(journal, provider, 12)
    assert started == JobStarted("a", "fake", 12)
    assert isinstance(held, SendingHeld)
    assert held.why == "too many"
    assert held.until.timestamp() == pytest.approx(1_000_005, abs=0.1)
    assert resumed == SendingResumed("a")
    assert accepted == ChunkAccepted("a", 1, 1, 1, 1, "1")
    assert doubt == ChunkInDoubt("a", 2, 3, "reset")
    assert stopped == JobStopped("a", "the provider can't be used: no money")


async def test_rows_that_are_rejected_alone_are_told(journal: Journal) -> None:
    provider = FakeProvider(chunk_rows=10, refuses=bad("p4@example.com"))
    heard = await events(journal, provider, 10)
    rejected = [event for event in heard if isinstance(event, ChunkRejected)]
    assert [(event.rows, event.reason) for event in rejected] == [(1, "Argument email is invalid")]
    assert sum(event.accepted for event in heard if isinstance(event, ChunkAccepted)) == 9
    assert heard[-1] == JobEnded("a")


async def test_the_log_has_a_sentence_and_the_facts(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mailkit.jobs")
    await events(journal, FakeProvider(acts=[OutcomeUnknown("reset")]), 6)
    assert [(one.levelname, one.message) for one in caplog.records] == [
        ("INFO", "a: sending 6 rows over fake"),
        ("INFO", "a: chunk 1: 3 in doubt: reset"),
        ("INFO", "a: chunk 2: 3 accepted"),
        ("INFO", "a: finished, with 3 rows in doubt"),
    ]
    facts = vars(caplog.records[1])
    assert facts["mailkit_event"] == "chunk_in_doubt"
    assert (facts["mailkit_job"], facts["mailkit_chunk"], facts["mailkit_rows"]) == ("a", 1, 3)


async def test_a_hook_that_fails_is_logged_and_harms_nobody(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: JobEvent) -> None:
        raise ZeroDivisionError

    heard = await events(journal, FakeProvider(), 6, broken)
    assert heard[-1] == JobEnded("a")
    assert "a hook failed on JobStarted" in caplog.text
    assert (await journal.jobs.get("a")).stopped is None


async def test_no_event_names_an_address_that_the_service_names(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mailkit.jobs")
    words = "p1@example.com is unknown to <boss%40example.com>, says mailto:x@y.by"
    heard = await events(
        journal, FakeProvider(acts=[OutcomeUnknown(words), AccountRefused(words)]), 6
    )
    hidden = "[address] is unknown to <[address]>, says mailto:[address]"
    assert ChunkInDoubt("a", 1, 3, hidden) in heard
    assert heard[-1] == JobStopped("a", f"the provider can't be used: {hidden}")
    assert f"a: chunk 1: 3 in doubt: {hidden}" in caplog.messages
    shown = repr([vars(record) for record in caplog.records])
    assert "example.com" not in shown
    assert "y.by" not in shown


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (JournalError("the disk is full"), "the disk is full"),
        (ZeroDivisionError("p1@example.com"), "ZeroDivisionError at "),
    ],
)
async def test_a_run_that_fails_is_told_as_a_stop(
    error: Exception, reason: str, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[JobEvent] = []
    monkeypatch.setattr(type(journal.chunks), "take", AsyncMock(side_effect=error))
    with pytest.raises(type(error)):
        await events(journal, FakeProvider(), 6, heard.append)
    started, stopped = heard
    assert started == JobStarted("a", "fake", 6)
    assert isinstance(stopped, JobStopped)
    assert stopped.reason.startswith(reason)
    assert "example.com" not in stopped.reason
