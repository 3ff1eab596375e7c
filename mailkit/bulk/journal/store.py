"""What the journal asks of a database: this is the one place where its operations meet one.

An operation is a function of a `Connection`. It runs inside a transaction of its own, may run again
if that could not be committed, and is written in the SQL that SQLite and PostgreSQL have in common.
What they have not in common is in the store's `Dialect`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import attrs

from mailkit.bulk.journal.locks import Locks

__all__ = ["Connection", "Cursor", "Dialect", "Store"]

T = TypeVar("T")


class Cursor(Protocol):
    """The rows that a statement has found, or how many it has changed."""

    @property
    def rowcount(self) -> int:
        """The rows that were inserted, updated or deleted."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection inside a transaction; ``?`` marks a value."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """Run one statement for each of the values; the rows are counted together."""
        ...


@attrs.frozen
class Dialect:
    """Where the databases differ. ``nested`` joins the table on its right for each row of the one
    on its left, in this order where the database can be told. ``gather`` makes a JSON array of what
    all rows have; ``join`` puts their texts together. ``code`` hashes a person with a secret.
    """

    nested: str = "JOIN"
    gather: str = "json_agg"
    join: str = "string_agg"
    code: str = (
        "':' || encode(substr(sha256(convert_to({secret} || {person}, 'UTF8')), 1, 12), 'hex')"
    )

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
    def dialect(self) -> Dialect:
        """Where this database differs from others."""
        ...

    @property
    def locks(self) -> Locks:
        """Which workers are alive."""
        ...

    async def write(self, run: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run the operation in a transaction and give its result once that is committed.

        What is ``durable`` outlives whatever happens to the machine. Cancelling the caller does not
        cancel the operation: it may still be committed.
        """
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

    def taking(self, job: int, chunk: int, times: int) -> None:
        """Inside the operation that takes a chunk to be sent: it is taken for so many times."""
        ...

    def confirm(self, db: Connection, job: int) -> None:
        """Inside the operation that begins to send a job: JournalError if takes are missing."""
        ...
