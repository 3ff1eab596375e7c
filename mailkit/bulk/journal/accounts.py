"""What the journal can say of a job at any moment: the sum, the doubtful chunks, every row."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence

import msgspec

from mailkit.bulk.journal.database import Database
from mailkit.bulk.journal.elsewhere import ALREADY, WAITING
from mailkit.bulk.journal.records import (
    ChunkRecord,
    ChunkState,
    Counts,
    JobRecord,
    RowRecord,
    RowState,
)
from mailkit.bulk.journal.row_ids import number_of
from mailkit.events import DeliveryStatus

__all__ = ["Accounts"]

_FIELDS = msgspec.json.Decoder(list[str])


class Accounts:
    """Reads a job's state; never changes anything."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def counts(self, job: JobRecord, *, running: bool) -> Counts:
        """The job's rows by state, in one snapshot.

        What is being sent counts as unsent while an engine is ``running``, else as in doubt.
        """
        sending = RowState.UNSENT if running else RowState.IN_DOUBT
        names = {ChunkState.PLANNED: RowState.UNSENT, ChunkState.SENDING: sending}

        def work(db: sqlite3.Connection) -> Counts:
            totals = dict.fromkeys(RowState, 0)
            for state, rows in db.execute(
                "SELECT state, sum(rows) FROM chunks WHERE job = ? AND state <> "
                f"'{ChunkState.EMPTY}' "
                "GROUP BY state",
                (job.id,),
            ):
                chunk_state = ChunkState(state)
                totals[names.get(chunk_state) or RowState(chunk_state)] += rows
            for state in RowState:
                totals[state] += db.execute(
                    "SELECT count(*) FROM rows WHERE state = ? AND id BETWEEN ? AND ?",
                    (state, *job.ids),
                ).fetchone()[0]
            read = db.execute("SELECT read FROM jobs WHERE id = ?", (job.id,)).fetchone()[0]
            return Counts(read, **{state.name.lower(): rows for state, rows in totals.items()})

        return await self._db.read(work)

    async def elsewhere(self, job: JobRecord) -> dict[str, int]:
        """How many rows are left to other jobs with the same content, by the reason."""

        def work(db: sqlite3.Connection) -> dict[str, int]:
            found = db.execute(
                f"SELECT reason, count(*) FROM rows WHERE state = '{RowState.DUPLICATE}' "
                "AND id BETWEEN ? AND ? AND (reason LIKE ? OR reason LIKE ?) "
                "GROUP BY reason ORDER BY reason",
                (*job.ids, f"{ALREADY}%", f"{WAITING}%"),
            )
            return dict(found.fetchall())

        return await self._db.read(work)

    async def stored(self, job: JobRecord) -> int:
        """The rows that really stand in the journal, counted one by one."""
        return await self._db.read(
            lambda db: int(
                db.execute(
                    "SELECT count(*) FROM rows WHERE id BETWEEN ? AND ?", job.ids
                ).fetchone()[0]
            )
        )

    async def unreconciled(self, job: JobRecord) -> int:
        """The rows of accepted chunks whose first reconciliation is not done."""
        return await self._db.read(
            lambda db: int(
                db.execute(
                    "SELECT coalesce(sum(rows), 0) FROM chunks "
                    f"WHERE job = ? AND state = '{ChunkState.ACCEPTED}' AND reconciled = 0",
                    (job.id,),
                ).fetchone()[0]
            )
        )

    async def deliveries(self, job: JobRecord) -> dict[DeliveryStatus, int]:
        """How many rows were last heard of in each delivery status."""

        def work(db: sqlite3.Connection) -> dict[DeliveryStatus, int]:
            found = db.execute(
                "SELECT delivery, sum(n) FROM ("
                "SELECT delivery, count(*) AS n FROM rows WHERE id BETWEEN ? AND ? "
                "AND delivery > 0 GROUP BY delivery UNION ALL "
                "SELECT delivery, rows - apart FROM chunks WHERE job = ? AND delivery > 0) "
                "GROUP BY delivery HAVING sum(n) ORDER BY delivery",
                (*job.ids, job.id),
            )
            return {DeliveryStatus(status): rows for status, rows in found}

        return await self._db.read(work)

    async def chunks(self, job: JobRecord, *states: ChunkState) -> list[ChunkRecord]:
        """The chunks in these states, in order, with their first and last address."""
        return await self._db.read(lambda db: _chunks(db, job, states))

    async def doubts(self, job: JobRecord, *, running: bool) -> list[ChunkRecord]:
        """The chunks in doubt, and of other chunks the rows that are so by themselves."""

        doubtful = [ChunkState.IN_DOUBT] if running else [ChunkState.IN_DOUBT, ChunkState.SENDING]

        def work(db: sqlite3.Connection) -> list[ChunkRecord]:
            whole = _chunks(db, job, doubtful)
            single = [
                ChunkRecord(*row)
                for row in db.execute(
                    "SELECT n, chunks.state, count(*), attempt, started, ended, reference, "
                    "min(rows.reason), reconciled, min(address), max(address) FROM rows "
                    "JOIN chunks ON job = ? AND n = rows.chunk "
                    f"WHERE rows.state = '{RowState.IN_DOUBT}' AND id BETWEEN ? AND ? GROUP BY n",
                    (job.id, *job.ids),
                )
            ]
            return sorted(whole + single, key=lambda chunk: chunk.n)

        return await self._db.read(work)

    async def rows(
        self, job: JobRecord, *, running: bool, states: Sequence[RowState] = ()
    ) -> AsyncIterator[list[RowRecord]]:
        """Every row in reading order, or those in these states, a thousand at a time."""
        sending = RowState.UNSENT if running else RowState.IN_DOUBT
        state = (
            f"CASE coalesce(rows.state, chunks.state) WHEN '{ChunkState.PLANNED}' "
            f"THEN '{RowState.UNSENT}' WHEN '{ChunkState.SENDING}' THEN '{sending}' ELSE "
            "coalesce(rows.state, chunks.state) END"
        )
        where = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        sql = (
            "SELECT * FROM (SELECT rows.id, line, address, fields, "
            f"{state} AS state, coalesce(rows.reason, chunks.reason), chunks.n, "
            "CASE WHEN rows.state IS NULL AND rows.delivery IS NULL THEN chunks.delivery "
            "ELSE rows.delivery END "
            "FROM rows LEFT JOIN chunks ON chunks.job = ? AND chunks.n = coalesce(rows.chunk, "
            "CASE WHEN rows.state IS NULL THEN (SELECT n FROM chunks WHERE job = ? "
            "AND first BETWEEN 1 AND rows.id ORDER BY first DESC LIMIT 1) END) "
            f"WHERE rows.id BETWEEN ? AND ?) {where} ORDER BY id"
        )
        async for found in self._db.stream(sql, (job.id, job.id, *job.ids, *states)):
            yield [
                RowRecord(
                    n=number_of(row_id),
                    line=line,
                    address=address,
                    fields=_FIELDS.decode(fields) if fields else (),
                    state=RowState(row_state),
                    reason=reason,
                    chunk=chunk,
                    delivery=DeliveryStatus(delivery) if delivery else None,
                )
                for row_id, line, address, fields, row_state, reason, chunk, delivery in found
            ]


def _chunks(
    db: sqlite3.Connection, job: JobRecord, states: Sequence[ChunkState]
) -> list[ChunkRecord]:
    followers = (
        "(SELECT address FROM (SELECT id, address FROM rows WHERE id BETWEEN first AND last "
        "AND state IS NULL AND chunk IS NULL UNION ALL SELECT id, address FROM rows "
        f"WHERE chunk = n AND id BETWEEN {job.ids[0]} AND {job.ids[1]} AND state IS NULL) "
        "ORDER BY id {order} LIMIT 1)"
    )
    found = db.execute(
        "SELECT n, state, rows, attempt, started, ended, reference, reason, reconciled, "
        f"{followers.format(order='ASC')}, {followers.format(order='DESC')} "
        f"FROM chunks WHERE job = ? AND state IN ({', '.join('?' * len(states))}) "
        "ORDER BY n",
        (job.id, *states),
    )
    return [ChunkRecord(*row) for row in found]
