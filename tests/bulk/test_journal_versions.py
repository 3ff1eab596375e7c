"""A journal that an older version has written is brought to this one, and nothing of it is lost."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

import pytest

from mailkit.bulk.journal import ChunkState, Counts, Journal, Taken
from mailkit.bulk.journal.sqlite.births import born
from mailkit.bulk.journal.sqlite.schema import VERSION
from mailkit.bulk.journal.sqlite.witness import Origin
from mailkit.bulk.report import make_report
from mailkit.core.dispatch import Limits, Scope, Stage
from mailkit.errors import JournalError
from mailkit.events import DeliveryStatus

from .jobs import at, states, take

SAMPLES = Path(__file__).parent.parent / "samples" / "journals"
STAGES = (
    Stage("list", repeatable=True, carries_rows=False),
    Stage("load", Scope.PART, repeatable=True),
    Stage("send", carries_rows=False),
)
pytestmark = pytest.mark.skipif(os.name == "nt", reason="flock")


@pytest.fixture(params=[3, 4, 5])
def old(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A journal of an older version, with the witness that its process has left."""
    path = (tmp_path / "journal.db").resolve()
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path)
    dump = SAMPLES / f"version-{request.param}.sql"
    db.executescript(dump.read_text(encoding="utf-8"))
    (journal,) = db.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
    db.close()
    origin = Origin.of(path, path.lstat())
    assert origin.born == born(path)
    head = f"mailkit takes 1 {journal} {origin.inode} {origin.born} {origin.device} {origin.path}"
    takes = "".join(f"\n{n + 3} 1 {n} 1" for n in range(1, 6))
    path.with_name("journal.db-takes").write_text(head + takes, encoding="utf-8")
    return path


def tables(path: Path) -> dict[str, object]:
    db = sqlite3.connect(path)
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master ORDER BY name")]
    found = {
        name: sorted(row[1:] for row in db.execute(f"PRAGMA table_info({name})"))
        or [row[1:] for row in db.execute(f"PRAGMA index_info({name})")]
        for name in names
    }
    db.close()
    return {**found, "version": VERSION}


def version(path: Path) -> int:
    db = sqlite3.connect(path)
    (number,) = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return int(number)


async def test_an_upgraded_journal_has_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    async with at(old), at(tmp_path / "new.db"):
        pass
    assert tables(old) == tables(tmp_path / "new.db")


async def test_nothing_is_lost_and_what_was_under_way_is_in_doubt(old: Path) -> None:
    async with at(old) as journal:
        report = await make_report(journal, "autumn")
        assert report.counts == Counts(
            read=13, invalid=1, accepted=3, rejected=3, in_doubt=4, unsent=2
        )
        assert report.deliveries == {DeliveryStatus.QUEUED: 1, DeliveryStatus.DELIVERED: 1}
        job = await journal.workers.join(await journal.jobs.get("autumn"))
        doubts = await journal.reports.chunks(job, ChunkState.IN_DOUBT)
        assert [(one.n, one.reason) for one in doubts] == [
            (4, "reset"), (5, "the process ended while the request was under way"),
        ]  # fmt: skip
        taken = await take(journal, job)
        assert (taken.task.chunk, taken.ticket.number) == (6, 1)
        assert (await states(journal, job))["p3@example.com"] == "rejected"
        assert [one.address async for one in journal.suppressions.list()] == ["gone@example.com"]
        await journal.jobs.sweep()
    db = sqlite3.connect(old)
    names = [name for (name,) in db.execute("SELECT name FROM jobs")]
    assert "autumn" in names
    assert "cut off" not in names
    db.close()


@pytest.mark.parametrize("old", [3, 4], indirect=True)
async def test_rows_that_are_left_to_other_jobs_are_summed_up(old: Path) -> None:
    db = sqlite3.connect(old)
    why = "already sent by job summer"
    db.execute("UPDATE rows SET state = 'duplicate', reason = ? WHERE state = 'invalid'", (why,))
    db.commit()
    db.close()
    async with at(old) as journal:
        assert (await make_report(journal, "autumn")).elsewhere == {why: 1}


@pytest.mark.parametrize(
    ("old", "lock"),
    [(3, "job-1.lock"), (4, "worker-2.lock"), (5, "worker-2.lock")],
    indirect=["old"],
)
async def test_a_journal_that_an_older_version_sends_with_is_left_alone(
    old: Path, lock: str
) -> None:
    before = version(old)
    locks = old.with_name("journal.db-locks")
    locks.mkdir()
    with (locks / lock).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(JournalError, match="an older mailkit is sending the job autumn"):
            await Journal.open(old)
    assert version(old) == before


@pytest.mark.parametrize("old", [4, 5], indirect=True)
async def test_the_parts_of_a_chunk_go_on_where_they_were(old: Path) -> None:
    async with at(old) as journal:
        job = await journal.workers.join(await journal.jobs.get("winter"))
        tasks = []
        while isinstance(
            taken := await journal.chunks.take(job, 2e6, STAGES, limits=Limits(4, 1_000)), Taken
        ):
            tasks.append(taken.task)
        assert [(task.chunk, task.part, task.cursor) for task in tasks] == [
            (1, 2, "list-1"), (2, 1, "list-2"), (2, 2, "list-2"),
        ]  # fmt: skip
        assert [row.address for row in tasks[0].rows] == ["q3@example.com", "q4@example.com"]


@pytest.mark.parametrize("number", [2, VERSION + 1])
async def test_other_versions_are_refused(old: Path, number: int) -> None:
    db = sqlite3.connect(old)
    db.execute(f"PRAGMA user_version = {number}")
    db.close()
    with pytest.raises(JournalError, match=f"its version is {number}"):
        await Journal.open(old)
