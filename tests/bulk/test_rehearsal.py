"""A plan says what the job would do, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit import BulkSender, Journal, Message, Plan, read_recipients
from mailkit.bulk.engine import UPLOADED
from mailkit.bulk.estimate import Duration
from mailkit.bulk.journal import RowState
from mailkit.bulk.journal.store import Connection
from mailkit.bulk.reasons import GROUPS, OTHERS
from mailkit.errors import (
    AccountRefused,
    InvalidArgument,
    JobExists,
    Unavailable,
    Unsupported,
)
from mailkit.provider import Cost, Dispatch, Limits, Quota
from mailkit.testing import FakeClock, ScriptedProvider

from ..examples import examples
from .fakes import MESSAGE, FakeDispatch, FakeProvider, memory_journal, people
from .jobs import states
from .test_stages import STAGES, ListProvider

PERSONAL = Message("Shop <news@shop.example>", "Hi {{ name }}", html="<p>{{ name }} & {{ n }}</p>")
NOTHING = {"jobs": 0, "rows": 0, "chunks": 0, "suppressions": 0}


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


def sender_of(journal: Journal, provider: FakeProvider | ScriptedProvider) -> BulkSender:
    return BulkSender(provider, journal=journal, clock=FakeClock())


async def plan_of(
    journal: Journal,
    rows: Sequence[str],
    *,
    suppress: Sequence[str] | None = None,
    again: bool = False,
    provider: FakeProvider | ScriptedProvider | None = None,
) -> Plan:
    """What a job with these rows would do."""
    unwanted = None if suppress is None else read_recipients(list(suppress))
    async with sender_of(journal, provider or FakeProvider()) as sender:
        recipients = read_recipients(rows)
        return await sender.plan(MESSAGE, recipients, suppress=unwanted, again=again)


async def kept(journal: Journal) -> dict[str, int]:
    """How many lines each table has."""

    def work(db: Connection) -> dict[str, int]:
        return {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in NOTHING
        }

    return await journal._db.read(work)


@examples(20)
@given(
    rows=st.lists(st.sampled_from([*people(6), "P1@example.com", "x", "y", ""]), min_size=1),
    before=st.lists(st.sampled_from(people(6)), max_size=3),
    suppress=st.lists(st.sampled_from(people(6)), max_size=2),
    again=st.booleans(),
)
def test_it_counts_as_the_job_does(
    rows: list[str], before: list[str], suppress: list[str], again: bool
) -> None:
    async def check() -> None:
        provider = FakeProvider()
        async with memory_journal() as journal:
            await journal.suppressions.add(["p0@example.com"], reason="unsubscribed", now=1.0)
            if before:
                async with sender_of(journal, provider) as sender:
                    first = await sender.start(MESSAGE, read_recipients(before), name="before")
                    await first.wait()
            tables = await kept(journal)
            try:
                plan = await plan_of(journal, rows, suppress=suppress, again=again)
            except JobExists:
                assert rows == before
                return
            assert await kept(journal) == tables
            earlier = len(provider.chunks)
            async with sender_of(journal, provider) as sender:
                unwanted = read_recipients(suppress)
                recipients = read_recipients(rows)
                job = await sender.start(MESSAGE, recipients, suppress=unwanted, again=again)
                counts = (await job.wait()).counts
            expected = counts.read, counts.invalid, counts.duplicate, counts.suppressed
            planned = plan.counts
            assert expected == (
                planned.read,
                planned.invalid,
                planned.duplicate,
                planned.suppressed,
            )
            assert plan.counts.to_send == plan.counts.unsent == counts.accepted
            assert plan.chunks == plan.requests == len(provider.chunks) - earlier
            left_out = sum(group.rows for group in plan.left_out)
            assert left_out == counts.read - counts.to_send

    asyncio.run(check())


async def test_rows_that_are_left_out_are_grouped_by_the_reason(journal: Journal) -> None:
    rows = ["x", *people(5), *people(4), "y", "@", "p4@example.com"]
    plan = await plan_of(journal, rows, suppress=["p0@example.com"])
    found = [
        (group.kind, group.reason, group.rows, [row.line for row in group.examples])
        for group in plan.left_out
    ]
    assert found == [
        (RowState.INVALID, "no @", 2, [1, 11]),
        (RowState.INVALID, "nothing before the @", 1, [12]),
        (RowState.DUPLICATE, "the address is that of line …", 5, [7, 8, 9]),
        (RowState.SUPPRESSED, "named for this job", 1, [2]),
    ]
    assert plan.left_out[2].examples[0].reason == "the address is that of line 2"


async def test_reasons_without_end_are_one_group(journal: Journal) -> None:
    names = [f"{chr(0x4E00 + n)}" for n in range(GROUPS + 20)]
    rows = [f"{name}@example.com" for name in names]
    plan = await plan_of(journal, rows)
    assert len(plan.left_out) == GROUPS + 1
    assert (plan.left_out[0].reason, plan.left_out[0].rows) == (OTHERS, 20)
    assert plan.samples == []
    assert plan.counts.to_send == plan.chunks == plan.requests == 0


async def test_the_first_messages_are_made_with_the_rows_values(journal: Journal) -> None:
    provider = ScriptedProvider(cost=Cost({"left": 7}, enough=True))
    rows = [("x", {"name": "", "n": 0})]
    rows += [(one, {"name": "<A>", "n": n}) for n, one in enumerate(people(5))]
    async with sender_of(journal, provider) as sender:
        plan = await sender.plan(PERSONAL, read_recipients(rows))
    assert [(one.line, one.to, one.subject, one.html) for one in plan.samples] == [
        (n + 2, f"p{n}@example.com", "Hi <A>", f"<p>&lt;A&gt; & {n}</p>") for n in range(3)
    ]
    assert plan.cost == provider.cost
    assert not provider.tasks


async def test_the_time_is_that_of_the_stages_under_their_quotas(journal: Journal) -> None:
    provider = ScriptedProvider(
        limits=Limits(rows=2, size=1_000), quotas={"requests": Quota(1, 60.0, "requests")}
    )
    plan = await plan_of(journal, people(9), provider=provider)
    assert (plan.chunks, plan.requests) == (5, 5)
    assert plan.duration == Duration(240.0, "requests")


async def test_the_requests_of_a_provider_with_lists_are_those_of_all_stages(
    journal: Journal,
) -> None:
    clock = FakeClock()
    async with BulkSender(ListProvider(clock), journal=journal, clock=clock) as sender:
        plan = await sender.plan(MESSAGE, read_recipients(people(13)))
        assert (plan.chunks, plan.requests) == (3, 3 + 7 + 7 + 3 + 1 + 3)


async def test_what_start_refuses_is_refused(journal: Journal) -> None:
    async with sender_of(journal, FakeProvider()) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(2)), name="autumn")
        await job.wait()
        with pytest.raises(JobExists):
            await sender.plan(MESSAGE, read_recipients(people(2)))
        with pytest.raises(JobExists):
            await sender.plan(MESSAGE, read_recipients(people(3)), name="autumn")
        with pytest.raises(InvalidArgument):
            await sender.plan(PERSONAL, read_recipients(people(3)))
        assert await states(journal, await journal.jobs.get("autumn")) == dict.fromkeys(
            people(2), "accepted"
        )
    assert [job.name for job in await journal.jobs.list()] == ["autumn"]


async def test_a_plan_that_fails_leaves_nothing_behind(journal: Journal) -> None:
    class Penniless(FakeDispatch):
        async def cost(self, emails: int, cursors: Sequence[str] = ()) -> Cost | None:
            raise Unavailable("no balance today")

    class Provider(FakeProvider):
        def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
            return Penniless(self)

    with pytest.raises(Unavailable):
        await plan_of(journal, people(3), provider=Provider())
    assert await kept(journal) == NOTHING


async def test_an_upload_does_all_but_the_sending_and_a_resume_sends(journal: Journal) -> None:
    clock = FakeClock()
    shop = ListProvider(clock)
    async with BulkSender(shop, journal=journal, clock=clock) as sender:
        plan, job = await sender.upload(MESSAGE, read_recipients(people(13)), name="autumn")
        report = await job.wait()
        assert plan.counts.to_send == report.counts.unsent == 13
        assert (job.error, report.stopped) == (None, UPLOADED)
        assert {stage for stage, *_ in shop.log} == {stage.name for stage in STAGES[:-1]}
        assert sum(map(len, shop.loads)) == 13
        left = await sender.uploaded(plan, "autumn")
        assert (left.cost, left.chunks, left.requests) == (None, plan.chunks, plan.chunks)
        report = await (await sender.resume("autumn")).wait()
    assert report.complete
    assert shop.mailed == dict.fromkeys(people(13), 1)
    assert [stage for stage, *_ in shop.log].count("load") == 7


async def test_an_upload_stops_where_the_cost_is_refused(journal: Journal) -> None:
    clock = FakeClock()
    shop = ListProvider(clock)
    shop.acts["afford"] = [lambda task: AccountRefused("the balance is short by 12.50")]
    async with BulkSender(shop, journal=journal, clock=clock) as sender:
        _, job = await sender.upload(MESSAGE, read_recipients(people(3)), name="autumn")
        report = await job.wait()
    assert isinstance(job.error, AccountRefused)
    assert report.counts.unsent == 3
    assert not shop.mailed


async def test_where_one_request_does_all_there_is_nothing_to_upload(journal: Journal) -> None:
    async with sender_of(journal, FakeProvider()) as sender:
        with pytest.raises(Unsupported):
            await sender.upload(MESSAGE, read_recipients(people(3)))
    assert await kept(journal) == NOTHING
