"""Narrowing a refused chunk down to the rows that the refusal is about.

A refused chunk is cut into smaller ones, which are planned and sent like any other; it keeps its
number, but no rows (``empty``). Its parts know it as their ``root``. Parts of one row can have a
``role``:

- a *probe* is tried alone, at once or after everything else
- a row *on trial* was refused alone, and waits for a request that is taken
- *again*: somebody was taken since, so that it is tried once more, and rejected if that is refused

Probes and rows on trial are left to the worker that made them so, as long as it lives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import attrs

from mailkit.bulk.journal.chunk_rows import following
from mailkit.bulk.journal.outcomes import check_ticket, settle
from mailkit.bulk.journal.ownership import check_alive, living
from mailkit.bulk.journal.records import ChunkState, JobRecord, Role, Ticket
from mailkit.bulk.journal.row_ids import row_id
from mailkit.bulk.journal.store import Connection, Store
from mailkit.bulk.policy import Trial

__all__ = ["Narrowing"]


@attrs.frozen
class _Part:
    """Rows of a chunk, by their ids: a run of them, or single ones that are *moved* out."""

    rows: Sequence[int]
    role: Role | None = None
    moved: bool = False


class Narrowing:
    """Cuts refused chunks, and keeps the rows that were refused alone until they are judged."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def probe(self, job: JobRecord, ticket: Ticket) -> list[int]:
        """Cut the chunk under way into three single rows from different places and the two parts
        between them; gives the numbers of the three (of fewer where there are no more).
        """

        def work(db: Connection) -> list[int]:
            rows = _under_way(db, job, ticket)
            numbers = _cut(db, job, ticket.chunk, _probes(rows))
            return numbers[: min(len(rows), 3)]

        return await self._store.write(work, durable=False)

    async def halve(self, job: JobRecord, ticket: Ticket) -> None:
        """Cut the chunk under way in two."""

        def work(db: Connection) -> None:
            rows = _under_way(db, job, ticket)
            middle = len(rows) // 2
            _cut(db, job, ticket.chunk, [_Part(rows[:middle]), _Part(rows[middle:])])

        await self._store.write(work, durable=False)

    async def recut(self, job: JobRecord, ticket: Ticket, most: int) -> None:
        """Cut the chunk under way into chunks of ``most`` rows that begin anew."""

        def work(db: Connection) -> None:
            rows = _under_way(db, job, ticket)
            pieces = [_Part(rows[at : at + most]) for at in range(0, len(rows), most)]
            _cut(db, job, ticket.chunk, pieces, anew=True)

        await self._store.write(work, durable=False)

    async def single_out(self, job: JobRecord, ticket: Ticket, named: Sequence[int]) -> None:
        """Cut the rows of these numbers out of the chunk under way, each into a chunk of its own,
        before the others.
        """

        def work(db: Connection) -> None:
            rows = _under_way(db, job, ticket)
            alone = [id for row in named if (id := row_id(job.id, row)) in rows]
            others = [row for row in rows if row not in alone]
            _cut(
                db, job, ticket.chunk, [*(_Part([row], moved=True) for row in alone), _Part(others)]
            )

        await self._store.write(work, durable=False)

    async def isolate(self, job: JobRecord, at: float) -> int | None:
        """One row that was not tried yet, as a chunk of its own: from the last chunk that was never
        refused, or else from what is left of one that was; ``at`` is its place there, from 0 to 1.
        Gives the number, or None if nothing is planned.
        """

        def work(db: Connection) -> int | None:
            check_alive(db, job)
            row = db.execute(
                f"SELECT n, rows FROM chunks WHERE job = ? AND state = '{ChunkState.PLANNED}' "
                "AND role IS NULL ORDER BY root IS NOT NULL, n DESC LIMIT 1",
                (job.id,),
            ).fetchone()
            if row is None or row[1] == 1:
                return None if row is None else int(row[0])
            rows = _rows(db, job, row[0])
            which = int(at * len(rows))
            parts = [_Part(part) for part in (rows[:which], rows[which + 1 :]) if part]
            return _cut(db, job, row[0], [_Part([rows[which]], Role.PROBE), *parts])[0]

        return await self._store.write(work, durable=False)

    async def try_row(self, job: JobRecord, ticket: Ticket, now: float, words: str) -> list[Trial]:
        """The one row of the chunk under way was refused alone: it is on trial, planned but not
        taken. Gives all that are, in the order of their refusals.
        """

        def work(db: Connection) -> list[Trial]:
            settle(db, job, ticket, ChunkState.PLANNED, words, now)
            db.execute(
                f"UPDATE chunks SET role = '{Role.TRIAL}' WHERE job = ? AND n = ? "
                f"AND state = '{ChunkState.PLANNED}'",
                (job.id, ticket.chunk),
            )
            return list(_trials(db, job))

        return await self._store.write(work, durable=False)

    async def trials(self, job: JobRecord) -> list[Trial]:
        """The rows on trial, in the order of their refusals."""
        return await self._store.read(lambda db: list(_trials(db, job)))

    async def taken_from(self, job: JobRecord, since: float) -> frozenset[int]:
        """The refused chunks of which any worker had rows taken by a request begun since then."""

        def look(db: Connection) -> frozenset[int]:
            found = db.execute(
                "SELECT DISTINCT root FROM chunks WHERE job = ? AND root IS NOT NULL AND rows > 0 "
                f"AND state = '{ChunkState.ACCEPTED}' AND started >= ?",
                (job.id, since),
            )
            return frozenset(root for (root,) in found.fetchall())

        return await self._store.read(look)

    async def take_up(self, job: JobRecord) -> bool:
        """Plan what workers that have left or died kept for later like any other row. Whether there
        was any.
        """

        def orphans(db: Connection) -> list[tuple[int, int]]:
            found = db.execute(
                f"SELECT n, worker FROM chunks WHERE job = ? AND state = '{ChunkState.PLANNED}' "
                f"AND role IN ('{Role.PROBE}', '{Role.TRIAL}')",
                (job.id,),
            ).fetchall()
            alive = living(db, self._store.liveness, job.id) if found else ()
            return [(job.id, n) for n, worker in found if worker not in alive]

        def work(db: Connection) -> bool:
            check_alive(db, job)
            left = orphans(db)
            db.executemany("UPDATE chunks SET role = NULL WHERE job = ? AND n = ?", left)
            return bool(left)

        if not await self._store.read(orphans):
            return False
        return await self._store.write(work, durable=False)

    async def convict(self, job: JobRecord) -> None:
        """The refusals were about the rows: what is on trial is rejected."""

        def work(db: Connection) -> None:
            check_alive(db, job)
            db.execute(
                f"UPDATE chunks SET state = '{ChunkState.REJECTED}', role = NULL "
                f"WHERE job = ? AND role = '{Role.TRIAL}'",
                (job.id,),
            )

        await self._store.write(work, durable=False)

    async def restore(self, job: JobRecord) -> bool:
        """The account or the message was meant: nothing is on trial any more, and refused chunks
        of which nobody was taken are put together again. Whether there are probes left.
        """

        def work(db: Connection) -> bool:
            check_alive(db, job)
            _restore(db, job)
            found = db.execute(
                f"SELECT 1 FROM chunks WHERE job = ? AND role = '{Role.PROBE}' AND state = "
                f"'{ChunkState.PLANNED}'",
                (job.id,),
            )
            return found.fetchone() is not None

        return await self._store.write(work, durable=False)


def _restore(db: Connection, job: JobRecord) -> None:
    db.execute(
        f"UPDATE chunks SET role = NULL WHERE job = ? AND role IN ('{Role.TRIAL}', '{Role.AGAIN}')",
        (job.id,),
    )
    cut = db.execute(
        "SELECT root, coalesce(min(nullif(first, 0)), 0), max(last), sum(rows) FROM chunks "
        "WHERE job = ? AND root > 0 "
        f"AND state <> '{ChunkState.EMPTY}' GROUP BY root "
        f"HAVING count(*) FILTER (WHERE state <> '{ChunkState.PLANNED}') = 0",
        (job.id,),
    ).fetchall()
    for root, first, last, rows in cut:
        parts = "SELECT n FROM chunks WHERE job = ? AND root = ?"
        db.execute(
            f"UPDATE rows SET chunk = ? WHERE id BETWEEN ? AND ? AND chunk IN ({parts})",
            (root, *job.ids, job.id, root),
        )
        db.execute(
            "UPDATE chunks SET accepted_rows = found.a, rejected_rows = found.r, in_doubt_rows = "
            "found.d FROM (SELECT sum(accepted_rows) AS a, sum(rejected_rows) AS r, "
            "sum(in_doubt_rows) AS d FROM chunks WHERE job = ? AND (root = ? OR n = ?)) AS found "
            "WHERE job = ? AND n = ?",
            (job.id, root, root, job.id, root),
        )
        db.execute(
            f"UPDATE chunks SET state = '{ChunkState.EMPTY}', first = 0, last = -1, rows = 0, "
            "accepted_rows = 0, rejected_rows = 0, in_doubt_rows = 0, role = NULL "
            "WHERE job = ? AND root = ?",
            (job.id, root),
        )
        db.execute(
            f"UPDATE chunks SET state = '{ChunkState.PLANNED}', first = ?, last = ?, rows = ? "
            "WHERE job = ? AND n = ?",
            (first, last, rows, job.id, root),
        )


def _trials(db: Connection, job: JobRecord) -> Iterator[Trial]:
    found = db.execute(
        "SELECT n, coalesce(root, n), reason FROM chunks "
        f"WHERE job = ? AND role = '{Role.TRIAL}' ORDER BY ended, n",
        (job.id,),
    ).fetchall()
    for n, root, words in found:
        (address,) = following(db, job, n, "address").fetchone()
        yield Trial(n, root, address, words)


def _under_way(db: Connection, job: JobRecord, ticket: Ticket) -> list[int]:
    check_ticket(db, job, ticket)
    return _rows(db, job, ticket.chunk)


def _rows(db: Connection, job: JobRecord, n: int) -> list[int]:
    return sorted(id for (id,) in following(db, job, n, "id"))


def _probes(rows: Sequence[int]) -> list[_Part]:
    """Three single rows, or as many as there are, and what lies between them."""
    if not rows:
        return []
    places = sorted({0, len(rows) // 2, len(rows) - 1})
    between = [rows[a + 1 : b] for a, b in pairwise(places)]
    return [_Part([rows[at]], Role.PROBE) for at in places] + [
        _Part(part) for part in between if part
    ]


def _cut(
    db: Connection, job: JobRecord, n: int, parts: Sequence[_Part], *, anew: bool = False
) -> list[int]:
    """Make chunks of the parts that have rows, under new numbers; the chunk itself has none left.
    Unless they begin ``anew``, they are where it was.
    """
    assert job.worker is not None  # noqa: S101 - the callers looked
    worker = job.worker.id
    parts = [part for part in parts if part.rows]
    attempt, root, stage, cursor, left = db.execute(
        "SELECT attempt, coalesce(root, n), stage, cursor, anew FROM chunks WHERE job = ? "
        "AND n = ?",
        (job.id, n),
    ).fetchone()
    if anew:
        root, stage, cursor, left = None, 0, None, 0
    (number,) = db.execute("SELECT max(n) + 1 FROM chunks WHERE job = ?", (job.id,)).fetchone()
    db.execute(
        f"UPDATE chunks SET state = '{ChunkState.EMPTY}', first = 0, last = -1, rows = 0, "
        "role = NULL WHERE job = ? AND n = ?",
        (job.id, n),
    )
    before = db.execute("SELECT id FROM rows WHERE chunk = ? AND id BETWEEN ? AND ?", (n, *job.ids))
    moved = {id for (id,) in before.fetchall()}
    for at, part in enumerate(parts, number):
        moving = part.rows if part.moved else [row for row in part.rows if row in moved]
        staying = [] if part.moved else [row for row in part.rows if row not in moved]
        span = (staying[0], staying[-1]) if staying else (0, -1)
        db.execute(
            "INSERT INTO chunks (job, n, state, worker, first, last, rows, attempt, reconciled, "
            "unfinished, root, role, stage, cursor, anew) "
            f"VALUES (?, ?, '{ChunkState.PLANNED}', ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?)",
            (
                *(job.id, at, worker, *span, len(part.rows), attempt),
                *(root, part.role, stage, cursor, left),
            ),
        )
        db.executemany("UPDATE rows SET chunk = ? WHERE id = ?", [(at, row) for row in moving])
    return list(range(number, number + len(parts)))
