"""Where a journal can't be: on a network file system, mounted alone, or nowhere at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mailkit.bulk.journal import Journal, default_path
from mailkit.bulk.journal.sqlite import mounts
from mailkit.bulk.journal.sqlite.mounts import fault_of
from mailkit.errors import JournalError

from .jobs import at

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
    with pytest.raises(JournalError, match=r"network file system \(nfs4\), .*; name another place"):
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
    monkeypatch.setattr("platformdirs.user_state_path", find)
    with pytest.raises(JournalError, match="this user has no home directory"):
        default_path()
    with pytest.raises(JournalError, match="this user has no home directory"):
        await Journal.open()


async def test_a_journal_that_may_not_be_made_is_not(tmp_path: Path) -> None:
    place = tmp_path / "state" / "journal.db"
    with pytest.raises(JournalError, match=r"there is no journal at .*: a send makes one"):
        await Journal.open(place, create=False)
    assert list(tmp_path.iterdir()) == []
    async with at(place):
        pass
    await (await Journal.open(place, create=False)).close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
async def test_what_is_no_regular_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(JournalError, match="it is not a regular file; name another place"):
        await Journal.open(tmp_path / "pipe")
