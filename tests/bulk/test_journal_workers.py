"""Workers and their tickets in the journal: who may take, who may settle, and who is found dead."""

from __future__ import annotations

import asyncio
import os
import platform
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import attrs
import pytest

from mailkit.bulk.journal import (
    Chosen,
    ChunkState,
    JobRecord,
    Journal,
    RowState,
    Taken,
    Ticket,
)
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import JournalError
from mailkit.message import Message
from mailkit.provider import Dispatch, Sent, Task
from mailkit.testing import FakeClock

from .counted import checked
from .fakes import MESSAGE, FakeDispatch, FakeProvider, memory_journal, people
from .jobs import at, die, finish, in_each, planned, planning, snapshot, states, stored, take

NOT_OURS = "no longer belongs to this worker"
FOR_DEAD = "declared this worker of the job a dead: nothing more is sent"

Settle = Callable[[Journal, JobRecord, Ticket], Awaitable[None]]


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


async def accept(journal: Journal, job: JobRecord, ticket: Ticket) -> None:
    await journal.chunks.accept(job, ticket, 5.0, Sent("r"))


async def accept_in_part(journal: Journal, job: JobRecord, ticket: Ticket) -> None:
    sent = Sent("r", {1: "blocked"}, {2: "not named"}, held={3: "no money"})
    await journal.chunks.accept(job, ticket, 5.0, sent)


async def reject(journal: Journal, job: JobRecord, ticket: Ticket) -> None:
    await journal.chunks.reject(job, ticket, 5.0, "no")


async def doubt(journal: Journal, job: JobRecord, ticket: Ticket) -> None:
    await journal.chunks.doubt(job, ticket, 5.0, "reset")


async def put_back(journal: Journal, job: JobRecord, ticket: Ticket) -> None:
    await journal.chunks.put_back(job, ticket, 5.0, "dns")


async def halve(journal: Journal, job: JobRecord, ticket: Ticket) -> None:
    await journal.narrowing.halve(job, ticket)


async def probe(journal: Journal, job: JobRecord, ticket: Ticket) -> None:
    await journal.narrowing.probe(job, ticket)


async def single_out(journal: Journal, job: JobRecord, ticket: Ticket) -> None:
    await journal.narrowing.single_out(job, ticket, [2])


SETTLED: dict[Settle, dict[str, int]] = {
    accept: {"accepted": 4},
    accept_in_part: {"accepted": 1, "rejected": 1, "in doubt": 1, "unsent": 1},
    reject: {"rejected": 4},
    doubt: {"in doubt": 4},
    put_back: {"unsent": 4},
    halve: {"unsent": 4},
    probe: {"unsent": 4},
    single_out: {"unsent": 4},
}
"""What becomes of a chunk of four rows."""


async def found(journal: Journal, job: JobRecord) -> dict[str, int]:
    """How many rows are in each state, by the rows, the counts and the sum."""
    looked = await snapshot(journal, job)
    counts = {state.value: looked.counts.of(state) for state in RowState}
    rows = Counter(str(state) for state in (await states(journal, job)).values())
    assert looked.counts.accounted == looked.counts.read == await stored(journal, job)
    assert rows == {state: rows for state, rows in counts.items() if rows}
    await checked(journal)
    return dict(rows)


@pytest.mark.parametrize("settle", SETTLED, ids=lambda settle: settle.__name__)
@pytest.mark.parametrize("reaped", [False, True], ids=["under way", "in doubt"])
async def test_whoever_has_the_ticket_says_how_it_ended_also_of_what_was_put_in_doubt(
    journal: Journal, settle: Settle, reaped: bool
) -> None:
    old = await planned(journal, people(4), chunk=4)
    taken = await take(journal, old)
    new = await journal.workers.join(old)
    if reaped:
        die(old)
        assert not await journal.workers.busy(new)
        assert await journal.chunks.take(new, 3.0) is None
        assert await found(journal, old) == {"in doubt": 4}
    for stranger in ((new, taken.ticket), (old, Ticket(1, 2)), (old, Ticket(2, 1))):
        with pytest.raises(JournalError, match=NOT_OURS):
            await settle(journal, *stranger)
    assert await found(journal, old) == {"in doubt" if reaped else "unsent": 4}
    await settle(journal, old, taken.ticket)
    assert await found(journal, old) == SETTLED[settle]
    if settle is not doubt:
        with pytest.raises(JournalError, match=NOT_OURS):
            await settle(journal, old, taken.ticket)
    assert await found(journal, old) == SETTLED[settle]


async def test_what_a_reaped_holder_puts_back_is_sent_by_another_and_never_settled_by_both(
    journal: Journal,
) -> None:
    old = await planned(journal, people(2))
    late = await take(journal, old)
    die(old)
    new = await journal.workers.join(old)
    await journal.chunks.put_back(old, late.ticket, 3.0, "dns")
    again = await take(journal, new)
    assert (again.ticket, again.task.rows) == (Ticket(1, 2), late.task.rows)
    for settle in SETTLED:
        with pytest.raises(JournalError, match=NOT_OURS):
            await settle(journal, old, late.ticket)
    await accept(journal, new, again.ticket)
    assert await found(journal, new) == {"accepted": 2}


@pytest.mark.parametrize("accepted", [False, True], ids=["not sent", "accepted"])
async def test_a_persons_word_on_a_doubt_is_final_for_its_holder_too(
    journal: Journal, accepted: bool
) -> None:
    old = await planned(journal, people(2))
    late = await take(journal, old)
    die(old)
    if accepted:
        assert await journal.resolving.accepted(old, Chosen({1: None})) == 2
    else:
        assert await journal.resolving.not_sent(old, Chosen({1: None}), 1000.0) == 2
    for settle in SETTLED:
        with pytest.raises(JournalError, match=NOT_OURS):
            await settle(journal, old, late.ticket)
    assert await found(journal, old) == {"accepted" if accepted else "unsent": 2}


async def test_a_ticket_is_for_one_time(journal: Journal) -> None:
    job = await planned(journal, people(2))
    first = await take(journal, job)
    await put_back(journal, job, first.ticket)
    second = await take(journal, job)
    assert [first.ticket, second.ticket] == [(1, 1), (1, 2)]
    with pytest.raises(JournalError, match=NOT_OURS):
        await accept(journal, job, first.ticket)
    await accept(journal, job, second.ticket)
    assert await found(journal, job) == {"accepted": 2}


async def test_a_reaped_worker_changes_nothing_that_it_has_no_ticket_for(journal: Journal) -> None:
    old = await planned(journal, people(6))
    die(old)
    new = await journal.workers.join(old)
    before = await journal.reports.chunks(new, *ChunkState)
    for act in (
        journal.chunks.take(old, 3.0),
        journal.chunks.take(old, 3.0, n=2),
        journal.chunks.take(old, 3.0, probes=True),
        journal.narrowing.isolate(old, 0.5),
        journal.narrowing.convict(old),
        journal.narrowing.restore(old),
        journal.jobs.stop(old, "no"),
    ):
        with pytest.raises(JournalError, match=FOR_DEAD):
            await act
    assert await journal.reports.chunks(new, *ChunkState) == before
    assert (await journal.jobs.get("a")).stopped is None
    assert await found(journal, new) == {"unsent": 6}


async def test_one_that_has_left_takes_nothing_either(journal: Journal) -> None:
    job = await planned(journal, people(2))
    await journal.workers.leave(job)
    with pytest.raises(JournalError, match=FOR_DEAD):
        await journal.chunks.take(job, 3.0)


async def test_two_workers_never_get_the_same_chunk(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal, at(path) as other:
        job = await planned(journal, people(40))
        second = await other.workers.join(await other.jobs.get("a"))

        async def all_of(where: Journal, worker: JobRecord) -> list[str]:
            addresses = []
            while isinstance(taken := await where.chunks.take(worker, 2.0), Taken):
                addresses += [row.address for row in taken.task.rows]
                await where.chunks.accept(worker, taken.ticket, 3.0, Sent(None))
            return addresses

        found_by = await asyncio.gather(all_of(journal, job), all_of(other, second))
        assert sorted(found_by[0] + found_by[1]) == sorted(people(40))
        assert await found(journal, job) == {"accepted": 40}


async def test_a_look_sees_what_the_dead_were_sending_before_anybody_has_reaped_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal, at(path) as looking:
        first = await planned(journal, people(6))
        second = await journal.workers.join(first)
        await take(journal, first)
        dead = await take(journal, second)
        assert await found(looking, first) == {"unsent": 6}
        die(second)
        assert await found(looking, first) == {"unsent": 4, "in doubt": 2}
        [one] = (await snapshot(looking, first)).doubts
        assert (one.n, one.state) == (dead.ticket.chunk, "sending")
        assert (await snapshot(looking, first)).running
        await journal.workers.join(first)  # which reaps
        [one] = (await snapshot(looking, first)).doubts
        assert (one.n, one.state) == (dead.ticket.chunk, "in doubt")
        assert await found(looking, first) == {"unsent": 4, "in doubt": 2}


@pytest.mark.parametrize(
    ("somewhere", "where"),
    [("memory", ""), ("PostgreSQL", f" on {platform.node()}")],
    indirect=["somewhere"],
)
async def test_who_is_busy_is_named_with_the_machine_where_there_may_be_several(
    somewhere: Journal, where: str
) -> None:
    first = await planned(somewhere, people(4))
    second = await somewhere.workers.join(first)
    await take(somewhere, first)
    assert await somewhere.workers.busy(second) == f"process {os.getpid()}{where}"


@pytest.fixture
async def somewhere(request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
    async with in_each(request) as opened:
        yield opened


# who plans, and who joins


async def test_a_job_that_others_have_joined_is_neither_forgotten_nor_swept(
    journal: Journal,
) -> None:
    planner = await planning(journal, people(4))
    await journal.planning.cut(planner, rows=2, size=1_000)
    await finish(journal, planner)
    other = await journal.workers.join(planner)
    await journal.workers.leave(other)  # it may have sent something
    await journal.jobs.forget(planner)
    await journal.jobs.sweep()
    assert await found(journal, planner) == {"unsent": 4}
    again = await journal.workers.join(other)
    await take(journal, again)
    assert not await journal.workers.busy(again)


async def test_a_planned_job_whose_planner_died_is_kept(journal: Journal) -> None:
    planner = await planning(journal, people(4))
    await journal.planning.cut(planner, rows=2, size=1_000)
    await finish(journal, planner)
    die(planner)
    await journal.jobs.sweep()
    assert await found(journal, planner) == {"unsent": 4}


async def test_a_job_that_nobody_has_joined_is_forgotten_by_its_planner_alone(
    journal: Journal,
) -> None:
    planner = await planning(journal, people(4))
    await journal.planning.cut(planner, rows=2, size=1_000)
    await finish(journal, planner)
    await journal.jobs.forget(planner)
    with pytest.raises(JournalError, match="the job a is gone from the journal"):
        await journal.workers.join(planner)

    def lines(table: str) -> Awaitable[int]:
        sql = f"SELECT count(*) FROM {table}"
        return journal._db.read(lambda db: int(db.execute(sql).fetchone()[0]))

    tables = ("jobs", "rows", "chunks", "parts", "workers", "suppressions")
    assert [await lines(table) for table in tables] == [0] * len(tables)


async def test_a_worker_that_joins_goes_on_with_what_was_stopped(journal: Journal) -> None:
    job = await planned(journal, people(4))
    await journal.jobs.stop(job, "by hand")
    assert not isinstance(await journal.chunks.take(job, 2.0), Taken)
    watcher = await journal.workers.join(job, sends=False)
    assert (await journal.jobs.get("a")).stopped == "by hand"
    await journal.workers.leave(watcher)
    sender = await journal.workers.join(job)
    assert (await journal.jobs.get("a")).stopped is None
    assert isinstance(await journal.chunks.take(sender, 2.0), Taken)


# whole runs


@attrs.define
class Gated(FakeProvider):
    """Its requests wait until each worker has one under way."""

    mine: asyncio.Event = attrs.field(factory=asyncio.Event)
    others: list[asyncio.Event] = attrs.field(factory=list)

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        return GatedDispatch(self)


@attrs.define
class GatedDispatch(FakeDispatch):
    async def perform(self, task: Task) -> Sent:
        assert isinstance(self.provider, Gated)
        self.provider.mine.set()
        for other in self.provider.others:
            await other.wait()
        return await super().perform(task)


async def test_two_senders_on_one_file_share_a_job(tmp_path: Path) -> None:
    path, clock, settings = tmp_path / "journal.db", FakeClock(), EngineSettings(concurrency=2)
    mine = Gated()
    theirs = Gated(mailed=mine.mailed, chunks=mine.chunks, others=[mine.mine])
    mine.others.append(theirs.mine)
    async with at(path) as journal, at(path) as other:
        sender = BulkSender(mine, journal=journal, settings=settings, clock=clock)
        async with sender:  # which leaves it all to others
            job = await sender.start(MESSAGE, read_recipients(people(120)), name="a")
            job.stop()
            await job.wait()
        async with (
            BulkSender(mine, journal=journal, settings=settings, clock=clock) as one,
            BulkSender(theirs, journal=other, settings=settings, clock=clock) as two,
        ):
            jobs = [await one.resume("a"), await two.resume("a")]
            reports = await asyncio.gather(*(job.wait() for job in jobs))
        assert [report.complete for report in reports] == [True, True]
        assert [report.counts.accepted for report in reports] == [120, 120]
        assert mine.mailed == dict.fromkeys(people(120), 1)
        chunks = await journal.reports.chunks(await journal.jobs.get("a"), ChunkState.ACCEPTED)
        assert len({chunk.worker for chunk in chunks}) == 2
    assert list((tmp_path / "journal.db-locks").iterdir()) == []
