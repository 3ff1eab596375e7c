"""The journal's file while it is open: whether it is still there, and what was taken from it.

After each commit the path must lead to the file that was opened, by one name, with the same -wal,
-shm and witness next to it: SQLite keeps these for as long as a process has the journal open.
Nothing but a look tells: a file that was removed or replaced can still be written to.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from mailkit.bulk.journal import forks
from mailkit.bulk.journal.forks import Identity
from mailkit.bulk.journal.pseudonyms import pseudonym
from mailkit.bulk.journal.sqlite import witness
from mailkit.bulk.journal.sqlite.witness import Take
from mailkit.errors import JournalError

__all__ = ["WAL_LIMIT", "JournalFile"]

BUSY_SECONDS = 30.0
WAL_LIMIT = 64 * 2**20
"""Bytes; SQLite cuts a longer -wal off at these, and does so with no shorter one."""


class _Connection(sqlite3.Connection):
    def close(self) -> None:
        forks.let_go(self)
        super().close()


class JournalFile:
    """A journal's file and those next to it. ``takes`` are those of the transaction under way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reading = "ro"  # the mode of connections that only read
        self.takes: list[Take] = []
        self._journal = ""
        self._seen: dict[str, Identity] = {}
        self._wal, self._wal_size = f"{path}-wal", 0
        self._main, self._main_size = str(path), 0  # which never shrinks
        self._known: dict[int, dict[int, int]] = {}
        self._number: int | None = None
        self._written = False
        self._durable: bool | None = None
        self._witness: int | None = None
        self._stood: tuple[int, int] | None = None

    def look_on(self) -> str:
        """The mode of connections to a file that can't be written to where it is.

        Without a -wal SQLite must be told that nobody writes to it, which is so unless it can be
        written elsewhere; that shows when it is closed.
        """
        if os.path.lexists(self._wal):
            return "ro"
        self._stood = self._state()
        self.reading = "ro&immutable=1"
        return self.reading

    def _state(self) -> tuple[int, int]:
        found = os.lstat(self._main)
        return found.st_size, found.st_mtime_ns

    def connect(self, mode: str = "rw") -> sqlite3.Connection:
        """A connection of SQLite's, known to those who fork."""
        forks.watch()
        with forks.guard:
            db = sqlite3.connect(
                f"{self.path.as_uri()}?mode={mode}",
                uri=True,
                factory=_Connection,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,  # each belongs to one executor
            )
            forks.keep(db, _identity(str(self.path)))
        db.create_function("pseudonym", 2, pseudonym, deterministic=True)
        return db

    def watch(self, db: sqlite3.Connection, file: Identity) -> None:
        """From now on, that is the file. The caller has just ended a transaction."""
        (self._journal,) = db.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
        names = [str(self.path), f"{self.path}-wal", f"{self.path}-shm"]
        self._seen = {name: _identity(name) for name in names}
        if self._seen[names[0]] != file:
            raise JournalError(f"{self.path} was replaced while it was opened; try again")
        place = str(witness.place(self.path))
        try:
            self._witness = os.open(place, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise JournalError(
                f"{place} can't be written: {error.strerror}; is it another user's?"
            ) from error
        self._seen[place] = _identity(place)

    def confirm(self, db: sqlite3.Connection, job: int) -> None:
        """Whoever begins to send a job must find all in the journal that the witness knows."""
        testimony = witness.read(witness.place(self.path))
        if testimony is None or testimony.journal != self._journal:
            raise self._changed(str(witness.place(self.path)), "was replaced")
        if missing := witness.missing(db, testimony):
            raise JournalError(witness.told(self.path, missing))
        self._known[job] = dict(testimony.takes.get(job, {}))

    def taking(self, job: int, chunk: int, times: int) -> None:
        """A chunk is about to be handed out, for so many times by the journal's word."""
        if times <= self._known.setdefault(job, {}).get(chunk, 0):
            raise self._changed(str(self.path), f"has forgotten that chunk {chunk} was taken")
        self.takes.append(Take(job, chunk, times))

    def number(self, db: sqlite3.Connection) -> None:
        """Give the commit, which is about to be made durable, its number."""
        db.execute("UPDATE meta SET value = value + 1 WHERE key = 'commits'")
        (self._number,) = db.execute("SELECT value FROM meta WHERE key = 'commits'").fetchone()

    def committed(self) -> None:
        """Look at the files, and have the witness told, before anybody acts on the commit."""
        number, takes = self._number, self.takes
        self.undone()
        with contextlib.suppress(FileNotFoundError):
            self._wal_size = os.lstat(self._wal).st_size
        self._written = True
        self.check()
        if number is None:
            return
        for job, chunk, times in takes:
            self._known[job][chunk] = times
        assert self._witness is not None  # noqa: S101 - opened before anything is written
        try:
            witness.append(self._witness, witness.line(number, takes))
        except OSError as error:
            raise JournalError(
                f"{witness.place(self.path)} can't be written: {error.strerror}; free some space, "
                "and resume"
            ) from error

    def undone(self) -> None:
        """Forget the transaction under way."""
        self._number, self.takes = None, []

    def check(self) -> None:
        """JournalError if another file stands in the place of one of these."""
        for name, seen in self._seen.items():
            try:
                found = os.lstat(name)
            except FileNotFoundError:
                raise self._changed(name, "was removed or moved") from None
            except OSError as error:
                raise self._changed(name, f"can't be found ({error.strerror})") from error
            if (found.st_dev, found.st_ino) != seen:
                raise self._changed(name, "was replaced")
            if found.st_nlink != 1:
                raise self._changed(name, "got another name (a hard link)")
            if name == self._main:
                if found.st_size < self._main_size:
                    raise self._changed(name, "was cut off")
                self._main_size = found.st_size

    def reach_disk(self, db: sqlite3.Connection, *, durable: bool) -> None:
        """Whether the next transaction of this connection, the one that writes, outlives the
        machine's end.
        """
        if durable is not self._durable:  # a PRAGMA is prepared each time
            db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    def begin(self) -> None:
        """JournalError if the -wal was cut off since the last commit."""
        with contextlib.suppress(FileNotFoundError):  # the look after the commit will tell
            if os.lstat(self._wal).st_size < min(self._wal_size, WAL_LIMIT):
                raise self._changed(self._wal, "was cut off")

    def check_written(self) -> None:
        """The last look, if anything was written."""
        if self._written:
            self.begin()
            self.check()

    def close(self) -> None:
        """Let go of the witness. JournalError if what was only looked at was written to."""
        descriptor, self._witness = self._witness, None
        if descriptor is not None:
            os.close(descriptor)
        if self._stood is not None and self._stood != self._state():
            raise JournalError(f"{self.path} was written to while it was being read: try again")

    def _changed(self, name: str, what: str) -> JournalError:
        return JournalError(
            f"{name} {what} while the journal was open; nothing more is sent. Put the journal's "
            "files back as they were, and resume"
        )


def _identity(name: str) -> Identity:
    found = os.lstat(name)
    return found.st_dev, found.st_ino
