"""The way of a chunk: planned → (loading → planned, stage by stage) → sending → accepted | rejected
| in doubt.

``take`` commits *sending* to the disk before the request's first byte. How the request ended is
committed too, but reaches the disk with the next ``take`` or the journal's end: if the power fails
before that, the chunk is in doubt, as one that was under way. Only the holder of a chunk's ticket
may record its outcome, even if it was put in doubt meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import attrs

from mailkit.bulk.journal import parts
from mailkit.bulk.journal.jobs import put_back_at
from mailkit.bulk.journal.ledger import Busy, Ledger
from mailkit.bulk.journal.outcomes import accept, leave_out, leave_out_unwanted, settle
from mailkit.bulk.journal.ownership import check_alive, living
from mailkit.bulk.journal.parking import references_about
from mailkit.bulk.journal.permits import permits_for
from mailkit.bulk.journal.records import (
    ChunkState,
    JobRecord,
    Later,
    Role,
    RowState,
    Stopped,
    Ticket,
)
from mailkit.bulk.journal.resolving import held_up_until
from mailkit.bulk.journal.row_ids import row_id
from mailkit.bulk.journal.store import CommitUnknown, Connection, Dialect, NotOurs, Store
from mailkit.bulk.journal.tasks import PlannedChunk, Taken, task_of
from mailkit.bulk.journal.wanted import STOPPED
from mailkit.core.dispatch import (
    SEND,
    Done,
    Limits,
    NotTaken,
    Scope,
    Sent,
    Stage,
    Wait,
)
from mailkit.core.lateness import elapsed

__all__ = ["Chunks"]

T = TypeVar("T")

_ASK_AGAIN = 1.0
"""Seconds until the provider is asked about references that are new."""


class Chunks:
    """Hands the chunks of a job out and writes down how that ended."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lost: list[tuple[JobRecord, Taken, Ledger | None]] = []
        self._drawn: dict[tuple[int, int], int] = {}
        """By job and chunk: the last number of a ticket whose take may be undone; it never comes
        again, since it may still be released.
        """
        self._after: dict[int, int] = {}
        """By job: no chunk up to this one is likely to be planned."""

    async def take(
        self,
        job: JobRecord,
        now: float,
        stages: Sequence[Stage] = (SEND,),
        *,
        limits: Limits | None = None,
        n: int | None = None,
        probes: bool = False,
        before: int | None = None,
        ledger: Ledger | None = None,
    ) -> Taken | Later | Stopped | None:
        """The next task, of the chunk ``n`` if that is given; None if there is none to take now.

        It is marked as taken, on the disk, before it is given back. With ``probes`` it is one that
        waits until everything else is sent; with ``before``, of an earlier stage than this one.
        With a ``ledger`` it has the permits of its request; tasks of a stage that gets none now are
        passed over.

        A task whose taking the database does not confirm is not given back, and not to be done: it
        is planned again, by its ticket.
        """
        if self._lost:
            await self._release()
        stages = tuple(stages)
        alone = len(stages) > 1  # at stages, tasks wait for others
        if n is not None:
            which = f"n = {n}"
        else:
            which = (
                f"role = '{Role.PROBE}'" if probes else f"(role IS NULL OR role = '{Role.AGAIN}')"
            )

        if before is not None:
            which += f" AND stage < {before}"
        asked = elapsed()
        claim = "" if alone else self._store.dialect.claim
        after = self._after.get(_id(job), 0) if claim and n is None and not probes else 0
        handed_out: list[Taken] = []

        def work(db: Connection) -> Taken | Later | Stopped | None:
            nonlocal after
            handed_out.clear()
            check_alive(db, job)
            assert job.worker is not None  # noqa: S101 - check_alive looked
            job.worker.life.check(db)
            stopped, unwanted = db.execute(
                f"SELECT {STOPPED}, suppressed <> (SELECT CAST(value AS INTEGER) FROM meta "
                "WHERE key = 'suppressed') FROM jobs WHERE id = ?",
                (job.id,),
            ).fetchone()
            if stopped is not None:
                return Stopped(stopped)
            waits: list[Later] = []
            passed_over: list[int] = []
            while True:
                row = db.execute(
                    "SELECT n, attempt, root, role, takes, stage, cursor, started, looks, rows, "
                    f"ended, anew FROM chunks WHERE job = ? AND state = '{ChunkState.PLANNED}' "
                    f"AND {which} AND n > ? "
                    f"AND (until IS NULL OR until <= ?){parts.open_stages(stages)}"
                    f"{_outside(passed_over)} ORDER BY n LIMIT 1{claim}",
                    (job.id, after, now, *parts.parameters(stages, job, now)),
                ).fetchone()
                if row is None and after:
                    after = 0  # some may have been planned again
                    continue
                if row is None:
                    return _soonest(parts.later(db, job, now, which), waits)
                *row, anew = row
                chunk, grant = PlannedChunk(*row), None
                if anew:
                    parts.begin_anew(db, job, chunk.n)
                    continue
                dialect = self._store.dialect
                if unwanted and _left_out(db, dialect, job, chunk, stages[chunk.stage]):
                    continue
                if ledger is not None:
                    found = permits_for(db, job, stages[chunk.stage], chunk.rows, ledger, asked)
                    if isinstance(found, Busy):
                        waits.append(_later(found, now))
                        passed_over.append(chunk.stage)
                        continue
                    grant = found
                taken = self._taken(db, job, now, stages, limits, chunk)
                taken = attrs.evolve(taken, asked=asked, grant=grant)
                handed_out.append(taken)
                return taken

        try:
            found = await self._store.write(work, job=job.id if alone else None, beside=not alone)
        except CommitUnknown as error:
            self._lost += [(job, taken, ledger) for taken in handed_out]
            await self._release()
            return Later(now + _ASK_AGAIN, str(error))
        if isinstance(found, Taken):
            self._confirmed(job, found.ticket)
        if claim and n is None and not probes:
            self._after[_id(job)] = found.ticket.chunk - 1 if isinstance(found, Taken) else after
        return found

    def _confirmed(self, job: JobRecord, ticket: Ticket) -> None:
        """The journal itself has the number from now on."""
        where = (job.id, ticket.chunk)
        if self._drawn.get(where) == ticket.number:
            del self._drawn[where]

    async def _release(self) -> None:
        """Plan again what was taken without anybody's knowing it: nothing of it was sent. Whoever
        is alone in the journal sees how each of these commits has ended.
        """
        lost = self._lost[:]

        def work(db: Connection) -> None:
            for job, taken, ledger in lost:
                with contextlib.suppress(NotOurs):  # it was not committed
                    if taken.task.part is not None:
                        parts.end(db, job, taken.task.chunk, taken.task.part)
                    else:
                        _check_not_asked(db, job, taken.ticket)
                        reason = "its taking was not confirmed"
                        settle(db, job, taken.ticket, ChunkState.PLANNED, reason, None)
                    # Without a ticket of its own, its grant may be somebody else's by now.
                    has_ticket = not taken.task.stage.repeatable
                    if has_ticket and ledger is not None and taken.grant is not None:
                        ledger.end(db, taken.grant, None)

        await self._store.write(work, again=True)
        self._lost = [one for one in self._lost if not any(one is done for done in lost)]

    def _taken(
        self,
        db: Connection,
        job: JobRecord,
        now: float,
        stages: Sequence[Stage],
        limits: Limits | None,
        chunk: PlannedChunk,
    ) -> Taken:
        assert job.worker is not None  # noqa: S101 - check_alive looked
        stage, takes, part, cursor = stages[chunk.stage], chunk.takes, None, chunk.cursor
        where, between = (job.id, chunk.n), None
        if stage.scope is Scope.PART:
            assert limits is not None  # noqa: S101 - whoever has parts says how large
            part, at, cursor, between = parts.take(
                db, job, chunk.n, stage=chunk.stage, limits=limits, now=now
            )
            stage = stages[at]
        elif stage.repeatable:
            db.execute(
                f"UPDATE chunks SET state = '{ChunkState.LOADING}', worker = ?, until = NULL, "
                "reason = NULL WHERE job = ? AND n = ?",
                (job.worker.id, *where),
            )
        else:
            takes = self._drawn[where] = max(takes, self._drawn.get(where, 0)) + 1
            self._store.taking(db, job.id, chunk.n, takes, now)
            db.execute(
                f"UPDATE chunks SET state = '{ChunkState.SENDING}', worker = ?, started = ?, "
                "until = NULL, looks = 0, reason = NULL, takes = ? WHERE job = ? AND n = ?",
                (job.worker.id, now, takes, *where),
            )
            chunk = attrs.evolve(chunk, started=now, looks=0, ended=chunk.tried)
        chunk = attrs.evolve(chunk, takes=takes, cursor=cursor)
        return task_of(db, self._store.dialect, job, chunk, stage, part, between)

    async def planned(self, job: JobRecord) -> int:
        """How many chunks are planned."""
        sql = f"SELECT count(*) FROM chunks WHERE job = ? AND state = '{ChunkState.PLANNED}'"

        def work(db: Connection) -> int:
            return int(db.execute(sql, (job.id,)).fetchone()[0])

        return await self._store.read(work)

    async def accept(self, job: JobRecord, ticket: Ticket, now: float, sent: Sent) -> str | None:
        """The provider took the chunk, but for the rows that ``sent`` rejects, leaves in doubt, or
        holds: those are planned again.

        Without a reference, nothing can be asked: the chunk counts as reconciled. With one, or with
        a receipt, that a chunk already has, the response is another request's: the chunk is in
        doubt, and why is returned.
        """

        def work(db: Connection) -> str | None:
            return accept(db, job, ticket, now, sent)

        return await self._record(job, work)

    async def reject(self, job: JobRecord, ticket: Ticket, now: float, reason: str) -> None:
        """The provider refused the whole chunk: nobody of it was mailed."""
        await self._settle(job, ticket, ChunkState.REJECTED, reason, now)

    async def doubt(self, job: JobRecord, ticket: Ticket, now: float, reason: str) -> None:
        """Nothing says whether the provider took the chunk."""
        await self._settle(job, ticket, ChunkState.IN_DOUBT, reason, now)

    async def put_back(
        self,
        job: JobRecord,
        ticket: Ticket,
        now: float | None,
        reason: str,
        part: int | None = None,
    ) -> None:
        """The request was said to be not acted upon, or may be repeated: plan the task again.
        ``now`` is when it ended, None if it never left.
        """
        self._after.pop(_id(job), None)
        if part is None:
            await self._settle(job, ticket, ChunkState.PLANNED, reason, now)
        else:
            await self._record(
                job, lambda db: parts.end(db, job, ticket.chunk, part, reason=reason)
            )

    async def wait(self, job: JobRecord, taken: Taken, wait: Wait) -> None:
        """The task is planned again, and not taken before the time comes."""
        until, n, part = wait.until.timestamp(), taken.task.chunk, taken.task.part

        def work(db: Connection) -> None:
            if part is not None:
                parts.end(db, job, n, part, until=until, reason=wait.why, cursor=wait.cursor)
                return
            settle(db, job, taken.ticket, ChunkState.PLANNED, wait.why, None)
            db.execute(
                "UPDATE chunks SET until = ?, cursor = coalesce(?, cursor) WHERE job = ? AND n = ?",
                (until, wait.cursor, job.id, n),
            )

        await self._record(job, work)

    async def advance(
        self, job: JobRecord, taken: Taken, done: Done, stages: Sequence[Stage]
    ) -> None:
        """The stage is done for the task: it goes on to the next one."""

        def work(db: Connection) -> None:
            task = taken.task
            at = stages.index(task.stage)
            if task.part is not None:
                parts.advance(
                    db, job, task.chunk, task.part, stage=at, cursor=done.cursor, stages=stages
                )
            else:
                settle(db, job, taken.ticket, ChunkState.PLANNED, None, None)
                others = task.stage.scope is Scope.JOB
                db.execute(
                    "UPDATE chunks SET stage = ?, cursor = coalesce(?, cursor) WHERE job = ? "
                    f"AND (n = ? OR (? = 1 AND state = '{ChunkState.PLANNED}' AND stage = ?))",
                    (at + 1 + done.skips, done.cursor, job.id, task.chunk, int(others), at),
                )
            leave_out(db, job, task.chunk, RowState.REJECTED, done.rejected)
            leave_out(db, job, task.chunk, RowState.SUPPRESSED, done.suppressed)

        await self._record(job, work)

    async def held_up_until(self, job: JobRecord, ticket: Ticket) -> datetime:
        """From when on the request of a chunk in doubt can't arrive at the provider any more."""

        def work(db: Connection) -> datetime:
            started, ended = db.execute(
                "SELECT started, ended FROM chunks WHERE job = ? AND n = ?", (job.id, ticket.chunk)
            ).fetchone()
            until = max(held_up_until(started, ended), held_up_until(put_back_at(db), None))
            return datetime.fromtimestamp(max(0.0, until), UTC)

        return await self._store.read(work)

    async def in_doubt(self, job: JobRecord, stages: Sequence[Stage]) -> list[Taken]:
        """The chunks in doubt, as they were handed out, at stages whose doubts can be settled.

        Those of other workers that are alive are left out.
        """

        def work(db: Connection) -> list[Taken]:
            others = living(db, self._store.liveness, job.id) - {job.worker and job.worker.id}
            found = db.execute(
                "SELECT n, attempt, root, role, takes, stage, cursor, started, looks, rows, "
                f"ended, worker FROM chunks WHERE job = ? AND state = '{ChunkState.IN_DOUBT}' "
                "ORDER BY n",
                (job.id,),
            ).fetchall()
            dialect = self._store.dialect
            return [
                task_of(db, dialect, job, PlannedChunk(*row), stages[row[5]])
                for *row, worker in found
                if worker not in others and row[5] < len(stages) and stages[row[5]].settles
            ]

        return await self._store.read(work)

    async def heard_of(self, job: JobRecord, n: int, now: float) -> list[str]:
        """The references under which webhooks speak of the chunk's people, and which no chunk
        has.
        """
        return await self._store.read(lambda db: references_about(db, job, n, now))

    async def settle(
        self, job: JobRecord, taken: Taken, now: float, outcome: Sent | NotTaken | Wait
    ) -> Sent | NotTaken | Wait | None:
        """What the provider says of a chunk in doubt; gives what is recorded of that, or None if it
        was no longer in doubt.

        A Wait leaves it in doubt. It is one as well if it was not taken, and its people are heard
        of meanwhile under references that the provider was not asked about.
        """
        assert job.worker is not None  # noqa: S101 - a worker asked the provider
        worker, ticket = job.worker.id, taken.ticket

        def work(db: Connection) -> Sent | NotTaken | Wait | None:
            check_alive(db, job)
            mine = db.execute(
                "UPDATE chunks SET worker = ?, looks = looks + 1 "
                "WHERE job = ? AND n = ? AND takes = ? "
                f"AND state = '{ChunkState.IN_DOUBT}'",
                (worker, job.id, *ticket),
            )
            if mine.rowcount != 1:
                return None
            found = outcome
            if isinstance(found, NotTaken):
                news = {*references_about(db, job, ticket.chunk, now)} - {*taken.task.heard_of}
                if news:
                    until = datetime.fromtimestamp(now + _ASK_AGAIN, UTC)
                    found = Wait(until, "webhooks speak of its recipients")
            if isinstance(found, Sent):
                accept(db, job, ticket, now, found)
            elif isinstance(found, NotTaken):
                settle(db, job, ticket, ChunkState.PLANNED, found.why, now)
            else:
                db.execute(
                    "UPDATE chunks SET cursor = coalesce(?, cursor) WHERE job = ? AND n = ?",
                    (found.cursor, job.id, ticket.chunk),
                )
            return found

        return await self._store.write(work, job=job.id)

    async def defer_part(self, job: JobRecord, taken: Taken) -> None:
        """The part is loaded after all others of its chunk."""
        chunk, part = taken.task.chunk, taken.task.part
        assert part is not None  # noqa: S101 - the caller has one
        await self._record(job, lambda db: parts.defer(db, job, chunk, part))

    async def halve_part(self, job: JobRecord, taken: Taken) -> None:
        """The rows of a part are loaded in two parts instead, since something in it is refused."""
        assert taken.task.part is not None  # noqa: S101 - the caller has one
        part = taken.task.part
        rows = [row_id(job.id, row.n) for row in taken.task.rows]
        await self._record(job, lambda db: parts.halve(db, job, taken.task.chunk, part, rows))

    async def _settle(
        self, job: JobRecord, ticket: Ticket, state: ChunkState, reason: str, now: float | None
    ) -> None:
        await self._record(job, lambda db: settle(db, job, ticket, state, reason, now))

    async def _record(self, job: JobRecord, work: Callable[[Connection], T]) -> T:
        """Record what became of a task: until the journal has it, or says that it is not ours."""
        return await self._store.write(work, durable=False, again=True, job=job.id)


def _left_out(
    db: Connection, dialect: Dialect, job: JobRecord, chunk: PlannedChunk, stage: Stage
) -> bool:
    """Whether rows had to be left out of the chunk: it is looked at before its first stage, and
    before it is sent.
    """
    if chunk.stage > 0 and stage.repeatable:
        return False
    return leave_out_unwanted(db, dialect, job, chunk.n)


def _check_not_asked(db: Connection, job: JobRecord, ticket: Ticket) -> None:
    """NotOurs if the chunk is in doubt, and a worker has asked what became of it: then that has the
    ticket of the one whose request it was, and another take of its own, that the database has
    undone, may have had the same number.
    """
    asked = db.execute(
        f"SELECT 1 FROM chunks WHERE job = ? AND n = ? AND state = '{ChunkState.IN_DOUBT}' "
        "AND looks > 0",
        (job.id, ticket.chunk),
    )
    if asked.fetchone() is not None:
        raise NotOurs(f"chunk {ticket.chunk} of the job {job.name} is another worker's")


def _id(job: JobRecord) -> int:
    return 0 if job.worker is None else job.worker.id


def _outside(stages: Sequence[int]) -> str:
    return f" AND stage NOT IN ({', '.join(map(str, stages))})" if stages else ""


def _later(busy: Busy, now: float) -> Later:
    why, until = f"the quota of {busy.quota}", now + busy.free_in
    return Later(until, why, quota=busy.quota.name, look=now + busy.look_in)


def _soonest(later: Later | None, waits: Sequence[Later]) -> Later | None:
    """The earliest of all waits; whoever waits for a permit, too, still looks for it meanwhile."""
    if not waits:
        return later
    first = min([*waits, later] if later else waits, key=lambda one: one.until)
    looks = [one.look for one in waits if one.look is not None]
    return attrs.evolve(first, look=min([*looks, first.until]))
