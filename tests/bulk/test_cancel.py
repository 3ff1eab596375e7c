"""A job that is cancelled: its workers stop, and what it has not sent is anybody's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import attrs
import pytest

from mailkit import BulkSender, EngineSettings, Journal, read_recipients
from mailkit.bulk.cancel import RecallResult, cancel
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.report.advice import next_steps
from mailkit.bulk.resolve import resolve
from mailkit.errors import (
    InvalidArgument,
    JobExists,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unsupported,
)
from mailkit.message import Message
from mailkit.provider import Dispatch, Limits, Provider, Sent, Task, Wait
from mailkit.testing import FakeClock, ScriptedProvider

from ..approval import approve
from .fakes import MESSAGE, FakeDispatch, FakeProvider, memory_journal, people
from .jobs import die, planned, snapshot, states, take, until_waiting
from .test_stages import ListProvider

ONE = EngineSettings(concurrency=1)


@attrs.define
class Shop(FakeProvider):
    """A provider over which somebody cancels jobs while it is at one of these chunks."""

    journal: Journal | None = None
    cancels: set[tuple[str, int]] = attrs.field(factory=set)

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        return ShopDispatch(self)


class ShopDispatch(FakeDispatch):
    async def perform(self, task: Task) -> Sent:
        assert isinstance(self.provider, Shop)
        if (task.job, task.chunk) in self.provider.cancels:
            assert self.provider.journal is not None
            await cancel(self.provider.journal, task.job, max_wait=0, clock=FakeClock())
        return await super().perform(task)


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


@pytest.fixture
def provider(journal: Journal) -> Shop:
    return Shop(chunk_rows=2, journal=journal)


def sender_of(journal: Journal, provider: Provider) -> BulkSender:
    return BulkSender(provider, journal=journal, settings=ONE, clock=FakeClock())


async def send(journal: Journal, provider: Provider, rows: Sequence[str], name: str) -> Report:
    async with sender_of(journal, provider) as sender:
        job = await sender.start(MESSAGE, read_recipients(rows), name=name)
        return await job.wait()


async def cancelled_at(
    journal: Journal, provider: Shop, chunk: int, *, count: int = 8, name: str = "a"
) -> Report:
    """The report of a job that was cancelled by somebody else during this chunk."""
    provider.cancels.add((name, chunk))
    return await send(journal, provider, people(count), name)


async def test_workers_stop_at_their_next_take_and_what_is_under_way_ends(
    journal: Journal, provider: Shop
) -> None:
    report = await cancelled_at(journal, provider, 2)
    assert (report.counts.accepted, report.counts.unsent, report.stopped) == (4, 4, "cancelled")
    assert report.cancelled is not None
    assert not report.running
    assert provider.mailed == dict.fromkeys(people(4), 1)


async def test_it_may_be_cancelled_again(journal: Journal, provider: Shop) -> None:
    report = await cancelled_at(journal, provider, 1)
    clock = FakeClock()
    clock.advance(1000)
    assert await cancel(journal, "a", clock=clock) == report


async def test_a_job_without_anything_left_to_send_stays_as_it_is(
    journal: Journal, provider: Shop
) -> None:
    report = await send(journal, provider, people(3), "a")
    assert await cancel(journal, "a") == report
    assert report.cancelled is None
    with pytest.raises(InvalidArgument):
        await cancel(journal, "b")


async def test_a_job_whose_last_requests_were_under_way_ends_as_any_other(
    journal: Journal, provider: Shop
) -> None:
    """It goes on looking for what it has sent."""
    provider.cancels.add(("a", 2))
    provider.hidden = {people(4)[3]}
    report = await send(journal, provider, people(4), "a")
    assert (report.counts.accepted, report.counts.in_doubt, report.counts.unsent) == (3, 1, 0)
    assert (report.unreconciled, report.cancelled, report.stopped) == (0, None, None)
    await resolve(journal, "a", addresses=provider.hidden, accepted=False)
    async with sender_of(journal, provider) as sender:
        assert (await (await sender.resume("a")).wait()).counts.in_doubt == 1  # hidden again


async def test_it_ends_so_too_with_several_requests_under_way(
    journal: Journal, provider: Shop
) -> None:
    provider.cancels |= {("a", 1), ("a", 2)}
    settings = EngineSettings(concurrency=2)
    async with BulkSender(provider, journal=journal, settings=settings, clock=FakeClock()) as one:
        job = await one.start(MESSAGE, read_recipients(people(4)), name="a")
        report = await job.wait()
    assert (report.counts.accepted, report.unreconciled) == (4, 0)
    assert (report.cancelled, report.stopped, report.complete) == (None, None, True)
    async with sender_of(journal, provider) as sender:
        with pytest.raises(JobExists, match="already went to this list"):
            await sender.start(MESSAGE, read_recipients(people(4)), name="b")
        assert (await (await sender.resume("a")).wait()).counts == report.counts


async def test_what_was_under_way_and_comes_back_stays_unsent(
    journal: Journal, provider: Shop
) -> None:
    provider.cancels.add(("a", 2))
    provider.acts = [lambda task: Sent("1"), RateLimited("busy", retry_after=1.0)]
    report = await send(journal, provider, people(4), "a")
    assert (report.counts.accepted, report.counts.unsent) == (2, 2)
    assert (report.cancelled is None, report.stopped) == (False, "cancelled")
    assert provider.mailed == dict.fromkeys(people(2), 1)


async def test_what_is_in_doubt_and_was_not_sent_stays_unsent(
    journal: Journal, provider: Shop
) -> None:
    provider.acts = [OutcomeUnknown("reset"), OutcomeUnknown("reset")]
    await send(journal, provider, people(4), "a")
    report = await cancel(journal, "a")
    assert (report.counts.in_doubt, report.counts.unsent, report.stopped) == (4, 0, None)
    assert report.cancelled is not None
    early = await send(journal, provider, people(4), "b")
    assert (early.counts.duplicate, early.complete) == (4, False)
    assert "--again" not in "".join(map(str, next_steps(early, str)))
    async with sender_of(journal, provider) as sender:
        await (await sender.resume("a")).wait()  # nothing is left to send
        with pytest.raises(InvalidArgument, match="was cancelled"):
            await sender.resume("a", rejected=True)
        await resolve(journal, "a", 1, accepted=False)
        with pytest.raises(InvalidArgument, match="is cancelled"):
            await sender.resume("a")
    assert (await make_report(journal, "a")).stopped == "cancelled"
    other = await send(journal, provider, people(4), "b")
    assert (other.counts.accepted, other.counts.duplicate) == (2, 2)
    await resolve(journal, "a", 2, accepted=True)
    async with sender_of(journal, provider) as sender:
        report = await (await sender.resume("a", cancelled=True)).wait()
    assert (report.counts.accepted, report.counts.duplicate) == (2, 2)


async def test_a_list_that_is_in_doubt_is_refused_with_what_helps(
    journal: Journal, provider: Shop
) -> None:
    provider.acts = [OutcomeUnknown("reset"), OutcomeUnknown("reset")]
    await send(journal, provider, people(4), "a")

    async def refusal() -> str:
        with pytest.raises(JobExists) as refused:
            await send(journal, provider, people(4), "b")
        return str(refused.value)

    approve("the same list: all in doubt", await refusal())
    await resolve(journal, "a", 1, accepted=False)
    approve("the same list: in doubt and unsent", await refusal())
    await resolve(journal, "a", 2, accepted=True)
    approve("the same list: accepted and unsent", await refusal())
    await cancel(journal, "a")
    other = await send(journal, provider, people(4), "b")
    assert (other.counts.accepted, other.counts.duplicate) == (2, 2)


async def test_what_is_said_of_a_list_after_all_of_it_was_not_sent(
    journal: Journal, provider: Shop
) -> None:
    provider.acts = [OutcomeUnknown("reset")]
    await send(journal, provider, people(2), "a")
    await resolve(journal, "a", 1, accepted=False)
    with pytest.raises(JobExists, match=r"nothing was sent yet; .*; to send it with another job"):
        await send(journal, provider, people(2), "b")
    await cancel(journal, "a")
    assert (await send(journal, provider, people(2), "b")).counts.accepted == 2


async def test_a_job_whose_doubts_all_were_sent_is_not_cancelled(
    journal: Journal, provider: Shop
) -> None:
    provider.acts = [OutcomeUnknown("reset")]
    provider.bad = {people(4)[2]}
    await send(journal, provider, people(4), "a")
    assert (await cancel(journal, "a")).cancelled is not None
    await resolve(journal, "a", 1, accepted=True)
    report = await make_report(journal, "a")
    assert (report.cancelled, report.stopped, report.complete) == (None, None, True)
    provider.bad.clear()
    async with sender_of(journal, provider) as sender:  # a new order, which nobody has cancelled
        report = await (await sender.resume("a", rejected=True)).wait()
    assert (report.counts.accepted, report.cancelled) == (4, None)


async def test_who_waits_for_hours_hears_of_it(journal: Journal, provider: Shop) -> None:
    provider.acts.append(RateLimited("busy", retry_after=7_000.0))
    clock = FakeClock()
    async with BulkSender(provider, journal=journal, settings=ONE, clock=clock) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(3)), name="a")
        await until_waiting(job)
        since = clock.now()
        record = await journal.jobs.get("a")
        assert await journal.cancelling.cancel(record, since)
        report = await job.wait()
    assert clock.now() - since < 60
    assert (report.counts.unsent, report.stopped) == (3, "cancelled")


async def test_resume_refuses_a_cancelled_job_unless_it_is_told(
    journal: Journal, provider: Shop
) -> None:
    await cancelled_at(journal, provider, 1)
    async with sender_of(journal, provider) as sender:
        with pytest.raises(InvalidArgument):
            await sender.resume("a")
        report = await (await sender.resume("a", cancelled=True)).wait()
        assert (report.counts.accepted, report.cancelled, report.stopped) == (8, None, None)
        again = await (await sender.resume("a", cancelled=True)).wait()
        assert again.counts == report.counts
    assert set(provider.mailed.values()) == {1}


async def test_what_a_cancelled_job_has_not_sent_is_anybodys(
    journal: Journal, provider: Shop
) -> None:
    await cancelled_at(journal, provider, 2)
    other = await send(journal, provider, people(8)[:-1], "b")
    assert (other.counts.accepted, other.counts.duplicate) == (3, 4)
    async with sender_of(journal, provider) as sender:
        report = await (await sender.resume("a", cancelled=True)).wait()
    assert (report.counts.accepted, report.counts.duplicate) == (5, 3)
    assert report.elsewhere == {"already sent by job b": 3}
    assert provider.mailed == dict.fromkeys(people(8), 1)


async def test_who_belongs_to_another_job_by_now_is_counted(
    journal: Journal, provider: Shop
) -> None:
    await cancelled_at(journal, provider, 2)
    await send(journal, provider, people(8)[:-1], "b")
    async with sender_of(journal, provider) as sender:
        job = await sender.resume("a", cancelled=True)
        assert job.left_out == 3
        await job.wait()
        assert (await sender.resume("a", cancelled=True)).left_out == 0


async def test_an_order_for_everybody_stays_one_when_it_is_resumed(
    journal: Journal, provider: Shop
) -> None:
    """Jobs that came before it don't count; what came after it does."""
    await send(journal, provider, people(8), "a")
    provider.cancels.add(("b", 1))
    async with sender_of(journal, provider) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(9)), name="b", again=True)
        assert (await job.wait()).counts.unsent == 7
        later = await sender.start(MESSAGE, read_recipients(people(9)), name="c")
        assert (await later.wait()).counts.accepted == 1  # the ninth
        job = await sender.resume("b", cancelled=True)
        assert job.left_out == 1
        report = await job.wait()
    assert report.elsewhere == {"already sent by job c": 1}
    assert provider.mailed == dict.fromkeys(people(8), 2) | dict.fromkeys(people(9)[8:], 1)


async def test_what_was_rejected_of_an_order_for_everybody_is_ordered_for_everybody(
    journal: Journal, provider: Shop
) -> None:
    await send(journal, provider, people(2), "a")
    provider.bad = set(people(2))
    async with sender_of(journal, provider) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(2)), name="b", again=True)
        assert (await job.wait()).counts.rejected == 2
        provider.bad.clear()
        job = await sender.resume("b", rejected=True)
        assert (job.left_out, (await job.wait()).counts.accepted) == (0, 2)


async def test_the_same_list_may_be_sent_anew_but_not_twice(
    journal: Journal, provider: Shop
) -> None:
    await cancelled_at(journal, provider, 1)
    report = await send(journal, provider, people(8), "b")
    assert (report.counts.accepted, report.counts.duplicate) == (6, 2)
    with pytest.raises(JobExists):
        await send(journal, provider, people(8), "c")
    assert set(provider.mailed.values()) == {1}


async def test_two_cancelled_jobs_that_are_both_resumed_share_the_people(
    journal: Journal, provider: Shop
) -> None:
    for name in ("a", "b"):
        await cancelled_at(journal, provider, 1, count=6, name=name)
    async with sender_of(journal, provider) as sender, sender_of(journal, provider) as other:
        first, second = await asyncio.gather(
            sender.resume("a", cancelled=True), other.resume("b", cancelled=True)
        )
        await asyncio.gather(first.wait(), second.wait())
    assert provider.mailed == dict.fromkeys(people(6), 1)
    for name in ("a", "b"):
        assert (await make_report(journal, name)).complete


async def test_a_list_that_was_loaded_for_people_of_another_job_is_made_anew(
    journal: Journal,
) -> None:
    shop = ListProvider(clock=FakeClock(), rows=3)

    def locked(task: Task) -> Wait:
        return Wait(datetime.fromtimestamp(shop.clock.now() + 600, UTC), "the list is locked")

    shop.acts["ready"] = [locked, locked]
    async with BulkSender(shop, journal=journal, settings=ONE, clock=shop.clock) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(6)), name="a")
        await until_waiting(job)
        await cancel(journal, "a", clock=shop.clock)
        report = await job.wait()
        assert (report.stopped, report.counts.unsent) == ("cancelled", 6)
        other = await sender.start(MESSAGE, read_recipients(people(2)), name="b")
        assert (await other.wait()).counts.accepted == 2
        report = await (await sender.resume("a", cancelled=True)).wait()
    assert (report.counts.accepted, report.counts.duplicate) == (4, 2)
    assert shop.mailed == dict.fromkeys(people(6), 1)


async def test_what_a_dead_worker_was_sending_is_in_doubt_and_can_be_resolved(
    journal: Journal,
) -> None:
    job = await planned(journal, people(4))
    job = await journal.workers.join(job)
    await take(journal, job)
    die(job)
    assert await journal.cancelling.cancel(job, 3.0)
    assert not await journal.cancelling.is_under_way(job)
    counts = (await snapshot(journal, job)).counts
    assert (counts.in_doubt, counts.unsent) == (2, 2)
    await resolve(journal, job.name, 1, accepted=True)
    assert sorted((await states(journal, job)).values()) == ["accepted"] * 2 + ["unsent"] * 2
    with pytest.raises(InvalidArgument):
        await journal.workers.join(job)


async def test_it_is_not_resumed_while_a_request_is_under_way(journal: Journal) -> None:
    job = await planned(journal, people(4))
    job = await journal.workers.join(job)
    taken = await take(journal, job)
    assert await journal.cancelling.cancel(job, 3.0)
    assert await journal.cancelling.is_under_way(job)
    with pytest.raises(InvalidArgument):
        await journal.cancelling.restore(job)
    await journal.chunks.accept(job, taken.ticket, 3.0, Sent("1"))
    await journal.workers.leave(job)
    assert await journal.cancelling.restore(job) == 0
    assert (await snapshot(journal, job)).job.cancelled is None


async def test_how_the_last_request_ends_decides_whether_the_job_is_cancelled(
    journal: Journal,
) -> None:
    """Who cancels it waits for that, and for workers to stop if anything is left."""
    for sent in (True, False):
        job = await planned(journal, people(2), f"sent {sent}")
        job = await journal.workers.join(job)
        taken = await take(journal, job)
        assert await journal.cancelling.cancel(job, 3.0)
        assert await journal.cancelling.is_under_way(job)
        assert (await snapshot(journal, job)).job.stopped is None
        if sent:
            await journal.chunks.accept(job, taken.ticket, 4.0, Sent("1"))
            assert not await journal.cancelling.is_under_way(job)  # it looks for what it has sent
        else:
            await journal.chunks.put_back(job, taken.ticket, 4.0, "busy")
            assert await journal.cancelling.is_under_way(job)
        found = (await snapshot(journal, job)).job
        assert (found.cancelled, found.stopped) == ((None, None) if sent else (3.0, "cancelled"))
        await journal.workers.leave(job)
        assert not await journal.cancelling.is_under_way(job)
        waiting = await journal.workers.unattended(5.0)
        assert [one.name for one in waiting] == ["sent True"]


async def test_what_was_accepted_is_taken_back_chunk_by_chunk(journal: Journal) -> None:
    provider = ScriptedProvider(limits=Limits(rows=2, size=1_000))
    await send(journal, provider, people(6), "a")
    async with sender_of(journal, provider) as sender:
        assert await sender.recall("a") == RecallResult(recalled=3)
        assert provider.recalled == ["1", "2", "3"]
        provider.recall_errors.extend([Refused("it is delivered"), OutcomeUnknown("reset")])
        assert await sender.recall("a") == RecallResult(
            recalled=1, refused={1: "it is delivered"}, unknown={2: "reset"}
        )


async def test_a_provider_that_takes_nothing_back_says_so(journal: Journal, provider: Shop) -> None:
    await cancelled_at(journal, provider, 1)
    async with sender_of(journal, provider) as sender:
        with pytest.raises(Unsupported):
            await sender.recall("a")
