"""How a journal is opened: looked at first, and not written to unless it is the right one.

The look is a connection that can only read: closed again, it leaves everything as it was, even a
-wal that belongs to another file.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from mailkit.bulk.journal.locks import Locks
from mailkit.bulk.journal.pseudonyms import pseudonym
from mailkit.bulk.journal.records import Adopt
from mailkit.bulk.journal.sqlite import adopting, troubles, witness
from mailkit.bulk.journal.sqlite.file import BUSY_SECONDS, WAL_LIMIT, JournalFile
from mailkit.bulk.journal.sqlite.finding import elsewhere, find, gone
from mailkit.bulk.journal.sqlite.places import (
    has_temporary_folder,
    is_writable,
    why_not_writable,
)
from mailkit.bulk.journal.sqlite.schema import OLDEST, VERSION, create, upgrade
from mailkit.bulk.journal.sqlite.witness import Origin, Witness
from mailkit.errors import JournalError

__all__ = ["Connector", "version_at"]

T = TypeVar("T")


class Connector:
    """Opens the journal at a resolved path (None: in memory), made if it isn't there and may be.

    A file that is not a journal, is of another version, or may not know everything that was sent
    (unless someone says what it is with ``adopt``) raises JournalError when it is opened.
    """

    def __init__(
        self, path: Path | None, *, adopt: Adopt | None = None, create: bool = True
    ) -> None:
        self.file = None if path is None else JournalFile(path)
        self._adopt = adopt
        self._create = create

    def __call__(self) -> sqlite3.Connection:
        """The connection that writes; the first one."""
        if self.file is None:
            db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            db.create_function("pseudonym", 2, pseudonym, deterministic=True)
            create(db, secrets.token_hex(16))
            return db
        with _told(self.file.path):
            return _patiently(partial(self._open, self.file))

    def _open(self, file: JournalFile) -> sqlite3.Connection:
        path = file.path
        found = find(path, create=self._create)
        origin = Origin.of(path, found)
        fault = _look(file, origin, "ro") if found.st_size else None
        if fault is not None and self._adopt is None:
            raise JournalError(fault)
        with _connected(file) as db:
            db.execute("PRAGMA temp_store = MEMORY")  # sending needs no room for such files
            _prepare(db, path, origin, adopt=self._adopt)
            if not found.st_size:  # it was empty, perhaps for a moment only
                testimony = witness.read(witness.place(path))
                if fault := adopting.fault_of(db, path, origin, testimony):
                    raise JournalError(fault)
            file.watch(db, (found.st_dev, found.st_ino))
        return db

    def reader(self) -> sqlite3.Connection:
        """A connection that only reads, once the other one is there."""
        assert self.file is not None  # noqa: S101 - in memory, one connection does both
        with _told(self.file.path), _connected(self.file) as db:
            if not has_temporary_folder():  # whoever else is in this process can't have one either
                folder = str(self.file.path.parent).replace("'", "''")
                db.execute(f"PRAGMA temp_store_directory = '{folder}'")
            db.execute("PRAGMA query_only = ON")
            _check(db, self.file.path)
            self.file.check()
        return db

    def onlooker(self) -> sqlite3.Connection:
        """The only connection to a journal that can't be written to where it is."""
        assert self.file is not None  # noqa: S101 - what is in memory can be written
        path = self.file.path
        with _told(path):
            origin = Origin.of(path, find(path, create=False))
            mode = self.file.look_on()
            if fault := _look(self.file, origin, mode):
                raise JournalError(fault)
            with _connected(self.file, mode) as db:
                if not has_temporary_folder():
                    db.execute("PRAGMA temp_store = MEMORY")
                db.execute("PRAGMA query_only = ON")
                if not _check(db, path):
                    raise JournalError(f"there is no journal at {path}: the file is empty")
        return db


def version_at(path: Path) -> int | None:
    """The version of the journal at this resolved path, which stays as it is; None if there is
    none. JournalError if it is not one, or can't be read.
    """
    file = JournalFile(path)
    with _told(path):
        if not path.exists() or not find(path, create=False).st_size:
            return None
        with _connected(file, "ro" if is_writable(path) else file.look_on()) as db:
            tables, version = _check(db, path, older=True), _version(db)
        db.close()
    return version if tables else None


def _patiently(open_it: Callable[[], T]) -> T:
    """Open it, and try again where SQLite doesn't wait for a lock by itself: as a journal is made,
    and set to WAL, by somebody else.
    """
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return open_it()
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up:
                raise
            time.sleep(0.01)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What SQLite says of the file, as a sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise JournalError(
            f"{error.filename} was removed or moved while the journal was opened; try again"
        ) from error
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise JournalError(f"{path} is not a journal; {elsewhere()}") from None
        if troubles.is_about_place(error) and (why := why_not_writable(path)):
            raise JournalError(f"the journal {path} can't be used: {why}") from error
        raise troubles.told(error, f"the journal {path} can't be used") from error


@contextmanager
def _connected(file: JournalFile, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    """A connection that is closed again if anything fails."""
    db = file.connect(mode)
    try:
        db.execute("PRAGMA cache_size = -16000")
        db.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
        db.execute("PRAGMA secure_delete = ON")  # who was removed can't be found in free space
        yield db
    except BaseException:
        db.close()
        raise


def _look(file: JournalFile, origin: Origin, mode: str) -> str | None:
    """Why the journal may not know everything that was sent; None if it does, or is a new one."""
    testimony = witness.read(witness.place(file.path))
    if testimony is not None and (copy := adopting.copied(file.path, origin, testimony)):
        return copy
    fault = None
    with _connected(file, mode) as db:
        if _check(db, file.path, older=True):
            if testimony is None:  # it may have been made since that look, with its witness
                testimony = witness.read(witness.place(file.path))
            fault = adopting.fault_of(db, file.path, origin, testimony)
        elif testimony is not None and testimony.last:
            raise gone(file.path, witness.place(file.path))
    db.close()
    return fault


def _check(db: sqlite3.Connection, path: Path, *, older: bool = False) -> bool:
    """Whether it is a journal; an empty one is as good as none. JournalError if it is not ours, or
    of a version that can't be read; with ``older``, it may be one that can be upgraded.
    """
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    if tables and not {"jobs", "rows", "chunks"} <= tables:
        raise JournalError(f"{path} is a database, but not a journal; {elsewhere()}")
    found = _version(db)
    if tables and not older and OLDEST <= found < VERSION:
        raise JournalError(
            f"{path} was written by an older mailkit: open it once where it is writable, to "
            "upgrade it"
        )
    if tables and not OLDEST <= found <= VERSION:
        raise JournalError(
            f"{path} is not a journal that this mailkit can read "
            f"(its version is {found}, not {VERSION}); {elsewhere()}"
        )
    return bool(tables)


def _prepare(db: sqlite3.Connection, path: Path, origin: Origin, *, adopt: Adopt | None) -> None:
    if db.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise JournalError(
            f"the journal {path} can't be used: its file system lacks what SQLite's WAL needs; "
            f"{elsewhere()}"
        )
    known = _check(db, path, older=True)
    if known and adopt is None and _version(db) == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")  # of two processes that meet at a new journal, one makes it
    new = None
    if not _check(db, path, older=True):
        testimony = witness.read(witness.place(path))
        if testimony is not None and testimony.last:
            raise gone(path, witness.place(path))
        made = Witness(secrets.token_hex(16), origin, 0, {})
        witness.write(witness.place(path), made)
        create(db, made.journal)
    else:
        if _version(db) < VERSION:
            _upgrade(db, path)
        if adopt is not None:
            new = adopting.adopt(db, path, origin, adopt)
    db.execute("COMMIT")
    # The file alone must show that it is a journal, should its -wal ever be lost.
    db.execute("PRAGMA wal_checkpoint(FULL)")
    if new is not None:
        witness.write(witness.place(path), new)


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _upgrade(db: sqlite3.Connection, path: Path) -> None:
    locks = Locks(path)
    found = [("job", job, name) for job, name in db.execute("SELECT id, name FROM jobs")]
    if _version(db) > 3:  # before, an engine held the lock of its job
        found = [
            ("worker", worker, name)
            for worker, name in db.execute(
                "SELECT workers.id, name FROM workers JOIN jobs ON jobs.id = job WHERE ended = 0"
            )
        ]
    for kind, number, name in found:
        if locks.held(number, of=kind):
            raise JournalError(
                f"an older mailkit is sending the job {name} with the journal {path}: wait until "
                "that has ended, and then use only this version"
            )
    upgrade(db)
