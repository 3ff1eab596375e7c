"""Who has this message from another job of the journal, or will get it there.

A person belongs to the first job with the same content (``jobs.content``) that accepted the row,
has it in doubt, is sending it, or still has it planned. Rows that were refused there, by the plan
or by the provider, belong to nobody, and neither do those that a cancelled job has not sent; but
refused rows of a job from before an older state of the journal was put back may have been ordered
again, and sent.
Whatever makes rows planned asks here first: so nobody belongs to two jobs, but where a person
ordered a job ``again``. Such a job is for everybody, whatever the jobs before it have; those that
came after it count.

Rows have no index by address: it would cost every job more than it spares the second one, which
reads the other job's rows once and sorts them together with its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

import attrs

from mailkit.bulk.journal.jobs import Twin
from mailkit.bulk.journal.pseudonyms import MARK, has_any
from mailkit.bulk.journal.records import ChunkState, JobRecord, RowState
from mailkit.bulk.journal.row_ids import span
from mailkit.bulk.journal.store import Connection, Dialect

__all__ = [
    "ALREADY",
    "MAYBE",
    "WAITING",
    "Question",
    "count",
    "left_to",
    "owner_in",
    "questions",
]

ALREADY = "already sent by job "
WAITING = "waiting in job "
MAYBE = "may have been sent by job "
_RESUME = ": resume that job"

_PERSON = "coalesce(rows.key, rows.address)"
_NONE = "CAST(NULL AS INTEGER)"  # the parts of a union must be of one type
TWINS = 100  # in one query; SQLite puts no more than 500 parts together


@attrs.frozen
class Question:
    """A query for rows whose person belongs to another job: each row's id, and the place of the
    reason in ``reasons``.
    """

    sql: str
    reasons: Sequence[str]


def owner_in(reason: str) -> str:
    """The job that a row is left to, by the row's reason."""
    for prefix in (ALREADY, WAITING, MAYBE):
        reason = reason.removeprefix(prefix)
    return reason.removesuffix(_RESUME)


def count(db: Connection, job: JobRecord, reasons: Iterable[str], sign: int = 1) -> None:
    """The job has duplicates with these reasons, one for each; with the ``sign`` -1, not any more.
    Those that are not left to other jobs don't count.
    """
    counted = Counter(reason for reason in reasons if reason.startswith((ALREADY, WAITING, MAYBE)))
    db.executemany(
        "INSERT INTO elsewhere (job, reason, rows) VALUES (?, ?, ?) "
        "ON CONFLICT (job, reason) DO UPDATE SET rows = elsewhere.rows + excluded.rows",
        [(job.id, reason, sign * rows) for reason, rows in counted.items()],
    )


def questions(
    job: JobRecord, seen: Sequence[Twin], state: RowState | None, dialect: Dialect
) -> Iterator[Question]:
    """What to ask about the job's rows that are ``unsent`` or ``rejected``, or, with None as the
    ``state``, not cut into chunks yet.
    """
    seen = [twin for twin in seen if not job.again or twin.id > job.id]
    for first in range(0, len(seen), TWINS):
        some = seen[first : first + TWINS]
        places = [(n, n + len(some), n + 2 * len(some)) for n in range(len(some))]
        live = [_live(*one, dialect) for one in zip(some, places, strict=True)]
        own = [_own(job, state, dialect)]
        if any(twin.erased for twin in some):  # they have codes instead of people
            own.append(_own(job, state, dialect, dialect.pseudonym(_PERSON)))
        rows = [*own, *live]
        yield Question(
            "SELECT mine, min(owner) FROM (SELECT max(mine) AS mine, min(owner) AS owner FROM ("
            f"{' UNION ALL '.join(rows)}) AS everybody GROUP BY person) AS people "
            "WHERE mine IS NOT NULL AND owner IS NOT NULL "
            "GROUP BY mine ORDER BY mine",  # else each commit would write all over the file
            [
                *(f"{ALREADY}{twin.name}" for twin in some),
                *(f"{WAITING}{twin.name}{_RESUME}" for twin in some),
                *(f"{MAYBE}{twin.name}" for twin in some),
            ],
        )


def left_to(
    db: Connection,
    job: JobRecord,
    twin: Twin,
    alive: Collection[int],
    others: Sequence[Twin],
    dialect: Dialect,
) -> tuple[int, int]:
    """How many of the job's rows that are left to the twin are unsent there, and how many are in
    doubt; ``alive`` are its workers. What it has not sent since it was cancelled is not left to it
    any more if one of the ``others`` has the person by now.
    """
    unsent, in_doubt = 0, 1
    left = f"{ALREADY}{twin.name}", f"{WAITING}{twin.name}{_RESUME}"
    person = _coded(dialect) if has_any(db) else _PERSON  # some rows may have codes
    found = _met([_pending(twin, unsent, in_doubt, alive, dialect, person)], job, person)
    if not twin.cancelled:
        asked = f"SELECT theirs, count(*) FROM ({found}) AS found GROUP BY theirs"
        totals = dict(db.execute(asked, left).fetchall())
        return totals.get(unsent, 0), totals.get(in_doubt, 0)
    rows = dict(db.execute(found, left).fetchall())
    for first in range(0, len(others) if rows else 0, TWINS):
        some = others[first : first + TWINS]
        live = [_live(other, (0, 0, 0), dialect, person) for other in some]
        for mine, _ in db.execute(_met(live, job, person), left):
            if rows.get(mine) == unsent:
                del rows[mine]
    counted = Counter(rows.values())
    return counted[unsent], counted[in_doubt]


def _coded(dialect: Dialect) -> str:
    """The code of a row's person, whether the row has it already or not."""
    removed = f"substr({_PERSON}, 1, 1) = '{MARK}'"
    return f"CASE WHEN {removed} THEN {_PERSON} ELSE {dialect.pseudonym(_PERSON)} END"


def _met(theirs: Sequence[str], job: JobRecord, person: str) -> str:
    """A query for the job's duplicates with one of two reasons whose people are among these."""
    own = (
        f"SELECT {person} AS person, rows.id AS mine, {_NONE} AS theirs "
        f"FROM rows WHERE state = '{RowState.DUPLICATE}' AND {_ids(job.id)} AND reason IN (?, ?)"
    )
    joined = " UNION ALL ".join([own, *theirs])
    return (
        "SELECT mine, theirs FROM (SELECT max(mine) AS mine, max(theirs) AS theirs FROM ("
        f"{joined}) AS everybody GROUP BY person) AS people "
        "WHERE mine IS NOT NULL AND theirs IS NOT NULL"
    )


def _pending(
    twin: Twin, unsent: int, in_doubt: int, alive: Collection[int], dialect: Dialect, person: str
) -> str:
    person = f"{person}, {_NONE}"
    workers = ", ".join(map(str, alive)) or "NULL"
    sent_now = f"(chunks.state = '{ChunkState.SENDING}' AND chunks.worker IN ({workers}))"
    waits = f"(chunks.state IN ('{ChunkState.PLANNED}', '{ChunkState.LOADING}') OR {sent_now})"
    state = f"CASE WHEN {waits} THEN {unsent} ELSE {in_doubt} END"
    ended = f"'{ChunkState.ACCEPTED}', '{ChunkState.REJECTED}', '{ChunkState.EMPTY}'"
    open_ = f"chunks.state NOT IN ({ended})"
    doubt = f"'{RowState.IN_DOUBT}'"
    return _rows(twin.id, f"{person}, {in_doubt}", f"{person}, {state}", doubt, open_, dialect)


def _own(job: JobRecord, state: RowState | None, dialect: Dialect, person: str = _PERSON) -> str:
    columns = f"{person} AS person, rows.id AS mine, {_NONE} AS owner"
    if state is None:
        return f"SELECT {columns} FROM rows WHERE {_ids(job.id)} AND state IS NULL"
    own, chunk = f"'{RowState.REJECTED}'", f"chunks.state = '{ChunkState.REJECTED}'"
    if state is RowState.UNSENT:
        own, chunk = "NULL", f"chunks.state IN ('{ChunkState.PLANNED}', '{ChunkState.LOADING}')"
    return _rows(job.id, columns, columns, own, chunk, dialect)


def _live(twin: Twin, places: tuple[int, int, int], dialect: Dialect, person: str = _PERSON) -> str:
    """Whom the twin has; ``places`` are those of the reasons why: sent, waits, may have been."""
    (sent, waits, maybe), person = places, f"{person}, {_NONE}"
    follow = (
        f"CASE WHEN chunks.state IN ('{ChunkState.SENDING}', '{ChunkState.ACCEPTED}', "
        f"'{ChunkState.IN_DOUBT}') THEN {sent} "
        f"WHEN chunks.state = '{ChunkState.REJECTED}' THEN {maybe} ELSE {waits} END"
    )
    own = f"CASE WHEN rows.state = '{RowState.REJECTED}' THEN {maybe} ELSE {sent} END"
    states = f"'{RowState.ACCEPTED}', '{RowState.IN_DOUBT}'"
    free = f"'{ChunkState.EMPTY}'"
    if twin.older:
        states += f", '{RowState.REJECTED}'"
    else:
        free += f", '{ChunkState.REJECTED}'"
    if twin.cancelled:
        free += f", '{ChunkState.PLANNED}', '{ChunkState.LOADING}'"
    live = f"chunks.state NOT IN ({free})"
    return _rows(twin.id, f"{person}, {own}", f"{person}, {follow}", states, live, dialect)


def _rows(job: int, own: str, follow: str, states: str, chunks: str, dialect: Dialect) -> str:
    """Rows of a job that have one of the states of their own, or follow such a chunk."""
    joined = f"FROM chunks {dialect.nested} rows ON"
    of_chunk = f"chunks.job = {job} AND chunks.rows > 0 AND {chunks}"
    return (
        f"SELECT {own} FROM rows WHERE state IN ({states}) AND {_ids(job)} UNION ALL "
        f"SELECT {follow} {joined} rows.id BETWEEN chunks.first "
        f"AND chunks.last WHERE rows.state IS NULL AND rows.chunk IS NULL AND {of_chunk} UNION ALL "
        f"SELECT {follow} {joined} rows.chunk = chunks.n AND {_ids(job)} "
        f"WHERE rows.state IS NULL AND {of_chunk}"
    )


def _ids(job: int) -> str:
    first, last = span(job)
    return f"rows.id BETWEEN {first} AND {last}"
