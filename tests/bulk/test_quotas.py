"""Jobs under the quotas of their account: permits come with the chunks, and who waits says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import attrs
import pytest

from mailkit import Message, Quota
from mailkit.bulk.journal import Journal
from mailkit.bulk.report import make_report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_recipients
from mailkit.core.moments import moment
from mailkit.core.quota import SLACK
from mailkit.errors import InvalidArgument, MailkitError, NotSent, OutcomeUnknown, Refused
from mailkit.events import JobEvent, SendingHeld
from mailkit.provider import SEND, Done, Limits, Permits, Provider, Scope, Sent, Stage, Task, Wait
from mailkit.testing import FakeClock, ScriptedProvider

from .fakes import memory_journal, people
from .jobs import until_waiting

MESSAGE = Message(sender="Shop <news@shop.example>", subject="Hi", html="<p>Hi</p>")
CAMPAIGNS = {"campaigns": Quota(2, 600.0, "campaigns")}
ONE = {"requests": Quota(1, 60.0)}
STAGES = (
    Stage("load", Scope.PART, repeatable=True),
    Stage("send", carries_rows=False, rows_refusable=False, quotas=("campaigns",)),
)
PAIRS = Limits(rows=2, size=1_000, part_rows=1)


@attrs.define(eq=False, kw_only=True)
class TimedProvider(ScriptedProvider):
    """Knows when its requests came; ``bad`` is an address for which it refuses a whole request."""

    clock: FakeClock = attrs.field(factory=FakeClock)
    limits: Limits = attrs.field(factory=lambda: Limits(rows=1, size=1_000))
    times: dict[str, list[float]] = attrs.field(factory=dict)
    bad: str | None = None

    def perform(self, task: Task) -> Done | Sent | Wait:
        self.times.setdefault(task.stage.name, []).append(self.clock.monotonic())
        if any(row.address == self.bad for row in task.rows):
            raise Refused("no")
        return super().perform(task)

    def most(self, stage: str, seconds: float) -> int:
        times = self.times[stage]
        return max(sum(at <= one < at + seconds for one in times) for at in times)


def about(*times: float) -> object:
    """These times, but for what planning takes."""
    return pytest.approx(times, abs=0.1)


class Heedless(TimedProvider):
    """Takes no permits of its own."""

    def with_permits(self, permits: Permits | None) -> Provider:
        return self


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


@asynccontextmanager
async def sender_of(
    journal: Journal, provider: TimedProvider, events: list[JobEvent] | None = None
) -> AsyncIterator[BulkSender]:
    hooks = [] if events is None else [events.append]
    clock = provider.clock
    async with BulkSender(provider, journal=journal, clock=clock, hooks=hooks) as sender:
        yield sender


async def send(journal: Journal, provider: TimedProvider, rows: int) -> None:
    """A job that is sent to its end."""
    async with sender_of(journal, provider) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(rows)), name="a")
        report = await job.wait()
    assert report.stopped is None
    assert report.counts.unsent == 0


async def test_so_many_campaigns_an_hour_and_no_more(journal: Journal) -> None:
    provider = TimedProvider(quotas=CAMPAIGNS, stages=STAGES, limits=PAIRS)
    await send(journal, provider, 10)
    assert provider.times["send"] == about(0, 0, 600, 600, 1200)
    assert provider.mailed.total() == 10


@pytest.mark.parametrize("back", [3_600.0, 40 * 86_400.0])
async def test_a_wall_clock_that_is_set_back_makes_nobody_wait_longer(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, back: float
) -> None:
    provider = TimedProvider(quotas=CAMPAIGNS, stages=STAGES, limits=PAIRS)
    take = journal.chunks.take

    async def set_back_meanwhile(*given: Any, **named: Any) -> object:
        found = await take(*given, **named)
        provider.clock.shift(-back)
        return found

    monkeypatch.setattr(journal.chunks, "take", set_back_meanwhile)
    await send(journal, provider, 10)
    assert provider.times["send"] == pytest.approx((0, 0, 600, 600, 1200), abs=15)


async def test_other_stages_go_on_while_campaigns_wait(journal: Journal) -> None:
    provider = TimedProvider(quotas=CAMPAIGNS, stages=STAGES, limits=PAIRS)
    await send(journal, provider, 10)
    assert len(provider.times["load"]) == 10
    assert max(provider.times["load"]) < 60


async def test_status_and_report_say_what_is_waited_for(journal: Journal) -> None:
    provider = TimedProvider(quotas=CAMPAIGNS, stages=STAGES, limits=PAIRS)
    clock = provider.clock
    events: list[JobEvent] = []
    async with sender_of(journal, provider, events) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(6)), name="a")
        step = await until_waiting(job)
        clock.autojump = False
        free_at = clock.now() - clock.monotonic() + provider.times["send"][0] + 600
        assert step.waiting is not None
        assert step.waiting.words(lambda at: moment(at.timestamp(), clock.now())) == (
            f"next campaign at {moment(free_at, clock.now())}: the quota of 2 campaigns in "
            "10 minutes is used up"
        )
        assert step.seconds_left == pytest.approx(free_at - clock.now())
        report = await make_report(journal, "a")
        assert report.waiting is not None
        assert report.waiting.why == "the quota of 2 campaigns in 10 minutes"
        assert report.waiting.quota == "campaigns"
        assert report.waiting.until is not None
        assert report.waiting.until.timestamp() == pytest.approx(free_at)
        held = [event.until.timestamp() for event in events if isinstance(event, SendingHeld)]
        assert held == pytest.approx([free_at])
        clock.autojump = True
    report = await make_report(journal, "a")
    assert report.waiting is None


async def test_two_jobs_of_an_account_share_its_quotas(journal: Journal) -> None:
    provider = TimedProvider(quotas={"requests": Quota(3, 60.0)})
    async with sender_of(journal, provider) as one, sender_of(journal, provider) as two:
        first = await one.start(MESSAGE, read_recipients(people(6)), name="a")
        other = attrs.evolve(MESSAGE, subject="Ho")
        second = await two.start(other, read_recipients(people(6)), name="b")
        await first.wait()
        await second.wait()
    assert provider.most("send", 60.0) == 3
    assert max(provider.times["send"]) < 240
    jobs = [task.job for task in provider.tasks]
    assert {*jobs[3:6]} == {*jobs[6:9]} == {"a", "b"}


@pytest.mark.parametrize(
    ("error", "counts_until"),
    [
        (NotSent("dns"), 0.0),
        (OutcomeUnknown("reset"), 30 + SLACK + 60),
        (Refused("no"), 60.0),
    ],
)
@pytest.mark.parametrize("kind", [TimedProvider, Heedless])
async def test_how_long_a_permit_counts_depends_on_its_request(
    journal: Journal, kind: type[TimedProvider], error: MailkitError, counts_until: float
) -> None:
    provider = kind(quotas=ONE)
    provider.script(error)
    async with sender_of(journal, provider) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(2)), name="a")
        await job.wait()
    first, second = provider.times["send"][:2]
    if kind is TimedProvider or isinstance(error, NotSent):  # then, after a wait
        assert counts_until <= second - first < counts_until + 5


async def test_a_task_that_waits_gives_its_permits_back(journal: Journal) -> None:
    provider = Heedless(quotas={"requests": Quota(1, 3600.0)})
    provider.script(Wait(provider.clock.utc + timedelta(seconds=60), "not yet"))
    await send(journal, provider, 1)
    assert provider.times["send"] == about(0, 60)


async def test_a_provider_that_takes_no_permits_keeps_the_quota_too(journal: Journal) -> None:
    provider = Heedless(quotas=ONE)
    await send(journal, provider, 4)
    assert provider.times["send"] == about(0, 60, 120, 180)


async def test_who_looks_for_a_bad_row_waits_for_permits_too(journal: Journal) -> None:
    provider = TimedProvider(quotas=ONE, limits=Limits(rows=8, size=1_000), bad="p3@example.com")
    async with sender_of(journal, provider) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(8)), name="a")
        report = await job.wait()
    assert (report.counts.accepted, report.counts.rejected) == (7, 1)
    assert provider.most("send", 60.0) == 1


async def test_repeatable_stages_take_what_they_name_with_the_task(journal: Journal) -> None:
    stages = (Stage("list", repeatable=True, carries_rows=False, quotas=("lists",)), SEND)
    provider = TimedProvider(quotas={"lists": Quota(1, 60.0, "lists")}, stages=stages)
    await send(journal, provider, 3)
    assert provider.times["list"] == about(0, 60, 120)


async def test_without_quotas_nothing_is_written_into_the_ledger(journal: Journal) -> None:
    await send(journal, TimedProvider(), 3)
    found = await journal._db.read(lambda db: db.execute("SELECT * FROM accounts").fetchall())
    assert not found


async def test_a_rate_counts_recipients_and_stays_with_the_job(journal: Journal) -> None:
    provider = TimedProvider(limits=Limits(rows=4, size=1_000))
    async with sender_of(journal, provider) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(12)), name="a", rate="3/min")
        await provider.clock.sleep(90)
        job.stop()
        await job.wait()
        assert provider.mailed.total() == 6
    async with sender_of(journal, provider) as sender:
        await (await sender.resume("a")).wait()
    assert provider.times["send"] == pytest.approx([0, 60, 120, 180], abs=5)
    assert [len(task.rows) for task in provider.tasks] == [3, 3, 3, 3]


async def test_another_rate_holds_from_the_resume_on(journal: Journal) -> None:
    provider = TimedProvider(limits=Limits(rows=2, size=1_000))
    async with sender_of(journal, provider) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(8)), name="a", rate="2/h")
        await provider.clock.sleep(90)
        job.stop()
        await job.wait()
    async with sender_of(journal, provider) as sender:
        with pytest.raises(InvalidArgument, match="1/min is too low"):
            await sender.resume("a", rate="1/min")
        await (await sender.resume("a", rate="4/min")).wait()
    assert provider.mailed.total() == 8
    assert max(provider.times["send"]) < 300


@pytest.mark.parametrize("rate", ["", "5000", "0/h", "5000/week", "5/h "])
async def test_what_is_not_a_rate_is_refused(journal: Journal, rate: str) -> None:
    async with sender_of(journal, TimedProvider()) as sender:
        with pytest.raises(InvalidArgument, match="rate"):
            await sender.start(MESSAGE, read_recipients(people(1)), rate=rate)


async def test_a_plan_knows_the_rate(journal: Journal) -> None:
    async with sender_of(journal, TimedProvider(limits=Limits(rows=5, size=1_000))) as sender:
        found = await sender.plan(MESSAGE, read_recipients(people(10)), rate="2/min")
    assert (found.chunks, found.duration.seconds) == (5, 240.0)
    assert found.duration.quota == "recipients"
