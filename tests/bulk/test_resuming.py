"""The same order again and again: it starts the job, goes on with it, or says how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import AsyncMock

import attrs
import pytest

from mailkit import BulkSender, EngineSettings, Journal, Message, Report, read_recipients
from mailkit.bulk.cancel import cancel
from mailkit.bulk.source import RecipientSource
from mailkit.errors import AccountRefused, InvalidArgument, JobExists, Unavailable
from mailkit.provider import Limits
from mailkit.testing import FakeClock, ScriptedProvider

from ..approval import approve
from .fakes import MESSAGE, memory_journal, people
from .jobs import at

AT = datetime(2030, 1, 1, 1, tzinfo=UTC)  # an hour after the clock's beginning
LATER = attrs.evolve(MESSAGE, send_at=AT)
NAMES = ["autumn", None]


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider(limits=Limits(rows=2, size=1_000))


class Shop:
    """Orders that a machine gives again and again."""

    def __init__(self, provider: ScriptedProvider, journal: Journal, clock: FakeClock) -> None:
        self.provider, self.journal, self.clock = provider, journal, clock

    async def order(
        self,
        recipients: RecipientSource | None = None,
        message: Message = MESSAGE,
        name: str | None = "autumn",
        *,
        suppress: Sequence[str] | None = None,
        track: float = 0,
    ) -> Report:
        settings = EngineSettings(concurrency=1, track=track)
        async with BulkSender(
            self.provider, journal=self.journal, clock=self.clock, settings=settings
        ) as sender:
            job = await sender.start_or_resume(
                message,
                recipients or read_recipients(people(5)),
                name=name,
                suppress=None if suppress is None else read_recipients(suppress),
            )
            return await job.wait()

    def check_each_once(self, count: int = 5) -> None:
        assert self.provider.mailed == dict.fromkeys(people(count), 1)


@pytest.fixture
def shop(provider: ScriptedProvider, journal: Journal, clock: FakeClock) -> Shop:
    return Shop(provider, journal, clock)


def once() -> Iterator[str]:
    """The same list, as stdin has it."""
    return iter(people(5))


@pytest.mark.parametrize("name", NAMES)
async def test_it_starts_then_goes_on_and_then_says_how_it_ended(
    shop: Shop, name: str | None
) -> None:
    shop.provider.script(AccountRefused("no money left"))
    first = await shop.order(name=name)
    assert (first.stopped is not None, first.counts.unsent) == (True, 5)
    second = await shop.order(name=name)
    assert (second.job, second.counts.accepted, second.complete) == (first.job, 5, True)
    tasks = list(shop.provider.tasks)
    for recipients in (read_recipients(people(5)), read_recipients(once())):
        assert await shop.order(recipients, name=name) == second
    assert shop.provider.tasks == tasks
    assert [job.name for job in await shop.journal.jobs.list()] == [first.job]
    shop.check_each_once()


async def test_another_list_under_the_name_of_a_job_says_what_that_has_unsent(shop: Shop) -> None:
    shop.provider.script(AccountRefused("no money left"))
    await shop.order()
    with pytest.raises(JobExists, match="resume autumn, which has 5 rows unsent"):
        await shop.order(read_recipients(people(6)))


async def test_another_message_or_list_under_the_name_says_what_differs(shop: Shop) -> None:
    await shop.order()
    other = attrs.evolve(MESSAGE, subject="Winter", html="<p>Snow</p>")
    with pytest.raises(JobExists) as refused:
        await shop.order(message=other)
    assert refused.value.name == "autumn"
    approve("ordered again: another message", str(refused.value))
    with pytest.raises(JobExists) as refused:
        await shop.order(read_recipients(people(6)))
    assert refused.value.name == "autumn"
    approve("ordered again: another list", str(refused.value))
    with pytest.raises(JobExists, match="already went to this list, as the job autumn"):
        await shop.order(name="winter")
    shop.provider.account = "another"
    with pytest.raises(InvalidArgument, match="started with another account"):
        await shop.order(read_recipients(people(6)))
    shop.check_each_once()


@pytest.mark.parametrize("name", NAMES)
async def test_a_list_that_was_wrong_as_a_whole_may_be_corrected(
    shop: Shop, name: str | None
) -> None:
    wrong = ["no-at-sign", "", "a@b@c"]
    first = await shop.order(read_recipients(wrong), name=name)
    for recipients in (read_recipients(wrong), read_recipients(iter(wrong))):
        assert await shop.order(recipients, name=name) == first
    assert (await shop.order(name=name)).counts.accepted == 5
    assert (await shop.order(name=name)).counts.accepted == 5
    shop.check_each_once()


@pytest.mark.parametrize("name", NAMES)
async def test_a_cancelled_job_stays_cancelled(shop: Shop, name: str | None) -> None:
    shop.provider.script(AccountRefused("no money left"))
    job = (await shop.order(name=name)).job
    await cancel(shop.journal, job, clock=shop.clock)
    for recipients in (None, read_recipients(once())):
        with pytest.raises(InvalidArgument) as refused:
            await shop.order(recipients, name=name)
        approve("ordered again: a cancelled job", str(refused.value), job=job)
    assert not shop.provider.mailed


@pytest.mark.parametrize("name", NAMES)
async def test_a_time_that_has_passed_is_no_matter_once_the_job_is_there(
    shop: Shop, name: str | None
) -> None:
    ended = await shop.order(message=LATER, name=name)
    shop.clock.advance(7200)
    for recipients in (None, read_recipients(once())):
        assert await shop.order(recipients, message=LATER, name=name) == ended
    with pytest.raises(InvalidArgument, match=r"send_at .* has passed"):
        await shop.order(read_recipients(people(6)), message=LATER, name=None)
    shop.check_each_once()


@pytest.mark.parametrize("name", NAMES)
async def test_two_that_overlap_share_the_job(
    provider: ScriptedProvider, tmp_path: Path, name: str | None
) -> None:
    """Whoever comes second, while the first one plans or sends, waits and joins."""
    place = tmp_path / "journal.db"
    async with at(place) as one, at(place) as two:
        clock = FakeClock()
        reports = await asyncio.gather(
            *(Shop(provider, journal, clock).order(name=name) for journal in (one, two, two))
        )
    assert {report.job for report in reports} == {reports[0].job}
    assert all(report.counts.accepted == 5 for report in reports)
    assert provider.mailed == dict.fromkeys(people(5), 1)


async def test_who_is_suppressed_meanwhile_is_left_out(shop: Shop) -> None:
    first, last = people(5)[0], people(5)[4]
    shop.provider.script(AccountRefused("no money left"))
    assert (await shop.order(suppress=[first])).counts.suppressed == 1
    report = await shop.order(suppress=[first, last])
    assert (report.counts.suppressed, report.counts.accepted) == (2, 3)
    assert shop.provider.mailed == dict.fromkeys(people(5)[1:4], 1)


async def test_an_ended_job_needs_no_service_unless_it_is_tracked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = await shop.order()
    away = AsyncMock(side_effect=Unavailable("nobody is there"))
    monkeypatch.setattr("mailkit.testing.scripted._Dispatch.prepare", away)
    assert await shop.order() == ended
    with pytest.raises(Unavailable):
        await shop.order(track=60)
