"""Several quotas at once: all permits of a call together, and nobody in anybody's way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import attrs
import pytest

from mailkit.core.quota import SLACK, LocalPermits, Permit, Quota
from mailkit.errors import QuotaExhausted

from ..simulation.loop import LoopClock, SimulatedLoop

SEEDS = 60


@contextmanager
def made_up_time() -> Iterator[SimulatedLoop]:
    loop = SimulatedLoop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
        assert not loop.failures, loop.failures
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def play(work: Callable[[SimulatedLoop], Coroutine[Any, Any, None]]) -> None:
    with made_up_time() as loop:
        loop.run_until_complete(work(loop))


def permits_of(loop: SimulatedLoop, **quotas: Quota) -> LocalPermits:
    return LocalPermits(quotas, LoopClock(loop))


async def use(permits: LocalPermits, *names: str, takes: float = 0.0) -> float:
    """The moment at which it got its permit."""
    permit = await permits.acquire(names, None, 30.0)
    at = asyncio.get_running_loop().time()
    permit.sent()
    await asyncio.sleep(takes)
    permit.done()
    return at


def test_a_call_that_waits_for_one_quota_uses_up_nothing_of_another() -> None:
    async def work(loop: SimulatedLoop) -> None:
        permits = permits_of(loop, requests=Quota(1, 1.0), campaigns=Quota(1, 6.0))
        await use(permits, "campaigns", "requests")
        waits = asyncio.create_task(use(permits, "campaigns", "requests"))
        others = [asyncio.create_task(use(permits, "requests")) for _ in range(8)]
        assert await waits == 6
        # The one at 5 s still counts until 6 s, and then the oldest goes first.
        assert [await one for one in others] == [1, 2, 3, 4, 5, 7, 8, 9]

    play(work)


def test_a_permit_that_was_granted_counts_however_long_it_is_not_used() -> None:
    async def work(loop: SimulatedLoop) -> None:
        permits = permits_of(loop, requests=Quota(4, 1.0), campaigns=Quota(4, 6.0))
        held = [await permits.acquire(("requests", "campaigns"), None, 0.3) for _ in range(4)]
        await asyncio.sleep(50)
        with pytest.raises(QuotaExhausted):
            await permits.acquire(("requests",), 0, 0.3)
        for permit in held:
            permit.sent()
            permit.done()
        assert await use(permits, "requests") == 51

    play(work)


def test_two_quotas_that_are_never_free_together_starve_nobody() -> None:
    async def work(loop: SimulatedLoop) -> None:
        permits = permits_of(loop, a=Quota(1, 1.0), b=Quota(1, 1.0))

        async def stream(name: str, start: float) -> None:
            await asyncio.sleep(start)
            while loop.now < 30:
                await use(permits, name)

        async with asyncio.TaskGroup() as group:
            for _ in range(3):  # so that somebody always waits
                group.create_task(stream("a", 0.0))
                group.create_task(stream("b", 0.5))
            await asyncio.sleep(3.2)
            both = group.create_task(use(permits, "a", "b"))
        assert both.result() <= 8.0

    play(work)


def test_the_oldest_keeps_one_permit_of_many_and_no_more() -> None:
    async def work(loop: SimulatedLoop) -> None:
        permits = permits_of(loop, a=Quota(1, 10.0), b=Quota(5, 20.0))
        # b is the scarcer: five in 20 s are one in 4 s, but a is one in 10 s.
        await use(permits, "a")
        waits = asyncio.create_task(use(permits, "a", "b"))
        free = [await use(permits, "b") for _ in range(5)]
        assert free == [0, 0, 0, 0, 0]
        assert await waits == 20
        assert await use(permits, "b") == 20

    play(work)


def test_a_quota_that_has_no_name_here_does_not_matter() -> None:
    async def work(loop: SimulatedLoop) -> None:
        permits = permits_of(loop, requests=Quota(1, 9.0))
        assert await use(permits, "tests") == 0
        assert await use(permits, "requests", "tests") == 0
        late = asyncio.create_task(use(permits, "requests"))
        await asyncio.sleep(1)
        assert await use(permits) == 1
        assert await late == 9

    play(work)


def test_the_time_told_is_that_of_the_quota_that_is_free_last() -> None:
    async def work(loop: SimulatedLoop) -> None:
        permits = permits_of(loop, requests=Quota(1, 9.0), campaigns=Quota(1, 60.0, "campaigns"))
        await use(permits, "requests", "campaigns")
        with pytest.raises(QuotaExhausted, match="1 campaigns in 60 s") as caught:
            await permits.acquire(("requests", "campaigns"), 59.0, 1.0)
        assert caught.value.available_at is not None
        assert caught.value.available_at.timestamp() == 60
        assert loop.now == 0

    play(work)


def test_who_can_overtake_is_not_counted_as_ahead() -> None:
    async def work(loop: SimulatedLoop) -> None:
        permits = permits_of(loop, requests=Quota(1, 1.0), campaigns=Quota(1, 60.0))
        await use(permits, "requests", "campaigns")
        waits = [asyncio.create_task(use(permits, "requests", "campaigns")) for _ in range(3)]
        await asyncio.sleep(0)
        (await permits.acquire(("requests",), 2.0, 1.0)).release()
        assert loop.now == 1
        for task in waits:
            task.cancel()

    play(work)


@attrs.define
class Server:
    """Counts arrivals for each quota, and when permits were asked for and granted."""

    quotas: dict[str, Quota]
    arrivals: dict[str, list[float]]
    asked: list[tuple[frozenset[str], int]] = attrs.field(factory=list)
    granted: dict[tuple[frozenset[str], int], float] = attrs.field(factory=dict)

    def arrive(self, names: tuple[str, ...], at: float) -> None:
        for name in names:
            if name in self.quotas:
                self.arrivals[name].append(at)

    def check(self) -> None:
        for name, quota in self.quotas.items():
            times = sorted(self.arrivals[name])
            for n, start in enumerate(times):
                within = sum(at < start + quota.per_seconds for at in times[n:])
                assert within <= quota.limit, f"{within} {name} within {quota}"
        for names in {names for names, _ in self.asked}:
            order = [one for one in self.asked if one[0] == names and one in self.granted]
            moments = [self.granted[one] for one in order]
            assert moments == sorted(moments), "first come, first served"


NAMES = ["requests", "campaigns", "tests"]


def a_quota(rng: Random) -> Quota:
    return Quota(rng.randint(1, 4), rng.choice((0.5, 1.0, 6.0, 60.0)))


def seconds(rng: Random, most: float) -> float:
    """So many that sums of them are exact."""
    return rng.randint(0, round(most * 64)) / 64


async def one_request(
    loop: SimulatedLoop, permits: LocalPermits, server: Server, number: int, rng: Random
) -> None:
    names = tuple(rng.sample(NAMES, rng.randint(1, 3)))
    key = frozenset(server.quotas).intersection(names), number
    deadline = rng.choice((0.25, 5.0, 30.0))
    max_wait = rng.choice((None, None, 0.0, seconds(rng, 200)))
    fate, takes = rng.choice(("done", "done", "lost", "unsent", "held up")), seconds(rng, 4)
    await asyncio.sleep(seconds(rng, 40))
    permit: Permit | None = None
    sent: float | None = None
    try:
        server.asked.append(key)
        permit = await permits.acquire(names, max_wait, deadline)
        server.granted[key] = loop.time()
        await asyncio.sleep(rng.choice((0.0, takes)))  # as a hook or a pool may
        permit.sent()
        sent = loop.time()
        if fate == "unsent":
            sent = None
            await asyncio.sleep(takes)
            permit.release()
            return
        if fate == "done":
            await asyncio.sleep(takes)
            server.arrive(names, loop.time() - rng.choice((0.0, takes)))
            permit.done()
            return
        # It was given up in time, or long after that because nobody got round to it.
        await asyncio.sleep(deadline if fate == "lost" else deadline + seconds(rng, 90))
        server.arrive(names, max(sent + deadline, loop.time()) + seconds(rng, SLACK))
        permit.lost()
    except asyncio.CancelledError:
        if permit is None:
            raise
        if sent is None:
            permit.release()
        else:
            server.arrive(names, max(sent + deadline, loop.time()) + seconds(rng, SLACK))
            permit.lost()
        raise


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_no_quota_is_exceeded_and_nobody_waits_for_ever(seed: int) -> None:
    rng = Random(seed)
    quotas = {name: a_quota(rng) for name in rng.sample(NAMES, rng.randint(2, 3))}
    server = Server(quotas, {name: [] for name in NAMES})

    async def work(loop: SimulatedLoop) -> None:
        permits = permits_of(loop, **quotas)

        def audit() -> None:
            waiting = [list(line) for line in permits._lines.values()]
            permits._serve()
            assert waiting == [list(line) for line in permits._lines.values()], "time was wasted"

        for n in range(400):
            loop.call_at((n + 0.5) / 64 * 13, audit)  # at no moment at which anything happens
        tasks = [
            loop.create_task(one_request(loop, permits, server, number, Random(f"{seed} {number}")))
            for number in range(40)
        ]
        for task in tasks:
            if rng.random() < 0.15:
                loop.call_at(seconds(rng, 90), task.cancel)
        ends = await asyncio.gather(*tasks, return_exceptions=True)  # or the loop says: Deadlock
        for end in ends:
            assert end is None or isinstance(end, QuotaExhausted | asyncio.CancelledError), end
        assert not permits._lines
        assert [window.in_use for window in permits._windows.values()] == [0] * len(quotas)

    play(work)
    server.check()
