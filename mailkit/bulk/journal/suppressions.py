"""The suppression store: addresses that no job of this journal mails any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mailkit.address import dedupe_key, normalize
from mailkit.bulk.journal.batches import in_rows
from mailkit.bulk.journal.elsewhere import ALREADY
from mailkit.bulk.journal.pseudonyms import MARK, aliases, has_any
from mailkit.bulk.journal.records import JobRecord
from mailkit.bulk.journal.store import Connection, Dialect, Store
from mailkit.errors import InvalidArgument
from mailkit.events import DeliveryStatus

__all__ = [
    "FORGOTTEN",
    "SUPPRESSES",
    "Suppression",
    "Suppressions",
    "keep_from_twins",
    "names_of",
    "rename_suppressed",
    "suppress",
    "suppressed_of",
]

SUPPRESSES: Mapping[int, str] = {
    DeliveryStatus.HARD_BOUNCE: "bounced",
    DeliveryStatus.UNSUBSCRIBED: "unsubscribed",
    DeliveryStatus.COMPLAINED: "complained",
}
"""What must have happened to a message so that its address is not mailed any more, in a word."""


FORGOTTEN = "forgotten"
"""The reason that is left of suppressions, and of rows, of people who were forgotten."""


class Suppression(NamedTuple):
    """A suppressed address, why, and since when (seconds since 1970)."""

    address: str
    reason: str
    since: float


class Suppressions:
    """One store for all jobs, because people unsubscribe from a sender, not from a job."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, addresses: Iterable[str], *, reason: str, now: float) -> int:
        """Suppress these addresses; returns how many were new.

        An address that can't be one raises InvalidArgument, and none is added.
        """
        return await self.load([(address, reason) for address in addresses], now=now)

    async def load(self, people: Iterable[tuple[str, str]], *, now: float) -> int:
        """The same for addresses with a reason of their own each. They are read while they are
        stored, in the journal's thread, and may be read again: an iterator won't do.
        """
        return await self._store.write(lambda db: _add(db, _rows(people, now)))

    async def remove(self, addresses: Iterable[str]) -> int:
        """Allow these addresses again; returns how many were suppressed."""
        keys = [(dedupe_key(normalize(address)),) for address in addresses]

        def work(db: Connection) -> int:
            codes = [(code,) for code in aliases(db, (key for (key,) in keys))]
            return db.executemany(
                "DELETE FROM suppressions WHERE job = 0 AND key = ?", [*keys, *codes]
            ).rowcount

        return await self._store.write(work)

    async def forgotten(self) -> int:
        """How many are suppressed whose addresses were forgotten: no list has these."""

        def work(db: Connection) -> int:
            found = db.execute(
                "SELECT count(*) FROM suppressions WHERE job = 0 AND substr(key, 1, 1) = ?",
                (MARK,),
            )
            return int(found.fetchone()[0])

        return await self._store.read(work)

    async def list(self) -> AsyncIterator[Suppression]:
        """Every suppressed address, in alphabetical order, but for those that were forgotten."""
        found = self._store.stream(
            "SELECT key, reason, since FROM suppressions WHERE job = 0 "
            "AND substr(key, 1, 1) <> ? ORDER BY key",
            (MARK,),
        )
        async for rows in found:
            for row in rows:
                yield Suppression(*row)


def names_of(db: Connection, dialect: Dialect) -> str:
    """By which keys the person of a row may be suppressed, as SQL."""
    person = "coalesce(rows.key, rows.address)"
    return f"{person}, {dialect.pseudonym(person)}" if has_any(db) else person


def suppress(db: Connection, job: JobRecord, people: Sequence[tuple[str, int]], now: float) -> None:
    """Suppress people by their keys, since messages of the job have got so far; in the caller's
    transaction.
    """
    if people:
        _add(
            db,
            [(key, f"{SUPPRESSES[delivery]} (job {job.name})", now) for key, delivery in people],
        )


def keep_from_twins(db: Connection, job: JobRecord, keys: Sequence[str], now: float) -> None:
    """People whom the job seemed not to have mailed, but did: other jobs that send the same, and
    have planned these people meanwhile, leave them out. In the caller's transaction.
    """
    if not keys:
        return
    twins = db.execute(
        "SELECT id FROM jobs WHERE id <> ? AND content = (SELECT content FROM jobs WHERE id = ?)",
        (job.id, job.id),
    ).fetchall()
    for (twin,) in twins:
        _add(db, [(key, f"{ALREADY}{job.name}", now) for key in keys], job=twin)


def suppressed_of(db: Connection, keys: Sequence[str]) -> int:
    """How many of the people with these keys no job mails any more."""
    return sum(
        db.execute(
            "SELECT count(*) FROM suppressions WHERE job = 0 AND key = ?", (key,)
        ).fetchone()[0]
        for key in keys
    )


def rename_suppressed(db: Connection, codes: Mapping[str, str]) -> None:
    """People are known by codes from now on, by their keys so far, and stay suppressed. Jobs that
    are planned already compare anew.
    """
    for key, code in codes.items():
        for job, reason, since in db.execute(
            "SELECT job, reason, since FROM suppressions WHERE key = ?", (key,)
        ).fetchall():
            why = reason if reason.startswith(ALREADY) else FORGOTTEN
            _add(db, [(code, why, since)], job=job)
        db.execute("DELETE FROM suppressions WHERE key = ?", (key,))


def _rows(people: Iterable[tuple[str, str]], now: float) -> Iterator[tuple[str, str, float]]:
    for address, reason in people:
        if address.startswith("*@"):
            raise InvalidArgument(
                f"{address} would be one address: a whole domain can't be suppressed"
            )
        yield dedupe_key(normalize(address)), reason, now


def _add(db: Connection, rows: Iterable[tuple[str, str, float]], *, job: int = 0) -> int:
    """Add keys with reason and time, and let jobs that are planned already know; gives how many
    were new.
    """
    added = sum(
        db.execute(
            f"INSERT INTO suppressions (job, key, reason, since) VALUES {marks} "
            "ON CONFLICT DO NOTHING",
            values,
        ).rowcount
        for marks, values in in_rows((job, *row) for row in rows)
    )
    if added:
        db.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'suppressed'")
    return added
