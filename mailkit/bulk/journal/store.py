"""What the journal asks of a database: this is the one place where its operations meet one.

An operation is a function of a `Connection`. It runs inside a transaction of its own, may run again
if that could not be committed, and is written in the SQL that SQLite and PostgreSQL have in common.
What they have not in common is in the store's `Dialect`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio
import attrs

from mailkit.bulk.journal.connection import Connection, Cursor
from mailkit.bulk.journal.liveness import Liveness
from mailkit.errors import JournalError

__all__ = [
    "CommitUnknown",
    "Connection",
    "Cursor",
    "Dialect",
    "NotOurs",
    "Store",
    "forked",
    "in_lists",
    "outcome",
    "under_way",
]

T = TypeVar("T")

_under_way: set[Future[Any]] = set()


class CommitUnknown(JournalError):
    """The connection was lost while the transaction was committed: it may be there or not."""


class NotOurs(JournalError):
    """What is to be recorded is not, or no longer, this worker's."""


@attrs.frozen
class Dialect:
    """Where the databases differ. ``nested`` joins the table on its right for each row of the one
    on its left, in this order where the database can be told. ``gather`` makes a JSON array of what
    all rows have; ``join`` puts their texts together. ``code`` hashes a person with a secret.
    ``claim`` locks the row that a query finds and passes over those that others have locked.
    ``clock`` is the time, in seconds; None: each machine's own tells. One that ``restarts`` may
    crash and be there again while those go on who use it, and rely on what they have written. A
    list comes in with ``rows_a_commit``.
    """

    nested: str = "JOIN"
    gather: str = "json_agg"
    join: str = "string_agg"
    code: str = (
        "':' || encode(substr(sha256(convert_to({secret} || {person}, 'UTF8')), 1, 12), 'hex')"
    )
    claim: str = " FOR UPDATE SKIP LOCKED"
    restarts: bool = True
    clock: str | None = "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"
    rows_a_commit: int = 10_000

    def pseudonym(self, person: str) -> str:
        """The code for the person of this key: see pseudonyms.py."""
        asked = "(SELECT value FROM meta WHERE key = 'pseudonyms')"
        return self.code.format(secret=asked, person=person)

    def by_column(self, columns: Sequence[str], json: Sequence[str], query: str) -> str:
        """A query that gives all rows of another one at once, column by column: a JSON array for
        each of them; those that are ``json`` already come last.

        Each row by itself is a step in which SQLite lets go of the interpreter, and waits until the
        event loop's thread lets go of it again: with hundreds of rows that takes longer than all
        else.
        """
        arrays = [
            *(f"CAST(coalesce({self.gather}({one}), '[]') AS text)" for one in columns),
            *(f"'[' || coalesce({self.join}({one}, ','), '') || ']'" for one in json),
        ]
        return f"SELECT {', '.join(arrays)} FROM ({query}) AS found"


class Store(Protocol):
    """A database that holds a journal."""

    @property
    def path(self) -> Path | None:
        """The file that it is in, if it is in one."""
        ...

    @property
    def place(self) -> str:
        """Where it is, in words for people: without a password."""
        ...

    @property
    def dialect(self) -> Dialect:
        """Where this database differs from others."""
        ...

    @property
    def liveness(self) -> Liveness:
        """Which workers are alive."""
        ...

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
        """Run the operation in a transaction and give its result once that is committed.

        What is ``durable`` outlives whatever happens to the machine. Cancelling the caller does not
        cancel the operation: it may still be committed. With ``undo``, a cancelled caller waits for
        the end all the same, and its result is undone.

        It is the only one that writes the journal meanwhile. With ``job``, others may write about
        other jobs; with ``beside``, they may write anything: then the operation itself sees to it
        that it changes what nobody else does. CommitUnknown if the database did not say how its
        commit ended; what may be done ``again`` is done again instead, and what is NotOurs by then
        had been recorded.
        """
        ...

    def load(self, db: Connection, table: str, columns: Mapping[str, Sequence[object]]) -> None:
        """Inside an operation: insert many rows, by their columns."""
        ...

    def post(self, run: Callable[[Connection], object]) -> None:
        """Hand the operation over and wait for nothing: it is lost if the process ends first."""
        ...

    def ask(self, run: Callable[[Connection], T], seconds: float) -> T:
        """Run the operation after all that was handed over, and wait for it here, though nothing
        else of the event loop goes on meanwhile. TimeoutError after so many seconds.
        """
        ...

    async def read(self, run: Callable[[Connection], T]) -> T:
        """Run the operation on a snapshot of its own; it must not write."""
        ...

    def stream(
        self, sql: str, parameters: Sequence[object], size: int = ...
    ) -> AsyncIterator[list[Any]]:
        """The query's rows, ``size`` at a time; the journal may be written between."""
        ...

    def batches(self, run: Callable[[Connection], Iterator[T]]) -> AsyncIterator[T]:
        """What the operation gives one by one, each when it is asked for; it must not write. The
        journal may be written between.
        """
        ...

    def taking(self, db: Connection, job: int, chunk: int, times: int, at: float) -> None:
        """Inside the operation that takes a chunk to be sent: it is taken for so many times
        by then, and when (seconds since 1970)."""
        ...

    def granting(self, db: Connection, account: int, grants: int) -> None:
        """Inside the operation that grants permits of a long quota to a request that is no chunk's:
        so many grants the account has had by then.
        """
        ...

    def confirm(self, db: Connection, job: int) -> None:
        """Inside the operation that begins to send a job: JournalError if takes are missing."""
        ...

    def close(self) -> None:
        """End after all that was handed over."""
        ...


def in_lists(
    sql: str, parameters: Sequence[object], size: int
) -> Callable[[Connection], Iterator[list[Any]]]:
    """An operation that gives the query's rows, ``size`` at a time: for `Store.batches`."""

    def run(db: Connection) -> Iterator[list[Any]]:
        found = iter(db.execute(sql, parameters))
        while rows := list(islice(found, size)):
            yield rows

    return run


def forked(place: str) -> JournalError:
    """The refusal of a journal that was open when this process was forked."""
    return JournalError(
        f"this process was forked while the journal {place} was open, and can't use it: open it in "
        "a process of its own (in multiprocessing: spawn, not fork)"
    )


async def outcome(work: Future[T], undo: Callable[[T], Awaitable[object]] | None = None) -> T:
    """How work ended that runs in another thread; who cancels the wait does not cancel the work.
    With ``undo``, it is waited for all the same then, and undone.
    """
    try:
        await _end_of(work)
    except asyncio.CancelledError:
        if undo is not None:
            with anyio.CancelScope(shield=True):
                await _undone(work, undo)
        raise
    return work.result()


async def _undone(work: Future[T], undo: Callable[[T], Awaitable[object]]) -> None:
    while not work.done():
        with contextlib.suppress(asyncio.CancelledError):  # the caller is cancelled already
            await _end_of(work)
    if work.exception() is None:
        await undo(work.result())


async def _end_of(work: Future[T]) -> None:
    if work.done():  # it ran here, and others have their turn all the same
        await asyncio.sleep(0)
        return
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def wake(done: Future[T]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(_end, ended)
        _under_way.discard(done)

    _under_way.add(work)
    work.add_done_callback(wake)
    await ended


def under_way() -> bool:
    """Whether some journal of this process has work in another thread that somebody waits for."""
    return bool(_under_way)


def _end(wait: asyncio.Future[None]) -> None:
    if not wait.done():  # it was cancelled
        wait.set_result(None)
