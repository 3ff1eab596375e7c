"""What a chunk's counters and a job's sums must be: counted from the rows, one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from mailkit.bulk.journal import JobRecord, JobState, Journal, RowState
from mailkit.bulk.journal.store import Connection
from mailkit.events import FINAL, DeliveryStatus

Counters = tuple[int, ...]


class Sums(NamedTuple):
    """Rows by state, by delivery status, and by the reason for which they are left to others."""

    states: Mapping[RowState, int]
    deliveries: Mapping[DeliveryStatus, int]
    elsewhere: Mapping[str, int]


async def checked(journal: Journal) -> None:
    """The counters of all chunks that were handed out are those of their rows; chunks without any
    are neither sent nor in doubt; and the sums of each job are those of its rows.
    """
    found, own = await counters(journal, every=True), await counted(journal, every=True)
    assert found == own
    for job in await journal.jobs.list():
        if job.state is JobState.PLANNED:
            assert await sums(journal, job) == await counted_sums(journal, job)

    def work(db: Connection) -> list[object]:
        return db.execute(
            "SELECT job, n, state FROM chunks WHERE rows = 0 AND anew = 0 "
            "AND state IN ('planned', 'in doubt', 'rejected')"
        ).fetchall()

    assert await journal._db.read(work) == []


async def sums(journal: Journal, job: JobRecord) -> Sums:
    """How many rows are in each state and delivery status, and left to which other jobs, as the
    journal has counted them.
    """
    found = await journal.reports.snapshot(job.name)
    assert found is not None
    states = {state: rows for state in RowState if (rows := found.counts.of(state))}
    return Sums(states, dict(found.deliveries), dict(found.elsewhere))


async def counted_sums(journal: Journal, job: JobRecord) -> Sums:
    """The same, from nothing but the rows."""
    rows = [row async for some in journal.reports.rows(job) for row in some]
    elsewhere = Counter(
        why
        for row in rows
        if row.state == RowState.DUPLICATE
        and (why := row.reason or "").startswith(("already sent by job ", "waiting in job "))
    )
    return Sums(
        Counter(row.state for row in rows),
        Counter(row.delivery for row in rows if row.delivery is not None),
        elsewhere,
    )


async def counters(journal: Journal, *, every: bool = False) -> dict[tuple[int, int], Counters]:
    """The counters of every accepted chunk, as the journal has them; or of ``every`` one, of those
    that are not accepted their rows alone.
    """

    def work(db: Connection) -> dict[tuple[int, int], Counters]:
        found = db.execute(
            "SELECT job, n, state, rows, own_delivery_rows, unfinished, accepted_rows, "
            "rejected_rows, in_doubt_rows FROM chunks WHERE state = 'accepted' OR ? = 1",
            (every,),
        )
        return {
            (job, n): (rows, *(moving if state == "accepted" else (0, 0)), *states)
            for job, n, state, rows, *moving, accepted, rejected, in_doubt in found
            for states in [(accepted, rejected, in_doubt)]
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
                found[job, n][state or ""] += 1
                if chunk_state != "accepted":
                    continue
                found[job, n]["own"] += follows and delivery is not None
                found[job, n]["unfinished"] += state != "rejected" and heard not in FINAL
        names = ("rows", "own", "unfinished", "accepted", "rejected", "in doubt")
        return {key: tuple(one[name] for name in names) for key, one in found.items()}

    return await journal._db.read(work)
