"""The journal: what a commit holds, which jobs there are, where every row stands."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.journal import (
    Chosen,
    Counts,
    InlineExecutor,
    Journal,
    MergeResult,
    PlannedRow,
    RowState,
)
from mailkit.bulk.journal.matching import key_of
from mailkit.bulk.journal.sqlite.opening import Connector
from mailkit.bulk.journal.sqlite.store import READ, WRITE, ThreadExecutor, Work, run_together
from mailkit.bulk.journal.store import Connection
from mailkit.errors import InvalidArgument, JobExists, JournalError
from mailkit.events import DeliveryStatus
from mailkit.provider import PollResult, RowStatus, Sent

from ..examples import examples
from .fakes import memory_journal, people
from .jobs import at, die, finish, in_file, planned, planning, snapshot, states, stored, take


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


# commits


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(Connector(None)()) as opened:
        opened.execute("CREATE TABLE notes (note)")
        yield opened


def noting(note: str, error: Exception | None = None, *, durable: bool = False) -> Work:
    def run(db: sqlite3.Connection) -> int:
        db.execute("INSERT INTO notes VALUES (?)", (note,))
        if error is not None:
            raise error
        return int(db.execute("PRAGMA synchronous").fetchone()[0])

    return Work(run, durable)


def notes(db: sqlite3.Connection) -> list[str]:
    return [note for (note,) in db.execute("SELECT note FROM notes")]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidArgument("no"), InvalidArgument),
        (ZeroDivisionError(), ZeroDivisionError),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates"), UnicodeEncodeError),
        (sqlite3.IntegrityError("UNIQUE constraint failed"), JournalError),
        (sqlite3.ProgrammingError("Error binding parameter 1"), JournalError),
    ],
    ids=lambda error: getattr(error, "__name__", None) or type(error).__name__,
)
def test_a_work_that_fails_does_not_undo_its_neighbors(
    db: sqlite3.Connection, error: Exception, told: type[Exception]
) -> None:
    works = [noting("a"), noting("b", error), noting("c")]
    run_together(db, works, WRITE)
    assert notes(db) == ["a", "c"]
    assert works[0].future.result() == works[2].future.result()
    with pytest.raises(told):
        works[1].future.result()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (sqlite3.OperationalError("database or disk is full"), JournalError),
        (sqlite3.DatabaseError("database disk image is malformed"), JournalError),
        (MemoryError(), MemoryError),
    ],
    ids=lambda error: getattr(error, "__name__", None) or type(error).__name__,
)
def test_a_database_that_fails_is_told_to_all_and_undone_for_all(
    db: sqlite3.Connection, error: Exception, told: type[Exception]
) -> None:
    works = [noting("a"), noting("b", error), noting("c")]
    run_together(db, works, WRITE)
    assert notes(db) == []
    for work in works:
        with pytest.raises(told):
            work.future.result()
    run_together(db, [noting("later")], WRITE)
    assert notes(db) == ["later"]


def test_a_work_that_ends_the_transaction_undoes_all(db: sqlite3.Connection) -> None:
    def give_up(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR ROLLBACK INTO meta VALUES (NULL, 1), ('a', 2), ('a', 3)")

    works = [noting("a"), Work(give_up, durable=False), noting("c")]
    run_together(db, works, WRITE)
    assert notes(db) == []
    for work in works:
        with pytest.raises(JournalError, match="constraint failed"):
            work.future.result()


def test_the_end_of_the_process_is_no_work_s_own(db: sqlite3.Connection) -> None:
    def end(db: sqlite3.Connection) -> None:
        raise KeyboardInterrupt

    works = [noting("a"), Work(end, durable=False)]
    with pytest.raises(KeyboardInterrupt):
        run_together(db, works, WRITE)
    assert notes(db) == []
    for work in works:
        with pytest.raises(KeyboardInterrupt):
            work.future.result()


def test_a_durable_work_and_all_that_are_committed_with_it_are_on_the_disk(tmp_path: Path) -> None:
    normal, full = 1, 2
    connect = Connector(tmp_path / "journal.db")
    with closing(connect()) as db:
        db.execute("CREATE TABLE notes (note)")
        for works, expected in (
            ([noting("a"), noting("b")], normal),
            ([noting("a"), noting("b", durable=True)], full),
            ([noting("a", durable=True)], full),
            ([noting("a")], normal),
        ):
            run_together(db, works, WRITE, connect.file)
            assert {work.future.result() for work in works} == {expected}


async def test_a_task_knows_when_its_last_request_ended(journal: Journal) -> None:
    job = await planned(journal, people(2))
    tried = []
    for ended in (None, 3.0, None, 5.0, None):
        taken = await take(journal, job)
        tried.append(taken.task.tried and taken.task.tried.timestamp())
        await journal.chunks.put_back(job, taken.ticket, ended, "why")
    assert tried == [None, None, 3.0, 3.0, 5.0]


async def test_what_a_request_waits_for_is_durable_and_the_rest_follows(tmp_path: Path) -> None:
    seen: list[bool] = []

    class Watching(InlineExecutor):
        def submit(self, work: Work) -> None:
            seen.append(work.durable)
            super().submit(work)

    journal = await Journal.open(tmp_path / "journal.db", executor=Watching)
    job = await planning(journal, people(3))
    seen.clear()
    await journal.planning.mark_duplicates(job)
    await journal.planning.cut(job, rows=2, size=1000)
    assert set(seen) == {False}
    seen.clear()
    job = await journal.jobs.finish_planning(
        job, columns=[], fingerprint=b"", name=None, again=False
    )
    job = await journal.workers.join(job)
    first, second = await take(journal, job), await take(journal, job)
    assert set(seen) == {True}
    seen.clear()
    await journal.chunks.doubt(job, first.ticket, 3.0, "reset")
    await journal.chunks.put_back(job, second.ticket, 3.0, "dns")
    assert set(seen) == {False}  # lost with the power, they are in doubt
    chunk = await take(journal, job)
    await journal.chunks.accept(job, chunk.ticket, 3.0, Sent("r"))
    await journal.resolving.accepted(job, Chosen({first.ticket.chunk: None}))
    assert seen[2:] == [True, False, True]
    await journal.close()


async def test_a_wait_that_is_cancelled_leaves_the_journal_at_work(tmp_path: Path) -> None:
    async with at(tmp_path / "journal.db") as journal:
        begun, gate = threading.Event(), threading.Event()

        def slow(db: Connection) -> None:
            begun.set()
            gate.wait(30)

        waits = [
            asyncio.create_task(journal._db.write(slow)),
            asyncio.create_task(journal.suppressions.add(["a@b.by"], reason="x", now=1.0)),
            asyncio.create_task(journal._db.read(slow)),
        ]
        assert await asyncio.to_thread(begun.wait, 30)
        for wait in waits:
            wait.cancel()
        assert await asyncio.gather(*waits, return_exceptions=True)
        gate.set()
        async with asyncio.timeout(30):
            assert await journal.jobs.list() == []
            assert await journal.suppressions.remove(["a@b.by"]) == 1  # it was not undone


async def test_works_that_wait_share_a_commit_and_keep_their_order(tmp_path: Path) -> None:
    connect = Connector(tmp_path / "journal.db")
    executor = ThreadExecutor(connect)
    gate = threading.Event()
    executor.submit(Work(lambda db: gate.wait(30), durable=False))
    works = [Work(lambda db: db.total_changes, durable=False) for _ in range(100)]
    adds = [
        Work(lambda db, n=n: db.execute("INSERT INTO meta VALUES (?, 0)", (n,)), durable=False)  # type: ignore[misc]
        for n in range(100)
    ]
    for work, add in zip(works, adds, strict=True):
        executor.submit(work)
        executor.submit(add)
    gate.set()
    before = [work.future.result(30) for work in works]
    assert before == list(range(before[0], before[0] + 100))
    reader = ThreadExecutor(connect.reader, READ)
    count = Work(lambda db: db.execute("SELECT count(*) FROM meta").fetchone()[0], durable=False)
    reader.submit(count)
    reader.close()
    executor.close()
    assert count.future.result() == 103  # and three of its own


# jobs


async def test_sweep_forgets_a_planning_that_was_cut_off_and_no_other(tmp_path: Path) -> None:
    async with at(tmp_path / "journal.db") as journal:
        await planned(journal, people(3), "done")
        cut_off = await planning(journal, people(3), "cut off")
        await journal.planning.suppress(cut_off, ["x@y.by"], 1.0)
        await journal.planning.cut(cut_off, rows=2, size=1000)
        die(cut_off)
        living = await planning(journal, people(3), "living")
        with pytest.raises(
            InvalidArgument, match="there is no job 'cut off'; the journal has 'done"
        ):
            await journal.jobs.get("cut off")
        with pytest.raises(InvalidArgument, match="the job living is being planned right now"):
            await journal.jobs.get("living")
        await journal.jobs.sweep()
        assert await journal.jobs.find("cut off") is None
        assert (await journal.jobs.find("living")) is not None
        assert [job.name for job in await journal.jobs.list()] == ["done"]
        tables = {"rows": 6, "chunks": 2, "suppressions": 0, "jobs": 2}
        for table, lines in tables.items():
            sql = f"SELECT count(*) FROM {table}"
            count = await journal._db.read(lambda db, sql=sql: db.execute(sql).fetchone()[0])  # type: ignore[misc]
            assert (table, count) == (table, lines)
        assert living.id > cut_off.id


async def test_sweep_forgets_no_job_that_was_planned_and_sent_while_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at(tmp_path / "journal.db") as journal, at(tmp_path / "journal.db") as other:
        job = await planning(journal, people(3))
        assert job.worker is not None
        held, loop, looked = in_file(other).liveness.held, asyncio.get_running_loop(), list[int]()

        async def end() -> None:
            await journal.planning.cut(job, rows=2, size=1_000)
            die(await finish(journal, job))

        def look(worker: int, db: Connection) -> bool:  # sweep has seen the planning
            asyncio.run_coroutine_threadsafe(end(), loop).result(30)
            looked.append(worker)
            return held(worker, db)

        monkeypatch.setattr(in_file(other).liveness, "held", look)
        await other.jobs.sweep()
        assert looked == [job.worker.id]
        assert len(await states(journal, job)) == 3


async def test_a_planning_and_the_forgetting_of_it_exclude_each_other(journal: Journal) -> None:
    job = await planning(journal, people(3), "forgotten")
    await journal.jobs.forget(job)
    with pytest.raises(JournalError, match="declared this worker of the job forgotten dead"):
        await journal.planning.add(
            job, [PlannedRow(job.ids[0] + 9, 9, "a@b.by", None, None, 1)], []
        )
    with pytest.raises(JournalError, match="declared this worker of the job forgotten dead"):
        await finish(journal, job)

    job = await planning(journal, people(3), "planned")
    await journal.planning.cut(job, rows=2, size=1_000)
    await finish(journal, job)
    await journal.workers.join(job)
    await journal.jobs.forget(job)
    assert len(await states(journal, job)) == 3


async def test_a_forgotten_jobs_number_is_never_used_again(journal: Journal) -> None:
    first = await planning(journal, people(3))
    await journal.jobs.forget(first)
    second = await planning(journal, people(3))
    assert second.id > first.id


async def test_a_name_is_taken_from_the_first_moment_on(journal: Journal) -> None:
    await planning(journal, people(1))
    with pytest.raises(JobExists, match="the job a is being planned right now"):
        await journal.jobs.create("a", "fake", "shop", "{}", again=False, now=1.0)
    job = await journal.jobs.create("a", "fake", "shop", "{}", again=True, now=1.0)
    assert job.name == "a-2"
    with pytest.raises(InvalidArgument, match="there is no job 'a'; the journal is empty"):
        await journal.jobs.get("a")


async def test_a_job_is_told_apart_by_its_message_and_list(journal: Journal) -> None:
    job = await planned(journal, people(1), "first")
    assert job.fingerprint == b"first"
    twin = await planning(journal, people(1), None)
    with pytest.raises(JobExists, match="is being sent to this list right now") as refused:
        await journal.jobs.finish_planning(
            twin, columns=[], fingerprint=b"first", name=None, stem="list", again=False
        )
    assert refused.value.name == "first"
    twin = await journal.jobs.finish_planning(
        twin, columns=[], fingerprint=b"first", name=None, stem="list", again=True
    )
    assert twin.name == f"list-{b'first'.hex()[:8]}"


# rows and counts


async def test_every_state_a_row_can_be_in(journal: Journal) -> None:
    await journal.suppressions.add(["gone@example.com"], reason="unsubscribed", now=1.0)
    rows = [*people(14), "nobody", "p0@example.com", "gone@example.com"]
    job = await planned(journal, rows)
    chunks = [await take(journal, job) for _ in range(6)]
    now = 3.0
    await journal.chunks.accept(job, chunks[0].ticket, now, Sent("r", {2: "unsubscribed"}))
    await journal.chunks.reject(job, chunks[1].ticket, now, "bad letter")
    await journal.chunks.doubt(job, chunks[2].ticket, now, "reset")
    await journal.chunks.put_back(job, chunks[3].ticket, now, "dns")
    await journal.chunks.accept(job, chunks[4].ticket, now, Sent("r2"))
    heard = PollResult([RowStatus("p8@example.com", DeliveryStatus.DELIVERED, False, "")])
    await journal.statuses.reconcile(job, chunks[4].ticket.chunk, heard, now=now, doubt="missing")

    table = {
        row.address.removesuffix("@example.com"): (row.state, row.reason, row.chunk)
        for batch in [batch async for batch in journal.reports.rows(job)]
        for row in batch
        if row.address != "p0@example.com" or row.n == 1
    }
    assert table == {
        "p0": ("accepted", None, 1),
        "p1": ("rejected", "unsubscribed", 1),
        "p2": ("rejected", "bad letter", 2),
        "p3": ("rejected", "bad letter", 2),
        "p4": ("in doubt", "reset", 3),
        "p5": ("in doubt", "reset", 3),
        "p6": ("unsent", "dns", 4),
        "p7": ("unsent", "dns", 4),
        "p8": ("accepted", None, 5),
        "p9": ("in doubt", "missing", 5),
        "p10": ("unsent", None, 6),
        "p11": ("unsent", None, 6),
        "p12": ("unsent", None, 7),
        "p13": ("unsent", None, 7),
        "nobody": ("invalid", "no @", None),
        "gone": ("suppressed", "unsubscribed", None),
    }
    counts = await journal.reports.counts(job)
    expected = Counts(17, 1, 1, 1, accepted=2, rejected=3, in_doubt=3, unsent=6)
    assert counts == expected
    assert counts.accounted == counts.read == await stored(journal, job)

    die(job)
    dead = await states(journal, job)
    assert (dead["p10@example.com"], dead["p11@example.com"]) == ("in doubt", "in doubt")
    counts = await journal.reports.counts(job)
    assert (counts.in_doubt, counts.unsent, counts.accounted) == (5, 4, 17)
    assert (await snapshot(journal, job)).deliveries == {DeliveryStatus.DELIVERED: 1}


async def test_rows_come_in_reading_order_with_line_and_fields_and_by_state(
    journal: Journal,
) -> None:
    job = await planned(journal, ["nobody", *people(2500), "p7@example.com"], chunk=500)
    batches = [batch async for batch in journal.reports.rows(job)]
    assert [len(batch) for batch in batches] == [1000, 1000, 502]
    rows = [row for batch in batches for row in batch]
    assert [row.n for row in rows] == list(range(1, 2503))
    assert [row.line for row in rows] == list(range(2, 2504))
    assert (rows[0].fields, rows[1].fields, rows[-1].fields) == ((), ["2"], ["2502"])
    assert (rows[-1].state, rows[-1].reason) == ("duplicate", "the address is that of line 10")
    found = journal.reports.rows(job, states=[RowState.INVALID, RowState.DUPLICATE])
    assert [row.address async for batch in found for row in batch] == ["nobody", "p7@example.com"]


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@examples(40)
@given(rows=st.lists(st.tuples(text, st.lists(text, max_size=3)), min_size=1, max_size=5))
async def test_rows_are_handed_out_and_matched_as_they_were_written(
    rows: list[tuple[str, list[str]]],
) -> None:
    rows = [(f'{n}"{address}\\@example.com', fields) for n, (address, fields) in enumerate(rows)]
    async with memory_journal() as journal:
        job = await planning(journal, ())
        planned_rows = [
            PlannedRow(
                job.ids[0] + n,
                n,
                address,
                key_of(address),
                msgspec.json.encode(fields).decode() if fields else None,
                10,
            )
            for n, (address, fields) in enumerate(rows, 1)
        ]
        await journal.planning.add(job, planned_rows, [])
        await journal.planning.cut(job, rows=5, size=None)
        job = await journal.workers.join(await finish(journal, job))
        taken = await take(journal, job)
        assert [(row.n, row.address, list(row.values)) for row in taken.task.rows] == [
            (n, *row) for n, row in enumerate(rows, 1)
        ]
        await journal.chunks.accept(job, taken.ticket, 3.0, Sent("r"))
        heard = [RowStatus(address, DeliveryStatus.SENT, False, "") for address, _ in rows]
        found = await journal.statuses.reconcile(job, 1, PollResult(heard), now=4.0)
        assert found.reconciled


async def test_a_reference_that_a_chunk_has_already_is_an_answer_to_another_request(
    journal: Journal,
) -> None:
    first = await planned(journal, people(6))
    accept = journal.chunks.accept
    assert await accept(first, (await take(journal, first)).ticket, 3.0, Sent("r")) is None
    assert await accept(first, (await take(journal, first)).ticket, 3.0, Sent(None)) is None
    doubt = await accept(first, (await take(journal, first)).ticket, 3.0, Sent("r"))
    assert doubt == "the response has the reference of chunk 1 of a: it may be that one's"
    second = await planned(journal, [f"s{n}@example.com" for n in range(4)], "b")
    assert await accept(second, (await take(journal, second)).ticket, 3.0, Sent("r")) is not None
    assert await accept(second, (await take(journal, second)).ticket, 3.0, Sent("s")) is None
    for job, in_doubt, taken in ((first, 3, 1), (second, 1, 2)):
        [found] = await journal.reports.doubts(job)
        assert (found.n, found.rows) == (in_doubt, 2)
        counts = await journal.reports.counts(job)
        assert (counts.in_doubt, counts.unsent) == (2, 0)
        assert [due.n for due in await journal.statuses.due(job, track=True)] == [taken]


async def test_a_receipt_that_a_chunk_has_already_is_that_of_another_request(
    journal: Journal,
) -> None:
    job = await planned(journal, people(4))
    accept = journal.chunks.accept
    left = {2: "not named"}
    taken = Sent(None, in_doubt=left, receipt="r")
    assert await accept(job, (await take(journal, job)).ticket, 3.0, taken) is None
    doubt = await accept(job, (await take(journal, job)).ticket, 3.0, Sent(None, receipt="r"))
    assert doubt == "the response has the reference of chunk 1 of a: it may be that one's"
    assert await journal.statuses.due(job, track=True) == []


async def test_another_provider_s_references_are_its_own(journal: Journal) -> None:
    job = await planned(journal, people(2))
    other = await planned(journal, people(2), "b")
    chunk = await take(journal, other)
    await journal.chunks.accept(job, (await take(journal, job)).ticket, 3.0, Sent("r"))
    other = attrs.evolve(other, provider="another")
    assert await journal.chunks.accept(other, chunk.ticket, 3.0, Sent("r")) is None


async def test_the_sum_holds_at_every_moment(journal: Journal) -> None:
    job = await planned(journal, [*people(6), "nobody", "p0@example.com"], chunk=3)

    async def now() -> Counts:
        looked = await snapshot(journal, job)
        counts = await journal.reports.counts(job)
        assert counts == looked.counts
        assert counts.accounted == counts.read == await stored(journal, job)
        rows = await states(journal, job)
        assert len(rows) == 7  # one address stands there twice
        return counts

    assert await now() == Counts(8, 1, 1, unsent=6)
    first, second = await take(journal, job), await take(journal, job)
    assert await now() == Counts(8, 1, 1, unsent=6)
    await journal.chunks.doubt(job, first.ticket, 3.0, "reset")
    assert await now() == Counts(8, 1, 1, in_doubt=3, unsent=3)
    await journal.chunks.accept(job, second.ticket, 3.0, Sent("r", {4: "no"}))
    assert await now() == Counts(8, 1, 1, accepted=2, rejected=1, in_doubt=3)
    heard = PollResult([RowStatus("p5@example.com", None, False, "")])
    await journal.statuses.reconcile(job, second.ticket.chunk, heard, now=3.0, doubt="missing")
    assert await now() == Counts(8, 1, 1, accepted=1, rejected=1, in_doubt=4)
    doubts = await journal.reports.doubts(job)
    assert [(doubt.n, doubt.rows, doubt.reason) for doubt in doubts] == [
        (1, 3, "reset"),
        (2, 1, "missing"),
    ]
    die(job)
    job = await journal.workers.join(job)
    assert await journal.resolving.not_sent(job, Chosen(), 1000.0) == 4
    assert await now() == Counts(8, 1, 1, accepted=1, rejected=1, unsent=4)
    again, alone = await take(journal, job), await take(journal, job)
    assert (again.task.label, [row.address for row in again.task.rows]) == ("a #1.2", people(3))
    assert (alone.task.label, [row.address for row in alone.task.rows]) == (
        "a #3.2",
        ["p4@example.com"],
    )
    await journal.chunks.accept(job, again.ticket, 4.0, Sent("r2"))
    await journal.chunks.doubt(job, alone.ticket, 4.0, "reset")
    assert await now() == Counts(8, 1, 1, accepted=4, rejected=1, in_doubt=1)
    die(job)
    job = await journal.workers.join(job)
    assert await journal.resolving.accepted(job, Chosen({3: 2})) == 1
    assert await now() == Counts(8, 1, 1, accepted=5, rejected=1)


async def test_a_row_in_doubt_that_is_found_after_all_follows_its_chunk_again(
    journal: Journal,
) -> None:
    job = await planned(journal, people(2))
    chunk = await take(journal, job)
    await journal.chunks.accept(job, chunk.ticket, 3.0, Sent("r"))
    found = [RowStatus(name, DeliveryStatus.SENT, False, "") for name in people(2)]

    async def reconcile(*statuses: RowStatus, doubt: str | None = None) -> MergeResult:
        return await journal.statuses.reconcile(
            job, chunk.ticket.chunk, PollResult(statuses, "mark"), now=3.0, doubt=doubt
        )

    assert await reconcile(found[1], doubt="missing") == MergeResult(True, 2, "mark")
    [due] = await journal.statuses.due(job, track=False)
    assert (due.n, due.reconciled, due.cursor) == (1, True, None)  # the whole list is asked for
    assert await reconcile(*found) == MergeResult(True, 2, "mark")
    assert await journal.statuses.due(job, track=False) == []
    [due] = await journal.statuses.due(job, track=True)
    assert due.cursor == "mark"
    assert await journal.reports.counts(job) == Counts(2, accepted=2)


# suppressions


async def test_suppressions_are_added_once_listed_in_order_and_removed(journal: Journal) -> None:
    store = journal.suppressions
    assert await store.add(["B@Example.com", "a@почта.example"], reason="left", now=5.0) == 2
    assert await store.add(["b@example.com", "c@example.com"], reason="bounce", now=6.0) == 1
    listed = [one async for one in store.list()]
    assert [tuple(one) for one in listed] == [
        ("a@xn--80a1acny.example", "left", 5.0),
        ("b@example.com", "left", 5.0),
        ("c@example.com", "bounce", 6.0),
    ]
    assert await store.remove(["A@почта.example", "nobody@example.com"]) == 1
    assert [one.address async for one in store.list()] == ["b@example.com", "c@example.com"]


async def test_of_suppressions_with_a_wrong_address_none_is_added(journal: Journal) -> None:
    with pytest.raises(InvalidArgument, match="'nobody' is not an email address"):
        await journal.suppressions.add(["a@example.com", "nobody"], reason="left", now=5.0)
    assert [one async for one in journal.suppressions.list()] == []


async def test_suppressions_may_have_a_reason_each(journal: Journal) -> None:
    people = [("A@example.com", "left"), ("b@example.com", "bounced"), ("a@example.com", "again")]
    assert await journal.suppressions.load(people, now=5.0) == 2
    found = {one.address: one.reason async for one in journal.suppressions.list()}
    assert found == {"a@example.com": "left", "b@example.com": "bounced"}


async def test_suppressions_of_one_job_are_not_in_the_store(journal: Journal) -> None:
    job = await planning(journal, people(3))
    await journal.planning.suppress(job, ["p1@example.com"], 1.0)
    assert [one async for one in journal.suppressions.list()] == []
    other = await planning(journal, people(3), "other")
    for each in (job, other):
        await journal.planning.mark_suppressed(each)
        await journal.planning.cut(each, rows=2, size=1_000)
    assert list((await states(journal, job)).values()).count("suppressed") == 1
    assert list((await states(journal, other)).values()).count("suppressed") == 0


async def test_a_long_list_of_suppressions(journal: Journal) -> None:
    assert await journal.suppressions.add(people(3000), reason="left", now=1.0) == 3000
    assert len([one async for one in journal.suppressions.list()]) == 3000
    assert await journal.suppressions.remove(people(2999)) == 2999
