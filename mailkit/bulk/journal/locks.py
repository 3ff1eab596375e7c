"""Which workers are alive: each holds a lock of the operating system, which ends with its process.

So the end of a worker on this machine is proven at once, and nothing depends on a clock.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from mailkit.bulk.journal import forks
from mailkit.bulk.journal.connection import Connection
from mailkit.errors import JournalError

__all__ = ["Lock", "Locks", "alone"]

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, shared: bool) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    @contextlib.contextmanager
    def alone(descriptor: int, *, shared: bool = False) -> Iterator[None]:
        """Nobody writes this file meanwhile who asks for it, and nobody else reads it, unless that
        is ``shared``.
        """
        beyond = 1 << 30  # what is locked can't be read by others
        os.lseek(descriptor, beyond, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            yield
        finally:
            os.lseek(descriptor, beyond, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> bool:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @contextlib.contextmanager
    def alone(descriptor: int, *, shared: bool = False) -> Iterator[None]:
        """Nobody writes this file meanwhile who asks for it, and nobody else reads it, unless that
        is ``shared``.
        """
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


class Locks:
    """The locks of a journal's workers. Their files are in a folder next to the journal; the ones
    of a journal in memory are known to its owner alone.
    """

    def __init__(self, journal: Path | None) -> None:
        self._folder = None if journal is None else journal.with_name(journal.name + "-locks")
        self._own: set[int] = set()

    def take(self, worker: int, _: Connection | None = None) -> Lock | None:
        """The lock of this worker; None if another one is alive by the same number."""
        if self._folder is None:
            self._own.add(worker)
            return Lock(None, None, lambda: self._own.discard(worker))
        place = self._folder / f"worker-{worker}.lock"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            while True:
                descriptor = _open(place, os.O_RDWR | os.O_CREAT)
                if not _lock(descriptor, shared=False):
                    _close(descriptor)
                    return None
                if _is_at(descriptor, place):
                    return Lock(descriptor, place)
                _close(descriptor)  # somebody removed the file before it was locked
        except OSError as error:
            raise JournalError(
                f"the lock {place} can't be taken: {error.strerror}; is it another user's?"
            ) from error

    def held(self, worker: int, _: Connection | None = None, *, of: str = "worker") -> bool:
        """Whether the worker is alive. Nothing is made, and those who look don't meet."""
        if self._folder is None:
            return worker in self._own
        place = self._folder / f"{of}-{worker}.lock"
        try:
            descriptor = _open(place, os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise JournalError(
                f"the lock {place} can't be read: {error.strerror}; is it another user's?"
            ) from error
        try:
            return not _lock(descriptor, shared=True)
        finally:
            _close(descriptor)

    def sign(self, worker: int, _: Connection | None = None) -> None:
        """The lock says it all."""

    def remove(self, worker: int) -> None:
        """Remove the file of a dead worker's lock: its number is never given again."""
        if self._folder is not None:
            with contextlib.suppress(OSError):  # what is left there harms nobody
                (self._folder / f"worker-{worker}.lock").unlink()


class Lock:
    """The lock of a worker that is alive, until it is released."""

    def __init__(
        self,
        descriptor: int | None,
        place: Path | None,
        let_go: Callable[[], None] = lambda: None,
    ) -> None:
        self._descriptor = descriptor
        self._place = place
        self._let_go = let_go
        self._process = os.getpid()

    def check(self, _: Connection | None = None) -> None:
        """JournalError if others can't see any more that the worker is alive."""
        place = self._place
        if place is None or self._descriptor is None or _is_at(self._descriptor, place):
            return
        raise JournalError(
            f"{place} was removed or replaced while this process sends the job: nothing more is "
            "sent. Leave that folder alone, and resume"
        )

    def release(self) -> None:
        """The worker has ended; in a forked child that is not its own to say."""
        if self._process != os.getpid():
            return
        self._let_go()
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            if self._place is not None and _is_at(descriptor, self._place):
                with contextlib.suppress(OSError):
                    self._place.unlink()
            _close(descriptor)

    def __del__(self) -> None:
        self.release()  # a commit that fails after the lock was taken leaves nobody to do it


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
