"""Rows without the people whom they were about: a code (pseudonyms.py) instead of the address, no
fields, and no reason, but for one that only names a line or another job. Number, line, state and
delivery stay, so that every count does.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailkit.bulk.journal.batches import in_parts
from mailkit.bulk.journal.pseudonyms import IS_ONE
from mailkit.bulk.journal.records import JobRecord, RowState
from mailkit.bulk.journal.store import Connection, Dialect, Store

__all__ = ["erase", "erase_between", "erased"]

_REASON = f"CASE WHEN state = '{RowState.DUPLICATE}' THEN reason END"

_KEPT = ("id", "line", "address", "size", "state", "reason", "chunk", "delivery")


def erase(db: Connection, dialect: Dialect, rows: Sequence[int]) -> None:
    """Erase these rows, by their ids; the journal has its secret already."""
    for marks, some in in_parts(rows):
        db.execute(
            f"UPDATE rows SET address = {_address(dialect)}, key = NULL, fields = NULL, "
            f"reason = {_REASON} WHERE id IN ({marks})",
            some,
        )


def erase_between(db: Connection, store: Store, first: int, last: int) -> None:
    """Erase the rows with ids from the first to the last.

    They are written anew: changed where they are, they would leave holes in SQLite's pages that
    nothing else can use.
    """
    between = (first, last)
    rows = db.execute(
        f"SELECT id, line, {_address(store.dialect)}, size, state, {_REASON}, chunk, delivery "
        "FROM rows WHERE id BETWEEN ? AND ? ORDER BY id",
        between,
    ).fetchall()
    if rows:
        db.execute("DELETE FROM rows WHERE id BETWEEN ? AND ?", between)
        store.load(db, "rows", dict(zip(_KEPT, zip(*rows, strict=True), strict=True)))


def erased(db: Connection, job: JobRecord) -> list[int]:
    """The ids of rows that nobody can be mailed by any more."""
    (some,) = db.execute("SELECT erased FROM jobs WHERE id = ?", (job.id,)).fetchone()
    if not some:
        return []
    found = db.execute(f"SELECT id FROM rows WHERE id BETWEEN ? AND ? AND {IS_ONE}", job.ids)
    return [id for (id,) in found.fetchall()]


def _address(dialect: Dialect) -> str:
    """What was read of an invalid row may be anybody's, or nobody's: nothing takes its place."""
    return (
        f"CASE WHEN state = '{RowState.INVALID}' THEN '' WHEN {IS_ONE} THEN address "
        f"ELSE {dialect.pseudonym('coalesce(key, address)')} END"
    )
