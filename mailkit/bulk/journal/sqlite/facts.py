"""What can be said of a journal's file: its version, and the space that it takes."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from mailkit.bulk.journal.keeping import StoreFacts
from mailkit.bulk.journal.sqlite import witness
from mailkit.bulk.journal.sqlite.schema import VERSION

__all__ = ["facts"]

_ON_DISK = (
    "all processes on this machine can use it, but no other machine",
    "what is about to be sent is on the disk before its request, if the disk keeps its word",
)
_IN_MEMORY = ("nothing is on the disk: it is lost when this process ends",)


def facts(db: sqlite3.Connection, path: Path | None) -> StoreFacts:
    """What can be said of the journal at this path (None: in memory), by one of its connections."""
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    (bytes_a_page,) = db.execute("PRAGMA page_size").fetchone()
    size = pages * bytes_a_page
    if path is not None:
        size = sum(map(_size, (path, path.with_name(f"{path.name}-wal"), witness.place(path))))
    return StoreFacts(
        database=f"SQLite {sqlite3.sqlite_version}",
        version=VERSION,
        size=size,
        free=free * bytes_a_page,
        reliance=_IN_MEMORY if path is None else _ON_DISK,
    )


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
