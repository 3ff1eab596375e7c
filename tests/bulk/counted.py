"""What a chunk's counters must be: counted from the rows, one by one, in Python."""

from __future__ import annotations

from collections import Counter

from mailkit.bulk.journal import Details, JobState, Journal
from mailkit.bulk.journal.store import Connection
from mailkit.events import FINAL

Counters = tuple[int, int, int]


async def checked(journal: Journal) -> None:
    """The counters of all chunks that were handed out are those of their rows; chunks without any
    are neither sent nor in doubt; and rows have come to where they are by what rose.
    """
    found, own = await counters(journal, every=True), await counted(journal, every=True)
    assert found == own
    for job in await journal.jobs.list():
        if job.state is JobState.PLANNED:
            snapshot = await journal.reports.snapshot(job.name)
            assert snapshot is not None
            assert await risen(journal, job.name) == snapshot.deliveries

    def work(db: Connection) -> list[object]:
        return db.execute(
            "SELECT job, n, state FROM chunks WHERE rows = 0 AND anew = 0 "
            "AND state IN ('planned', 'in doubt', 'rejected')"
        ).fetchall()

    assert await journal._db.read(work) == []


async def risen(journal: Journal, name: str) -> dict[int, int]:
    """How many rows are in each status, by what rose into it, less what rose out of it."""

    def look(_: object, details: Details) -> dict[int, int]:
        total: Counter[int] = Counter()
        for _, before, after, rows in details.rises():
            total[before] -= rows
            total[after] += rows
        return {status: rows for status, rows in total.items() if status and rows}

    found = await journal.reports.details(name, look)
    assert found is not None
    return found


async def counters(journal: Journal, *, every: bool = False) -> dict[tuple[int, int], Counters]:
    """The counters of every accepted chunk, as the journal has them; or of ``every`` one, of those
    that are not accepted their rows alone.
    """

    def work(db: Connection) -> dict[tuple[int, int], Counters]:
        found = db.execute(
            "SELECT job, n, rows, own_delivery_rows, unfinished, state FROM chunks "
            "WHERE state = 'accepted' OR ?",
            (every,),
        )
        return {
            (job, n): (rows, own, moving) if state == "accepted" else (rows, 0, 0)
            for job, n, rows, own, moving, state in found
        }

    return await journal._db.read(work)


async def counted(journal: Journal, *, every: bool = False) -> dict[tuple[int, int], Counters]:
    """The same, from nothing but the rows and the chunks' ranges."""

    def work(db: Connection) -> dict[tuple[int, int], Counters]:
        chunks = db.execute("SELECT job, n, state, first, last, delivery FROM chunks").fetchall()
        found: dict[tuple[int, int], Counter[str]] = {
            (job, n): Counter() for job, n, state, *_ in chunks if every or state == "accepted"
        }
        for row_id, state, chunk, delivery in db.execute(
            "SELECT id, state, chunk, delivery FROM rows"
        ):
            for job, n, chunk_state, first, last, common in chunks:
                if job != row_id >> 32 or (job, n) not in found:
                    continue
                mine = (
                    chunk == n if chunk is not None else state is None and first <= row_id <= last
                )
                if not mine or state in ("invalid", "duplicate", "suppressed"):
                    continue
                follows = state is None
                heard = delivery if delivery is not None else common if follows else 0
                found[job, n]["rows"] += follows
                if chunk_state != "accepted":
                    continue
                found[job, n]["own"] += follows and delivery is not None
                found[job, n]["unfinished"] += state != "rejected" and heard not in FINAL
        return {key: (one["rows"], one["own"], one["unfinished"]) for key, one in found.items()}

    return await journal._db.read(work)
