"""Jobs in the journal: made, planned, found, stopped, forgotten."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import msgspec

from mailkit.bulk.journal.counting import count_left_out
from mailkit.bulk.journal.names import (
    already_ordered,
    exists,
    free_name,
    is_being_planned,
    is_over_without_anybody,
    is_provisional,
    make_way,
    may_have_been_sent,
    provisional,
)
from mailkit.bulk.journal.ownership import check_alive, living, register
from mailkit.bulk.journal.records import ChunkState, JobRecord, JobState
from mailkit.bulk.journal.store import Connection, Store
from mailkit.bulk.journal.wanted import CANCELLED_AT, STOPPED, check_wanted
from mailkit.errors import InvalidArgument
from mailkit.text import control_character

__all__ = [
    "Jobs",
    "Overtaken",
    "Twin",
    "WhenPlanned",
    "by_id",
    "check_not_pruned",
    "every",
    "every_planned",
    "find",
    "twins",
]

_COLUMNS = (
    "id, name, provider, account, state, message, columns, fingerprint, read, created, "
    f"{STOPPED}, {CANCELLED_AT}, held, rate, pruned, erased, again"
)


def _record(row: Sequence[object]) -> JobRecord:
    values = list(row)
    values[4] = JobState(str(values[4]))
    values[6] = msgspec.json.decode(str(values[6]), type=list[str])
    values[-1] = bool(values[-1])
    return JobRecord(*values)  # type: ignore[arg-type]


def find(db: Connection, name: str) -> JobRecord | None:
    """The job of this name, or None."""
    if control_character(name):  # no job has one, and SQLite takes no half surrogate pair
        return None
    row = db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE name = ?", (name,)).fetchone()
    return None if row is None else _record(row)


def by_id(db: Connection, id: int) -> JobRecord | None:
    """The job with this id, or None."""
    row = db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (id,)).fetchone()
    return None if row is None else _record(row)


def every(db: Connection) -> list[JobRecord]:
    """Every job, the oldest first."""
    return [*map(_record, db.execute(f"SELECT {_COLUMNS} FROM jobs ORDER BY id").fetchall())]


def every_planned(db: Connection) -> list[JobRecord]:
    """Every planned job, the newest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM jobs WHERE state = '{JobState.PLANNED}' ORDER BY id DESC"
    )
    return [*map(_record, rows.fetchall())]


@attrs.frozen
class Twin:
    """Another planned job with the same content; ``replans`` counts how often it took rejected
    rows back. One that is ``cancelled`` has nobody but those it sent to. From one that is
    ``erased``, people were removed. Of one that is ``older`` than the state of the journal that was
    put back, the rejected rows may have been sent since.
    """

    id: int
    name: str
    replans: int
    cancelled: bool = False
    erased: bool = False
    older: bool = False


WhenPlanned = Callable[[Connection, JobRecord], object]
"""What is done in the transaction that makes a job planned."""


class Overtaken(Exception):
    """A job's twins are not as they were when they were seen: look again."""


def twins(db: Connection, job: JobRecord) -> Sequence[Twin]:
    """The other planned jobs with the job's content, the oldest first."""
    found = db.execute(
        "SELECT id, name, replans, cancelled IS NOT NULL, erased, created FROM jobs "
        f"WHERE state = '{JobState.PLANNED}' AND id <> ? "
        "AND content = (SELECT content FROM jobs WHERE id = ?) ORDER BY id",
        (job.id, job.id),
    )
    until = put_back_at(db)
    return [
        Twin(id, name, replans, bool(is_cancelled), bool(erased), created < until)
        for id, name, replans, is_cancelled, erased, created in found
    ]


def put_back_at(db: Connection) -> float:
    """When an older state of the journal was put back last, in seconds since 1970; 0: never."""
    found = db.execute("SELECT value FROM meta WHERE key = 'put_back'").fetchone()
    return 0.0 if found is None else float(found[0])


class Jobs:
    """The journal's jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(
        self,
        name: str | None,
        provider: str,
        account: str,
        message: str,
        *,
        again: bool,
        now: float,
        content: bytes | None = None,
        rate: str | None = None,
    ) -> JobRecord:
        """A new job in the state ``planning``, and the worker that plans it.

        ``content`` is the same for jobs that send the same. JobExists if the name is taken; with
        ``again``, which the job keeps, it gets the next free name, as ``autumn-2``. Without a name,
        or with that of a job that is over without anybody, it has a provisional one until its
        planning ends. If the caller is cut off, the journal holds nothing of it.
        """

        def work(db: Connection) -> JobRecord:
            chosen = name or provisional()
            if (found := find(db, chosen)) is not None:
                if is_over_without_anybody(db, self._store.liveness, found):
                    chosen = provisional()
                elif again:
                    chosen = free_name(db, chosen)
                else:
                    raise exists(db, self._store.liveness, found)
            db.execute(
                "INSERT INTO jobs (name, provider, account, state, message, columns, content, "
                "read, planner, created, rate, again) "
                f"VALUES (?, ?, ?, '{JobState.PLANNING}', ?, '[]', ?, 0, 0, ?, ?, ?)",
                (chosen, provider, account, message, content, now, rate, int(again)),
            )
            job = find(db, chosen)
            assert job is not None  # noqa: S101 - inserted above
            worker = register(db, self._store.liveness, job.id, sends=True)
            db.execute("UPDATE jobs SET planner = ? WHERE id = ?", (worker.id, job.id))
            return attrs.evolve(job, worker=worker)

        return await self._store.write(work, undo=self.forget)

    async def histories(self) -> Sequence[str]:
        """The histories of the journal of which it knows everything, by their names; the present
        one is the last. A new one begins when a person says that an older state was put back.
        """

        def work(db: Connection) -> list[str]:
            found = db.execute(
                "SELECT value FROM meta WHERE key IN ('ancestors', 'history') ORDER BY key"
            )
            return [name for (names,) in found.fetchall() for name in names.split()]

        return await self._store.read(work)

    async def sweep(self) -> None:
        """Forget jobs whose planning was cut off: nothing of them was sent."""

        def look(db: Connection) -> list[tuple[JobRecord, int]]:
            rows = db.execute(
                f"SELECT {_COLUMNS}, planner FROM jobs WHERE state = '{JobState.PLANNING}'"
            ).fetchall()
            found = [(_record(row[:-1]), int(row[-1])) for row in rows]
            return [
                one for one in found if one[1] not in living(db, self._store.liveness, one[0].id)
            ]

        for job, planner in await self._store.read(look):
            await self._forget(job, planner)

    async def find(self, name: str) -> JobRecord | None:
        """The job of this name, or None."""
        return await self._store.read(lambda db: find(db, name))

    def _look(self, db: Connection, name: str) -> tuple[JobRecord | None, bool]:
        """The job, and whether a living process plans it."""
        job = find(db, name)
        if job is None or job.state is not JobState.PLANNING:
            return job, False
        return job, bool(living(db, self._store.liveness, job.id))

    async def is_being_planned(self, name: str) -> bool:
        """Whether a living process plans a job of this name."""
        return (await self._store.read(lambda db: self._look(db, name)))[1]

    async def get(self, name: str) -> JobRecord:
        """The job of this name; InvalidArgument names the ones there are."""
        job, is_planned = await self._store.read(lambda db: self._look(db, name))
        if job is not None and is_planned:
            raise InvalidArgument(
                f"the job {name} is being planned right now: try again once its list is read"
            )
        if job is None or job.state is JobState.PLANNING:
            names = [record.name for record in await self.list()]
            known = f"has {', '.join(map(repr, names[:10]))}" if names else "is empty"
            raise InvalidArgument(f"there is no job {name!r}; the journal {known}")
        return job

    async def planned(self, name: str) -> JobRecord | None:
        """The planned job of this name, or None; JobExists while another process plans it."""
        job, is_planned = await self._store.read(lambda db: self._look(db, name))
        if job is not None and is_planned:
            raise is_being_planned(job)
        return None if job is None or job.state is JobState.PLANNING else job

    async def any_of(self, content: bytes) -> bool:
        """Whether the journal has a planned job with this content."""

        def work(db: Connection) -> bool:
            found = db.execute(
                f"SELECT 1 FROM jobs WHERE content = ? AND state = '{JobState.PLANNED}' LIMIT 1",
                (content,),
            )
            return found.fetchone() is not None

        return await self._store.read(work)

    async def same(self, fingerprint: bytes) -> JobRecord | None:
        """The first planned job of this message and list, or None; a cancelled one only if there
        is no other.
        """
        return await self._store.read(lambda db: next(iter(_same(db, fingerprint)), None))

    async def list(self) -> list[JobRecord]:
        """Every planned job, the newest first."""

        return await self._store.read(every_planned)

    async def running(self, job: JobRecord) -> bool:
        """Whether a worker of the job is alive."""
        return bool(await self._store.read(lambda db: living(db, self._store.liveness, job.id)))

    async def stopped(self, job: JobRecord) -> str | None:
        """Why nothing more is to be taken of the job, if so."""

        def work(db: Connection) -> str | None:
            found = db.execute(f"SELECT {STOPPED} FROM jobs WHERE id = ?", (job.id,)).fetchone()
            return None if found is None else found[0]

        return await self._store.read(work)

    async def believe(self, job: JobRecord) -> None:
        """A person says that what is rejected is so for the rows' own sake."""
        await self._store.write(
            lambda db: db.execute("UPDATE jobs SET held = NULL WHERE id = ?", (job.id,))
        )

    async def set_rate(self, job: JobRecord, rate: str, *, most: int) -> None:
        """The job goes on at this rate, which allows so many recipients at once; InvalidArgument
        if that is less than a chunk has.
        """

        def work(db: Connection) -> None:
            (rows,) = db.execute(
                "SELECT coalesce(max(rows), 0) FROM chunks WHERE job = ? "
                f"AND state IN ('{ChunkState.PLANNED}', '{ChunkState.LOADING}')",
                (job.id,),
            ).fetchone()
            if rows > most:
                raise InvalidArgument(
                    f"rate: {rate} is too low for the job {job.name}: it has chunks of {rows} "
                    "recipients, each of which goes out in one request"
                )
            db.execute("UPDATE jobs SET rate = ? WHERE id = ?", (rate, job.id))

        await self._store.write(work)

    async def restart(self, job: JobRecord, then: WhenPlanned) -> None:
        """The job counts as stopped no longer; ``then`` is part of the same transaction.
        InvalidArgument for a cancelled one.
        """

        def work(db: Connection) -> None:
            found = by_id(db, job.id)
            assert found is not None  # noqa: S101 - planned jobs are not deleted
            check_wanted(db, found)
            db.execute(
                f"UPDATE jobs SET stopped = NULL, cancelled = {CANCELLED_AT} WHERE id = ?",
                (job.id,),
            )
            then(db, found)

        await self._store.write(work)

    async def stop(self, job: JobRecord, reason: str, *, everybody: bool = True) -> bool:
        """Note why the job is stopped before its end: no worker takes anything of it any more.

        Unless ``everybody`` is meant, only if no other worker goes on sending it; whether it is
        stopped. If not, this one counts as sending it no longer: of all who ask, the last one stops
        it.
        """

        def work(db: Connection) -> bool:
            check_alive(db, job)
            own = job.worker and job.worker.id
            others = living(db, self._store.liveness, job.id, sends=True) - {own}
            if others and not everybody:
                db.execute("UPDATE workers SET sends = 0 WHERE id = ?", (own,))
                return False
            db.execute("UPDATE jobs SET stopped = ? WHERE id = ?", (reason, job.id))
            return True

        return await self._store.write(work)

    async def finish_planning(
        self,
        job: JobRecord,
        *,
        columns: Sequence[str],
        fingerprint: bytes,
        name: str | None,
        stem: str | None = None,
        again: bool,
        seen: Sequence[Twin] | None = None,
        then: WhenPlanned | None = None,
    ) -> JobRecord:
        """Make the job ``planned``: from here on it is sent. ``then`` is part of the same
        transaction.

        JobExists if the journal has a job of this message and list, unless ``again``; Overtaken
        if the job's twins are not as they were ``seen``. The job gets the ``name`` that was asked
        for, also from one that is over without anybody: JobExists if it is taken by now, unless
        ``again``. Else its name is made of the ``stem`` and a hash of both.
        """

        def work(db: Connection) -> JobRecord:
            check_alive(db, job)
            if not again:
                self._refuse_twin(db, fingerprint)
                _refuse_cut_off(db, job)
            if seen is not None and twins(db, job) != seen:
                raise Overtaken
            wanted = name or f"{stem}-{fingerprint.hex()[:8]}"
            chosen = self._named(db, job, wanted, numbered=again or name is None)
            db.execute(
                f"UPDATE jobs SET state = '{JobState.PLANNED}', columns = ?, fingerprint = ?, "
                "name = ? WHERE id = ?",
                (_json(columns), fingerprint, chosen, job.id),
            )
            planned = find(db, chosen)
            assert planned is not None  # noqa: S101 - updated above
            count_left_out(db, job.id, job.ids)
            if then is not None:
                then(db, planned)
            return attrs.evolve(planned, worker=job.worker)

        return await self._store.write(work)

    def _named(self, db: Connection, job: JobRecord, name: str, *, numbered: bool) -> str:
        """The job's own name, if it has one; else this one, or ``numbered``, the next free one."""
        if not is_provisional(job.name):
            return job.name
        found = find(db, name)
        if found is None or found.id == job.id:
            return name
        if is_over_without_anybody(db, self._store.liveness, found):
            make_way(db, found, job)
            return name
        if numbered:
            return free_name(db, name)
        raise exists(db, self._store.liveness, found)

    async def is_over_without_anybody(self, job: JobRecord) -> bool:
        """Whether nothing of the job was or may have been sent, and nothing is going to be."""
        return await self._store.read(
            lambda db: is_over_without_anybody(db, self._store.liveness, job)
        )

    async def refuse_twin(self, fingerprint: bytes, *, ended: bool = False) -> None:
        """JobExists if the journal has a job of this message and list; one that is cancelled, or
        over without anybody, counts only with ``ended``.
        """
        await self._store.read(lambda db: self._refuse_twin(db, fingerprint, ended=ended))

    def _refuse_twin(self, db: Connection, fingerprint: bytes, *, ended: bool = False) -> None:
        for twin in _same(db, fingerprint):
            over = twin.cancelled is not None or is_over_without_anybody(
                db, self._store.liveness, twin
            )
            if ended or not over:
                raise already_ordered(db, self._store.liveness, twin)

    async def forget(self, job: JobRecord) -> None:
        """Remove the job that this worker planned, unless others have joined; the worker leaves."""
        assert job.worker is not None  # noqa: S101 - whoever planned it has one
        try:
            await self._forget(job, job.worker.id, JobState.PLANNED)
        finally:
            job.worker.life.release()

    async def _forget(self, job: JobRecord, planner: int, *also: JobState) -> None:
        """Remove a job that nobody but its planner ever had, a few rows at a time, if it is being
        planned, or in one of ``also`` these states.
        """
        first, last = job.ids

        def take_over(db: Connection) -> bool:
            db.execute("UPDATE workers SET ended = 1 WHERE id = ?", (planner,))
            states = ", ".join(f"'{state}'" for state in (JobState.PLANNING, *also))
            changed = db.execute(
                f"UPDATE jobs SET state = '{JobState.PLANNING}' WHERE id = ? AND planner = ? "
                f"AND state IN ({states}) AND NOT EXISTS "
                "(SELECT 1 FROM workers WHERE workers.job = jobs.id AND workers.id <> planner)",
                (job.id, planner),
            )
            return changed.rowcount > 0

        def some(db: Connection) -> int:
            return db.execute(
                "DELETE FROM rows WHERE id IN "
                "(SELECT id FROM rows WHERE id BETWEEN ? AND ? LIMIT 10000)",
                (first, last),
            ).rowcount

        def rest(db: Connection) -> None:
            tables = ("chunks", "suppressions", "workers", "elsewhere", "left_out")
            for table, column in (*((table, "job") for table in tables), ("jobs", "id")):
                db.execute(f"DELETE FROM {table} WHERE {column} = ?", (job.id,))

        if not await self._store.write(take_over):
            return
        while await self._store.write(some, durable=False):
            pass
        await self._store.write(rest)


def _same(db: Connection, fingerprint: bytes) -> Sequence[JobRecord]:
    """The jobs of this message and list: the first that is not cancelled, and the last that is,
    come before their like.
    """
    found = db.execute(
        f"SELECT {_COLUMNS} FROM jobs WHERE fingerprint = ? AND state = '{JobState.PLANNED}' "
        f"ORDER BY {CANCELLED_AT} IS NOT NULL, "
        f"CASE WHEN {CANCELLED_AT} IS NULL THEN id ELSE -id END",
        (fingerprint,),
    ).fetchall()
    return [*map(_record, found)]


def _refuse_cut_off(db: Connection, job: JobRecord) -> None:
    """JobExists if this message was being planned for a list that nobody knows, in an older state
    that was put back.
    """
    found = db.execute(
        f"SELECT {_COLUMNS} FROM jobs WHERE fingerprint IS NULL AND state = '{JobState.PLANNED}' "
        "AND content = (SELECT content FROM jobs WHERE id = ?)",
        (job.id,),
    ).fetchone()
    if found is not None:
        raise may_have_been_sent(_record(found))


def check_not_pruned(db: Connection, job: JobRecord) -> None:
    """InvalidArgument if the addresses of the job's rows were removed."""
    (pruned,) = db.execute("SELECT pruned FROM jobs WHERE id = ?", (job.id,)).fetchone()
    if pruned is not None:
        raise InvalidArgument(
            f"the job {job.name} was pruned: the journal has no addresses of its rows any more, "
            "and nothing more of it can be sent"
        )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
