"""What a report for people adds to the numbers: why rows failed, when others were accepted, and
when deliveries rose.

Read row by row, within the transaction that the numbers come from: however many there are, no more
than one is in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import attrs

from mailkit.bulk.journal.batches import one_of
from mailkit.bulk.journal.chunk_rows import following
from mailkit.bulk.journal.records import ChunkState, JobRecord, RowState
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

    def failures(self) -> Iterator[Failure]:
        """Every row that has failed, by its own state and delivery or by its chunk's."""
        yield from self._own(_STATES)
        yield from self._chunks()
        found = self.db.execute(
            "SELECT delivery, line, address, coalesce(reason, '') FROM rows "
            f"WHERE id BETWEEN ? AND ? AND delivery IN ({one_of(FAILED)}) "
            "ORDER BY id",
            (*self.job.ids, *FAILED),
        )
        for delivery, line, address, reason in found:
            yield Failure(DeliveryStatus(delivery), line, address, reason)

    def left_out(self) -> Iterator[Failure]:
        """The rows that were left out or rejected by themselves, but for duplicates."""
        yield from self._own((RowState.INVALID, RowState.SUPPRESSED, RowState.REJECTED))

    def _own(self, states: Sequence[RowState]) -> Iterator[Failure]:
        found = self.db.execute(
            "SELECT state, line, address, coalesce(reason, '') FROM rows "
            f"WHERE state IN ({one_of(states)}) AND id BETWEEN ? AND ? "
            "ORDER BY state, id",
            (*states, *self.job.ids),
        )
        for state, *rest in found:
            yield Failure(RowState(state), *rest)

    def _chunks(self) -> Iterator[Failure]:
        """The chunks that failed as a whole."""
        found = self.db.execute(
            "SELECT n, state, worker, delivery, rows, own_delivery_rows, coalesce(reason, ''), "
            "(SELECT line FROM rows WHERE id = first), (SELECT address FROM rows WHERE id = first) "
            "FROM chunks WHERE job = ? AND rows > 0 ORDER BY n",
            (self.job.id,),
        )
        for n, state, worker, delivery, rows, own, reason, line, address in found:
            first = (line or 0, address or "")
            if state in (ChunkState.REJECTED, ChunkState.IN_DOUBT):
                yield Failure(RowState(state), *first, reason, rows)
            elif state == ChunkState.SENDING and worker not in self.alive:
                yield Failure(RowState.IN_DOUBT, *first, reason, rows)
            elif delivery in FAILED and rows > own:
                yield from self._following(n, DeliveryStatus(delivery))

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
