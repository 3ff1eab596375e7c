"""Events that came before it was known whose they are: the provider may speak of a request before
its response is recorded, or after that was lost. They are kept by the provider's reference until a
chunk gets it, and then written down in the same transaction; what nobody claims is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mailkit.bulk.journal.chunk_rows import following
from mailkit.bulk.journal.hearing import News, hear_at
from mailkit.bulk.journal.matching import key_of
from mailkit.bulk.journal.records import ChunkState, JobRecord
from mailkit.bulk.journal.store import Connection
from mailkit.events import DeliveryEvent, DeliveryStatus

__all__ = [
    "KEPT",
    "claim",
    "forget_parked",
    "may_be_ours",
    "park",
    "parked_about",
    "references_about",
    "rename_parked",
]

KEPT = 7 * 24 * 3600.0
"""The seconds that an event waits for its chunk, and that a repeat is known for."""

_FORGOTTEN = 200  # at most, each time


def may_be_ours(db: Connection, provider: str) -> bool:
    """Whether a chunk may yet get a reference: it was handed to the provider, and how that ended is
    not recorded, or was not what the provider did.
    """
    found = db.execute(
        "SELECT 1 FROM jobs JOIN chunks ON chunks.job = jobs.id WHERE jobs.provider = ? "
        f"AND chunks.state IN ('{ChunkState.SENDING}', '{ChunkState.IN_DOUBT}', "
        f"'{ChunkState.PLANNED}', '{ChunkState.LOADING}') AND takes > 0 LIMIT 1",
        (provider,),
    )
    return found.fetchone() is not None


def park(db: Connection, reference: str, events: Iterable[DeliveryEvent], now: float) -> None:
    """Keep what is said of messages of this reference: of each the latest."""
    db.executemany(
        "INSERT INTO parked (provider, reference, key, delivery, reason, happened, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (provider, reference, key) DO UPDATE "
        "SET delivery = excluded.delivery, reason = excluded.reason, happened = excluded.happened "
        "WHERE excluded.delivery > parked.delivery",
        [
            (
                one.provider,
                reference,
                key_of(one.address or ""),
                one.status,
                one.reason,
                None if one.at is None else one.at.timestamp(),
                now,
            )
            for one in events
        ],
    )


def claim(db: Connection, job: JobRecord, n: int, reference: str, now: float) -> None:
    """The chunk has this reference: what was kept for it is about its rows."""
    which = (job.provider, reference)
    parked = db.execute(
        "SELECT key, delivery, reason, happened FROM parked WHERE provider = ? AND reference = ?",
        which,
    ).fetchall()
    if not parked:
        return
    said: dict[str, list[News]] = {
        key: [(key, n, DeliveryStatus(delivery), reason, happened)]
        for key, delivery, reason, happened in parked
    }
    hear_at(db, job, n, said, now)
    db.execute("DELETE FROM parked WHERE provider = ? AND reference = ?", which)


def references_about(db: Connection, job: JobRecord, n: int, now: float) -> list[str]:
    """The references under which events of the chunk's people are kept: one may be the chunk's."""
    parked = db.execute(
        "SELECT reference, key FROM parked WHERE provider = ? AND at >= ? ORDER BY reference",
        (job.provider, now - KEPT),
    ).fetchall()
    if not parked:
        return []
    rows = following(db, job, n, "coalesce(key, address)").fetchall()
    people = {key for (key,) in rows}
    return list(dict.fromkeys(reference for reference, key in parked if key in people))


def parked_about(db: Connection, keys: Sequence[str]) -> int:
    """How many events about the people with these keys are kept."""
    return sum(
        db.execute("SELECT count(*) FROM parked WHERE key = ?", (key,)).fetchone()[0]
        for key in keys
    )


def rename_parked(db: Connection, codes: Mapping[str, str]) -> None:
    """People are known by codes from now on, by their keys so far; what was kept by both is kept
    once.
    """
    for key, code in codes.items():
        db.execute(
            "UPDATE parked SET key = ?, reason = '' WHERE key = ? AND NOT EXISTS (SELECT 1 FROM "
            "parked AS other WHERE other.provider = parked.provider "
            "AND other.reference = parked.reference AND other.key = ?)",
            (code, key, code),
        )
        db.execute("DELETE FROM parked WHERE key = ?", (key,))


def forget_parked(db: Connection, now: float, most: int = _FORGOTTEN) -> None:
    """Forget what is too old, so many at ``most`` each time: the oldest first."""
    db.execute(
        "DELETE FROM parked WHERE id IN (SELECT id FROM parked ORDER BY id LIMIT ?) AND at < ?",
        (most, now - KEPT),
    )
