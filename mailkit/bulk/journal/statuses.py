"""Statuses in the journal: which chunks to ask about, and what the provider said of their rows.

Once a chunk has been sent, ``recount`` writes its counters, ``rows``, ``own_delivery_rows`` and
``unfinished``; hearing.py alone shifts them, to the same figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import attrs
import msgspec

from mailkit.bulk.journal.batches import in_parts, one_of
from mailkit.bulk.journal.matching import (
    ChunkKeys,
    ReconcileResult,
    RowChange,
    RowKey,
    common_news,
    key_of,
    match,
)
from mailkit.bulk.journal.ownership import check_alive, living
from mailkit.bulk.journal.pseudonyms import IS_ONE, MARK, aliases
from mailkit.bulk.journal.records import SENT_STATES, ChunkState, JobRecord, RowState
from mailkit.bulk.journal.rises import Rises
from mailkit.bulk.journal.store import Connection, Cursor, Dialect, Store
from mailkit.bulk.journal.suppressions import keep_from_twins, suppress
from mailkit.core.dispatch import ChunkStatus, PollResult, RowStatus, RowStatuses
from mailkit.events import DeliveryStatus

__all__ = [
    "FIRST_FINAL",
    "SENT",
    "DueChunk",
    "MergeResult",
    "Statuses",
    "change",
    "deliver",
    "followers",
    "following",
    "merge",
    "override",
    "recount",
]

SENT = "(" + ", ".join(f"'{state}'" for state in SENT_STATES) + ")"
FIRST_FINAL = int(min(status for status in DeliveryStatus if status.final))
_IDS = msgspec.json.Decoder(list[int])
_KEYS = msgspec.json.Decoder(list[str])
_STATES = msgspec.json.Decoder(list[str | None])
_DELIVERIES = msgspec.json.Decoder(list[int | None])


@attrs.frozen
class DueChunk:
    """An accepted chunk that can still be asked about; times are seconds since 1970."""

    n: int
    reference: str
    ended: float
    reconciled: bool
    cursor: str | None


@attrs.frozen
class MergeResult:
    """A chunk after statuses were merged into it: whether it is reconciled, how many rows are
    still on their way (``unfinished``), and the mark for the next poll. ``held``: the words in
    which rows were rejected for the account's sake just now.
    """

    reconciled: bool
    unfinished: int
    cursor: str | None
    held: str | None = None


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
                f"AND state = '{ChunkState.ACCEPTED}' AND reference IS NOT NULL) AS accepted "
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
                found = _merge_whole(db, job, n, polled, now)
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
            delivery, cursor = db.execute(
                "SELECT delivery, cursor FROM chunks WHERE job = ? AND n = ?", (job.id, n)
            ).fetchone()
            keys: list[RowKey] = db.execute(
                "SELECT id, coalesce(key, address), state, delivery FROM rows "
                f"WHERE id IN ({one_of(rows)}) "
                f"AND (state IS NULL OR state IN {SENT})",
                tuple(rows),
            ).fetchall()
            some = ChunkKeys(delivery, False, keys, all=False)
            found = match(some, _known(db, keys, statuses), doubt)
            unfinished = _write(db, job, n, found, now)
            return MergeResult(False, unfinished, cursor, found.held)

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
                _change(db, n, changes)
                held, reconciled = others.reason if others.held else None, 1
            elif silent and others.in_doubt and late:
                changes = [RowChange(id, RowState.IN_DOUBT, others.reason, 0) for id in silent]
                _change(db, n, changes)
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
            first, last, common = _span(db, job, n)
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


def merge(
    db: Connection,
    dialect: Dialect,
    job: JobRecord,
    n: int,
    polled: PollResult,
    now: float,
    doubt: str | None = None,
) -> MergeResult:
    """Read the chunk's rows, match the statuses with them, and write what they change.

    All of it in the caller's transaction: whoever else hears of these rows can't come between.
    """
    if (alike := _merge_alike(db, dialect, job, n, polled, now)) is not None:
        return alike
    keys, unfinished, cursor = _keys(db, dialect, job, n)
    found = match(keys, _known(db, keys.rows, polled.statuses), doubt)
    mark = polled.cursor if found.reconciled else None  # until then, always the whole list
    if (found.reconciled, found.delivery, mark) != (keys.reconciled, keys.delivery, cursor):
        db.execute(
            "UPDATE chunks SET reconciled = ?, delivery = ?, cursor = ? WHERE job = ? AND n = ?",
            (found.reconciled, found.delivery, mark, job.id, n),
        )
    if found.deliveries or found.changes or found.delivery != keys.delivery:
        unfinished = _write(db, job, n, found, now)
    return MergeResult(found.reconciled, unfinished, mark, found.held)


def _known(db: Connection, rows: Sequence[RowKey], statuses: RowStatuses) -> RowStatuses:
    """The statuses, with the codes of people who were removed from the rows instead of them."""
    removed = {key for _, key, *_ in rows if key.startswith(MARK)}
    if not removed:
        return statuses
    told = [
        RowStatus(address, one.delivery, one.rejected, one.reason, one.held)
        for one in statuses
        for address in ([one.address] if isinstance(one, RowStatus) else one.addresses)
    ]
    codes = {key: code for code, key in aliases(db, (key_of(one.address) for one in told)).items()}
    return [
        one._replace(address=code, reason="")
        if (code := codes[key_of(one.address)]) in removed
        else one
        for one in told
    ]


def _merge_alike(
    db: Connection, dialect: Dialect, job: JobRecord, n: int, polled: PollResult, now: float
) -> MergeResult | None:
    """What `merge` does, where all rows are alike and the same is said of each: one line changes.
    None where that is not so.
    """
    news = common_news(polled.statuses)
    if news is None:
        return None
    first, last, common, *before, own, moved = db.execute(
        "SELECT first, last, delivery, reconciled, unfinished, cursor, own_delivery_rows, EXISTS "
        "(SELECT 1 FROM rows WHERE rows.chunk = chunks.n AND id BETWEEN ? AND ?) "
        "FROM chunks WHERE job = ? AND n = ?",
        (*job.ids, job.id, n),
    ).fetchone()
    if own or moved:
        return None
    query = (
        "SELECT coalesce(key, address) AS person FROM rows "
        "WHERE id BETWEEN ? AND ? AND state IS NULL AND chunk IS NULL"
    )
    (people,) = db.execute(dialect.by_column(["person"], [], query), (first, last)).fetchone()
    keys, (heard, named) = _KEYS.decode(people), news
    if not keys or (keys != named and not set(named).issuperset(keys)):
        return None
    delivery = max(common, heard)
    unfinished = len(keys) if delivery < FIRST_FINAL else 0
    if delivery > common:
        rises = Rises(job, now)
        rises.add(common, delivery, rows=len(keys))
        rises.write(db)
    if delivery > common or before != [1, unfinished, polled.cursor]:
        db.execute(
            "UPDATE chunks SET delivery = ?, reconciled = 1, unfinished = ?, cursor = ? "
            "WHERE job = ? AND n = ?",
            (delivery, unfinished, polled.cursor, job.id, n),
        )
    return MergeResult(True, unfinished, polled.cursor)


def _write(db: Connection, job: JobRecord, n: int, found: ReconcileResult, now: float) -> int:
    """Write what changes in rows, and count the chunk anew; gives its ``unfinished``."""
    suppress(db, job, found.suppressed, now)
    keep_from_twins(db, job, found.found, now)
    rises = Rises(job, now)
    for (before, after), rows in found.rises.items():
        rises.add(before, after, rows=rows)
    rises.write(db)
    deliver(db, found.deliveries)
    _change(db, n, found.changes)
    return recount(db, job, n)


def _merge_whole(
    db: Connection, job: JobRecord, n: int, polled: PollResult, now: float
) -> MergeResult:
    """What the provider says of the chunk as a whole, whoever follows it."""
    until = None if polled.again is None else polled.again.timestamp()
    others, cursor = polled.others, polled.cursor
    known = int(others is not None and not others.in_doubt)
    db.execute(
        "UPDATE chunks SET until = ?, reason = ?, cursor = ?, "
        "reconciled = CASE WHEN ? = 1 THEN 1 ELSE reconciled END WHERE job = ? AND n = ?",
        (until, polled.why or None, cursor, known, job.id, n),
    )
    held = None
    if others is not None and others.rejected:
        _reject_others(db, job, n, others)
        held = others.reason if others.held else None
    elif others is not None and others.delivery is not None:
        _raise_delivery(db, job, n, others, int(others.delivery), now)
    done, unfinished = db.execute(
        "SELECT reconciled, unfinished FROM chunks WHERE job = ? AND n = ?", (job.id, n)
    ).fetchone()
    return MergeResult(bool(done), unfinished, cursor, held)


def _reject_others(db: Connection, job: JobRecord, n: int, others: ChunkStatus) -> None:
    """Nobody got a message, but for those of whom something was heard."""
    (common,) = db.execute(
        "SELECT delivery FROM chunks WHERE job = ? AND n = ?", (job.id, n)
    ).fetchone()
    rows = following(db, job, n, "id, delivery").fetchall()
    heard = [
        RowChange(row_id, RowState.ACCEPTED, None, own or common)
        for row_id, own in rows
        if own or common
    ]
    _change(db, n, heard)
    state = ChunkState.REJECTED if len(heard) < len(rows) else ChunkState.EMPTY
    db.execute(
        "UPDATE chunks SET state = ?, reason = ? WHERE job = ? AND n = ?",
        (state, others.reason, job.id, n),
    )
    recount(db, job, n)


def _raise_delivery(
    db: Connection, job: JobRecord, n: int, others: ChunkStatus, delivery: int, now: float
) -> None:
    """All rows that follow the chunk have come so far at least, if the service does not count
    fewer.
    """
    first, last, common, rows, own = db.execute(
        "SELECT first, last, delivery, rows, own_delivery_rows FROM chunks WHERE job = ? AND n = ?",
        (job.id, n),
    ).fetchone()
    if delivery <= common or (others.mailed is not None and others.mailed < rows):
        return
    heard: Mapping[int | None, int] = {None: rows}
    if own:
        query, values = followers(db, job, n, "delivery")
        counted = f"SELECT delivery, count(*) FROM ({query}) AS found GROUP BY delivery"
        heard = dict(db.execute(counted, values).fetchall())
    rises = Rises(job, now)
    for one, count in heard.items():
        before = common if one is None else one
        if before < delivery and count:
            rises.add(before, delivery, rows=count)
    rises.write(db)
    db.execute("UPDATE chunks SET delivery = ? WHERE job = ? AND n = ?", (delivery, job.id, n))
    if own:
        less = "UPDATE rows SET delivery = NULL WHERE delivery <= ? AND state IS NULL AND "
        db.execute(f"{less} id BETWEEN ? AND ? AND chunk IS NULL", (delivery, first, last))
        db.execute(f"{less} chunk = ? AND id BETWEEN ? AND ?", (delivery, n, *job.ids))
    if own or common < FIRST_FINAL <= delivery:
        recount(db, job, n)


def override(db: Connection, job: JobRecord, n: int, changes: Sequence[RowChange]) -> None:
    """Give rows of the chunk a state of their own (or None: the chunk's again), and count."""
    _change(db, n, changes)
    recount(db, job, n)


def recount(db: Connection, job: JobRecord, n: int) -> int:
    """Count the rows of a chunk anew, after whatever changed them; gives its ``unfinished``."""
    first, last, delivery = _span(db, job, n)
    counters = db.execute(
        "SELECT count(*) FILTER (WHERE own IS NULL), count(heard) FILTER (WHERE own IS NULL), "
        "count(*) FILTER (WHERE coalesce(heard, CASE WHEN own IS NULL THEN ? ELSE 0 END) < ? "
        f"AND coalesce(own, '') <> '{RowState.REJECTED}') FROM ("
        "SELECT state AS own, delivery AS heard FROM rows WHERE id BETWEEN ? AND ? "
        "AND state IS NULL AND chunk IS NULL UNION ALL "
        "SELECT state, delivery FROM rows WHERE chunk = ? AND id BETWEEN ? AND ? "
        f"AND (state IS NULL OR state IN {SENT})) AS sent",
        (delivery, FIRST_FINAL, first, last, n, *job.ids),
    ).fetchone()
    db.execute(
        "UPDATE chunks SET rows = ?, own_delivery_rows = ?, unfinished = ? WHERE job = ? AND n = ?",
        (*counters, job.id, n),
    )
    return int(counters[2])


def following(
    db: Connection,
    job: JobRecord,
    n: int,
    columns: str,
    *,
    between: tuple[int, int] | None = None,
) -> Cursor:
    """The rows whose state is this chunk's, in reading order; only those with ids ``between``."""
    return db.execute(*followers(db, job, n, columns, between=between))


def followers(
    db: Connection,
    job: JobRecord,
    n: int,
    columns: str,
    *,
    between: tuple[int, int] | None = None,
) -> tuple[str, Sequence[int]]:
    """The query that `following` makes, and its values."""
    first, last, _ = _span(db, job, n)
    least, most = between or job.ids
    return (
        f"SELECT {columns} FROM rows WHERE id BETWEEN ? AND ? AND state IS NULL "
        "AND chunk IS NULL UNION ALL "
        f"SELECT {columns} FROM rows WHERE chunk = ? AND id BETWEEN ? AND ? AND state IS NULL",
        (max(first, least), min(last, most), n, least, most),
    )


def _keys(
    db: Connection, dialect: Dialect, job: JobRecord, n: int
) -> tuple[ChunkKeys, int, str | None]:
    """Every row of the chunk that was sent, also those that have a state of their own; the rows
    that are unfinished; the mark for the next poll.
    """
    delivery, reconciled, unfinished, cursor = db.execute(
        "SELECT delivery, reconciled, unfinished, cursor FROM chunks WHERE job = ? AND n = ?",
        (job.id, n),
    ).fetchone()
    columns = "id, coalesce(key, address) AS person, state, delivery"
    query, values = followers(db, job, n, columns)
    query += (
        f" UNION ALL SELECT {columns} FROM rows WHERE chunk = ? AND id BETWEEN ? AND ? "
        f"AND state IN {SENT}"
    )
    asked = dialect.by_column(["id", "person", "state", "delivery"], [], query)
    ids, people, states, deliveries = db.execute(asked, (*values, n, *job.ids)).fetchone()
    rows: Iterable[RowKey] = zip(
        _IDS.decode(ids),
        _KEYS.decode(people),
        _STATES.decode(states),
        _DELIVERIES.decode(deliveries),
        strict=True,
    )
    return ChunkKeys(delivery, bool(reconciled), [*rows]), unfinished, cursor


def _span(db: Connection, job: JobRecord, n: int) -> tuple[int, int, int]:
    """The first and last id of the rows that were cut into the chunk, and its delivery."""
    found: tuple[int, int, int] = db.execute(
        "SELECT first, last, delivery FROM chunks WHERE job = ? AND n = ?", (job.id, n)
    ).fetchone()
    return found


def deliver(
    db: Connection, deliveries: Mapping[int | None, Iterable[int]], reason: str | None = None
) -> None:
    """Write own deliveries of rows, by what they are now, and the reason if there is one. Touching
    no other column spares the indexes.
    """
    columns, values = ("delivery = ?, reason = ?", [reason]) if reason else ("delivery = ?", [])
    for delivery, rows in deliveries.items():
        for marks, some in in_parts(rows):
            db.execute(
                f"UPDATE rows SET {columns} WHERE id IN ({marks})", (delivery, *values, *some)
            )


def _change(db: Connection, n: int, changes: Iterable[RowChange]) -> None:
    change(db, ((n, one) for one in changes))


def change(db: Connection, changes: Iterable[tuple[int, RowChange]]) -> None:
    """Write rows of these chunks; who counts them again is the caller."""
    alike: dict[tuple[int, RowState | None, str | None, int | None], list[int]] = defaultdict(list)
    for n, (row_id, state, why, heard) in changes:
        alike[n, state, why, heard].append(row_id)
    for (n, state, why, heard), rows in alike.items():
        for marks, some in in_parts(rows):
            db.execute(
                "UPDATE rows SET reason = CASE WHEN coalesce(state, '') = ? "
                "THEN coalesce(?, reason) ELSE ? END, state = ?, delivery = ?, "
                f"chunk = coalesce(?, chunk) WHERE id IN ({marks})",
                (state or "", why, why, state, heard, None if state is None else n, *some),
            )
