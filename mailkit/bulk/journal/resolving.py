"""A person's word on rows: those in doubt were taken or not sent, rejected ones are ordered again.

The job may be under way meanwhile. But that something was not sent is not to be said while the
worker lives that took it: its request may still be on its way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import attrs

from mailkit.bulk.journal import parts
from mailkit.bulk.journal.addressees import index
from mailkit.bulk.journal.batches import in_parts
from mailkit.bulk.journal.chunk_rows import following, recount
from mailkit.bulk.journal.counting import leave
from mailkit.bulk.journal.elsewhere import count, questions
from mailkit.bulk.journal.erasing import erased
from mailkit.bulk.journal.jobs import Overtaken, Twin, check_not_pruned, put_back_at, twins
from mailkit.bulk.journal.leases import REQUEST_SECONDS
from mailkit.bulk.journal.ownership import PROCESS
from mailkit.bulk.journal.packing import packed
from mailkit.bulk.journal.records import ChunkState, JobRecord, RowState
from mailkit.bulk.journal.restoring import check_rejected_since
from mailkit.bulk.journal.store import Connection, Store
from mailkit.bulk.journal.suppressions import FORGOTTEN
from mailkit.bulk.journal.wanted import CANCELLED_AT
from mailkit.bulk.journal.workers import reap
from mailkit.errors import InvalidArgument

__all__ = ["Chosen", "ReplanResult", "Resolving", "held_up_until"]

BY_A_PERSON = "resolved by a person"
HELD_UP_SECONDS = 120.0
"""So long after its end a request can still arrive that is held up in the network."""


def held_up_until(started: float | None, ended: float | None) -> float:
    """From when on a request of a chunk can't arrive any more, and its chunk be sent again."""
    return max(ended or 0.0, (started or 0.0) + REQUEST_SECONDS) + HELD_UP_SECONDS


@attrs.frozen
class Chosen:
    """The rows that a person means: those of these chunks, at these addresses, or both.

    ``chunks`` maps a chunk's number to the attempt that the person looked for; None: any.
    ``keys`` are dedupe keys, each of which must be found.
    """

    chunks: Mapping[int, int | None] | None = None
    keys: Collection[str] | None = None


@attrs.frozen
class _Source:
    """A chunk with chosen rows: all that are in the ``state``, since they follow it or by
    themselves (``own``), or single ``rows`` by their ids.
    """

    n: int
    state: RowState
    whole: bool
    followers: int
    own: int
    rows: Sequence[int] | None
    worker: int | None
    started: float | None
    ended: float | None

    @property
    def count(self) -> int:
        """How many rows are chosen."""
        return self.followers + self.own


@attrs.frozen
class ReplanResult:
    """How many rejected rows were planned again, and how many were left out, since their people
    have the message from another job (``elsewhere``).
    """

    rows: int
    elsewhere: int


class Resolving:
    """Carries out what a person says."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def accepted(self, job: JobRecord, chosen: Chosen) -> int:
        """What is chosen of the rows in doubt was taken; returns the number of rows."""

        def work(db: Connection) -> int:
            reap(db, self._store.liveness, job.id)
            sources = _sources(db, job, RowState.IN_DOUBT, chosen)
            for source in sources:
                if source.whole:
                    db.execute(
                        f"UPDATE chunks SET state = '{ChunkState.ACCEPTED}', reconciled = 1, "
                        "reason = ? "
                        "WHERE job = ? AND n = ?",
                        (BY_A_PERSON, job.id, source.n),
                    )
                db.executemany(  # some may follow the chunk so far
                    "UPDATE rows SET chunk = ? WHERE id = ?",
                    [(source.n, row) for row in source.rows or ()],
                )
                for which, values in _own(job, source):  # another column costs another index
                    db.execute(
                        f"UPDATE rows SET state = '{RowState.ACCEPTED}', reason = ? WHERE {which}",
                        (BY_A_PERSON, *values),
                    )
                _count(db, job, source.n)
            return sum(source.count for source in sources)

        return await self._store.write(work)

    async def not_sent(self, job: JobRecord, chosen: Chosen, now: float) -> int:
        """What is chosen of the rows in doubt was not sent: it is planned again; returns the
        number of rows. InvalidArgument while a request could still arrive.
        """

        def work(db: Connection) -> int:
            living = reap(db, self._store.liveness, job.id)
            sources = _sources(db, job, RowState.IN_DOUBT, chosen)
            for source in sources:
                if source.worker in living:
                    raise InvalidArgument(
                        f"{_process(db, source)}, which sent chunk {source.n} of the job "
                        f"{job.name}, is still running: record that it was not sent once "
                        "that process has ended"
                    )
                _check_time(db, job, source, now, self._store.dialect.clock)
            return _plan_again(db, job, sources)

        return await self._store.write(work)

    async def again(self, job: JobRecord, chosen: Chosen) -> ReplanResult:
        """What is chosen of the rejected rows is planned again, but for people who have the
        message from another job by now: these become ``duplicate``.
        """

        def look(db: Connection) -> tuple[Sequence[Twin], dict[int, str]]:
            seen = twins(db, job)
            return seen, {
                **dict.fromkeys(erased(db, job), FORGOTTEN),
                **{
                    int(row): asked.reasons[int(why)]
                    for asked in questions(job, seen, RowState.REJECTED, self._store.dialect)
                    for row, why in db.execute(asked.sql)
                },
            }

        while True:
            seen, elsewhere = await self._store.read(look)

            def work(
                db: Connection,
                seen: Sequence[Twin] = seen,
                elsewhere: Mapping[int, str] = elsewhere,
            ) -> ReplanResult:
                check_not_pruned(db, job)
                check_rejected_since(db, job)
                if twins(db, job) != seen:
                    raise Overtaken
                found = _sources(db, job, RowState.REJECTED, chosen)
                sources = [_set_aside(db, job, source, elsewhere) for source in found]
                db.execute(
                    "UPDATE jobs SET replans = replans + 1, held = NULL, "
                    f"cancelled = {CANCELLED_AT} WHERE id = ?",
                    (job.id,),
                )
                planned = _plan_again(db, job, sources)
                return ReplanResult(planned, sum(source.count for source in found) - planned)

            with contextlib.suppress(Overtaken):
                return await self._store.write(work)


def _sources(db: Connection, job: JobRecord, state: RowState, chosen: Chosen) -> Sequence[_Source]:
    """The chunks that have chosen rows in this state; InvalidArgument if any is not to be found."""
    own = dict(
        db.execute(
            "SELECT chunk, count(*) FROM rows WHERE state = ? AND id BETWEEN ? AND ? "
            "GROUP BY chunk",
            (state, *job.ids),
        ).fetchall()
    )
    chunks = db.execute(
        "SELECT n, attempt, state, rows, worker, started, ended FROM chunks WHERE job = ? "
        "ORDER BY n",
        (job.id,),
    )
    found = [row for row in chunks.fetchall() if row[2] == state or row[0] in own]
    _check_chunks(job, state, chosen, {n: attempt for n, attempt, *_ in found})
    left = None if chosen.keys is None else set(chosen.keys)
    sources = []
    for n, _, chunk_state, followers, *taken in found:
        if chosen.chunks is not None and n not in chosen.chunks:
            continue
        follow = chunk_state == state
        if left is None:
            count = followers if follow else 0
            sources.append(_Source(n, state, follow, count, own.get(n, 0), None, *taken))
            continue
        rows: list[int] = []
        for row_id, key in _rows(db, job, n, state, follow=follow):
            if key in left:
                rows.append(row_id)
                left.remove(key)
        if rows:
            sources.append(_Source(n, state, False, 0, len(rows), rows, *taken))
    if left:
        raise InvalidArgument(f"{min(left)} is not {state} in the job {job.name}")
    return sources


def _rows(
    db: Connection, job: JobRecord, n: int, state: RowState, *, follow: bool
) -> Iterator[tuple[int, str]]:
    """The chunk's rows in this state, with their keys: those that have it of their own and, if
    asked, those that follow the chunk.
    """
    if follow:
        yield from following(db, job, n, "id, coalesce(key, address)")
    yield from db.execute(
        "SELECT id, coalesce(key, address) FROM rows WHERE state = ? AND chunk = ? "
        "AND id BETWEEN ? AND ?",
        (state, n, *job.ids),
    ).fetchall()


def _own(job: JobRecord, source: _Source) -> Iterator[tuple[str, Sequence[object]]]:
    """Which rows are chosen by themselves, as conditions and their values."""
    if source.rows is None:
        if source.own:
            yield (
                "chunk = ? AND id BETWEEN ? AND ? AND state = ?",
                (source.n, *job.ids, source.state),
            )
        return
    for marks, some in in_parts(source.rows):
        yield f"id IN ({marks})", some


def _own_sizes(db: Connection, job: JobRecord, source: _Source) -> list[tuple[int, int]]:
    """The ids and bytes of the rows that are chosen by themselves."""
    return [
        row
        for which, values in _own(job, source)
        for row in db.execute(f"SELECT id, size FROM rows WHERE {which}", values)
    ]


def _check_chunks(
    job: JobRecord, state: RowState, chosen: Chosen, attempts: Mapping[int, int]
) -> None:
    for n, looked_for in (chosen.chunks or {}).items():
        if n not in attempts:
            raise InvalidArgument(f"chunk {n} of the job {job.name} is not {state}")
        if looked_for is not None and looked_for != attempts[n]:
            now = f"{n}.{attempts[n]}" if attempts[n] > 1 else str(n)
            raise InvalidArgument(
                f"chunk {n} of the job {job.name} has been sent again since, "
                f"as {job.name} #{now}: check that label"
            )


def _process(db: Connection, source: _Source) -> str:
    found = db.execute(f"SELECT {PROCESS} FROM workers WHERE id = ?", (source.worker,)).fetchone()
    return str(found[0])


def _check_time(
    db: Connection, job: JobRecord, source: _Source, now: float, clock: str | None
) -> None:
    """Refuse a word that comes too early. A chunk whose response came can't be held up; but where
    an older state of the journal was put back, any chunk may have been sent again before that.
    """
    (state,) = db.execute(
        "SELECT state FROM chunks WHERE job = ? AND n = ?", (job.id, source.n)
    ).fetchone()
    (at_database,) = (now,) if clock is None else db.execute(f"SELECT {clock}").fetchone()
    times = [(held_up_until(put_back_at(db), None), at_database)]
    if state == ChunkState.IN_DOUBT:
        times.append((held_up_until(source.started, source.ended), now))
    for earliest, moment in times:
        if moment < earliest:
            at = datetime.fromtimestamp(earliest).astimezone()
            raise InvalidArgument(
                f"it is too early to say that chunk {source.n} of the job {job.name} was not sent: "
                f"its request may be delayed; check again after {at:%Y-%m-%d %H:%M:%S %Z}"
            )


def _set_aside(
    db: Connection, job: JobRecord, source: _Source, elsewhere: Mapping[int, str]
) -> _Source:
    """Leave out the rows whose people are elsewhere."""
    if not elsewhere:
        return source
    followers = [row_id for (row_id,) in following(db, job, source.n, "id")] if source.whole else []
    own = [row_id for row_id, _ in _own_sizes(db, job, source)]
    aside = [row_id for row_id in [*followers, *own] if row_id in elsewhere]
    db.executemany(
        f"UPDATE rows SET state = '{RowState.DUPLICATE}', reason = ?, chunk = NULL, "
        "delivery = NULL "
        "WHERE id = ?",
        [(elsewhere[row_id], row_id) for row_id in aside],
    )
    count(db, job, (elsewhere[row_id] for row_id in aside))
    leave(db, job, RowState.DUPLICATE, len(aside))
    kept = [row_id for row_id in own if row_id not in elsewhere]
    return attrs.evolve(
        source,
        own=len(kept),
        rows=kept,
        followers=sum(row_id not in elsewhere for row_id in followers),
    )


def _plan_again(db: Connection, job: JobRecord, sources: Sequence[_Source]) -> int:
    """Plan the rows again: full chunks as they are, under another label, and few rows together."""
    if not sources:  # there may be no chunk at all
        return 0
    for source in sources:
        _remember(db, job, source.n)
    most, size = _fullest(db, job)
    few: list[tuple[int, int]] = []  # row id, bytes
    for source in sources:
        rows = _own_sizes(db, job, source)
        if source.followers * 2 > most:
            db.execute(
                f"UPDATE chunks SET state = '{ChunkState.PLANNED}', role = NULL, attempt = "
                "attempt + 1, stage = 0, until = NULL, cursor = NULL, anew = 0, "
                "started = NULL, reason = NULL WHERE job = ? AND n = ?",
                (job.id, source.n),
            )
            parts.forget(db, job, source.n)
        elif source.whole:
            rows += following(db, job, source.n, "id, size").fetchall()
        few += rows
        size = max(size, sum(weight for _, weight in rows))  # it went out in one request
    few.sort()
    for chunk in packed(few, most, size):
        _make_chunk(db, job, chunk)
    for source in sources:
        _count(db, job, source.n)
    return sum(source.count for source in sources)


def _remember(db: Connection, job: JobRecord, n: int) -> None:
    """What events say later by the chunk's reference may be about rows that leave it now."""
    (reference,) = db.execute(
        "SELECT reference FROM chunks WHERE job = ? AND n = ?", (job.id, n)
    ).fetchone()
    if reference is not None:
        index(db, job, n)


def _fullest(db: Connection, job: JobRecord) -> tuple[int, int]:
    """Rows and bytes of the chunk with the most rows: so much the provider takes at once."""
    (n,) = db.execute(
        "SELECT n FROM chunks WHERE job = ? ORDER BY rows + (SELECT count(*) FROM rows "
        "WHERE chunk = n AND id BETWEEN ? AND ? AND state IS NOT NULL) DESC, n LIMIT 1",
        (job.id, *job.ids),
    ).fetchone()
    sizes = following(db, job, n, "size").fetchall()
    sizes += db.execute(
        "SELECT size FROM rows WHERE chunk = ? AND id BETWEEN ? AND ? AND state IS NOT NULL",
        (n, *job.ids),
    )
    return len(sizes), sum(size for (size,) in sizes)


def _make_chunk(db: Connection, job: JobRecord, rows: Sequence[int]) -> None:
    """A planned chunk of rows that leave theirs."""
    (number,) = db.execute("SELECT max(n) + 1 FROM chunks WHERE job = ?", (job.id,)).fetchone()
    for marks, some in in_parts(rows):
        db.execute(
            "UPDATE rows SET state = NULL, reason = NULL, delivery = NULL, chunk = ? "
            f"WHERE id IN ({marks})",
            (number, *some),
        )
    db.execute(
        "INSERT INTO chunks (job, n, state, first, last, rows, attempt, reconciled, unfinished) "
        f"VALUES (?, ?, '{ChunkState.PLANNED}', 0, -1, ?, 2, 0, 0)",
        (job.id, number, len(rows)),
    )


def _count(db: Connection, job: JobRecord, n: int) -> None:
    """Count what is left of a chunk; it may be nothing."""
    recount(db, job, n)
    db.execute(
        f"UPDATE chunks SET state = '{ChunkState.EMPTY}' WHERE job = ? AND n = ? AND rows = 0 "
        f"AND state IN ('{ChunkState.IN_DOUBT}', '{ChunkState.REJECTED}')",
        (job.id, n),
    )
