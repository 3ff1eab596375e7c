"""Whether a journal knows everything that was sent, and a person's word that it must do."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from mailkit.bulk.journal.leases import REQUEST_SECONDS
from mailkit.bulk.journal.records import Adopt, ChunkState
from mailkit.bulk.journal.restoring import doubt_plans, doubt_unsent, put_back, words_for
from mailkit.bulk.journal.sqlite import witness
from mailkit.bulk.journal.sqlite.witness import Origin, Take, Witness

__all__ = ["adopt", "copied", "fault_of"]


def fault_of(
    db: sqlite3.Connection, path: Path, origin: Origin, testimony: Witness | None
) -> str | None:
    """Why the journal may not know everything that was sent; None if it does."""
    place = witness.place(path)
    if testimony is None:
        return (
            f"{path} was copied, moved or restored without {place.name}, which records what was "
            f"sent since. Put that file next to it. If it is gone: {_say()}"
        )
    if (copy := copied(path, origin, testimony)) is not None:
        return copy
    (journal,) = db.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
    if testimony.journal != journal:
        return (
            f"{place} belongs to another journal than {path}. Put the right one next to it. If "
            f"that is gone: {_say()}"
        )
    gap = witness.missing(db, testimony)
    return None if gap is None else witness.told(path, gap)


def copied(path: Path, origin: Origin, testimony: Witness) -> str | None:
    """The same, as far as it can be said before SQLite opens the file, and the -wal next to it."""
    if testimony.origin is None or not testimony.origin.is_copied_to(origin):
        return None
    if testimony.origin.path != origin.path:
        return f"{path} is a copy of another journal, or was moved: {_say()}"
    stayed = f"{witness.place(path).name} is still there, or "
    return f"{path} was restored from a backup: {_say(stayed)}"


def _say(latest: str = "") -> str:
    """What a person can say, and when nothing is missing."""
    words = {how: words_for(how) for how in Adopt}
    return (
        f"once no other copy is in use, open this one with {words[Adopt.LATEST]} if "
        f"{latest}nothing was sent since, otherwise with {words[Adopt.OLDER]}, which puts what it "
        "was about to send in doubt"
    )


def adopt(db: sqlite3.Connection, path: Path, origin: Origin, how: Adopt) -> Witness | None:
    """Take the journal as it is; what its witness knows and the journal does not is in doubt. Of an
    older copy, so is everybody that its original may have mailed.

    Returns the new witness, to be written once this is committed; None if nothing is wrong. It
    keeps all that the old one knew: the same backup may be put back once more.
    """
    testimony = witness.read(witness.place(path))
    if fault_of(db, path, origin, testimony) is None:
        return None
    meta = dict(db.execute("SELECT key, value FROM meta"))
    own = testimony is not None and testimony.journal == meta["id"]
    if how is Adopt.OLDER and (testimony is None or not own or copied(path, origin, testimony)):
        doubt_unsent(db)
        put_back(db, time.time())
    last = int(meta["commits"])
    takes: dict[int, dict[int, int]] = {}
    if testimony is not None and testimony.journal == meta["id"]:
        last = max(last, testimony.last)
        takes = {job: dict(chunks) for job, chunks in testimony.takes.items()}
        if gap := witness.missing(db, testimony):
            put_back(db, min(testimony.written + REQUEST_SECONDS, time.time()))
            doubt_plans(db, {take.job for take in gap.takes})
            _doubt(db, gap.takes, testimony.written)
            _reserve(db, gap.takes)
    for job, chunk, times in db.execute("SELECT job, n, takes FROM chunks WHERE takes > 0"):
        takes.setdefault(job, {})[chunk] = times
    known = {job for (job,) in db.execute("SELECT id FROM jobs")}
    lost = " ".join(str(job) for job in sorted(takes) if job not in known)
    db.execute("INSERT OR REPLACE INTO meta VALUES ('lost', ?)", (lost,))
    db.execute("UPDATE meta SET value = ? WHERE key = 'commits'", (last + 1,))
    return Witness(meta["id"], origin, last + 1, takes)


def _doubt(db: sqlite3.Connection, takes: Sequence[Take], latest: float) -> None:
    """Put in doubt what may have been sent by these takes, the ``latest`` of them at that time.

    That is the chunk itself; but where chunks of the job were cut or put together since, its number
    does not say which rows it had, and all in the job that was not accepted is in doubt.
    """
    for job, chunk, times in takes:
        whole = db.execute(
            "SELECT 1 FROM chunks WHERE job = ? AND n = ? AND root IS NULL AND state <> "
            f"'{ChunkState.EMPTY}' "
            "AND NOT EXISTS (SELECT 1 FROM chunks AS parts WHERE job = ? AND parts.root = ?)",
            (job, chunk, job, chunk),
        ).fetchone()
        db.execute("UPDATE chunks SET takes = ? WHERE job = ? AND n = ?", (times, job, chunk))
        db.execute(
            f"UPDATE chunks SET state = '{ChunkState.IN_DOUBT}', role = NULL, started = ?, ended "
            "= NULL, "
            "reason = 'a later state of the journal, now lost, sent it' "
            f"WHERE job = ? AND (n = ? OR ?) AND state IN ('{ChunkState.PLANNED}', "
            f"'{ChunkState.LOADING}', '{ChunkState.SENDING}', '{ChunkState.REJECTED}')",
            (latest, job, chunk, whole is None),
        )


def _reserve(db: sqlite3.Connection, takes: Sequence[Take]) -> None:
    """Let no new job or chunk have the number of one that was taken in the state that is lost."""
    db.executemany(
        "INSERT INTO chunks (job, n, state, first, last, rows, attempt, takes, reconciled, "
        f"unfinished) SELECT id, ?, '{ChunkState.EMPTY}', 0, -1, 0, 1, ?, 0, 0 FROM jobs "
        "WHERE id = ? "
        "ON CONFLICT DO NOTHING",
        [(chunk, times, job) for job, chunk, times in takes],
    )
    db.execute(
        "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'jobs'",
        (max((job for job, *_ in takes), default=0),),
    )
