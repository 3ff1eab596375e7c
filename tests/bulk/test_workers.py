"""Several workers on one job: they share it, and what one leaves behind the others take up."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from mailkit.bulk.job import Job
from mailkit.bulk.journal import JobRecord, Journal, Taken
from mailkit.bulk.report import make_report
from mailkit.bulk.resolve import replan_rejected, resolve
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.core.lateness import BEGINS_WITHIN, elapsed, is_too_late
from mailkit.errors import InvalidArgument, JournalError, OutcomeUnknown
from mailkit.message import Message
from mailkit.provider import Dispatch, Done, Sent, Stage, Task, Wait
from mailkit.testing import FakeClock

from .fakes import MESSAGE, FakeDispatch, FakeProvider, memory_journal, people
from .jobs import at, die, planned, take, until_waiting

SETTINGS = EngineSettings(concurrency=2)


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


def sender(journal: Journal, provider: FakeProvider, clock: FakeClock) -> BulkSender:
    return BulkSender(provider, journal=journal, settings=SETTINGS, clock=clock)


async def begun(journal: Journal, provider: FakeProvider, clock: FakeClock, rows: int) -> None:
    """A job that is planned, and of which nothing is sent yet."""
    async with sender(journal, provider, clock) as first:
        job = await first.start(MESSAGE, read_recipients(people(rows)), name="a")
        job.stop()
        await job.wait()
    assert not provider.mailed


async def test_two_workers_share_a_job_and_both_reports_are_complete(journal: Journal) -> None:
    provider, clock = FakeProvider(), FakeClock()
    await begun(journal, provider, clock, 60)
    async with sender(journal, provider, clock) as one, sender(journal, provider, clock) as two:
        jobs: list[Job] = [await one.resume("a"), await two.resume("a")]
        assert (await make_report(journal, "a")).running
        reports = await asyncio.gather(*(job.wait() for job in jobs))
    assert all(report.complete for report in reports)
    assert provider.mailed == dict.fromkeys(people(60), 1)
    found = await journal.reports.rows(await journal.jobs.get("a")).__anext__()
    assert {row.state for row in found} == {"accepted"}


async def test_a_worker_waits_for_what_the_others_have_under_way(journal: Journal) -> None:
    provider, clock = FakeProvider(), FakeClock()
    await begun(journal, provider, clock, 6)
    other = await journal.workers.join(await journal.jobs.get("a"))
    taken = await take(journal, other)
    async with sender(journal, provider, clock) as one:
        job = await one.resume("a")
        step = await until_waiting(job)
        assert step.waiting is not None
        assert re.fullmatch(
            rf"process {os.getpid()}( on \S+)?, which is also sending this job", step.waiting.why
        )
        assert step.counts.unsent == 3
        await journal.chunks.put_back(other, taken.ticket, clock.now(), "dns")
        await journal.workers.leave(other)
        report = await job.wait()
    assert report.complete
    assert provider.mailed == dict.fromkeys(people(6), 1)


async def test_an_answer_that_the_journal_has_lost_is_asked_for_again(journal: Journal) -> None:
    provider, clock = FakeProvider(), FakeClock()
    await begun(journal, provider, clock, 6)
    other = await journal.workers.join(await journal.jobs.get("a"))
    taken = await take(journal, other)
    async with sender(journal, provider, clock) as one:
        job = await one.resume("a")
        await until_waiting(job)
        while (await make_report(journal, "a")).unreconciled:
            await clock.sleep(1.0)
        await journal._db.write(lambda db: db.execute("UPDATE chunks SET reconciled = 0"))
        while (await make_report(journal, "a")).unreconciled:
            await clock.sleep(1.0)
        await journal.chunks.put_back(other, taken.ticket, clock.now(), "dns")
        await journal.workers.leave(other)
        report = await job.wait()
    assert report.complete
    assert provider.mailed == dict.fromkeys(people(6), 1)


async def test_what_a_worker_was_sending_when_it_died_is_in_doubt_for_the_others(
    journal: Journal,
) -> None:
    provider, clock = FakeProvider(), FakeClock()
    await begun(journal, provider, clock, 9)
    other = await journal.workers.join(await journal.jobs.get("a"))
    dead = await take(journal, other)
    async with sender(journal, provider, clock) as one:
        job = await one.resume("a")
        await until_waiting(job)
        die(other)
        report = await job.wait()
    assert (report.counts.accepted, report.counts.in_doubt) == (6, 3)
    assert report.doubts[0].chunk == dead.task.chunk
    await journal.chunks.accept(other, dead.ticket, clock.now(), Sent(None))  # it was only slow
    assert (await make_report(journal, "a")).complete


async def test_whoever_finds_the_account_refused_stops_all(journal: Journal) -> None:
    provider, clock = FakeProvider(refuses=lambda task: "no more for today"), FakeClock()
    await begun(journal, provider, clock, 300)
    async with sender(journal, provider, clock) as one, sender(journal, provider, clock) as two:
        jobs = [await one.resume("a"), await two.resume("a")]
        reports = await asyncio.gather(*(job.wait() for job in jobs))
    assert all(report.counts.unsent == 300 for report in reports)
    assert all("no more for today" in str(report.stopped) for report in reports)
    provider.refuses = lambda task: None
    async with sender(journal, provider, clock) as one:
        report = await (await one.resume("a")).wait()
    assert report.complete
    assert provider.mailed == dict.fromkeys(people(300), 1)


async def test_one_that_is_stopped_leaves_the_rest_to_the_others(journal: Journal) -> None:
    provider, clock = FakeProvider(), FakeClock()
    await begun(journal, provider, clock, 60)
    async with sender(journal, provider, clock) as one, sender(journal, provider, clock) as two:
        first, second = await one.resume("a"), await two.resume("a")
        first.stop()
        await first.wait()
        report = await second.wait()
    assert report.complete
    assert report.stopped is None
    assert provider.mailed == dict.fromkeys(people(60), 1)


async def test_bad_rows_cost_nobody_else_whoever_finds_them(journal: Journal) -> None:
    bad = {"p7@example.com", "p31@example.com"}
    clock = FakeClock()

    def refuses(task: Task) -> str | None:
        return "bad request" if bad & {row.address for row in task.rows} else None

    provider = FakeProvider(refuses=refuses, chunk_rows=10)
    await begun(journal, provider, clock, 60)
    async with sender(journal, provider, clock) as one, sender(journal, provider, clock) as two:
        jobs = [await one.resume("a"), await two.resume("a")]
        reports = await asyncio.gather(*(job.wait() for job in jobs))
    assert {(one.counts.rejected, one.counts.accepted) for one in reports} == {(2, 58)}
    assert provider.mailed == dict.fromkeys(set(people(60)) - bad, 1)


async def test_a_person_can_not_say_not_sent_while_the_worker_lives_that_sent_it(
    journal: Journal,
) -> None:
    provider, clock = FakeProvider(acts=[OutcomeUnknown("reset")]), FakeClock()
    await begun(journal, provider, clock, 6)
    other = await journal.workers.join(await journal.jobs.get("a"))
    taken = await take(journal, other)
    await journal.chunks.doubt(other, taken.ticket, 3.0, "reset")
    with pytest.raises(InvalidArgument, match=r"which sent chunk 1 .*, is still running"):
        await resolve(journal, "a", 1, accepted=False)
    assert await resolve(journal, "a", 1, accepted=True) == 3
    with pytest.raises(InvalidArgument, match="not in doubt"):
        await resolve(journal, "a", 1, accepted=False)


async def test_a_refusal_is_not_lost_when_its_worker_was_taken_for_dead(journal: Journal) -> None:
    provider, clock = FakeProvider(), FakeClock()
    await begun(journal, provider, clock, 6)
    other = await journal.workers.join(await journal.jobs.get("a"))
    taken = await take(journal, other)
    die(other)
    new = await journal.workers.join(await journal.jobs.get("a"))
    await journal.narrowing.halve(other, taken.ticket)
    counts = await journal.reports.counts(new)
    assert (counts.in_doubt, counts.unsent) == (0, 6)


async def test_a_worker_whose_lock_is_removed_takes_nothing_more(tmp_path: Path) -> None:
    async with at(tmp_path / "journal.db") as journal:
        job = await planned(journal, people(6))
        await take(journal, job)
        for lock in (tmp_path / "journal.db-locks").iterdir():
            lock.unlink()
        with pytest.raises(JournalError, match="was removed or replaced while this process sends"):
            await take(journal, job)


async def test_a_request_begins_soon_after_its_take_or_not_at_all(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may be stopped in between for as long as it takes others to settle the chunk."""
    late = []

    def look(task: Task) -> None:
        late.append(is_too_late())
        now = elapsed()
        with monkeypatch.context() as stopped:
            stopped.setattr("mailkit.core.lateness.elapsed", lambda: now + BEGINS_WITHIN)
            late.append(is_too_late())

    provider, clock = FakeProvider(on_send=look), FakeClock()
    await begun(journal, provider, clock, 3)
    async with sender(journal, provider, clock) as one:
        await (await one.resume("a")).wait()
    assert late == [False, True]
    assert not is_too_late()


@attrs.define
class Gate(FakeProvider):
    """Holds its second request until it is told to go on."""

    reached: asyncio.Event = attrs.field(factory=asyncio.Event)
    opened: asyncio.Event = attrs.field(factory=asyncio.Event)

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        return GateDispatch(self)


class GateDispatch(FakeDispatch):
    async def perform(self, task: Task) -> Sent:
        assert isinstance(self.provider, Gate)
        if task.chunk == 2:
            self.provider.reached.set()
            await self.provider.opened.wait()
        return await super().perform(task)


async def test_what_a_person_orders_again_meanwhile_does_not_hide_why_a_job_stops(
    journal: Journal,
) -> None:
    words = "not today"

    def named(task: Task) -> Sent:
        return Sent(None, {task.rows[0].n: words, task.rows[1].n: words})

    provider = Gate(acts=[named], chunk_rows=30)
    settings = EngineSettings(concurrency=1)
    async with BulkSender(provider, journal=journal, settings=settings) as one:
        job = await one.start(MESSAGE, read_recipients(people(300)), name="a")
        await provider.reached.wait()
        assert (await replan_rejected(journal, "a")).rows == 2
        provider.refuses = lambda task: words
        provider.opened.set()
        report = await job.wait()
    assert report.stopped is not None
    assert words in report.stopped
    assert (report.counts.rejected, report.counts.unsent) == (0, 272)


async def refused_whole(journal: Journal, clock: FakeClock) -> tuple[JobRecord, list[Taken]]:
    """Another worker that took the next chunk of the job, which was refused, and now has its three
    rows to try, each alone.
    """
    other = await journal.workers.join(await journal.jobs.get("a"))
    whole = await take(journal, other)
    probes = await journal.narrowing.probe(other, whole.ticket)
    found = [await journal.chunks.take(other, clock.now(), n=n) for n in probes]
    return other, [one for one in found if isinstance(one, Taken)]


async def at_gate(one: BulkSender, provider: Gate) -> Job:
    """A job of three chunks, alone with its worker when that began, which sends the second now."""
    provider.refuses = lambda task: "bad" if task.rows[0].address == "p6@example.com" else None
    job = await one.start(MESSAGE, read_recipients(people(9)), name="a")
    await provider.reached.wait()
    return job


@pytest.mark.parametrize("end", ["leaves at once", "dies at once", "leaves later", "dies later"])
async def test_what_a_worker_kept_of_a_refused_chunk_is_sent_by_the_others(
    journal: Journal, end: str
) -> None:
    provider, clock = Gate(), FakeClock()
    settings = EngineSettings(concurrency=1)
    async with BulkSender(provider, journal=journal, settings=settings, clock=clock) as one:
        job = await at_gate(one, provider)
        other, rows = await refused_whole(journal, clock)
        await journal.narrowing.try_row(other, rows[0].ticket, clock.now() + 1.0, "bad")
        for row in rows[1:]:
            await journal.chunks.put_back(other, row.ticket, clock.now(), "stopped")
        if "later" in end:
            provider.opened.set()
            step = await until_waiting(job)
            assert "also sending this job" in str(step.waiting)
            assert step.counts.unsent == 3
        if "dies" in end:
            die(other)
        else:
            await journal.workers.leave(other)
        provider.opened.set()
        report = await job.wait()
    assert report.stopped is None
    assert (report.counts.accepted, report.counts.rejected, report.counts.unsent) == (8, 1, 0)
    assert provider.mailed == dict.fromkeys(set(people(9)) - {"p6@example.com"}, 1)


async def test_a_row_that_is_left_alone_of_another_workers_chunk_is_not_the_account(
    journal: Journal,
) -> None:
    provider, clock = Gate(), FakeClock()
    settings = EngineSettings(concurrency=1)
    async with BulkSender(provider, journal=journal, settings=settings, clock=clock) as one:
        job = await at_gate(one, provider)
        other, rows = await refused_whole(journal, clock)
        for row in rows[1:]:
            await journal.chunks.accept(other, row.ticket, clock.now(), Sent(None))
        await journal.narrowing.try_row(other, rows[0].ticket, clock.now() + 1.0, "bad")
        await journal.workers.leave(other)
        provider.opened.set()
        report = await job.wait()
    assert report.stopped is None
    assert (report.counts.accepted, report.counts.rejected, report.counts.unsent) == (8, 1, 0)


async def test_what_is_put_back_by_a_worker_that_then_leaves_is_not_overlooked(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, clock = Gate(), FakeClock()
    settings = EngineSettings(concurrency=1)
    busy = journal.workers.busy
    async with BulkSender(provider, journal=journal, settings=settings, clock=clock) as one:
        job = await at_gate(one, provider)
        other = await journal.workers.join(await journal.jobs.get("a"))
        taken = await take(journal, other)

        async def just_after(job: JobRecord) -> str | None:
            if await journal.workers.living(other) >= {other.worker and other.worker.id}:
                await journal.chunks.put_back(other, taken.ticket, clock.now(), "stopped")
                await journal.workers.leave(other)
            return await busy(job)

        monkeypatch.setattr(journal.workers, "busy", just_after)
        provider.refuses = lambda task: None
        provider.opened.set()
        report = await job.wait()
    assert report.complete
    assert provider.mailed == dict.fromkeys(people(9), 1)


async def test_who_asks_about_anothers_request_does_not_release_it(journal: Journal) -> None:
    """Its own take of the same chunk, which the database has undone, had the same number."""
    stages = [Stage("send", settles=True)]
    one = await planned(journal, people(1))
    two = await journal.workers.join(one)
    lost = await take(journal, two)
    die(two)
    await journal.workers.busy(one)
    [doubt] = await journal.chunks.in_doubt(one, stages)
    assert doubt.ticket == lost.ticket
    wait = Wait(datetime.fromtimestamp(9.0, UTC), "it is not there so far")
    assert await journal.chunks.settle(one, doubt, 3.0, wait) == wait
    journal.chunks._lost = [(one, lost, None)]
    await journal.chunks._release()
    assert [taken.ticket for taken in await journal.chunks.in_doubt(one, stages)] == [lost.ticket]


@pytest.mark.parametrize("stage", [0, 1])
async def test_a_doubt_is_attended_to_where_the_provider_may_tell(
    journal: Journal, stage: int
) -> None:
    prepare, sending = Stage("prepare", repeatable=True), Stage("send", settles=True)
    stages = [prepare, sending] if stage else [sending]
    job = await planned(journal, people(1))
    if stage:
        first = await journal.chunks.take(job, 2.0, stages)
        assert isinstance(first, Taken)
        await journal.chunks.advance(job, first, Done(), stages)
    taken = await journal.chunks.take(job, 2.0, stages)
    assert isinstance(taken, Taken)
    await journal.chunks.doubt(job, taken.ticket, 3.0, "a gateway's page")
    assert await journal.workers.unattended(4.0) == []  # its worker lives
    await journal.workers.leave(job)
    assert len(await journal.workers.unattended(4.0)) == stage
    assert await journal.workers.unattended(90_000.0) == []
