"""The journal's file under daily life: looked at, linked, copied, restored, moved, deleted."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from mailkit.bulk.journal import Journal

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
