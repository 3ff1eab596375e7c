"""What a report for people adds to the numbers: why rows failed, when others were accepted, and
when deliveries rose.

Read a few thousand at a time, within the transaction that the numbers come from: however many
there are, no more are in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import attrs

from mailkit.bulk.journal.batches import one_of
from mailkit.bulk.journal.chunk_rows import following
from mailkit.bulk.journal.counting import recounted
from mailkit.bulk.journal.records import ChunkState, Counts, JobRecord, RowState
from mailkit.bulk.journal.rises import MINUTE
from mailkit.bulk.journal.store import Connection
from mailkit.events import DeliveryStatus

__all__ = ["FAILED", "Details", "Failure"]

FAILED = (
    DeliveryStatus.SOFT_BOUNCE,
    DeliveryStatus.UNDELIVERED,
    DeliveryStatus.EXPIRED,
    DeliveryStatus.REJECTED,
    DeliveryStatus.HARD_BOUNCE,
)
"""The deliveries that have a reason."""

_STATES = (
    RowState.INVALID,
    RowState.DUPLICATE,
    RowState.SUPPRESSED,
    RowState.REJECTED,
    RowState.IN_DOUBT,
)
AT_ONCE = 5_000
"""So many rows are in memory."""


class Failure(NamedTuple):
    """A row that was not accepted, or not delivered, and why; ``kind`` is its state, or what was
    last heard of its delivery. With more ``rows``, the first of those that failed together.
    """

    kind: RowState | DeliveryStatus
    line: int
    address: str
    reason: str
    rows: int = 1


@attrs.frozen
class Details:
    """One moment of a job, while its transaction lasts; ``alive`` are the workers that are."""

    db: Connection
    job: JobRecord
    alive: Collection[int]

    def stored(self) -> int:
        """The rows that really are in the journal, counted one by one."""
        found = self.db.execute("SELECT count(*) FROM rows WHERE id BETWEEN ? AND ?", self.job.ids)
        return int(found.fetchone()[0])

    def counts(self) -> Counts:
        """The rows by state, those with a state of their own counted one by one."""
        return recounted(self.db, self.job, self.alive)

    def failures(self) -> Iterator[Failure]:
        """Every row that has failed, by its own state and delivery or by its chunk's."""
        for state in _STATES:
            yield from self._own(state)
        yield from self._chunks()
        first, last = self.job.ids
        found = self._pages(
            "SELECT id, delivery, line, address, coalesce(reason, '') FROM rows "
            f"WHERE id > ? AND id <= ? AND delivery IN ({one_of(FAILED)}) ORDER BY id LIMIT ?",
            (first,),
            (last, *FAILED),
        )
        for _, delivery, *rest in found:
            yield Failure(DeliveryStatus(delivery), *rest)

    def left_out(self, most: int | None = None) -> Iterator[Failure]:
        """The rows that were left out or rejected by themselves, but for duplicates: all of them,
        or so many at ``most`` of each state.
        """
        for state in (RowState.INVALID, RowState.SUPPRESSED, RowState.REJECTED):
            yield from self._own(state) if most is None else self._first(state, most)

    def _own(self, state: RowState) -> Iterator[Failure]:
        """The rows with this state of their own."""
        first, last = self.job.ids
        found = self._pages(
            "SELECT id, line, address, coalesce(reason, '') FROM rows "
            "WHERE state = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
            (state, first),
            (last,),
        )
        for _, *rest in found:
            yield Failure(state, *rest)

    def _first(self, state: RowState, most: int) -> Iterator[Failure]:
        """The first of them. State and id are compared together, as their index has them: else a
        planner may look for them by the id alone, through all rows of the job.
        """
        first, last = self.job.ids
        found = self.db.execute(
            "SELECT line, address, coalesce(reason, '') FROM rows WHERE state IS NOT NULL "
            "AND (state, id) > (?, ?) AND (state, id) <= (?, ?) ORDER BY state, id LIMIT ?",
            (state, first, state, last, most),
        )
        for row in found.fetchall():
            yield Failure(state, *row)

    def _chunks(self) -> Iterator[Failure]:
        """The chunks that failed as a whole."""
        found = self._pages(
            "SELECT n, state, worker, delivery, rows, own_delivery_rows, coalesce(reason, ''), "
            "(SELECT line FROM rows WHERE id = first), (SELECT address FROM rows WHERE id = first) "
            "FROM chunks WHERE job = ? AND n > ? AND rows > 0 ORDER BY n LIMIT ?",
            (self.job.id, 0),
        )
        for n, state, worker, delivery, rows, own, reason, line, address in found:
            first = (line or 0, address or "")
            if state in (ChunkState.REJECTED, ChunkState.IN_DOUBT):
                yield Failure(RowState(state), *first, reason, rows)
            elif state == ChunkState.SENDING and worker not in self.alive:
                yield Failure(RowState.IN_DOUBT, *first, reason, rows)
            elif delivery in FAILED and rows > own:
                yield from self._following(n, DeliveryStatus(delivery))

    def _pages(
        self, sql: str, after: tuple[Any, ...], rest: tuple[Any, ...] = ()
    ) -> Iterator[Sequence[Any]]:
        """What the query finds, a few thousand rows at once. It gives what follows the last of the
        values ``after``, and each row begins with that; then come the ``rest`` of its values, and
        how many rows it gives at most.
        """
        while some := self.db.execute(sql, (*after, *rest, AT_ONCE)).fetchall():
            yield from some
            if len(some) < AT_ONCE:
                return
            after = (*after[:-1], some[-1][0])

    def _following(self, n: int, delivery: DeliveryStatus) -> Iterator[Failure]:
        """The rows whose delivery is that of their chunk; each may have words of its own."""
        columns = "delivery, line, address, coalesce(reason, '')"
        for own, *rest in following(self.db, self.job, n, columns):
            if own is None:
                yield Failure(delivery, *rest)

    def accepted(self) -> Iterator[tuple[float, int]]:
        """When rows were accepted, and how many at once."""
        chunk = (
            "coalesce(rows.chunk, (SELECT n FROM chunks WHERE job = ? AND first BETWEEN 1 AND "
            "rows.id ORDER BY first DESC LIMIT 1))"
        )
        found = self.db.execute(
            "SELECT coalesce(ended, started), rows FROM chunks "
            f"WHERE job = ? AND state = '{ChunkState.ACCEPTED}' AND rows > 0 UNION ALL "
            "SELECT coalesce(ended, started), many FROM (SELECT chunk, count(*) AS many FROM "
            f"(SELECT {chunk} AS chunk FROM rows WHERE state = '{RowState.ACCEPTED}' "
            "AND id BETWEEN ? AND ?) AS own GROUP BY chunk) AS moved "
            "JOIN chunks ON chunks.job = ? AND chunks.n = moved.chunk",
            (self.job.id, self.job.id, *self.job.ids, self.job.id),
        )
        for at, rows in found:
            if at is not None:
                yield at, rows

    def rises(self) -> Iterator[tuple[float, int, int, int]]:
        """When deliveries rose, to the minute: from which status to which, of how many rows; 0 is
        the status of those of which nothing was heard before. Those whose time is not known are
        left out.
        """
        found = self.db.execute(
            "SELECT minute, before, after, rows FROM rises WHERE job = ? AND minute >= 0 "
            "ORDER BY minute, before, after",
            (self.job.id,),
        )
        for minute, before, after, rows in found:
            yield minute * MINUTE, before, after, rows
