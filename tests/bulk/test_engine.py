"""The engine against a provider of a few lines: every outcome, stops, resumes, doubts."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.journal import Journal
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.resolve import resolve
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import (
    AuthenticationFailed,
    InvalidArgument,
    JobExists,
    JournalError,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
    Unsupported,
)
from mailkit.message import Message
from mailkit.provider import Sent, Task
from mailkit.testing import FakeClock

from ..examples import examples
from .fakes import MESSAGE, Act, FakeProvider, memory_journal, people
from .jobs import die, take

ONE_SENDER = EngineSettings(concurrency=1)


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


async def send(
    journal: Journal,
    provider: FakeProvider,
    addresses: Sequence[str],
    *,
    message: Message = MESSAGE,
    clock: FakeClock | None = None,
    settings: EngineSettings = ONE_SENDER,
    **options: object,
) -> Report:
    clock = clock or FakeClock()
    async with BulkSender(provider, journal=journal, clock=clock, settings=settings) as sender:
        job = await sender.start(message, read_recipients(addresses), **options)  # type: ignore[arg-type]
        return await job.wait()


async def resume(
    journal: Journal,
    provider: FakeProvider,
    name: str,
    *,
    clock: FakeClock | None = None,
    settings: EngineSettings = ONE_SENDER,
) -> Report:
    clock = clock or FakeClock()
    async with BulkSender(provider, journal=journal, clock=clock, settings=settings) as sender:
        return await (await sender.resume(name)).wait()


async def test_everybody_is_mailed_once_and_the_sum_holds(journal: Journal) -> None:
    provider = FakeProvider()
    report = await send(
        journal,
        provider,
        [*people(10), "P1@EXAMPLE.com", "no-at-sign", " p2@example.com "],
        settings=EngineSettings(concurrency=4),
    )
    assert provider.mailed == dict.fromkeys(people(10), 1)
    counts = report.counts
    assert (counts.read, counts.accepted, counts.invalid, counts.duplicate) == (13, 10, 1, 2)
    assert counts.accounted == counts.read
    assert report.complete
    assert report.unreconciled == 0


async def test_what_the_provider_refuses_by_name_is_rejected(journal: Journal) -> None:
    provider = FakeProvider(bad={"p1@example.com"})
    report = await send(journal, provider, people(4))
    assert (report.counts.accepted, report.counts.rejected) == (3, 1)


async def test_rows_refused_in_the_answer_are_rejected_with_its_reason(journal: Journal) -> None:
    refuse = lambda chunk: Sent("1", {chunk.rows[1].n: "unsubscribed"})  # noqa: E731
    provider = FakeProvider(acts=[refuse], hidden={"p1@example.com"})
    report = await send(journal, provider, people(3), name="a")
    record = await journal.jobs.get("a")
    rows = [row async for rows in journal.reports.rows(record) for row in rows]
    assert (report.counts.accepted, report.counts.rejected) == (2, 1)
    assert [(row.state, row.reason) for row in rows if row.state == "rejected"] == [
        ("rejected", "unsubscribed")
    ]


async def test_a_row_missing_from_the_status_list_is_in_doubt_after_the_deadline(
    journal: Journal,
) -> None:
    provider, clock = FakeProvider(hidden={"p4@example.com"}), FakeClock()
    began = clock.now()
    report = await send(journal, provider, people(6), clock=clock, name="a")
    assert (report.counts.accepted, report.counts.in_doubt) == (5, 1)
    assert clock.now() - began >= 600
    [doubt] = report.doubts
    assert (doubt.chunk, doubt.rows, doubt.first) == (2, 1, "p4@example.com")

    report = await resume(journal, provider, "a", clock=clock)
    assert report.counts.in_doubt == 1
    provider.hidden.clear()  # it appears after all
    report = await resume(journal, provider, "a", clock=clock)
    assert report.complete
    assert report.counts.accepted == 6


async def test_one_failed_look_after_the_deadline_puts_nobody_in_doubt(journal: Journal) -> None:
    provider, clock = FakeProvider(), FakeClock()
    async with BulkSender(provider, journal=journal, clock=clock) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(3)), name="a")
        provider.on_send = lambda chunk: job.stop()  # taken, but not looked for
        await job.wait()
    clock.advance(3600)
    provider.failing_polls = 1
    report = await resume(journal, provider, "a", clock=clock)
    assert report.complete
    assert report.unreconciled == 0


@pytest.mark.parametrize(
    "error", [NotSent("dns"), Unavailable("503"), RateLimited("slow down"), QuotaExhausted("4")]
)
async def test_what_was_not_taken_is_sent_again(journal: Journal, error: Exception) -> None:
    provider = FakeProvider(acts=[error, error])
    report = await send(journal, provider, people(6))
    assert provider.mailed == dict.fromkeys(people(6), 1)
    assert report.complete


async def test_the_wait_that_the_provider_asks_for_is_kept(journal: Journal) -> None:
    clock = FakeClock()
    began = clock.now()
    free = clock.utc + timedelta(seconds=2000)
    provider = FakeProvider(
        acts=[RateLimited("wait", retry_after=700), QuotaExhausted("wait", available_at=free)]
    )
    await send(journal, provider, people(3), clock=clock)
    assert 2000 <= clock.now() - began < 2010


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("on_disk", [True, False])
async def test_what_is_put_back_is_not_taken_by_others_before_the_wait_is_over(
    journal: Journal, tmp_path: Path, on_disk: bool, before: int
) -> None:
    """They may look for a chunk at the very moment when it is put back."""
    clock = FakeClock()
    over = clock.now() + 600
    early: Counter[int] = Counter()
    taken: Act = lambda chunk: Sent(None)  # noqa: E731
    provider = FakeProvider(
        chunk_rows=1, acts=[*[taken] * before, RateLimited("wait", retry_after=600)]
    )
    provider.on_send = lambda task: early.update([task.chunk] if clock.now() < over else [])
    if on_disk:
        journal = await Journal.open(tmp_path / "journal.db")
    settings = EngineSettings(concurrency=16)
    report = await send(journal, provider, people(4), clock=clock, settings=settings)
    if on_disk:
        await journal.close()
    assert report.complete
    assert set(early.values()) == {1}


async def test_an_unreachable_provider_stops_the_job_with_everything_unsent(
    journal: Journal,
) -> None:
    provider = FakeProvider(acts=[NotSent("connection refused")] * 100)
    report = await send(journal, provider, people(6), name="a")
    assert report.counts.unsent == 6
    assert report.stopped == "the provider can't be reached: connection refused"
    provider.acts.clear()
    assert (await resume(journal, provider, "a")).complete
    assert provider.mailed == dict.fromkeys(people(6), 1)


async def test_an_unknown_outcome_is_in_doubt_and_never_sent_again(journal: Journal) -> None:
    provider = FakeProvider(acts=[OutcomeUnknown("reset")])
    report = await send(journal, provider, people(6), name="a")
    assert (report.counts.in_doubt, report.counts.accepted) == (3, 3)
    assert [doubt.label for doubt in report.doubts] == ["a #1"]
    report = await resume(journal, provider, "a")
    assert report.counts.in_doubt == 3
    assert len(provider.chunks) == 2


async def test_three_unknown_outcomes_in_a_row_stop_the_job(journal: Journal) -> None:
    provider = FakeProvider(acts=[OutcomeUnknown("timeout")] * 9)
    report = await send(journal, provider, people(30))
    assert (report.counts.in_doubt, report.counts.unsent) == (9, 21)


async def test_refused_credentials_stop_the_job_and_reject_nobody(journal: Journal) -> None:
    provider = FakeProvider(acts=[AuthenticationFailed("wrong token")])
    report = await send(journal, provider, people(6), name="a")
    assert report.counts.unsent == 6
    assert (await resume(journal, provider, "a")).complete


async def test_a_stop_leaves_the_rest_unsent_and_resume_sends_it(journal: Journal) -> None:
    provider = FakeProvider()
    async with BulkSender(
        provider, journal=journal, clock=FakeClock(), settings=ONE_SENDER
    ) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(9)), name="a")
        provider.on_send = lambda chunk: job.stop()
        report = await job.wait()
    assert (report.counts.accepted, report.counts.unsent) == (3, 6)
    assert report.stopped == "stopped at your request"
    provider.on_send = None
    report = await resume(journal, provider, "a")
    assert report.complete
    assert provider.mailed == dict.fromkeys(people(9), 1)


async def test_a_bug_in_the_provider_leaves_the_chunk_in_doubt(journal: Journal) -> None:
    provider = FakeProvider(acts=[ZeroDivisionError()])
    with pytest.raises(ZeroDivisionError):
        await send(journal, provider, people(3), name="a")
    assert (await make_report(journal, "a")).counts.in_doubt == 3


async def test_what_a_dead_engine_was_sending_is_in_doubt(journal: Journal) -> None:
    provider = FakeProvider(acts=[NotSent("dns")] * 50)
    await send(journal, provider, people(6), name="a")
    record = await journal.workers.join(await journal.jobs.get("a"))
    assert await journal.chunks.take(record, 0.0) is not None
    die(record)
    provider.acts.clear()
    report = await resume(journal, provider, "a")
    assert (report.counts.in_doubt, report.counts.accepted) == (3, 3)
    assert provider.mailed == dict.fromkeys(people(6)[3:], 1)


async def test_a_dead_worker_takes_nothing_but_may_say_how_its_requests_ended(
    journal: Journal,
) -> None:
    provider = FakeProvider(acts=[NotSent("dns")] * 50)
    await send(journal, provider, people(9), name="a")
    old = await journal.workers.join(await journal.jobs.get("a"))
    first, second = await take(journal, old), await take(journal, old)
    die(old)
    new = await journal.workers.join(old)
    assert (await journal.reports.counts(new)).in_doubt == 6
    with pytest.raises(JournalError, match="declared this worker of the job a dead"):
        await journal.chunks.take(old, 0.0)
    with pytest.raises(JournalError, match="no longer belongs to this worker"):
        await journal.chunks.accept(new, first.ticket, 0.0, Sent("x"))
    await journal.chunks.accept(old, first.ticket, 0.0, Sent("x"))
    await journal.chunks.put_back(old, second.ticket, 0.0, "dns")
    counts = await journal.reports.counts(new)
    assert (counts.in_doubt, counts.accepted, counts.unsent) == (0, 3, 6)
    with pytest.raises(JournalError, match="no longer belongs to this worker"):
        await journal.chunks.put_back(old, first.ticket, 0.0, "late")


async def test_doubts_resolved_as_accepted_end_the_job(journal: Journal) -> None:
    provider = FakeProvider(acts=[OutcomeUnknown("reset")])
    await send(journal, provider, people(6), name="a")
    assert await resolve(journal, "a", 1, accepted=True) == 3
    report = await make_report(journal, "a")
    assert report.complete
    assert report.counts.accepted == 6


async def test_doubts_resolved_as_not_sent_are_sent_by_resume(journal: Journal) -> None:
    provider = FakeProvider(acts=[OutcomeUnknown("reset")])
    await send(journal, provider, people(6), name="a")
    assert await resolve(journal, "a", 1, accepted=False) == 3
    report = await resume(journal, provider, "a")
    assert report.complete
    assert provider.mailed == dict.fromkeys(people(6), 1)
    assert provider.chunks[-1].label == "a #1.2"


async def test_single_rows_in_doubt_are_sent_in_a_chunk_of_their_own(journal: Journal) -> None:
    provider = FakeProvider(hidden={"p1@example.com", "p5@example.com"})
    report = await send(journal, provider, people(6), name="a")
    assert report.counts.in_doubt == 2
    assert [doubt.rows for doubt in report.doubts] == [1, 1]
    provider.hidden.clear()
    assert await resolve(journal, "a", 1, accepted=True) == 1
    assert await resolve(journal, "a", 2, accepted=False) == 1
    report = await resume(journal, provider, "a")
    assert report.complete
    assert report.counts.accepted == report.counts.accounted == 6
    assert [row.address for row in provider.chunks[-1].rows] == ["p5@example.com"]


async def test_only_what_is_in_doubt_can_be_resolved(journal: Journal) -> None:
    await send(journal, FakeProvider(), people(3), name="a")
    with pytest.raises(InvalidArgument, match="chunk 1 of the job a is not in doubt"):
        await resolve(journal, "a", 1, accepted=True)
    with pytest.raises(InvalidArgument, match="nothing in the job a is in doubt"):
        await resolve(journal, "a", accepted=True)


async def test_a_name_that_exists_is_refused_and_again_numbers_it(journal: Journal) -> None:
    provider = FakeProvider()
    await send(journal, provider, people(3), name="a")
    with pytest.raises(JobExists, match="the job a already exists, and has nothing left to send"):
        await send(journal, provider, people(4), name="a")
    report = await send(journal, provider, people(4), name="a", again=True)
    assert report.job == "a-2"


async def test_the_same_letter_to_the_same_list_is_refused(journal: Journal) -> None:
    provider = FakeProvider()
    first = await send(journal, provider, people(3))
    with pytest.raises(JobExists, match=f"as the job {first.job}"):
        await send(journal, provider, people(3))
    with pytest.raises(JobExists):
        await send(journal, provider, people(3), name="another")
    assert sum(provider.mailed.values()) == 3
    assert [job.name for job in await journal.jobs.list()] == [first.job]
    other = attrs.evolve(MESSAGE, subject="Another")
    assert (await send(journal, provider, people(3), message=other)).job != first.job


async def test_suppressed_people_are_not_mailed(journal: Journal) -> None:
    await journal.suppressions.add(["P1@example.com"], reason="unsubscribed", now=0.0)
    provider = FakeProvider()
    report = await send(journal, provider, people(4), suppress=read_recipients(["p2@example.com"]))
    assert set(provider.mailed) == {"p0@example.com", "p3@example.com"}
    assert report.counts.suppressed == 2
    report = await send(journal, provider, people(4), again=True)
    assert report.counts.suppressed == 1  # a list named for one job is that job's alone


async def test_a_send_at_that_passes_pauses_the_job_until_it_is_allowed_late(
    journal: Journal,
) -> None:
    clock = FakeClock()
    message = attrs.evolve(MESSAGE, send_at=clock.utc + timedelta(seconds=60))
    provider = FakeProvider(acts=[RateLimited("wait", retry_after=90)])
    report = await send(journal, provider, people(3), message=message, clock=clock, name="a")
    assert report.counts.unsent == 3
    assert report.stopped is not None
    assert "has passed: resume with --ignore-send-at" in report.stopped
    late = EngineSettings(ignore_send_at=True)
    assert (await resume(journal, provider, "a", clock=clock, settings=late)).complete


async def test_a_send_at_in_the_past_is_refused_at_once(journal: Journal) -> None:
    message = attrs.evolve(MESSAGE, send_at=datetime(2001, 1, 1, tzinfo=UTC))
    with pytest.raises(InvalidArgument, match="has passed"):
        await send(journal, FakeProvider(), people(3), message=message, clock=FakeClock(1e9))


async def test_an_empty_list_leaves_nothing_in_the_journal(journal: Journal) -> None:
    with pytest.raises(InvalidArgument, match="nobody to mail"):
        await send(journal, FakeProvider(), [], name="a")
    assert await journal.jobs.find("a") is None


async def test_a_source_that_fails_half_way_leaves_nothing_in_the_journal(
    journal: Journal,
) -> None:
    def rows() -> list[str]:
        raise OSError("the database went away")

    def broken() -> object:
        yield from people(2500)
        rows()

    with pytest.raises(OSError, match="went away"):
        await send(journal, FakeProvider(), broken(), name="a")  # type: ignore[arg-type]
    assert await journal.jobs.find("a") is None
    report = await send(journal, FakeProvider(), people(3), name="a")
    assert report.counts.read == 3


async def test_another_provider_or_account_can_not_resume_a_job(journal: Journal) -> None:
    await send(journal, FakeProvider(), people(3), name="a")
    with pytest.raises(InvalidArgument, match="was started with fake, not other"):
        await resume(journal, FakeProvider(name="other"), "a")
    with pytest.raises(InvalidArgument, match="another account"):
        await resume(journal, FakeProvider(account="b"), "a")
    with pytest.raises(InvalidArgument, match="there is no job 'b'; the journal has 'a'"):
        await resume(journal, FakeProvider(), "b")


OUTCOMES = st.sampled_from(
    ["taken", "refused", "not sent", "limited", "unknown", "unknown but sent", "credentials"]
)


@examples(30)
@given(script=st.lists(OUTCOMES, max_size=40), count=st.integers(1, 40), senders=st.integers(1, 4))
async def test_whatever_happens_nobody_is_mailed_twice_and_nobody_is_lost(
    script: list[str], count: int, senders: int
) -> None:
    provider = FakeProvider(name="fake")

    def act(outcome: str) -> Act:
        def run(chunk: Task) -> Sent | Exception:
            if outcome == "unknown but sent":
                provider.mailed.update(row.address for row in chunk.rows)
                return OutcomeUnknown("reset after acting")
            outcomes: dict[str, Sent | Exception] = {
                "taken": Sent(str(len(provider.chunks))),
                "refused": Refused("no"),
                "not sent": NotSent("dns"),
                "limited": RateLimited("wait", retry_after=5),
                "unknown": OutcomeUnknown("reset"),
                "credentials": AuthenticationFailed("token"),
            }
            return outcomes[outcome]

        return run

    provider.acts = [act(outcome) for outcome in script]
    engine = EngineSettings(concurrency=senders)
    async with memory_journal() as journal:
        report = await send(journal, provider, people(count), settings=engine, name="a")
        while report.counts.unsent:
            report = await resume(journal, provider, "a", settings=engine)
    counts = report.counts
    assert max(provider.mailed.values(), default=0) <= 1
    assert counts.accounted == counts.read == count
    mailed = sum(provider.mailed.values())
    assert counts.accepted <= mailed <= counts.accepted + counts.in_doubt


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"message": "hello"}, "message: give Message"),
        ({"recipients": ["a@b.by"]}, "recipients: give read_recipients.*, not a list"),
        ({"recipients": "list.csv"}, "recipients: give read_recipients.*, not text"),
        ({"suppress": ["a@b.by"]}, "suppress: give read_suppressions"),
    ],
)
async def test_arguments_of_another_kind_are_refused_with_the_remedy(
    journal: Journal, changes: dict[str, object], words: str
) -> None:
    given = {"message": MESSAGE, "recipients": read_recipients(people(1)), **changes}
    async with BulkSender(FakeProvider(), journal=journal) as sender:
        with pytest.raises(InvalidArgument, match=words):
            await sender.start(**given)  # type: ignore[arg-type]
    assert await journal.jobs.list() == []


async def test_who_waits_in_another_task_hears_of_the_end_when_the_block_is_left(
    tmp_path: Path,
) -> None:
    provider = FakeProvider()
    async with BulkSender(provider, journal=tmp_path / "journal.db") as sender:
        job = await sender.start(MESSAGE, read_recipients(people(9)), name="a")
        waiting = [asyncio.create_task(job.wait()) for _ in range(3)]
        await asyncio.sleep(0)
    reports = [await asyncio.wait_for(task, 5) for task in waiting]
    assert [report.counts.accounted for report in reports] == [9, 9, 9]
    assert await asyncio.wait_for(job.wait(), 5) == reports[0]


async def test_a_start_under_way_when_the_block_is_left_ends_and_locks_nothing(
    tmp_path: Path,
) -> None:
    path, planning = tmp_path / "journal.db", asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        for address in people(3):
            planning.set()
            await asyncio.sleep(0.05)
            yield address

    async with BulkSender(FakeProvider(), journal=path) as sender:
        start = asyncio.create_task(sender.start(MESSAGE, read_recipients(slowly()), name="a"))
        await planning.wait()
    with pytest.raises(JournalError, match="closed"):
        await asyncio.wait_for(start, 5)
    async with BulkSender(FakeProvider(), journal=path) as sender:
        job = await sender.start(MESSAGE, read_recipients(people(3)), name="a")
        assert (await job.wait()).complete


async def test_a_job_that_was_planned_after_the_block_was_left_is_locked_by_nobody(
    journal: Journal,
) -> None:
    sender = BulkSender(FakeProvider(), journal=journal)

    async def slowly() -> AsyncIterator[str]:
        yield "a@example.com"
        await left.wait()

    left = asyncio.Event()
    async with sender:
        start = asyncio.create_task(sender.start(MESSAGE, read_recipients(slowly()), name="a"))
        await asyncio.sleep(0)
    left.set()
    with pytest.raises(InvalidArgument, match="inside its block"):
        await start
    async with BulkSender(FakeProvider(), journal=journal) as sender:
        assert (await (await sender.resume("a")).wait()).complete


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0}, {"concurrency": -1}, {"concurrency": "8"}, {"concurrency": 2.5},
        {"concurrency": True},
        {"pollers": 0}, {"reconcile": "10"}, {"reconcile": -1}, {"track": "2h"},
        {"max_wait": None}, {"concurrency": 10**9}, {"ignore_send_at": "no"}, {"trust_refusals": 1},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_can_not_work_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=f"^{next(iter(wrong))}: give "):
        EngineSettings(**wrong)


def test_a_provider_without_a_bulk_send_is_unsupported() -> None:
    class Mailer:
        """A client that sends messages one by one."""

    with pytest.raises(Unsupported, match="Mailer has no bulk send"):
        BulkSender(Mailer())  # type: ignore[arg-type]


@pytest.mark.parametrize("hooks", [None, print, ["x"], [asyncio.sleep]])
def test_hooks_are_functions_that_return_at_once(hooks: Any) -> None:
    with pytest.raises(InvalidArgument, match="hooks: give"):
        BulkSender(FakeProvider(), hooks=hooks)


def test_a_class_is_no_client() -> None:
    with pytest.raises(InvalidArgument, match=r"give a client, FakeProvider\(…\), not the class"):
        BulkSender(FakeProvider)  # type: ignore[arg-type]


async def test_a_sender_of_many_jobs_keeps_none_that_has_ended(journal: Journal) -> None:
    """Such as that of a web service, which is open for months."""
    provider = FakeProvider()
    async with BulkSender(provider, journal=journal, clock=FakeClock()) as sender:
        jobs = [
            await sender.start(MESSAGE, read_recipients([f"p{n}@example.com"]), name=f"job {n}")
            for n in range(3)
        ]
        await asyncio.gather(*(job.wait() for job in jobs))
        kept = weakref.ref(jobs.pop())
        jobs.clear()
        last = await sender.start(MESSAGE, read_recipients(["last@example.com"]), name="last")
        await last.wait()
        gc.collect()
        assert kept() is None
