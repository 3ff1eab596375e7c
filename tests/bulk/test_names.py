"""A name is taken by a job of which something was or may have been sent, or will be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext

import pytest

from mailkit.bulk.cancel import cancel
from mailkit.bulk.journal import Journal
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import read_recipients
from mailkit.errors import InvalidArgument, JobExists, OutcomeUnknown, Refused
from mailkit.remedies import for_commands
from mailkit.testing import FakeClock

from ..approval import approve
from .fakes import MESSAGE, FakeProvider, memory_journal, people
from .jobs import die, planned, take


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


async def send(
    journal: Journal,
    rows: Sequence[str],
    *,
    provider: FakeProvider | None = None,
    name: str | None = "autumn",
    again: bool = False,
    suppress: Sequence[str] = (),
) -> Report:
    taking = provider or FakeProvider()
    async with BulkSender(taking, journal=journal, clock=FakeClock()) as sender:
        unwanted = read_recipients(list(suppress)) if suppress else None
        job = await sender.start(
            MESSAGE, read_recipients(rows), name=name, again=again, suppress=unwanted
        )
        return await job.wait()


async def names(journal: Journal) -> list[str]:
    return [job.name for job in await journal.jobs.list()]


async def rows_in(journal: Journal) -> int:
    return await journal._db.read(
        lambda db: int(db.execute("SELECT count(*) FROM rows").fetchone()[0])
    )


@pytest.mark.parametrize("name", ["autumn", None])
async def test_a_list_that_is_wrong_as_a_whole_leaves_its_name_to_the_next(
    journal: Journal, name: str | None
) -> None:
    """The same list, too, since more than the list may have been wrong."""
    provider = FakeProvider()
    await send(journal, people(3), provider=provider, name="sent")
    for rows, suppress in (
        (["no-at-sign", ""], ()),
        (people(2), people(2)),
        (people(2), ()),  # they have it from the other job
    ):
        for _ in range(2):
            report = await send(journal, rows, name=name, suppress=suppress)
            assert report.counts.accepted == report.counts.unsent == 0
            assert (await make_report(journal, report.job)).counts.read == 2
            if name:
                assert await names(journal) == ["autumn", "sent"]
    corrected = await send(journal, people(4), provider=provider, name=name)
    assert corrected.counts.accepted == 1
    await journal.jobs.sweep()
    if name:
        assert await names(journal) == ["autumn", "sent"]
        assert await rows_in(journal) == 7
    else:  # one for each list, and none a second time
        assert len(await names(journal)) == 4


async def test_a_job_that_was_rejected_gives_its_name_away_and_stays(journal: Journal) -> None:
    """What the provider may show of it is not taken for the next one's."""
    refused = FakeProvider(refuses=lambda task: "no such mailbox p0@example.com p1@example.com")
    assert (await send(journal, people(2), provider=refused)).counts.rejected == 2
    missing = FakeProvider(bad={*people(2)})
    assert (await send(journal, people(2), provider=missing)).counts.rejected == 2
    doubtful = FakeProvider(acts=[OutcomeUnknown("lost")])
    report = await send(journal, people(2), provider=doubtful)
    assert report.counts.in_doubt == 2
    assert await names(journal) == ["autumn", "autumn-3", "autumn-2"]
    assert (await make_report(journal, "autumn-2")).counts.rejected == 2
    [label] = {doubt.label for doubt in report.doubts}
    attempts = [task.attempt for task in (*refused.chunks, *missing.chunks, *doubtful.chunks)]
    assert attempts == sorted(attempts)
    assert attempts[-1] > missing.chunks[-1].attempt > refused.chunks[-1].attempt
    assert label == f"autumn #1.{attempts[-1]}"


async def test_a_name_is_taken_once_anything_was_or_may_have_been_sent(journal: Journal) -> None:
    for name, acts, why in (
        ("accepted", [], "nothing left to send: use another name, or mail everybody"),
        ("in doubt", [OutcomeUnknown("lost")], "2 rows in doubt: check them .*, or use another"),
    ):
        await send(journal, people(2), provider=FakeProvider(acts=[*acts]), name=name, again=True)
        for rows in (people(2), people(5)):
            with pytest.raises(JobExists, match=f"already exists, and has {why}"):
                await send(journal, rows, name=name)
    assert (await send(journal, people(2), name="accepted", again=True)).job == "accepted-2"


async def test_what_is_still_to_be_sent_keeps_the_name_until_it_is_cancelled(
    journal: Journal,
) -> None:
    provider = FakeProvider(refuses=lambda task: "the sender is not active")
    assert (await send(journal, people(2), provider=provider)).counts.unsent == 2
    with pytest.raises(JobExists, match="nothing of it was sent yet"):
        await send(journal, people(3))
    with pytest.raises(JobExists):
        await send(journal, people(2), name="same list")
    await cancel(journal, "autumn", clock=FakeClock())
    assert (await send(journal, people(2))).counts.accepted == 2
    assert (await make_report(journal, "autumn-2")).counts.unsent == 2


async def test_a_refusal_says_whether_the_other_job_is_being_sent_and_what_to_do(
    journal: Journal,
) -> None:
    job = await planned(journal, people(2), "autumn")

    async def check(state: str) -> None:
        for what, start in (
            ("name", lambda: send(journal, people(3))),
            ("message and list", lambda: journal.jobs.refuse_twin(b"autumn")),
        ):
            for reader, words in ((" in Python", nullcontext), ("", for_commands)):
                with words(), pytest.raises(JobExists) as refused:
                    await start()
                assert refused.value.name == "autumn"
                approve(f"a job that is {state}{reader}: the same {what}", str(refused.value))

    await check("being sent")
    die(job)
    await check("planned")


async def test_only_what_was_planned_gives_way_and_only_to_what_was_planned(
    journal: Journal,
) -> None:
    """A plan that fails, or is only looked at, and a process that is killed, change nothing."""
    await send(journal, ["no-at-sign"])
    async with BulkSender(FakeProvider(), journal=journal, clock=FakeClock()) as sender:
        with pytest.raises(InvalidArgument):
            await sender.start(MESSAGE, read_recipients([]), name="autumn")
        plan = await sender.plan(MESSAGE, read_recipients(people(2)), name="autumn")
    assert plan.counts.to_send == 2
    assert (await make_report(journal, "autumn")).counts.invalid == 1
    killed = await journal.jobs.create("autumn", "fake", "shop", "{}", again=False, now=1.0)
    die(killed)
    await journal.jobs.sweep()
    assert (await make_report(journal, "autumn")).counts.invalid == 1


async def test_a_job_without_anybody_keeps_its_name_while_a_process_has_it(
    journal: Journal,
) -> None:
    job = await planned(journal, ["no-at-sign"], "autumn")
    with pytest.raises(JobExists):
        await send(journal, people(2))
    die(job)  # kill -9
    assert (await send(journal, people(2))).counts.accepted == 2


async def test_what_was_under_way_when_its_process_was_killed_keeps_the_name(
    journal: Journal,
) -> None:
    job = await planned(journal, people(2), "autumn")
    await take(journal, job)
    die(job)
    with pytest.raises(JobExists, match="autumn already exists, and has 2 rows in doubt"):
        await send(journal, people(3))


async def test_of_two_that_want_the_name_the_first_one_gets_it(journal: Journal) -> None:
    await send(journal, ["no-at-sign"])
    first, second, third = [
        await journal.jobs.create("autumn", "fake", "shop", "{}", again=again, now=1.0)
        for again in (False, False, True)
    ]

    async def finish(job: object, *, again: bool = False) -> str:
        planned = await journal.jobs.finish_planning(
            job,  # type: ignore[arg-type]
            columns=[],
            fingerprint=str(job).encode(),
            name="autumn",
            stem="list",
            again=again,
        )
        return planned.name

    assert await finish(first) == "autumn"
    with pytest.raises(JobExists):
        await finish(second)
    assert await finish(third, again=True) == "autumn-2"


async def test_refused_words_are_not_lost(journal: Journal) -> None:
    provider = FakeProvider(acts=[Refused("no such mailbox p0@example.com")])
    report = await send(journal, people(1), provider=provider)
    assert report.rejections == ["chunk 1, 1 rows: no such mailbox p0@example.com"]
