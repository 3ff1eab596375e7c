"""Statuses in the journal: which chunks to ask about, and what the provider said of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import msgspec

from mailkit.bulk.journal.chunk_rows import FIRST_FINAL, change, following, recount, span
from mailkit.bulk.journal.matching import RowChange
from mailkit.bulk.journal.merging import MergeResult, merge, merge_some, merge_whole
from mailkit.bulk.journal.ownership import check_alive, living
from mailkit.bulk.journal.pseudonyms import IS_ONE
from mailkit.bulk.journal.records import ChunkState, JobRecord, RowState
from mailkit.bulk.journal.store import Connection, Store
from mailkit.core.dispatch import ChunkStatus, PollResult, RowStatuses

__all__ = ["DueChunk", "Statuses"]


@attrs.frozen
class DueChunk:
    """An accepted chunk that can still be asked about; times are seconds since 1970."""

    n: int
    reference: str
    ended: float
    reconciled: bool
    cursor: str | None


class Statuses:
    """What providers say of accepted chunks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def due(self, job: JobRecord, *, track: bool, everybody: bool = True) -> list[DueChunk]:
        """The accepted chunks to ask about: those that are not reconciled, those with a row that
        was not found in time (it may be there by now), and with ``track`` the unfinished ones.

        Unless it is about ``everybody``, those are left out that other living workers have sent.
        """

        def work(db: Connection) -> list[DueChunk]:
            others: frozenset[int] = frozenset()
            if not everybody:
                others = living(db, self._store.liveness, job.id) - {job.worker and job.worker.id}
            found = db.execute(
                "SELECT n, reference, ended, reconciled, cursor, doubts, worker "
                "FROM (SELECT *, EXISTS "
                f"(SELECT 1 FROM rows WHERE rows.state = '{RowState.IN_DOUBT}' AND rows.chunk = "
                "chunks.n "
                "AND id BETWEEN ? AND ?) AS doubts FROM chunks WHERE job = ? "
                f"AND state = '{ChunkState.ACCEPTED}' AND reference IS NOT NULL "
                "AND reconciled < 2) AS accepted "
                "WHERE reconciled = 0 OR doubts OR unfinished > ? ORDER BY n",
                (*job.ids, job.id, 0 if track else 1 << 40),
            )
            return [
                DueChunk(n, ref, end, bool(done), None if doubts else mark)
                for n, ref, end, done, mark, doubts, worker in found
                if worker not in others
            ]

        return await self._store.read(work)

    async def moved(self, job: JobRecord, now: float) -> frozenset[int]:
        """The accepted chunks that wait for the provider no more: their time has come, or a webhook
        said that they are in another state.
        """

        def work(db: Connection) -> frozenset[int]:
            found = db.execute(
                f"SELECT n FROM chunks WHERE job = ? AND state = '{ChunkState.ACCEPTED}' "
                "AND until <= ?",
                (job.id, now),
            )
            return frozenset(n for (n,) in found)

        return await self._store.read(work)

    async def reconcile(
        self,
        job: JobRecord,
        n: int,
        polled: PollResult,
        *,
        now: float,
        doubt: str | None = None,
        trusted: bool = False,
    ) -> MergeResult:
        """Merge what a poll found into the chunk's rows; if that is lost, it is asked for again.

        With ``doubt``, the reason, rows that were never named are in doubt from now on. Unless
        refusals are ``trusted``, the job keeps that rows are rejected for the account's sake.
        """

        def work(db: Connection) -> MergeResult:
            check_alive(db, job)
            if polled.statistics is not None:
                db.execute(
                    "UPDATE chunks SET statistics = ? WHERE job = ? AND n = ?",
                    (msgspec.json.encode(polled.statistics).decode(), job.id, n),
                )
            if polled.again is not None or polled.others is not None:
                found = merge_whole(db, job, n, polled, now)
            else:
                found = merge(db, self._store.dialect, job, n, polled, now, doubt)
            return found if trusted else _keep_held(db, job, found)

        return await self._store.write(work, durable=False, again=True, job=job.id)

    async def reconcile_some(
        self,
        job: JobRecord,
        n: int,
        rows: Sequence[int],
        statuses: RowStatuses,
        *,
        now: float,
        doubt: str | None = None,
    ) -> MergeResult:
        """The same for some rows of a chunk, by their ids: the others are left as they are."""

        def work(db: Connection) -> MergeResult:
            check_alive(db, job)
            return merge_some(db, job, n, rows, statuses, now, doubt)

        return await self._store.write(work, durable=False, again=True, job=job.id)

    async def conclude(
        self,
        job: JobRecord,
        n: int,
        others: ChunkStatus,
        named: Mapping[int, str],
        *,
        late: bool,
        trusted: bool = False,
    ) -> MergeResult:
        """Everybody was asked about. Who is not named as mailed is rejected if that agrees with the
        service's own numbers, with the words ``named`` by the rows' ids; if it does not, those rows
        are left as they are, or in doubt from now on if it is ``late``.
        """

        def work(db: Connection) -> MergeResult:
            check_alive(db, job)
            common, reconciled, cursor = db.execute(
                "SELECT delivery, reconciled, cursor FROM chunks WHERE job = ? AND n = ?",
                (job.id, n),
            ).fetchone()
            rows = following(db, job, n, "id, coalesce(delivery, 0)").fetchall()
            rows += db.execute(
                "SELECT id, coalesce(delivery, 0) FROM rows WHERE chunk = ? AND id BETWEEN ? AND ? "
                f"AND state IN ('{RowState.ACCEPTED}', '{RowState.IN_DOUBT}')",
                (n, *job.ids),
            ).fetchall()
            silent = [row_id for row_id, own in rows if not (own or common)]
            mailed, unsent, held = len(rows) - len(silent), len(silent), None
            if silent and (mailed, unsent) == (others.mailed, others.unsent):
                changes = [
                    RowChange(id, RowState.REJECTED, named.get(id) or others.reason, 0)
                    for id in silent
                ]
                change(db, ((n, one) for one in changes))
                held, reconciled = others.reason if others.held else None, 1
            elif silent and others.in_doubt and late:
                changes = [RowChange(id, RowState.IN_DOUBT, others.reason, 0) for id in silent]
                change(db, ((n, one) for one in changes))
                reconciled = 1
            elif not silent:
                reconciled = 1
            if reconciled:
                db.execute(
                    "UPDATE chunks SET reconciled = 1, until = NULL, reason = NULL "
                    "WHERE job = ? AND n = ?",
                    (job.id, n),
                )
            found = MergeResult(bool(reconciled), recount(db, job, n), cursor, held)
            return found if trusted else _keep_held(db, job, found)

        return await self._store.write(work, durable=False, again=True, job=job.id)

    async def some(
        self, job: JobRecord, n: int, *, after: int, heard: bool, limit: int
    ) -> list[tuple[int, str]]:
        """Rows of the chunk that follow it, by id and address, with ids above ``after``: those of
        which nothing was ``heard`` yet, those in doubt too, else those that are still on their way.
        """

        def work(db: Connection) -> list[tuple[int, str]]:
            first, last, common = span(db, job, n)
            enough = FIRST_FINAL if heard else 1
            states = "" if heard else f" OR state = '{RowState.IN_DOUBT}'"
            condition = (
                f"AND (state IS NULL{states}) AND coalesce(delivery, ?) < ? AND NOT {IS_ONE}"
            )
            rows: list[tuple[int, str]] = db.execute(
                "SELECT id, address FROM (SELECT id, address FROM rows WHERE id > ? AND id BETWEEN "
                f"? AND ? AND chunk IS NULL {condition} UNION ALL SELECT id, address FROM rows "
                f"WHERE chunk = ? AND id > ? AND id BETWEEN ? AND ? {condition}) AS asked "
                "ORDER BY id LIMIT ?",
                (after, first, last, common, enough, n, after, *job.ids, common, enough, limit),
            ).fetchall()
            return rows

        return await self._store.read(work)


def _keep_held(db: Connection, job: JobRecord, found: MergeResult) -> MergeResult:
    if found.held is not None:
        db.execute("UPDATE jobs SET held = ? WHERE id = ?", (found.held, job.id))
    return found
