"""Who finds nothing is on call: no call is lost, one timer serves all, and each change is looked at
by as many as find something, and one more.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from math import inf
from typing import Any

import pytest

from mailkit.bulk.journal import Journal, Taken
from mailkit.bulk.on_call import OnCall
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.testing import FakeClock

from .fakes import MESSAGE, FakeProvider, memory_journal, people


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Waiters:
    """They have looked and wait, each for so many seconds; ``back`` are those who were called."""

    def __init__(self, idle: OnCall, *seconds: float) -> None:
        self.back: list[int] = []
        since = idle.look()
        self.tasks = [
            asyncio.ensure_future(self._wait(idle, since, n, one)) for n, one in enumerate(seconds)
        ]

    async def _wait(self, idle: OnCall, since: int, n: int, seconds: float) -> None:
        await idle.wait(since, seconds)
        self.back.append(n)


async def test_a_call_wakes_one_and_who_came_first() -> None:
    idle = OnCall(FakeClock())
    waiters = Waiters(idle, inf, inf, inf)
    await turns()
    assert len(idle) == 3
    assert idle.call()
    await turns()
    assert (waiters.back, len(idle)) == ([0], 2)
    idle.call(everybody=True)
    await turns()
    assert (waiters.back, len(idle)) == ([0, 1, 2], 0)
    assert not idle.call()


async def test_a_call_between_a_look_and_its_wait_is_not_lost() -> None:
    idle = OnCall(FakeClock())
    since = idle.look()
    idle.call()
    assert idle.called(since)
    await idle.wait(since)
    assert not idle.called(idle.look())


async def test_one_is_called_when_the_first_time_has_come() -> None:
    clock = FakeClock()
    idle = OnCall(clock)
    keeping = asyncio.ensure_future(idle.keep_time())
    waiters = Waiters(idle, 50.0, 9.0, inf)
    await asyncio.wait(waiters.tasks, return_when=asyncio.FIRST_COMPLETED)
    assert waiters.back == [0]
    assert clock.monotonic() == pytest.approx(9)
    idle.close()
    await keeping
    idle.call(everybody=True)
    await asyncio.gather(*waiters.tasks)


async def test_who_looks_takes_over_the_times_of_all() -> None:
    clock = FakeClock(autojump=False)
    idle = OnCall(clock)
    keeping = asyncio.ensure_future(idle.keep_time())
    waiters = Waiters(idle, 5.0)
    await turns()
    idle.look()
    clock.advance(60)
    await turns()
    assert waiters.back == []
    late = asyncio.ensure_future(idle.wait(idle.look(), 0.0))
    await turns()
    assert not late.done()
    clock.advance(1)
    await turns()
    assert waiters.back == [0]
    idle.call()
    idle.close()
    await asyncio.gather(keeping, late)


async def test_who_is_cancelled_is_not_called() -> None:
    idle = OnCall(FakeClock())
    waiters = Waiters(idle, inf, inf)
    await turns()
    waiters.tasks[0].cancel()
    await turns()
    idle.call()
    await turns()
    assert waiters.back == [1]


class Crew:
    """Some workers, tasks that make other tasks, and looks that take a while."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.idle = OnCall(FakeClock())
        self.workers = self.rng.randint(1, 8)
        self.left = self.rng.randint(0, 5)
        self.done = self.looks = 0
        self.over = False

    async def run(self) -> None:
        await asyncio.gather(*(self._work() for _ in range(self.workers)))

    async def _work(self) -> None:
        while not self.over:
            since = self.idle.look()
            self.looks += 1
            await self._pause()
            found, self.left = self.left > 0, max(self.left - 1, 0)
            await self._pause()
            if found:
                self.idle.call()
                await self._pause()
                self.left += self.rng.choice([0, 0, 0, 1, 2]) if self.done < 100 else 0
                self.done += 1
            elif len(self.idle) < self.workers - 1:
                await self.idle.wait(since)
            elif not self.idle.called(since):
                self.over = True
                self.idle.call(everybody=True)

    async def _pause(self) -> None:
        for _ in range(self.rng.randint(0, 4)):
            await asyncio.sleep(0)


async def test_all_is_done_and_few_look_in_vain() -> None:
    crews = [Crew(seed) for seed in range(500)]
    for crew in crews:
        await crew.run()
    assert not any(crew.left for crew in crews)
    tasks, workers = sum(crew.done for crew in crews), sum(crew.workers for crew in crews)
    assert tasks > 2_000
    assert sum(crew.looks for crew in crews) < 3 * tasks + workers


class Takes:
    """Counts what a journal hands out."""

    def __init__(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: Counter[bool] = Counter()
        self._take = journal.chunks.take
        monkeypatch.setattr(journal.chunks, "take", self)

    async def __call__(self, *given: Any, **named: Any) -> object:
        found = await self._take(*given, **named)
        self.of[isinstance(found, Taken)] += 1
        return found


@pytest.mark.parametrize(("chunks", "in_vain"), [(1, 2), (4, 8), (100, 16)])
async def test_workers_do_not_take_in_vain(
    monkeypatch: pytest.MonkeyPatch, chunks: int, in_vain: int
) -> None:
    provider, eight = FakeProvider(chunk_rows=1), EngineSettings(concurrency=8)
    async with memory_journal() as journal:
        takes = Takes(journal, monkeypatch)
        async with BulkSender(
            provider, journal=journal, clock=FakeClock(), settings=eight
        ) as sender:
            await (await sender.start(MESSAGE, read_recipients(people(chunks)))).wait()
    assert provider.mailed.total() == chunks
    assert takes.of[True] == chunks
    assert takes.of[False] <= in_vain
