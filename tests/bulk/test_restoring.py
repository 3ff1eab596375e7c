"""An older state of the journal was put back: what may have been sent since is not sent again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from mailkit.bulk.journal import Chosen, JobRecord, Journal, Ticket
from mailkit.bulk.journal.restoring import doubt_unsent, put_back
from mailkit.bulk.report.advice import remarks
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import InvalidArgument, JobExists
from mailkit.provider import Sent

from .fakes import MESSAGE, FakeProvider, people
from .jobs import die, in_each, planned, planning, states, take

ONE = EngineSettings(concurrency=1)


@pytest.fixture(params=["memory", "postgres"])
async def journal(request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
    async with in_each(request) as opened:
        yield opened


async def older(journal: Journal, until: float = 1e10) -> None:
    def work(db: Any) -> None:
        db.execute("UPDATE workers SET ended = 1")
        doubt_unsent(db)
        put_back(db, until)

    await journal._db.write(work)


async def cut_off(journal: Journal, rows: Sequence[str], name: str | None = "a") -> JobRecord:
    """A job whose list was being read at that moment."""
    job = await planning(journal, rows, name)
    die(job)
    await older(journal)
    await journal.jobs.sweep()
    (found,) = await journal.jobs.list()
    return found


async def test_what_was_about_to_be_sent_is_in_doubt(journal: Journal) -> None:
    job = await planned(journal, people(5), chunk=1)
    await journal.chunks.reject(job, (await take(journal, job)).ticket, 3.0, "no")
    await take(journal, job)
    await older(journal)
    found = sorted((await states(journal, job)).values())
    assert found == ["in doubt"] * 4 + ["rejected"]


async def test_what_was_sent_before_that_may_still_be_on_its_way(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the older state knows that a request has ended: its rows may have been sent again."""
    monkeypatch.setattr("mailkit.bulk.journal.resolving.HELD_UP_SECONDS", 120.0)
    job, base = await planned(journal, people(3), chunk=1), time.time()
    left_out, lost, _ = [await take(journal, job) for _ in range(3)]
    no_answer = Sent(None, in_doubt={left_out.task.rows[0].n: "it was left out"})
    await journal.chunks.accept(job, left_out.ticket, 3.0, no_answer)
    await journal.chunks.doubt(job, lost.ticket, 3.0, "reset")
    await older(journal, base)

    async def not_sent(chunk: int, now: float) -> int:
        return await journal.resolving.not_sent(job, Chosen({chunk: None}), now)

    shared = journal._db.dialect.clock is not None  # it tells then
    for chunk in (1, 2, 3):
        with pytest.raises(InvalidArgument, match="too early to say that chunk"):
            await not_sent(chunk, base + (1e6 if shared else 149.0))
        until = await journal.chunks.held_up_until(job, Ticket(chunk, 1))
        assert until.timestamp() == pytest.approx(base + 150)
    earlier = str(base - 151)
    if shared:
        await journal._db.write(
            lambda db: db.execute("UPDATE meta SET value = ? WHERE key = 'put_back'", (earlier,))
        )
    assert [await not_sent(chunk, base + 151) for chunk in (1, 2, 3)] == [1, 1, 1]


async def test_what_was_read_of_a_list_is_in_doubt(journal: Journal) -> None:
    """Each person once: so nobody has two messages if a person says that it was not sent."""
    job = await cut_off(journal, ["a@b.by", "nobody", *people(250), "a@b.by"])
    counts = await journal.reports.counts(job)
    assert (counts.in_doubt, counts.duplicate, counts.invalid, counts.unsent) == (251, 1, 1, 0)
    assert counts.read == 253
    assert job.columns == ["field 1"]
    assert "was still being read" in str(job.stopped)
    assert len(await journal.reports.doubts(job)) == 3


async def test_its_name_is_not_free(journal: Journal) -> None:
    await cut_off(journal, [])
    with pytest.raises(JobExists, match="may have been sent since"):
        await journal.jobs.create("a", "fake", "shop", "{}", again=False, now=9.0)
    job = await journal.jobs.create("a", "fake", "shop", "{}", again=True, now=9.0)
    assert job.name == "a-2"


async def test_one_without_a_name_gets_one(journal: Journal) -> None:
    assert (await cut_off(journal, people(2), None)).name == "put-back"


async def test_a_command_that_repeats_does_not_send_it(journal: Journal) -> None:
    provider, list_ = FakeProvider(), read_recipients(people(9))
    async with BulkSender(provider, journal=journal) as sender:
        await sender.detach(MESSAGE, list_, name="daily")
    await journal._db.write(
        lambda db: db.execute(  # as while it was planned
            "UPDATE jobs SET state = 'planning', fingerprint = NULL, columns = '[]'"
        )
    )
    await older(journal)
    async with BulkSender(provider, journal=journal) as sender:
        for name in ("daily", "another", None):
            with pytest.raises(JobExists, match="the job daily was still being planned"):
                await sender.start_or_resume(MESSAGE, list_, name=name)
        with pytest.raises(JobExists, match="the job daily was still being planned"):
            await sender.start(MESSAGE, list_, name="daily")
        with pytest.raises(InvalidArgument, match="send its list under another name with again"):
            await sender.resume("daily")
        job = await sender.start(MESSAGE, read_recipients(["new@b.by"]), name="b", again=True)
        await job.wait()
    assert provider.mailed == {"new@b.by": 1}


async def test_rejected_rows_may_have_been_ordered_again(journal: Journal) -> None:
    job = await planned(journal, people(2), chunk=1)
    for _ in range(2):
        await journal.chunks.reject(job, (await take(journal, job)).ticket, 3.0, "no")
    everything = Chosen()
    await older(journal, until=job.created - 1)  # it was created later
    assert (await journal.resolving.again(job, everything)).rows == 2
    job = await journal.workers.join(job)
    for _ in range(2):
        await journal.chunks.reject(job, (await take(journal, job)).ticket, 3.0, "no")
    await older(journal, until=job.created + 1)
    with pytest.raises(InvalidArgument, match="may have been ordered again, and sent"):
        await journal.resolving.again(job, everything)
    assert set((await states(journal, job)).values()) == {"rejected"}


async def test_rejected_rows_are_not_sent_by_another_job_without_a_word(journal: Journal) -> None:
    provider, rows = FakeProvider(chunk_rows=1), people(3)
    provider.refuses = lambda chunk: "no such mailbox" if chunk.rows[0].n < 3 else None
    async with BulkSender(provider, journal=journal, settings=ONE) as sender:
        first = await (await sender.start(MESSAGE, read_recipients(rows), name="a")).wait()
    assert (first.counts.accepted, first.counts.rejected) == (1, 2)
    await older(journal)
    provider.refuses = lambda chunk: None
    provider.mailed.clear()
    async with BulkSender(provider, journal=journal, settings=ONE) as sender:
        corrected = read_recipients([*rows, "new@example.com"])
        second = await (await sender.start(MESSAGE, corrected, name="b")).wait()
        assert provider.mailed == {"new@example.com": 1}
        assert second.elsewhere == {"already sent by job a": 1, "may have been sent by job a": 2}
        report = await sender.report("a")
        assert report.put_back is not None
        said = " ".join(map(str, remarks(report, str)))
        assert "--rejected" not in said
        assert "in a job of their own, with --again" in said
        await (await sender.start(MESSAGE, read_recipients(rows), name="c", again=True)).wait()
    assert provider.mailed == dict.fromkeys([*rows, "new@example.com"], 1)
