"""When deliveries rose: how many rows of a job went from one status to another in each minute.

Written in the transactions that write deliveries, a line for all rows that rose alike, so that its
cost does not grow with the rows. What rose into a status, less what rose out of it, is in it now.
"""

from __future__ import annotations

from collections import Counter

from mailkit.bulk.journal.records import JobRecord
from mailkit.bulk.journal.store import Connection

__all__ = ["MINUTE", "Rises"]

MINUTE = 60


class Rises:
    """Those of one transaction; 0 is the status of rows of which nothing was heard yet."""

    def __init__(self, job: JobRecord, now: float) -> None:
        self._job = job
        self._now = now
        self._counted: Counter[tuple[int, int, int]] = Counter()

    def add(self, before: int, after: int, *, rows: int = 1, at: float | None = None) -> None:
        """``at`` is when the provider says that it happened, by default now: neither later than
        that, nor before there was the job.
        """
        at = self._now if at is None or at > self._now else at
        at = self._job.created if at < self._job.created else at
        self._counted[int(at) // MINUTE, before, after] += rows

    def write(self, db: Connection) -> None:
        """Add them to those that are written."""
        db.executemany(
            "INSERT INTO rises (job, minute, before, after, rows) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (job, minute, before, after) "
            "DO UPDATE SET rows = rises.rows + excluded.rows",
            [(self._job.id, *which, rows) for which, rows in self._counted.items()],
        )
