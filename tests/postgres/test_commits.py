"""Commits whose end is not known, and lost connections: what becomes of takes and outcomes."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mailkit.bulk.journal import Account, Journal, Later, Taken
from mailkit.bulk.journal.postgres import store as postgres
from mailkit.bulk.journal.postgres.dressing import Streamed
from mailkit.bulk.journal.store import CommitUnknown
from mailkit.core.clock import Clock
from mailkit.errors import JournalError
from mailkit.provider import Quota, Sent

from ..bulk.jobs import finish, planned, planning, states, take
from .databases import Databases
from .server import Server

PEOPLE = ["anna@b.by", "boris@b.by", "vera@b.by"]
Connection = psycopg.Connection[Any]


@pytest.fixture
async def journal(postgres_database: str) -> AsyncIterator[Journal]:
    async with await Journal.open(postgres_database) as opened:
        yield opened


@pytest.fixture
def at_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the next commits end in these ways."""
    finish = postgres._finish

    def plan(*ways: Callable[[Connection, Callable[[Connection], None]], None]) -> None:
        left = list(ways)

        def ends(connection: Connection) -> None:
            if left and connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
                left.pop(0)(connection, finish)
            else:
                finish(connection)

        monkeypatch.setattr(postgres, "_finish", ends)

    return plan


def before(connection: Connection, finish: Callable[[Connection], None]) -> None:
    """The connection is lost, and nothing was committed."""
    connection.close()
    raise psycopg.OperationalError("the connection is lost")


def after(connection: Connection, finish: Callable[[Connection], None]) -> None:
    """It is committed, and the answer is lost."""
    finish(connection)
    connection.close()
    raise psycopg.OperationalError("the connection is lost")


def unconfirmed(connection: Connection, finish: Callable[[Connection], None]) -> None:
    """It is committed here, and the standby does not have it."""
    finish(connection)
    raise CommitUnknown("the standby has not confirmed it")


@pytest.mark.parametrize("lost", [before, after, unconfirmed])
async def test_a_take_that_is_not_confirmed_is_not_handed_out(
    journal: Journal, at_commit: Callable[..., None], lost: Callable[..., None]
) -> None:
    job = await planned(journal, PEOPLE, chunk=3)
    at_commit(lost)
    found = await journal.chunks.take(job, 2.0)
    assert isinstance(found, Later)
    assert set((await states(journal, job)).values()) == {"unsent"}
    assert await journal.chunks.planned(job) == 1
    again = await take(journal, job)
    assert again.ticket.number == 2  # never 1 again, though that take may have been undone


async def test_a_take_is_released_by_its_name_and_no_other(
    journal: Journal, at_commit: Callable[..., None]
) -> None:
    job = await planned(journal, PEOPLE, chunk=1)
    kept = await take(journal, job)
    at_commit(after)
    assert isinstance(await journal.chunks.take(job, 2.0), Later)
    assert await journal.chunks.planned(job) == 2
    await journal.chunks.accept(job, kept.ticket, 3.0, Sent(None))
    assert (await journal.reports.counts(job)).accepted == 1


@pytest.mark.parametrize("lost", [before, after, unconfirmed])
async def test_an_outcome_is_recorded_until_the_database_says_so(
    journal: Journal, at_commit: Callable[..., None], lost: Callable[..., None]
) -> None:
    job = await planned(journal, PEOPLE, chunk=3)
    taken = await take(journal, job)
    at_commit(lost, lost)
    await journal.chunks.accept(job, taken.ticket, 3.0, Sent("r", {1: "no such user"}))
    counts = await journal.reports.counts(job)
    assert (counts.accepted, counts.rejected) == (2, 1)


async def test_what_is_not_ours_is_told_when_nothing_was_lost(journal: Journal) -> None:
    job = await planned(journal, PEOPLE, chunk=3)
    taken = await take(journal, job)
    await journal.chunks.accept(job, taken.ticket, 3.0, Sent(None))
    with pytest.raises(JournalError, match="no longer belongs to this worker"):
        await journal.chunks.doubt(job, taken.ticket, 4.0, "late")


async def test_who_else_must_know_how_it_ended_is_told(
    journal: Journal, at_commit: Callable[..., None]
) -> None:
    at_commit(after)
    with pytest.raises(CommitUnknown, match="may have been stored or not"):
        await journal.suppressions.add(["a@b.by"], reason="x", now=1.0)
    assert [one.address async for one in journal.suppressions.list()] == ["a@b.by"]


async def test_connections_that_are_ended_lose_nothing(
    journal: Journal, postgres: Databases, postgres_database: str
) -> None:
    job = await planned(journal, PEOPLE, chunk=1)
    for _ in PEOPLE:
        name = conninfo_to_dict(postgres_database)["dbname"]
        postgres.terminate_backends(str(name))
        taken = await take(journal, job)
        postgres.terminate_backends(str(name))
        await journal.chunks.accept(job, taken.ticket, 3.0, Sent(None))
    assert (await journal.reports.counts(job)).accepted == 3


async def test_a_worker_whose_lease_has_run_out_takes_nothing_but_may_say_how_it_ended(
    journal: Journal, postgres_database: str
) -> None:
    job = await planned(journal, PEOPLE, chunk=1)
    taken = await take(journal, job)
    await journal._db.write(lambda db: db.execute("UPDATE workers SET lease = lease - 1000"))
    with pytest.raises(JournalError, match="could not tell the journal's database in time"):
        await journal.chunks.take(job, 2.0)
    async with await Journal.open(postgres_database) as other:
        joined = await other.workers.join(job)
        assert (await other.reports.counts(joined)).in_doubt == 1
        await journal.chunks.accept(job, taken.ticket, 3.0, Sent(None))
        assert (await other.reports.counts(joined)).accepted == 1
        assert isinstance(await other.chunks.take(joined, 2.0), Taken)


async def test_of_two_that_take_at_once_none_gets_the_others_chunk(
    journal: Journal, postgres_database: str
) -> None:
    job = await planned(journal, [f"p{n}@b.by" for n in range(40)], chunk=1)
    async with await Journal.open(postgres_database) as other:
        joined = await other.workers.join(job)
        found = await asyncio.gather(
            *[take(journal, job) for _ in range(20)], *[take(other, joined) for _ in range(20)]
        )
    assert sorted(one.ticket.chunk for one in found) == [*range(1, 41)]


async def test_nobody_waits_for_outcomes_that_a_crash_of_the_server_has_lost(
    journal: Journal, postgres_database: str
) -> None:
    job = await planned(journal, PEOPLE, chunk=1)
    async with await Journal.open(postgres_database) as other:
        joined = await other.workers.join(job)
        await take(journal, job)
        await take(other, joined)
        assert str(os.getpid()) in str(await journal.workers.busy(job))
        assert await other.workers.busy(joined) is None
        counts = await journal.reports.counts(job)
        assert (counts.in_doubt, counts.unsent) == (2, 1)


async def test_of_several_that_open_a_new_journal_one_makes_it(postgres_database: str) -> None:
    journals = await asyncio.gather(*[Journal.open(postgres_database) for _ in range(6)])
    for journal in journals:
        await journal.close()


async def test_every_permit_outlives_a_crash_of_the_server(
    make_postgres: Callable[..., Server],
) -> None:
    server, clock = make_postgres(), Clock()
    async with await Journal.open(server.dsn()) as journal:
        account = Account("fake", "shop", {"requests": Quota(3, 59.0, "requests")})
        permits = journal.permits_of(account, clock)
        for _ in range(2):
            (await permits.acquire(("requests",), 0.0, 5.0)).sent()
        server.crash()
        server.start()
        assert len((await permits.used())["requests"]) == 2


async def test_a_plan_goes_on_after_a_crash_of_the_server_with_all_it_has_written(
    make_postgres: Callable[..., Server],
) -> None:
    server = make_postgres()
    async with await Journal.open(server.dsn()) as journal:
        job = await planning(journal, [*PEOPLE, "anna@b.by"])
        server.crash()
        server.start()
        await journal.planning.mark_duplicates(job)
        server.crash()
        server.start()
        await journal.planning.cut(job, rows=1, size=None)
        server.crash()
        server.start()
        job = await finish(journal, job)
        counts = await journal.reports.counts(job)
        assert (counts.read, counts.duplicate, counts.unsent) == (4, 1, 3)
        assert await journal.chunks.planned(job) == 3


async def test_a_machine_that_is_cut_off_holds_the_others_up_for_a_moment_only(
    journal: Journal, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has locked is let go, and what it has asked for is not granted to it any more."""
    monkeypatch.setattr(postgres, "IDLE_MILLISECONDS", 300)
    monkeypatch.setattr(postgres, "LOCK_MILLISECONDS", 50)
    begin = postgres._beginning(False, 1, False).encode()
    with (
        psycopg.connect(postgres_database, autocommit=True) as holds,
        psycopg.connect(postgres_database, autocommit=True) as waits,
    ):
        holds.execute(begin)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            waits.execute(begin)
        assert await journal._db.write(lambda db: "done", job=1) == "done"
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            holds.execute("SELECT 1")


async def test_a_stream_whose_reader_is_cancelled_gives_its_connection_back(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cancelled while the connection is on its way."""
    store = journal._db
    assert isinstance(store, postgres.PostgresStore)
    begin, end, held = store._begin_stream, store._end_stream, set[object]()
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    may_begin, has_begun = threading.Event(), threading.Event()

    def slowly() -> Streamed:
        loop.call_soon_threadsafe(begun.set)
        may_begin.wait()
        db = begin()
        held.add(db)
        has_begun.set()
        return db

    def ended(db: Streamed) -> None:
        end(db)
        held.remove(db)

    monkeypatch.setattr(store, "_begin_stream", slowly)
    monkeypatch.setattr(store, "_end_stream", ended)

    async def read() -> None:
        async for _ in store.stream("SELECT 1", ()):
            pass

    reading = asyncio.ensure_future(read())
    await begun.wait()
    reading.cancel()
    loop.call_soon(may_begin.set)
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.to_thread(has_begun.wait)
    assert not held
    monkeypatch.undo()
    assert [rows async for rows in store.stream("SELECT 1", ())] == [[(1,)]]
