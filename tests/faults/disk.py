"""A disk that fails: the journal's connections with an error at one of their writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest

_WRITES = ("BEGIN IMMEDIATE", "INSERT", "UPDATE", "DELETE", "COMMIT")


def _error(text: str, code: int) -> Callable[[], sqlite3.Error]:
    def make() -> sqlite3.Error:
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode = code
        return error

    return make


ERRORS = {
    "disk full": _error("database or disk is full", sqlite3.SQLITE_FULL),
    "I/O error": _error("disk I/O error", sqlite3.SQLITE_IOERR),
    "locked": _error("database is locked", sqlite3.SQLITE_BUSY),
    "read-only": _error("attempt to write a readonly database", sqlite3.SQLITE_READONLY),
}


@attrs.define
class Disk:
    """Fails at the ``nth`` write, counted from 1 over all connections, with the ``error``.

    ``lasting``: and at every statement after it, even the one that undoes a transaction.
    ``late``: the write is done all the same. ``pages`` is the number that the file may have,
    ``query_only`` forbids to write to it; both are SQLite's own. Nothing is forced onto the real
    disk, which would only take time.
    """

    nth: int = 0
    error: Callable[[], sqlite3.Error] = ERRORS["disk full"]
    lasting: bool = False
    late: bool = False
    pages: int | None = None
    query_only: bool = False
    writes: int = 0
    failed: str | None = None

    @contextmanager
    def of_new_connections(self) -> Iterator[None]:
        """What is opened meanwhile stands on this disk, for as long as it is open."""
        real = sqlite3.connect

        def connect(*args: Any, **options: Any) -> Any:
            return _Connection(real(*args, **options), self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sqlite3, "connect", connect)
            yield

    def run(self, sql: str, run: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        if self.lasting and self.failed:
            raise self.error()
        if not sql.lstrip().startswith(_WRITES):
            return run()
        self.writes += 1
        if self.writes != self.nth:
            return run()
        self.failed = sql
        if self.late:
            run()
        raise self.error()


class _Connection:
    """A connection of sqlite3, as far as the journal uses it."""

    def __init__(self, db: sqlite3.Connection, disk: Disk) -> None:
        self._db = db
        self._disk = disk
        db.execute("PRAGMA synchronous = OFF")
        if disk.pages is not None:
            db.execute(f"PRAGMA max_page_count = {disk.pages}")
        if disk.query_only:
            db.execute("PRAGMA query_only = ON")

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if sql.startswith("PRAGMA synchronous"):
            return self._db.execute("PRAGMA synchronous = OFF")
        return self._disk.run(sql, lambda: self._db.execute(sql, parameters))

    def executemany(self, sql: str, parameters: Any) -> sqlite3.Cursor:
        return self._disk.run(sql, lambda: self._db.executemany(sql, parameters))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)
