"""A disk that fails at any write of a whole job: told in a sentence, and nobody twice or lost.

The job: ten rows of which seven are to be sent, three in a chunk, two requests at a time.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random

import attrs
import pytest

from mailkit.bulk.journal import Counts, InlineExecutor, Journal
from mailkit.bulk.journal.locks import Locks
from mailkit.bulk.journal.sqlite.opening import Connector
from mailkit.bulk.journal.sqlite.store import Executor
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.resolve import resolve
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import (
    AuthenticationFailed,
    InvalidArgument,
    JournalError,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
)
from mailkit.message import Message
from mailkit.provider import Dispatch, Sent, Task
from mailkit.testing import FakeClock

from ..approval import approve
from ..bulk.fakes import MESSAGE, FakeDispatch, FakeProvider, people
from ..bulk.jobs import until_waiting
from .disk import ERRORS, Disk

ROWS = [*people(4), "no-at-sign", "P1@EXAMPLE.COM", "s@example.com", *people(7)[4:]]
SENT = people(7)
SENDERS = 2
ENGINE = EngineSettings(concurrency=SENDERS, pollers=2)

Executors = Callable[[Connector], Executor]


@attrs.define
class Story:
    """A job's lives on one journal; what the provider sees is checked as it sees it."""

    path: Path
    executor: Executors | None = InlineExecutor
    provider: FakeProvider = attrs.field(factory=FakeProvider)
    unguarded: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.provider.on_send = self.look

    def look(self, task: Task) -> None:
        """Others must see the chunk as being sent, by a worker that lives."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as db:
            found = db.execute(
                "SELECT state, workers.ended, worker FROM chunks "
                "JOIN workers ON workers.id = worker WHERE n = ?",
                (task.chunk,),
            ).fetchone()
        if found[:2] != ("sending", 0) or not Locks(self.path).held(found[2]):
            self.unguarded.append(f"{task.label}: {found}")

    async def live(self, disk: Disk) -> JournalError | None:
        """Start the job, or resume it, on this disk; the error that ended the life."""
        try:
            journal = await self.open(disk)
        except JournalError as error:
            return error
        try:
            await self._run(journal)
        except JournalError as error:
            return error
        finally:
            await journal.close()
        return None

    async def end_well(self) -> None:
        """On a disk in order the rest is sent, a person ends the doubts by the truth, and then
        everybody has been mailed once.
        """
        journal = await self.open(Disk())
        try:
            report = await self._run(journal)
            for doubt in report.doubts:
                mailed = {self.provider.mailed[address] for address in (doubt.first, doubt.last)}
                assert mailed in ({0}, {1})
                await resolve(journal, "a", doubt.chunk, accepted=mailed == {1})
            if report.doubts:
                report = await self._run(journal)
            assert report.complete
            assert report.counts.accepted == len(SENT)
        finally:
            await journal.close()
        assert self.provider.mailed == dict.fromkeys(SENT, 1)
        assert self.unguarded == []

    async def open(self, disk: Disk) -> Journal:
        with disk.of_new_connections():
            return await Journal.open(self.path, executor=self.executor)

    async def _run(self, journal: Journal) -> Report:
        clock = FakeClock()
        async with BulkSender(
            self.provider, journal=journal, settings=ENGINE, clock=clock
        ) as sender:
            try:
                job = await sender.resume("a")
            except InvalidArgument:  # there is none yet
                suppress = read_recipients(["s@example.com"])
                source = read_recipients(ROWS)
                job = await sender.start(MESSAGE, source, name="a", suppress=suppress)
            report = await job.wait()
        counts = report.counts
        assert counts.accounted == counts.read == len(ROWS)
        assert (counts.invalid, counts.duplicate, counts.suppressed) == (1, 1, 1)
        assert max(self.provider.mailed.values(), default=0) <= 1
        return report

    def in_flight(self) -> int:
        """The chunks that the journal, as it was left, says are being sent or in doubt."""
        with closing(sqlite3.connect(self.path)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'chunks'").fetchone():
                return 0
            where = "state IN ('sending', 'in doubt')"
            return int(db.execute(f"SELECT count(*) FROM chunks WHERE {where}").fetchone()[0])


async def _writes(path: Path) -> int:
    """How many writes the job takes on a disk in order, from the making of the journal on."""
    disk = Disk()
    assert await Story(path).live(disk) is None
    return disk.writes


async def _fails(story: Story, disk: Disk) -> None:
    """The disk fails in the job's life, and tells; after that all ends well on a better one."""
    error = await story.live(disk)
    if error is None:  # a cursor was closed, which nobody waits for
        assert disk.failed in ("BEGIN IMMEDIATE", "COMMIT", None)
    else:
        assert str(disk.error()) in str(error)
    assert story.in_flight() <= SENDERS
    await story.end_well()


@pytest.mark.parametrize("kind", ERRORS)
async def test_any_write_may_fail_once(kind: str, tmp_path: Path) -> None:
    first = list(ERRORS).index(kind)  # the kinds take turns
    for nth in range(1 + first, await _writes(tmp_path / "clean.db") + 1, len(ERRORS)):
        await _fails(Story(tmp_path / f"{nth}.db"), Disk(nth, ERRORS[kind]))


async def test_every_third_write_may_be_the_last_that_the_disk_heard_of(tmp_path: Path) -> None:
    kinds = list(ERRORS.values())
    for nth in range(1, await _writes(tmp_path / "clean.db") + 1, 3):
        await _fails(Story(tmp_path / f"{nth}.db"), Disk(nth, kinds[nth // 3 % 4], lasting=True))


async def test_every_third_write_may_be_done_although_it_fails(tmp_path: Path) -> None:
    for nth in range(2, await _writes(tmp_path / "clean.db") + 1, 3):
        await _fails(Story(tmp_path / f"{nth}.db"), Disk(nth, ERRORS["I/O error"], late=True))


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
async def test_any_write_of_the_journals_own_threads_may_fail(
    lasting: bool, tmp_path: Path
) -> None:
    last = await _writes(tmp_path / "clean.db")  # about: works that meet share a commit
    for nth in range(1 + 4 * lasting, last, 8):
        await _fails(Story(tmp_path / f"{nth}.db", None), Disk(nth, lasting=lasting))


async def test_a_journal_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    await _writes(tmp_path / "clean.db")
    with closing(sqlite3.connect(tmp_path / "clean.db")) as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
    for most in range(1, pages):
        story = Story(tmp_path / f"{most}.db")
        error = await story.live(Disk(pages=most))
        assert "database or disk is full" in str(error)
        assert story.in_flight() <= SENDERS
        await story.end_well()


async def test_a_journal_that_can_only_be_read_is_told(tmp_path: Path) -> None:
    story = Story(tmp_path / "journal.db")
    story.provider.acts = [AuthenticationFailed("wrong token")]
    assert await story.live(Disk()) is None
    mailed = story.provider.mailed.copy()
    error = await story.live(Disk(query_only=True))
    approve("journal: read-only", str(error))
    assert story.provider.mailed == mailed
    await story.end_well()


# Somebody else on the same journal.


async def test_a_journal_that_is_locked_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    story = Story(tmp_path / "journal.db")
    holding: list[threading.Thread] = []

    def hold(task: Task) -> None:
        story.look(task)
        if not holding:
            db = sqlite3.connect(story.path, isolation_level=None, check_same_thread=False)
            db.execute("BEGIN IMMEDIATE")
            holding.append(threading.Timer(0.05, db.close))
            holding[0].start()

    story.provider.on_send = hold
    await story.end_well()
    holding[0].join()


async def test_a_journal_that_stays_locked_ends_the_run_with_what_was_under_way_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.bulk.journal.sqlite.file.BUSY_SECONDS", 0.01)
    story = Story(tmp_path / "journal.db")
    with closing(sqlite3.connect(story.path, isolation_level=None)) as other:

        def hold(task: Task) -> None:
            story.look(task)
            if not other.in_transaction:
                other.execute("BEGIN IMMEDIATE")

        story.provider.on_send = hold
        error = await story.live(Disk())
        assert "database is locked" in str(error)
        assert 1 <= story.in_flight() <= SENDERS
    story.provider.on_send = story.look
    await story.end_well()


@attrs.define
class Held(FakeProvider):
    """Its first engine's requests are acted upon, but answered only when the test says so."""

    answers: dict[int, asyncio.Future[Sent]] = attrs.field(factory=dict)
    holding: bool = True

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        return HeldDispatch(self) if self.holding else FakeDispatch(self)


@attrs.define
class HeldDispatch(FakeDispatch):
    async def perform(self, task: Task) -> Sent:
        provider = self.provider
        assert isinstance(provider, Held)
        provider.mailed.update(row.address for row in task.rows)
        answer: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        provider.answers[task.chunk] = answer
        return await answer


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    with Disk().of_new_connections():
        opened = await Journal.open(tmp_path / "journal.db", executor=InlineExecutor)
    yield opened
    await opened.close()


def engine(journal: Journal, provider: FakeProvider) -> BulkSender:
    return BulkSender(provider, journal=journal, settings=ENGINE, clock=FakeClock())


async def _under_way(provider: Held, requests: int) -> None:
    while len(provider.answers) < requests:  # noqa: ASYNC110 - there is nothing to wait for
        await asyncio.sleep(0)


async def test_a_second_worker_sends_the_rest_and_waits_for_what_the_first_has_under_way(
    journal: Journal,
) -> None:
    provider = Held()
    async with engine(journal, provider) as first, engine(journal, provider) as second:
        job = await first.start(MESSAGE, read_recipients(SENT), name="a")
        await _under_way(provider, SENDERS)
        with pytest.raises(InvalidArgument, match="chunk 1 of the job a is not in doubt"):
            await resolve(journal, "a", 1, accepted=False)
        provider.holding = False
        joined = await second.resume("a")
        step = await until_waiting(joined)
        assert (step.counts.accepted, step.counts.unsent) == (1, 6)  # what lives is not in doubt
        for answer in provider.answers.values():
            answer.set_exception(OutcomeUnknown("reset"))
        reports = await asyncio.gather(job.wait(), joined.wait())
    assert [(one.counts.accepted, one.counts.in_doubt) for one in reports] == [(1, 6)] * 2
    assert len(provider.answers) == SENDERS
    assert provider.mailed == dict.fromkeys(SENT, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open can't be removed there")
@pytest.mark.parametrize(
    ("late", "counts"),
    [
        (Sent(None), {"accepted": 7}),
        (Refused("no"), {"accepted": 1, "unsent": 6}),
        (NotSent("dns"), {"accepted": 1, "unsent": 6}),
        (OutcomeUnknown("reset"), {"accepted": 1, "in_doubt": 6}),
    ],
    ids=lambda late: type(late).__name__,
)
async def test_a_worker_that_lost_its_lock_takes_nothing_more_but_says_how_its_requests_ended(
    late: Sent | Exception, counts: Mapping[str, int], journal: Journal, tmp_path: Path
) -> None:
    provider = Held()
    async with engine(journal, provider) as first:
        job = await first.start(MESSAGE, read_recipients(SENT), name="a")
        await _under_way(provider, SENDERS)

        shutil.rmtree(tmp_path / "journal.db-locks")  # somebody tidies up
        provider.holding = False
        async with engine(journal, provider) as second:
            report = await (await second.resume("a")).wait()
        assert (report.counts.accepted, report.counts.in_doubt) == (1, 6)

        for answer in provider.answers.values():
            if isinstance(late, Sent):
                answer.set_result(late)
            else:
                answer.set_exception(late)
        with pytest.raises(JournalError, match="declared this worker of the job a dead"):
            await job.wait()
    after = await make_report(journal, "a")
    assert after.counts == Counts(read=7, **counts)
    assert len(after.doubts) == (2 if "in_doubt" in counts else 0)
    assert provider.mailed == dict.fromkeys(SENT, 1)


async def test_a_copied_journal_is_refused_until_it_is_adopted_and_then_sends_the_rest(
    tmp_path: Path,
) -> None:
    story, copy = Story(tmp_path / "journal.db"), tmp_path / "copy.db"
    story.provider.acts = [OutcomeUnknown("reset"), AuthenticationFailed("wrong token")]
    assert await story.live(Disk()) is None
    shutil.copy(story.path, copy)
    for _ in range(2):
        with pytest.raises(JournalError, match="copied, moved or restored without"):
            await Journal.open(copy)
    opened = await Journal.open(copy, adopt="latest")
    await opened.close()
    story.path = copy
    await story.end_well()


# The wall clock.


class Jumpy(FakeClock):
    """Each look at the wall clock may be hours off."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.chance = chance

    def now(self) -> float:
        return super().now() + self.chance.choice([-7200.0, -3600.0, 0.0, 3600.0, 7200.0])


@pytest.mark.parametrize("seed", range(5))
async def test_a_clock_that_jumps_by_hours_changes_nothing(seed: int, journal: Journal) -> None:
    clock = Jumpy(Random(seed))
    free = clock.utc + timedelta(seconds=100)
    provider = FakeProvider(
        acts=[
            RateLimited("wait", retry_after=5),
            NotSent("dns"),
            QuotaExhausted("wait", available_at=free),
            Unavailable("503"),
        ]
    )
    async with BulkSender(provider, journal=journal, settings=ENGINE, clock=clock) as sender:
        report = await (await sender.start(MESSAGE, read_recipients(SENT), name="a")).wait()
    assert report.complete
    assert report.counts.accepted == report.counts.accounted == len(SENT)
    assert provider.mailed == dict.fromkeys(SENT, 1)


@pytest.mark.parametrize("hours", [-10, 10])
async def test_a_clock_that_jumps_while_rows_are_missing_costs_another_look_at_most(
    hours: int, journal: Journal
) -> None:
    clock, set_anew = FakeClock(), False
    provider = FakeProvider(hidden=set(SENT))
    async with BulkSender(provider, journal=journal, settings=ENGINE, clock=clock) as sender:
        job = await sender.start(MESSAGE, read_recipients(SENT), name="a")
        async for _ in job.progress():
            if clock.monotonic() > 5 and not set_anew:
                set_anew = True
                clock.shift(hours * 3600.0)
            if clock.monotonic() > 60:
                provider.hidden.clear()
        report = await job.wait()
        if not report.complete:  # the deadline seemed to have passed
            assert report.counts.in_doubt == len(SENT)
            provider.hidden.clear()
            report = await (await sender.resume("a")).wait()
    assert report.complete
    assert report.counts.accepted == len(SENT)
    assert provider.mailed == dict.fromkeys(SENT, 1)
