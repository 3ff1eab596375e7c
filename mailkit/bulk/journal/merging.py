"""What the provider says of a chunk's rows, merged into them.

All of it in one transaction: whoever else hears of these rows can't come between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
import msgspec

from mailkit.bulk.journal.batches import one_of
from mailkit.bulk.journal.chunk_rows import (
    FIRST_FINAL,
    SENT,
    change,
    deliver,
    followers,
    following,
    recount,
)
from mailkit.bulk.journal.matching import (
    ChunkKeys,
    ReconcileResult,
    RowChange,
    RowKey,
    common_news,
    key_of,
    match,
)
from mailkit.bulk.journal.pseudonyms import MARK, aliases
from mailkit.bulk.journal.records import ChunkState, JobRecord, RowState
from mailkit.bulk.journal.rises import Rises
from mailkit.bulk.journal.store import Connection, Dialect
from mailkit.bulk.journal.suppressions import keep_from_twins, suppress
from mailkit.core.dispatch import ChunkStatus, PollResult, RowStatus, RowStatuses

__all__ = ["MergeResult", "merge", "merge_some", "merge_whole"]

_IDS = msgspec.json.Decoder(list[int])
_KEYS = msgspec.json.Decoder(list[str])
_STATES = msgspec.json.Decoder(list[str | None])
_DELIVERIES = msgspec.json.Decoder(list[int | None])


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


def merge(
    db: Connection,
    dialect: Dialect,
    job: JobRecord,
    n: int,
    polled: PollResult,
    now: float,
    doubt: str | None = None,
) -> MergeResult:
    """Read the chunk's rows, match the statuses with them, and write what they change."""
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


def merge_some(
    db: Connection,
    job: JobRecord,
    n: int,
    rows: Sequence[int],
    statuses: RowStatuses,
    now: float,
    doubt: str | None = None,
) -> MergeResult:
    """The same for some rows of the chunk, by their ids: the others are left as they are."""
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


def _write(db: Connection, job: JobRecord, n: int, found: ReconcileResult, now: float) -> int:
    """Write what changes in rows, and count the chunk anew; gives its ``unfinished``."""
    suppress(db, job, found.suppressed, now)
    keep_from_twins(db, job, found.found, now)
    rises = Rises(job, now)
    for (before, after), rows in found.rises.items():
        rises.add(before, after, rows=rows)
    rises.write(db)
    deliver(db, found.deliveries)
    change(db, ((n, one) for one in found.changes))
    return recount(db, job, n)


def merge_whole(
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
    change(db, ((n, one) for one in heard))
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
