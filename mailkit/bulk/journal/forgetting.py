"""A person is forgotten: what the journal knows about them becomes unreadable, and its promise is
kept all the same.

Their rows get a code in the place of the address (see erasing.py), and so do suppressions and
events that wait for their request. Whoever has a message by a job of this journal is known by the
code, and so is whoever must not get any. Rows that were not mailed are never going to be. As long
as the address itself is needed, for a request or to settle what became of one, nobody is forgotten.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import attrs

from mailkit.address import InvalidAddress, dedupe_key, normalize
from mailkit.bulk.journal.addressees import rename
from mailkit.bulk.journal.batches import in_parts
from mailkit.bulk.journal.chunk_rows import recount
from mailkit.bulk.journal.counting import leave
from mailkit.bulk.journal.erasing import erase
from mailkit.bulk.journal.hearing import close_if_left
from mailkit.bulk.journal.jobs import Overtaken, every
from mailkit.bulk.journal.mentions import Mentions
from mailkit.bulk.journal.outcomes import leave_out
from mailkit.bulk.journal.ownership import living
from mailkit.bulk.journal.parking import parked_about, rename_parked
from mailkit.bulk.journal.pseudonyms import code_of, secret
from mailkit.bulk.journal.records import ChunkState, JobRecord, JobState, RowRecord, RowState
from mailkit.bulk.journal.row_ids import row_id
from mailkit.bulk.journal.rows import COLUMNS, records
from mailkit.bulk.journal.store import Connection, Store
from mailkit.bulk.journal.suppressions import FORGOTTEN, rename_suppressed, suppressed_of
from mailkit.errors import InvalidArgument
from mailkit.remedies import remedy

__all__ = ["ForgetResult", "Forgetting", "FoundRow"]


class FoundRow(NamedTuple):
    """A row of a person, by its job and line, and its state before anything was changed."""

    job: str
    line: int
    state: RowState


@attrs.frozen
class ForgetResult:
    """Where people were found: their ``rows``; how many of them are ``suppressed``; how many events
    about them are ``parked``, since they wait for their request; how many calls of which handlers
    are still to be made; how many reasons of chunks, jobs and other people's rows mention them. The
    ``obstacles`` say why they can't be forgotten yet.
    """

    rows: Sequence[FoundRow]
    suppressed: int
    parked: int
    handler_calls: Mapping[str, int]
    mentions: int
    obstacles: Sequence[str] = ()


@attrs.frozen
class _Scan:
    """The jobs by how many rows they have read, the ids of the rows that are about the people, and
    of those whose reasons mention them.
    """

    jobs: Mapping[int, int]
    rows: Sequence[int]
    mentions: Sequence[int]


@attrs.frozen
class _Row:
    """A row of a person, and the state of its chunk."""

    job: JobRecord
    row: RowRecord
    chunk: ChunkState | None = None
    reconciled: bool = True

    @property
    def id(self) -> int:
        """Its id in the database."""
        return row_id(self.job.id, self.row.n)

    @property
    def obstacle(self) -> str | None:
        """Why its address is still needed."""
        who, job, row = self.row.address, self.job.name, self.row
        if row.state in (RowState.INVALID, RowState.DUPLICATE, RowState.SUPPRESSED):
            return None
        if self.chunk in (ChunkState.LOADING, ChunkState.SENDING):
            return f"a request of the job {job} with {who} is under way: wait until it has ended"
        if row.state is RowState.IN_DOUBT or self.chunk is ChunkState.IN_DOUBT:
            return (
                f"{who} is in doubt in the job {job}, or was sent with a recipient who is: "
                + remedy("resolve that first", f"resolve that first, as mailkit report {job} says")
            )
        if row.state is RowState.UNSENT and self.job.cancelled is None:
            return f"the job {job} is still going to mail {who}: send the rest of it, or cancel it"
        if row.state is RowState.ACCEPTED and not self.reconciled:
            return f"the job {job} still has to check the status of {who}: resume it to its end"
        return None


class Forgetting:
    """Forgets people."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def look(self, addresses: Iterable[str], *, drop_calls: bool = False) -> ForgetResult:
        """Where the people with these addresses are, and all that `forget` would refuse them for;
        changes nothing.
        """
        keys = _keys(addresses)
        mentions = Mentions(keys)

        def work(db: Connection) -> ForgetResult:
            scan = _scan(db, keys, mentions)
            return self._found(db, keys, mentions, scan, drop_calls=drop_calls)[0]

        return await self._store.read(work)

    async def forget(self, addresses: Iterable[str], *, drop_calls: bool = False) -> ForgetResult:
        """Forget the people with these addresses; returns where they were.

        InvalidArgument if one of them can't be forgotten yet, with all that is in the way: then
        nobody is. That is also so as long as calls of webhook handlers about them are to be made,
        unless these are dropped.
        """
        keys = _keys(addresses)
        mentions = Mentions(keys)
        while True:
            scan = await self._store.read(lambda db: _scan(db, keys, mentions))

            def work(db: Connection, scan: _Scan = scan) -> ForgetResult:
                if _read(db) != scan.jobs:
                    raise Overtaken
                found, rows = self._found(db, keys, mentions, scan, drop_calls=drop_calls)
                if found.obstacles:
                    raise InvalidArgument(_all_of(found.obstacles))
                self._forget(db, keys, mentions, scan, rows)
                return found

            with contextlib.suppress(Overtaken):
                return await self._store.write(work)

    def _found(
        self,
        db: Connection,
        keys: Sequence[str],
        mentions: Mentions,
        scan: _Scan,
        *,
        drop_calls: bool,
    ) -> tuple[ForgetResult, Sequence[_Row]]:
        rows: list[_Row] = []
        obstacles: list[str] = []
        for job in every(db):
            first, last = job.ids
            some = [id for id in scan.rows if first <= id <= last]
            if job.state is JobState.PLANNING:
                obstacles.append(
                    f"the job {job.name} is being planned: try again once it has read its list"
                )
            elif some:
                rows += _rows(db, job, living(db, self._store.liveness, job.id), some)
        obstacles += [row.obstacle for row in rows if row.obstacle is not None]
        calls = Counter(handler for _, handler in mentions.in_calls(db))
        if calls and not drop_calls:
            obstacles.append(_calls_to_make(calls))
        found = ForgetResult(
            rows=[FoundRow(one.job.name, one.row.line, one.row.state) for one in rows],
            suppressed=suppressed_of(db, keys),
            parked=parked_about(db, keys),
            handler_calls=calls,
            mentions=len(mentions.removals(db, scan.mentions)),
            obstacles=[*dict.fromkeys(obstacles)],  # a list may have somebody twice
        )
        return found, rows

    def _forget(
        self,
        db: Connection,
        keys: Sequence[str],
        mentions: Mentions,
        scan: _Scan,
        rows: Sequence[_Row],
    ) -> None:
        journal = secret(db)
        codes = {key: code_of(journal, key) for key in keys}
        for statement, values in mentions.removals(db, scan.mentions):
            db.execute(statement, values)
        for one in rows:
            if one.row.state in (RowState.REJECTED, RowState.UNSENT):
                _suppress(db, one)
        ids = [one.id for one in rows]
        erase(db, self._store.dialect, ids)
        for marks, some in in_parts(ids):
            db.execute(
                f"UPDATE rows SET reason = ? WHERE id IN ({marks}) "
                f"AND state IN ('{RowState.SUPPRESSED}', '{RowState.INVALID}')",
                (FORGOTTEN, *some),
            )
        for job in sorted({one.job.id for one in rows}):
            rename(db, job, codes)
            db.execute("UPDATE jobs SET erased = 1 WHERE id = ? AND erased = 0", (job,))
        rename_suppressed(db, codes)
        rename_parked(db, codes)
        db.executemany(
            "DELETE FROM handler_calls WHERE id = ?", [(id,) for id, _ in mentions.in_calls(db)]
        )


def _keys(addresses: Iterable[str]) -> Sequence[str]:
    keys = [*dict.fromkeys(_key(address) for address in addresses)]
    if not keys:
        raise InvalidArgument("no address is given")
    return keys


def _key(address: str) -> str:
    """By which the person is found. An invalid row has its address as it was read."""
    try:
        return dedupe_key(normalize(address))
    except InvalidAddress:
        if "@" not in address.strip("@ "):
            raise
        return address.strip().lower()


def _read(db: Connection) -> Mapping[int, int]:
    return {job.id: job.read for job in every(db)}


def _scan(db: Connection, keys: Sequence[str], mentions: Mentions) -> _Scan:
    """Rows have no index by address: all are read."""
    jobs = _read(db)
    rows = set(mentions.in_invalid_rows(db))
    for marks, some in in_parts(keys):
        found = db.execute(f"SELECT id FROM rows WHERE coalesce(key, address) IN ({marks})", some)
        rows.update(id for (id,) in found)
    return _Scan(jobs, sorted(rows), [id for id in mentions.in_rows(db) if id not in rows])


def _rows(db: Connection, job: JobRecord, alive: frozenset[int], ids: Sequence[int]) -> list[_Row]:
    """The rows as they are now, with the states of their chunks."""
    found = []
    for marks, some in in_parts(ids):
        found += db.execute(
            f"SELECT {COLUMNS} FROM rows WHERE id IN ({marks}) ORDER BY id", some
        ).fetchall()
    rows: list[_Row] = []
    for row in records(db, job, alive, found) if found else ():
        chunk = None
        if row.chunk is not None:
            chunk = db.execute(
                "SELECT state, reconciled FROM chunks WHERE job = ? AND n = ?", (job.id, row.chunk)
            ).fetchone()
        rows.append(
            _Row(job, row)
            if chunk is None
            else _Row(job, row, ChunkState(chunk[0]), bool(chunk[1]))
        )
    return rows


def _suppress(db: Connection, one: _Row) -> None:
    """A row that was not mailed never will be: it leaves its chunk."""
    job, n = one.job, one.row.chunk
    rejected = db.execute(
        f"UPDATE rows SET state = '{RowState.SUPPRESSED}', chunk = NULL "
        f"WHERE id = ? AND state = '{RowState.REJECTED}'",
        (one.id,),
    )
    leave(db, job, RowState.SUPPRESSED, rejected.rowcount)
    if n is not None:
        leave_out(db, job, n, RowState.SUPPRESSED, {one.row.n: FORGOTTEN})
        close_if_left(db, job, n)
        recount(db, job, n)


def _all_of(obstacles: Sequence[str]) -> str:
    """One sentence; several are numbered."""
    if len(obstacles) == 1:
        return obstacles[0]
    numbered = "; ".join(f"({n}) {obstacle}" for n, obstacle in enumerate(obstacles, 1))
    return f"nobody was forgotten, for {len(obstacles):,} reasons: {numbered}"


def _calls_to_make(calls: Mapping[str, int]) -> str:
    many = ", ".join(f"{count} of {handler}" for handler, count in sorted(calls.items()))
    drop = remedy("drop_calls=True", "--drop-calls")
    return (
        f"webhook handler calls about them are pending ({many}): wait until they are made, or "
        f"drop them with {drop}"
    )
