"""What the journal can say of a job at any moment: the sum, the doubtful chunks, every row."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence

import attrs
import msgspec

from mailkit.bulk.journal.database import Database
from mailkit.bulk.journal.elsewhere import ALREADY, WAITING
from mailkit.bulk.journal.jobs import JobRecord
from mailkit.events import DeliveryStatus

__all__ = ["ROW_STATES", "Accounts", "ChunkRecord", "Counts", "RowRecord"]

ROW_STATES = (
    "invalid",
    "duplicate",
    "suppressed",
    "accepted",
    "rejected",
    "in doubt",
    "unsent",
)
_N = (1 << 32) - 1
_FIELDS = msgspec.json.Decoder(list[str])


@attrs.frozen
class Counts:
    """Every row that was read, in exactly one state."""

    read: int = 0
    invalid: int = 0
    duplicate: int = 0
    suppressed: int = 0
    accepted: int = 0
    rejected: int = 0
    in_doubt: int = 0
    unsent: int = 0

    @property
    def accounted(self) -> int:
        """The rows that have a state; the promise is that this is ``read``."""
        return (
            self.invalid
            + self.duplicate
            + self.suppressed
            + self.accepted
            + self.rejected
            + self.in_doubt
            + self.unsent
        )

    @property
    def to_send(self) -> int:
        """The rows that are left after the plan refused some."""
        return self.read - self.invalid - self.duplicate - self.suppressed


@attrs.frozen
class ChunkRecord:
    """One chunk and the rows in it; times are seconds since 1970."""

    n: int
    state: str
    rows: int
    attempt: int
    started: float | None
    ended: float | None
    reference: str | None
    reason: str | None
    reconciled: bool
    first_address: str | None
    last_address: str | None


@attrs.frozen
class RowRecord:
    """One row as read, its state and what is known of its delivery."""

    n: int
    line: int
    address: str
    fields: Sequence[str]
    state: str
    reason: str | None
    chunk: int | None
    delivery: DeliveryStatus | None


class Accounts:
    """Reads a job's state; never changes anything."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def counts(self, job: JobRecord, *, running: bool) -> Counts:
        """The job's rows by state, in one snapshot.

        What is being sent counts as unsent while an engine is ``running``, else as in doubt.
        """
        sending = "unsent" if running else "in doubt"
        names = {"planned": "unsent", "sending": sending}

        def work(db: sqlite3.Connection) -> Counts:
            totals: dict[str, int] = dict.fromkeys(ROW_STATES, 0)
            for state, rows in db.execute(
                "SELECT state, sum(rows) FROM chunks WHERE job = ? AND state <> 'empty' "
                "GROUP BY state",
                (job.id,),
            ):
                totals[names.get(str(state), str(state))] += rows
            for state in ROW_STATES[:-1]:
                totals[state] += db.execute(
                    "SELECT count(*) FROM rows WHERE state = ? AND id BETWEEN ? AND ?",
                    (state, *job.ids),
                ).fetchone()[0]
            read = db.execute("SELECT read FROM jobs WHERE id = ?", (job.id,)).fetchone()[0]
            return Counts(
                read=read, **{state.replace(" ", "_"): rows for state, rows in totals.items()}
            )

        return await self._db.read(work)

    async def elsewhere(self, job: JobRecord) -> dict[str, int]:
        """How many rows are left to other jobs with the same content, by the reason."""

        def work(db: sqlite3.Connection) -> dict[str, int]:
            found = db.execute(
                "SELECT reason, count(*) FROM rows WHERE state = 'duplicate' "
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
                    "WHERE job = ? AND state = 'accepted' AND reconciled = 0",
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

    async def chunks(self, job: JobRecord, *states: str) -> list[ChunkRecord]:
        """The chunks in these states, in order, with their first and last address."""
        return await self._db.read(lambda db: _chunks(db, job, states))

    async def doubts(self, job: JobRecord, *, running: bool) -> list[ChunkRecord]:
        """The chunks in doubt, and of other chunks the rows that are so by themselves."""

        def work(db: sqlite3.Connection) -> list[ChunkRecord]:
            whole = _chunks(db, job, ("in doubt",) if running else ("in doubt", "sending"))
            single = [
                ChunkRecord(*row)
                for row in db.execute(
                    "SELECT n, chunks.state, count(*), attempt, started, ended, reference, "
                    "min(rows.reason), reconciled, min(address), max(address) FROM rows "
                    "JOIN chunks ON job = ? AND n = rows.chunk "
                    "WHERE rows.state = 'in doubt' AND id BETWEEN ? AND ? GROUP BY n",
                    (job.id, *job.ids),
                )
            ]
            return sorted(whole + single, key=lambda chunk: chunk.n)

        return await self._db.read(work)

    async def rows(
        self, job: JobRecord, *, running: bool, states: Sequence[str] = ()
    ) -> AsyncIterator[list[RowRecord]]:
        """Every row in reading order, or those in these states, a thousand at a time."""
        sending = "unsent" if running else "in doubt"
        state = (
            "CASE coalesce(rows.state, chunks.state) WHEN 'planned' THEN 'unsent' "
            f"WHEN 'sending' THEN '{sending}' ELSE coalesce(rows.state, chunks.state) END"
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
                    n=row_id & _N,
                    line=line,
                    address=address,
                    fields=_FIELDS.decode(fields) if fields else (),
                    state=row_state,
                    reason=reason,
                    chunk=chunk,
                    delivery=DeliveryStatus(delivery) if delivery else None,
                )
                for row_id, line, address, fields, row_state, reason, chunk, delivery in found
            ]


def _chunks(db: sqlite3.Connection, job: JobRecord, states: Sequence[str]) -> list[ChunkRecord]:
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
