"""A person's word on what is in doubt: the provider took it, or it was not sent."""

from __future__ import annotations

import sqlite3

from mailkit.bulk.journal.database import Database
from mailkit.bulk.journal.jobs import JobRecord, own
from mailkit.errors import InvalidArgument

__all__ = ["Resolving"]


class Resolving:
    """Ends doubts. The caller holds the job's lease and its fence."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def accepted(self, job: JobRecord, n: int | None) -> int:
        """What is in doubt (in this chunk, or anywhere) was taken; returns the number of rows."""

        def work(db: sqlite3.Connection) -> int:
            rows = 0
            for chunk, state, followers in _doubtful(db, job, n):
                if state == "in doubt":
                    rows += followers
                    db.execute(
                        "UPDATE chunks SET state = 'accepted', reconciled = 1, reason = ? "
                        "WHERE job = ? AND n = ?",
                        ("resolved by a person", job.id, chunk),
                    )
                rows += db.execute(
                    "UPDATE rows SET state = 'accepted', reason = 'resolved by a person' "
                    "WHERE state = 'in doubt' AND chunk = ? AND id BETWEEN ? AND ?",
                    (chunk, *job.ids),
                ).rowcount
            return rows

        return await self._db.write(work)

    async def not_sent(self, job: JobRecord, n: int | None) -> int:
        """What is in doubt was not sent: it is planned again; returns the number of rows."""

        def work(db: sqlite3.Connection) -> int:
            rows = 0
            for chunk, state, followers in _doubtful(db, job, n):
                if state == "in doubt":
                    rows += followers
                    db.execute(
                        "UPDATE chunks SET state = 'planned', attempt = attempt + 1, reason = NULL "
                        "WHERE job = ? AND n = ?",
                        (job.id, chunk),
                    )
                rows += _move(db, job, chunk)
            return rows

        return await self._db.write(work)


def _doubtful(db: sqlite3.Connection, job: JobRecord, n: int | None) -> list[tuple[int, str, int]]:
    own(db, job)
    found = db.execute(
        "SELECT n, state, rows FROM chunks WHERE job = ? AND (state = 'in doubt' OR n IN "
        "(SELECT chunk FROM rows WHERE state = 'in doubt' AND id BETWEEN ? AND ?)) "
        "AND (? IS NULL OR n = ?) ORDER BY n",
        (job.id, *job.ids, n, n),
    ).fetchall()
    if n is not None and not found:
        raise InvalidArgument(f"chunk {n} of the job {job.name} is not in doubt")
    return found


def _move(db: sqlite3.Connection, job: JobRecord, chunk: int) -> int:
    """Plan the rows that are in doubt by themselves again, as a new chunk."""
    (number,) = db.execute("SELECT max(n) + 1 FROM chunks WHERE job = ?", (job.id,)).fetchone()
    moved = db.execute(
        "UPDATE rows SET state = NULL, reason = NULL, delivery = NULL, chunk = ? "
        "WHERE state = 'in doubt' AND chunk = ? AND id BETWEEN ? AND ?",
        (number, chunk, *job.ids),
    ).rowcount
    if moved:
        db.execute(
            "INSERT INTO chunks (job, n, state, first, last, rows, attempt, reconciled, "
            "unfinished) VALUES (?, ?, 'planned', 0, -1, ?, 2, 0, 0)",
            (job.id, number, moved),
        )
    return moved
