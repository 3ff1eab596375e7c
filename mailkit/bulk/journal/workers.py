"""Workers in the journal: who works on a job, who of them is alive, and what the dead leave behind.

Several processes may send one job. A chunk becomes planned again only by the word of the worker
that took it, or of a person, and never because time has passed: when its worker is dead, a chunk
that was being sent is in doubt. One that was being prepared is planned again, which is harmless.
"""

from __future__ import annotations

from collections.abc import Collection

import attrs

from mailkit.bulk.journal.jobs import every_planned, find
from mailkit.bulk.journal.ledger import leave
from mailkit.bulk.journal.liveness import Liveness
from mailkit.bulk.journal.ownership import PROCESS, living, register
from mailkit.bulk.journal.permits import place_of
from mailkit.bulk.journal.records import ChunkState, JobRecord, JobState, PartState, Role
from mailkit.bulk.journal.store import Connection, Store
from mailkit.bulk.journal.wanted import CANCELLED_AT, check_wanted
from mailkit.errors import InvalidArgument, JournalError

__all__ = ["Workers", "at_work", "reap"]

CUT_OFF = "the process ended while the request was under way"
LOST = "the journal's database has lost how the request ended"
_ASKED_FOR = 24 * 3600.0
"""Seconds for which workers ask what became of a request, where the provider may tell."""


class Workers:
    """The workers of the journal's jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def join(self, job: JobRecord, *, sends: bool = True, restart: bool = True) -> JobRecord:
        """Work on the job, too; what dead workers were sending is in doubt from now on.

        One that ``sends`` goes on with a job that was stopped, unless it is not to ``restart`` one:
        then that is InvalidArgument, as a cancelled one with something unsent always is. A caller
        who is cut off has left.
        """

        def work(db: Connection) -> JobRecord:
            self._store.confirm(db, job.id)
            found = find(db, job.name)
            if found is None or found.id != job.id or found.state is not JobState.PLANNED:
                raise JournalError(f"the job {job.name} is gone from the journal")
            if sends:
                check_wanted(db, found)
                if found.stopped is not None and not restart:
                    raise InvalidArgument(f"the job {job.name} is stopped: {found.stopped}")
                db.execute(
                    f"UPDATE jobs SET stopped = NULL, cancelled = {CANCELLED_AT} WHERE id = ?",
                    (job.id,),
                )
            worker = register(db, self._store.liveness, job.id, sends=sends)
            reap(db, self._store.liveness, job.id)
            return attrs.evolve(found, worker=worker)

        return await self._store.write(work, undo=self.leave)

    async def leave(self, job: JobRecord) -> None:
        """Stop working on the job."""
        worker = job.worker
        if worker is None:
            return

        def work(db: Connection) -> None:
            db.execute("UPDATE workers SET ended = 1 WHERE id = ?", (worker.id,))
            leave(db, place_of(worker.id))

        try:
            await self._store.write(work, durable=False, again=True)
        finally:
            worker.life.release()

    def hold(self, job: JobRecord, until: float | None, why: str | None = None) -> None:
        """Let everybody see that this worker sends nothing until then; None: it goes on."""
        worker = _id(job)
        self._store.post(
            lambda db: db.execute(
                "UPDATE workers SET until = ?, why = ? WHERE id = ?", (until, why, worker)
            )
        )

    async def unattended(self, now: float) -> list[JobRecord]:
        """The jobs that are not stopped, with something to send or to look for, and no living
        worker who does. A doubt that is a day old is left to a person.
        """

        def work(db: Connection) -> list[JobRecord]:
            return [
                job
                for job in every_planned(db)
                if job.stopped is None
                and _is_under_way(db, job, now)
                and not living(db, self._store.liveness, job.id, sends=True)
            ]

        return await self._store.read(work)

    async def living(self, job: JobRecord, *, sends: bool = False) -> frozenset[int]:
        """The numbers of the workers that are alive; with ``sends``, of those that send the job."""
        lives = self._store.liveness
        return await self._store.read(lambda db: living(db, lives, job.id, sends=sends))

    async def busy(self, job: JobRecord) -> str | None:
        """The process, in words, of another worker that is at something whose end this one should
        wait for: chunks that are being prepared or sent, or looked for in the provider's status
        list, or rows of a refused chunk that it keeps for later. Of two that keep some, neither
        waits.

        What dead ones were sending is in doubt from now on. This one has nothing under way: where
        the journal says otherwise, a crash of its database has lost the outcome.
        """

        def look(db: Connection) -> bool:
            found = db.execute(
                "SELECT 1 FROM workers WHERE job = ? AND ended = 0 AND id <> ? UNION ALL "
                "SELECT 1 FROM chunks WHERE job = ? AND state IN "
                f"('{ChunkState.LOADING}', '{ChunkState.SENDING}') AND worker = ? LIMIT 1",
                (job.id, _id(job), job.id, _id(job)),
            )
            return found.fetchone() is not None

        def work(db: Connection) -> str | None:
            _let_go(db, job.id, f"worker = {_id(job)}", LOST)
            others = reap(db, self._store.liveness, job.id) - {_id(job)}
            if not others:
                return None
            return at_work(db, job, others) or _keeping(db, job, others)

        if not await self._store.read(look):
            return None
        return await self._store.write(work, durable=False, again=True)


def _is_under_way(db: Connection, job: JobRecord, now: float) -> bool:
    """Whether something of the job is to be sent, or to be looked for. A request at a stage of its
    own may be one that the provider can be asked about.
    """
    found = db.execute(
        "SELECT 1 FROM chunks WHERE job = ? AND (state IN "
        f"('{ChunkState.PLANNED}', '{ChunkState.LOADING}', '{ChunkState.SENDING}') "
        f"OR (state = '{ChunkState.ACCEPTED}' AND reconciled = 0) "
        f"OR (state = '{ChunkState.IN_DOUBT}' AND stage > 0 AND started > ?)) LIMIT 1",
        (job.id, now - _ASKED_FOR),
    )
    return found.fetchone() is not None


def _id(job: JobRecord) -> int:
    return 0 if job.worker is None else job.worker.id


def reap(db: Connection, lives: Liveness, job: int) -> frozenset[int]:
    """Note which workers of the job are dead, and what becomes of what they had taken; gives those
    that are alive.
    """
    alive = living(db, lives, job)
    others = _outside("worker", alive)
    ended = db.execute(
        f"SELECT id FROM workers WHERE job = ? AND ended = 0 AND {_outside('id', alive)}", (job,)
    ).fetchall()
    for (worker,) in ended:
        db.execute("UPDATE workers SET ended = 1 WHERE id = ?", (worker,))
        leave(db, place_of(worker))
        lives.remove(worker)
    _let_go(db, job, others, CUT_OFF)
    return alive


def _let_go(db: Connection, job: int, theirs: str, why: str) -> None:
    """Nobody knows how a request of these workers ended: its chunk is in doubt. What was prepared
    is planned again.
    """
    db.execute(
        f"UPDATE chunks SET state = CASE WHEN rows = 0 THEN '{ChunkState.EMPTY}' "  # all heard of
        f"ELSE '{ChunkState.IN_DOUBT}' END, reason = ? "
        f"WHERE job = ? AND state = '{ChunkState.SENDING}' AND {theirs}",
        (why, job),
    )
    db.execute(
        f"UPDATE chunks SET state = '{ChunkState.PLANNED}' "
        f"WHERE job = ? AND state = '{ChunkState.LOADING}' AND {theirs}",
        (job,),
    )
    db.execute(
        f"UPDATE parts SET state = '{PartState.PLANNED}' "
        f"WHERE job = ? AND state = '{PartState.LOADING}' AND {theirs}",
        (job,),
    )


def at_work(
    db: Connection, job: JobRecord, workers: Collection[int], *, looking: bool = True
) -> str | None:
    """The process, in words, of one of these workers that prepares or sends something at this
    moment, or is ``looking`` for what it sent.
    """
    theirs = f"worker IN ({', '.join(map(str, workers)) or 0})"
    looks = f" OR (state = '{ChunkState.ACCEPTED}' AND reconciled = 0)" if looking else ""
    found = db.execute(
        f"SELECT {PROCESS} FROM workers WHERE id = (SELECT min(worker) FROM ("
        "SELECT worker FROM chunks WHERE job = ? AND "
        f"(state IN ('{ChunkState.LOADING}', '{ChunkState.SENDING}'){looks}) "
        f"AND {theirs} UNION ALL "
        f"SELECT worker FROM parts WHERE job = ? AND state = '{PartState.LOADING}' AND {theirs}"
        ") AS busy)",
        (job.id, job.id),
    ).fetchone()
    return None if found is None else str(found[0])


def _keeping(db: Connection, job: JobRecord, others: Collection[int]) -> str | None:
    """The process of one of the others that keeps rows of a refused chunk for later, if this worker
    keeps none.
    """
    found = db.execute(
        f"SELECT DISTINCT worker, {PROCESS} FROM chunks JOIN workers ON workers.id = worker "
        f"WHERE chunks.job = ? AND state = '{ChunkState.PLANNED}' "
        f"AND role IN ('{Role.PROBE}', '{Role.TRIAL}')",
        (job.id,),
    ).fetchall()
    keeping = dict(found)
    if _id(job) in keeping:
        return None
    return next((keeping[one] for one in sorted(others) if one in keeping), None)


def _outside(column: str, workers: Collection[int]) -> str:
    if not workers:
        return "1 = 1"
    return f"({column} IS NULL OR {column} NOT IN ({', '.join(map(str, workers))}))"
