"""A process that forks with its journal open: the child gets a sentence, the parent keeps all."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mailkit.bulk.journal import InlineExecutor, Journal
from mailkit.bulk.journal.locks import Locks
from mailkit.errors import JournalError

from .. import forking

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing forks there")


def forked(*words: str | Path) -> list[str]:
    pipe = subprocess.PIPE
    process = forking.start(
        "tests.bulk.forked", *words, cwd=forking.ROOT, stdout=pipe, stderr=pipe, text=True
    )
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    lines: list[str] = out.splitlines()
    return lines


@pytest.mark.parametrize("how", ["fork", "multiprocessing"])
def test_a_child_that_uses_the_journal_is_told_and_takes_no_lock_away(
    how: str, tmp_path: Path
) -> None:
    told = forked(how, "use", tmp_path / "journal.db")
    assert len(told) == 2
    for sentence in told:
        assert sentence == (
            f"this process was forked while the journal {tmp_path}/journal.db was open, and can't "
            "use it: open it in a process of its own (in multiprocessing: spawn, not fork)"
        )


@pytest.mark.parametrize("how", ["fork", "multiprocessing"])
def test_a_child_that_opens_the_same_file_anew_is_refused(how: str, tmp_path: Path) -> None:
    """SQLite takes the parent's locks for the child's own, and would write without any."""
    told = forked(how, "anew", tmp_path / "journal.db")
    assert len(told) == 2
    for sentence in told:
        assert "this process was forked while it was open, and has no locks on it" in sentence


def test_a_child_may_open_another_journal(tmp_path: Path) -> None:
    assert forked("fork", "another", tmp_path / "journal.db") == []
    assert not (tmp_path / "other.db-wal").exists()


@contextmanager
def orphan(path: Path) -> Iterator[tuple[int, int]]:
    """A child whose parent was killed, and its parent's worker; it ends at the end."""
    words = ("tests.bulk.forked", "fork", "outlive", path)
    pipe = subprocess.PIPE
    with forking.start(*words, cwd=forking.ROOT, stdin=pipe, stdout=pipe) as parent:
        assert parent.stdout is not None
        child, worker = map(int, parent.stdout.readline().split())
        assert Locks(path).held(worker)
        parent.kill()
        parent.wait()
        yield child, worker
        assert parent.stdin is not None
        parent.stdin.close()
        assert parent.stdout.read() == b""  # the child has ended


def test_a_child_that_outlives_its_parent_does_not_keep_its_worker_alive(tmp_path: Path) -> None:
    with orphan(tmp_path / "journal.db") as (child, worker):
        os.kill(child, 0)  # it lives
        assert not Locks(tmp_path / "journal.db").held(worker)


def test_a_child_that_ends_closes_nothing(tmp_path: Path) -> None:
    """It would remove the -wal, as the last one that has the file open, and all that is in it."""
    path, wal = tmp_path / "journal.db", tmp_path / "journal.db-wal"
    code = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
        "db.execute('CREATE TABLE later (x)'); db.commit(); os._exit(0)"
    )
    with orphan(path):
        subprocess.run([sys.executable, "-c", code, path], check=True)
        left = wal.read_bytes()
    assert wal.read_bytes() == left
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*) FROM later").fetchone() == (0,)


async def test_what_a_child_has_inherited_it_does_not_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    journal = await Journal.open(path, executor=InlineExecutor)
    with monkeypatch.context() as patch:
        patch.setattr("mailkit.bulk.journal.sqlite.store.os.getpid", lambda: 1)
        await journal.close()
        with pytest.raises(JournalError, match="this process was forked"):
            await journal.jobs.list()
    assert await journal.jobs.list() == []
    await journal.close()
