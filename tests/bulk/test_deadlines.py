"""How long a row is looked for while the wall clock is set forward and back."""

from __future__ import annotations

import math
from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.deadlines import SHORTEST, begins_at, is_late, pause, taken_at
from mailkit.bulk.journal import Journal
from mailkit.bulk.report import Report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.message import Message
from mailkit.provider import Dispatch, PollResult, Task
from mailkit.testing import FakeClock

from .fakes import MESSAGE, FakeDispatch, FakeProvider, memory_journal, people

DAY = 86_400.0
PATIENCE = 600.0
moments = st.floats(0.0, 2e9)


@given(ended=moments, now=moments, steady=moments)
def test_whatever_the_clocks_say_a_run_looks_for_a_while_and_not_for_ever(
    ended: float, now: float, steady: float
) -> None:
    taken = taken_at(ended, now=now, steady=steady, patience=PATIENCE)
    begins = begins_at(None, now=now, steady=steady)
    assert not is_late(taken, begins, steady=steady + SHORTEST - 1, patience=PATIENCE)
    assert is_late(taken, begins, steady=steady + PATIENCE, patience=PATIENCE)


@pytest.mark.parametrize(
    ("ended", "left"), [(1000.0, PATIENCE), (700.0, 300.0), (0.0, SHORTEST), (5000.0, PATIENCE)]
)
def test_what_an_earlier_run_waited_counts(ended: float, left: float) -> None:
    taken = taken_at(ended, now=1000.0, steady=50.0, patience=PATIENCE)
    assert taken + PATIENCE == pytest.approx(50.0 + left)


def test_a_patience_below_the_shortest_is_kept() -> None:
    assert taken_at(0.0, now=1000.0, steady=50.0, patience=5.0) == 50.0


@given(jumps=st.lists(st.tuples(st.floats(0.0, 1e5), st.floats(-1e8, 1e8)), max_size=8))
def test_the_time_of_sending_comes_at_its_time_at_the_latest_and_never_in_the_past(
    jumps: list[tuple[float, float]],
) -> None:
    now, steady = 1e9, 0.0
    begins = begins_at(now + 3600.0, now=now, steady=steady)
    assert begins == 3600.0
    for passed, jump in jumps:
        steady += passed
        before, now = begins, now + passed + jump
        begins = begins_at(1e9 + 3600.0, now=now, steady=steady, before=before)
        assert min(before, steady) <= begins <= before


def test_without_a_time_of_sending_the_provider_begins_at_once() -> None:
    assert begins_at(None, now=1.0, steady=2.0) == -math.inf
    assert begins_at(None, now=1.0, steady=2.0, before=-math.inf) == -math.inf


@pytest.mark.parametrize(("since", "begins"), [(10.0, -math.inf), (10.0, 5.0), (5.0, 10.0)])
def test_the_patience_counts_from_the_taking_or_from_the_sending(
    since: float, begins: float
) -> None:
    assert not is_late(since, begins, steady=609.0, patience=PATIENCE)
    assert is_late(since, begins, steady=610.0, patience=PATIENCE)


# the engine


@attrs.define
class Lister(FakeProvider):
    """Names ``hidden`` rows only from the moment ``shown`` of the steady clock on; the wall clock
    is set anew by the seconds in ``jumps`` at its moments.
    """

    shown: float = math.inf
    jumps: dict[float, float] = attrs.field(factory=dict)
    polls: int = 0
    clock: FakeClock = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock = FakeClock(moved=self._move)

    def _move(self, seconds: float) -> None:
        for moment in [moment for moment in self.jumps if moment <= self.clock.monotonic()]:
            self.clock.shift(self.jumps.pop(moment))

    def dispatch(self, message: Message, columns: object) -> Dispatch:
        return Listing(self)


class Listing(FakeDispatch):
    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        provider = self.provider
        assert isinstance(provider, Lister)
        provider.polls += 1
        if provider.clock.monotonic() >= provider.shown:
            provider.hidden.clear()
        return await super().poll(reference, cursor)


async def send(journal: Journal, provider: Lister, message: Message = MESSAGE) -> Report:
    async with BulkSender(provider, journal=journal, clock=provider.clock) as sender:
        return await (await sender.start(message, read_recipients(people(3)), name="a")).wait()


@pytest.mark.parametrize("jump", [DAY, -DAY, 700.0])
async def test_a_clock_that_is_set_anew_in_a_run_changes_no_deadline(jump: float) -> None:
    async with memory_journal() as journal:
        provider = Lister(hidden={"p1@example.com"})
        began = provider.clock.monotonic()
        provider.jumps = {began + 30: jump}
        report = await send(journal, provider)
        assert report.counts.in_doubt == 1
        assert PATIENCE <= provider.clock.monotonic() - began <= PATIENCE + 60
        assert provider.polls < 30


@pytest.mark.parametrize("jump", [DAY, 700.0, 0.0])
async def test_a_row_that_is_named_in_time_is_not_in_doubt_whatever_the_clock_says(
    jump: float,
) -> None:
    async with memory_journal() as journal:
        provider = Lister(hidden={"p1@example.com"})
        provider.jumps = {provider.clock.monotonic() + 30: jump}
        provider.shown = provider.clock.monotonic() + PATIENCE - 60
        assert (await send(journal, provider)).complete


@pytest.mark.parametrize("jump", [DAY, 0.0, -DAY])
async def test_a_clock_that_is_set_anew_between_two_runs(jump: float) -> None:
    async with memory_journal() as journal:
        provider = Lister(hidden={"p1@example.com"})
        async with BulkSender(provider, journal=journal, clock=provider.clock) as sender:
            job = await sender.start(MESSAGE, read_recipients(people(3)), name="a")

            def stop(chunk: Task) -> None:
                job.stop()

            provider.on_send = stop
            assert (await job.wait()).unreconciled
        provider.on_send = None
        provider.clock.shift(jump)
        began = provider.clock.monotonic()
        async with BulkSender(provider, journal=journal, clock=provider.clock) as sender:
            assert (await (await sender.resume("a")).wait()).counts.in_doubt == 1
        waited = provider.clock.monotonic() - began
        assert (SHORTEST if jump == DAY else PATIENCE) <= waited <= PATIENCE + 60


@pytest.mark.parametrize("jump", [DAY, -DAY, 0.0])
async def test_a_time_of_sending_that_was_waited_for_does_not_move(jump: float) -> None:
    async with memory_journal() as journal:
        provider = Lister(hidden={"p1@example.com"})
        began = provider.clock.monotonic()
        provider.jumps = {began + 3000: jump}
        message = attrs.evolve(MESSAGE, send_at=provider.clock.utc + timedelta(hours=1))
        settings = EngineSettings(track=900.0)
        async with BulkSender(
            provider, journal=journal, clock=provider.clock, settings=settings
        ) as sender:
            job = await sender.start(message, read_recipients(people(3)), name="a")
            assert (await job.wait()).counts.in_doubt == 1
        assert 3600 + PATIENCE <= provider.clock.monotonic() - began <= 3600 + 960


def test_a_pause_grows_to_its_longest_however_often_it_was_tried() -> None:
    assert [pause(tries, 1.0, 60.0) for tries in (0, 1, 5, 6, 2000)] == [1.0, 2.0, 32.0, 60.0, 60.0]
