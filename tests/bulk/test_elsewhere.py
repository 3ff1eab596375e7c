"""The same person, the same message, another job: whose the person is, and when nobody's."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.attachment import Attachment
from mailkit.bulk.journal import InlineExecutor, JobRecord, Journal, OtherJob, RowRecord, Ticket
from mailkit.bulk.journal.sqlite.store import Connector, Work
from mailkit.bulk.plan import JobSpec, plan
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.report.advice import next_steps
from mailkit.bulk.resolve import replan_rejected, resolve
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.cli.run import Exit, exit_code
from mailkit.errors import JobExists
from mailkit.message import Message
from mailkit.provider import Sent
from mailkit.testing import FakeClock

from ..examples import examples
from .counted import checked
from .fakes import MESSAGE, FakeProvider, memory_journal, people
from .jobs import die, take
from .test_resolve import outcome_of

ONE = EngineSettings(concurrency=1)


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


async def planned(
    journal: Journal,
    rows: Sequence[str],
    name: str,
    message: Message = MESSAGE,
    *,
    provider: FakeProvider | None = None,
    again: bool = False,
    suppress: Sequence[str] = (),
) -> JobRecord:
    """The plan of a job in chunks of two, owned."""
    job = await plan(
        journal,
        provider or FakeProvider(chunk_rows=2),
        JobSpec(
            message,
            read_recipients(rows),
            name,
            again,
            read_recipients(list(suppress)) if suppress else None,
        ),
        clock=FakeClock(),
    )
    joined = await journal.workers.join(job)
    await journal.workers.leave(job)
    return joined


async def rows_of(journal: Journal, name: str) -> list[RowRecord]:
    job = await journal.jobs.get(name)
    return [row async for rows in journal.reports.rows(job) for row in rows]


async def ends(journal: Journal, name: str) -> list[str]:
    """Each row's state and, of duplicates, the reason."""
    return [
        row.state if row.state != "duplicate" else row.reason or ""
        for row in await rows_of(journal, name)
    ]


async def send(
    journal: Journal, provider: FakeProvider, rows: Sequence[str], name: str, **options: object
) -> Report:
    clock = FakeClock()
    async with BulkSender(provider, journal=journal, clock=clock, settings=ONE) as sender:
        job = await sender.start(MESSAGE, read_recipients(rows), name=name, **options)  # type: ignore[arg-type]
        return await job.wait()


SENT = "already sent by job m1"
WAITS = "waiting in job m1: resume that job"


async def test_a_corrected_list_mails_nobody_twice(journal: Journal) -> None:
    provider = FakeProvider()
    await send(journal, provider, [*people(5), "p5@exmaple.com"], "m1")
    report = await send(journal, provider, people(6), "m2")
    assert provider.mailed == dict.fromkeys([*people(6), "p5@exmaple.com"], 1)
    assert (report.counts.accepted, report.counts.duplicate) == (1, 5)
    assert report.elsewhere == {SENT: 5}
    assert await ends(journal, "m2") == [*[SENT] * 5, "accepted"]


async def test_whose_a_person_is_depends_on_the_row_of_the_other_job(journal: Journal) -> None:
    rows = [*people(14), "p0@example.com", "nobody", "gone@example.com"]
    await journal.suppressions.add(["gone@example.com"], reason="left", now=1.0)
    job = await planned(journal, rows, "m1")
    chunks = journal.chunks
    for n in range(1, 7):
        ticket = (await take(journal, job)).ticket
        match n:
            case 1:
                await chunks.accept(job, ticket, 3.0, Sent("r1"))
            case 2:
                await chunks.accept(job, ticket, 3.0, Sent("r2", {3: "blocked"}, {4: "not named"}))
            case 3:
                await chunks.doubt(job, ticket, 3.0, "reset")
            case 4:
                await chunks.reject(job, ticket, 3.0, "no money")
            case 6:
                await chunks.put_back(job, ticket, 3.0, "dns")
    await journal.suppressions.remove(["gone@example.com"])
    await planned(journal, [*people(14), "gone@example.com"], "m2")
    assert dict(zip([*people(14), "gone"], await ends(journal, "m2"), strict=True)) == {
        "p0@example.com": SENT,
        "p1@example.com": SENT,
        "p2@example.com": "unsent",  # refused by name
        "p3@example.com": SENT,  # in doubt alone
        "p4@example.com": SENT,  # in doubt with its chunk
        "p5@example.com": SENT,
        "p6@example.com": "unsent",  # refused with its chunk
        "p7@example.com": "unsent",
        "p8@example.com": SENT,  # being sent
        "p9@example.com": SENT,
        "p10@example.com": WAITS,  # taken, and put back
        "p11@example.com": WAITS,
        "p12@example.com": WAITS,
        "p13@example.com": WAITS,
        "gone": "unsent",
    }


async def test_a_row_that_was_moved_or_resolved_counts_like_any_other(journal: Journal) -> None:
    job = await planned(journal, people(6), "m1")
    for n in (1, 2):
        await journal.chunks.take(job, 2.0)
        await journal.chunks.doubt(job, Ticket(n, 1), 3.0, "reset")
    die(job)
    await resolve(journal, "m1", addresses=["p0@example.com"], accepted=True)
    await resolve(journal, "m1", addresses=["p3@example.com"], accepted=False)
    await planned(journal, people(8), "m2")
    assert await ends(journal, "m2") == [*[SENT] * 3, *[WAITS] * 3, "unsent", "unsent"]


async def test_a_row_on_trial_may_still_be_sent_by_its_job(journal: Journal) -> None:
    job = await planned(journal, ["p0@example.com"], "m1")
    await journal.chunks.take(job, 2.0)
    await journal.narrowing.try_row(job, Ticket(1, 1), 3.0, "no")
    await planned(journal, people(2), "m2")
    assert await ends(journal, "m2") == [WAITS, "unsent"]


# what is the same message


@pytest.mark.parametrize(
    "message",
    [
        attrs.evolve(MESSAGE, send_at=datetime(2040, 1, 1, tzinfo=UTC)),
        attrs.evolve(MESSAGE, track_opens=False),
        attrs.evolve(MESSAGE, track_clicks=True),
    ],
)
async def test_when_it_is_sent_and_how_it_is_tracked_make_no_other_message(
    journal: Journal, message: Message
) -> None:
    await planned(journal, people(2), "m1")
    await planned(journal, people(3), "m2", message)
    assert await ends(journal, "m2") == [WAITS, WAITS, "unsent"]


@pytest.mark.parametrize(
    "message",
    [
        attrs.evolve(MESSAGE, sender="Shop <other@shop.example>"),
        attrs.evolve(MESSAGE, sender="Store <news@shop.example>"),
        attrs.evolve(MESSAGE, subject="Hi!"),
        attrs.evolve(MESSAGE, html="<p>Hi!</p>"),
        attrs.evolve(MESSAGE, html=None, text="<p>Hi</p>"),
        attrs.evolve(MESSAGE, attachments=[Attachment("a.txt", b"a")]),
    ],
)
async def test_another_content_is_another_message(journal: Journal, message: Message) -> None:
    await planned(journal, people(2), "m1")
    await planned(journal, people(2), "m2", message)
    assert await ends(journal, "m2") == ["unsent"] * 2


async def test_another_provider_or_account_sends_the_same_message(journal: Journal) -> None:
    await planned(journal, people(2), "m1")
    other = FakeProvider(name="other", account="another")
    await planned(journal, people(3), "m2", provider=other)
    assert await ends(journal, "m2") == [WAITS, WAITS, "unsent"]


async def test_a_person_is_known_in_any_spelling(journal: Journal) -> None:
    await planned(journal, ["Anna@Example.com", "b@почта.example", "c@EXAMPLE.com"], "m1")
    rows = ["anna@example.COM", "B@xn--80a1acny.example", " C@example.com ", "anna@example.org"]
    await planned(journal, rows, "m2")
    assert await ends(journal, "m2") == [*[WAITS] * 3, "unsent"]


# orders and other reasons


async def test_an_order_to_send_it_again_is_carried_out(journal: Journal) -> None:
    provider = FakeProvider()
    await send(journal, provider, people(3), "m1")
    with pytest.raises(JobExists, match="as the job m1"):
        await send(journal, provider, people(3), "m2")
    report = await send(journal, provider, people(4), "m2", again=True)
    assert (report.counts.accepted, report.elsewhere) == (4, {})
    report = await send(journal, provider, [*people(5)], "m3")
    assert report.elsewhere == {SENT: 3, "already sent by job m2": 1}
    assert provider.mailed == Counter(people(3) * 2 + people(5)[3:])


async def test_a_report_knows_what_the_jobs_that_rows_are_left_to_have_not_ended(
    journal: Journal,
) -> None:
    first = await planned(journal, people(4), "m1")
    await send(journal, FakeProvider(chunk_rows=2), people(5), "m2")
    report = await make_report(journal, "m2")
    assert report.others == [OtherJob("m1", 4, 0, running=True)]
    assert exit_code(report, failed=False) is Exit.DONE
    taken = await take(journal, first)
    die(first)
    report = await make_report(journal, "m2")
    assert report.others == [OtherJob("m1", 2, 2, running=False)]
    assert report.counts.accepted == 1
    assert not report.complete
    assert exit_code(report, failed=False) is Exit.IN_DOUBT
    await resolve(journal, "m1", taken.task.chunk, accepted=True)
    report = await make_report(journal, "m2")
    assert report.others == [OtherJob("m1", 2, 0, running=False)]
    assert exit_code(report, failed=False) is Exit.UNSENT
    first = await journal.workers.join(first)
    await journal.chunks.accept(first, (await take(journal, first)).ticket, 4.0, Sent(None))
    report = await make_report(journal, "m2")
    assert (report.others, report.complete) == ([], True)
    assert exit_code(report, failed=False) is Exit.DONE


async def test_a_cancelled_job_has_only_those_who_wait_there_and_nowhere_else(
    journal: Journal,
) -> None:
    first = await planned(journal, people(4), "m1")
    await journal.chunks.accept(first, (await take(journal, first)).ticket, 3.0, Sent(None))
    await planned(journal, people(5), "before", provider=FakeProvider())
    await journal.cancelling.cancel(first, 4.0)
    die(first)
    report = await make_report(journal, "before")
    assert report.others == [OtherJob("m1", 2, 0, running=False, cancelled=True)]
    assert not report.complete
    advice = [str(one) for one in next_steps(report, str)]
    assert (
        "Some rows belong to the job m1, which is cancelled, with 2 of them unsent: "
        "mailkit resume m1 --cancelled"
    ) in advice
    after = await send(journal, FakeProvider(), people(4), "after")
    assert await ends(journal, "after") == [SENT, SENT, "accepted", "accepted"]
    assert (after.others, after.complete) == ([], True)
    assert exit_code(after, failed=False) is Exit.DONE
    assert (await make_report(journal, "before")).others == []
    await journal.cancelling.restore(first)
    assert (await make_report(journal, "after")).others == []


async def test_rows_that_another_job_has_for_itself_are_not_this_one_s(journal: Journal) -> None:
    first = await planned(journal, people(6), "m1")
    for outcome in ("accepted", "in doubt"):
        ticket = (await take(journal, first)).ticket
        if outcome == "accepted":
            await journal.chunks.accept(first, ticket, 3.0, Sent(None))
        else:
            await journal.chunks.doubt(first, ticket, 3.0, "reset")
    die(first)
    report = await send(journal, FakeProvider(), [*people(2), "new@example.com"], "m2")
    assert (report.elsewhere, report.others) == ({SENT: 2}, [])
    assert exit_code(report, failed=False) is Exit.DONE
    await send(journal, FakeProvider(), [*people(3), "newer@example.com"], "m3")
    report = await make_report(journal, "m3")
    assert report.others == [OtherJob("m1", 0, 1, running=False)]
    await resolve(journal, "m1", addresses=["p2@example.com"], accepted=False)
    report = await make_report(journal, "m3")
    assert report.others == [OtherJob("m1", 1, 0, running=False)]
    assert report.to_dict()["others"] == [
        {"name": "m1", "unsent": 1, "in_doubt": 0, "running": False, "cancelled": False}
    ]


async def test_whoever_was_sent_it_is_named_before_whoever_waits(journal: Journal) -> None:
    await planned(journal, people(2), "m1")
    job = await planned(journal, people(3), "m2", again=True)
    await journal.chunks.take(job, 2.0)
    await planned(journal, people(4), "m3")
    sent, waits = "already sent by job m2", "waiting in job m2: resume that job"
    assert await ends(journal, "m3") == [sent, sent, waits, "unsent"]


async def test_in_its_own_list_a_row_is_what_it_was(journal: Journal) -> None:
    await planned(journal, people(3), "m1")
    rows = ["p0@example.com", "P0@example.com", "p1@example.com", "nobody", "p7@example.com"]
    await planned(journal, rows, "m2", suppress=["p1@example.com"])
    states = [row.state for row in await rows_of(journal, "m2")]
    assert states == ["duplicate", "duplicate", "suppressed", "invalid", "unsent"]
    assert (await ends(journal, "m2"))[:2] == [WAITS, "the address is that of line 1"]


async def test_more_jobs_than_a_query_can_ask_about(journal: Journal) -> None:
    for n in range(170):
        await planned(journal, [f"q{n}@example.com"], f"m{n}", again=True)
    rows = [f"q{n}@example.com" for n in range(171)]
    await planned(journal, rows, "last")
    assert (await ends(journal, "last"))[99:] == [
        *(f"waiting in job m{n}: resume that job" for n in range(99, 170)),
        "unsent",
    ]


async def test_a_job_without_a_known_content_is_no_ones_twin(journal: Journal) -> None:
    for name in ("m1", "m2"):
        await planned(journal, people(2), name, again=True)
        await journal._db.write(lambda db: db.execute("UPDATE jobs SET content = NULL"))
    await planned(journal, people(3), "m3")
    assert await ends(journal, "m3") == ["unsent"] * 3


# rejected rows that are ordered again


async def test_what_was_rejected_here_and_sent_elsewhere_is_not_ordered_again(
    journal: Journal,
) -> None:
    job = await planned(journal, people(8), "m1")
    for n in range(1, 5):
        await journal.chunks.take(job, 2.0)
        if n < 4:
            await journal.chunks.reject(job, Ticket(n, 1), 3.0, "no money")
        else:
            await journal.chunks.accept(
                job, Ticket(n, 1), 3.0, Sent("r", {7: "blocked", 8: "blocked"})
            )
    await planned(journal, [*people(5), "p6@example.com"], "m2")
    assert await ends(journal, "m2") == ["unsent"] * 6
    done = await replan_rejected(journal, "m1")
    assert (done.rows, done.elsewhere) == (2, 6)
    waits = "waiting in job m2: resume that job"
    assert await ends(journal, "m1") == [*[waits] * 5, "unsent", waits, "unsent"]
    await checked(journal)
    report = await make_report(journal, "m1")
    assert (report.counts.rejected, report.counts.duplicate, report.counts.unsent) == (0, 6, 2)
    await planned(journal, people(9), "m3")
    assert await ends(journal, "m3") == [*[waits] * 5, WAITS, waits, WAITS, "unsent"]


async def test_what_is_named_is_ordered_again_and_nothing_else_is_set_aside(
    journal: Journal,
) -> None:
    job = await planned(journal, people(4), "m1")
    for n in (1, 2):
        await journal.chunks.take(job, 2.0)
        await journal.chunks.reject(job, Ticket(n, 1), 3.0, "no money")
    await planned(journal, people(3), "m2")
    done = await replan_rejected(journal, "m1", addresses=["p0@example.com", "p3@example.com"])
    assert (done.rows, done.elsewhere) == (1, 1)
    waits = "waiting in job m2: resume that job"
    assert await ends(journal, "m1") == [waits, "rejected", "rejected", "unsent"]


# at the same time


class Interrupted(InlineExecutor):
    """Before the work of a certain number, something else happens in another process."""

    def __init__(self, connect: Connector) -> None:
        super().__init__(connect)
        self.works_left = -1
        self.act: Callable[[], Coroutine[object, object, object]]

    def submit(self, work: Work) -> None:
        if self.works_left == 0:
            elsewhere(self.act)
        self.works_left -= 1
        super().submit(work)


def elsewhere(act: Callable[[], Coroutine[object, object, object]]) -> None:
    """Run it in a thread with a loop of its own, to its end."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(act())
        except Exception as error:  # noqa: BLE001 - the test must hear of it
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failures == []


Act = Callable[[Journal], Awaitable[object]]


async def plan_m2(journal: Journal) -> None:
    await planned(journal, people(6), "m2")


async def order_m1_again(journal: Journal) -> None:
    await replan_rejected(journal, "m1")


async def interrupted(path: Path, works: int, act: Act, subject: Act = plan_m2) -> bool:
    """Do this; before its work of this number, ``act``. Whether there was such a work."""
    executors: list[Interrupted] = []

    def executor(connect: Connector) -> Interrupted:
        executors.append(Interrupted(connect))
        return executors[0]

    async def other() -> None:
        journal = await Journal.open(path, executor=InlineExecutor)
        try:
            await act(journal)
        finally:
            await journal.close()

    journal = await Journal.open(path, executor=executor)
    executors[0].act, executors[0].works_left = other, works
    try:
        await subject(journal)
    finally:
        await journal.close()
    return executors[0].works_left < 0


async def owners(path: Path) -> dict[str, list[str]]:
    """Who will send to each person."""
    journal = await Journal.open(path, executor=InlineExecutor)
    found: dict[str, list[str]] = {}
    try:
        for job in await journal.jobs.list():
            for row in await rows_of(journal, job.name):
                if row.state in ("unsent", "accepted", "in doubt"):
                    found.setdefault(row.address, []).append(job.name)
        await checked(journal)
    finally:
        await journal.close()
    return found


@pytest.mark.parametrize("sent", [False, True])
async def test_another_job_may_be_planned_at_any_moment(tmp_path: Path, sent: bool) -> None:
    async def act(journal: Journal) -> None:
        job = await planned(journal, people(9)[3:], "m1")
        if sent:
            await journal.chunks.take(job, 2.0)
            await journal.chunks.accept(job, Ticket(1, 1), 3.0, Sent("r"))

    whose: Counter[str] = Counter()
    works = 0
    for works in range(100):
        path = tmp_path / f"{works}.db"
        if not await interrupted(path, works, act):
            break
        found = await owners(path)
        assert {len(jobs) for jobs in found.values()} == {1}
        assert sorted(found) == people(9)
        whose.update(jobs[0] for jobs in found.values())
    assert works > 8
    assert whose["m1"] > whose["m2"] > 3 * works  # m1 comes first, unless m2 is done


@pytest.mark.parametrize(
    ("subject", "act", "moments"), [(plan_m2, order_m1_again, 8), (order_m1_again, plan_m2, 2)]
)
async def test_rejected_rows_may_be_ordered_again_at_any_moment(
    tmp_path: Path, subject: Act, act: Act, moments: int
) -> None:
    works = 0
    for works in range(100):
        path = tmp_path / f"{works}.db"
        journal = await Journal.open(path, executor=InlineExecutor)
        job = await planned(journal, people(4), "m1")
        for n in (1, 2):
            await journal.chunks.take(job, 2.0)
            await journal.chunks.reject(job, Ticket(n, 1), 3.0, "no money")
        await journal.close()
        if not await interrupted(path, works, act, subject):
            break
        found = await owners(path)
        assert {len(jobs) for jobs in found.values()} == {1}
        assert sorted(found) == people(6)
    assert works > moments


async def test_of_several_processes_that_plan_at_once_each_person_gets_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"

    async def one(n: int) -> None:
        journal = await Journal.open(path)
        try:
            await planned(journal, people(40)[n : n + 30], f"m{n}")
        finally:
            await journal.close()

    await asyncio.gather(*(one(n) for n in range(6)))
    found = await owners(path)
    assert {len(jobs) for jobs in found.values()} == {1}
    assert len(found) == 35


# whatever happens


OUTCOMES = st.sampled_from(["taken", "refused", "unknown", "unknown but sent", "in part"])
ACTS = st.tuples(
    st.sampled_from(["start", "start", "resume", "order again", "resolve"]),
    st.integers(0, 3),
    st.sets(st.integers(0, 9), min_size=1),
)


@examples(15)
@given(script=st.lists(OUTCOMES, max_size=20), acts=st.lists(ACTS, min_size=2, max_size=10))
async def test_whatever_jobs_send_it_nobody_is_mailed_twice_and_nobody_is_lost(
    script: list[str], acts: list[tuple[str, int, set[int]]]
) -> None:
    provider = FakeProvider(chunk_rows=2)
    provider.acts = [outcome_of(provider, outcome) for outcome in script]
    wanted: set[str] = set()
    async with memory_journal() as journal:
        for act, n, numbers in acts:
            started = [job.name for job in await journal.jobs.list()]
            name = f"m{n}"
            if act == "start":
                rows = [f"p{number}@example.com" for number in sorted(numbers)]
                with contextlib.suppress(JobExists):
                    await send(journal, provider, rows, name)
                    wanted.update(rows)
            elif name not in started:
                continue
            elif act == "order again":
                await replan_rejected(journal, name)
            elif act == "resolve":
                await say_the_truth(journal, provider, name)
            else:
                await resume(journal, provider, name)
            await agrees(journal, provider)
        for job in await journal.jobs.list():
            await say_the_truth(journal, provider, job.name)
            while (await make_report(journal, job.name)).counts.unsent:
                await resume(journal, provider, job.name)
                await say_the_truth(journal, provider, job.name)
        await agrees(journal, provider)
        rejected = {
            row.address
            for job in await journal.jobs.list()
            for row in await rows_of(journal, job.name)
            if row.state == "rejected"
        }
        assert wanted <= {name for name, times in provider.mailed.items() if times} | rejected


async def resume(journal: Journal, provider: FakeProvider, name: str) -> None:
    clock = FakeClock()
    async with BulkSender(provider, journal=journal, clock=clock, settings=ONE) as sender:
        await (await sender.resume(name)).wait()


async def say_the_truth(journal: Journal, provider: FakeProvider, name: str) -> None:
    doubtful = [row.address for row in await rows_of(journal, name) if row.state == "in doubt"]
    for mailed in (True, False):
        some = [address for address in doubtful if (provider.mailed[address] > 0) == mailed]
        if some:
            await resolve(journal, name, addresses=some, accepted=mailed)


async def agrees(journal: Journal, provider: FakeProvider) -> None:
    """Nobody was mailed twice, nobody belongs to two jobs, and every report adds up."""
    assert max(provider.mailed.values(), default=0) <= 1
    whose: Counter[str] = Counter()
    for job in await journal.jobs.list():
        await make_report(journal, job.name)
        rows = await rows_of(journal, job.name)
        whose.update(row.address for row in rows if row.state in ("accepted", "in doubt", "unsent"))
    assert max(whose.values(), default=0) <= 1
    await checked(journal)
