"""The plan phase's part of the journal: rows in, duplicates and suppressed out, chunks cut.

Commits of few rows, so that other processes on the journal get their turn between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mailkit.bulk.journal.batches import in_rows
from mailkit.bulk.journal.elsewhere import ALREADY, count, questions
from mailkit.bulk.journal.jobs import Twin, twins
from mailkit.bulk.journal.ownership import check_alive
from mailkit.bulk.journal.records import ChunkState, JobRecord, RowState
from mailkit.bulk.journal.store import Connection, Store
from mailkit.bulk.journal.suppressions import names_of
from mailkit.core.batch import Batch

__all__ = ["InvalidRecord", "PlannedRow", "Planning"]

ROWS_A_COMMIT = 1_000
CHUNKS_A_COMMIT = 50


class PlannedRow(NamedTuple):
    """A row that can be mailed, as the plan stores it."""

    id: int
    line: int
    address: str
    key: str | None
    fields: str | None
    size: int


class InvalidRecord(NamedTuple):
    """A row that can't be mailed: what could be read of it, and why."""

    id: int
    line: int
    address: str
    fields: str | None
    reason: str


class Planning:
    """Writes a job's plan."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._durable = store.dialect.restarts  # else rows, or their marks, could be lost between
        self.rows_a_commit = store.dialect.rows_a_commit
        """So many rows are best added at once."""

    async def add(
        self, job: JobRecord, rows: Sequence[PlannedRow], invalid: Sequence[InvalidRecord]
    ) -> None:
        """Store these rows, in reading order."""

        def work(db: Connection) -> None:
            check_alive(db, job)
            self._insert(db, Batch.of(PlannedRow, rows))
            self._insert(db, Batch.of(InvalidRecord, invalid), state=RowState.INVALID)
            read = len(rows) + len(invalid)
            db.execute("UPDATE jobs SET read = read + ? WHERE id = ?", (read, job.id))

        await self._store.write(work, durable=self._durable, job=job.id)

    def _insert(self, db: Connection, rows: Batch[Any], **common: object) -> None:
        """Store rows, all with these values in common."""
        if not rows:
            return
        columns = dict(zip(rows.kind._fields, rows.columns, strict=True))
        columns |= {name: [value] * len(rows) for name, value in common.items()}
        if not any(
            columns.get("key", ())
        ):  # a column that is left out spares a quarter of the time
            columns.pop("key", None)
        self._store.load(db, "rows", columns)

    async def suppress(self, job: JobRecord, keys: Sequence[str], now: float) -> None:
        """Add addresses that this job alone must not mail, also one that is planned already."""

        def work(db: Connection) -> None:
            db.execute("UPDATE jobs SET suppressed = -1 WHERE id = ?", (job.id,))  # compare again
            db.executemany(
                "INSERT INTO suppressions (job, key, reason, since) "
                "VALUES (?, ?, 'named for this job', ?) ON CONFLICT DO NOTHING",
                [(job.id, key, now) for key in keys],
            )

        await self._store.write(work, durable=self._durable, job=job.id)

    async def mark_duplicates(self, job: JobRecord) -> None:
        """Of the rows with one address the first stays; the others become ``duplicate``."""
        people = "FROM rows WHERE id BETWEEN ? AND ? AND state IS NULL"
        twice = (  # which is much sooner known than all who are
            f"SELECT 1 {people} GROUP BY coalesce(key, address) HAVING count(*) > 1 LIMIT 1"
        )
        if not await self._store.read(lambda db: db.execute(twice, job.ids).fetchone()):
            return
        # A frame of rows takes half the time of the default, a range.
        same = "(PARTITION BY coalesce(key, address) ORDER BY id ROWS UNBOUNDED PRECEDING)"
        await self._mark(
            job,
            RowState.DUPLICATE,
            f"SELECT id, first FROM (SELECT id, first_value(line) OVER {same} AS first, "
            f"  row_number() OVER {same} AS n {people}) AS people WHERE n > 1 "
            "ORDER BY id",  # else each commit would write all over the file
            job.ids,
            "the address is that of line {}".format,
        )

    async def mark_suppressed(self, job: JobRecord) -> None:
        """Rows whose address is in the suppression store become ``suppressed``; those that are put
        there later do when they are taken to be sent. Whom other jobs have mailed is asked next.
        """

        def note(db: Connection) -> str | None:
            db.execute(
                "UPDATE jobs SET suppressed = (SELECT CAST(value AS INTEGER) FROM meta "
                "WHERE key = 'suppressed') "
                "WHERE id = ?",
                (job.id,),
            )
            found = db.execute("SELECT 1 FROM suppressions WHERE job IN (0, ?) LIMIT 1", (job.id,))
            return None if found.fetchone() is None else names_of(db, self._store.dialect)

        names = await self._store.write(note, durable=self._durable, again=True, job=job.id)
        if names is None:
            return
        await self._mark(
            job,
            RowState.SUPPRESSED,
            "SELECT rows.id, min(suppressions.reason) FROM rows JOIN suppressions "
            f"  ON suppressions.key IN ({names}) "
            "  AND suppressions.job IN (0, ?) "
            "  WHERE rows.id BETWEEN ? AND ? AND rows.state IS NULL "
            "  AND suppressions.reason NOT LIKE ? GROUP BY rows.id",
            (job.id, *job.ids, f"{ALREADY}%"),
        )

    async def mark_elsewhere(self, job: JobRecord) -> Sequence[Twin]:
        """Rows whose person has this message from another job, or will get it there, become
        ``duplicate``; gives the jobs that were asked.
        """
        seen = await self._store.read(lambda db: twins(db, job))
        for asked in questions(job, seen, None, self._store.dialect):
            await self._mark(job, RowState.DUPLICATE, asked.sql, (), asked.reasons.__getitem__)
        return seen

    async def _mark(
        self,
        job: JobRecord,
        state: RowState,
        sql: str,
        parameters: Sequence[object],
        told: Callable[[Any], str] = str,
    ) -> None:
        async for found in self._store.stream(sql, parameters, ROWS_A_COMMIT):
            changes = [(row_id, told(reason)) for row_id, reason in found]

            def work(db: Connection, changes: list[tuple[int, str]] = changes) -> None:
                for marks, values in in_rows(changes):
                    db.execute(
                        f"UPDATE rows SET state = '{state}', reason = found.column2 "
                        f"FROM (VALUES {marks}) AS found WHERE rows.id = found.column1",
                        values,
                    )
                if state is RowState.DUPLICATE:
                    count(db, job, (reason for _, reason in changes))

            await self._store.write(work, durable=self._durable, job=job.id)

    async def cut(self, job: JobRecord, *, rows: int, size: int | None) -> None:
        """Cut the rows that remain into chunks of at most ``rows`` rows and ``size`` bytes (None:
        of any size); the chunks of an earlier cut are forgotten.

        A row larger than ``size`` gets a chunk of its own; the plan refuses it before.
        """

        def forget(db: Connection) -> None:
            db.execute("DELETE FROM chunks WHERE job = ?", (job.id,))

        await self._store.write(forget, durable=self._durable, again=True, job=job.id)
        after, number, last = job.ids[0], 1, job.ids[1]
        while after < last:

            def read(db: Connection, after: int = after) -> list[_Piece]:
                pieces: list[_Piece] = []
                while len(pieces) < CHUNKS_A_COMMIT:
                    piece = _next_piece(db, after, last, rows, size)
                    if piece is None:
                        break
                    pieces.append(piece)
                    after = piece.last
                return pieces

            pieces = await self._store.read(read)

            def store(db: Connection, pieces: list[_Piece] = pieces, number: int = number) -> None:
                db.executemany(
                    "INSERT INTO chunks (job, n, state, first, last, rows, attempt, reconciled, "
                    f"unfinished) VALUES (?, ?, '{ChunkState.PLANNED}', ?, ?, ?, 1, 0, 0)",
                    [(job.id, n, *piece) for n, piece in enumerate(pieces, number)],
                )

            await self._store.write(store, durable=self._durable, job=job.id)
            number += len(pieces)
            after = pieces[-1].last if len(pieces) == CHUNKS_A_COMMIT else last


class _Piece(NamedTuple):
    first: int
    last: int
    rows: int


def _next_piece(
    db: Connection, after: int, last: int, rows: int, size: int | None
) -> _Piece | None:
    """The rows that make the next chunk, added up by SQLite unless they are too large."""
    following = (
        "SELECT id, size FROM rows WHERE id > ? AND id <= ? AND state IS NULL ORDER BY id LIMIT ?"
    )
    parameters = (after, last, rows)
    count, weight, begin, end = db.execute(
        f"SELECT count(*), sum(size), min(id), max(id) FROM ({following}) AS found", parameters
    ).fetchone()
    if not count:
        return None
    if size is not None and weight > size:
        weight = count = 0
        end = begin
        for row_id, row_size in db.execute(following, parameters):
            if count and weight + row_size > size:
                break
            end = row_id
            count += 1
            weight += row_size
    return _Piece(begin, end, count)
