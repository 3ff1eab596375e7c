"""The journal's file: where it is made, who may read it, and what is refused."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

import pytest

from mailkit.bulk.journal import Counts, Journal, default_place
from mailkit.bulk.journal.sqlite.schema import VERSION
from mailkit.bulk.journal.sqlite.store import ThreadExecutor
from mailkit.errors import JournalError

from .fakes import people
from .jobs import at, die, planned, take

LOOK = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM jobs')"


@pytest.mark.skipif(sys.platform == "win32", reason="locks belong to handles there")
async def test_opening_a_journal_again_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """Without them another process believes to be the last user, and removes the -wal."""
    path = tmp_path / "journal.db"
    first = await Journal.open(path)
    second = await Journal.open(path)
    await second.close()
    wal = (tmp_path / "journal.db-wal").stat().st_ino
    looker = await asyncio.create_subprocess_exec(sys.executable, "-c", LOOK, path)
    assert await looker.wait() == 0
    assert (tmp_path / "journal.db-wal").stat().st_ino == wal
    await first.close()
    assert not (tmp_path / "journal.db-wal").exists()


async def test_a_journal_that_somebody_else_is_making_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself doesn't wait while the file is set to WAL."""
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE theirs (n INTEGER)")
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            other.execute("ROLLBACK")

        monkeypatch.setattr("mailkit.bulk.journal.sqlite.opening.time.sleep", sleep)
        async with at(path) as journal:
            await planned(journal, people(3))
    assert len(waits) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")
async def test_every_folder_that_is_made_is_its_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / ".local" / "state" / "mailkit" / "journal.db"
    before = os.umask(0)
    try:
        await (await Journal.open(path)).close()
    finally:
        os.umask(before)
    made = [folder for folder in path.parents if folder.is_relative_to(tmp_path / "home")]
    assert {oct(stat.S_IMODE(folder.stat().st_mode)) for folder in made} == {"0o700"}


async def test_the_journal_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "state" / "mailkit" / "journal.db"
    before = os.umask(0)
    try:
        async with at(path) as journal:
            job = await planned(journal, people(3))
            assert job.worker is not None
            found = sorted(path.parent.rglob("*"))
            modes = {file.name: oct(file.stat().st_mode & 0o777) for file in found}
    finally:
        os.umask(before)
    assert modes == {
        "journal.db": "0o600",
        "journal.db-wal": "0o600",
        "journal.db-shm": "0o600",
        "journal.db-takes": "0o600",
        "journal.db-locks": "0o700",
        f"worker-{job.worker.id}.lock": "0o600",
    }
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_the_environment_names_the_place_else_the_state_directory_is_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILKIT_JOURNAL", str(tmp_path / "here.db"))
    journal = await Journal.open()
    await journal.close()
    assert journal.path == tmp_path / "here.db"
    assert (tmp_path / "here.db").exists()
    monkeypatch.delenv("MAILKIT_JOURNAL")
    assert Path(default_place()).parts[-2:] == ("mailkit", "journal.db")


async def test_what_was_written_is_there_after_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        job = await planned(journal, people(3))
        chunk = await take(journal, job)
        await journal.chunks.doubt(job, chunk.ticket, 3.0, "reset")
    async with at(path) as journal:
        job = await journal.jobs.get("a")
        counts = await journal.reports.counts(job)
        assert counts == Counts(read=3, in_doubt=2, unsent=1)


async def test_a_link_leads_to_the_same_journal_and_the_same_locks(tmp_path: Path) -> None:
    path, link = tmp_path / "journal.db", tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(path)
    async with at(path) as journal, at(link) as linked:
        job = await planned(journal, people(3))
        assert await linked.jobs.running(await linked.jobs.get("a"))
        die(job)
        assert not await linked.jobs.running(job)


@contextmanager
def changed(path: Path, *statements: str) -> Iterator[None]:
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()
    yield


async def test_a_journal_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path):
        pass
    with (
        changed(path, f"PRAGMA user_version = {VERSION + 1}"),
        pytest.raises(JournalError, match=f"its version is {VERSION + 1}, not {VERSION}"),
    ):
        await Journal.open(path)


@pytest.mark.parametrize("adopt", [None, "latest"])
async def test_what_is_not_a_journal_is_refused_and_left_as_it_is(
    tmp_path: Path, adopt: Literal["latest"] | None
) -> None:
    text, database, empty = tmp_path / "text", tmp_path / "database", tmp_path / "empty"
    text.write_text("not a database\n" * 1000)
    with changed(database, "CREATE TABLE jobs (id)", f"PRAGMA user_version = {VERSION}"):
        before = text.read_bytes(), database.read_bytes()
    with pytest.raises(JournalError, match="text is not a journal; pass another path, or"):
        await Journal.open(text, adopt=adopt)
    with pytest.raises(JournalError, match="database is a database, but not a journal; pass"):
        await Journal.open(database, adopt=adopt)
    assert (text.read_bytes(), database.read_bytes()) == before
    empty.touch()
    async with at(empty) as journal:
        assert await journal.jobs.list() == []


async def test_a_place_that_can_not_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "journal.db"):
        with pytest.raises(JournalError, match=r"can't be opened: .*; pass another path, or"):
            await Journal.open(place)


async def test_several_may_make_the_same_journal_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    opened = await asyncio.gather(*(Journal.open(path) for _ in range(8)))
    for journal in opened:
        assert await journal.jobs.list() == []
        await journal.close()


async def test_an_opening_that_fails_in_an_unexpected_way_is_told_too() -> None:
    def fail() -> sqlite3.Connection:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ThreadExecutor(fail)
