"""One fault of each end on the way of a bulk send's second chunk, and of its second question.

Ten people, two in a chunk, one request at a time. Only sms.by can be asked what became of them.
"""

from __future__ import annotations

import asyncio

import attrs
import pytest

from mailkit.bulk.settings import EngineSettings
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
from mailkit.sandbox import Fault

from .calls import CALLS, Call
from .runs import DEVINO, ONE_BY_ONE, PEOPLE, SMSBY, States, open_run
from .table import Row, one_of_each
from .troubles import Trouble, handshake_without_end, refused, sandbox
from .world import PATIENT, until

STATUS = CALLS["smsby.bulk.status"]

# fmt: off
CHUNK: dict[type[MailkitError] | None, tuple[States, States, States]] = {
    # how the call ends      the fault passes   it lasts           and then passes, and resume
    #                        after one request
    None:                   ((10, 0, 0, 0),    (10, 0, 0, 0),     (10, 0, 0, 0)),
    NotSent:                ((10, 0, 0, 0),    ( 2, 0, 0, 8),     (10, 0, 0, 0)),
    Unavailable:            ((10, 0, 0, 0),    ( 2, 0, 0, 8),     (10, 0, 0, 0)),
    RateLimited:            ((10, 0, 0, 0),    (10, 0, 0, 0),     (10, 0, 0, 0)),
    AuthenticationFailed:   (( 2, 0, 0, 8),    ( 2, 0, 0, 8),     (10, 0, 0, 0)),
    Refused:                ((10, 0, 0, 0),    ( 2, 0, 0, 8),     (10, 0, 0, 0)),
    NotFound:               ((10, 0, 0, 0),    ( 2, 0, 0, 8),     (10, 0, 0, 0)),
    OutcomeUnknown:         (( 8, 0, 2, 0),    ( 2, 0, 6, 2),     ( 4, 0, 6, 0)),
}
# fmt: on

TOO_LONG = ((2, 0, 0, 8), (2, 0, 0, 8), (10, 0, 0, 0))
"""A service that asks for a longer wait than a job should have stops the job."""

WAITED_OUT = 12
"""Requests of a service that says *later* each time: the engine waits on, so it must end."""


each_fault_and_call = pytest.mark.parametrize(
    ("row", "call"),
    [
        pytest.param(row, call, id=f"{row.fault}-{call.provider}")
        for call in (SMSBY, DEVINO)
        for row in one_of_each(call)
    ],
)
each_fault_of_a_question = pytest.mark.parametrize(
    "row", one_of_each(STATUS), ids=lambda row: row.fault
)


def outcomes(row: Row) -> tuple[States, States, States]:
    return TOO_LONG if row.fault == "429, in a thousand years" else CHUNK[row.sends]


@each_fault_and_call
async def test_a_fault_on_one_chunk(row: Row, call: Call) -> None:
    states, _, resumed = outcomes(row)
    async with open_run(row, call) as run:
        run.world.gate.order(call.path, row.trouble(run.world, call.operation), first=2, last=2)
        report, error = await run.start()
        letters = 2 * (5 - (states[1] + states[2] + states[3]) // 2)
        if states[2]:
            letters += 2 * row.acted
        await until(lambda: run.world.sandbox.truth.emails == letters)
        assert run.world.sandbox.truth.emails == letters
        await run.check(report, states)
        assert run.doubts(report) == (["autumn #2"] if states[2] else [])
        assert (type(error) is row.sends) == (error is not None) == (states[3] > 0)
        assert report.complete == (states[2] == states[3] == 0)

        states = states if not states[3] else resumed
        await run.check(await run.resume(), states)


@each_fault_and_call
async def test_a_fault_on_every_chunk_from_the_second_on(row: Row, call: Call) -> None:
    _, states, resumed = outcomes(row)
    async with open_run(row, call) as run:
        last = WAITED_OUT if row.sends is RateLimited else None
        run.world.gate.order(call.path, row.trouble(run.world, call.operation), first=2, last=last)
        report, error = await run.start()
        letters = states[0] + row.acted * states[2]
        await until(lambda: run.world.sandbox.truth.emails == letters)
        await run.world.gate.end()
        await run.check(report, states)
        assert run.world.sandbox.truth.emails == letters
        doubts = ["autumn #2", "autumn #3", "autumn #4"] if states[2] else []
        assert run.doubts(report) == doubts
        assert type(error) is (row.sends if states[3] else type(None))

        report = await run.resume()
        await run.check(report, resumed)
        assert run.doubts(report) == doubts


@each_fault_of_a_question
async def test_a_fault_on_one_question(row: Row) -> None:
    async with open_run(row) as run:
        run.world.gate.order(STATUS.path, row.trouble(run.world, STATUS.operation), first=2, last=2)
        report, error = await run.start()
        await run.check(report, (10, 0, 0, 0))
        if row.asks is AuthenticationFailed:
            assert type(error) is AuthenticationFailed
            assert report.unreconciled == 8
            report = await run.resume()
        assert report.unreconciled == 0
        assert report.complete
        assert run.requests == 5


@each_fault_of_a_question
async def test_a_fault_on_every_question_from_the_second_on(row: Row) -> None:
    async with open_run(row) as run:
        run.world.gate.patience = min(run.world.gate.patience, 0.03 if row.slow else PATIENT)
        run.world.gate.order(STATUS.path, row.trouble(run.world, STATUS.operation), first=2)
        report, error = await run.start(attrs.evolve(ONE_BY_ONE, reconcile=1.0))
        await run.world.gate.end()
        if row.asks is None or row.asks is AuthenticationFailed:
            await run.check(report, (10, 0, 0, 0))
            assert type(error) is (row.asks or type(None))
        else:
            await run.check(report, (2, 0, 8, 0))
            assert error is None
            assert run.doubts(report) == [f"autumn #{n}" for n in (2, 3, 4, 5)]
            assert "the status could not be fetched: smsby.bulk.status" in report.doubts[0].reason
        report = await run.resume()
        await run.check(report, (10, 0, 0, 0))
        assert (report.unreconciled, report.complete) == (0, True)
        assert run.requests == 5


@pytest.mark.parametrize(
    "trouble",
    [
        refused,
        sandbox("html_200", status=403, acted=False),
        sandbox("rate_limited", retry_after=None),
    ],
    ids=["refused", "403", "429"],
)
async def test_a_moment_without_the_service_is_one_try_however_many_requests_it_hits(
    trouble: Trouble,
) -> None:
    async with open_run() as run:
        run.world.gate.order(SMSBY.path, trouble(run.world, SMSBY.operation), last=5)
        report, error = await run.start(EngineSettings(concurrency=5))
        assert error is None
        await run.check(report, (10, 0, 0, 0))
        assert max(run.world.clock.slept) < 2


async def test_a_service_that_was_busy_for_long_is_not_out_of_reach_after_one_lost_connection() -> (
    None
):
    async with open_run() as run:
        busy = Fault("rate_limited", on=SMSBY.operation, times=20)
        run.world.sandbox.faults.add(busy)
        run.world.gate.order(SMSBY.path, refused(run.world, SMSBY.operation), first=21, last=21)
        report, error = await run.start()
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
        run.world.gate.order(SMSBY.path, trouble(run.world, SMSBY.operation), first=2)
        task = asyncio.create_task(run.start())
        await until(lambda: run.world.gate.tries == 2)
        await until(lambda: run.world.sandbox.truth.emails == 2 + 2 * acted)
        await asyncio.sleep(0.01)
        task.cancel()  # it waits for its request
        await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await run.world.gate.end()
        report = await run.report()
        await run.check(report, (2, 0, 2, 6))
        assert run.doubts(report) == ["autumn #2"]
        report = await run.resume()
        await run.check(report, (8, 0, 2, 0))
        assert run.world.sandbox.truth.emails == 8 + 2 * acted


# Status lists in another order, without some rows, with strangers among them.

REFUSED = [f"invalid{n}@mail.by" for n in (1, 2)]


async def test_a_partial_status_list_is_asked_for_again() -> None:
    async with open_run() as run:
        run.world.sandbox.faults.add(Fault("partial", on=STATUS.operation, times=5))
        report, _ = await run.start(people=[*PEOPLE[:8], *REFUSED])
        await run.check(report, (8, 2, 0, 0), [*PEOPLE[:8], *REFUSED])
        assert report.complete


async def test_rows_that_no_status_list_names_are_in_doubt_and_strangers_are_nobody() -> None:
    people = [REFUSED[0], *PEOPLE[:8], REFUSED[1]]
    async with open_run() as run:
        run.world.sandbox.faults.add(Fault("partial", on=STATUS.operation))
        report, error = await run.start(people=people)
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
        assert run.requests == 5
