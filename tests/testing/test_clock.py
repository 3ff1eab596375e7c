"""The made-up clock, alone and in a client, a BulkSender and a sandbox."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from mailkit import BulkSender, Journal, SmsBy, read_recipients
from mailkit.sandbox import Fault, Sandbox
from mailkit.testing import FakeClock

from ..bulk.fakes import MESSAGE, FakeProvider, memory_journal, people


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        (1000.0, datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC)),
        (datetime(2030, 5, 1, 12, tzinfo=UTC), datetime(2030, 5, 1, 12, tzinfo=UTC)),
        (
            datetime(2030, 5, 1, 12, tzinfo=timezone(timedelta(hours=3))),
            datetime(2030, 5, 1, 9, tzinfo=UTC),
        ),
    ],
)
def test_it_starts_where_it_is_told(start: datetime | float, wanted: datetime) -> None:
    clock = FakeClock(start)
    assert clock.utc == wanted
    assert clock.utc.tzinfo is UTC
    assert clock.now() == wanted.timestamp()
    assert clock.monotonic() == 0


def test_it_is_shown_in_short() -> None:
    clock = FakeClock()
    clock.advance(90)
    assert repr(clock) == "<FakeClock: 90 s have passed, 0 sleep>"


def test_a_start_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        FakeClock(datetime(2030, 5, 1))


def test_advance_moves_both_clocks_and_shift_only_the_wall() -> None:
    clock = FakeClock(1000.0)
    clock.advance(5)
    assert (clock.now(), clock.monotonic()) == (1005, 5)
    clock.shift(-600)
    assert (clock.now(), clock.monotonic()) == (405, 5)
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="forward"):
            clock.advance(wrong)


async def test_a_sleeper_wakes_when_its_moment_has_come_and_not_before() -> None:
    clock = FakeClock(autojump=False)
    woken: list[str] = []

    async def sleep(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async def settle() -> None:
        for _ in range(200):
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 20.0), ("early", 10.0), ("never", 1e9)):
            task = group.create_task(sleep(name, seconds))
        await settle()
        clock.advance(9)
        await settle()
        assert woken == []
        clock.advance(1)
        await settle()
        assert woken == ["early"]
        clock.advance(100)
        await settle()
        assert woken == ["early", "late"]
        task.cancel()
    assert clock.slept == [20, 10, 1e9]


async def test_time_jumps_from_sleeper_to_sleeper_once_nothing_else_is_to_do() -> None:
    clock, woken = FakeClock(), list[tuple[str, float]]()

    async def sleep(name: str, *seconds: float) -> None:
        for one in seconds:
            await clock.sleep(one)
            woken.append((name, clock.monotonic()))

    await asyncio.gather(sleep("a", 3600, 3600), sleep("b", 1800, 3600, 0.5))
    assert woken == [("b", 1800), ("a", 3600), ("b", 5400), ("b", 5400.5), ("a", 7200)]


async def test_a_sleep_of_nothing_moves_the_time_a_little() -> None:
    clock = FakeClock()
    began = clock.now()
    while clock.now() < began + 1e-5:
        await clock.sleep(0)
    assert clock.now() < began + 1e-3


async def test_held_time_stands_still() -> None:
    clock = FakeClock()
    with clock.held():
        sleeping = asyncio.create_task(clock.sleep(5))
        for _ in range(200):
            await asyncio.sleep(0)
        assert clock.monotonic() == 0
    await sleeping
    assert clock.monotonic() == 5


async def test_time_stands_still_while_a_journal_works_in_its_thread(tmp_path: Path) -> None:
    clock, go = FakeClock(), threading.Event()
    async with await Journal.open(tmp_path / "journal.db") as journal:
        working = asyncio.create_task(journal._db.read(lambda _: go.wait()))
        sleeping = asyncio.create_task(clock.sleep(5))
        for _ in range(200):
            await asyncio.sleep(0)
        slept = clock.monotonic()
        go.set()
        assert await working
        assert (slept, clock.monotonic()) == (0, 0)
        await sleeping
    assert clock.monotonic() == 5


def test_one_clock_serves_several_event_loops() -> None:
    clock = FakeClock()

    async def leave_behind() -> None:
        asyncio.ensure_future(clock.sleep(1))  # noqa: RUF006 - it ends with its loop
        await asyncio.sleep(0)

    asyncio.run(leave_behind())
    asyncio.run(clock.sleep(10))
    assert clock.monotonic() == 10


async def test_a_client_s_retries_wait_in_made_up_time_and_the_sandbox_keeps_up() -> None:
    async with Sandbox(speed=0) as sandbox:
        clock = FakeClock(sandbox.clock.now(), moved=sandbox.clock.advance)
        began = sandbox.clock.now()
        sandbox.faults.add(Fault("rate_limited", retry_after=30, times=1))
        token, url = sandbox.smsby.settings.token, sandbox.url
        async with SmsBy(token, url, clock=clock, hooks=[clock.hook]) as smsby:
            await smsby.emails.send(
                sender="Shop <news@shop.by>", to="a@b.by", subject="Hi", html="<p>Hi</p>"
            )
        assert clock.slept == [30]
        assert sandbox.clock.now() == began + 30
        assert sandbox.truth.count("a@b.by") == 1


async def test_a_bulk_send_looks_for_its_rows_in_made_up_time() -> None:
    clock, provider = FakeClock(), FakeProvider(hidden={people(1)[0]})
    async with memory_journal() as journal:
        async with BulkSender(provider, journal=journal, clock=clock) as sender:
            report = await (await sender.start(MESSAGE, read_recipients(people(3)))).wait()
        assert report.counts.in_doubt == 1
    assert clock.monotonic() >= 600
