"""What the journal can say of a job at any moment: the sum, the chunks in doubt, every row.

What a worker is sending counts as unsent while that lives, and as in doubt once it is dead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from math import inf
from typing import Any, TypeVar

import attrs
import msgspec

from mailkit.bulk.journal.batches import one_of
from mailkit.bulk.journal.counting import counts
from mailkit.bulk.journal.details import Details, Failure
from mailkit.bulk.journal.elsewhere import left_to, owner_in
from mailkit.bulk.journal.jobs import by_id, every_planned, find, put_back_at, twins
from mailkit.bulk.journal.ownership import living
from mailkit.bulk.journal.parts import later
from mailkit.bulk.journal.permits import place_of
from mailkit.bulk.journal.presence import WorkerInfo, present
from mailkit.bulk.journal.records import (
    ChunkRecord,
    ChunkState,
    Counts,
    JobRecord,
    JobState,
    Later,
    PartState,
    RowRecord,
    RowState,
)
from mailkit.bulk.journal.rows import rows_of
from mailkit.bulk.journal.store import Connection, Store
from mailkit.errors import MailkitError
from mailkit.events import DeliveryStatus

__all__ = ["LeftBehind", "Reports", "Snapshot"]

T = TypeVar("T")

ANSWER_SECONDS = 3.0

_COUNTS = msgspec.json.Decoder(dict[str, int])


@attrs.frozen
class OtherJob:
    """A job that rows are left to, and how many of these are ``unsent`` or ``in_doubt`` there.
    ``running`` says whether a worker is at it now, ``cancelled`` whether it sends nothing more
    unless a person orders that.
    """

    name: str
    unsent: int
    in_doubt: int
    running: bool
    cancelled: bool = False


@attrs.frozen
class Snapshot:
    """What is known of a job at one moment. ``workers`` have not left it, and it is ``running`` as
    long as one of them does not count as dead. Of a ``shared`` journal, a ``mailkit worker`` takes
    up what nobody sends. ``statistics`` is what the provider counts of the
    messages of all chunks together; ``unreconciled`` rows were accepted, the last of them at
    ``unreconciled_since``, and are still looked for; ``waiting`` is when the next task can be taken
    that has to wait, and for what; ``asking`` when the provider is asked again about a chunk that
    it is not done with, and why; ``put_back`` when an older state of the journal was, since the job
    began.
    """

    job: JobRecord
    running: bool
    workers: Sequence[WorkerInfo]
    shared: bool
    counts: Counts
    elsewhere: Mapping[str, int]
    others: Sequence[OtherJob]
    unreconciled: int
    unreconciled_since: float | None
    deliveries: Mapping[DeliveryStatus, int]
    statistics: Mapping[str, int]
    doubts: Sequence[ChunkRecord]
    rejected: Sequence[ChunkRecord]
    waiting: Later | None
    asking: Later | None
    put_back: float | None


@attrs.frozen
class LeftBehind:
    """What a worker leaves if it ends at once: the ``requests`` that it has under way, and their
    ``rows``, which are in doubt then; and the job's other rows in doubt.
    """

    requests: int = 0
    rows: int = 0
    in_doubt: int = 0


class Reports:
    """Reads a job's state; never changes anything."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def counts(self, job: JobRecord) -> Counts:
        """The job's rows by state, in one snapshot."""
        return await self._store.read(lambda db: counts(db, job, self._living(db, job)))

    def _living(self, db: Connection, job: JobRecord) -> frozenset[int]:
        return living(db, self._store.liveness, job.id)

    async def unreconciled(self, job: JobRecord) -> int:
        """The accepted rows that are still looked for."""
        return await self._store.read(lambda db: unreconciled(db, job)[0])

    async def snapshot(self, name: str) -> Snapshot | None:
        """All that a report says of the job of this name, read at one moment; None if there is no
        such job.
        """

        return await self.details(name, lambda snapshot, _: snapshot)

    async def details(self, name: str, look: Callable[[Snapshot, Details], T]) -> T | None:
        """What a look at the job of this name finds, all of it at one moment; None if there is no
        such job. It runs in another thread.
        """

        def work(db: Connection) -> T | None:
            job = find(db, name)
            if job is None or job.state is JobState.PLANNING:
                return None
            return self._look(db, job, look)

        return await self._store.read(work)

    async def every(self, look: Callable[[Snapshot, Details], T]) -> list[T]:
        """The same of every planned job, the newest first, all of it at one moment."""
        return await self._store.read(
            lambda db: [self._look(db, job, look) for job in every_planned(db)]
        )

    def _look(self, db: Connection, job: JobRecord, look: Callable[[Snapshot, Details], T]) -> T:
        alive = self._living(db, job)
        return look(self._snapshot(db, job, alive), Details(db, job, alive))

    def _snapshot(self, db: Connection, job: JobRecord, alive: Collection[int]) -> Snapshot:
        rows, ended = unreconciled(db, job)
        elsewhere, put_back = _elsewhere(db, job), put_back_at(db)
        return Snapshot(
            job=job,
            running=bool(alive),
            workers=present(db, self._store.liveness, job, alive),
            shared=self._store.dialect.clock is not None,
            counts=counts(db, job, alive),
            elsewhere=elsewhere,
            others=self._others(db, job, elsewhere),
            unreconciled=rows,
            unreconciled_since=ended,
            deliveries=_deliveries(db, job),
            statistics=_statistics(db, job),
            doubts=doubts(db, job, alive),
            rejected=chunks(db, job, [ChunkState.REJECTED]),
            waiting=_waiting(db, job, alive),
            asking=_asking(db, job),
            put_back=put_back if job.created < put_back else None,
        )

    def _others(
        self, db: Connection, job: JobRecord, elsewhere: Mapping[str, int]
    ) -> list[OtherJob]:
        if not elsewhere:
            return []
        names = set(map(owner_in, elsewhere))
        seen, others = twins(db, job), []
        for twin in seen:
            if twin.name not in names or (owner := by_id(db, twin.id)) is None:
                continue
            alive = self._living(db, owner)
            now = counts(db, owner, alive)
            if not (now.unsent or now.in_doubt):
                continue  # as nearly always; else people are compared
            rest = [other for other in seen if other is not twin]
            left = left_to(db, job, twin, alive, rest, self._store.dialect)
            if any(left):
                others.append(OtherJob(twin.name, *left, bool(alive), twin.cancelled))
        return others

    async def progress(self, job: JobRecord) -> tuple[Counts, int, float | None]:
        """The job's rows by state, how many are not reconciled, and when the last of these were
        accepted, at one moment.
        """
        return await self._store.read(
            lambda db: (counts(db, job, self._living(db, job)), *unreconciled(db, job))
        )

    async def deliveries(self, job: JobRecord) -> Mapping[DeliveryStatus, int]:
        """How many rows were last heard of in each delivery status."""
        return await self._store.read(lambda db: _deliveries(db, job))

    def left_behind(self, job: JobRecord) -> LeftBehind | None:
        """What the job's worker would leave behind at this moment, by a look that nothing else of
        this process comes between; None if the journal does not answer in time.
        """

        def work(db: Connection) -> LeftBehind:
            found = db.execute(
                "SELECT count(*), coalesce(sum(rows), 0) FROM chunks "
                f"WHERE job = ? AND worker = ? AND state = '{ChunkState.SENDING}' AND rows > 0",
                (job.id, 0 if job.worker is None else job.worker.id),
            ).fetchone()
            requests, rows = found
            return LeftBehind(requests, rows, counts(db, job, self._living(db, job)).in_doubt)

        try:
            return self._store.ask(work, ANSWER_SECONDS)
        except (TimeoutError, MailkitError):
            return None

    async def chunks(self, job: JobRecord, *states: ChunkState) -> list[ChunkRecord]:
        """The chunks in these states, in order, with their first and last address."""
        return await self._store.read(lambda db: chunks(db, job, states))

    async def doubts(self, job: JobRecord) -> list[ChunkRecord]:
        """The chunks in doubt, and of other chunks the rows that are so by themselves."""
        return await self._store.read(lambda db: doubts(db, job, self._living(db, job)))

    async def chunk_rows(self, job: JobRecord) -> list[int]:
        """How many rows each chunk has that is left to send, in order."""

        def work(db: Connection) -> list[int]:
            found = db.execute(
                "SELECT rows FROM chunks WHERE job = ? "
                f"AND state IN ('{ChunkState.PLANNED}', '{ChunkState.LOADING}') ORDER BY n",
                (job.id,),
            )
            return [rows for (rows,) in found]

        return await self._store.read(work)

    async def loaded(self, job: JobRecord, stage: int) -> int:
        """How many rows that are left to send have come as far as this stage, at least as parts of
        their chunks.
        """

        def work(db: Connection) -> int:
            (rows,) = db.execute(
                "SELECT coalesce(sum(rows), 0) FROM chunks WHERE job = ? AND stage >= ? "
                f"AND state IN ('{ChunkState.PLANNED}', '{ChunkState.LOADING}')",
                (job.id, stage),
            ).fetchone()
            found = db.execute(
                "SELECT min(chunks.rows), count(*), sum(CASE WHEN parts.state = ? THEN 1 ELSE 0 "
                "END) FROM parts JOIN chunks ON chunks.job = parts.job AND chunks.n = parts.chunk "
                "WHERE parts.job = ? AND chunks.stage < ? GROUP BY parts.chunk",
                (PartState.DONE, job.id, stage),
            )
            return int(rows + sum(rows * done // parts for rows, parts, done in found))

        return await self._store.read(work)

    async def cursors(self, job: JobRecord) -> list[str]:
        """What the stages have left for the next one, of the chunks that are left to send."""

        def work(db: Connection) -> list[str]:
            found = db.execute(
                "SELECT cursor FROM chunks WHERE job = ? AND cursor IS NOT NULL "
                f"AND state IN ('{ChunkState.PLANNED}', '{ChunkState.LOADING}') ORDER BY n",
                (job.id,),
            )
            return [cursor for (cursor,) in found]

        return await self._store.read(work)

    async def excluded(self, job: JobRecord) -> AsyncIterator[list[Failure]]:
        """The rows that the plan leaves out, by state, a thousand at a time."""
        states = (RowState.INVALID, RowState.DUPLICATE, RowState.SUPPRESSED)
        found = self._store.stream(
            f"SELECT state, line, address, coalesce(reason, '') FROM rows "
            f"WHERE state IN ({one_of(states)}) AND id BETWEEN ? AND ? "
            "ORDER BY state, id",
            (*states, *job.ids),
        )
        async for rows in found:
            yield [Failure(RowState(state), *rest) for state, *rest in rows]

    def rows(
        self, job: JobRecord, *, states: Sequence[RowState] = (), most: int | None = None
    ) -> AsyncIterator[list[RowRecord]]:
        """Every row in reading order, or those in these states, up to a thousand at a time, and so
        many at most.
        """
        return self._store.batches(lambda db: rows_of(db, job, self._living(db, job), states, most))


def unreconciled(db: Connection, job: JobRecord) -> tuple[int, float | None]:
    """The accepted rows that are still looked for, and when the last of their chunks was accepted:
    those of which nothing was heard, of chunks whose first reconciliation is not done.
    """
    # Where nothing was heard of most rows, each row with its own delivery was heard of.
    rows, ended = db.execute(
        "SELECT sum(missing), max(CASE WHEN missing > 0 THEN ended END) FROM (SELECT ended, CASE "
        "WHEN delivery = 0 THEN rows - own_delivery_rows WHEN own_delivery_rows = 0 THEN 0 ELSE "
        "(SELECT count(*) FROM rows WHERE id BETWEEN first AND last AND state IS NULL "
        "AND chunk IS NULL AND rows.delivery = 0) + "
        "(SELECT count(*) FROM rows WHERE chunk = n AND id BETWEEN ? AND ? AND state IS NULL "
        "AND rows.delivery = 0) END AS missing FROM chunks "
        f"WHERE job = ? AND state = '{ChunkState.ACCEPTED}' AND reconciled = 0 AND rows > 0) "
        "AS looked_for",
        (*job.ids, job.id),
    ).fetchone()
    return int(rows or 0), ended


def doubts(db: Connection, job: JobRecord, alive: Collection[int]) -> list[ChunkRecord]:
    """The chunks in doubt, and of other chunks the rows that are so by themselves; what these
    workers are sending is not.
    """
    whole = chunks(db, job, [ChunkState.IN_DOUBT])
    whole += [
        one for one in chunks(db, job, [ChunkState.SENDING]) if one.worker not in alive and one.rows
    ]
    own = f"chunk = n AND id BETWEEN ? AND ? AND state = '{RowState.IN_DOUBT}'"
    first, why, last = (
        f"(SELECT {column} FROM rows WHERE {own} ORDER BY id {order} LIMIT 1)"
        for column, order in (("address", "ASC"), ("reason", "ASC"), ("address", "DESC"))
    )
    found = db.execute(
        f"SELECT n, state, in_doubt_rows, attempt, started, ended, reference, {why}, reconciled, "
        f"worker, {first}, {last}, stage FROM chunks WHERE job = ? AND in_doubt_rows > 0",
        (*job.ids, *job.ids, *job.ids, job.id),
    )
    return sorted([*whole, *map(_chunk, found)], key=lambda chunk: chunk.n)


def _waiting(db: Connection, job: JobRecord, alive: Collection[int]) -> Later | None:
    """When the next task can be taken that has to wait: for the provider, or for a quota."""
    places = [place_of(worker) for worker in alive]
    held = db.execute(
        f"SELECT until, why FROM workers WHERE id IN ({one_of(places)}) "
        "AND until IS NOT NULL ORDER BY until LIMIT 1",
        (*alive,),
    ).fetchone()
    if held is not None:
        return Later(*held)
    row = db.execute(
        f"SELECT until, why, quota FROM waiters WHERE key IN ({one_of(places)}) "
        "AND EXISTS (SELECT 1 FROM chunks WHERE chunks.job = ? "
        f"AND state = '{ChunkState.PLANNED}') ORDER BY until LIMIT 1",
        (*places, job.id),
    ).fetchone()
    found = [later(db, job, -inf, "1 = 1"), None if row is None else Later(*row)]
    return min((one for one in found if one is not None), key=lambda one: one.until, default=None)


def _asking(db: Connection, job: JobRecord) -> Later | None:
    """When the provider is asked next about an accepted chunk that it is not done with."""
    row = db.execute(
        f"SELECT until, reason FROM chunks WHERE job = ? AND state = '{ChunkState.ACCEPTED}' "
        "AND until IS NOT NULL ORDER BY until LIMIT 1",
        (job.id,),
    ).fetchone()
    return None if row is None else Later(*row)


def _elsewhere(db: Connection, job: JobRecord) -> dict[str, int]:
    """How many rows are left to other jobs with the same content, by the reason."""
    found = db.execute(
        "SELECT reason, rows FROM elsewhere WHERE job = ? AND rows > 0 ORDER BY reason", (job.id,)
    )
    return dict(found.fetchall())


def _deliveries(db: Connection, job: JobRecord) -> dict[DeliveryStatus, int]:
    """How many rows were last heard of in each delivery status: those that came to it, less those
    that went on.
    """
    found = db.execute(
        "SELECT delivery, sum(n) FROM ("
        "SELECT after AS delivery, rows AS n FROM rises WHERE job = ? UNION ALL "
        "SELECT before, -rows FROM rises WHERE job = ?) AS heard "
        "WHERE delivery > 0 GROUP BY delivery HAVING sum(n) > 0 ORDER BY delivery",
        (job.id, job.id),
    )
    return {DeliveryStatus(status): rows for status, rows in found}


def _statistics(db: Connection, job: JobRecord) -> Mapping[str, int]:
    """What the provider counts of the messages, of all chunks together."""
    found = db.execute(
        "SELECT statistics FROM chunks WHERE job = ? AND statistics IS NOT NULL", (job.id,)
    )
    total = Counter[str]()
    for (text,) in found:
        total.update(_COUNTS.decode(text))
    return total


def _chunk(row: Sequence[Any]) -> ChunkRecord:
    n, state, *rest = row
    return ChunkRecord(n, ChunkState(state), *rest)


def chunks(db: Connection, job: JobRecord, states: Sequence[ChunkState]) -> list[ChunkRecord]:
    """The chunks in these states, in order, with their first and last address."""
    # Each of the two ends of an index is looked up; sorted together, all rows would be read.
    follower = (
        "(SELECT address FROM rows WHERE id = (SELECT {least}(id) FROM ("
        "SELECT (SELECT id FROM rows WHERE id BETWEEN first AND last AND state IS NULL "
        "AND chunk IS NULL ORDER BY id {order} LIMIT 1) AS id UNION ALL "
        "SELECT (SELECT id FROM rows WHERE chunk = n AND id BETWEEN ? AND ? AND state IS NULL "
        "ORDER BY id {order} LIMIT 1)) AS ends))"
    )
    found = db.execute(
        "SELECT n, state, rows, attempt, started, ended, reference, reason, reconciled, worker, "
        f"{follower.format(least='min', order='ASC')}, "
        f"{follower.format(least='max', order='DESC')}, stage "
        f"FROM chunks WHERE job = ? AND state IN ({one_of(states)}) "
        "ORDER BY n",
        (*job.ids, *job.ids, job.id, *states),
    )
    return [*map(_chunk, found)]
