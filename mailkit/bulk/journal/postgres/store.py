"""The journal in PostgreSQL: operations run in threads, each with a connection of its own.

A connection that is lost before a commit loses nothing: the operation runs again. One that is lost
while it commits leaves open whether it did (`CommitUnknown`), and so does a commit that was not
confirmed by the standby that it had to wait for, which PostgreSQL reports as a mere warning.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

import psycopg
from psycopg import errors
from psycopg_pool import ConnectionPool, PoolTimeout

from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.keeping import StoreFacts
from mailkit.bulk.journal.leases import BEAT, Leases
from mailkit.bulk.journal.postgres import servers, troubles
from mailkit.bulk.journal.postgres.copying import copied
from mailkit.bulk.journal.postgres.dressing import Dressed, Streamed, Taking
from mailkit.bulk.journal.postgres.facts import facts
from mailkit.bulk.journal.postgres.witness import Gap, Mark, Witness, last_known
from mailkit.bulk.journal.store import CommitUnknown, Dialect, NotOurs, forked, in_lists, outcome
from mailkit.errors import JournalError

__all__ = ["DIALECT", "PostgresStore"]

T = TypeVar("T")

DIALECT = Dialect()
_log = logging.getLogger("mailkit.journal")
CONNECTIONS = 8
PATIENCE = 120.0
"""Seconds for which an operation waits for a database that is away."""
IDLE_MILLISECONDS = 5_000
"""So long a stopped process may hold what it has locked."""
LOCK_MILLISECONDS = 2_000
"""So long an operation waits for a lock before it asks again. Else a machine that is cut off would
be granted all that it had asked for, one after the other, and hold each for as long as it may.
"""
STREAM_MILLISECONDS = 3_600_000
_JOURNAL, _JOB = 0x6D61696C, 0x6D61
"""The names of the locks: that of the whole journal, and with a job's number that of the job."""

_AWAY = ("08", "57P", "53300", "25006", "25P03")
"""SQLSTATEs of a server that is, or whose connection was, away for the moment."""
_UNDONE = ("40", "55P03", "57014")
"""SQLSTATEs of what the server has undone for others' sake, and what may succeed next time."""
CLOSING_SECONDS = 10.0
"""So long what was handed over is still tried again once the journal is closed."""


class PostgresStore:
    """The journal's database; see `mailkit.bulk.journal.store.Store`."""

    dialect = DIALECT
    path = None

    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection[Any]],
        place: str,
        witness: Witness,
        system: str,
        faults: Sequence[JournalError] = (),
        *,
        patience: float = PATIENCE,
    ) -> None:
        assert DIALECT.clock is not None  # noqa: S101 - it is the database's
        self.place = place
        self.liveness = Leases(DIALECT.clock)
        self._pool = pool
        self._witness = witness
        self._system = system
        self._faults = faults
        self._patience = patience
        self._away = False
        self._said = ""
        self._names: str | None = None
        """The standbys that commits wait for, as they were named when that was looked at last."""
        self._threads = ThreadPoolExecutor(CONNECTIONS, "mailkit-journal")
        self._handed_over = ThreadPoolExecutor(1, "mailkit-journal-post")  # in order
        self._process = os.getpid()
        self._closed = threading.Event()
        self._closed_at = 0.0
        self._beats = threading.Thread(target=self._beat, name="mailkit-journal-beat", daemon=True)
        self._beats.start()

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
        """Run the operation in a transaction and give its result once that is committed."""
        begin = _beginning(durable, job, beside)
        return await outcome(
            self._submit(
                self._threads, lambda: self._commit(run, begin, again=again, durable=durable)
            ),
            undo,
        )

    def post(self, run: Callable[[Connection], object]) -> None:
        """Hand the operation over; nobody waits for its end."""
        if self._process == os.getpid() and not self._closed.is_set():
            begin = _beginning(False, None, True)
            self._submit(self._handed_over, lambda: self._commit(run, begin, again=True))

    def ask(self, run: Callable[[Connection], T], seconds: float) -> T:
        """Run the operation after all that was handed over, and wait for it here."""
        begin = _beginning(False, None, True)
        asked = self._submit(self._handed_over, lambda: self._commit(run, begin, again=True))
        return asked.result(seconds)

    async def read(self, run: Callable[[Connection], T]) -> T:
        """Run the operation on a snapshot of its own; it must not write."""
        return await outcome(self._submit(self._threads, lambda: self._look(run)))

    def stream(
        self, sql: str, parameters: Sequence[object], size: int = 1_000
    ) -> AsyncIterator[list[Any]]:
        """The query's rows, ``size`` at a time; the journal may be written between."""
        return self.batches(in_lists(sql, parameters, size))

    async def batches(self, run: Callable[[Connection], Iterator[T]]) -> AsyncIterator[T]:
        """What the operation gives one by one, each when it is asked for; it must not write."""

        async def end(db: Streamed) -> None:
            await outcome(self._submit(self._threads, lambda: self._end_stream(db)))

        async def no_more(_: object) -> None:
            """What was under way has ended: the connection can be given back."""

        db = await outcome(self._submit(self._threads, self._begin_stream), end)
        try:
            found = run(db)
            while some := await outcome(
                self._submit(self._threads, lambda: _told(lambda: list(islice(found, 1)))), no_more
            ):
                yield some[0]
        finally:
            await end(db)

    def load(self, db: Connection, table: str, columns: Mapping[str, Sequence[object]]) -> None:
        """Inside an operation: insert many rows, by their columns."""
        assert isinstance(db, Dressed)  # noqa: S101 - operations are given no other
        copied(db.connection, table, columns)

    async def facts(self) -> StoreFacts:
        """What can be said of the database now."""
        return await self.read(partial(facts, witness=self._witness))

    async def backup(self, destination: Path) -> int:
        """PostgreSQL has programs of its own for that."""
        raise JournalError(
            f"{destination} was not written: back up a PostgreSQL database with pg_dump, or "
            "with your WAL archiving. A restored one is refused until you open it with --adopt"
        )

    def taking(self, db: Connection, job: int, chunk: int, times: int, at: float) -> None:
        """The witness is told once that is committed."""
        assert isinstance(db, Dressed)  # noqa: S101 - operations are given no other
        db.taken.append((job, chunk, times, at))

    def granting(self, db: Connection, account: int, grants: int) -> None:
        """The witness is told once that is committed."""
        self.taking(db, 0, account, grants, 0.0)

    def confirm(self, db: Connection, job: int) -> None:
        """The journal was compared with its witness by the connection. Who joins a job lets that
        know what was taken last, by whomever.
        """
        found = db.execute(
            "SELECT n, takes, started FROM chunks WHERE job = ? AND takes > 0 AND started > 0 "
            "ORDER BY started DESC LIMIT 1",
            (job,),
        ).fetchone()
        if found is not None:
            self.taking(db, job, *found)

    def close(self) -> None:
        """End after all that was handed over."""
        if self._process != os.getpid() or self._closed.is_set():
            return
        self._closed_at = time.monotonic()
        self._closed.set()
        self._handed_over.shutdown()
        self._threads.shutdown()
        self._beats.join()
        self._pool.close()

    def _submit(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> Future[T]:
        if self._process != os.getpid():
            raise forked(self.place)
        if self._closed.is_set():
            raise JournalError("the journal is closed: end whatever uses it before you close it")
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # who cancels the wait does not cancel the work

        def do() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
                future.set_exception(error)

        threads.submit(do)
        return future

    # in a thread

    def _commit(
        self, run: Callable[[Connection], T], begin: str, *, again: bool, durable: bool = False
    ) -> T:
        """Run the operation until it is committed, or has failed for good."""
        give_up = time.monotonic() + self._patience
        tries, unknown = 0, False
        while True:
            committing = False
            try:
                with self._connection() as connection:
                    try:
                        db, history, waits = self._begin(connection, begin, durable)
                        result = run(db)
                        committing = True
                        _finish(connection)
                        if waits:
                            _check_waited(connection)
                        committing = False
                        self._note(history, db.taken)
                    except BaseException as error:
                        _undo(connection)
                        if isinstance(error, servers.Lacking):
                            servers.tell(connection, error)
                            self._witness.learn(error.gap)
                        raise
                return result
            except (psycopg.Error, PoolTimeout) as error:
                if not _is_away(error):
                    raise troubles.refused(error) from error
                lost = committing and not _is_undone(error)
                if lost and not again:
                    raise CommitUnknown(
                        "the connection to the journal's database was lost while it stored "
                        f"something, which may have been stored or not: {troubles.words(error)}"
                    ) from error
                unknown = unknown or lost
                if not isinstance(error, errors.LockNotAvailable):
                    self._check_patience(error, give_up)
            except CommitUnknown:
                if not again or time.monotonic() > give_up:
                    raise
                unknown = True
            except servers.NoStandby as error:  # one may be named in a moment, after a failover
                if self._closed.is_set() or time.monotonic() > give_up:
                    raise
                self._say(error)
            except NotOurs:
                if not unknown:
                    raise
                return cast("T", None)  # it had been recorded
            tries += 1
            self._pause(tries)

    def _begin(
        self, connection: psycopg.Connection[Any], begin: str, durable: bool
    ) -> tuple[Dressed, str, bool]:
        """Begin a transaction, in a journal that still has the last take. One that is durable gives
        the journal's history, and whether its commit waits for a standby; that is noted.
        """
        last = self._witness.last
        found = connection.execute((begin + _proof(last)).encode(), prepare=False)
        while found.nextset():
            pass
        self._away = False
        db = Dressed(connection)
        *asked, proof = cast("Sequence[Any]", found.fetchone())
        if last is not None and not (proof is not None and last.is_in(*proof)):
            servers.compare(db, self._system, self._witness.own())
        if not durable:
            return db, "", False
        *_, fsync, pages, names, noted, history, lacks, has_its_tables = asked
        if (gap := Gap.of(lacks)) is not None:
            raise servers.Lacking(gap)
        if has_its_tables is False:
            raise servers.Replaced
        for setting, value in (("fsync", fsync), ("full_page_writes", pages)):
            if value == "off":
                raise JournalError(
                    f"the server of the journal's database has {setting} off by now: "
                    f"set {setting} = on"
                )
        waits = bool(names.strip())
        if waits != (noted == "1"):
            if not waits:
                raise servers.NoStandby
            servers.note(db, synchronous=True)
        if names != self._names:
            servers.check_followers(db, servers.look(db))
            self._names = names
        return db, str(history), waits

    def _note(self, history: str, taken: Sequence[Taking]) -> None:
        """Have the witness know what was taken, before anybody acts on it."""
        if taken:
            self._witness.note([Mark(self._system, history, *one) for one in taken])

    def _look(self, run: Callable[[Connection], T]) -> T:
        give_up = time.monotonic() + self._patience
        tries = 0
        while True:
            try:
                with self._connection() as connection:
                    try:
                        connection.execute(_SNAPSHOT, prepare=False)
                        return run(Dressed(connection))
                    finally:
                        _undo(connection)
            except (psycopg.Error, PoolTimeout) as error:
                if not _is_away(error):
                    raise troubles.refused(error) from error
                self._check_patience(error, give_up)
            tries += 1
            self._pause(tries)

    def _begin_stream(self) -> Streamed:
        def begin() -> Streamed:
            connection = self._pool.getconn()
            try:
                connection.execute(_STREAM, prepare=False)
            except BaseException:
                self._pool.putconn(connection)
                raise
            return Streamed(connection)

        return _told(begin)

    def _end_stream(self, db: Streamed) -> None:
        with contextlib.suppress(psycopg.Error):
            db.close()
        _undo(db.connection)
        self._pool.putconn(db.connection)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        connection = self._pool.getconn()
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def _check_patience(self, error: Exception, give_up: float) -> None:
        if isinstance(error, PoolTimeout) and self._faults:
            raise self._faults[-1]
        if self._closed.is_set():
            give_up = min(give_up, self._closed_at + CLOSING_SECONDS)
        if time.monotonic() > give_up:
            raise JournalError(
                f"the journal's database {self.place} can't be reached: {troubles.words(error)}"
            ) from error
        if not (self._away or _is_undone(error)):
            self._away = True
            _log.warning(
                "the journal's database %s is away, and is tried again: %s",
                self.place,
                troubles.words(error),
            )

    def _pause(self, tries: int) -> None:
        """Wait before the next try; the first one comes at once, after whatever met others."""
        if tries > 1:
            seconds = random.uniform(0.1, 0.5) * min(tries, 6)  # noqa: S311 - spreads tries
            time.sleep(seconds)

    def _beat(self) -> None:
        """Tell the database in good time that this process is alive, and see what others take."""
        begin, seeing = _beginning(False, None, True), Future[None]()
        seeing.set_result(None)
        while not self._closed.wait(BEAT):
            if seeing.done():  # it may have to wait, which the lease can't
                with contextlib.suppress(JournalError):
                    seeing = self._submit(self._threads, self._see)
            if self.liveness.own:
                with contextlib.suppress(JournalError):  # the lease tells whoever takes
                    self._commit(self.liveness.beat, begin, again=True)

    def _see(self) -> None:
        """Have the witness know what others take, and everybody what the journal lacks."""

        def look(db: Connection) -> Sequence[Mark]:
            servers.compare(db, self._system, self._witness.own())
            return last_known(db, self._system)

        try:
            self._witness.note(self._look(look))
        except JournalError as error:
            if isinstance(error, servers.Lacking):
                with contextlib.suppress(PoolTimeout), self._connection() as connection:
                    servers.tell(connection, error)
            self._say(error)

    def _say(self, error: JournalError) -> None:
        """Say it once."""
        if str(error) != self._said:
            self._said = str(error)
            _log.error("%s", error)


_SNAPSHOT = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_STREAM = (
    _SNAPSHOT + b"; SELECT set_config('idle_in_transaction_session_timeout', "
    b"'%d', true)" % STREAM_MILLISECONDS
)


def _beginning(durable: bool, job: int | None, beside: bool) -> str:
    """What begins a transaction that writes. Everything is set for itself alone: behind a pooler,
    the connection is others' before and after.
    """
    commit = "'off'"
    if durable:  # whatever others have set, but for what is stricter still
        commit = "CASE current_setting('synchronous_commit') WHEN 'remote_apply' "
        commit += "THEN 'remote_apply' ELSE 'on' END"
    shared = "_shared" if beside or job is not None else ""
    locks = f"pg_advisory_xact_lock{shared}({_JOURNAL})"
    if job is not None:
        locks += f", pg_advisory_xact_lock({_JOB}, {job})"
    asked = ", current_setting('fsync'), current_setting('full_page_writes'), "
    asked += "current_setting('synchronous_standby_names'), "
    asked += "(SELECT value FROM meta WHERE key = 'synchronous'), "
    asked += "(SELECT value FROM meta WHERE key = 'history'), "
    asked += f"(SELECT value FROM meta WHERE key = '{servers.LACKS}'), "
    asked += "(SELECT value = CAST(tableoid AS text) FROM meta WHERE key = 'tables')"
    return (
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; "
        f"SELECT set_config('idle_in_transaction_session_timeout', '{IDLE_MILLISECONDS}', true), "
        f"set_config('lock_timeout', '{LOCK_MILLISECONDS}', true), "
        f"set_config('synchronous_commit', {commit}, true); SELECT {locks}"
        f"{asked if durable else ''}"
    )


def _proof(last: Mark | None) -> str:
    """What is asked of the chunk that was taken last, to see whether the journal still has that."""
    if last is None:
        return ", NULL"
    found = f"FROM chunks WHERE job = {last.job} AND n = {last.chunk}"
    return f", (SELECT ARRAY[takes, started] {found})"


def _finish(connection: psycopg.Connection[Any]) -> None:
    """Commit; CommitUnknown if the standby did not confirm it."""
    warnings: list[str] = []

    def note(diagnostic: errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            warnings.append(diagnostic.message_primary or "")

    connection.add_notice_handler(note)
    try:
        ended = connection.execute(b"COMMIT", prepare=False)
    finally:
        connection.remove_notice_handler(note)
    if ended.statusmessage != "COMMIT":
        raise JournalError(f"the journal's database did not commit: {ended.statusmessage}")
    if warnings:
        raise CommitUnknown(
            f"the journal's database, or its standby, has not confirmed a commit: {warnings[0]}"
        )


def _check_waited(connection: psycopg.Connection[Any]) -> None:
    """CommitUnknown if commits wait for no standby any more: then PostgreSQL calls one confirmed
    that was waiting.
    """
    found = connection.execute(
        b"SELECT current_setting('synchronous_standby_names')", prepare=False
    ).fetchone()
    if found is None or not found[0].strip():
        raise CommitUnknown(
            "the journal's database has stopped waiting for its standby during a commit"
        )


def _undo(connection: psycopg.Connection[Any]) -> None:
    if connection.closed:
        return
    with contextlib.suppress(psycopg.Error):
        connection.execute(b"ROLLBACK", prepare=False)


def _is_undone(error: Exception) -> bool:
    """Whether the server itself says that it has undone the transaction."""
    state: str | None = getattr(error, "sqlstate", None)
    return state is not None and state.startswith(_UNDONE)


def _is_away(error: Exception) -> bool:
    """Whether another try may succeed. A wrong statement may not, however often it is tried."""
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | PoolTimeout)
    return state.startswith((*_UNDONE, *_AWAY))


def _told(work: Callable[[], T]) -> T:
    try:
        return work()
    except (psycopg.Error, PoolTimeout) as error:
        if _is_away(error):
            raise JournalError(
                "the journal's database can't be reached any more, and not all was read: "
                f"{troubles.words(error)}"
            ) from error
        raise troubles.refused(error) from error
