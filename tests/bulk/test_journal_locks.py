"""The locks of a job's workers: who is alive, who may look, and what ends a lock."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from mailkit.bulk.journal.locks import Locks
from mailkit.errors import JournalError

from .fakes import people
from .jobs import at, die, in_file, planned, planning


def lock_files(path: Path) -> list[str]:
    return sorted(file.name for file in path.with_name(f"{path.name}-locks").iterdir())


async def test_a_workers_lock_is_one_workers_in_a_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal, at(path) as other:
        job = await planned(journal, people(3))
        assert job.worker is not None
        for where in (journal, other):
            assert in_file(where).liveness.take(job.worker.id) is None
            assert await where.workers.living(job) == {job.worker.id}
        second = await other.workers.join(job)
        assert second.worker is not None
        assert await journal.workers.living(job) == {job.worker.id, second.worker.id}
        die(job)
        assert await journal.workers.living(job) == {second.worker.id}
        await other.workers.leave(second)
        assert not await journal.jobs.running(job)


async def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    code = (
        "import sys; from pathlib import Path; from mailkit.bulk.journal.locks import Locks; "
        "lock = Locks(Path(sys.argv[1])).take(7); "
        "print(lock is not None, flush=True); sys.stdin.read()"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, str(path)), stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"True\n"
    locks = Locks(path)
    assert locks.held(7)
    assert locks.take(7) is None
    process.kill()
    await process.communicate()
    assert not locks.held(7)
    lock = locks.take(7)
    assert lock is not None
    lock.release()


async def test_a_lock_that_can_not_be_had_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal.db-locks" / "worker-7.lock").mkdir(parents=True)
    with pytest.raises(JournalError, match=r"worker-7\.lock can't be taken: .*another user's\?"):
        Locks(tmp_path / "journal.db").take(7)
    async with at(tmp_path / "other.db") as journal:
        (tmp_path / "other.db-locks").touch()
        with pytest.raises(JournalError, match="can't be taken"):
            await planning(journal, people(1))
        assert await journal.jobs.find("a") is None


async def test_a_lock_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    """Nobody is taken for dead, since nothing could be seen."""
    (tmp_path / "journal.db-locks").mkdir()
    (tmp_path / "journal.db-locks" / "worker-7.lock").symlink_to(tmp_path / "target")
    with pytest.raises(JournalError, match=r"worker-7\.lock can't be read: .*another user's\?"):
        Locks(tmp_path / "journal.db").held(7)


async def test_those_who_look_do_not_take_each_other_for_a_worker(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "journal.db"
    lock = Locks(path).take(1)
    assert lock is not None
    looking = os.open(tmp_path / "journal.db-locks" / "worker-1.lock", os.O_RDONLY)
    try:
        lock.release()
        (tmp_path / "journal.db-locks" / "worker-1.lock").touch()
        os.dup2(os.open(tmp_path / "journal.db-locks" / "worker-1.lock", os.O_RDONLY), looking)
        fcntl.flock(looking, fcntl.LOCK_SH)  # as another report does for a moment
        assert not Locks(path).held(1)
    finally:
        os.close(looking)


async def test_a_look_makes_nothing(tmp_path: Path) -> None:
    assert not Locks(tmp_path / "journal.db").held(7)
    assert not (tmp_path / "journal.db-locks").exists()


async def test_a_lock_that_was_removed_and_made_again_is_another_one(tmp_path: Path) -> None:
    """Who holds a file that has no name any more holds nothing: the next one makes a new file."""
    path = tmp_path / "journal.db"
    first = Locks(path).take(1)
    assert first is not None
    (tmp_path / "journal.db-locks" / "worker-1.lock").unlink()
    second = Locks(path).take(1)
    assert second is not None
    assert Locks(path).take(1) is None
    first.release()
    assert lock_files(path) == ["worker-1.lock"]  # which is not its own
    assert Locks(path).take(1) is None
    second.release()
    assert lock_files(path) == []
    assert Locks(path).take(1) is not None


async def test_a_lock_removed_while_it_is_taken_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "journal.db-locks" / "worker-1.lock"
    from mailkit.bulk.journal import locks

    tries: list[bool] = []
    real = locks._lock

    def removed_once(descriptor: int, *, shared: bool) -> bool:
        if not tries:
            place.unlink()
        tries.append(shared)
        return real(descriptor, shared=shared)

    monkeypatch.setattr(locks, "_lock", removed_once)
    lock = Locks(tmp_path / "journal.db").take(1)
    assert lock is not None
    assert tries == [False, False]
    assert Locks(tmp_path / "journal.db").take(1) is None
    lock.release()


async def test_a_link_planted_in_a_lock_s_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "journal.db-locks").mkdir()
    (tmp_path / "journal.db-locks" / "worker-1.lock").symlink_to(target)
    with pytest.raises(JournalError, match="can't be taken"):
        Locks(tmp_path / "journal.db").take(1)
    assert not target.exists()


async def test_a_lock_that_nobody_holds_any_more_is_given_back(tmp_path: Path) -> None:
    lock = Locks(tmp_path / "journal.db").take(1)
    assert lock is not None
    del lock
    assert Locks(tmp_path / "journal.db").take(1) is not None


async def test_the_file_of_a_lock_goes_with_its_worker(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        job = await planned(journal, people(3))
        assert job.worker is not None
        assert lock_files(path) == [f"worker-{job.worker.id}.lock"]
        await journal.workers.leave(job)
        assert lock_files(path) == []
        cut_off = path.with_name("journal.db-locks") / f"worker-{job.worker.id + 1}.lock"
        dead = await journal.workers.join(job)
        die(dead)
        cut_off.touch()  # kill -9 leaves the file
        new = await journal.workers.join(job)
        assert new.worker is not None
        assert lock_files(path) == [f"worker-{new.worker.id}.lock"]
        await journal.workers.leave(new)
    assert lock_files(path) == []


async def test_a_number_whose_lock_is_taken_is_left_out(tmp_path: Path) -> None:
    """A copy of a journal that was put back gives the numbers out again that its original gave."""
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        job = await planned(journal, people(3))
        assert job.worker is not None
        others = [Locks(path).take(job.worker.id + n) for n in (1, 2)]
        assert None not in others
        new = await journal.workers.join(job)
        assert new.worker is not None
        assert new.worker.id == job.worker.id + 3
        assert await journal.workers.living(job) == {job.worker.id, new.worker.id}
