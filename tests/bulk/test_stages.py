"""A provider with stages: lists that are created and loaded part by part, a cost that is looked at
once for all, and campaigns that are found again by their name.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

import attrs
import pytest

from mailkit.bulk.journal import Journal, Taken
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import (
    AccountRefused,
    MailkitError,
    NotSent,
    OutcomeUnknown,
    Refused,
    Unsupported,
)
from mailkit.events import DeliveryStatus
from mailkit.message import Message
from mailkit.provider import (
    Cost,
    Dispatch,
    Done,
    Limits,
    NotTaken,
    Permits,
    PollResult,
    Quota,
    RowStatus,
    Scope,
    Sent,
    Stage,
    Task,
    TaskRow,
    Wait,
)
from mailkit.testing import FakeClock

from .fakes import MESSAGE, memory_journal, people
from .jobs import die, until_waiting

STAGES = (
    Stage("list", repeatable=True, carries_rows=False),
    Stage("screen", Scope.PART, repeatable=True),
    Stage("load", Scope.PART, repeatable=True),
    Stage("ready", repeatable=True, carries_rows=False),
    Stage("afford", Scope.JOB, repeatable=True, carries_rows=False),
    Stage("send", carries_rows=False, rows_refusable=False, settles=True),
)
Act = Callable[[Task], MailkitError | Wait | None]


@attrs.define
class ListProvider:
    """Keeps lists by their names, and mails everybody in one when a campaign is made of it.

    ``acts`` has, by the stage's name, what happens instead before a task is done; ``late`` what
    is raised after it was. ``meanwhile`` happens once, while the word that there is no campaign is
    on its way.
    """

    clock: FakeClock
    name: str = "lists"
    account: str = "shop"
    can_poll: bool = True
    quotas: Mapping[str, Quota] = attrs.field(factory=dict)
    rows: int = 6
    part_rows: int = 2
    acts: dict[str, list[Act]] = attrs.field(factory=dict)
    late: dict[str, list[MailkitError]] = attrs.field(factory=dict)
    bad: set[str] = attrs.field(factory=set)
    opted_out: set[str] = attrs.field(factory=set)
    log: list[tuple[str, int, int | None]] = attrs.field(factory=list)
    loads: list[list[str]] = attrs.field(factory=list)
    lists: dict[str, dict[str, None]] = attrs.field(factory=dict)
    campaigns: dict[str, list[str]] = attrs.field(factory=dict)
    mailed: Counter[str] = attrs.field(factory=Counter)
    looks: int = 0
    meanwhile: Callable[[Task], None] | None = None

    def with_permits(self, permits: Permits | None) -> Self:
        return self

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        return ListDispatch(self)


@attrs.define
class ListDispatch:
    provider: ListProvider
    stages: Sequence[Stage] = STAGES

    @property
    def limits(self) -> Limits:
        return Limits(self.provider.rows, 1_000_000, part_rows=self.provider.part_rows)

    def measure(self, address: str, values: Sequence[str]) -> int:
        return len(address)

    def render(self, address: str, values: Sequence[str]) -> tuple[str, str]:
        return "Hi", f"Hi {address}"

    async def cost(self, emails: int, cursors: Sequence[str] = ()) -> Cost | None:
        return None

    async def prepare(self) -> None:
        return

    async def perform(self, task: Task) -> Done | Sent | Wait:
        await asyncio.sleep(0)
        shop, stage = self.provider, task.stage.name
        shop.log.append((stage, task.chunk, task.part))
        if (acts := shop.acts.get(stage)) and (act := acts.pop(0)(task)) is not None:
            if isinstance(act, MailkitError):
                raise act
            return act
        done = self._do(task)
        if late := shop.late.get(stage):
            raise late.pop(0)
        return done

    def _do(self, task: Task) -> Done | Sent:
        shop, addresses = self.provider, [row.address for row in task.rows]
        match task.stage.name:
            case "list":
                shop.lists.setdefault(task.label, {})
                return Done(cursor=task.label)
            case "screen":
                gone = {row.n: "unsubscribed" for row in task.rows if row.address in shop.opted_out}
                return Done(suppressed=gone)
            case "load":
                assert task.cursor is not None
                shop.loads.append(addresses)
                if shop.bad & set(addresses):
                    raise Refused("the request has errors")
                shop.lists[task.cursor].update(dict.fromkeys(addresses))
                return Done()
            case "send":
                assert task.cursor is not None
                assert task.label not in shop.campaigns, "one campaign is made twice"
                shop.campaigns[task.label] = list(shop.lists[task.cursor])
                shop.mailed.update(shop.campaigns[task.label])
                return Sent(f"campaign {task.label}")
            case _:
                return Done()

    async def test(self, row: TaskRow) -> Sent:
        raise Unsupported("it has no tests")

    async def recall(self, reference: str | None) -> None:
        raise Unsupported("it takes nothing back")

    async def settle(self, task: Task) -> Sent | NotTaken | Wait | None:
        self.provider.looks += 1
        for _ in range(100):  # the service takes its time: the senders must not leave meanwhile
            await asyncio.sleep(0)
        if task.label in self.provider.campaigns:
            return Sent(f"campaign {task.label}")
        if not task.looks:
            until = datetime.fromtimestamp(self.provider.clock.now(), UTC) + timedelta(minutes=10)
            return Wait(until, "looking for the campaign")
        meanwhile, self.provider.meanwhile = self.provider.meanwhile, None
        if meanwhile is not None:
            meanwhile(task)
        return NotTaken("there is no such campaign")

    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        addresses = self.provider.campaigns[reference.removeprefix("campaign ")]
        return PollResult(
            [RowStatus(one, DeliveryStatus.DELIVERED, False, "") for one in addresses]
        )


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


@pytest.fixture
def shop() -> ListProvider:
    return ListProvider(FakeClock())


async def send(
    journal: Journal,
    shop: ListProvider,
    addresses: Sequence[str] = (),
    *,
    resume: bool = False,
    concurrency: int = 1,
) -> Report:
    settings = EngineSettings(concurrency=concurrency)
    async with BulkSender(shop, journal=journal, settings=settings, clock=shop.clock) as sender:
        if resume:
            job = await sender.resume("a")
        else:
            job = await sender.start(MESSAGE, read_recipients(addresses), name="a")
        return await job.wait()


@pytest.mark.parametrize("concurrency", [1, 3, 8])
async def test_each_stage_is_done_in_its_turn(
    journal: Journal, shop: ListProvider, concurrency: int
) -> None:
    report = await send(journal, shop, people(15), concurrency=concurrency)
    assert report.complete
    assert shop.mailed == dict.fromkeys(people(15), 1)
    assert Counter(stage for stage, *_ in shop.log) == {
        "list": 3, "screen": 8, "load": 8, "ready": 3, "afford": 1, "send": 3,
    }  # fmt: skip
    at = [stage for stage, *_ in shop.log].index
    assert max(i for i, (stage, *_) in enumerate(shop.log) if stage == "ready") < at("afford")
    assert at("afford") < at("send")
    assert all(len(rows) <= 2 for rows in shop.loads)


async def test_a_bad_row_is_found_in_its_part_and_costs_nobody_else(
    journal: Journal, shop: ListProvider
) -> None:
    shop.bad = {"p3@example.com", "p10@example.com"}
    shop.part_rows = 5
    report = await send(journal, shop, people(15), concurrency=3)
    assert (report.counts.rejected, report.counts.accepted) == (2, 13)
    assert shop.mailed == dict.fromkeys(set(people(15)) - shop.bad, 1)


async def test_a_bad_row_that_comes_first_waits_until_somebody_was_taken(
    journal: Journal, shop: ListProvider
) -> None:
    shop.bad = {"p0@example.com"}
    report = await send(journal, shop, people(4))
    assert (report.counts.rejected, report.counts.accepted) == (1, 3)
    assert report.stopped is None


async def test_a_refusal_of_everybody_rejects_nobody(journal: Journal, shop: ListProvider) -> None:
    shop.bad = set(people(15))
    report = await send(journal, shop, people(15))
    assert (report.counts.rejected, report.counts.unsent) == (0, 15)
    assert report.stopped is not None
    assert "the request has errors" in report.stopped
    shop.bad.clear()
    report = await send(journal, shop, resume=True)
    assert report.complete
    assert shop.mailed == dict.fromkeys(people(15), 1)


@pytest.mark.parametrize("taken", [1, 2, 3])
async def test_a_refusal_of_everybody_that_begins_later_rejects_nobody(
    journal: Journal, shop: ListProvider, taken: int
) -> None:
    shop.part_rows = 2
    shop.acts["load"] = [lambda task: None] * taken
    shop.acts["load"].append(lambda task: shop.bad.update(people(15)))
    report = await send(journal, shop, people(15), concurrency=1)
    assert (report.counts.rejected, report.counts.accepted) == (0, 0)
    assert report.stopped is not None
    assert "the request has errors" in report.stopped
    shop.bad.clear()
    report = await send(journal, shop, resume=True)
    assert report.complete
    assert shop.mailed == dict.fromkeys(people(15), 1)


async def test_people_who_opted_out_are_suppressed_and_a_chunk_of_them_is_not_sent(
    journal: Journal, shop: ListProvider
) -> None:
    shop.opted_out = {*people(7)}
    report = await send(journal, shop, people(12))
    assert (report.counts.suppressed, report.counts.accepted) == (7, 5)
    assert shop.mailed == dict.fromkeys(people(12)[7:], 1)
    assert len(shop.campaigns) == 1


@pytest.mark.parametrize("stage", ["list", "screen", "load", "ready", "afford"])
async def test_a_repeatable_stage_is_repeated_when_its_outcome_is_unknown(
    journal: Journal, shop: ListProvider, stage: str
) -> None:
    shop.acts[stage] = [lambda task: OutcomeUnknown("reset"), lambda task: NotSent("dns")]
    shop.late[stage] = [OutcomeUnknown("reset after it was done")]
    report = await send(journal, shop, people(9))
    assert report.complete
    assert shop.mailed == dict.fromkeys(people(9), 1)


async def test_a_wait_is_in_the_journal_and_is_kept(journal: Journal, shop: ListProvider) -> None:
    begun = shop.clock.now()
    until = datetime.fromtimestamp(begun + 600, UTC)
    seen: list[Report] = []

    def wait(task: Task) -> Wait:
        return Wait(until, "the list is locked")

    shop.acts["ready"] = [wait, lambda task: None]

    async def look() -> None:
        while not shop.campaigns:
            seen.append(await make_report(journal, "a"))
            await shop.clock.sleep(60)

    async with BulkSender(shop, journal=journal, clock=shop.clock) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(6)), name="a")
        looking = asyncio.create_task(look())
        step = await until_waiting(job)
        report = await job.wait()
        await looking
    assert (step.waiting and step.waiting.why, step.loaded) == ("the list is locked", 6)
    assert report.complete
    assert "the list is locked" in {one.waiting and one.waiting.why for one in seen}
    assert shop.clock.now() >= begun + 600
    assert [stage for stage, *_ in shop.log].count("ready") == 2


async def test_a_barrier_that_refuses_stops_before_anybody_is_mailed(
    journal: Journal, shop: ListProvider
) -> None:
    shop.acts["afford"] = [lambda task: AccountRefused("the balance is short by 12.50")]
    report = await send(journal, shop, people(15))
    assert report.counts.unsent == 15
    assert await journal.reports.loaded(await journal.jobs.get("a"), 3) == 15
    assert not shop.mailed
    assert report.stopped is not None
    assert "the balance is short by 12.50" in report.stopped
    report = await send(journal, shop, resume=True)
    assert report.complete
    assert len(shop.lists) == 3  # nothing was loaded twice
    assert sum(map(len, shop.loads)) == 15


async def test_a_refused_campaign_stops_and_rejects_nobody(
    journal: Journal, shop: ListProvider
) -> None:
    shop.acts["send"] = [lambda task: Refused("this template is not allowed")]
    report = await send(journal, shop, people(15))
    counts = report.counts
    assert (counts.rejected, counts.in_doubt, counts.unsent) == (0, 6, 9)
    assert report.stopped == "the provider can't be used: this template is not allowed"


@pytest.mark.parametrize("done", [True, False])
async def test_a_doubt_is_settled_by_the_campaigns_name(
    journal: Journal, shop: ListProvider, done: bool
) -> None:
    begun = shop.clock.now()
    if done:
        shop.late["send"] = [OutcomeUnknown("reset")]
    else:
        shop.acts["send"] = [lambda task: OutcomeUnknown("reset")]
    report = await send(journal, shop, people(15), concurrency=3)
    assert report.complete
    assert shop.mailed == dict.fromkeys(people(15), 1)
    assert (shop.clock.now() - begun >= 600) is not done


async def test_a_no_of_the_service_is_as_old_as_the_question(
    journal: Journal, shop: ListProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is stopped while it has the word that there is no campaign yet. When it goes on,
    the request would have arrived by now, and it has.
    """
    monkeypatch.setattr("mailkit.bulk.journal.resolving.HELD_UP_SECONDS", 3600.0)

    def arrives(task: Task) -> None:
        assert task.cursor is not None
        shop.clock.advance(7200)
        shop.campaigns[task.label] = list(shop.lists[task.cursor])
        shop.mailed.update(shop.campaigns[task.label])

    shop.acts["send"] = [lambda task: OutcomeUnknown("timeout")]
    shop.meanwhile = arrives
    report = await send(journal, shop, people(15))
    assert report.complete
    assert shop.mailed == dict.fromkeys(people(15), 1)


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
@pytest.mark.parametrize("after", [True, False])
async def test_a_process_that_dies_at_any_stage_leaves_a_job_that_goes_on(
    journal: Journal, shop: ListProvider, stage: str, after: bool
) -> None:
    async with BulkSender(shop, journal=journal, clock=shop.clock) as sender:
        begun = await sender.start(MESSAGE, read_recipients(people(15)), name="a")
        begun.stop()
        await begun.wait()
    # A worker whose process ends in the middle of a task: it says nothing any more.
    dispatch = shop.dispatch(MESSAGE, ())
    while True:
        job = await journal.workers.join(await journal.jobs.get("a"))
        taken = await journal.chunks.take(job, shop.clock.now(), STAGES, limits=dispatch.limits)
        assert isinstance(taken, Taken)
        task = taken.task
        if task.stage.name == stage:
            if after:
                await dispatch.perform(task)
            die(job)
            break
        done = await dispatch.perform(task)
        assert isinstance(done, Done)
        await journal.chunks.advance(job, taken, done, STAGES)
        await journal.workers.leave(job)
    report = await send(journal, shop, resume=True, concurrency=2)
    assert report.complete
    assert shop.mailed == dict.fromkeys(people(15), 1)
