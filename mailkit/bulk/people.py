"""People on the disk, each of them once, while nobody knows yet whether the list can be read to its
end: so a list of any length fits into memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mailkit.bulk.scratch import temporary_folder
from mailkit.errors import InvalidArgument

__all__ = ["People", "people_on_disk"]


class People:
    """Keys with a reason each, in the keys' order; of one that was added twice, the first reason
    counts.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute("CREATE TABLE people (n INTEGER PRIMARY KEY, key TEXT, reason TEXT)")

    def add(self, people: Iterable[tuple[str, str]]) -> None:
        """Remember these as well."""
        with _told(), self._db:  # else a disk that is full later would undo it
            self._db.executemany("INSERT INTO people (key, reason) VALUES (?, ?)", people)

    def __len__(self) -> int:
        with _told():
            (count,) = self._db.execute("SELECT count(DISTINCT key) FROM people").fetchone()
        return int(count)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        # Of the columns beside min(), SQLite gives those of the same row.
        sql = "SELECT key, reason, min(n) FROM people GROUP BY key ORDER BY key"
        with _told():  # what is sorted takes room as well
            for key, reason, _ in self._db.execute(sql):
                yield key, reason


@contextmanager
def _told() -> Iterator[None]:
    """What SQLite says of the folder, as a sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise InvalidArgument(
            f"the list can't be kept in the folder for temporary files ({error}): set TMPDIR to "
            "one with more space"
        ) from error


@contextmanager
def people_on_disk() -> Iterator[People]:
    """Nobody yet; they are forgotten at the end."""
    with temporary_folder("mailkit-people-") as folder:
        db = sqlite3.connect(Path(folder) / "people.db", check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")
            yield People(db)
        finally:
            db.close()
