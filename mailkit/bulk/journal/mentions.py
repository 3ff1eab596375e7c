"""Where the journal's texts mention people, such as the words of a service about a refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from mailkit.bulk.journal.batches import in_parts
from mailkit.bulk.journal.store import Connection
from mailkit.text import ADDRESS

__all__ = ["Mentions"]

Update = tuple[str, Sequence[object]]
"""A statement and its values."""

_special = re.compile(r"([%_\\])")
_TEXTS = (
    (
        "SELECT reason, job, n FROM chunks WHERE reason IS NOT NULL",
        "UPDATE chunks SET reason = ? WHERE job = ? AND n = ?",
    ),
    (
        "SELECT stopped, id FROM jobs WHERE stopped IS NOT NULL",
        "UPDATE jobs SET stopped = ? WHERE id = ?",
    ),
    ("SELECT held, id FROM jobs WHERE held IS NOT NULL", "UPDATE jobs SET held = ? WHERE id = ?"),
)


class Mentions:
    """Finds the people with these keys in texts."""

    def __init__(self, keys: Sequence[str]) -> None:
        people = "|".join(map(re.escape, keys))
        # Neither within a longer address nor before the next label of a longer domain.
        self._find = re.compile(rf"(?<![\w.+-])(?:{people})(?![\w-]|\.\w)", re.IGNORECASE)
        self._likes = ["%" + _special.sub(r"\\\1", key) + "%" for key in keys]

    def in_rows(self, db: Connection) -> list[int]:
        """The ids of rows whose reason mentions one of them."""
        return self._ids(db, "SELECT id, reason FROM rows WHERE lower(reason) LIKE ? ESCAPE '\\'")

    def in_invalid_rows(self, db: Connection) -> list[int]:
        """The ids of invalid rows that mention one of them instead of an address."""
        return self._ids(
            db,
            "SELECT id, address FROM rows WHERE state = 'invalid' "
            "AND lower(address) LIKE ? ESCAPE '\\'",
        )

    def in_calls(self, db: Connection) -> list[tuple[int, str]]:
        """The ids and handlers of calls about one of them."""
        found = dict[int, str]()
        for like in self._likes:
            for id, handler, event in db.execute(
                "SELECT id, handler, event FROM handler_calls WHERE lower(event) LIKE ? "
                "ESCAPE '\\'",
                (like,),
            ):
                if self._find.search(event):
                    found[id] = handler
        return [*found.items()]

    def removals(self, db: Connection, rows: Sequence[int]) -> list[Update]:
        """What takes them out of the reasons of chunks and jobs, and of these rows."""
        return [
            (update, (self._find.sub(ADDRESS, text), *at))
            for update, text, *at in self._texts(db, rows)
            if self._find.search(text)
        ]

    def _texts(self, db: Connection, rows: Sequence[int]) -> Iterator[Sequence[Any]]:
        for query, update in _TEXTS:
            for found in db.execute(query):
                yield update, *found
        for marks, some in in_parts(rows):
            for found in db.execute(
                f"SELECT coalesce(reason, ''), id FROM rows WHERE id IN ({marks})", some
            ):
                yield "UPDATE rows SET reason = ? WHERE id = ?", *found

    def _ids(self, db: Connection, query: str) -> list[int]:
        return sorted(
            {
                id
                for like in self._likes
                for id, text in db.execute(query, (like,))
                if self._find.search(text)
            }
        )
