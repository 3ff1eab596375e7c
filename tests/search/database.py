"""A journal in memory whose content can be taken out, told apart, and put back.

The content of each table is kept once and has a number, so that a content of the whole journal is
a few numbers, and putting one back touches only the tables that differ.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs

from mailkit.bulk.journal.liveness import Liveness
from mailkit.bulk.journal.sqlite.schema import create
from mailkit.bulk.journal.sqlite.store import DIALECT
from mailkit.bulk.journal.store import Connection, Dialect, Store

__all__ = ["Content", "Database", "MemoryStore", "now"]

T = TypeVar("T")
Row = Any
"""A row of a table: a tuple with a name for each column."""
Content = tuple[int, ...]
"""What is in a journal: for each of its tables, the number of what is in it."""

KEPT = (
    "jobs",
    "workers",
    "chunks",
    "accounts",
    "quotas",
    "permits",
    "waiters",
    "sqlite_sequence",  # the last: putting rows back into the others changes it
)
"""The tables that change while a job is sent; nothing may change any other one."""


class Database:
    """The tables of a journal."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None, cached_statements=1_000)
        create(self.db, "search")
        self._numbers: list[dict[tuple[tuple[Any, ...], ...], int]] = [{} for _ in KEPT]
        self._rows: list[list[tuple[Row, ...]]] = [[] for _ in KEPT]
        self._contents: dict[Content, Content] = {}
        self._here: Content | None = None
        self._insert: list[str] = []
        self._named: list[Callable[[Iterable[Any]], Row]] = []
        for table in KEPT:
            names = [name for _, name, *_ in self.db.execute(f"PRAGMA table_info({table})")]
            self._named.append(namedtuple(table, names)._make)  # type: ignore[attr-defined]
            self._insert.append(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})")

    def freeze(self) -> None:
        """All is set up: from here on nothing may change a table that is not kept."""
        self.db.execute("COMMIT")
        found = self.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in found:
            for change in ("INSERT", "UPDATE", "DELETE"):
                if table not in KEPT:
                    self.db.execute(
                        f"CREATE TRIGGER no_{change}_{table} BEFORE {change} ON {table} BEGIN "
                        f"SELECT RAISE(ABORT, 'the search does not keep {table}'); END"
                    )

    def rows(self, content: Content, table: str) -> tuple[Row, ...]:
        """What is in this table."""
        at = KEPT.index(table)
        return self._rows[at][content[at]]

    def content(self) -> Content:
        """What is in the journal at this moment."""
        found = []
        for at, table in enumerate(KEPT):
            rows = tuple(self.db.execute(f"SELECT * FROM {table}"))
            number = self._numbers[at].get(rows)
            if number is None:
                number = self._numbers[at][rows] = len(self._rows[at])
                self._rows[at].append(tuple(map(self._named[at], rows)))
            found.append(number)
        content = tuple(found)
        return self._contents.setdefault(content, content)

    def restore(self, content: Content) -> None:
        """Make this the content; must not be called inside of `tried`."""
        here, self._here = self._here, None  # until all is done
        if content == here:
            self._here = here
            return
        here = here or (-1,) * len(KEPT)
        self.db.execute("BEGIN")
        changed = False
        for at, number in enumerate(content):
            if number != here[at] or (changed and at == len(KEPT) - 1):
                changed = True
                self.db.execute(f"DELETE FROM {KEPT[at]}")
                self.db.executemany(self._insert[at], self._rows[at][number])
        self.db.execute("COMMIT")
        self._here = content

    @contextmanager
    def tried(self) -> Iterator[None]:
        """What happens in the block is undone at its end."""
        try:
            yield
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")

    def run(self, operation: Callable[[Connection], T]) -> T:
        """What the operation gives; it is undone if it fails."""
        if not self.db.in_transaction:
            self.db.execute("BEGIN")
        self.db.execute("SAVEPOINT operation")
        try:
            return operation(self.db)
        except BaseException:
            self.db.execute("ROLLBACK TO operation")
            raise
        finally:
            self.db.execute("RELEASE operation")


class MemoryStore(Store):
    """Runs each operation at once. ``durable`` says whether one of them had to be since it was last
    set.
    """

    def __init__(self, database: Database, lives: Liveness, clock: str | None) -> None:
        self._database = database
        self._lives = lives
        claim = "" if clock is None else " "  # rows are locked: there is no such word here
        self._dialect = attrs.evolve(DIALECT, claim=claim, clock=clock)
        self.durable = False

    @property
    def path(self) -> None:
        return None

    @property
    def place(self) -> str:
        return ":memory:"

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    @property
    def liveness(self) -> Liveness:
        return self._lives

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
        result = self._database.run(run)
        self.durable |= durable
        return result

    def load(self, db: Connection, table: str, columns: Mapping[str, Sequence[object]]) -> None:
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        rows = zip(*columns.values(), strict=True)
        db.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)

    def close(self) -> None:
        """There is nothing to be closed."""

    def post(self, run: Callable[[Connection], object]) -> None:
        self._database.run(run)

    def ask(self, run: Callable[[Connection], T], seconds: float) -> T:
        return self._database.run(run)

    async def read(self, run: Callable[[Connection], T]) -> T:
        return run(self._database.db)

    def stream(self, sql: str, parameters: Sequence[object], size: int = 1_000) -> Any:
        raise NotImplementedError("what sends a job streams nothing")

    def batches(self, run: Callable[[Connection], Iterator[T]]) -> Any:
        raise NotImplementedError("what sends a job streams nothing")

    def taking(self, db: Connection, job: int, chunk: int, times: int, at: float) -> None:
        """There is no witness to be told."""

    def granting(self, db: Connection, account: int, grants: int) -> None:
        """There is no witness to be told."""

    def confirm(self, db: Connection, job: int) -> None:
        """There is no witness to be asked."""


def now(operation: Coroutine[Any, Any, T]) -> T:
    """The result of an operation that waits for nothing."""
    try:
        operation.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    raise AssertionError("the operation waits for something")
