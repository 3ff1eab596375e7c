"""One SQLite file, written by one thread; works that wait together share one commit.

Every work is a function of the connection. It runs inside a transaction of its own making
(a savepoint), so a work that fails undoes itself alone. ``durable`` works are on the disk
(synchronous=FULL) before their result is given back.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import anyio.to_thread
import attrs

from mailkit.bulk.journal.batches import in_columns
from mailkit.bulk.journal.keeping import StoreFacts
from mailkit.bulk.journal.locks import Locks
from mailkit.bulk.journal.sqlite import troubles
from mailkit.bulk.journal.sqlite.copying import check_place, copy
from mailkit.bulk.journal.sqlite.facts import facts
from mailkit.bulk.journal.sqlite.file import JournalFile
from mailkit.bulk.journal.sqlite.opening import Connector
from mailkit.bulk.journal.store import Connection, Dialect, forked, in_lists, outcome
from mailkit.errors import JournalError

__all__ = [
    "DIALECT",
    "Connector",
    "Executor",
    "InlineExecutor",
    "SqliteStore",
    "ThreadExecutor",
    "Work",
    "run_together",
]

T = TypeVar("T")

WORKS_A_COMMIT = 64
WRITE, READ = "BEGIN IMMEDIATE", "BEGIN"
DIALECT = Dialect(
    "CROSS JOIN",
    gather="json_group_array",
    join="group_concat",
    code="pseudonym({secret}, {person})",
    claim="",
    restarts=False,
    clock=None,
    rows_a_commit=4_000,  # some milliseconds, in which other processes can't write
)


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
        """End after the works already submitted; closes the connection. JournalError if the file
        that was written to is not in its place any more.
        """
        ...


def run_together(
    db: sqlite3.Connection, works: list[Work], begin: str, file: JournalFile | None = None
) -> None:
    """Run the works in one transaction and give each its result once it is committed.

    With a ``file``, that is also once the file was found in its place and its witness was told.
    """
    ends: list[tuple[Work, Any, BaseException | None]] = []
    durable = any(work.durable for work in works)
    try:
        if db.in_transaction:  # the last one, which could not be undone then
            db.execute("ROLLBACK")
        if file is not None:
            file.reach_disk(db, durable=durable)
        db.execute(begin)
        if file is not None:
            file.begin()
        changes = db.total_changes
        for work in works:
            ends.append(_run(db, work, begin, file))
        if file is not None and durable and db.total_changes != changes:
            file.number(db)
        db.execute("COMMIT")
        if file is not None:
            file.committed()
    except BaseException as error:
        ends = [(work, None, _told(error, begin)) for work in works]
        if file is not None:
            file.undone()
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


def _run(
    db: sqlite3.Connection, work: Work, begin: str, file: JournalFile | None
) -> tuple[Work, Any, BaseException | None]:
    """Run one work, undone if it fails; only what breaks the database itself is raised."""
    takes = 0 if file is None else len(file.takes)
    failed: BaseException | None = None
    result = None
    db.execute("SAVEPOINT work")
    try:
        result = work.run(db)
    except Exception as error:
        if troubles.is_broken(error) or not db.in_transaction:
            raise
        db.execute("ROLLBACK TO work")
        failed = _told(error, begin)
        if file is not None:
            del file.takes[takes:]
    db.execute("RELEASE work")
    return work, result, failed


def _told(error: BaseException, begin: str) -> BaseException:
    if not isinstance(error, sqlite3.Error):
        return error
    told = troubles.told(error, f"the journal can't be {'read' if begin == READ else 'written'}")
    told.__cause__ = error
    return told


class InlineExecutor:
    """Runs each work at once, in the caller's thread, in a transaction of its own."""

    def __init__(self, connect: Connector) -> None:
        self._db = connect()
        self._file = connect.file

    def submit(self, work: Work) -> None:
        """Run the work now."""
        run_together(self._db, [work], WRITE, self._file)

    def close(self) -> None:
        """Close the connection, after a last look."""
        try:
            if self._file is not None:
                self._file.check_written()
        finally:
            self._db.close()


class ThreadExecutor:
    """Runs works in one thread of its own; those that wait together share one commit."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        begin: str = WRITE,
        file: JournalFile | None = None,
    ) -> None:
        self._begin = begin
        self._file = file
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._opened: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._work, args=(connect,), name="mailkit-journal", daemon=True
        )
        self._thread.start()
        self._opened.result()

    def submit(self, work: Work) -> None:
        """Queue the work."""
        self._queue.put(work)

    def close(self) -> None:
        """Run what is queued, have a last look, close the connection and end the thread."""
        self._queue.put(None)
        self._thread.join()
        self._ended.result()

    def _work(self, connect: Callable[[], sqlite3.Connection]) -> None:
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
                run_together(db, works, self._begin, self._file)
                if last:
                    break
            if self._file is not None:
                self._file.check_written()  # here, where nothing is written meanwhile
        except BaseException as error:  # noqa: BLE001 - whoever closes must hear of it
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)
        finally:
            db.close()


class SqliteStore:
    """The journal's file: works that write, in order; works that read, beside them."""

    def __init__(self, file: JournalFile | None, writer: Executor, reader: Executor) -> None:
        self.path = None if file is None else file.path
        self.place = ":memory:" if file is None else str(file.path)
        self.dialect = DIALECT
        self.liveness = Locks(self.path)
        self._file = file
        self._writer = writer
        self._reader = reader
        self._process = os.getpid()
        self._closed = False

    async def write(
        self,
        run: Callable[[Connection], T],
        *,
        durable: bool = True,
        again: bool = False,
        job: int | None = None,
        beside: bool = False,
        undo: Callable[[T], Awaitable[object]] | None = None,
    ) -> T:
        """Run the work in a transaction and give its result once that is committed; nobody else
        writes meanwhile.

        Cancelling the wait does not undo the work, which may still be committed, but with ``undo``.
        """
        return await self._submit(self._writer, run, durable, undo)

    def load(self, db: Connection, table: str, columns: Mapping[str, Sequence[object]]) -> None:
        """In a work: insert many rows, by their columns."""
        for marks, values in in_columns(list(columns.values())):
            db.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks}", values)

    def post(self, run: Callable[[Connection], object]) -> None:
        """Hand the work over; nobody waits for its end."""
        if self._process == os.getpid() and not self._closed:
            self._writer.submit(Work(run, durable=False))

    def ask(self, run: Callable[[Connection], T], seconds: float) -> T:
        """Run the work after all that was handed over, and wait for it here, though nothing else of
        the event loop goes on meanwhile. TimeoutError after so many seconds.
        """
        work = Work(run, durable=False)
        self._writer.submit(work)
        return cast("T", work.future.result(seconds))

    async def read(self, run: Callable[[Connection], T]) -> T:
        """Run the work on a snapshot of its own; it must not write."""
        return await self._submit(self._reader, run, False)

    def stream(
        self, sql: str, parameters: Sequence[object], size: int = 1_000
    ) -> AsyncIterator[list[Any]]:
        """The query's rows, ``size`` at a time; the journal may be written between."""
        return self.batches(in_lists(sql, parameters, size))

    async def batches(self, run: Callable[[Connection], Iterator[T]]) -> AsyncIterator[T]:
        """What the work gives one by one, each when it is asked for; it must not write. The journal
        may be written between.
        """
        found: list[Iterator[T]] = []  # where nobody outside of the reader holds on to its cursor

        def begin(db: Connection) -> list[T]:
            found.append(run(db))
            return following(db)

        def following(_: Connection) -> list[T]:
            return list(islice(found[0], 1))

        try:
            some = await self._submit(self._reader, begin, False)
            while some:
                yield some[0]
                some = await self._submit(self._reader, following, False)
        finally:
            if not self._closed:
                self._reader.submit(Work(lambda db: found.clear(), durable=False))

    def taking(self, db: Connection, job: int, chunk: int, times: int, at: float) -> None:
        """In the work that takes a chunk: it is taken for so many times
        by then, and when (seconds since 1970)."""
        if self._file is not None:
            self._file.taking(job, chunk, times)

    def granting(self, db: Connection, account: int, grants: int) -> None:
        """The file's witness counts every durable commit."""

    def confirm(self, db: Connection, job: int) -> None:
        """In the work that begins to send a job: JournalError if takes are missing."""
        if self._file is not None:
            self._file.confirm(cast("sqlite3.Connection", db), job)

    async def facts(self) -> StoreFacts:
        """What can be said of the database now."""
        return await self.read(lambda db: facts(cast("sqlite3.Connection", db), self.path))

    async def backup(self, destination: Path) -> int:
        """Write a copy of the journal, as it is at one moment, to a new file; see `Keeper`."""
        file = self._file
        if file is None:
            raise JournalError("a journal in memory can't be backed up: use one in a file")
        place = check_place(destination, file.path)

        def work() -> int:
            with closing(file.connect(file.reading)) as db:
                return copy(db, place)

        return await anyio.to_thread.run_sync(work)

    def close(self) -> None:
        """End both threads after the works already handed over; JournalError if the file that was
        written to is not in its place any more.
        """
        if self._process != os.getpid() or self._closed:
            return
        self._closed = True  # before the threads end: nothing is handed over to one that has ended
        try:
            self._writer.close()
        finally:
            if self._reader is not self._writer:
                self._reader.close()
            if self._file is not None:
                self._file.close()

    async def _submit(
        self,
        executor: Executor,
        run: Callable[[sqlite3.Connection], T],
        durable: bool,
        undo: Callable[[T], Awaitable[object]] | None = None,
    ) -> T:
        if self._process != os.getpid():
            raise forked(self.place)
        if self._closed:
            raise JournalError("the journal is closed: end whatever uses it before you close it")
        work = Work(run, durable)
        executor.submit(work)
        return cast("T", await outcome(work.future, undo))
