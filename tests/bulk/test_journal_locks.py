"""The lease of a job: who may run it, who may look, and what ends it."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from mailkit.bulk.journal.locks import Lease
from mailkit.errors import JournalError

from .fakes import people
from .jobs import at, planned, planning


async def test_a_lease_is_one_engines_in_a_process(tmp_path: Path) -> None:
    async with at(tmp_path / "journal.db") as journal, at(tmp_path / "journal.db") as other:
        job = await planned(journal, people(3))
        first, second, third = (where.jobs.lease(job.id) for where in (journal, journal, other))
        assert first.take()
        assert [second.take(), third.take()] == [False, False]
        assert await other.jobs.running(job)
        first.release()
        assert not await other.jobs.running(job)
        assert third.take()
        third.release()


async def test_a_lease_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    code = (
        "import sys; from pathlib import Path; from mailkit.bulk.journal import Lease; "
        "lease = Lease(Path(sys.argv[1]), int(sys.argv[2])); "
        "print(lease.take(), flush=True); sys.stdin.read()"
    )
    async with at(path) as journal:
        job = await planned(journal, people(3))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, str(path), str(job.id)), stdin=PIPE, stdout=PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"True\n"
        assert await journal.jobs.running(job)
        assert not journal.jobs.lease(job.id).take()
        process.kill()
        await process.communicate()
        assert not await journal.jobs.running(job)
        lease = journal.jobs.lease(job.id)
        assert lease.take()
        lease.release()


async def test_a_lock_that_can_not_be_had_is_told(tmp_path: Path) -> None:
    async with at(tmp_path / "journal.db") as journal:
        (tmp_path / "journal.db-locks" / "job-7.lock").mkdir(parents=True)
        with pytest.raises(JournalError, match=r"job-7\.lock can't be taken: .*another user's\?"):
            journal.jobs.lease(7).take()
    async with at(tmp_path / "other.db") as journal:
        (tmp_path / "other.db-locks").touch()
        with pytest.raises(JournalError, match="can't be taken"):
            await planning(journal, people(1))
        assert await journal.jobs.find("a") is None


async def test_those_who_look_do_not_take_each_other_for_an_engine(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    async with at(tmp_path / "journal.db") as journal:
        job = await planned(journal, people(1))
        looking = os.open(tmp_path / "journal.db-locks" / f"job-{job.id}.lock", os.O_RDONLY)
        try:
            fcntl.flock(looking, fcntl.LOCK_SH)  # as another report does for a moment
            assert not await journal.jobs.running(job)
        finally:
            os.close(looking)


async def test_a_look_makes_nothing(tmp_path: Path) -> None:
    async with at(tmp_path / "journal.db") as journal:
        assert not journal.jobs.lease(7).taken()
        assert not (tmp_path / "journal.db-locks").exists()


async def test_a_lock_that_was_removed_and_made_again_is_another_one(tmp_path: Path) -> None:
    """Who holds a file that has no name any more holds nothing: the next one makes a new file."""
    lock = tmp_path / "journal.db-locks" / "job-1.lock"
    first, second = Lease(tmp_path / "journal.db", 1), Lease(tmp_path / "journal.db", 1)
    assert first.take()
    lock.unlink()
    assert second.take()
    assert not Lease(tmp_path / "journal.db", 1).take()
    first.release()
    assert not Lease(tmp_path / "journal.db", 1).take()
    second.release()
    assert Lease(tmp_path / "journal.db", 1).take()


async def test_a_lock_removed_while_it_is_taken_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Lease(tmp_path / "journal.db", 1)
    lock = tmp_path / "journal.db-locks" / "job-1.lock"
    from mailkit.bulk.journal import locks

    tries: list[bool] = []
    real = locks._lock

    def removed_once(descriptor: int, *, shared: bool) -> bool:
        if not tries:
            lock.unlink()
        tries.append(shared)
        return real(descriptor, shared=shared)

    monkeypatch.setattr(locks, "_lock", removed_once)
    assert lease.take()
    assert tries == [False, False]
    assert not Lease(tmp_path / "journal.db", 1).take()
    lease.release()


async def test_a_link_planted_in_a_lock_s_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "journal.db-locks").mkdir()
    (tmp_path / "journal.db-locks" / "job-1.lock").symlink_to(target)
    with pytest.raises(JournalError, match="can't be taken"):
        Lease(tmp_path / "journal.db", 1).take()
    assert not target.exists()


async def test_a_lease_that_nobody_holds_any_more_is_given_back(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "journal.db", 1)
    assert lease.take()
    del lease
    assert Lease(tmp_path / "journal.db", 1).take()
