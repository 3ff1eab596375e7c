"""What webhooks say of single rows, written into the journal in the caller's transaction.

It proves that the provider has these messages. So a row is accepted from then on, whatever became
of its chunk, or will: it is not sent again. While its chunk is not accepted, it is so by itself.
The counters of its chunk are shifted, since counting anew would cost as much as the chunk is large;
what `statuses.recount` would count is the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from mailkit.bulk.journal import parts
from mailkit.bulk.journal.addressees import RowAsWritten, rows_at
from mailkit.bulk.journal.batches import in_parts
from mailkit.bulk.journal.chunk_rows import FIRST_FINAL, change, deliver
from mailkit.bulk.journal.counting import LEFT_OUT, leave
from mailkit.bulk.journal.elsewhere import count
from mailkit.bulk.journal.matching import RowChange, judge
from mailkit.bulk.journal.pseudonyms import aliases
from mailkit.bulk.journal.records import (
    SENT_STATES,
    ChunkState,
    JobRecord,
    PartState,
    RowState,
)
from mailkit.bulk.journal.rises import Rises
from mailkit.bulk.journal.store import Connection
from mailkit.bulk.journal.suppressions import SUPPRESSES, keep_from_twins, suppress
from mailkit.events import DeliveryStatus

__all__ = ["News", "close_if_left", "hear", "hear_at"]


News = tuple[str, int, DeliveryStatus, str, float | None]
"""What is said of a person: the key, the chunk as part of which the row was sent, how far the
message got, the reason, and when it happened, if that is known."""


class _Row(NamedTuple):
    """A row as it is: ``chunk`` is the one in which it is counted, if any."""

    id: int
    key: str
    state: str | None
    delivery: int | None
    chunk: int | None


_Told = tuple[RowAsWritten, Sequence[News]]
"""A row, and what is said of it: the latest first."""
_Chunk = tuple[str, int, int, int]  # state, delivery, first and last id
_Counted = tuple[int, ...]  # what a row adds to the counters of a chunk, in `recount`'s order
_NOTHING: _Counted = (0, 0, 0, 0, 0, 0)


class _Fate(NamedTuple):
    """What becomes of a row: its state and delivery, and whether it keeps the reason; whether it
    was rejected, as it seemed; the shift of its chunk's counters; what was ``heard`` of it before.
    """

    state: RowState | None
    delivery: int | None
    reasoned: bool
    found: bool
    shift: _Counted
    heard: int


def hear(db: Connection, job: JobRecord, said: Mapping[int, Sequence[News]], now: float) -> int:
    """Write down what is said of rows of the job, by their ids; gives how much of it is about rows
    there are. What names another address is about nobody.
    """
    told: list[_Told] = []
    codes = aliases(db, (one[0] for some in said.values() for one in some))
    for marks, ids in in_parts(said):
        for row in db.execute(
            "SELECT id, coalesce(key, address), state, delivery, chunk FROM rows "
            f"WHERE id IN ({marks})",
            ids,
        ):
            person = codes.get(row[1], row[1])
            some = [one for one in said[row[0]] if one[0] == person]
            if row[1] in codes:
                some = _without_words(some)
            if some:
                told.append((row, some))
    return _hear(db, job, told, now)


def hear_at(
    db: Connection, job: JobRecord, n: int, said: Mapping[str, Sequence[News]], now: float
) -> int:
    """The same of rows that were sent in this chunk, by their keys."""
    codes = aliases(db, said)
    told: list[_Told] = []
    for row in rows_at(db, job, n, [*said, *codes]):
        known = codes.get(row[1])
        told.append((row, said[row[1]] if known is None else _without_words(said[known])))
    return _hear(db, job, told, now)


def _without_words(news: Sequence[News]) -> list[News]:
    """What is said of somebody who was removed: words may name them."""
    return [(key, n, status, "", at) for key, n, status, _, at in news]


def _hear(db: Connection, job: JobRecord, told: Sequence[_Told], now: float) -> int:
    chunks = _Chunks(db, job, {n for _, some in told for _, n, *_ in some})
    _Hearing(db, job, chunks, now).hear(told)
    return sum([len(some) for _, some in told])


class _Chunks:
    """Chunks of the job, by their numbers; those that are named at first are read together."""

    def __init__(self, db: Connection, job: JobRecord, numbers: Iterable[int]) -> None:
        self._db = db
        self._job = job
        self._read: dict[int, _Chunk | None] = {}
        self._load(numbers)

    def get(self, n: int | None) -> _Chunk | None:
        """The chunk; None if there is none."""
        if n is None:
            return None
        if n not in self._read:
            self._load([n])
        return self._read[n]

    def around(self, id: int, n: int) -> int | None:
        """The chunk in whose range the row is: this one, as a rule."""
        chunk = self.get(n)
        if chunk is not None and chunk[2] <= id <= chunk[3]:
            return n
        found = self._db.execute(
            "SELECT n FROM chunks WHERE job = ? AND first BETWEEN 1 AND ? "
            "ORDER BY first DESC LIMIT 1",
            (self._job.id, id),
        ).fetchone()
        return None if found is None else int(found[0])

    def _load(self, numbers: Iterable[int]) -> None:
        for marks, some in in_parts(numbers):
            self._read |= dict.fromkeys(some)
            for n, *chunk in self._db.execute(
                "SELECT n, state, delivery, first, last FROM chunks "
                f"WHERE job = ? AND n IN ({marks})",
                (self._job.id, *some),
            ):
                self._read[n] = tuple(chunk)


class _Hearing:
    """One transaction's news of one job."""

    def __init__(self, db: Connection, job: JobRecord, chunks: _Chunks, now: float) -> None:
        self._db = db
        self._job = job
        self._chunks = chunks
        self._now = now
        self._deliveries: dict[tuple[str | None, int | None], list[int]] = defaultdict(list)
        self._changes: list[tuple[int, RowChange]] = []
        self._suppressed: list[tuple[str, int]] = []
        self._found: list[str] = []
        self._duplicates: list[int] = []
        self._not_left_out = Counter[RowState]()
        self._shifted: dict[tuple[int, _Counted], int] = defaultdict(int)
        self._rises = Rises(job, now)

    def hear(self, told: Iterable[_Told]) -> None:
        chunks, deliveries, shifted = self._chunks, self._deliveries, self._shifted
        for (id, key, state, own, n), said in told:
            if len(said) > 1:
                said = sorted(said, key=lambda one: -one[2])
            _, named, status, reason, _ = said[0]
            if status in SUPPRESSES:  # also who opted out before, and was allowed again since
                self._suppressed.append((key, status))
            if n is None and state is None:
                n = chunks.around(id, named)
            chunk = chunks.get(n)
            if n is None or chunk is None or chunk[0] != ChunkState.ACCEPTED:
                self._hear_other(_Row(id, key, state, own, n), said)
                continue
            fate = _fate(chunk[1], state, own, status, bool(reason))
            if fate is None:
                continue
            after, delivery, reasoned, found, shift, heard = fate
            if found:
                self._found.append(key)
            why = reason if reasoned else None
            if after == state:
                deliveries[why, delivery].append(id)
            else:
                self._changes.append((n, RowChange(id, after, why, delivery)))
            shifted[n, shift] += 1
            self._rise(said, heard)
        for (why, delivery), ids in deliveries.items():
            deliver(self._db, {delivery: ids}, why)
        self._keep()
        change(self._db, self._changes)
        suppress(self._db, self._job, self._suppressed, self._now)
        keep_from_twins(self._db, self._job, self._found, self._now)
        self._rises.write(self._db)
        for n in self._shift():
            close_if_left(self._db, self._job, n)

    def _hear_other(self, row: _Row, said: Sequence[News]) -> None:
        """A row whose chunk is not accepted, or that is in none: it is accepted by itself, as part
        of the chunk in which it was sent.
        """
        _, named, status, reason, _ = said[0]
        before = row.delivery or 0
        delivery = max(before, status)
        if row.state == RowState.ACCEPTED and delivery == before:
            return
        n = row.chunk if self._chunks.get(named) is None else named
        if row.state == RowState.ACCEPTED:
            n = row.chunk
        if n is None:
            return
        if row.state != RowState.ACCEPTED:
            self._found.append(row.key)
        if row.state == RowState.DUPLICATE:
            self._duplicates.append(row.id)
        if row.state in LEFT_OUT:
            self._not_left_out[RowState(row.state)] += 1
        self._changes.append((n, RowChange(row.id, RowState.ACCEPTED, reason or None, delivery)))
        chunk = self._chunks.get(row.chunk)
        common = 0 if chunk is None else chunk[1]
        if row.chunk is not None:
            left = _less(_NOTHING, _counted(row.state, row.delivery, common))
            self._shifted[row.chunk, left] += 1
        self._shifted[n, _counted(RowState.ACCEPTED, delivery, 0)] += 1
        self._rise(said, _heard(row.state, row.delivery, common))

    def _keep(self) -> None:
        """Who seemed to be left out, or left to another job, is not."""
        for marks, some in in_parts(self._duplicates):
            reasons = self._db.execute(f"SELECT reason FROM rows WHERE id IN ({marks})", some)
            count(self._db, self._job, [reason for (reason,) in reasons], -1)
        for state, rows in self._not_left_out.items():
            leave(self._db, self._job, state, -rows)

    def _rise(self, said: Sequence[News], before: int) -> None:
        """Each status that a row reached for the first time, at its own time."""
        for _, _, status, _, at in reversed(said):
            if status > before:
                self._rises.add(before, status, at=at)
                before = status

    def _shift(self) -> list[int]:
        """Shift the counters; gives the chunks that rows have left."""
        shifts: dict[int, list[int]] = defaultdict(lambda: [*_NOTHING])
        for (n, shift), rows in self._shifted.items():
            shifts[n] = [at + rows * one for at, one in zip(shifts[n], shift, strict=True)]
        self._db.executemany(
            "UPDATE chunks SET rows = rows + ?, own_delivery_rows = own_delivery_rows + ?, "
            "unfinished = unfinished + ?, accepted_rows = accepted_rows + ?, rejected_rows = "
            "rejected_rows + ?, in_doubt_rows = in_doubt_rows + ? WHERE job = ? AND n = ?",
            [(*shift, self._job.id, n) for n, shift in shifts.items() if any(shift)],
        )
        return [n for n, shift in shifts.items() if shift[0] < 0]


def _less(one: _Counted, other: _Counted) -> _Counted:
    return tuple([a - b for a, b in zip(one, other, strict=True)])


def _counted(state: str | None, delivery: int | None, common: int) -> _Counted:
    """What a row adds to the counters of its chunk; see `statuses.recount`."""
    if state is None:
        heard = _heard(state, delivery, common)
        return 1, int(delivery is not None), int(heard < FIRST_FINAL), 0, 0, 0
    moving = state in SENT_STATES and state != RowState.REJECTED and (delivery or 0) < FIRST_FINAL
    return 0, 0, int(moving), *[int(state == one) for one in SENT_STATES]


def _heard(state: str | None, delivery: int | None, common: int) -> int:
    """The delivery of a row: its own, or that of the chunk that it follows."""
    if delivery is not None:
        return delivery
    return common if state is None else 0


@lru_cache(maxsize=4_000)
def _fate(
    common: int, state: str | None, own: int | None, status: DeliveryStatus, reasoned: bool
) -> _Fate | None:
    """What becomes of a row of an accepted chunk with the delivery ``common``, of which this is
    said: the same as if a poll had said it. None: it stays as it is.
    """
    said = (status, False, "said" if reasoned else "", False)
    judged = judge(common, {(state, own, said): [(0, "", state, own)]}, None)
    after, why, delivery = state, None, next(iter(judged.deliveries), own)
    if judged.changes:
        _, after, why, delivery = judged.changes[0]
    if (after, why, delivery) == (state, None, own):
        return None
    return _Fate(
        state=None if after is None else RowState(after),
        delivery=None if delivery is None else int(delivery),
        reasoned=why is not None,
        found=bool(judged.found),
        shift=_less(_counted(after, delivery, common), _counted(state, own, common)),
        heard=_heard(state, own, common),
    )


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
