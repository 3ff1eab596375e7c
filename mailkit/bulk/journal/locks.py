"""The right to run a job: a lock of the operating system, gone with its holder's process."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from mailkit.bulk.journal import forks
from mailkit.errors import JournalError

__all__ = ["Lease"]

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, shared: bool) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> bool:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class Lease:
    """The right to run a job. Its lock file stands next to the journal, and stays there."""

    def __init__(self, journal: Path | None, job_id: int) -> None:
        self._place: Path | None = None
        if journal is not None:
            self._place = journal.with_name(journal.name + "-locks") / f"job-{job_id}.lock"
        self._descriptor: int | None = None
        self._process = os.getpid()

    def take(self) -> bool:
        """Take the lease; False if a living engine has it."""
        if self._place is None:
            return True
        try:
            self._place.parent.mkdir(mode=0o700, exist_ok=True)
            while True:
                descriptor = _open(self._place, os.O_RDWR | os.O_CREAT)
                if not _lock(descriptor, shared=False):
                    _close(descriptor)
                    return False
                if _is_at(descriptor, self._place):
                    break
                _close(descriptor)  # somebody removed the file before it was locked
        except OSError as error:
            raise JournalError(
                f"the lock {self._place} can't be taken: {error.strerror}; is it another user's?"
            ) from error
        self._descriptor, self._process = descriptor, os.getpid()
        return True

    def taken(self) -> bool:
        """Whether an engine has the lease. Nothing is made, and those who look don't meet."""
        if self._place is None:
            return False
        try:
            descriptor = _open(self._place, os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise JournalError(
                f"the lock {self._place} can't be read: {error.strerror}; is it another user's?"
            ) from error
        try:
            return not _lock(descriptor, shared=True)
        finally:
            _close(descriptor)

    def release(self) -> None:
        """Give the lease back; in a forked child that is not its own to give."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and self._process == os.getpid():
            _close(descriptor)

    def __del__(self) -> None:
        self.release()  # a commit that fails after the lease was taken leaves nobody to do it


def _open(place: Path, flags: int) -> int:
    forks.watch()
    with forks.guard:
        descriptor = os.open(place, flags | _NO_LINK, 0o600)
        forks.descriptors.add(descriptor)
    return descriptor


def _close(descriptor: int) -> None:
    """End the lock with the last descriptor of the open file; children have closed theirs."""
    with forks.guard:
        forks.descriptors.discard(descriptor)
        os.close(descriptor)


def _is_at(descriptor: int, place: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), place.stat())
    return False
