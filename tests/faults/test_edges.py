"""What the table of faults has no room for: waits, cancellation, memory, answers unasked for."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mailkit.core.http import AiohttpTransport
from mailkit.core.retry import Outcome
from mailkit.errors import OutcomeUnknown, RateLimited
from mailkit.providers.smsby import SmsBy
from mailkit.sandbox import Fault, Sandbox, SmsBySettings

from . import answers as a
from . import troubles as t
from .calls import CALLS, LETTER, PEOPLE, SHAPES, Call, Seen
from .troubles import Trouble, sandbox
from .world import PATIENT, TOKEN, World, open_world, until

MEGABYTE = 2**20
YEAR = 366 * 86400.0

SEND = CALLS["smsby.emails.send"]
each_call = pytest.mark.parametrize("call", SHAPES, ids=lambda call: call.name)


# The wait that is asked for.


@pytest.mark.parametrize(
    ("trouble", "least", "most"),
    [
        (sandbox("rate_limited", retry_after=7), 7, 7),
        (sandbox("rate_limited", retry_after=59), 59, 59),
        (t.later(9), 9, 9),
        (t.later(-3600), 0.2, 0.5),
        (sandbox("rate_limited", retry_after=0), 0.2, 0.5),
        (sandbox("rate_limited", retry_after=-5), 0.2, 0.5),
        (sandbox("rate_limited", retry_after="soon"), 0.2, 0.5),
        (sandbox("rate_limited", retry_after=None), 0.2, 0.5),
    ],
    ids=["7", "59", "date", "date gone by", "0", "-5", "soon", "none"],
)
async def test_the_wait_that_the_service_asks_for_is_kept(
    trouble: Trouble, least: float, most: float
) -> None:
    async with open_world() as world:
        world.gate.order(SEND.path, trouble(world, SEND.operation), last=1)
        await world.smsby.emails.send(to=PEOPLE[0], **LETTER)
        [wait] = world.clock.slept
        assert least <= wait <= most
        assert world.sandbox.truth.emails == 1


@pytest.mark.parametrize(
    ("trouble", "wait"),
    [
        (sandbox("rate_limited", retry_after=61), 61),
        (t.later(3600), 3600),
        (sandbox("rate_limited", retry_after="99999999999"), YEAR),
    ],
    ids=["61", "date", "huge"],
)
async def test_a_wait_that_is_too_long_is_told_and_not_waited_for(
    trouble: Trouble, wait: float
) -> None:
    async with open_world() as world:
        world.gate.order(SEND.path, trouble(world, SEND.operation))
        with pytest.raises(RateLimited) as caught:
            await world.smsby.emails.send(to=PEOPLE[0], **LETTER)
        assert caught.value.retry_after == wait
        assert world.clock.slept == []
        assert world.sandbox.requests["smsby.emails.send"] == 1


async def test_the_clients_own_timeout_ends_what_is_hung() -> None:
    async with open_world() as world:
        seen = await SEND.watched(world)
        world.sandbox.faults.add(Fault("slow_before_acting", seconds=600))
        impatient = world.smsby.with_options(timeout=0.3)
        with pytest.raises(OutcomeUnknown):
            await impatient.emails.send(to=PEOPLE[0], **LETTER)
        assert seen() == (0, 1)


# Cancellation.


@asynccontextmanager
async def _hanging(
    call: Call, trouble: Trouble
) -> AsyncIterator[tuple[World, asyncio.Future[Any], Seen]]:
    """A call that a trouble holds."""
    async with open_world() as world:
        seen = await call.watched(world)
        world.gate.order(call.path, trouble(world, call.operation))
        task = asyncio.ensure_future(call.make(world))
        await until(lambda: world.gate.tries == 1)
        await asyncio.sleep(0.01)
        yield world, task, seen


async def _cancelled(task: asyncio.Future[Any]) -> None:
    assert task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@each_call
@pytest.mark.parametrize(
    "trouble",
    [t.handshake_without_end(PATIENT), t.deaf_port(PATIENT), t.full_pool(PATIENT)],
    ids=["TLS", "connection", "pool"],
)
async def test_what_is_cancelled_before_its_first_byte_was_not_sent(
    trouble: Trouble, call: Call
) -> None:
    async with _hanging(call, trouble) as (world, task, seen):
        await _cancelled(task)
        await world.gate.end()
        assert [one.outcome for one in world.attempts] == [Outcome.NOT_SENT]
        assert seen() == (0, 0)


async def test_what_is_cancelled_before_it_began_does_nothing() -> None:
    async with open_world() as world:
        seen = await SEND.watched(world)
        await _cancelled(asyncio.ensure_future(SEND.make(world)))
        assert world.attempts == []
        assert seen() == (0, 0)


@each_call
@pytest.mark.parametrize(
    ("kind", "acted"), [("slow_before_acting", 0), ("slow_answer", 1), ("slow_headers", 1)]
)
async def test_what_is_cancelled_in_the_middle_is_unknown_and_not_sent_again(
    kind: str, acted: int, call: Call
) -> None:
    async with _hanging(call, sandbox(kind, seconds=600)) as (world, task, seen):
        await until(lambda: seen()[1] == 1)
        await _cancelled(task)
        assert [one.outcome for one in world.attempts] == [Outcome.UNKNOWN]
        assert seen() == (0 if call.repeatable else acted, 1)


async def test_what_is_cancelled_in_the_middle_of_its_body_is_unknown() -> None:
    async with open_world() as world:
        trouble = t.reads_nothing(world, SEND.operation)
        world.gate.order(SEND.path, trouble)
        letter = {**LETTER, "html": "x" * 20 * MEGABYTE}
        task = asyncio.ensure_future(world.smsby.emails.send(to=PEOPLE[0], **letter))
        await until(lambda: world.astray == 1)
        await asyncio.sleep(0.02)
        await _cancelled(task)
        await world.gate.end()
        assert [one.outcome for one in world.attempts] == [Outcome.UNKNOWN]


@each_call
async def test_what_is_cancelled_while_it_waits_to_try_again_is_not_tried_again(call: Call) -> None:
    async with open_world() as world:
        seen = await call.watched(world)
        limited = sandbox("rate_limited", retry_after=30)
        world.gate.order(call.path, limited(world, call.operation))
        with world.clock.held():
            task = asyncio.ensure_future(call.make(world))
            await until(lambda: world.clock.slept == [30])
            await _cancelled(task)
        await world.gate.end()
        assert seen() == (0, 1)


@each_call
async def test_what_is_cancelled_after_its_answer_was_sent_once(call: Call) -> None:
    async with open_world() as world:
        seen = await call.watched(world)
        task = asyncio.ensure_future(call.make(world))
        await task
        assert not task.cancel()
        assert [one.outcome for one in world.attempts] == [Outcome.ANSWERED]
        assert seen() == (not call.repeatable, 1)


# Answers that nobody asked for.


@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("more", [a.the_same, a.timed_out], ids=["twice", "408"])
async def test_what_a_server_says_unasked_is_not_taken_for_the_next_answer(
    more: Callable[[bytes], bytes], later: bool
) -> None:
    when, said = asyncio.Event(), asyncio.Event()
    if not later:
        when.set()
    async with open_world() as world:
        trouble = t.unasked(more, when, said)
        world.gate.order(SEND.path, trouble(world, SEND.operation))
        first = await world.smsby.emails.send(to=PEOPLE[0], **LETTER)
        when.set()
        await said.wait()
        for _ in range(3):
            await asyncio.sleep(0)  # it is read
        second = await world.smsby.emails.send(to=PEOPLE[1], **LETTER)
        assert second.email_id == first.email_id + 1
        assert dict(world.sandbox.truth.mailed) == {PEOPLE[0]: 1, PEOPLE[1]: 1}


# Memory.


@pytest.mark.parametrize("kind", ["huge_body", "gzip_bomb"])
@pytest.mark.parametrize("largest", [MEGABYTE, 8 * MEGABYTE, 64 * MEGABYTE])
async def test_an_answer_takes_no_more_memory_than_it_may(kind: Any, largest: int) -> None:
    async with Sandbox(speed=0, smsby=SmsBySettings(token=TOKEN)) as service:
        service.faults.add(Fault(kind, size=100 * MEGABYTE))
        transport = AiohttpTransport(largest=largest)
        async with SmsBy(TOKEN, service.url, transport=transport) as client:
            tracemalloc.start()
            try:
                with pytest.raises(OutcomeUnknown, match="more than"):
                    await client.emails.send(to=PEOPLE[0], **LETTER)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak < 1.25 * largest + 4 * MEGABYTE
        assert service.requests["smsby.emails.send"] == 1
