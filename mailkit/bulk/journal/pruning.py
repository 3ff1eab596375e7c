"""What ended jobs hold about people is removed after some time, and the promise is kept all the
same: see erasing.py for what stays of a row.

Of the job itself everything stays that is about nobody: its message, chunks, and counts. Since it
has ended, no address of it is needed; whoever orders something that would need one is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import anyio
import attrs

from mailkit.bulk.journal.ends import Phase, phase_of
from mailkit.bulk.journal.erasing import erase_between
from mailkit.bulk.journal.jobs import every
from mailkit.bulk.journal.ownership import living
from mailkit.bulk.journal.parking import forget_parked
from mailkit.bulk.journal.pseudonyms import secret
from mailkit.bulk.journal.records import JobRecord
from mailkit.bulk.journal.store import Connection, Store

__all__ = ["PruneResult", "PrunedJob", "Pruning"]

ROWS_A_COMMIT = 2_000
CHUNKS_A_COMMIT = 50


class PrunedJob(NamedTuple):
    """A job and how many rows it has read."""

    name: str
    rows: int


@attrs.frozen
class PruneResult:
    """The ``jobs`` that were pruned, or would be, and the names of those that are old enough, but
    ``kept``: they have not ended.
    """

    jobs: Sequence[PrunedJob]
    kept: Sequence[str]

    @property
    def rows(self) -> int:
        """The rows of the pruned jobs."""
        return sum(job.rows for job in self.jobs)


class Pruning:
    """Prunes jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def prune(self, before: float, *, now: float, dry_run: bool = False) -> PruneResult:
        """Prune the jobs that ended before then; times are seconds since 1970."""

        def look(db: Connection) -> tuple[list[JobRecord], list[JobRecord]]:
            old: list[JobRecord] = []
            kept: list[JobRecord] = []
            for job in every(db):
                if _is_pruned(db, job) or _latest(db, job) >= before:
                    continue
                (old if self._has_ended(db, job) else kept).append(job)
            return old, kept

        old, kept = await self._store.read(look)
        if not dry_run:
            await self._store.write(lambda db: forget_parked(db, now, most=1 << 31), durable=False)
            old = [job for job in old if await self._prune(job, now)]
        return PruneResult(
            [PrunedJob(job.name, job.read) for job in old], [job.name for job in kept]
        )

    async def _prune(self, job: JobRecord, now: float) -> bool:
        """Whether the job could be pruned: meanwhile, somebody may have gone on with it."""

        def begin(db: Connection) -> tuple[int, int] | None:
            if not self._has_ended(db, job):
                return None
            secret(db)
            db.execute(
                "UPDATE jobs SET pruned = coalesce(pruned, ?), erased = 1 WHERE id = ?",
                (now, job.id),
            )
            found: tuple[int, int] = db.execute(
                "SELECT coalesce(max(id), 0), (SELECT coalesce(max(n), 0) FROM chunks "
                "WHERE job = ?) FROM rows WHERE id BETWEEN ? AND ?",
                (job.id, *job.ids),
            ).fetchone()
            return found

        begun = await self._store.write(begin)
        if begun is None:
            return False
        last, chunks = begun
        for first in range(job.ids[0], last + 1, ROWS_A_COMMIT):

            def some(db: Connection, first: int = first) -> None:
                erase_between(db, self._store, first, first + ROWS_A_COMMIT - 1)

            await self._step(some)
        for n in range(1, chunks + 1, CHUNKS_A_COMMIT):

            def few(db: Connection, n: int = n) -> None:
                _erase_chunks(db, job, n, n + CHUNKS_A_COMMIT - 1)

            await self._step(few)

        def end(db: Connection) -> None:
            db.execute("DELETE FROM suppressions WHERE job = ?", (job.id,))
            db.execute("UPDATE jobs SET erased = 2 WHERE id = ?", (job.id,))

        await self._store.write(end)
        return True

    async def _step(self, work: Callable[[Connection], None]) -> None:
        """A small commit, then a pause of the same length, so that other writers get a turn."""
        begun = time.monotonic()
        await self._store.write(work, durable=False)
        await anyio.sleep(time.monotonic() - begun)

    def _has_ended(self, db: Connection, job: JobRecord) -> bool:
        alive = living(db, self._store.liveness, job.id)
        return phase_of(db, job, at_work=bool(alive)) is Phase.ENDED


def _is_pruned(db: Connection, job: JobRecord) -> bool:
    """Whether nothing is left to be removed; a run that was cut off leaves something."""
    found = db.execute("SELECT 1 FROM jobs WHERE id = ? AND erased = 2", (job.id,))
    return found.fetchone() is not None


def _latest(db: Connection, job: JobRecord) -> float:
    """When anything happened to the job, as far as is known."""
    (at,) = db.execute(
        "SELECT max(coalesce(ended, started)) FROM chunks WHERE job = ?", (job.id,)
    ).fetchone()
    return max(job.created, at or 0.0, job.cancelled or 0.0)


def _erase_chunks(db: Connection, job: JobRecord, first: int, last: int) -> None:
    """Words of a service that may name somebody, and what finds rows by their people."""
    which = (job.id, first, last)
    db.execute("UPDATE chunks SET reason = NULL WHERE job = ? AND n BETWEEN ? AND ?", which)
    db.execute("DELETE FROM addressees WHERE job = ? AND chunk BETWEEN ? AND ?", which)
    db.execute("DELETE FROM parts WHERE job = ? AND chunk BETWEEN ? AND ?", which)
