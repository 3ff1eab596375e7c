"""Where a journal can't be: on a network file system, mounted alone, or nowhere at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mailkit.bulk.journal import Journal, default_place
from mailkit.bulk.journal.sqlite import mounts
from mailkit.bulk.journal.sqlite.mounts import fault_of
from mailkit.bulk.journal.store import Connection
from mailkit.errors import JournalError

from .jobs import at, planned, snapshot, states

PATH = Path("/home/me/my state/journal.db")
HERE = os.makedev(0, 52)


def table(kind: str, place: str = r"/home/me/my\040state", device: str = "0:52") -> str:
    return (
        "21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
        f"36 21 {device} / {place} rw,nosuid shared:7 master:3 - {kind} source rw,addr=10.0.0.1\n"
        "40 21 0:9 / /mnt/other rw - nfs4 server:/export rw\n"
    )


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "cifs", "smb3", "ceph", "afs", "lustre", "glusterfs", "fuse.sshfs",
     "fuse.glusterfs", "fuse.s3fs", "fuse.rclone"],
)  # fmt: skip
def test_a_network_file_system_is_refused(kind: str) -> None:
    fault = fault_of(PATH, HERE, table(kind))
    assert fault == f"it is on a network file system ({kind}), where SQLite's locks don't work"


@pytest.mark.parametrize(
    "kind",
    ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "virtiofs", "9p", "fuse.gocryptfs",
     "fuse.mergerfs", "fuse.grpcfuse", "fuseblk", "vfat", "nfsd", "aufs"],
)  # fmt: skip
def test_other_file_systems_are_this_machine_s_own(kind: str) -> None:
    assert fault_of(PATH, HERE, table(kind)) is None


def test_another_device_or_a_table_of_another_kind_says_nothing() -> None:
    assert fault_of(PATH, os.makedev(0, 53), table("nfs4")) is None
    for text in ("", "\n", "nonsense", "1 2 3 - nfs4", "36 21 0:52 / /mnt rw,no,separator"):
        assert fault_of(PATH, HERE, text) is None


def test_a_journal_that_is_mounted_as_a_single_file_is_refused() -> None:
    """As a container has it that is given the file alone: its -wal would be another one."""
    text = table("ext4", r"/home/me/my\040state/journal.db", "254:0")
    assert fault_of(PATH, os.makedev(254, 0), text) == (
        "it is mounted as a single file, apart from its -wal: mount its folder instead"
    )
    assert fault_of(PATH.with_name("other.db"), os.makedev(254, 0), text) is None


async def test_such_a_place_is_refused_before_anything_is_made_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path.stat().st_dev
    text = table("nfs4", device=f"{os.major(device)}:{os.minor(device)}")
    (tmp_path / "mounts").write_text(text)
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mounts")
    with pytest.raises(JournalError, match=r"network file system \(nfs4\), .*; pass another path"):
        await Journal.open(tmp_path / "journal.db")
    assert [file.name for file in tmp_path.iterdir()] == ["mounts"]
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "not there")  # as outside Linux
    async with at(tmp_path / "journal.db"):
        pass


def _unchanged(name: str) -> Path:
    return Path("~/.local/state", name)


def _unknown(name: str) -> Path:
    raise RuntimeError("could not determine the home directory")


@pytest.mark.parametrize("find", [_unchanged, _unknown])  # versions of platformdirs
async def test_a_user_without_a_home_is_told(
    find: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAILKIT_JOURNAL", raising=False)
    monkeypatch.setenv("HOME", "somewhere")
    monkeypatch.setattr("platformdirs.user_state_path", find)
    with pytest.raises(JournalError, match="this user has no home directory"):
        default_place()
    with pytest.raises(JournalError, match="this user has no home directory"):
        await Journal.open()


def test_a_relative_state_directory_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAILKIT_JOURNAL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("platformdirs.user_state_path", lambda name: Path("state", name))
    assert default_place() == tmp_path / ".local/state/mailkit/journal.db"


async def test_a_journal_that_may_not_be_made_is_not(tmp_path: Path) -> None:
    place = tmp_path / "state" / "journal.db"
    with pytest.raises(JournalError, match=r"there is no journal at .*: a send creates one"):
        await Journal.open(place, create=False)
    assert list(tmp_path.iterdir()) == []
    async with at(place):
        pass
    await (await Journal.open(place, create=False)).close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
async def test_what_is_no_regular_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(JournalError, match="it is not a regular file; pass another path"):
        await Journal.open(tmp_path / "pipe")


# where nothing can be written


@pytest.fixture
async def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal with a job, where nothing can be written from now on."""
    async with at(tmp_path / "journal.db") as journal:
        await planned(journal, ["a@example.com", "b@example.com"])
    monkeypatch.setattr("mailkit.bulk.journal.is_writable", lambda path: False)
    monkeypatch.setattr("mailkit.bulk.journal.sqlite.places.is_writable", lambda path: False)
    return tmp_path / "journal.db"


async def test_there_a_journal_can_be_looked_at_and_stays_as_it_is(locked: Path) -> None:
    def all_there_is() -> list[tuple[str, int, int]]:
        found = [(path, path.stat()) for path in sorted(locked.parent.rglob("*"))]
        return [(str(path), stat.st_mtime_ns, stat.st_size) for path, stat in found]

    before = all_there_is()
    journal = await Journal.open(locked, create=False, read_only=True)
    [job] = await journal.jobs.list()
    assert (await snapshot(journal, job)).counts.unsent == 2
    assert await states(journal, job) == {"a@example.com": "unsent", "b@example.com": "unsent"}
    with pytest.raises(JournalError, match="readonly database; make the file and its folder writ"):
        await journal.suppressions.add(["a@example.com"], reason="x", now=1.0)
    await journal.close()
    assert all_there_is() == before


async def test_one_that_is_written_from_elsewhere_is_seen_as_it_is_now(locked: Path) -> None:
    async with at(locked) as elsewhere:
        await planned(elsewhere, ["c@example.com"], "b")
        journal = await Journal.open(locked, create=False, read_only=True)
        assert {job.name for job in await journal.jobs.list()} == {"a", "b"}
        await planned(elsewhere, ["d@example.com"], "c")
        assert {job.name for job in await journal.jobs.list()} == {"a", "b", "c"}
        await journal.close()


async def test_what_was_read_while_another_began_to_write_does_not_count(locked: Path) -> None:
    journal = await Journal.open(locked, create=False, read_only=True)
    async with at(locked) as elsewhere:
        await planned(elsewhere, ["c@example.com"], "b")
    with pytest.raises(JournalError, match="written to while it was being read: try again"):
        await journal.close()


async def test_what_can_not_be_read_there_has_a_sentence(
    locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.bulk.journal.sqlite.opening.VERSION", 1_000)
    with pytest.raises(JournalError, match="written by an older mailkit: open it once where it"):
        await Journal.open(locked, create=False, read_only=True)
    locked.with_name("empty.db").touch()
    with pytest.raises(JournalError, match=r"there is no journal at .*empty.db: the file is empty"):
        await Journal.open(locked.with_name("empty.db"), create=False, read_only=True)


async def test_without_another_folder_temporary_files_go_next_to_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(db: Connection) -> object:
        return db.execute("PRAGMA temp_store_directory").fetchone()

    async with at(tmp_path / "journal.db") as journal:
        assert await journal._db.read(asked) in (None, ("",))
    for name in ("SQLITE_TMPDIR", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setattr("os.access", lambda path, mode: False)
    try:
        async with at(tmp_path / "journal.db") as journal:
            assert await journal._db.read(asked) == (str(tmp_path),)
    finally:
        with closing(sqlite3.connect(":memory:")) as db:
            db.execute("PRAGMA temp_store_directory = ''")
