"""Rows without the people whom they were about: a code (pseudonyms.py) instead of the address, no
fields, and no reason, but for one that only names a line or another job. Number, line, state and
delivery stay, so that every count does.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailkit.bulk.journal.batches import in_parts
from mailkit.bulk.journal.pseudonyms import IS_ONE
from mailkit.bulk.journal.records import JobRecord, RowState
from mailkit.bulk.journal.store import Connection, Dialect

__all__ = ["erase", "erase_between", "erased"]


def erase(db: Connection, dialect: Dialect, rows: Sequence[int]) -> None:
    """Erase these rows, by their ids; the journal has its secret already."""
    for marks, some in in_parts(rows):
        _erase(db, dialect, f"id IN ({marks})", some)


def erase_between(db: Connection, dialect: Dialect, first: int, last: int) -> None:
    """Erase the rows with ids from the first to the last."""
    _erase(db, dialect, "id BETWEEN ? AND ?", (first, last))


def erased(db: Connection, job: JobRecord) -> list[int]:
    """The ids of rows that nobody can be mailed by any more."""
    (some,) = db.execute("SELECT erased FROM jobs WHERE id = ?", (job.id,)).fetchone()
    if not some:
        return []
    found = db.execute(f"SELECT id FROM rows WHERE id BETWEEN ? AND ? AND {IS_ONE}", job.ids)
    return [id for (id,) in found.fetchall()]


def _erase(db: Connection, dialect: Dialect, which: str, values: Sequence[int]) -> None:
    """What was read of an invalid row may be anybody's, or nobody's: nothing takes its place."""
    code = dialect.pseudonym("coalesce(key, address)")
    db.execute(
        f"UPDATE rows SET address = CASE WHEN state = '{RowState.INVALID}' THEN '' "
        f"WHEN {IS_ONE} THEN address ELSE {code} END, key = NULL, fields = NULL, "
        f"reason = CASE WHEN state = '{RowState.DUPLICATE}' THEN reason END WHERE {which}",
        values,
    )
