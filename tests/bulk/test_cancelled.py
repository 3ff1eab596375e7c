"""Callers that are cancelled, at each operation on the journal: they leave nothing behind that
keeps others from the job.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path

import attrs
import pytest

from mailkit.bulk.journal import InlineExecutor, Journal
from mailkit.bulk.journal.sqlite.opening import Connector
from mailkit.bulk.journal.sqlite.store import Work
from mailkit.bulk.journal.store import outcome
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_recipients
from mailkit.errors import JobExists
from mailkit.testing import FakeClock

from .fakes import MESSAGE, FakeProvider, people

PEOPLE = people(7)
MOST = 100
"""No call has so many operations."""


@attrs.define
class Cancelling:
    """Cancels the task at its ``nth`` operation on the journal; with ``again``, at each one after
    it, too. The operation itself takes place.
    """

    task: asyncio.Task[object] | None = None
    nth: int = 0
    again: bool = False
    seen: int = 0

    def look(self) -> None:
        task = asyncio.current_task()
        if task is None or task is not self.task:
            return
        self.seen += 1
        if self.seen == self.nth or (self.again and self.seen > self.nth):
            task.cancel()


async def cancelled_at(
    nth: int, call: Callable[[BulkSender], Awaitable[object]], *, again: bool, begun: bool
) -> bool:
    """Whether the call ended before its nth operation; else its job is sent by another call, to
    each one once. With ``begun``, the job was there before, unsent.
    """
    cancelling, provider = Cancelling(nth=nth, again=again), FakeProvider()

    kept: list[Work] = []  # as by a thread: nothing is given back for being forgotten

    class Executor(InlineExecutor):
        def submit(self, work: Work) -> None:
            super().submit(work)
            kept.append(work)
            cancelling.look()

    journal = await Journal.open(":memory:", executor=Executor)
    async with BulkSender(provider, journal=journal, clock=FakeClock()) as sender:
        if begun:
            await sender.detach(MESSAGE, read_recipients(PEOPLE), name="a")
        cancelling.task = asyncio.ensure_future(call(sender))
        try:
            await cancelling.task
        except asyncio.CancelledError:
            pass
        else:
            cancelling.task = None
            return True
        cancelling.task = None
        found = await journal.jobs.find("a")
        assert not await journal.jobs.is_being_planned("a")
        assert found is None or not await journal.jobs.running(found)
        assert not provider.mailed
        job = await sender.start_or_resume(MESSAGE, read_recipients(PEOPLE), name="a")
        report = await job.wait()
        assert (report.complete, report.counts.accepted) == (True, len(PEOPLE))
        assert provider.mailed == Counter(PEOPLE)
        assert not (await sender.report("a")).running
        names = {one.name for one in await journal.jobs.list()}
        assert names == {"a"}
    await journal.close()
    return False


async def start(sender: BulkSender) -> None:
    await sender.start(MESSAGE, read_recipients(PEOPLE), name="a")


async def start_or_resume(sender: BulkSender) -> None:
    await sender.start_or_resume(MESSAGE, read_recipients(PEOPLE), name="a")


async def resume(sender: BulkSender) -> None:
    await sender.resume("a")


async def resume_anew(sender: BulkSender) -> None:
    await sender.resume("a", rejected=True, cancelled=True, rate="100/min")


async def detach(sender: BulkSender) -> None:
    await sender.detach(MESSAGE, read_recipients(PEOPLE), name="a")


async def rehearse(sender: BulkSender) -> None:
    await sender.plan(MESSAGE, read_recipients(PEOPLE), name="a")


@pytest.mark.parametrize("again", [False, True], ids=["once", "again and again"])
@pytest.mark.parametrize(
    ("call", "begun"),
    [
        (start, False),
        (start_or_resume, False),
        (start_or_resume, True),
        (resume, True),
        (resume_anew, True),
        (detach, False),
        (rehearse, False),
    ],
)
async def test_a_call_that_is_cancelled_gives_back_what_it_had(
    call: Callable[[BulkSender], Awaitable[object]], begun: bool, again: bool
) -> None:
    for nth in range(1, MOST):
        if await cancelled_at(nth, call, again=again, begun=begun):
            assert nth > 3
            return
    raise AssertionError("it never ended")


async def test_what_ends_after_its_caller_was_cancelled_is_undone() -> None:
    work, undone = Future[int](), list[int]()

    async def undo(result: int) -> None:
        undone.append(result)

    waiting = asyncio.ensure_future(outcome(work, undo))
    for _ in range(3):  # however often
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    work.set_result(7)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert undone == [7]


async def test_nothing_is_undone_of_what_failed() -> None:
    work, undone = Future[int](), list[int]()

    async def undo(result: int) -> None:
        undone.append(result)

    waiting = asyncio.ensure_future(outcome(work, undo))
    await asyncio.sleep(0)
    waiting.cancel()
    work.set_exception(JobExists("the job a already exists", name="a"))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert undone == []


async def test_a_journal_that_nobody_waits_for_any_more_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_writer, may_open, begun = Connector.__call__, threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(connector: Connector) -> object:
        loop.call_soon_threadsafe(begun.set)
        may_open.wait()
        return open_writer(connector)

    monkeypatch.setattr(Connector, "__call__", slowly)
    before = set(threading.enumerate())
    opening = asyncio.ensure_future(Journal.open(tmp_path / "journal.db"))
    await begun.wait()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    may_open.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive()
