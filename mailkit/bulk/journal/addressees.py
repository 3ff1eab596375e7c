"""Rows found by what a provider called their chunk, and by their address.

There is an index for chunks of which an event has spoken in this way, and for no others: whoever
has no webhooks pays nothing for it. It is made at once for all rows of a chunk, and keeps those
that leave the chunk later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from mailkit.bulk.journal.batches import in_parts
from mailkit.bulk.journal.chunk_rows import SENT
from mailkit.bulk.journal.records import JobRecord
from mailkit.bulk.journal.store import Connection

__all__ = ["RowAsWritten", "index", "rename", "rows_at"]


RowAsWritten = tuple[int, str, str | None, int | None, int | None]
"""A row's id and key, and what it has of its own: state, delivery, and chunk, if it has left the
range of the one that it was cut into."""


def rows_at(
    db: Connection, job: JobRecord, n: int, keys: Collection[str]
) -> Iterator[RowAsWritten]:
    """The chunk's rows with these keys, also those that are in another chunk by now."""
    index(db, job, n)
    for marks, some in in_parts(keys):
        yield from db.execute(
            "SELECT rows.id, addressees.key, rows.state, rows.delivery, rows.chunk "
            "FROM addressees JOIN rows ON rows.id = addressees.row WHERE addressees.job = ? "
            f"AND addressees.chunk = ? AND addressees.key IN ({marks})",
            (job.id, n, *some),
        ).fetchall()


def rename(db: Connection, job: int, codes: Mapping[str, str]) -> None:
    """People of the job are known by codes from now on, by their keys so far."""
    db.executemany(
        "UPDATE addressees SET key = ? WHERE job = ? AND key = ?",
        [(code, job, key) for key, code in codes.items()],
    )


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
