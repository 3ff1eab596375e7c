"""What SQLite's errors mean for a journal, and what to do about them."""

from __future__ import annotations

import sqlite3

from mailkit.errors import JournalError

__all__ = ["is_about_place", "is_broken", "told"]

_OF_ONE_WORK = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
    sqlite3.ProgrammingError,
)
_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process keeps it locked: end that one",
    sqlite3.SQLITE_CANTOPEN: "its folder must be writable too",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: check it with PRAGMA integrity_check",
    sqlite3.SQLITE_FULL: "free some space on its disk, and in the folder for temporary files, "
    "which SQLITE_TMPDIR sets",
    sqlite3.SQLITE_IOERR: "check its disk",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
    sqlite3.SQLITE_IOERR_GETTEMPPATH: "SQLITE_TMPDIR must name a folder for temporary files",
}


def is_broken(error: Exception) -> bool:
    """Whether it says something about the database (disk, lock, memory), not about one work."""
    return isinstance(error, sqlite3.Error | MemoryError) and not isinstance(error, _OF_ONE_WORK)


def is_about_place(error: sqlite3.Error) -> bool:
    """Whether the file, or one next to it, could not be written or made."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def told(error: sqlite3.Error, what: str) -> JournalError:
    """``what`` went wrong, SQLite's words, and a remedy if there is one."""
    code = getattr(error, "sqlite_errorcode", 0)
    remedy = _REMEDIES.get(code) or _REMEDIES.get(code & 0xFF)
    return JournalError(f"{what}: {error}" + (f"; {remedy}" if remedy else ""))
