"""Jobs in the journal: made, planned, found, owned by one engine at a time, forgotten."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence

import attrs
import msgspec

from mailkit.bulk.journal.database import Database
from mailkit.bulk.journal.locks import Lease
from mailkit.bulk.journal.records import ChunkState, JobRecord, JobState
from mailkit.errors import InvalidArgument, JobExists, JournalError
from mailkit.text import control_character

__all__ = ["Jobs", "Overtaken", "Twin", "find", "own", "twins"]

_COLUMNS = (
    "id, name, provider, account, state, message, columns, fingerprint, read, fence, created, "
    "stopped"
)


def _record(row: Sequence[object]) -> JobRecord:
    values = list(row)
    values[4] = JobState(str(values[4]))
    values[6] = msgspec.json.decode(str(values[6]), type=list[str])
    return JobRecord(*values)  # type: ignore[arg-type]


def find(db: sqlite3.Connection, name: str) -> JobRecord | None:
    """The job of this name, or None."""
    row = db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE name = ?", (name,)).fetchone()
    return None if row is None else _record(row)


def own(db: sqlite3.Connection, job: JobRecord) -> None:
    """Refuse what an engine does after another one took the job over."""
    row = db.execute("SELECT fence FROM jobs WHERE id = ?", (job.id,)).fetchone()
    if row is None or row[0] != job.fence:
        raise JournalError(f"another engine has taken over the job {job.name}; this one stops")


@attrs.frozen
class Twin:
    """Another planned job with the same content; ``replans`` counts how often it took rejected
    rows back.
    """

    id: int
    name: str
    replans: int


class Overtaken(Exception):
    """A job's twins are not as they were when they were seen: look again."""


def twins(db: sqlite3.Connection, job: JobRecord) -> Sequence[Twin]:
    """The other planned jobs with the job's content, the oldest first."""
    found = db.execute(
        f"SELECT id, name, replans FROM jobs WHERE state = '{JobState.PLANNED}' AND id <> ? "
        "AND content = (SELECT content FROM jobs WHERE id = ?) ORDER BY id",
        (job.id, job.id),
    )
    return [Twin(*row) for row in found]


class Jobs:
    """The journal's jobs."""

    def __init__(self, db: Database) -> None:
        self._db = db

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
    ) -> tuple[JobRecord, Lease]:
        """A new job in the state ``planning``, and its lease, taken.

        ``content`` is the same for jobs that send the same. JobExists if the name is taken; with
        ``again`` the new job gets the next free name, as ``autumn-2``. Without a name it has a
        provisional one until its planning ends.
        """

        def work(db: sqlite3.Connection) -> tuple[JobRecord, Lease]:
            chosen = name or f".{secrets.token_hex(8)}"
            if (found := find(db, chosen)) is not None:
                if not again:
                    raise exists(found)
                chosen = _free_name(db, chosen)
            db.execute(
                "INSERT INTO jobs (name, provider, account, state, message, columns, content, "
                f"read, fence, created) VALUES (?, ?, ?, '{JobState.PLANNING}', ?, '[]', ?, "
                "0, 0, ?)",
                (chosen, provider, account, message, content, now),
            )
            job = find(db, chosen)
            assert job is not None  # noqa: S101 - inserted above
            lease = self.lease(job.id)
            lease.take()  # before anybody can see the job
            return job, lease

        return await self._db.write(work)

    async def sweep(self) -> None:
        """Forget jobs whose planning was cut off: nothing of them was sent."""

        def work(db: sqlite3.Connection) -> list[JobRecord]:
            rows = db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE state = '{JobState.PLANNING}'")
            return [_record(row) for row in rows]

        for job in await self._db.read(work):
            lease = self.lease(job.id)
            if lease.take():
                try:
                    if await self.find(job.name) == job:  # it may have been planned, and sent
                        await self.forget(job)
                finally:
                    lease.release()

    async def find(self, name: str) -> JobRecord | None:
        """The job of this name, or None."""
        return await self._db.read(lambda db: find(db, name))

    async def get(self, name: str) -> JobRecord:
        """The job of this name; InvalidArgument names the ones there are."""
        # No job has a control character in its name, and SQLite takes no half surrogate pair.
        job = None if control_character(name) else await self.find(name)
        if job is None or job.state is JobState.PLANNING:
            names = [record.name for record in await self.list()]
            known = f"the journal has {', '.join(names[:10])}" if names else "the journal is empty"
            raise InvalidArgument(f"there is no job {name}; {known}")
        return job

    async def list(self) -> list[JobRecord]:
        """Every planned job, the newest first."""

        def work(db: sqlite3.Connection) -> list[JobRecord]:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE state = '{JobState.PLANNED}' ORDER BY id DESC"
            )
            return [_record(row) for row in rows]

        return await self._db.read(work)

    def lease(self, job_id: int) -> Lease:
        """The job's lease, not taken yet."""
        return Lease(self._db.path, job_id)

    async def running(self, job: JobRecord) -> bool:
        """Whether an engine runs the job at this moment."""
        return self.lease(job.id).taken()

    async def adopt(self, job: JobRecord) -> JobRecord:
        """Become the job's engine: a new fence; what the last one was sending is in doubt.

        The caller holds the lease.
        """

        def work(db: sqlite3.Connection) -> JobRecord:
            self._db.confirm(db, job.id)
            taken = db.execute(
                "UPDATE jobs SET fence = fence + 1, stopped = NULL "
                f"WHERE id = ? AND state = '{JobState.PLANNED}'",
                (job.id,),
            ).rowcount
            adopted = find(db, job.name)
            if not taken or adopted is None:
                raise JournalError(f"the job {job.name} is gone from the journal")
            db.execute(
                f"UPDATE chunks SET state = '{ChunkState.IN_DOUBT}', reason = ? "
                f"WHERE job = ? AND state = '{ChunkState.SENDING}'",
                ("the process ended while the request was under way", job.id),
            )
            return adopted

        return await self._db.write(work)

    async def stop(self, job: JobRecord, reason: str) -> None:
        """Note why the engine stopped before the end."""

        def work(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE jobs SET stopped = ? WHERE id = ? AND fence = ?",
                (reason, job.id, job.fence),
            )

        await self._db.write(work)

    async def finish_planning(
        self,
        job: JobRecord,
        *,
        columns: Sequence[str],
        fingerprint: bytes,
        stem: str | None,
        again: bool,
        seen: Sequence[Twin] | None = None,
    ) -> JobRecord:
        """Make the job ``planned``: from here on it is sent.

        JobExists if the journal has a job of this message and list, unless ``again``; Overtaken
        if the job's twins are not as they were ``seen``. With a ``stem`` the job's provisional
        name is replaced: by the stem and a hash of both.
        """

        def work(db: sqlite3.Connection) -> JobRecord:
            own(db, job)
            if not again:
                _refuse_twin(db, fingerprint)
            if seen is not None and twins(db, job) != seen:
                raise Overtaken
            name = job.name
            if stem is not None:
                name = _free_name(db, f"{stem}-{fingerprint.hex()[:8]}")
            db.execute(
                f"UPDATE jobs SET state = '{JobState.PLANNED}', columns = ?, fingerprint = ?, "
                "name = ? "
                "WHERE id = ?",
                (_json(columns), fingerprint, name, job.id),
            )
            planned = find(db, name)
            assert planned is not None  # noqa: S101 - updated above
            return planned

        return await self._db.write(work)

    async def refuse_twin(self, fingerprint: bytes) -> None:
        """JobExists if the journal has a job of this message and list."""
        await self._db.read(lambda db: _refuse_twin(db, fingerprint))

    async def forget(self, job: JobRecord) -> None:
        """Remove a job that no engine ever had, a few rows at a time; else leave it alone."""
        first, last = job.ids

        def take_over(db: sqlite3.Connection) -> bool:
            changed = db.execute(
                f"UPDATE jobs SET fence = fence + 1, state = '{JobState.PLANNING}' WHERE id = ? "
                "AND fence = ?",
                (job.id, job.fence),
            )
            return changed.rowcount > 0

        def some(db: sqlite3.Connection) -> int:
            return db.execute(
                "DELETE FROM rows WHERE id IN "
                "(SELECT id FROM rows WHERE id BETWEEN ? AND ? LIMIT 10000)",
                (first, last),
            ).rowcount

        def rest(db: sqlite3.Connection) -> None:
            for table, column in (("chunks", "job"), ("suppressions", "job"), ("jobs", "id")):
                db.execute(f"DELETE FROM {table} WHERE {column} = ?", (job.id,))

        if not await self._db.write(take_over):
            return
        while await self._db.write(some, durable=False):
            pass
        await self._db.write(rest)


def _refuse_twin(db: sqlite3.Connection, fingerprint: bytes) -> None:
    twin = db.execute(
        f"SELECT name FROM jobs WHERE fingerprint = ? AND state = '{JobState.PLANNED}' ORDER BY id",
        (fingerprint,),
    ).fetchone()
    if twin is not None:
        raise JobExists(
            f"this message has gone to this list already, as the job {twin[0]}: "
            "resume that one, or order it --again",
            name=twin[0],
        )


def exists(job: JobRecord) -> JobExists:
    """The refusal to start a name that is taken."""
    if job.state is JobState.PLANNING:
        return JobExists(f"the job {job.name} is being planned by another process", name=job.name)
    return JobExists(f"the job {job.name} exists: resume it, or order it --again", name=job.name)


def _free_name(db: sqlite3.Connection, base: str) -> str:
    for name in _numbered(base):
        if find(db, name) is None:
            return name
    raise AssertionError


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
