"""A copy of a journal's file, made by SQLite while others go on writing: it has what was committed
before it began.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from pathlib import Path

from mailkit.bulk.journal.sqlite import troubles
from mailkit.errors import InvalidArgument, JournalError

__all__ = ["check_place", "copy"]


def check_place(destination: Path, journal: Path) -> Path:
    """The resolved place of the copy; InvalidArgument if nothing may be written there."""
    try:
        place = destination.resolve()
        exists, folder = os.path.lexists(place), place.parent.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle
        raise InvalidArgument(f"{destination} can't be written: {error}") from error
    if not folder:
        raise InvalidArgument(f"there is no directory {place.parent}; create it first")
    if exists:
        raise InvalidArgument(
            f"{destination} already exists, and a backup never overwrites: choose a new file"
        )
    if place.parent == journal.parent and place.name.startswith(f"{journal.name}-"):
        raise InvalidArgument(f"{destination} belongs to the journal; choose another file")
    return place


def copy(db: sqlite3.Connection, place: Path) -> int:
    """Copy the database to a new file, which appears once it is whole and on the disk, and is for
    its owner alone; returns its bytes.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=".mailkit-", dir=place.parent)
    except OSError as error:
        raise _failed(place, error) from error
    temporary = Path(name)
    try:
        os.close(descriptor)
        _fill(db, temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        size = temporary.stat().st_size
        _put(temporary, place)
    except sqlite3.Error as error:
        raise troubles.told(error, f"the backup {place} can't be written") from error
    except OSError as error:
        raise _failed(place, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return size


def _fill(db: sqlite3.Connection, file: Path) -> None:
    """All pages in one step: one moment, and no writer of the journal has to wait for it."""
    copy = sqlite3.connect(f"{file.as_uri()}?nolock=1", uri=True, isolation_level=None)
    with contextlib.closing(copy):  # nobody else knows the file: no locks, no way back
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        db.backup(copy, progress=_go_on)


def _go_on(status: int, remaining: int, total: int) -> None:
    """Python would try for ever."""
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise JournalError("the journal is locked by another process: end that one")


def _put(temporary: Path, place: Path) -> None:
    """Give the file its name, unless another one has got it meanwhile."""
    with contextlib.suppress(OSError):  # where files can't have two names, or it exists
        place.hardlink_to(temporary)
        return
    if os.path.lexists(place):
        raise InvalidArgument(
            f"{place} already exists, and a backup never overwrites: choose a new file"
        )
    temporary.replace(place)


def _failed(place: Path, error: OSError) -> JournalError:
    return JournalError(f"the backup {place} can't be written: {error.strerror or error}")
