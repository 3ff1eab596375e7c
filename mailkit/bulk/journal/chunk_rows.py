"""The rows of a chunk: those that follow it, having no state of their own, and the others.

Once a chunk has been sent, ``recount`` writes its counters: of those that follow it, ``rows`` and
``own_delivery_rows``; ``unfinished``; and of those that don't, how many are in each state.
hearing.py alone shifts them, to the same figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mailkit.bulk.journal.batches import in_parts
from mailkit.bulk.journal.matching import RowChange
from mailkit.bulk.journal.records import SENT_STATES, JobRecord, RowState
from mailkit.bulk.journal.store import Connection, Cursor
from mailkit.events import DeliveryStatus

__all__ = [
    "FIRST_FINAL",
    "SENT",
    "change",
    "deliver",
    "followers",
    "following",
    "override",
    "recount",
    "span",
]

SENT = "(" + ", ".join(f"'{state}'" for state in SENT_STATES) + ")"
FIRST_FINAL = int(min(status for status in DeliveryStatus if status.final))


def following(
    db: Connection,
    job: JobRecord,
    n: int,
    columns: str,
    *,
    between: tuple[int, int] | None = None,
) -> Cursor:
    """The rows whose state is this chunk's, in reading order; only those with ids ``between``."""
    return db.execute(*followers(db, job, n, columns, between=between))


def followers(
    db: Connection,
    job: JobRecord,
    n: int,
    columns: str,
    *,
    between: tuple[int, int] | None = None,
) -> tuple[str, Sequence[int]]:
    """The query that `following` makes, and its values."""
    first, last, _ = span(db, job, n)
    least, most = between or job.ids
    return (
        f"SELECT {columns} FROM rows WHERE id BETWEEN ? AND ? AND state IS NULL "
        "AND chunk IS NULL UNION ALL "
        f"SELECT {columns} FROM rows WHERE chunk = ? AND id BETWEEN ? AND ? AND state IS NULL",
        (max(first, least), min(last, most), n, least, most),
    )


def span(db: Connection, job: JobRecord, n: int) -> tuple[int, int, int]:
    """The first and last id of the rows that were cut into the chunk, and its delivery."""
    found: tuple[int, int, int] = db.execute(
        "SELECT first, last, delivery FROM chunks WHERE job = ? AND n = ?", (job.id, n)
    ).fetchone()
    return found


def override(db: Connection, job: JobRecord, n: int, changes: Sequence[RowChange]) -> None:
    """Give rows of the chunk a state of their own (or None: the chunk's again), and count."""
    change(db, ((n, one) for one in changes))
    recount(db, job, n)


def recount(db: Connection, job: JobRecord, n: int) -> int:
    """Count the rows of a chunk anew, after whatever changed them; gives its ``unfinished``."""
    first, last, delivery = span(db, job, n)
    counters = db.execute(
        "SELECT count(*) FILTER (WHERE own IS NULL), count(heard) FILTER (WHERE own IS NULL), "
        "count(*) FILTER (WHERE coalesce(heard, CASE WHEN own IS NULL THEN ? ELSE 0 END) < ? "
        f"AND coalesce(own, '') <> '{RowState.REJECTED}'), "
        f"count(*) FILTER (WHERE own = '{RowState.ACCEPTED}'), "
        f"count(*) FILTER (WHERE own = '{RowState.REJECTED}'), "
        f"count(*) FILTER (WHERE own = '{RowState.IN_DOUBT}') FROM ("
        "SELECT state AS own, delivery AS heard FROM rows WHERE id BETWEEN ? AND ? "
        "AND state IS NULL AND chunk IS NULL UNION ALL "
        "SELECT state, delivery FROM rows WHERE chunk = ? AND id BETWEEN ? AND ? "
        f"AND (state IS NULL OR state IN {SENT})) AS sent",
        (delivery, FIRST_FINAL, first, last, n, *job.ids),
    ).fetchone()
    db.execute(
        "UPDATE chunks SET rows = ?, own_delivery_rows = ?, unfinished = ?, accepted_rows = ?, "
        "rejected_rows = ?, in_doubt_rows = ? WHERE job = ? AND n = ?",
        (*counters, job.id, n),
    )
    return int(counters[2])


def deliver(
    db: Connection, deliveries: Mapping[int | None, Iterable[int]], reason: str | None = None
) -> None:
    """Write own deliveries of rows, by what they are now, and the reason if there is one. Touching
    no other column spares the indexes.
    """
    columns, values = ("delivery = ?, reason = ?", [reason]) if reason else ("delivery = ?", [])
    for delivery, rows in deliveries.items():
        for marks, some in in_parts(rows):
            db.execute(
                f"UPDATE rows SET {columns} WHERE id IN ({marks})", (delivery, *values, *some)
            )


def change(db: Connection, changes: Iterable[tuple[int, RowChange]]) -> None:
    """Write rows of these chunks; who counts them again is the caller."""
    alike: dict[tuple[int, RowState | None, str | None, int | None], list[int]] = defaultdict(list)
    for n, (row_id, state, why, heard) in changes:
        alike[n, state, why, heard].append(row_id)
    for (n, state, why, heard), rows in alike.items():
        for marks, some in in_parts(rows):
            db.execute(
                "UPDATE rows SET reason = CASE WHEN coalesce(state, '') = ? "
                "THEN coalesce(?, reason) ELSE ? END, state = ?, delivery = ?, "
                f"chunk = coalesce(?, chunk) WHERE id IN ({marks})",
                (state or "", why, why, state, heard, None if state is None else n, *some),
            )
