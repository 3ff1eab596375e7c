"""The same faults on the way of a bulk send's second chunk, and of its second question.

Ten people, two in a chunk, one request at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import attrs
import pytest

from mailkit.bulk.engine import EngineSettings
from mailkit.bulk.journal import InlineExecutor, Journal
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_recipients
from mailkit.errors import (
    AuthenticationFailed,
    MailkitError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
)
from mailkit.message import Message
from mailkit.sandbox import Fault

from .table import TABLE, Row, patience
from .troubles import Trouble, handshake_without_end, refused, sandbox
from .world import PATIENT, World, open_world, until

MESSAGE = Message(sender="Shop <news@shop.by>", subject="Autumn", html="<p>Hello</p>")
PEOPLE = [f"p{n}@mail.by" for n in range(10)]
SEND, STATUS = "/api/v2/sendBulkEmail", "/api/v2/statusBulkEmail"

ONE_BY_ONE = EngineSettings(senders=1, pollers=1)

States = tuple[int, int, int, int]
"""Rows that are accepted, rejected, in doubt, unsent."""

# fmt: off
CHUNK: dict[type[MailkitError] | None, tuple[States, States, States]] = {
    # how the call ends      the fault passes   it lasts           and then passes, and resume
    #                        after one request
    None:                   ((10, 0, 0, 0),    (10, 0, 0, 0),     (10, 0, 0, 0)),
    NotSent:                ((10, 0, 0, 0),    ( 2, 0, 0, 8),     (10, 0, 0, 0)),
    Unavailable:            ((10, 0, 0, 0),    ( 2, 0, 0, 8),     (10, 0, 0, 0)),
    RateLimited:            ((10, 0, 0, 0),    (10, 0, 0, 0),     (10, 0, 0, 0)),
    AuthenticationFailed:   (( 2, 0, 0, 8),    ( 2, 0, 0, 8),     (10, 0, 0, 0)),
    Refused:                (( 8, 2, 0, 0),    ( 2, 6, 0, 2),     ( 4, 6, 0, 0)),
    NotFound:               (( 8, 2, 0, 0),    ( 2, 6, 0, 2),     ( 4, 6, 0, 0)),
    OutcomeUnknown:         (( 8, 0, 2, 0),    ( 2, 0, 6, 2),     ( 4, 0, 6, 0)),
}
# fmt: on

WAITED_OUT = 12
"""Requests of a service that says *later* each time: the engine waits on, so it must end."""


@attrs.frozen
class Run:
    """A job in a world, and what the journal and the service say of it."""

    world: World
    journal: Journal

    async def start(
        self, settings: EngineSettings, people: Sequence[str] = PEOPLE
    ) -> tuple[Report, MailkitError | None]:
        async with self._sender(settings) as sender:
            job = await sender.start(MESSAGE, read_recipients(people), name="autumn")
            return await job.wait(), job.error

    async def resume(self) -> Report:
        async with self._sender(ONE_BY_ONE) as sender:
            return await (await sender.resume("autumn")).wait()

    def _sender(self, settings: EngineSettings) -> BulkSender:
        return BulkSender(
            self.world.client,
            journal=self.journal,
            settings=settings,
            clock=self.world.time.clock,
        )

    async def check(self, report: Report, states: States, people: Sequence[str] = PEOPLE) -> None:
        """The report says so, the sum holds, and row by row the service's truth agrees."""
        counts = report.counts
        assert counts.accounted == counts.read == len(people)
        assert (counts.accepted, counts.rejected, counts.in_doubt, counts.unsent) == states, report
        truth = self.world.sandbox.truth
        assert truth.mailed_twice == []
        assert self.world.strangers == 0
        job = await self.journal.jobs.get("autumn")
        seen = []
        async for rows in self.journal.accounts.rows(job, running=False):
            for row in rows:
                seen.append(row.address)
                if row.state != "in doubt":
                    assert truth.count(row.address) == (row.state == "accepted"), row
        assert seen == people

    def doubts(self, report: Report) -> list[str]:
        assert all(doubt.reason for doubt in report.doubts)
        return [doubt.label for doubt in report.doubts]


@asynccontextmanager
async def open_run(row: Row | None = None) -> AsyncIterator[Run]:
    journal = await Journal.open(":memory:", executor=InlineExecutor)
    try:
        async with open_world() as world:
            if row is not None:
                world.gate.patience = patience(row, again=True)
            yield Run(world, journal)
    finally:
        await journal.close()


each_fault = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.fault)


@each_fault
async def test_a_fault_on_one_chunk(row: Row) -> None:
    states, _, resumed = CHUNK[row.sends]
    async with open_run(row) as run:
        run.world.gate.order(SEND, row.trouble(run.world, "smsby.bulk.send"), first=2, last=2)
        report, error = await run.start(ONE_BY_ONE)
        letters = 2 * (5 - (states[1] + states[2] + states[3]) // 2)
        if states[2]:
            letters += 2 * row.acted
        await until(lambda: run.world.sandbox.truth.letters == letters)
        assert run.world.sandbox.truth.letters == letters
        await run.check(report, states)
        assert run.doubts(report) == (["autumn #2"] if states[2] else [])
        assert (type(error) is row.sends) == (error is not None) == (states[3] > 0)
        assert report.complete == (states[2] == states[3] == 0)

        states = states if not states[3] else resumed
        await run.check(await run.resume(), states)


@each_fault
async def test_a_fault_on_every_chunk_from_the_second_on(row: Row) -> None:
    _, states, resumed = CHUNK[row.sends]
    async with open_run(row) as run:
        last = WAITED_OUT if row.sends is RateLimited else None
        run.world.gate.order(SEND, row.trouble(run.world, "smsby.bulk.send"), first=2, last=last)
        report, error = await run.start(ONE_BY_ONE)
        letters = states[0] + row.acted * states[2]
        await until(lambda: run.world.sandbox.truth.letters == letters)
        await run.world.gate.end()
        await run.check(report, states)
        assert run.world.sandbox.truth.letters == letters
        doubts = ["autumn #2", "autumn #3", "autumn #4"] if states[2] else []
        assert run.doubts(report) == doubts
        assert type(error) is (row.sends if states[3] else type(None))

        report = await run.resume()
        await run.check(report, resumed)
        assert run.doubts(report) == doubts


@each_fault
async def test_a_fault_on_one_question(row: Row) -> None:
    async with open_run(row) as run:
        run.world.gate.order(STATUS, row.trouble(run.world, "smsby.bulk.status"), first=2, last=2)
        report, error = await run.start(ONE_BY_ONE)
        await run.check(report, (10, 0, 0, 0))
        if row.asks is AuthenticationFailed:
            assert type(error) is AuthenticationFailed
            assert report.unreconciled == 8
            report = await run.resume()
        assert report.unreconciled == 0
        assert report.complete
        assert run.world.sandbox.requests["smsby.bulk.send"] == 5


@each_fault
async def test_a_fault_on_every_question_from_the_second_on(row: Row) -> None:
    async with open_run(row) as run:
        run.world.gate.patience = min(run.world.gate.patience, 0.03 if row.slow else PATIENT)
        run.world.gate.order(STATUS, row.trouble(run.world, "smsby.bulk.status"), first=2)
        report, error = await run.start(attrs.evolve(ONE_BY_ONE, reconcile=1.0))
        await run.world.gate.end()
        if row.asks is None or row.asks is AuthenticationFailed:
            await run.check(report, (10, 0, 0, 0))
            assert type(error) is (row.asks or type(None))
        else:
            await run.check(report, (2, 0, 8, 0))
            assert error is None
            assert run.doubts(report) == [f"autumn #{n}" for n in (2, 3, 4, 5)]
            assert "no status was to be had: smsby.bulk.status" in report.doubts[0].reason
        report = await run.resume()
        await run.check(report, (10, 0, 0, 0))
        assert (report.unreconciled, report.complete) == (0, True)
        assert run.world.sandbox.requests["smsby.bulk.send"] == 5


@pytest.mark.parametrize(
    "trouble",
    [refused, sandbox("server_error", status=503), sandbox("rate_limited", retry_after=None)],
    ids=["refused", "503", "429"],
)
async def test_a_moment_without_the_service_is_one_try_however_many_requests_it_hits(
    trouble: Trouble,
) -> None:
    async with open_run() as run:
        run.world.gate.order(SEND, trouble(run.world, "smsby.bulk.send"), last=5)
        report, error = await run.start(EngineSettings(senders=5))
        assert error is None
        await run.check(report, (10, 0, 0, 0))
        assert max(run.world.time.slept) < 2


async def test_a_service_that_was_busy_for_long_is_not_out_of_reach_after_one_lost_connection() -> (
    None
):
    async with open_run() as run:
        busy = Fault("rate_limited", on="smsby.bulk.send", times=20)
        run.world.sandbox.faults.add(busy)
        run.world.gate.order(SEND, refused(run.world, "smsby.bulk.send"), first=21, last=21)
        report, error = await run.start(ONE_BY_ONE)
        assert error is None
        await run.check(report, (10, 0, 0, 0))


@pytest.mark.parametrize(
    ("trouble", "acted"),
    [
        (handshake_without_end(PATIENT), 0),
        (sandbox("slow_before_acting", seconds=600), 0),
        (sandbox("slow_answer", seconds=600), 1),
    ],
    ids=["before", "in the middle", "after acting"],
)
async def test_a_run_that_is_cancelled_twice_leaves_its_request_in_doubt(
    trouble: Trouble, acted: int
) -> None:
    async with open_run() as run:
        run.world.gate.order(SEND, trouble(run.world, "smsby.bulk.send"), first=2)
        task = asyncio.create_task(run.start(ONE_BY_ONE))
        await until(lambda: run.world.gate.tries == 2)
        await until(lambda: run.world.sandbox.truth.letters == 2 + 2 * acted)
        await asyncio.sleep(0.01)
        task.cancel()  # it waits for its request
        await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await run.world.gate.end()
        report = await make_report(run.journal, "autumn")
        await run.check(report, (2, 0, 2, 6))
        assert run.doubts(report) == ["autumn #2"]
        report = await run.resume()
        await run.check(report, (8, 0, 2, 0))
        assert run.world.sandbox.truth.letters == 8 + 2 * acted


# Status lists in another order, without some rows, with strangers among them.

REFUSED = [f"invalid{n}@mail.by" for n in (1, 2)]


async def test_a_partial_status_list_is_asked_for_again() -> None:
    async with open_run() as run:
        run.world.sandbox.faults.add(Fault("partial", on="smsby.bulk.status", times=5))
        report, _ = await run.start(ONE_BY_ONE, [*PEOPLE[:8], *REFUSED])
        await run.check(report, (8, 2, 0, 0), [*PEOPLE[:8], *REFUSED])
        assert report.complete


async def test_rows_that_no_status_list_names_are_in_doubt_and_strangers_are_nobody() -> None:
    people = [REFUSED[0], *PEOPLE[:8], REFUSED[1]]
    async with open_run() as run:
        run.world.sandbox.faults.add(Fault("partial", on="smsby.bulk.status"))
        report, error = await run.start(ONE_BY_ONE, people)
        # Of each message the first row taken and the first row refused are left out.
        await run.check(report, (3, 0, 7, 0), people)
        assert (error, report.unreconciled) == (None, 0)
        assert run.doubts(report) == [f"autumn #{n}" for n in range(1, 6)]
        assert [doubt.rows for doubt in report.doubts] == [2, 1, 1, 1, 2]
        assert [doubt.first for doubt in report.doubts[1:4]] == [PEOPLE[1], PEOPLE[3], PEOPLE[5]]
        run.world.sandbox.faults.clear()
        report = await run.resume()
        await run.check(report, (8, 2, 0, 0), people)
        assert report.complete
        assert run.world.sandbox.requests["smsby.bulk.send"] == 5
