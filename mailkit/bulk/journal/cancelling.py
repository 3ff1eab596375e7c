"""A job is cancelled: nothing of it is sent any more, until a person orders that after all.

The job's workers hear of it at their next take. What it has not sent belongs to nobody meanwhile,
so that another job may send it; whoever resumes it looks first what became of that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from mailkit.bulk.journal import parts
from mailkit.bulk.journal.chunk_rows import recount
from mailkit.bulk.journal.counting import leave
from mailkit.bulk.journal.elsewhere import count, questions
from mailkit.bulk.journal.jobs import Overtaken, Twin, check_not_pruned, twins
from mailkit.bulk.journal.ownership import living
from mailkit.bulk.journal.records import ChunkState, JobRecord, RowState
from mailkit.bulk.journal.store import Connection, Store
from mailkit.bulk.journal.wanted import CANCELLED_AT, UNSENT, is_unwanted
from mailkit.bulk.journal.workers import at_work, reap
from mailkit.errors import InvalidArgument

__all__ = ["Cancelling"]


class Cancelling:
    """Cancels jobs, and takes that back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def cancel(self, job: JobRecord, now: float) -> bool:
        """Send nothing of the job any more; whether anything of it is, or may be, unsent."""

        def work(db: Connection) -> bool:
            reap(db, self._store.liveness, job.id)
            db.execute(
                "UPDATE jobs SET cancelled = coalesce(cancelled, ?) WHERE id = ?", (now, job.id)
            )
            _lapse(db, job)
            found = db.execute(
                "SELECT 1 FROM jobs WHERE id = ? AND cancelled IS NOT NULL", (job.id,)
            )
            return found.fetchone() is not None

        return await self._store.write(work)

    async def is_unwanted(self, job: JobRecord) -> bool:
        """Whether the job is cancelled, and has something unsent."""
        return await self._store.read(lambda db: is_unwanted(db, job))

    async def lapse(self, job: JobRecord) -> None:
        """The job is not cancelled if nothing of it is unsent or in doubt by now."""

        def look(db: Connection) -> bool:
            found = db.execute(
                "SELECT 1 FROM jobs WHERE id = ? AND cancelled IS NOT NULL "
                f"AND {CANCELLED_AT} IS NULL",
                (job.id,),
            )
            return found.fetchone() is not None

        if await self._store.read(look):
            await self._store.write(lambda db: _lapse(db, job))

    async def is_under_way(self, job: JobRecord) -> bool:
        """Whether a request of the job is under way, or a worker has not stopped yet though the
        rest is not to be sent; what dead ones had under way is in doubt. The job is not cancelled
        if nothing of it is unsent or in doubt by now.
        """

        def work(db: Connection) -> bool:
            alive = reap(db, self._store.liveness, job.id)
            _lapse(db, job)
            if at_work(db, job, alive, looking=False) is not None:
                return True
            senders = living(db, self._store.liveness, job.id, sends=True)
            return bool(senders) and is_unwanted(db, job)

        return await self._store.write(work, durable=False)

    async def restore(self, job: JobRecord) -> int:
        """The job is not cancelled any more. Rows whose people have the message from another job
        by now, or will get it there, become ``duplicate``: returns how many.
        """

        def look(db: Connection) -> tuple[Sequence[Twin], dict[int, str]]:
            seen = twins(db, job)
            return seen, {
                int(row): asked.reasons[int(why)]
                for asked in questions(job, seen, RowState.UNSENT, self._store.dialect)
                for row, why in db.execute(asked.sql)
            }

        while True:
            seen, elsewhere = await self._store.read(look)

            def work(
                db: Connection,
                seen: Sequence[Twin] = seen,
                elsewhere: Mapping[int, str] = elsewhere,
            ) -> int:
                (cancelled,) = db.execute(
                    "SELECT cancelled FROM jobs WHERE id = ?", (job.id,)
                ).fetchone()
                if cancelled is None:
                    return 0
                check_not_pruned(db, job)
                if twins(db, job) != seen:
                    raise Overtaken
                alive = reap(db, self._store.liveness, job.id)
                if (process := at_work(db, job, alive, looking=False)) is not None:
                    raise InvalidArgument(
                        f"{process} still has a request of the job {job.name} under way: "
                        "resume it once that has ended"
                    )
                aside = _set_aside(db, job, elsewhere)
                db.execute(
                    "UPDATE jobs SET cancelled = NULL, stopped = NULL WHERE id = ?", (job.id,)
                )
                return aside

            with contextlib.suppress(Overtaken):
                return await self._store.write(work)


def _lapse(db: Connection, job: JobRecord) -> None:
    db.execute(f"UPDATE jobs SET cancelled = {CANCELLED_AT} WHERE id = ?", (job.id,))


def _set_aside(db: Connection, job: JobRecord, elsewhere: Mapping[int, str]) -> int:
    """Leave these rows out of their chunks, but for those that turned out to be sent meanwhile;
    returns how many. A chunk that was being prepared begins anew, under another label: what was
    prepared for it has them.
    """
    if not elsewhere:
        return 0
    before = _rows_of(db, job)
    aside = [
        why
        for row, why in elsewhere.items()
        if db.execute(
            f"UPDATE rows SET state = '{RowState.DUPLICATE}', reason = ?, chunk = NULL "
            "WHERE id = ? AND state IS NULL",
            (why, row),
        ).rowcount
    ]
    count(db, job, aside)
    leave(db, job, RowState.DUPLICATE, len(aside))
    for n, rows in before.items():
        recount(db, job, n)
        (left,) = db.execute(
            "SELECT rows FROM chunks WHERE job = ? AND n = ?", (job.id, n)
        ).fetchone()
        if left == rows:
            continue
        db.execute(
            "UPDATE chunks SET state = ?, "
            "attempt = attempt + CASE WHEN stage > 0 OR EXISTS (SELECT 1 FROM parts WHERE "
            "parts.job = chunks.job AND parts.chunk = chunks.n) THEN 1 ELSE 0 END, "
            "stage = 0, until = NULL, cursor = NULL, reason = NULL, anew = 0 "
            "WHERE job = ? AND n = ?",
            (ChunkState.PLANNED if left else ChunkState.EMPTY, job.id, n),
        )
        parts.forget(db, job, n)
    return len(aside)


def _rows_of(db: Connection, job: JobRecord) -> dict[int, int]:
    found = db.execute(
        f"SELECT n, rows FROM chunks WHERE job = ? AND state IN ({UNSENT})", (job.id,)
    )
    return dict(found.fetchall())
