"""Rows found by what a provider called their chunk, and by their address.

There is an index for chunks of which an event has spoken in this way, and for no others: whoever
has no webhooks pays nothing for it. It is made at once for all rows of a chunk, and keeps those
that leave the chunk later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mailkit.bulk.journal.batches import in_parts
from mailkit.bulk.journal.records import JobRecord
from mailkit.bulk.journal.statuses import SENT
from mailkit.bulk.journal.store import Connection

__all__ = ["index", "rows_at"]


def rows_at(db: Connection, job: JobRecord, n: int, keys: Collection[str]) -> Mapping[str, int]:
    """The ids of the chunk's rows with these keys, also if they are in another chunk by now."""
    index(db, job, n)
    found: dict[str, int] = {}
    for marks, some in in_parts(keys):
        found |= db.execute(
            f"SELECT key, row FROM addressees WHERE job = ? AND chunk = ? AND key IN ({marks})",
            (job.id, n, *some),
        ).fetchall()
    return found


def index(db: Connection, job: JobRecord, n: int) -> None:
    """Make the index of a chunk that was sent, unless it is there."""
    known = db.execute("SELECT 1 FROM addressees WHERE job = ? AND chunk = ? LIMIT 1", (job.id, n))
    if known.fetchone() is not None:
        return
    first, last = db.execute(
        "SELECT first, last FROM chunks WHERE job = ? AND n = ?", (job.id, n)
    ).fetchone()
    db.execute(
        "INSERT INTO addressees (job, chunk, key, row) "
        "SELECT ?, ?, coalesce(key, address) AS person, id FROM ("
        "SELECT id, key, address FROM rows WHERE id BETWEEN ? AND ? AND state IS NULL "
        "AND chunk IS NULL UNION ALL SELECT id, key, address FROM rows WHERE chunk = ? "
        f"AND id BETWEEN ? AND ? AND (state IS NULL OR state IN {SENT})) AS sent ORDER BY person",
        (job.id, n, first, last, n, *job.ids),
    )
