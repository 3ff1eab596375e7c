"""A copy of the server's files is put back, or the database is: nobody is mailed twice by it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, LiteralString

import attrs
import psycopg
import pytest

from mailkit.bulk.journal import JobRecord, Journal, Taken
from mailkit.bulk.journal.ledger import Account, Busy, Grant, Ledger
from mailkit.bulk.journal.postgres import opening, servers, store, witness
from mailkit.bulk.journal.postgres.witness import (
    KEPT,
    LONGEST,
    Lineage,
    Mark,
    Witness,
    missing,
)
from mailkit.core.clock import Clock
from mailkit.core.quota import Quota
from mailkit.errors import JournalError
from mailkit.provider import Sent
from mailkit.testing import FakeClock

from ..bulk.fakes import people
from ..bulk.jobs import planned, states, take
from .databases import Databases
from .server import Server

Make = Callable[..., Server]
HERE, ELSEWHERE = "1/5", "1/6"


async def send(journal: Journal, job: JobRecord) -> None:
    taken = await journal.chunks.take(job, time.time())
    assert isinstance(taken, Taken)
    await journal.chunks.accept(job, taken.ticket, time.time(), Sent(None))


async def begun(address: str) -> None:
    """A job of which one chunk of five is sent."""
    async with await Journal.open(address) as journal:
        job = await planned(journal, people(5), chunk=1)
        await send(journal, job)
        await journal.workers.leave(job)


async def goes_on(address: str) -> None:
    """Another chunk is sent, by a process that was started later."""
    async with await Journal.open(address) as journal:
        job = await journal.workers.join(await journal.jobs.get("a"))
        await send(journal, job)
        await journal.workers.leave(job)


async def test_files_that_are_put_back_are_noticed(make_postgres: Make) -> None:
    server = make_postgres()
    await begun(server.dsn())
    copy = server.copy_files()
    await goes_on(server.dsn())
    server.put_back(copy)
    for adopt in (None, "latest"):
        with pytest.raises(
            JournalError, match="it lacks a request that this machine knows of, from 20"
        ):
            await Journal.open(server.dsn(), adopt=adopt)
    async with await Journal.open(server.dsn(), adopt="older") as journal:
        job = await journal.jobs.get("a")
        counts = await journal.reports.counts(job)
        assert (counts.accepted, counts.in_doubt, counts.unsent) == (1, 4, 0)
    async with await Journal.open(server.dsn()) as journal:  # the word is kept
        await planned(journal, people(2), name="b", chunk=1)
    await (await Journal.open(server.dsn())).close()
    server.put_back(copy)
    with pytest.raises(JournalError, match="predates an --adopt"):
        await Journal.open(server.dsn())


async def test_a_machine_that_came_later_knows_that_the_same_copy_is_older(
    make_postgres: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has seen nothing of the journal from before the older state was adopted."""
    server = make_postgres()
    await begun(server.dsn())
    copy = server.copy_files()
    await goes_on(server.dsn())
    server.put_back(copy)
    await (await Journal.open(server.dsn(), adopt="older")).close()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with await Journal.open(server.dsn()) as journal:
        job = await planned(journal, people(2), name="b", chunk=1)
        await send(journal, job)
    server.put_back(copy)
    with pytest.raises(JournalError, match="predates an --adopt"):
        await Journal.open(server.dsn())


async def test_what_a_process_missed_is_not_said_once_a_person_has_adopted_the_journal(
    make_postgres: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked before, and says so after."""
    server = make_postgres()
    await begun(server.dsn())
    copy = server.copy_files()
    await goes_on(server.dsn())
    server.put_back(copy)
    found: list[servers.Lacking] = []
    with monkeypatch.context() as patch:
        patch.setattr(servers, "tell", lambda _, error: found.append(error))
        with pytest.raises(JournalError, match="older than it was"):
            await Journal.open(server.dsn())
    await (await Journal.open(server.dsn(), adopt="older")).close()
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        servers.tell(connection, found[0])
    await (await Journal.open(server.dsn())).close()


async def test_who_sends_meanwhile_takes_nothing_from_them(make_postgres: Make) -> None:
    server = make_postgres()
    async with await Journal.open(server.dsn()) as journal:
        job = await planned(journal, people(5), chunk=1)
        copy = server.copy_files()
        await send(journal, job)
        server.put_back(copy)
        with pytest.raises(JournalError, match="older than it was"):
            await journal.chunks.take(job, 3.0)


async def test_who_waits_for_work_sees_what_others_take(
    make_postgres: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BEAT", 0.01)
    server = make_postgres()
    await begun(server.dsn())
    copy = server.copy_files()
    async with await Journal.open(server.dsn()) as journal:
        job = await journal.workers.join(await journal.jobs.get("a"))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        async with await Journal.open(server.dsn()) as waiting:  # as on another machine
            assert isinstance(waiting._db, store.PostgresStore)
            assert isinstance(await journal.chunks.take(job, time.time()), Taken)
            noted, note = threading.Event(), waiting._db._witness.note

            def then(marks: Sequence[Mark]) -> None:
                note(marks)
                if marks:
                    noted.set()

            monkeypatch.setattr(waiting._db._witness, "note", then)
            assert await asyncio.to_thread(noted.wait, 10.0)
    server.put_back(copy)
    with pytest.raises(JournalError, match="older than it was"):
        await Journal.open(server.dsn())


async def test_a_second_server_with_such_a_copy_is_noticed(make_postgres: Make) -> None:
    """It is the very same for who connects; what it lacks tells."""
    server, second = make_postgres(), make_postgres()
    await begun(server.dsn())
    copy = server.copy_files()
    await goes_on(server.dsn())
    second.put_back(copy)
    with pytest.raises(JournalError, match="older than it was"):
        await Journal.open(second.dsn())
    await goes_on(server.dsn())


async def test_one_who_has_not_been_there_since_can_not_notice(
    make_postgres: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_postgres()
    await begun(server.dsn())
    copy = server.copy_files()
    await goes_on(server.dsn())
    server.put_back(copy)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # as on another machine
    await (await Journal.open(server.dsn())).close()


async def test_tables_that_are_put_back_into_the_database_are_noticed(
    postgres: Databases,
) -> None:
    """As ``pg_restore --clean`` does it."""
    name = postgres.create_database()
    try:
        await begun(postgres.dsn(name))
        postgres.run("CREATE TABLE before AS SELECT * FROM chunks", database=name)
        await goes_on(postgres.dsn(name))
        restore(postgres, name)
        with pytest.raises(JournalError, match="older than it was"):
            await Journal.open(postgres.dsn(name))
    finally:
        postgres.drop_database(name)


async def put_back_beside(address: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A machine that knows nothing finds the journal as the others left it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    for adopt in (None, "latest"):
        with pytest.raises(
            JournalError, match=r"it lacks .* that (the machine \S+|this machine) kn"
        ):
            await Journal.open(address, adopt=adopt)
    async with await Journal.open(address, adopt="older") as journal:
        counts = await journal.reports.counts(await journal.jobs.get("a"))
        assert (counts.unsent, counts.in_doubt) == (0, 4)


async def test_who_goes_on_while_tables_are_put_back_notices_and_tells_all(
    postgres: Databases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No connection is lost by that."""
    name = postgres.create_database()
    address = postgres.dsn(name)
    try:
        await begun(address)
        postgres.run("CREATE TABLE before AS SELECT * FROM chunks", database=name)
        async with await Journal.open(address) as journal:
            job = await journal.workers.join(await journal.jobs.get("a"))
            await send(journal, job)
            restore(postgres, name)
            with pytest.raises(JournalError, match="it lacks a request that this machine knows of"):
                await journal.chunks.take(job, time.time())
        await put_back_beside(address, monkeypatch, tmp_path)
    finally:
        postgres.drop_database(name)


async def test_who_only_looks_on_knows_what_has_ended_too(
    postgres: Databases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(store, "BEAT", 0.01)
    name = postgres.create_database()
    address = postgres.dsn(name)
    try:
        await begun(address)
        postgres.run("CREATE TABLE before AS SELECT * FROM chunks", database=name)
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("XDG_STATE_HOME", str(tmp_path / "idle"))
            idle = await Journal.open(address)
        assert isinstance(idle._db, store.PostgresStore)
        noted, told, note = threading.Event(), threading.Event(), idle._db._witness.note
        tell = servers.tell

        def then(marks: Sequence[Mark]) -> None:
            note(marks)
            if any(one.chunk == 2 for one in marks):
                noted.set()

        def say(*given: Any) -> None:
            tell(*given)
            told.set()

        monkeypatch.setattr(servers, "tell", say)
        await goes_on(address)
        monkeypatch.setattr(idle._db._witness, "note", then)
        assert await asyncio.to_thread(noted.wait, 10.0)
        restore(postgres, name)
        assert await asyncio.to_thread(told.wait, 10.0)
        await idle.close()
        await put_back_beside(address, monkeypatch, tmp_path / "new")
    finally:
        postgres.drop_database(name)


async def test_who_has_looked_since_knows_it_as_well(
    make_postgres: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = make_postgres()
    await begun(server.dsn())
    copy = server.copy_files()
    await goes_on(server.dsn())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    await (await Journal.open(server.dsn(), read_only=True)).close()
    server.put_back(copy)
    with pytest.raises(JournalError, match="it lacks a request that this machine knows of"):
        await Journal.open(server.dsn())


async def test_permits_that_are_lost_are_noticed(postgres: Databases) -> None:
    """They are those of an hour, and of no chunk: a test send has no other trace."""
    name = postgres.create_database()
    account = Account("fake", "shop", {"tests": Quota(20, 3600.0, "tests")})

    async def granted() -> None:
        async with await Journal.open(postgres.dsn(name)) as journal:
            (await journal.permits_of(account, Clock()).acquire(("tests",), 0.0, 30.0)).done()

    try:
        await granted()
        postgres.run("CREATE TABLE before AS SELECT * FROM accounts", database=name)
        await granted()
        postgres.run("DELETE FROM accounts", database=name)
        postgres.run("INSERT INTO accounts SELECT * FROM before", database=name)
        with pytest.raises(JournalError, match="it lacks permits of a quota"):
            await Journal.open(postgres.dsn(name))
    finally:
        postgres.drop_database(name)


async def test_a_damaged_witness_is_made_anew_once_a_person_has_said_so(
    postgres_database: str,
) -> None:
    await begun(postgres_database)
    async with await Journal.open(postgres_database) as journal:
        assert isinstance(journal._db, store.PostgresStore)
        place = journal._db._witness.place
    assert place is not None
    place.write_bytes(b"\0" * 100)
    for adopt in (None, "latest"):
        with pytest.raises(JournalError, match="is damaged"):
            await Journal.open(postgres_database, adopt=adopt)
    await (await Journal.open(postgres_database, adopt="older")).close()
    await goes_on_with_another(postgres_database)


async def goes_on_with_another(address: str) -> None:
    async with await Journal.open(address) as journal:
        await send(journal, await planned(journal, people(2), name="b", chunk=1))


async def test_a_second_restore_is_noticed_by_who_has_seen_the_first_one(
    postgres: Databases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another machine had noticed that, or a person had said how it goes on."""
    name = postgres.create_database()
    address = postgres.dsn(name)
    try:
        await begun(address)
        for table, before in BEFORE.items():
            postgres.run(f"CREATE TABLE {before} AS SELECT * FROM {table}", database=name)
        await goes_on(address)
        restore(postgres, name, "chunks", "meta")
        with pytest.raises(JournalError, match="that this machine knows of"):
            await Journal.open(address)
        with monkeypatch.context() as another:
            another.setenv("XDG_STATE_HOME", str(tmp_path / "heard"))
            with pytest.raises(JournalError, match=r"that the machine .* knows of"):
                await Journal.open(address)
            restore(postgres, name, "chunks", "meta")
            with pytest.raises(JournalError, match="that this machine knows of"):
                await Journal.open(address)
        await (await Journal.open(address, adopt="older")).close()
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "looked"))
        await (await Journal.open(address, read_only=True)).close()
        restore(postgres, name, "chunks", "meta")
        for adopt in (None, "latest"):
            with pytest.raises(JournalError, match="predates an --adopt"):
                await Journal.open(address, adopt=adopt)
    finally:
        postgres.drop_database(name)


BEFORE: dict[LiteralString, LiteralString] = {"chunks": "before", "meta": "meta_before"}


def restore(postgres: Databases, name: str, *tables: LiteralString) -> None:
    """As ``pg_restore --clean`` does it, for these tables, or the chunks."""
    for table in tables or ("chunks",):
        postgres.run(f"DELETE FROM {table}", database=name)
        postgres.run(f"INSERT INTO {table} SELECT * FROM {BEFORE[table]}", database=name)


async def test_a_copy_whose_original_went_on_is_not_the_latest(postgres: Databases) -> None:
    name = postgres.create_database()
    await begun(postgres.dsn(name))
    copy = postgres.create_database(name)
    try:
        await goes_on(postgres.dsn(name))
        with pytest.raises(JournalError, match="is not the latest: it lacks a request"):
            await Journal.open(postgres.dsn(copy), adopt="latest")
        await (await Journal.open(postgres.dsn(copy), adopt="older")).close()
        await (await Journal.open(postgres.dsn(copy))).close()
        with pytest.raises(JournalError, match="predates an --adopt"):
            await Journal.open(postgres.dsn(name))  # which was to be gone for good
        await (await Journal.open(postgres.dsn(name), adopt="latest")).close()  # it was not
        await goes_on(postgres.dsn(name))
    finally:
        postgres.drop_database(copy)
        postgres.drop_database(name)


@pytest.mark.parametrize("sends", [True, False])
async def test_who_has_seen_an_adopted_copy_does_not_go_back_to_the_original(
    postgres: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sends: bool
) -> None:
    """The copy was adopted on another machine."""
    name = postgres.create_database()
    await begun(postgres.dsn(name))
    copy = postgres.create_database(name)
    try:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("XDG_STATE_HOME", str(tmp_path))
            await (await Journal.open(postgres.dsn(copy), adopt="latest")).close()
        if sends:
            await goes_on(postgres.dsn(copy))
        else:
            await (await Journal.open(postgres.dsn(copy), read_only=True)).close()
        with pytest.raises(JournalError, match="predates an --adopt"):
            await goes_on(postgres.dsn(name))
        await goes_on(postgres.dsn(copy))
    finally:
        postgres.drop_database(copy)
        postgres.drop_database(name)


async def test_a_word_that_was_wrong_is_noticed_by_who_knows_better(
    postgres: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody says on another machine that nothing was sent since."""
    name = postgres.create_database()
    await begun(postgres.dsn(name))
    copy = postgres.create_database(name)
    try:
        await goes_on(postgres.dsn(name))
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("XDG_STATE_HOME", str(tmp_path))
            await (await Journal.open(postgres.dsn(copy), adopt="latest")).close()
            await goes_on(postgres.dsn(copy))
        with pytest.raises(JournalError, match="it lacks a request that this machine knows of"):
            await Journal.open(postgres.dsn(copy))
        await goes_on(postgres.dsn(name))
    finally:
        postgres.drop_database(copy)
        postgres.drop_database(name)


async def test_numbers_that_may_have_been_used_meanwhile_are_passed_over(
    postgres_database: str,
) -> None:
    async with await Journal.open(postgres_database) as journal:
        first = await planned(journal, people(3), chunk=1)
        await journal.workers.leave(first)
    async with await Journal.open(postgres_database, adopt="older") as journal:
        second = await planned(journal, people(3), name="b", chunk=1)
        assert second.id > first.id + 1_000
        found = await journal._db.read(
            lambda db: db.execute("SELECT max(n) FROM chunks WHERE job = ?", (first.id,)).fetchone()
        )
        assert found[0] > 1_000
        counts = await journal.reports.counts(first)
        assert (counts.in_doubt, counts.unsent) == (3, 0)
        assert set((await states(journal, first)).values()) == {"in doubt"}


async def test_permits_that_may_have_been_had_meanwhile_count(postgres_database: str) -> None:
    quotas = {"campaigns": Quota(4, 3600.0, "campaigns"), "tests": Quota(20, 3600.0, "tests")}

    async def ask(journal: Journal, *names: str) -> Grant | Busy:
        ledger = Ledger(Account("fake", "shop", quotas), FakeClock(), journal._db.dialect.clock)
        return await journal._db.write(
            lambda db: ledger.ask(db, ledger.needs(*names), key=None, deadline=1.0, asked=0.0)
        )

    async with await Journal.open(postgres_database) as journal:
        assert isinstance(await ask(journal, "campaigns"), Grant)
    async with await Journal.open(postgres_database, adopt="older") as journal:
        for name in ("campaigns", "tests"):  # the second one is new to the journal
            busy = await ask(journal, name)
            assert isinstance(busy, Busy)
            assert 3_590 < busy.free_in <= 3_600


async def test_a_place_that_can_not_be_written_holds_nobody_up(
    postgres_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "mailkit").write_text("a file")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with await Journal.open(postgres_database) as journal:
        job = await planned(journal, people(3), chunk=1)
        await send(journal, job)
        await send(journal, job)
        assert [record.getMessage() for record in caplog.records] == [
            f"{tmp_path}/mailkit/witnesses/{(await journal_name(journal))} can't be used: Not a "
            "directory; a copy of the server's files that is put back will not be noticed by "
            "processes that start here"
        ]
        facts = (await journal.info()).store.reliance
        assert any("restored from a copy is not noticed here" in fact for fact in facts)


async def journal_name(journal: Journal) -> str:
    found = await journal._db.read(
        lambda db: db.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
    )
    return str(found[0])


# The file

EARLY, LATE = "1" * 16, "2" * 16
AT = 2.0
"""When the first take was."""


def mark(
    times: int, history: str = EARLY, system: str = HERE, job: int = 1, chunk: int = 1
) -> Mark:
    return Mark(system, history, job, chunk, times, AT)


def test_what_several_processes_note_is_together(tmp_path: Path) -> None:
    one, other = Witness(tmp_path / "w" / "j"), Witness(tmp_path / "w" / "j")
    one.note([mark(1)])
    other.note([mark(2), mark(1, LATE)])
    assert one.read() == other.read() == (mark(1), mark(2), mark(1, LATE))
    assert Witness(one.place).read() == one.read()
    assert one.last == mark(1)


def test_the_last_takes_are_kept_and_the_file_stays_small(tmp_path: Path) -> None:
    witness, other = Witness(tmp_path / "j"), Witness(tmp_path / "j")
    other.note([mark(7, EARLY, ELSEWHERE)])
    for number in range(1_000):
        witness.note([mark(number)])
        assert (tmp_path / "j").stat().st_size < LONGEST + 100
    kept = (mark(7, EARLY, ELSEWHERE), *map(mark, range(1_000 - KEPT, 1_000)))
    assert Witness(tmp_path / "j").read() == kept


def test_a_torn_line_counts_for_nothing(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "j")
    witness.note([mark(5)])
    witness.note([mark(7, EARLY, ELSEWHERE)])
    text = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(text[:-11])
    Witness(tmp_path / "j").note([mark(8)])
    assert Witness(tmp_path / "j").read() == (mark(5), mark(8))
    (tmp_path / "j").write_bytes(b"\0\xff" * 50)
    with pytest.raises(JournalError, match="is damaged"):
        Witness(tmp_path / "j").read()
    Witness(tmp_path / "j").note([mark(2)])
    assert Witness(tmp_path / "j").read() == (mark(2),)
    (tmp_path / "j").write_bytes(b"")
    with pytest.raises(JournalError, match="is damaged"):
        Witness(tmp_path / "j").read()


def test_one_that_this_user_may_not_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one in a folder that was made by a run of another user."""

    def denied(place: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(witness, "_text_of", denied)
    with pytest.raises(JournalError, match="make it and its folder readable and writable"):
        Witness(tmp_path / "j").read()


async def test_who_opens_a_journal_prepares_no_statements(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler may hand the connection's server to others, which would find them there."""
    thresholds: list[int | None] = []
    prepare = opening._prepare

    def seen(connection: Any, **options: Any) -> Any:
        thresholds.append(connection.prepare_threshold)
        return prepare(connection, **options)

    monkeypatch.setattr(opening, "_prepare", seen)
    await (await Journal.open(postgres_database)).close()
    assert thresholds == [None]


def test_one_that_can_not_be_read_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "j").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nothing").symlink_to("/dev/null")
    (tmp_path / "loop").symlink_to("loop")
    for place in ("j", "pipe", "nothing", "loop"):
        with pytest.raises(
            JournalError, match=r"can't be read: (Not a regular file|Is a dir|Too many)"
        ):
            Witness(tmp_path / place).read()
    assert Witness(tmp_path / "j" / "none").read() == ()
    assert Witness(None).read() == ()


async def test_what_a_journal_lacks(postgres_database: str) -> None:
    async with await Journal.open(postgres_database) as journal:
        job = await planned(journal, people(4), chunk=1)
        await take(journal, job)

        async def lacks(
            *known: Mark, system: str = HERE, history: str = LATE, ancestors: Sequence[str] = ()
        ) -> str | None:
            line = Lineage(system, history, ancestors)
            gap = await journal._db.read(lambda db: missing(db, line, known))
            return None if gap is None else str(gap)

        assert await lacks(Mark(HERE, LATE)) is None
        taken, lost = mark(1, LATE, job=job.id), mark(2, LATE, job=job.id)
        assert await lacks() is None
        assert await lacks(taken) is None
        for one in (
            lost,
            mark(1, LATE, job=job.id, chunk=9),
            mark(1, LATE, job=99),
            attrs.evolve(taken, at=9.0),
        ):
            assert await lacks(taken, one) == (
                "it lacks a request that this machine knows of, from "
                f"1970-01-01 00:00:0{one.at:.0f} UTC"
            )
        older = mark(2, EARLY, job=job.id)
        assert await lacks(older) is None, "what was missing is in doubt"
        assert "it lacks" in str(await lacks(older, ancestors=[EARLY]))
        assert "it lacks" in str(await lacks(mark(2, EARLY, ELSEWHERE), ancestors=[EARLY]))
        assert "predates an --adopt" in str(await lacks(taken, history=EARLY))
        seen = "predates an --adopt"
        assert seen in str(await lacks(taken, history=EARLY, system=ELSEWHERE))
        assert seen in str(await lacks(Mark(HERE, LATE), history=EARLY, system=ELSEWHERE))
        line = Lineage(ELSEWHERE, EARLY)
        asked = await journal._db.read(lambda db: missing(db, line, [taken], is_latest=True))
        assert asked is None, "by a person's word, the original goes on"
