from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.core.clock import Clock
from mailkit.core.quota import SLACK, LocalPermits, Permit, Permits, Quota, request_quotas
from mailkit.errors import InvalidArgument, QuotaExhausted
from mailkit.testing import FakeClock

FOUR = Quota(4, 3600.0, "campaigns")
NAMES = ("requests",)


def permits(quota: Quota, clock: FakeClock | None = None) -> LocalPermits:
    """Permits of one quota; without a time by the real clock."""
    return LocalPermits({"requests": quota}, clock, provider="library")


class Counter:
    """A server that counts arrivals and knows the most there were in any window."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []

    def most(self, seconds: float) -> int:
        times = sorted(self.arrivals)
        return max(
            (sum(start <= time < start + seconds for time in times) for start in times), default=0
        )


async def use(window: LocalPermits, clock: FakeClock, server: Counter, takes: float) -> None:
    permit = await window.acquire(NAMES, None, 30.0)
    permit.sent()
    clock.advance(takes)
    server.arrivals.append(clock.monotonic())
    permit.done()


async def test_never_more_than_the_limit_in_any_window() -> None:
    clock, server = FakeClock(), Counter()
    window = permits(Quota(4, 60.0), clock)
    for place in range(30):
        await use(window, clock, server, takes=(place * 7) % 11)
    assert server.most(60.0) == 4


async def test_a_permit_counts_from_its_completion() -> None:
    clock = FakeClock()
    window = permits(Quota(1, 60.0), clock)
    permit = await window.acquire(NAMES, None, 30.0)
    permit.sent()
    clock.advance(20)
    permit.done()
    await window.acquire(NAMES, None, 30.0)
    assert clock.monotonic() == 20 + 60


async def test_a_permit_of_unknown_completion_counts_from_its_hard_deadline() -> None:
    clock = FakeClock()
    window = permits(Quota(1, 60.0), clock)
    permit = await window.acquire(NAMES, None, 30.0)
    clock.advance(5)
    permit.sent()
    clock.advance(1)
    permit.lost()
    await window.acquire(NAMES, None, 30.0)
    assert clock.monotonic() == 5 + 30 + SLACK + 60


async def test_a_request_that_was_given_up_late_counts_from_then() -> None:
    clock = FakeClock()
    window = permits(Quota(1, 60.0), clock)
    permit = await window.acquire(NAMES, None, 30.0)
    permit.sent()
    clock.advance(100)  # the process was suspended
    permit.lost()
    await window.acquire(NAMES, None, 30.0)
    assert clock.monotonic() == 100 + SLACK + 60


@pytest.mark.parametrize("sent", [False, True])
async def test_a_permit_counts_as_long_as_it_is_in_use(sent: bool) -> None:
    clock = FakeClock()
    window = permits(Quota(1, 60.0), clock)
    permit = await window.acquire(NAMES, None, 0.3)
    if sent:
        permit.sent()
    clock.advance(500)
    with pytest.raises(QuotaExhausted):
        await window.acquire(NAMES, 0, 0.3)
    permit.done()
    await window.acquire(NAMES, None, 0.3)
    assert clock.monotonic() == 500 + 60


async def test_a_permit_that_was_not_sent_counts_no_more() -> None:
    clock = FakeClock()
    window = permits(Quota(1, 60.0), clock)
    start = clock.monotonic()
    for _ in range(5):
        permit = await window.acquire(NAMES, None, 30.0)
        permit.release()
        permit.release()
        permit.done()  # too late, and of no effect
    assert clock.monotonic() == start


async def test_a_clock_that_is_set_back_makes_waits_longer_never_shorter() -> None:
    clock = FakeClock()
    window = permits(Quota(1, 60.0), clock)
    (await window.acquire(NAMES, None, 30.0)).done()
    clock.shift(-500)
    start = clock.monotonic()
    await window.acquire(NAMES, None, 30.0)
    assert clock.monotonic() - start >= 60


async def test_above_the_ceiling_the_time_is_told_at_once() -> None:
    clock = FakeClock()
    window = permits(FOUR, clock)
    for _ in range(4):
        (await window.acquire(NAMES, 0, 30.0)).done()
    clock.advance(600)
    with pytest.raises(
        QuotaExhausted, match=r"library: the quota of 4 campaigns in 60 minutes"
    ) as e:
        await window.acquire(NAMES, 60, 30.0)
    assert e.value.available_at == clock.utc + timedelta(seconds=3000)
    assert clock.slept == []


async def test_a_ceiling_is_kept_when_requests_stay_open_longer_than_hoped() -> None:
    clock = FakeClock()
    window = permits(Quota(1, 1.0), clock)
    permit = await window.acquire(NAMES, 0, 30.0)
    permit.sent()
    with pytest.raises(QuotaExhausted):
        await window.acquire(NAMES, 10, 30.0)
    assert clock.monotonic() == 10


async def test_waiters_are_served_in_their_order() -> None:
    window = permits(Quota(2, 0.02))
    served: list[int] = []

    async def one(number: int) -> None:
        permit = await window.acquire(NAMES, None, 1.0)
        served.append(number)
        permit.done()

    await asyncio.gather(*(one(number) for number in range(9)))
    assert served == list(range(9))


async def test_a_release_wakes_the_next_waiter() -> None:
    window = permits(Quota(1, 3600.0))
    permit = await window.acquire(NAMES, 0, 30.0)
    waiter = asyncio.create_task(window.acquire(NAMES, None, 30.0))
    await asyncio.sleep(0)
    assert not waiter.done()
    permit.release()
    async with asyncio.timeout(5):
        assert await waiter is not permit


async def test_a_cancelled_waiter_leaves_its_place() -> None:
    window = permits(Quota(1, 3600.0))
    permit = await window.acquire(NAMES, 0, 30.0)
    first, second = (asyncio.create_task(window.acquire(NAMES, None, 30.0)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    permit.release()
    async with asyncio.timeout(5):
        assert await second is not permit
    assert first.cancelled()


async def test_who_comes_late_does_not_overtake() -> None:
    clock = FakeClock()
    window = permits(Quota(1, 60.0), clock)
    (await window.acquire(NAMES, 0, 1.0)).done()
    waiter = asyncio.create_task(window.acquire(NAMES, None, 1.0))
    await asyncio.sleep(0)
    with pytest.raises(QuotaExhausted):
        await window.acquire(NAMES, 0, 1.0)
    await waiter


Step = tuple[str, float]


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["done", "lost", "unsent"]), st.floats(0, 25)), max_size=30),
)
def test_no_mix_of_outcomes_passes_the_limit(limit: int, steps: list[Step]) -> None:
    clock, server = FakeClock(), Counter()
    window = permits(Quota(limit, 60.0), clock)

    async def run() -> None:
        for outcome, takes in steps:
            permit = await window.acquire(NAMES, None, 30.0)
            permit.sent()
            clock.advance(takes)
            if outcome == "lost":
                server.arrivals.append(max(clock.monotonic(), clock.monotonic() - takes + 30.0))
            elif outcome == "done":
                server.arrivals.append(clock.monotonic())
            {"done": permit.done, "unsent": permit.release, "lost": permit.lost}[outcome]()

    asyncio.run(run())
    assert server.most(60.0) <= limit


async def test_the_limit_is_used_up() -> None:
    clock, server = FakeClock(), Counter()
    window = permits(Quota(3, 60.0), clock)
    for _ in range(9):
        await use(window, clock, server, takes=0)
    assert [later - earlier for earlier, later in pairwise(server.arrivals)] == [
        0, 0, 60, 0, 0, 60, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", [(0, 1.0), (-1, 1.0), (1, 0.0), (1, -1.0)])
def test_a_quota_is_positive(wrong: tuple[int, float]) -> None:
    with pytest.raises(InvalidArgument, match="give a"):
        Quota(*wrong)


def test_making_permits_needs_no_event_loop() -> None:
    assert isinstance(permits(FOUR)._clock, Clock)


def test_a_permit_is_what_the_protocol_says() -> None:
    async def take(some: Permits) -> Permit:
        return await some.acquire(NAMES, None, 1.0)

    assert asyncio.run(take(permits(FOUR))) is not None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (60, "60 seconds"),
        (3600, "60 minutes"),
        (86_400, "24 hours"),
        (90, "90 seconds"),
    ],
)
def test_a_quota_in_words(seconds: float, words: str) -> None:
    assert str(Quota(4, seconds, "campaigns")) == f"4 campaigns in {words}"


def test_several_quotas_of_requests_have_names_of_their_own() -> None:
    caps = Quota(10, 1.0), Quota(1_000, 60.0), Quota(20_000, 86_400.0)
    assert request_quotas(caps) == {
        "requests": caps[0], "requests a minute": caps[1], "requests a day": caps[2],
    }  # fmt: skip
    assert request_quotas(caps[1]) == {"requests a minute": caps[1]}
    assert request_quotas(None) == {}
    with pytest.raises(InvalidArgument, match="requests"):
        request_quotas([Quota(10, 1.0), Quota(20, 5.0)])


@pytest.mark.parametrize(("seconds", "free_at"), [(100.0, 100.0), (None, 900.0)])
async def test_a_refusal_of_the_service_blocks_what_it_is_about(
    seconds: float | None, free_at: float
) -> None:
    clock, names = FakeClock(), ("requests", "campaigns")
    both = LocalPermits({"requests": Quota(10, 1.0), "campaigns": FOUR}, clock)
    permit = await both.acquire(names, 0, 30.0)
    permit.refused(requests=False, seconds=seconds)
    permit.done()
    (await both.acquire(("requests",), 0, 30.0)).done()
    with pytest.raises(QuotaExhausted) as told:
        await both.acquire(names, 10, 30.0)
    assert told.value.available_at == clock.utc + timedelta(seconds=free_at)
    await both.acquire(names, None, 30.0)
    assert clock.monotonic() == free_at


class CreepingClock(FakeClock):
    """A clock that goes on whenever it is looked at, as real ones do, and can't sleep backwards."""

    def monotonic(self) -> float:
        self.advance(0.3)
        return super().monotonic()

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        await super().sleep(seconds)


async def test_a_moment_that_passes_while_it_is_worked_out_is_waited_for_no_longer() -> None:
    clock = CreepingClock()
    window = permits(Quota(1, 1.0), clock)

    async def take() -> None:
        (await window.acquire(NAMES, None, 30.0)).done()

    await asyncio.gather(*[take() for _ in range(40)])
    assert window._windows["requests"].in_use == 0
