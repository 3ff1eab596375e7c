"""What a chunk's counters must be: counted from the rows, one by one, in Python."""

from __future__ import annotations

from collections import Counter

from mailkit.bulk.journal import Journal
from mailkit.bulk.journal.store import Connection
from mailkit.events import FINAL

Counters = tuple[int, int, int]


async def counters(journal: Journal) -> dict[tuple[int, int], Counters]:
    """The counters of every accepted chunk, as the journal has them."""

    def work(db: Connection) -> dict[tuple[int, int], Counters]:
        found = db.execute(
            "SELECT job, n, rows, own_delivery_rows, unfinished FROM chunks "
            "WHERE state = 'accepted'"
        )
        return {(job, n): (rows, own, moving) for job, n, rows, own, moving in found}

    return await journal._db.read(work)


async def counted(journal: Journal) -> dict[tuple[int, int], Counters]:
    """The same, from nothing but the rows and the chunks' ranges."""

    def work(db: Connection) -> dict[tuple[int, int], Counters]:
        chunks = db.execute("SELECT job, n, state, first, last, delivery FROM chunks").fetchall()
        found: dict[tuple[int, int], Counter[str]] = {
            (job, n): Counter() for job, n, state, *_ in chunks if state == "accepted"
        }
        for row_id, state, chunk, delivery in db.execute(
            "SELECT id, state, chunk, delivery FROM rows"
        ):
            for job, n, chunk_state, first, last, common in chunks:
                if job != row_id >> 32 or chunk_state != "accepted":
                    continue
                mine = (
                    chunk == n if chunk is not None else state is None and first <= row_id <= last
                )
                if not mine or state in ("invalid", "duplicate", "suppressed"):
                    continue
                follows = state is None
                heard = delivery if delivery is not None else common if follows else 0
                found[job, n]["rows"] += follows
                found[job, n]["own"] += follows and delivery is not None
                found[job, n]["unfinished"] += state != "rejected" and heard not in FINAL
        return {key: (one["rows"], one["own"], one["unfinished"]) for key, one in found.items()}

    return await journal._db.read(work)
