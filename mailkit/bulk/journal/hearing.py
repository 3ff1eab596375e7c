"""What webhooks say of single rows, written into the journal in the caller's transaction.

It proves that the provider has these messages. So a row is accepted from then on, whatever became
of its chunk, or will: it is not sent again. While its chunk is not accepted, it is so by itself.
The counters of its chunk are shifted, since counting anew would cost as much as the chunk is large;
what `statuses.recount` would count is the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mailkit.bulk.journal import parts
from mailkit.bulk.journal.batches import in_parts
from mailkit.bulk.journal.elsewhere import count
from mailkit.bulk.journal.matching import ChunkKeys, RowChange, RowKey, match
from mailkit.bulk.journal.records import (
    SENT_STATES,
    ChunkState,
    JobRecord,
    PartState,
    RowState,
)
from mailkit.bulk.journal.rises import Rises
from mailkit.bulk.journal.statuses import FIRST_FINAL, change, deliver
from mailkit.bulk.journal.store import Connection
from mailkit.bulk.journal.suppressions import keep_from_twins, suppress, suppresses
from mailkit.core.dispatch import RowStatus
from mailkit.events import DeliveryStatus

__all__ = ["News", "close_if_left", "hear"]


class News(NamedTuple):
    """What is said of the row with this id and key, as part of this ``chunk``; ``at`` is when it
    happened, if that is known.
    """

    row: int
    chunk: int
    key: str
    status: DeliveryStatus
    reason: str
    at: float | None


class _Row(NamedTuple):
    """A row as it is: ``chunk`` is the one in which it is counted, if any."""

    id: int
    key: str
    state: str | None
    delivery: int | None
    chunk: int | None


class _Chunk(NamedTuple):
    state: str
    delivery: int


_Counted = tuple[int | None, str | None, int | None]  # as part of this chunk: state, own delivery


def hear(db: Connection, job: JobRecord, news: Sequence[News], now: float) -> set[tuple[int, str]]:
    """Write down what is said of rows of the job; gives the ids and keys of the rows there are.
    What names another address is about nobody.
    """
    rows = {(row.id, row.key): row for row in _rows(db, job, {one.row for one in news})}
    said: dict[int, list[News]] = defaultdict(list)  # of each row, the latest first
    for one in news:
        if (one.row, one.key) in rows:
            said[one.row].append(one)
    for some in said.values():
        if len(some) > 1:
            some.sort(key=lambda one: -one.status)
    told = [(row, said[row.id][0]) for row in rows.values() if row.id in said]
    _Hearing(db, job, _chunks(db, job, told), said, now).hear(told)
    return set(rows)


class _Hearing:
    """One transaction's news of one job."""

    def __init__(
        self,
        db: Connection,
        job: JobRecord,
        chunks: Mapping[int, _Chunk],
        said: Mapping[int, Sequence[News]],
        now: float,
    ) -> None:
        self._db = db
        self._job = job
        self._chunks = chunks
        self._said = said
        self._now = now
        self._deliveries: dict[int | None, list[int]] = defaultdict(list)
        self._changes: list[tuple[int, RowChange]] = []
        self._suppressed: list[tuple[str, int]] = []
        self._found: list[str] = []
        self._duplicates: list[int] = []
        self._moved: Counter[tuple[_Counted, _Counted]] = Counter()
        self._rises = Rises(job, now)

    def hear(self, news: Sequence[tuple[_Row, News]]) -> None:
        accepted: dict[int, list[tuple[_Row, News]]] = defaultdict(list)
        others: list[tuple[_Row, News]] = []
        for row, one in news:
            if suppresses(one.status):  # also who opted out before, and was allowed again since
                self._suppressed.append((row.key, one.status))
            chunk = None if row.chunk is None else self._chunks[row.chunk]
            if chunk is not None and chunk.state == ChunkState.ACCEPTED:
                accepted[row.chunk or 0].append((row, one))
            else:
                others.append((row, one))
        for n, some in accepted.items():
            self._hear_accepted(n, some)
        self._hear_others(others)
        deliver(self._db, self._deliveries)
        self._keep()
        change(self._db, self._changes)
        suppress(self._db, self._job, self._suppressed, self._now)
        keep_from_twins(self._db, self._job, self._found, self._now)
        self._rises.write(self._db)
        for n in self._shift():
            close_if_left(self._db, self._job, n)

    def _hear_accepted(self, n: int, news: Sequence[tuple[_Row, News]]) -> None:
        """Rows of a chunk that is accepted: it is the same as if a poll had said it."""
        common = self._chunks[n].delivery
        keys: list[RowKey] = [row[:4] for row, _ in news]
        statuses = [RowStatus(one.key, one.status, False, one.reason) for _, one in news]
        found = match(ChunkKeys(common, False, keys, all=False), statuses, None)
        rows = {row.id: row for row, _ in news}
        for own, ids in found.deliveries.items():
            self._deliveries[own] += ids
            for row_id in ids:
                self._moves(rows[row_id], n, rows[row_id].state, own)
        for row_id, state, _, delivery in found.changes:
            self._moves(rows[row_id], n, state, delivery)
        self._changes += [(n, one) for one in found.changes]
        self._found += found.found

    def _hear_others(self, news: Sequence[tuple[_Row, News]]) -> None:
        """Rows whose chunk is not accepted, or that are in none: they are accepted by themselves,
        as part of the chunk in which they were sent.
        """
        for row, one in news:
            before = row.delivery or 0
            delivery = max(before, one.status)
            if row.state == RowState.ACCEPTED and delivery == before:
                continue
            n = one.chunk if one.chunk in self._chunks else row.chunk
            if row.state == RowState.ACCEPTED:
                n = row.chunk
            if n is None:
                continue
            if row.state != RowState.ACCEPTED:
                self._found.append(row.key)
            if row.state == RowState.DUPLICATE:
                self._duplicates.append(row.id)
            why = one.reason or None
            self._changes.append((n, RowChange(row.id, RowState.ACCEPTED, why, delivery)))
            self._moves(row, n, RowState.ACCEPTED, delivery)

    def _keep(self) -> None:
        """Who seemed to be left to another job is not."""
        for marks, some in in_parts(self._duplicates):
            reasons = self._db.execute(f"SELECT reason FROM rows WHERE id IN ({marks})", some)
            count(self._db, self._job, [reason for (reason,) in reasons], -1)

    def _moves(self, row: _Row, n: int, state: str | None, delivery: int | None) -> None:
        """The row leaves the count of its chunk, and comes into that of chunk ``n``."""
        self._moved[(row.chunk, row.state, row.delivery), (n, state, delivery)] += 1
        common = 0 if row.chunk is None else self._chunks[row.chunk].delivery
        self._rise(row, _heard(row.state, row.delivery, common))

    def _rise(self, row: _Row, before: int) -> None:
        """Each status that the row reached for the first time, at its own time."""
        for one in reversed(self._said[row.id]):
            if one.status > before:
                self._rises.add(before, one.status, at=one.at)
                before = one.status

    def _shift(self) -> list[int]:
        """Shift the counters; gives the chunks that rows have left."""
        shifts: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
        for (before, after), rows in self._moved.items():
            for (n, state, delivery), sign in ((before, -rows), (after, rows)):
                if n is not None:
                    counted = _counted(state, delivery, self._chunks[n].delivery)
                    shifts[n] = [
                        at + sign * one for at, one in zip(shifts[n], counted, strict=True)
                    ]
        self._db.executemany(
            "UPDATE chunks SET rows = rows + ?, own_delivery_rows = own_delivery_rows + ?, "
            "unfinished = unfinished + ? WHERE job = ? AND n = ?",
            [(*shift, self._job.id, n) for n, shift in shifts.items() if any(shift)],
        )
        return [n for n, shift in shifts.items() if shift[0] < 0]


def _counted(state: str | None, delivery: int | None, common: int) -> tuple[int, int, int]:
    """What a row adds to the counters of its chunk; see `statuses.recount`."""
    if state is None:
        heard = _heard(state, delivery, common)
        return 1, int(delivery is not None), int(heard < FIRST_FINAL)
    moving = state in SENT_STATES and state != RowState.REJECTED and (delivery or 0) < FIRST_FINAL
    return 0, 0, int(moving)


def _heard(state: str | None, delivery: int | None, common: int) -> int:
    """The delivery of a row: its own, or that of the chunk that it follows."""
    if delivery is not None:
        return delivery
    return common if state is None else 0


def _rows(db: Connection, job: JobRecord, ids: Iterable[int]) -> list[_Row]:
    found: list[_Row] = []
    for marks, some in in_parts(ids):
        rows = db.execute(
            "SELECT id, coalesce(key, address), state, delivery, coalesce(chunk, CASE WHEN state "
            "IS NULL THEN (SELECT n FROM chunks WHERE job = ? AND first BETWEEN 1 AND rows.id "
            "ORDER BY first DESC LIMIT 1) END) FROM rows "
            f"WHERE id IN ({marks})",
            (job.id, *some),
        )
        found += map(_Row._make, rows)
    return found


def _chunks(db: Connection, job: JobRecord, news: Sequence[tuple[_Row, News]]) -> dict[int, _Chunk]:
    """The chunks in which the rows are, and those in which they were sent, by their numbers."""
    numbers = {row.chunk for row, _ in news if row.chunk is not None}
    numbers |= {one.chunk for _, one in news}
    found: dict[int, _Chunk] = {}
    for marks, some in in_parts(numbers):
        for n, *rest in db.execute(
            f"SELECT n, state, delivery FROM chunks WHERE job = ? AND n IN ({marks})",
            (job.id, *some),
        ):
            found[n] = _Chunk(*rest)
    return found


def close_if_left(db: Connection, job: JobRecord, n: int) -> None:
    """Rows have left the chunk: if it has none any more, nothing of it is sent, or in doubt; else
    whatever is prepared for it has them still, so that it must begin anew before it is sent.
    """
    emptied = db.execute(
        f"UPDATE chunks SET state = '{ChunkState.EMPTY}', role = NULL WHERE job = ? AND n = ? "
        f"AND rows = 0 AND state IN ('{ChunkState.PLANNED}', '{ChunkState.IN_DOUBT}', "
        f"'{ChunkState.REJECTED}') AND NOT EXISTS (SELECT 1 FROM parts WHERE "
        "parts.job = chunks.job AND parts.chunk = chunks.n "
        f"AND parts.state = '{PartState.LOADING}')",
        (job.id, n),
    )
    if emptied.rowcount:
        parts.forget(db, job, n)
        return
    db.execute(
        f"UPDATE chunks SET anew = 1 WHERE job = ? AND n = ? AND state IN ("
        f"'{ChunkState.PLANNED}', '{ChunkState.LOADING}', '{ChunkState.SENDING}', "
        f"'{ChunkState.IN_DOUBT}') AND (stage > 0 OR state = '{ChunkState.LOADING}' OR EXISTS "
        "(SELECT 1 FROM parts WHERE parts.job = chunks.job AND parts.chunk = chunks.n))",
        (job.id, n),
    )
