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
from mailkit.bulk.journal.matching import RowChange, RowKey, judge
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
from mailkit.bulk.journal.suppressions import SUPPRESSES, keep_from_twins, suppress
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


_Told = tuple[_Row, Sequence[News]]
"""A row, and what is said of it: the latest first."""
_Counted = tuple[int, int, int]  # what a row adds to the counters of a chunk
_Alike = tuple[str | None, int | None, DeliveryStatus, str]  # state, own delivery, what is said


def hear(db: Connection, job: JobRecord, news: Iterable[News], now: float) -> int:
    """Write down what is said of rows of the job; gives how much of it is about rows there are.
    What names another address is about nobody.
    """
    said: dict[int, list[News]] = defaultdict(list)
    for one in news:
        said[one.row].append(one)
    told: list[_Told] = []
    for row in _rows(db, job, said):
        some = [one for one in said[row.id] if one.key == row.key]
        if len(some) > 1:
            some.sort(key=lambda one: -one.status)
        if some:
            told.append((row, some))
    _Hearing(db, job, _chunks(db, job, told), now).hear(told)
    return sum(len(some) for _, some in told)


class _Hearing:
    """One transaction's news of one job."""

    def __init__(
        self, db: Connection, job: JobRecord, chunks: Mapping[int, _Chunk], now: float
    ) -> None:
        self._db = db
        self._job = job
        self._chunks = chunks
        self._now = now
        self._deliveries: dict[str | None, dict[int | None, list[int]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._changes: list[tuple[int, RowChange]] = []
        self._suppressed: list[tuple[str, int]] = []
        self._found: list[str] = []
        self._duplicates: list[int] = []
        self._shifted: Counter[tuple[int, _Counted]] = Counter()
        self._rises = Rises(job, now)

    def hear(self, news: Iterable[_Told]) -> None:
        accepted: dict[int, dict[_Alike, list[_Told]]] = defaultdict(lambda: defaultdict(list))
        for told in news:
            row, said = told
            one = said[0]
            if one.status in SUPPRESSES:  # also who opted out before, and was allowed again since
                self._suppressed.append((row.key, one.status))
            chunk = self._chunks.get(row.chunk or 0)
            if chunk is not None and chunk.state == ChunkState.ACCEPTED:
                alike = row.state, row.delivery, one.status, one.reason
                accepted[chunk.delivery][alike].append(told)
            else:
                self._hear_other(row, said)
        for common, groups in accepted.items():
            for alike, some in groups.items():
                self._hear_accepted(common, *alike, some)
        for reason, deliveries in self._deliveries.items():
            deliver(self._db, deliveries, reason)
        self._keep()
        change(self._db, self._changes)
        suppress(self._db, self._job, self._suppressed, self._now)
        keep_from_twins(self._db, self._job, self._found, self._now)
        self._rises.write(self._db)
        for n in self._shift():
            close_if_left(self._db, self._job, n)

    def _hear_accepted(
        self,
        common: int,
        state: str | None,
        own: int | None,
        status: DeliveryStatus,
        reason: str,
        news: Sequence[_Told],
    ) -> None:
        """Rows of chunks that are accepted, and alike: it is the same as if a poll had said it."""
        keys: list[RowKey] = [row[:4] for row, _ in news]
        found = judge(common, {(state, own, (status, False, reason, False)): keys}, None)
        self._found += found.found
        after, why, delivery = state, None, next(iter(found.deliveries), own)
        if found.changes:
            _, after, why, delivery = found.changes[0]  # like all of them
        if (after, why, delivery) == (state, None, own):
            return
        if after == state:
            self._deliveries[why][delivery] += [row.id for row, _ in news]
        else:
            numbers = [row.chunk or 0 for row, _ in news]
            self._changes += zip(numbers, found.changes, strict=True)
        was = _counted(state, own, common)
        shift = _less(_counted(after, delivery, common), was)
        heard = _heard(state, own, common)
        for row, some in news:
            self._shifted[row.chunk or 0, shift] += 1
            self._rise(some, heard)

    def _hear_other(self, row: _Row, said: Sequence[News]) -> None:
        """A row whose chunk is not accepted, or that is in none: it is accepted by itself, as part
        of the chunk in which it was sent.
        """
        one, before = said[0], row.delivery or 0
        delivery = max(before, one.status)
        if row.state == RowState.ACCEPTED and delivery == before:
            return
        n = one.chunk if one.chunk in self._chunks else row.chunk
        if row.state == RowState.ACCEPTED:
            n = row.chunk
        if n is None:
            return
        if row.state != RowState.ACCEPTED:
            self._found.append(row.key)
        if row.state == RowState.DUPLICATE:
            self._duplicates.append(row.id)
        why = one.reason or None
        self._changes.append((n, RowChange(row.id, RowState.ACCEPTED, why, delivery)))
        common = 0 if row.chunk is None else self._chunks[row.chunk].delivery
        if row.chunk is not None:
            left = _less((0, 0, 0), _counted(row.state, row.delivery, common))
            self._shifted[row.chunk, left] += 1
        self._shifted[n, _counted(RowState.ACCEPTED, delivery, 0)] += 1
        self._rise(said, _heard(row.state, row.delivery, common))

    def _keep(self) -> None:
        """Who seemed to be left to another job is not."""
        for marks, some in in_parts(self._duplicates):
            reasons = self._db.execute(f"SELECT reason FROM rows WHERE id IN ({marks})", some)
            count(self._db, self._job, [reason for (reason,) in reasons], -1)

    def _rise(self, said: Sequence[News], before: int) -> None:
        """Each status that a row reached for the first time, at its own time."""
        for one in reversed(said):
            if one.status > before:
                self._rises.add(before, one.status, at=one.at)
                before = one.status

    def _shift(self) -> list[int]:
        """Shift the counters; gives the chunks that rows have left."""
        shifts: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
        for (n, shift), rows in self._shifted.items():
            shifts[n] = [at + rows * one for at, one in zip(shifts[n], shift, strict=True)]
        self._db.executemany(
            "UPDATE chunks SET rows = rows + ?, own_delivery_rows = own_delivery_rows + ?, "
            "unfinished = unfinished + ? WHERE job = ? AND n = ?",
            [(*shift, self._job.id, n) for n, shift in shifts.items() if any(shift)],
        )
        return [n for n, shift in shifts.items() if shift[0] < 0]


def _less(one: _Counted, other: _Counted) -> _Counted:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]


def _counted(state: str | None, delivery: int | None, common: int) -> _Counted:
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


def _chunks(db: Connection, job: JobRecord, told: Sequence[_Told]) -> dict[int, _Chunk]:
    """The chunks in which the rows are, and those in which they were sent, by their numbers."""
    numbers = {row.chunk for row, _ in told if row.chunk is not None}
    numbers |= {some[0].chunk for _, some in told}
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
