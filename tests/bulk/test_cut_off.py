"""A machine that is cut off from the provider: what that costs, and who goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.breaker import Breaker
from mailkit.bulk.job import Job
from mailkit.bulk.journal import Journal, Ticket
from mailkit.bulk.report import Report
from mailkit.bulk.run import Left
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import NotSent, OutcomeUnknown, Refused
from mailkit.events import JobEvent, JobStopped
from mailkit.message import Message
from mailkit.provider import Dispatch, Sent, Task
from mailkit.testing import FakeClock

from ..examples import examples
from .fakes import MESSAGE, FakeDispatch, FakeProvider, memory_journal, people

AT_ONCE = 4
ROWS = 3  # of a chunk
MOST_IN_DOUBT = AT_ONCE + 2


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


@attrs.define
class Machine(FakeProvider):
    """The client of one machine. Each request takes a few turns of the event loop; ``ends`` says
    how the nth one of this machine ends, or that it is taken.
    """

    ends: Callable[[int, Task], Exception | None] = lambda n, task: None
    turns: Callable[[int], int] = lambda n: 5
    began: list[int] = attrs.field(factory=list)
    """How many requests were under way when each one began, itself included."""
    under_way: int = 0
    lost: int = 0
    """How many requests ended unknown since one was taken."""

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        return Requests(self)


class Requests(FakeDispatch):
    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.machine = machine

    async def perform(self, task: Task) -> Sent:
        machine = self.machine
        machine.under_way += 1
        machine.began.append(machine.under_way)
        n = len(machine.began)
        try:
            for _ in range(machine.turns(n)):
                await asyncio.sleep(0)
            error = machine.ends(n, task)
            if error is not None:
                machine.lost += isinstance(error, OutcomeUnknown)
                raise error
            machine.lost = 0
            return await super().perform(task)
        finally:
            machine.under_way -= 1


def sender(
    journal: Journal,
    machine: Machine,
    clock: FakeClock,
    *,
    events: list[JobEvent] | None = None,
    at_once: int = AT_ONCE,
) -> BulkSender:
    settings = EngineSettings(concurrency=at_once)
    hooks = [] if events is None else [events.append]
    return BulkSender(machine, journal=journal, settings=settings, clock=clock, hooks=hooks)


async def send(journal: Journal, machine: Machine, chunks: int, *, at_once: int = AT_ONCE) -> Job:
    async with sender(journal, machine, FakeClock(), at_once=at_once) as one:
        addresses = people(chunks * ROWS)
        job = await one.start(MESSAGE, read_recipients(addresses), name="a")
        await job.wait()
    return job


async def over_two(
    journal: Journal, first: Machine, second: Machine, chunks: int, events: list[JobEvent]
) -> tuple[Job, Job, Report]:
    """Both machines send the job; the first tells of ``events``."""
    clock = FakeClock()
    async with sender(journal, Machine(), clock) as one:
        name = await one.detach(MESSAGE, read_recipients(people(chunks * ROWS)), name="a")
    async with (
        sender(journal, first, clock, events=events) as one,
        sender(journal, second, clock) as two,
    ):
        jobs = await one.resume(name), await two.resume(name)
        for job in jobs:
            await job.ended()
        return *jobs, await one.report(name)


def mailed(*machines: Machine) -> list[str]:
    return sorted(address for one in machines for address in one.mailed.elements())


def unknown(n: int, task: Task) -> OutcomeUnknown:
    return OutcomeUnknown("no response")


def unreachable(n: int, task: Task) -> NotSent:
    return NotSent("no route to the host")


# one machine


async def test_a_cut_that_ends_all_requests_under_way_counts_once(journal: Journal) -> None:
    machine = Machine(ends=lambda n, task: unknown(n, task) if n <= AT_ONCE else None)
    job = await send(journal, machine, 20)
    counts = (await job.wait()).counts
    assert job.stopped is None
    assert (counts.in_doubt, counts.accepted) == (AT_ONCE * ROWS, (20 - AT_ONCE) * ROWS)
    assert machine.began[AT_ONCE] == 1
    assert max(machine.began[AT_ONCE + 1 :]) == AT_ONCE


async def test_a_cut_that_lasts_stops_the_job(journal: Journal) -> None:
    machine = Machine(ends=unknown)
    job = await send(journal, machine, 20)
    assert job.stopped == "the outcome of 3 chunks in a row is unknown: no response"
    assert len(machine.began) == MOST_IN_DOUBT
    assert machine.began[AT_ONCE:] == [1, 1]
    assert (await journal.jobs.get("a")).stopped == job.stopped


async def test_what_was_under_way_before_says_nothing_when_it_ends_later(journal: Journal) -> None:
    """The first request is lost at once, the others one by one, each after a request was taken."""
    machine = Machine(
        ends=lambda n, task: unknown(n, task) if n <= AT_ONCE else None, turns=lambda n: 9 * n
    )
    job = await send(journal, machine, 20)
    assert job.stopped is None
    assert machine.mailed.total() == (20 - AT_ONCE) * ROWS


async def test_one_goes_out_at_a_time_until_one_is_taken(journal: Journal) -> None:
    """That it could not be sent does not let the others go."""

    def ends(n: int, task: Task) -> Exception | None:
        return unknown(n, task) if n <= AT_ONCE else unreachable(n, task) if n < 9 else None

    machine = Machine(ends=ends)
    job = await send(journal, machine, 20)
    assert job.stopped is None
    assert machine.began[AT_ONCE:9] == [1] * (9 - AT_ONCE)
    assert max(machine.began[9:]) == AT_ONCE


async def test_a_bad_row_is_found_while_one_goes_out_at_a_time(journal: Journal) -> None:
    bad = "p20@example.com"

    def ends(n: int, task: Task) -> Exception | None:
        if n <= AT_ONCE:
            return unknown(n, task)
        return Refused("bad request") if bad in task.addresses else None

    machine = Machine(ends=ends, turns=lambda n: 5 if n != 2 else 500)
    job = await send(journal, machine, 20)
    counts = (await job.wait()).counts
    assert job.stopped is None
    assert (counts.accepted, counts.rejected, counts.in_doubt) == (47, 1, AT_ONCE * ROWS)


OUTCOMES = st.sampled_from(("taken", "unknown", "unreachable", "refused"))


@given(
    st.lists(st.tuples(OUTCOMES, st.integers(0, 30)), max_size=40),
    st.integers(1, 6),
)
@examples(60)
async def test_never_more_are_lost_in_a_row_than_were_under_way_and_two(
    story: list[tuple[str, int]], at_once: int
) -> None:
    most = 0

    def ends(n: int, task: Task) -> Exception | None:
        nonlocal most
        what = story[n - 1][0] if n <= len(story) else "taken"
        most = max(most, machine.lost + (what == "unknown"))
        match what:
            case "unknown":
                return unknown(n, task)
            case "unreachable":
                return unreachable(n, task)
            case "refused" if "p5@example.com" in task.addresses:
                return Refused("bad request")
        return None

    machine = Machine(ends=ends, turns=lambda n: story[n - 1][1] if n <= len(story) else 3)
    async with memory_journal() as journal:
        job = await send(journal, machine, 12, at_once=at_once)
        report = await job.wait()
    assert most <= at_once + 2
    assert report.counts.accounted == report.counts.read == 12 * ROWS
    assert max(machine.mailed.values(), default=0) <= 1
    assert job.stopped is not None or not report.counts.unsent


# one of two


async def test_one_that_loses_what_it_sends_leaves_the_job_to_the_other(journal: Journal) -> None:
    cut, healthy, events = Machine(ends=unknown), Machine(), list[JobEvent]()
    first, second, report = await over_two(journal, cut, healthy, 60, events)
    assert first.left is Left.DOUBTS
    assert isinstance(first.error, OutcomeUnknown)
    why = "left to other workers: the outcome of 3 chunks in a row is unknown: no response"
    assert first.stopped == why
    assert events[-1] == JobStopped("a", why)
    assert (second.left, second.stopped, report.stopped) == (None, None, None)
    lost = len(cut.began)
    assert lost <= MOST_IN_DOUBT
    assert (report.counts.in_doubt, report.counts.accepted) == (lost * ROWS, (60 - lost) * ROWS)
    assert len(mailed(cut, healthy)) == len(set(mailed(cut, healthy))) == (60 - lost) * ROWS


async def test_one_that_reaches_nobody_leaves_the_job_to_the_other(journal: Journal) -> None:
    """The other is slow: it still sends when the first gives up."""
    cut, healthy = Machine(ends=unreachable), Machine(turns=lambda n: 2_000)
    first, second, report = await over_two(journal, cut, healthy, 60, [])
    assert first.left is Left.UNREACHABLE
    assert first.stopped == (
        "left to other workers: the provider can't be reached: no route to the host"
    )
    assert second.stopped is None
    assert report.complete
    assert mailed(healthy) == sorted(people(60 * ROWS))


async def test_of_two_that_are_cut_off_the_last_one_stops_the_job(journal: Journal) -> None:
    machines = Machine(ends=unknown), Machine(ends=unknown)
    first, second, report = await over_two(journal, *machines, 60, [])
    assert {first.left, second.left} == {Left.DOUBTS, None}
    assert report.stopped == "the outcome of 3 chunks in a row is unknown: no response"
    assert sum(len(one.began) for one in machines) <= 2 * MOST_IN_DOUBT
    assert report.counts.unsent + report.counts.in_doubt == 60 * ROWS


async def test_two_that_give_up_at_once_do_not_leave_the_job_to_each_other(
    journal: Journal,
) -> None:
    async with sender(journal, Machine(), FakeClock()) as one:
        name = await one.detach(MESSAGE, read_recipients(people(6)), name="a")
    record = await journal.jobs.get(name)
    workers = [await journal.workers.join(record) for _ in range(2)]
    stopped = await asyncio.gather(
        *(journal.jobs.stop(one, "cut off", everybody=False) for one in workers)
    )
    assert sorted(stopped) == [False, True]
    assert await journal.jobs.stopped(record) == "cut off"
    last = workers[stopped.index(True)].worker
    assert last is not None
    assert await journal.workers.living(record, sends=True) == {last.id}
    for worker in workers:
        await journal.workers.leave(worker)


async def test_one_that_only_follows_the_job_does_not_go_on_with_it(journal: Journal) -> None:
    clock = FakeClock()
    async with sender(journal, Machine(ends=unknown), clock) as one:
        name = await one.detach(MESSAGE, read_recipients(people(60)), name="a")
        follower = await journal.workers.join(await journal.jobs.get(name), sends=False)
        job = await one.resume(name)
        report = await job.wait()
        await journal.workers.leave(follower)
    assert job.left is None
    assert report.stopped == "the outcome of 3 chunks in a row is unknown: no response"


def test_what_began_before_an_unknown_outcome_does_not_let_the_others_go() -> None:
    breaker, first, second, probe = Breaker(), Ticket(1, 1), Ticket(2, 1), Ticket(3, 1)
    breaker.begins(first)
    breaker.begins(second)
    assert breaker.doubted(first)
    breaker.begins(probe)
    breaker.taken(second)
    assert (breaker.unknown, breaker.waits) == (1, True)
    breaker.taken(probe)
    assert (breaker.unknown, breaker.waits) == (0, False)
