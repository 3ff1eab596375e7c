"""One SQLite file, written by one thread; works that wait together share one commit.

Every work is a function of the connection. It runs inside a transaction of its own making
(a savepoint), so a work that fails undoes itself alone. ``durable`` works are on the disk
(synchronous=FULL) before their result is given back.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeVar

import attrs

from mailkit.bulk.journal.schema import VERSION, create
from mailkit.errors import JournalError

__all__ = [
    "Connector",
    "Database",
    "Executor",
    "InlineExecutor",
    "ThreadExecutor",
    "Work",
    "connector",
    "run_together",
]

T = TypeVar("T")
Connector = Callable[[], sqlite3.Connection]

BUSY_SECONDS = 30.0
WORKS_A_COMMIT = 64
WRITE, READ = "BEGIN IMMEDIATE", "BEGIN"
_CREATING = threading.Lock()  # nobody may connect before the creator's descriptor is closed
_OF_ONE_WORK = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
    sqlite3.ProgrammingError,
)
_ELSEWHERE = "name another place with --journal or MAILKIT_JOURNAL"


@attrs.define
class Work:
    """One function of the connection and the future that gets its result.

    The future counts as running from the start: who cancels the wait does not cancel the work.
    """

    run: Callable[[sqlite3.Connection], Any]
    durable: bool
    future: Future[Any] = attrs.field(factory=Future)

    def __attrs_post_init__(self) -> None:
        self.future.set_running_or_notify_cancel()


class Executor(Protocol):
    """Where works run: a thread in life, at once in a simulation."""

    def submit(self, work: Work) -> None:
        """Run the work soon; its future tells the end."""
        ...

    def close(self) -> None:
        """End after the works already submitted; closes the connection."""
        ...


def connector(path: Path | None, *, adopt: bool = False) -> Connector:
    """How to open the journal at ``path`` (None: in memory), made if it isn't there.

    A file that is not a journal, is of a later version, or is the copy of another journal
    (unless ``adopt``) raises JournalError when it is opened.
    """

    def connect() -> sqlite3.Connection:
        if path is not None:
            _create(path)
        try:
            db = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,  # each belongs to one executor
            )
        except sqlite3.Error as error:
            raise JournalError(f"the journal {path} can't be opened: {error}") from error
        try:
            _prepare(db, path, adopt)
        except sqlite3.Error as error:
            db.close()
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
                raise JournalError(f"{path} is not a journal; {_ELSEWHERE}") from None
            raise JournalError(f"the journal {path} can't be used: {error}") from error
        except JournalError:
            db.close()
            raise
        return db

    return connect


def _create(path: Path) -> None:
    """Create the file, readable by its owner alone; SQLite copies the mode. One that exists is not
    opened: on POSIX, closing any descriptor of a file drops all locks that the process has on it,
    SQLite's too.
    """
    try:
        for folder in reversed(path.parents):  # with parents=True they would get the umask's mode
            folder.mkdir(mode=0o700, exist_ok=True)
        with _CREATING, contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if not path.is_file():
            raise FileExistsError(errno.EEXIST, "it is not a regular file")
    except OSError as error:
        why = error.strerror
        if isinstance(error, NotADirectoryError) or error.filename == str(path.parent):
            why = f"{path.parent} is not a folder"
        raise JournalError(f"the journal {path} can't be opened: {why}; {_ELSEWHERE}") from error


def _prepare(db: sqlite3.Connection, path: Path | None, adopt: bool) -> None:
    _check(db, path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA cache_size = -16000")
    db.execute("PRAGMA journal_size_limit = 67108864")
    db.execute("BEGIN IMMEDIATE")  # of two processes that meet at a new journal, one makes it
    if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        create(db)
    db.execute("COMMIT")
    if path is None:
        return
    inode = path.stat().st_ino
    db.execute("INSERT OR IGNORE INTO meta VALUES ('inode', ?)", (inode,))
    if adopt:
        db.execute("UPDATE meta SET value = ? WHERE key = 'inode'", (inode,))
    elif db.execute("SELECT value FROM meta WHERE key = 'inode'").fetchone()[0] != inode:
        raise JournalError(
            f"{path} is a copy of another journal: what that one has sent since, this one does "
            "not know; if the other is gone for good, open this one once with --adopt"
        )


def _check(db: sqlite3.Connection, path: Path | None) -> None:
    """Refuse a file that is not ours to write to; an empty one is as good as none."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    if tables and not {"jobs", "rows", "chunks"} <= tables:
        raise JournalError(f"{path} is a database, but not a journal; {_ELSEWHERE}")
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if tables and found != VERSION:
        raise JournalError(
            f"{path} is not a journal that this mailkit can read "
            f"(its version is {found}, not {VERSION}); {_ELSEWHERE}"
        )


def run_together(db: sqlite3.Connection, works: list[Work], begin: str) -> None:
    """Run the works in one transaction and give each its result once it is committed."""
    ends: list[tuple[Work, Any, BaseException | None]] = []
    try:
        if db.in_transaction:  # the last one, which could not be undone then
            db.execute("ROLLBACK")
        db.execute(f"PRAGMA synchronous = {'FULL' if any(w.durable for w in works) else 'NORMAL'}")
        db.execute(begin)
        for work in works:
            db.execute("SAVEPOINT work")
            try:
                ends.append((work, work.run(db), None))
            except Exception as error:
                if _is_broken(error) or not db.in_transaction:
                    raise
                db.execute("ROLLBACK TO work")
                ends.append((work, None, _told(error)))
            db.execute("RELEASE work")
        db.execute("COMMIT")
    except BaseException as error:
        ends = [(work, None, _told(error)) for work in works]
        with contextlib.suppress(sqlite3.Error):  # the next transaction will see to it
            if db.in_transaction:
                db.execute("ROLLBACK")
        if not isinstance(error, Exception):
            raise
    finally:
        for work, result, failed in ends:
            if failed is not None:
                work.future.set_exception(failed)
            else:
                work.future.set_result(result)


def _is_broken(error: Exception) -> bool:
    """Whether it says something about the database (disk, lock, memory), not about one work."""
    return isinstance(error, sqlite3.Error | MemoryError) and not isinstance(error, _OF_ONE_WORK)


def _told(error: BaseException) -> BaseException:
    if not isinstance(error, sqlite3.Error):
        return error
    told = JournalError(f"the journal can't be written: {error}")
    told.__cause__ = error
    return told


class InlineExecutor:
    """Runs each work at once, in the caller's thread, in a transaction of its own."""

    def __init__(self, connect: Connector) -> None:
        self._db = connect()

    def submit(self, work: Work) -> None:
        """Run the work now."""
        run_together(self._db, [work], WRITE)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


class ThreadExecutor:
    """Runs works in one thread of its own; those that wait together share one commit."""

    def __init__(self, connect: Connector, begin: str = WRITE) -> None:
        self._begin = begin
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._work, args=(connect,), name="mailkit-journal", daemon=True
        )
        self._thread.start()
        self._opened.result()

    def submit(self, work: Work) -> None:
        """Queue the work."""
        self._queue.put(work)

    def close(self) -> None:
        """Run what is queued, close the connection and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _work(self, connect: Connector) -> None:
        try:
            db = connect()
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        try:
            while (work := self._queue.get()) is not None:
                works, last = [work], False
                while len(works) < WORKS_A_COMMIT and not self._queue.empty():
                    more = self._queue.get()
                    if more is None:
                        last = True
                        break
                    works.append(more)
                run_together(db, works, self._begin)
                if last:
                    break
        finally:
            db.close()


class Database:
    """The journal's file: works that write, in order; works that read, beside them."""

    def __init__(self, path: Path | None, writer: Executor, reader: Executor) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader

    async def write(self, run: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Run the work in a transaction and give its result once that is committed.

        Cancelling the wait does not undo the work: it may still be committed.
        """
        return await _submit(self._writer, run, durable)

    async def read(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Run the work on a snapshot of its own; it must not write."""
        return await _submit(self._reader, run, False)

    async def stream(
        self, sql: str, parameters: Sequence[object], size: int = 1_000
    ) -> AsyncIterator[list[Any]]:
        """The query's rows, ``size`` at a time; the journal may be written between."""
        cursor = await self.read(lambda db: db.execute(sql, parameters))
        try:
            while rows := await self.read(lambda db: cursor.fetchmany(size)):
                yield rows
        finally:
            self._reader.submit(Work(lambda db: cursor.close(), durable=False))

    def close(self) -> None:
        """End both threads after the works already handed over."""
        self._writer.close()
        if self._reader is not self._writer:
            self._reader.close()


async def _submit(executor: Executor, run: Callable[[sqlite3.Connection], T], durable: bool) -> T:
    work = Work(run, durable)
    executor.submit(work)
    # Shielded: a cancelled wait must not cancel the future that the executor is going to fill.
    end: asyncio.Future[T] = asyncio.wrap_future(work.future)
    # Whose wait is cancelled does not hear that the work failed, and that is no leak.
    end.add_done_callback(lambda future: future.exception())
    return await asyncio.shield(end)
