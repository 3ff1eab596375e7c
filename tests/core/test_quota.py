from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.core.clock import Clock
from mailkit.core.quota import Permit, Quota, Window
from mailkit.errors import QuotaExhausted

from .doubles import Time

FOUR = Quota(4, 3600.0, "campaigns")


class Counter:
    """A server that counts arrivals and knows the most there were in any window."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []

    def most(self, seconds: float) -> int:
        times = sorted(self.arrivals)
        return max(
            (sum(start <= time < start + seconds for time in times) for start in times), default=0
        )


async def use(window: Window, time: Time, server: Counter, takes: float) -> None:
    permit = await window.acquire(None, 30.0)
    permit.sent()
    time.seconds += takes
    server.arrivals.append(time.seconds)
    permit.done()


async def test_never_more_than_the_limit_in_any_window() -> None:
    time, server = Time(), Counter()
    window = Window(Quota(4, 60.0), time.clock)
    for place in range(30):
        await use(window, time, server, takes=(place * 7) % 11)
    assert server.most(60.0) == 4


async def test_a_permit_counts_from_its_completion() -> None:
    time = Time()
    window = Window(Quota(1, 60.0), time.clock)
    permit = await window.acquire(None, 30.0)
    permit.sent()
    time.seconds += 20
    permit.done()
    await window.acquire(None, 30.0)
    assert time.seconds == 1000 + 20 + 60


async def test_a_permit_of_unknown_completion_counts_from_its_hard_deadline() -> None:
    time = Time()
    window = Window(Quota(1, 60.0), time.clock)
    permit = await window.acquire(None, 30.0)
    time.seconds += 5
    permit.sent()
    await window.acquire(None, 30.0)
    assert time.seconds == 1000 + 5 + 30 + 60


async def test_a_completion_after_the_hard_deadline_counts_from_itself() -> None:
    time = Time()
    window = Window(Quota(1, 60.0), time.clock)
    permit = await window.acquire(None, 30.0)
    permit.sent()
    time.seconds += 40
    with pytest.raises(QuotaExhausted):
        await window.acquire(0, 30.0)
    permit.done()
    await window.acquire(None, 30.0)
    assert time.seconds == 1000 + 40 + 60


async def test_a_permit_that_was_not_sent_counts_no_more() -> None:
    window = Window(Quota(1, 60.0), Time().clock)
    for _ in range(5):
        permit = await window.acquire(0, 30.0)
        permit.release()
        permit.release()
        permit.done()  # too late, and of no effect


async def test_a_clock_that_is_set_back_makes_waits_longer_never_shorter() -> None:
    time = Time()
    window = Window(Quota(1, 60.0), time.clock)
    (await window.acquire(None, 30.0)).done()
    time.seconds -= 500
    start = time.seconds
    await window.acquire(None, 30.0)
    assert time.seconds - start >= 60


async def test_above_the_ceiling_the_time_is_told_at_once() -> None:
    time = Time()
    window = Window(FOUR, time.clock, provider="library")
    for _ in range(4):
        (await window.acquire(0, 30.0)).done()
    time.seconds += 600
    with pytest.raises(QuotaExhausted, match=r"library: the quota of 4 campaigns in 3600 s") as e:
        await window.acquire(60, 30.0)
    assert e.value.available_at == datetime.fromtimestamp(1000 + 3600, UTC)
    assert time.slept == []


async def test_a_ceiling_is_kept_when_requests_stay_open_longer_than_hoped() -> None:
    time = Time()
    window = Window(Quota(1, 1.0), time.clock)
    permit = await window.acquire(0, 30.0)
    permit.sent()
    with pytest.raises(QuotaExhausted):
        await window.acquire(10, 30.0)
    assert time.seconds == 1010


async def test_waiters_are_served_in_their_order() -> None:
    window = Window(Quota(2, 0.02))
    served: list[int] = []

    async def one(number: int) -> None:
        permit = await window.acquire(None, 1.0)
        served.append(number)
        permit.done()

    await asyncio.gather(*(one(number) for number in range(9)))
    assert served == list(range(9))


async def test_a_release_wakes_the_next_waiter() -> None:
    window = Window(Quota(1, 3600.0))
    permit = await window.acquire(0, 30.0)
    waiter = asyncio.create_task(window.acquire(None, 30.0))
    await asyncio.sleep(0)
    permit.release()
    async with asyncio.timeout(5):
        await waiter


async def test_a_cancelled_waiter_leaves_its_place() -> None:
    window = Window(Quota(1, 3600.0))
    permit = await window.acquire(0, 30.0)
    first, second = (asyncio.create_task(window.acquire(None, 30.0)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    permit.release()
    async with asyncio.timeout(5):
        await second


async def test_who_comes_late_does_not_overtake() -> None:
    time = Time()
    window = Window(Quota(1, 60.0), time.clock)
    (await window.acquire(0, 1.0)).done()
    waiter = asyncio.create_task(window.acquire(None, 1.0))
    await asyncio.sleep(0)
    with pytest.raises(QuotaExhausted):
        await window.acquire(0, 1.0)
    await waiter


Step = tuple[str, float]


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["done", "lost", "unsent"]), st.floats(0, 25)), max_size=30),
)
def test_no_mix_of_outcomes_passes_the_limit(limit: int, steps: list[Step]) -> None:
    time, server = Time(), Counter()
    window = Window(Quota(limit, 60.0), time.clock)

    async def run() -> None:
        for outcome, takes in steps:
            permit = await window.acquire(None, 30.0)
            permit.sent()
            time.seconds += takes
            end: dict[str, Callable[[], None]] = {"done": permit.done, "unsent": permit.release}
            if outcome != "unsent":
                server.arrivals.append(time.seconds)
            end.get(outcome, lambda: None)()

    asyncio.run(run())
    assert server.most(60.0) <= limit


async def test_the_limit_is_used_up() -> None:
    time, server = Time(), Counter()
    window = Window(Quota(3, 60.0), time.clock)
    for _ in range(9):
        await use(window, time, server, takes=0)
    assert [later - earlier for earlier, later in pairwise(server.arrivals)] == [
        0, 0, 60, 0, 0, 60, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", [(0, 1.0), (-1, 1.0), (1, 0.0), (1, -1.0)])
def test_a_quota_is_positive(wrong: tuple[int, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Quota(*wrong)


def test_making_a_window_needs_no_event_loop() -> None:
    assert isinstance(Window(FOUR)._clock, Clock)


def test_a_permit_is_what_the_protocol_says() -> None:
    async def take() -> Permit:
        return await Window(FOUR).acquire(None, 1.0)

    assert asyncio.run(take()) is not None
