"""Which names are taken: not that of a job that ended without mailing anybody.

Nothing of such a job was or may have been sent: its rows are invalid, duplicate, suppressed or
rejected, or it was cancelled before. It stays until another job is planned under its name, so that
whoever corrects a list can still see what was wrong with it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from shlex import quote

from mailkit.bulk.journal.counting import counts
from mailkit.bulk.journal.liveness import Liveness
from mailkit.bulk.journal.ownership import living
from mailkit.bulk.journal.records import ChunkState, JobRecord, JobState, RowState
from mailkit.bulk.journal.store import Connection
from mailkit.bulk.journal.wanted import UNSENT
from mailkit.errors import JobExists
from mailkit.remedies import remedy
from mailkit.text import counted

__all__ = [
    "already_ordered",
    "exists",
    "free_name",
    "is_being_planned",
    "is_over_without_anybody",
    "is_provisional",
    "make_way",
    "may_have_been_sent",
    "provisional",
    "was_cut_off",
]

_provisional = re.compile(r"\.[0-9a-f]{16}").fullmatch
_SENT = f"'{ChunkState.SENDING}', '{ChunkState.ACCEPTED}', '{ChunkState.IN_DOUBT}'"


def provisional() -> str:
    """A name that nobody else gives, for a job until its planning ends."""
    return f".{secrets.token_hex(8)}"


def is_provisional(name: str) -> bool:
    """Whether this is one of those."""
    return _provisional(name) is not None


def is_over_without_anybody(db: Connection, lives: Liveness, job: JobRecord) -> bool:
    """Whether nothing of the job was or may have been sent, and nothing is going to be."""
    if job.state is not JobState.PLANNED or was_cut_off(job) or living(db, lives, job.id):
        return False
    return not _has_rows(db, job, _SENT if job.cancelled is not None else f"{_SENT}, {UNSENT}")


def was_cut_off(job: JobRecord) -> bool:
    """Whether the job was still being planned in an older state of the journal that was put back:
    it may have been sent since.
    """
    return job.state is JobState.PLANNED and job.fingerprint is None


def may_have_been_sent(job: JobRecord) -> JobExists:
    """The refusal to send the list of such a job."""
    return JobExists(
        f"the job {job.name} was still being planned in the older state of the journal that was "
        "put back, and may have been sent since. If it was not, send its list under another name "
        "with " + remedy("again=True", "--again"),
        name=job.name,
    )


def _has_rows(db: Connection, job: JobRecord, states: str) -> bool:
    """Whether rows follow a chunk in one of these states, or were accepted or are in doubt by
    themselves.
    """
    found = db.execute(
        f"SELECT 1 FROM chunks WHERE job = ? AND rows > 0 AND state IN ({states}) UNION ALL "
        f"SELECT 1 FROM rows WHERE state IN ('{RowState.ACCEPTED}', '{RowState.IN_DOUBT}') "
        "AND id BETWEEN ? AND ? LIMIT 1",
        (job.id, *job.ids),
    )
    return found.fetchone() is not None


def make_way(db: Connection, old: JobRecord, new: JobRecord) -> None:
    """The job ``new``, which is planned, is to have the name of one that is over without anybody.

    That one is forgotten if it never had anybody to mail, else it gets the next free name. Whoever
    looks for the new one's chunks at the provider must not find the old one's: they count as sent
    once more.
    """
    (attempt,) = db.execute(
        "SELECT coalesce(max(attempt), 0) FROM chunks WHERE job = ?", (old.id,)
    ).fetchone()
    if attempt:
        db.execute("UPDATE jobs SET name = ? WHERE id = ?", (free_name(db, old.name), old.id))
        db.execute("UPDATE chunks SET attempt = attempt + ? WHERE job = ?", (attempt, new.id))
        return
    db.execute("DELETE FROM workers WHERE job = ?", (old.id,))  # they are all dead
    db.execute(
        f"UPDATE jobs SET name = ?, state = '{JobState.PLANNING}', planner = 0 WHERE id = ?",
        (provisional(), old.id),
    )


def is_being_planned(job: JobRecord) -> JobExists:
    """The refusal to start a name that somebody else has just taken, in whatever process."""
    return JobExists(
        f"the job {job.name} is being planned right now: wait until its list is read, or use "
        "another name",
        name=job.name,
    )


def exists(db: Connection, lives: Liveness, job: JobRecord) -> JobExists:
    """The refusal to start a name that is taken."""
    name = job.name
    if job.state is JobState.PLANNING:
        return is_being_planned(job)
    if was_cut_off(job):
        return may_have_been_sent(job)
    what = f"the job {name} already exists"
    if living(db, lives, job.id, sends=True):
        what += f", and is being sent right now; {_to_follow(job)}"
    elif _has_rows(db, job, _SENT):
        what += _what_became_of(db, lives, job)
    else:
        what += f", and nothing of it was sent yet; {_to_send(job)}; to free its name, cancel it"
    return JobExists(what, name=name)


def _what_became_of(db: Connection, lives: Liveness, job: JobRecord) -> str:
    """What became of a job whose name somebody wants, and what can be done."""
    name, now = job.name, counts(db, job, living(db, lives, job.id))
    if now.in_doubt:
        return (
            f", and has {counted(now.in_doubt, 'row')} in doubt: check them ({_status(job)}), or "
            "use another name"
        )
    if now.unsent and job.cancelled is not None:
        resume = remedy(
            f"sender.resume({name!r}, cancelled=True)", f"mailkit resume {quote(name)} --cancelled"
        )
        return (
            f", and was cancelled with {counted(now.unsent, 'row')} unsent: send these with "
            f"{resume}, or use another name"
        )
    if now.unsent:
        return f", and has {counted(now.unsent, 'row')} unsent: resume it, or use another name"
    again = remedy("again=True", "--again")
    return (
        ", and has nothing left to send: use another name, or mail everybody on the list once "
        f"more with {again}"
    )


def already_ordered(db: Connection, lives: Liveness, job: JobRecord) -> JobExists:
    """The refusal to start another job of the message and list of this one."""
    name = job.name
    if living(db, lives, job.id, sends=True):
        what = (
            f"this message is being sent to this list right now, as the job {name}; "
            f"{_to_follow(job)}"
        )
    elif _has_rows(db, job, _SENT):
        what = _already_sent(db, lives, job)
    else:
        what = (
            f"this message is planned for this list, as the job {name}, and nothing was sent yet; "
            f"{_to_send(job)}; to send it with another job, cancel that job first"
        )
    return JobExists(what, name=name)


def _already_sent(db: Connection, lives: Liveness, job: JobRecord) -> str:
    """What became of the job of the same message and list, and what can be done."""
    name, now = job.name, counts(db, job, living(db, lives, job.id))
    part = " a part of" if now.unsent or (now.accepted and now.in_doubt) else ""
    went = f"{'already went' if now.accepted else 'may have gone'} to{part} this list"
    if now.unsent:
        return (
            f"this message {went}, as the job {name}, which has {counted(now.unsent, 'row')} "
            "unsent: resume that job, or cancel it to send the rest with another"
        )
    if now.in_doubt:
        settle = remedy(f"resolve(journal, {name!r}, …)", f"mailkit resolve {quote(name)}")
        return (
            f"this message {went}, as the job {name}, which has {counted(now.in_doubt, 'row')} in "
            f"doubt: check them ({_status(job)}), and say what became of them ({settle})"
        )
    again = remedy("again=True", "--again")
    return f"this message {went}, as the job {name}: resume that job, or send again with {again}"


def _status(job: JobRecord) -> str:
    return remedy(f"make_report(journal, {job.name!r})", f"mailkit status {quote(job.name)}")


def _to_follow(job: JobRecord) -> str:
    return f"to see how far it is: {_status(job)}"


def _to_send(job: JobRecord) -> str:
    how = remedy(f"sender.resume({job.name!r})", f"mailkit resume {quote(job.name)}")
    return f"to send it: {how}"


def free_name(db: Connection, base: str) -> str:
    """The first of ``base``, ``base-2``, ``base-3`` that no job has."""
    for name in _numbered(base):
        if db.execute("SELECT 1 FROM jobs WHERE name = ?", (name,)).fetchone() is None:
            return name
    raise AssertionError


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1
