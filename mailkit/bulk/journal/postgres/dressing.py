"""A psycopg connection as the journal's operations see it.

They mark values with ``?`` and know four kinds of them: whole numbers, floats, texts and bytes. A
text can't have a zero character here: it becomes the replacement character.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumperUnknown

from mailkit.bulk.journal.connection import Cursor

__all__ = ["Dressed", "Streamed", "Taking", "adapt", "told"]


class _Number(Loader):
    """What sums of whole numbers are: whole numbers again."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)


class _Text(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)


class _Truth(Int8Dumper):
    """Truth values are stored as numbers."""

    def dump(self, obj: bool) -> Buffer:
        return b"1" if obj else b"0"


def adapt(connection: psycopg.Connection[Any]) -> None:
    """Have the connection understand the journal's values."""
    connection.adapters.register_loader("numeric", _Number)
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(bool, _Truth)
    connection.adapters.register_dumper(str, _Text)


@lru_cache(maxsize=2_000)
def told(sql: str) -> bytes:
    """The statement with psycopg's marks for values."""
    return sql.replace("%", "%%").replace("?", "%s").encode()


Taking = tuple[int, int, int, float]


class Dressed:
    """A connection in a transaction; the witness is told of what is ``taken`` in it, by job, chunk,
    how often and when.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.taken: list[Taking] = []

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Run one statement."""
        return self.connection.execute(told(sql), parameters)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """Run one statement for each of the values."""
        cursor = self.connection.cursor()
        rows = list(parameters)
        if not rows:
            return _Nothing()
        cursor.executemany(told(sql), rows)
        return cursor


class _Nothing:
    rowcount = 0

    def fetchone(self) -> None:
        return None

    def fetchall(self) -> list[Any]:
        return []

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class Streamed(Dressed):
    """A connection whose queries give their rows as they are asked for: none is held in memory."""

    _names = count()

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__(connection)
        self._open: set[psycopg.ServerCursor[Any]] = set()

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Run one query."""
        cursor = self.connection.cursor(f"stream{next(self._names)}")
        self._open.add(cursor)
        cursor.itersize = 1_000
        cursor.execute(told(sql), parameters)
        return _Stream(cursor, self._close)

    def close(self) -> None:
        """End what was not read to its end."""
        for cursor in [*self._open]:
            self._close(cursor)

    def _close(self, cursor: psycopg.ServerCursor[Any]) -> None:
        self._open.discard(cursor)
        cursor.close()


class _Stream:
    """The rows of one query."""

    def __init__(
        self,
        cursor: psycopg.ServerCursor[Any],
        close: Callable[[psycopg.ServerCursor[Any]], None],
    ) -> None:
        self.rowcount = -1
        self._cursor = cursor
        self._close = close

    def fetchone(self) -> Any:
        found = self._cursor.fetchone()
        self._close(self._cursor)
        return found

    def fetchall(self) -> list[Any]:
        return list(self)

    def __iter__(self) -> Iterator[Any]:
        yield from self._cursor
        self._close(self._cursor)
