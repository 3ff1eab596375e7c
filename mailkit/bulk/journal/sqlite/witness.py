"""The witness: a small file next to the journal that knows how far the journal has come.

Its first line names the journal, by a random id, and the file (see Origin). Each durable commit
adds a line: the commit's number, then for each chunk that it took the job, the chunk and how often
that chunk has been taken. The line is written after the commit and before a request's first byte,
and not forced onto the disk. So the witness may be behind its journal, if the power failed; a
journal that is behind its witness is an old one that was put back, or has lost its -wal, and what
it calls planned may have been sent.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import attrs

from mailkit.bulk.journal.sqlite.births import born
from mailkit.errors import JournalError
from mailkit.remedies import remedy

__all__ = [
    "Missing",
    "Origin",
    "Take",
    "Witness",
    "append",
    "line",
    "missing",
    "place",
    "read",
    "told",
    "write",
]

_HEAD = re.compile(rb"mailkit takes 1 ([0-9a-f]{32}) (\d+) (\d+) (\d+) ([0-9a-f]{16})")


class Take(NamedTuple):
    """A chunk that was handed out to be sent, for the ``times``-th time."""

    job: int
    chunk: int
    times: int


@attrs.frozen
class Origin:
    """Which file a journal is: its inode, when that was made (0: the system can't say), its device
    and a hash of its path. A device may have another number after a restart.
    """

    inode: int
    born: int
    device: int
    path: str

    @classmethod
    def of(cls, path: Path, found: os.stat_result) -> Origin:
        """That of the file at this resolved path."""
        digest = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
        return cls(found.st_ino, born(path), found.st_dev, digest)

    def is_copied_to(self, other: Origin) -> bool:
        """Whether that is another file."""
        if self.inode != other.inode:
            return True
        if self.born and other.born:
            return self.born != other.born
        return self.device != other.device and self.path != other.path


@attrs.frozen
class Witness:
    """What the file says: whose it is, the last commit, how often each chunk was taken, and when
    it was ``written`` to (seconds since 1970). Without an ``origin`` it is nobody's.
    """

    journal: str
    origin: Origin | None
    last: int
    takes: Mapping[int, Mapping[int, int]]
    written: float = 0.0


@attrs.frozen
class Missing:
    """What a journal does not know: so many commits, and these takes; so many of their ``jobs`` it
    does not have at all.
    """

    commits: int
    takes: list[Take]
    jobs: int = 0


def place(journal: Path) -> Path:
    """The place of a journal's witness."""
    return journal.with_name(journal.name + "-takes")


def read(path: Path) -> Witness | None:
    """What the file at this place says; None if there is none.

    A line that was cut off when the power failed counts as far as it goes. A file without its first
    line is nobody's.
    """
    try:
        written = path.stat().st_mtime
        head, *lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(
            f"{path} can't be read: {error.strerror}. It tells what the journal next to it has "
            "sent: make it readable and writable for this user"
        ) from error
    found = _HEAD.fullmatch(head)
    if found is None:
        return Witness("", None, 0, {})
    last = 0
    takes: dict[int, dict[int, int]] = {}
    for text in lines:
        try:
            number, *rest = map(int, text.split())
        except ValueError:
            continue
        last = max(last, number)
        for job, chunk, times in zip(*[iter(rest)] * 3, strict=False):
            chunks = takes.setdefault(job, {})
            chunks[chunk] = max(times, chunks.get(chunk, 0))
    inode, birth, device = map(int, found.groups()[1:4])
    origin = Origin(inode, birth, device, found[5].decode())
    return Witness(found[1].decode(), origin, last, takes, written)


def append(descriptor: int, text: bytes) -> None:
    """Write all of it, or raise OSError."""
    if os.write(descriptor, text) != len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def line(number: int, takes: Iterable[Take]) -> bytes:
    """What is appended for a commit. It begins with the line's end: the line before may be torn."""
    return b"\n" + " ".join(map(str, [number, *(n for take in takes for n in take)])).encode()


def write(path: Path, begun: Witness) -> None:
    """Begin a new witness, on the disk before it takes the place of the old one."""
    new = path.with_name(path.name + "-new")
    takes = (Take(job, n, times) for job, of in begun.takes.items() for n, times in of.items())
    assert begun.origin is not None  # noqa: S101 - only a file that can't be read has none
    head = " ".join(["mailkit takes 1", begun.journal, *map(str, attrs.astuple(begun.origin))])
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            append(descriptor, head.encode() + line(begun.last, takes))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise JournalError(f"{path} can't be written: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    """Have the folder's entries on the disk, where a folder can be opened."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def missing(db: sqlite3.Connection, witness: Witness) -> Missing | None:
    """What the witness knows and the journal does not; None if that is nothing.

    Neither a job that was sent nor a chunk is ever removed from a journal; but one that was adopted
    without such a job knows that it was (``lost`` in its meta table).
    """
    meta = dict(db.execute("SELECT key, value FROM meta"))
    number = int(meta["commits"])
    lost = set(map(int, str(meta.get("lost", "")).split()))
    commits = max(0, witness.last - number)
    takes: list[Take] = []
    for job, chunks in witness.takes.items():
        if job in lost and not commits:
            continue
        known = dict(db.execute("SELECT n, takes FROM chunks WHERE job = ?", (job,)))
        for chunk, times in chunks.items():
            if known.get(chunk, 0) < times:
                takes.append(Take(job, chunk, times))
    if not (commits or takes):
        return None
    jobs = {job for (job,) in db.execute("SELECT id FROM jobs")}
    return Missing(commits, takes, len({take.job for take in takes} - jobs))


def told(journal: Path, gap: Missing) -> str:
    """The refusal of a journal that does not know everything."""
    requests = f"{len(gap.takes)} request" + "s" * (len(gap.takes) != 1)
    lost = requests
    if gap.commits:
        lost = f"the last {gap.commits} changes" if gap.commits > 1 else "the last change"
        lost += f", with {requests}" if gap.takes else ""
    then = ", which puts the recipients of those requests in doubt" if gap.takes else ""
    if gap.jobs == 1:
        then += ". It lacks a whole job: don't send its list again"
    elif gap.jobs:
        then += f". It lacks {gap.jobs} whole jobs: don't send their lists again"
    latest = remedy('adopt="latest"', "--adopt latest")
    return (
        f"{journal} is older than {place(journal).name} next to it, and lacks {lost}: it was "
        "restored from a backup, or its -wal was lost. Restore the newest one, or open this one "
        f"once with {latest}{then}"
    )
