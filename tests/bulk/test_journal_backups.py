"""A backup is the journal at one moment, whatever is written meanwhile."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mailkit.bulk.journal import Journal
from mailkit.errors import InvalidArgument, JournalError

from .fakes import memory_journal, people
from .jobs import at, planned, states, take

BATCH = 50


def read(path: Path, sql: str) -> object:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchone()[0]


async def test_a_backup_has_whole_transactions_alone(tmp_path: Path) -> None:
    async with at(tmp_path / "journal.db") as journal:

        async def write(n: int) -> None:
            batch = [f"p{n}-{i}@b.by" for i in range(BATCH)]
            await journal.suppressions.add(batch, reason="x", now=1.0)

        async def backup(n: int) -> None:
            await journal.backup(tmp_path / f"copy-{n}.db")

        await asyncio.gather(*(step(n) for n in range(8) for step in (write, backup)))
        assert (await journal.info()).suppressions == 8 * BATCH
    for copy in tmp_path.glob("copy-*.db"):
        assert read(copy, "PRAGMA integrity_check") == "ok"
        count = read(copy, "SELECT count(*) FROM suppressions")
        assert isinstance(count, int)
        assert count % BATCH == 0


async def test_what_is_under_way_is_so_in_the_backup(tmp_path: Path) -> None:
    async with at(tmp_path / "journal.db") as journal:
        job = await planned(journal, people(4))
        await take(journal, job)
        size = await journal.backup(tmp_path / "copy.db")
        assert size == (tmp_path / "copy.db").stat().st_size
    async with at(tmp_path / "copy.db", adopt="older") as copy:
        assert set((await states(copy, job)).values()) == {"in doubt"}


async def test_a_journal_in_memory_is_not_backed_up(tmp_path: Path) -> None:
    async with memory_journal() as journal:
        with pytest.raises(JournalError, match="in memory"):
            await journal.backup(tmp_path / "copy.db")
    assert not list(tmp_path.iterdir())


async def test_where_files_have_one_name_the_backup_is_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "copy.db"

    def refuse(path: Path, target: Path) -> None:
        raise PermissionError

    def taken(path: Path, target: Path) -> None:
        place.write_text("mine")
        raise FileExistsError

    async with at(tmp_path / "journal.db") as journal:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
        await journal.backup(place)
        assert read(place, "PRAGMA integrity_check") == "ok"
        place.unlink()
        monkeypatch.setattr(Path, "hardlink_to", taken)
        with pytest.raises(InvalidArgument, match="never overwrites"):
            await journal.backup(place)
    assert place.read_text() == "mine"
    assert not list(tmp_path.glob(".mailkit-*"))


async def test_a_backup_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    async with at(tmp_path / "journal.db") as journal:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(JournalError, match="No space left on device"):
            await journal.backup(tmp_path / "copy.db")
        monkeypatch.undo()
    assert {path.name for path in tmp_path.iterdir()} == {"journal.db", "journal.db-takes"}


async def test_the_version_is_read_and_nothing_is_made(tmp_path: Path) -> None:
    assert await Journal.version_at(tmp_path / "journal.db") is None
    assert not list(tmp_path.iterdir())
    async with at(tmp_path / "journal.db") as journal:
        facts = (await journal.info()).store
    assert await Journal.version_at(tmp_path / "journal.db") == facts.version
    (tmp_path / "other.db").write_text("no database at all, but long enough to be read as one" * 99)
    with pytest.raises(JournalError, match="is not a journal"):
        await Journal.version_at(tmp_path / "other.db")
