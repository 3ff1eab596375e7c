"""A standby takes over, or a copy is opened: what may have been lost by that is not sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import LiteralString

import pytest
from psycopg.conninfo import conninfo_to_dict

from mailkit.bulk.journal import JobRecord, Journal, Later, Taken
from mailkit.bulk.journal.postgres import servers
from mailkit.bulk.journal.postgres.store import PostgresStore
from mailkit.errors import JournalError
from mailkit.provider import Sent

from ..bulk.fakes import people
from ..bulk.jobs import planned, states, take
from .databases import Databases
from .server import Server

Make = Callable[..., Server]


def store_of(journal: Journal) -> PostgresStore:
    assert isinstance(journal._db, PostgresStore)
    return journal._db


def both(server: Server, standby: Server) -> str:
    """An address that leads to whichever of the two can be written to."""
    found = [conninfo_to_dict(one.dsn()) for one in (server, standby)]
    hosts, ports = ([str(one[name]) for one in found] for name in ("host", "port"))
    settings = "target_session_attrs=read-write&connect_timeout=5"
    return (
        f"postgresql:///postgres?user=mailkit&host={','.join(hosts)}&port={','.join(ports)}"
        f"&{settings}"
    )


async def test_a_synchronous_standby_that_takes_over_lacks_nothing(make_postgres: Make) -> None:
    server = make_postgres()
    standby = server.standby(synchronous=True)
    async with await Journal.open(both(server, standby)) as journal:
        job = await planned(journal, people(4), chunk=1)
        first, second = await take(journal, job), await take(journal, job)
        await journal.chunks.accept(job, first.ticket, 3.0, Sent(None))
        await take(journal, job)  # it is durable, and so is all before it
        server.kill()
        standby.promote()
        standby.configure({"synchronous_standby_names": ""})
        await journal.chunks.accept(job, second.ticket, 3.0, Sent(None))
        taking = asyncio.ensure_future(journal.chunks.take(job, 4.0))
        while not store_of(journal)._said:  # the new server has no standby yet
            assert not taking.done()
            await asyncio.sleep(0)
        standby.standby(synchronous=True)
        assert isinstance(await taking, Taken)
        found = await states(journal, job)
    assert sorted(found.values()) == ["accepted", "accepted", "unsent", "unsent"]


async def test_an_asynchronous_standby_that_takes_over_is_refused(make_postgres: Make) -> None:
    server = make_postgres()
    async with await Journal.open(server.dsn()) as journal:
        job = await planned(journal, people(3), chunk=1)
        standby = server.standby()
        standby.cut_off()
        await take(journal, job)
    server.kill()
    standby.promote()
    with pytest.raises(JournalError, match="no commit had waited for it"):
        await Journal.open(standby.dsn())
    async with await Journal.open(standby.dsn(), adopt="older") as journal:
        found = await journal.jobs.get("a")
        assert set((await states(journal, found)).values()) == {"in doubt"}
    async with await Journal.open(standby.dsn()) as journal:  # the word is kept
        await journal.jobs.get("a")


async def test_who_sends_meanwhile_takes_nothing_from_it(make_postgres: Make) -> None:
    server = make_postgres()
    standby = server.standby()
    address = both(server, standby)
    async with await Journal.open(address, single_server=True) as journal:
        job = await planned(journal, people(3), chunk=1)
        standby.cut_off()
        await take(journal, job)
        server.kill()
        standby.promote()
        with pytest.raises(JournalError, match="no commit had waited for it"):
            await journal.chunks.take(job, 3.0)


async def test_a_standby_that_nobody_waits_for_needs_a_word(make_postgres: Make) -> None:
    server = make_postgres()
    server.standby()
    with pytest.raises(JournalError, match="no commit waits for it"):
        await Journal.open(server.dsn())
    noted = "no standby of this server will ever be promoted, as was noted with --single-server"
    async with await Journal.open(server.dsn(), single_server=True) as journal:
        assert noted in (await journal.info()).store.reliance
    async with await Journal.open(server.dsn()) as journal:
        relies_on = (await journal.info()).store.reliance
    assert noted in relies_on
    assert not any("took over" in sentence for sentence in relies_on)


async def test_a_standby_next_to_the_one_that_commits_wait_for_needs_a_word(
    make_postgres: Make,
) -> None:
    server = make_postgres()
    server.standby(synchronous=True)
    await (await Journal.open(server.dsn())).close()
    other = server.standby()
    with pytest.raises(JournalError, match=f"the standby {other.folder.name} follows this server"):
        await Journal.open(server.dsn())
    await (await Journal.open(server.dsn(), single_server=True)).close()


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("", set()),
        ("a", {"a"}),
        ("A, b", {"a", "b"}),
        ("*", {"a", "b", "c d"}),
        ('"c d"', {"c d"}),
        ('2 (a, "c d")', {"a", "c d"}),
        ("FIRST 1 (b)", {"b"}),
        ("any 2 (a,b,*)", {"a", "b", "c d"}),
    ],
)
def test_for_whom_commits_wait(names: str, found: set[str]) -> None:
    waited_for = servers._named(names)
    assert {one for one in ("a", "b", "c d", "1", "first") if waited_for(one)} - {"1", "first"} == (
        found
    )
    assert waited_for("first") is ("*" in names)


async def test_a_standby_itself_is_refused(make_postgres: Make) -> None:
    server = make_postgres()
    standby = server.standby(synchronous=True)
    await (await Journal.open(server.dsn())).close()
    with pytest.raises(JournalError, match="is a standby, or read-only"):
        await Journal.open(standby.dsn())


async def test_a_take_that_the_standby_did_not_confirm_is_none(make_postgres: Make) -> None:
    server = make_postgres()
    standby = server.standby(synchronous=True)
    async with await Journal.open(server.dsn()) as journal:
        job = await planned(journal, people(2), chunk=1)
        standby.stop()
        taking = asyncio.ensure_future(journal.chunks.take(job, 3.0))
        waits = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        while not await asyncio.to_thread(server.run, waits):
            assert not taking.done()
        standby.start()
        assert isinstance(await taking, Later)
        assert await journal.chunks.planned(job) == 2


async def stops(journal: Journal, job: JobRecord, address: str) -> None:
    """Nothing is taken, and who opens the journal is told as well."""
    store_of(journal)._patience = 0.0
    with pytest.raises(servers.NoStandby, match="wait for none any more: synchronous_standby_name"):
        await journal.chunks.take(job, 3.0)
    with pytest.raises(JournalError, match=r"no commit waits for it|wait for none any more"):
        await Journal.open(address, read_only=True)


async def test_nothing_is_taken_once_no_commit_waits_for_the_standby(make_postgres: Make) -> None:
    server = make_postgres()
    standby = server.standby(synchronous=True)
    [(names,)] = server.run("SHOW synchronous_standby_names")
    async with await Journal.open(server.dsn()) as journal:
        job = await planned(journal, people(4), chunk=1)
        await take(journal, job)
        for _ in range(2):  # the word is for this time only
            server.configure({"synchronous_standby_names": ""})
            await stops(journal, job, server.dsn())
            await (await Journal.open(server.dsn(), single_server=True)).close()
            await take(journal, job)
            server.configure({"synchronous_standby_names": names})
            await journal.suppressions.add(["a@b.by"], reason="x", now=1.0)
        server.configure({"synchronous_standby_names": ""})
        standby.stop()
        await stops(journal, job, server.dsn())
        assert (await journal.reports.counts(job)).unsent == 4


async def test_a_take_that_no_longer_waits_for_the_standby_is_none(make_postgres: Make) -> None:
    """The server says that it is committed, and the standby lacks it."""
    server = make_postgres()
    standby = server.standby(synchronous=True)
    async with await Journal.open(server.dsn()) as journal:
        job = await planned(journal, people(2), chunk=1)
        standby.stop()
        taking = asyncio.ensure_future(journal.chunks.take(job, 3.0))
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        while not await asyncio.to_thread(server.run, waits):
            assert not taking.done()
        store_of(journal)._patience = 0.0
        server.configure({"synchronous_standby_names": ""})
        with pytest.raises(servers.NoStandby):
            await taking
        await (await Journal.open(server.dsn(), single_server=True)).close()
        assert (await take(journal, job)).ticket == (1, 2)
        assert await journal.chunks.planned(job) == 1


async def test_nothing_is_taken_once_other_standbys_are_named(make_postgres: Make) -> None:
    server = make_postgres()
    standby = server.standby(synchronous=True)
    async with await Journal.open(server.dsn()) as journal:
        job = await planned(journal, people(2), chunk=1)
        server.configure({"synchronous_standby_names": "another"})
        with pytest.raises(JournalError, match=f"the standby {standby.folder.name} follows this"):
            await journal.chunks.take(job, 3.0)


async def test_a_backup_that_is_restored_into_the_database_is_noticed_by_everybody(
    postgres: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``pg_restore --clean`` does it; nobody has seen what was sent since."""
    name = postgres.create_database()
    address = postgres.dsn(name)
    try:
        async with await Journal.open(address) as journal:
            job = await planned(journal, people(2), chunk=1)
            for statement in RESTORE:
                postgres.run(statement, database=name)
            with pytest.raises(servers.Replaced, match="a backup was restored into this database"):
                await journal.chunks.take(job, 3.0)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        with pytest.raises(JournalError, match="a backup was restored into this database"):
            await Journal.open(address, read_only=True)
        async with await Journal.open(address, adopt="older") as journal:
            assert (await journal.reports.counts(job)).in_doubt == 2
        await (await Journal.open(address)).close()
    finally:
        postgres.drop_database(name)


RESTORE: Sequence[LiteralString] = (
    "ALTER TABLE meta RENAME TO dumped",
    "CREATE TABLE meta (LIKE dumped INCLUDING ALL)",
    "INSERT INTO meta SELECT * FROM dumped",
    "DROP TABLE dumped",
)


async def test_a_copy_of_the_database_is_refused(postgres: Databases) -> None:
    name = postgres.create_database()
    async with await Journal.open(postgres.dsn(name)) as journal:
        job = await planned(journal, people(3), chunk=1)
        await take(journal, job)
    copy = postgres.create_database(name)
    try:
        with pytest.raises(JournalError, match="is a copy of another database's"):
            await Journal.open(postgres.dsn(copy))
        async with await Journal.open(postgres.dsn(copy), adopt="latest") as journal:
            found = await journal.jobs.get("a")
            assert sorted((await states(journal, found)).values()) == [
                "in doubt", "unsent", "unsent",
            ]  # fmt: skip
    finally:
        postgres.drop_database(copy)
        postgres.drop_database(name)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_a_server_that_forgets_is_refused(make_postgres: Make, setting: str) -> None:
    server = make_postgres({setting: "off"})
    with pytest.raises(JournalError, match=f"{setting} = off"):
        await Journal.open(server.dsn())
    server.configure({setting: "on"})
    async with await Journal.open(server.dsn()) as journal:
        job = await planned(journal, people(2), chunk=1)
        server.configure({setting: "off"})
        with pytest.raises(JournalError, match=f"{setting} off by now"):
            await journal.chunks.take(job, 3.0)


async def test_the_word_that_all_is_older_counts_where_nothing_was_noticed(
    postgres_database: str,
) -> None:
    """The server's files may have been put back: it looks the same afterwards."""
    async with await Journal.open(postgres_database) as journal:
        job = await planned(journal, people(3), chunk=1)
        await journal.chunks.accept(job, (await take(journal, job)).ticket, 3.0, Sent(None))
        await journal.workers.leave(job)
    async with await Journal.open(postgres_database, adopt="latest") as journal:
        assert (await journal.reports.counts(job)).unsent == 2
    async with await Journal.open(postgres_database, adopt="older") as journal:
        counts = await journal.reports.counts(job)
        assert (counts.accepted, counts.in_doubt, counts.unsent) == (1, 2, 0)


async def test_a_database_that_has_not_all_characters_is_refused(postgres: Databases) -> None:
    postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(JournalError, match="has the encoding LATIN1"):
            await Journal.open(postgres.dsn("latin"))
    finally:
        postgres.drop_database("latin")


@pytest.mark.parametrize(("off", "said"), [(7_200.0, "2 h ahead of"), (-300.0, "5 min behind")])
async def test_a_machine_whose_clock_is_wrong_is_refused(
    off: float, said: str, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + off)
    with pytest.raises(JournalError, match=f"this machine's clock is {said}"):
        await Journal.open(postgres_database)
    monkeypatch.setattr(time, "time", lambda: right() + 30.0)
    await (await Journal.open(postgres_database)).close()
