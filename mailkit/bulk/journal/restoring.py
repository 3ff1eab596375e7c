"""What is not known any more once an older state of the journal was put back.

Whatever that state could have sent may have been sent since; so may a list that was still being
planned, and rejected rows that a person has ordered again. Permits were had, and numbers used.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from msgspec import json

from mailkit.bulk.journal.counting import count_left_out
from mailkit.bulk.journal.jobs import put_back_at
from mailkit.bulk.journal.ledger import use_up
from mailkit.bulk.journal.names import free_name, is_provisional
from mailkit.bulk.journal.records import Adopt, ChunkState, JobRecord, JobState, RowState
from mailkit.bulk.journal.row_ids import span
from mailkit.bulk.journal.store import Connection
from mailkit.errors import InvalidArgument
from mailkit.remedies import remedy

__all__ = ["check_rejected_since", "doubt_plans", "doubt_unsent", "put_back", "words_for"]

_log = logging.getLogger("mailkit.journal")
SINCE = "it may have been sent after this state of the journal was made"
_PLANNING = (
    "its list was still being read when this state of the journal was made; what was read by then "
    "is in doubt, and the rest is not here"
)
_ROWS_A_CHUNK = 100  # no provider takes fewer


def words_for(how: Adopt) -> str:
    """How a person says it."""
    return remedy(f'adopt="{how}"', f"--adopt {how}")


def put_back(db: Connection, until: float) -> None:
    """Note that what happened up to this moment (seconds since 1970, by the database's clock if
    that is everybody's) may be unknown: permits may have been had.
    """
    until = max(until, put_back_at(db))
    db.execute(
        "INSERT INTO meta (key, value) VALUES ('put_back', ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (str(until),),
    )
    use_up(db, until)


def doubt_unsent(db: Connection) -> None:
    """Put in doubt all that this state was about to send, or to plan."""
    planning = f"SELECT id FROM jobs WHERE state = '{JobState.PLANNING}'"
    doubt_plans(db, [job for (job,) in db.execute(planning).fetchall()])
    db.execute(
        f"UPDATE chunks SET state = '{ChunkState.IN_DOUBT}', role = NULL, started = NULL, "
        "ended = NULL, takes = takes + 1, reason = ? "
        f"WHERE rows > 0 AND state IN ('{ChunkState.PLANNED}', '{ChunkState.LOADING}', "
        f"'{ChunkState.SENDING}')",
        (SINCE,),
    )
    (rows,) = db.execute(
        f"SELECT coalesce(sum(rows), 0) FROM chunks WHERE state = '{ChunkState.IN_DOUBT}' "
        "AND reason = ?",
        (SINCE,),
    ).fetchone()
    _log.warning(
        "an older state of the journal was put back: %s unsent rows may have been sent since, and "
        "are in doubt; each quota counts as used up for a whole window",
        f"{int(rows):,}",
    )


def doubt_plans(db: Connection, jobs: Collection[int]) -> None:
    """Put in doubt what was read of the lists of these jobs, if they were still being planned. They
    keep their names, and nobody sends their lists again without a word.
    """
    for job in jobs:
        found = db.execute(
            f"SELECT name FROM jobs WHERE id = ? AND state = '{JobState.PLANNING}'", (job,)
        ).fetchone()
        if found is None:
            continue
        ids = span(job)
        db.execute(
            f"UPDATE rows SET state = '{RowState.DUPLICATE}', reason = ? WHERE id IN (SELECT id "
            "FROM (SELECT id, row_number() OVER (PARTITION BY coalesce(key, address) ORDER BY id) "
            "AS n FROM rows WHERE id BETWEEN ? AND ? AND state IS NULL) AS people WHERE n > 1)",
            ("the address is that of an earlier line", *ids),
        )
        count_left_out(db, job, ids)
        db.execute("DELETE FROM chunks WHERE job = ?", (job,))
        db.execute(
            "INSERT INTO chunks (job, n, state, first, last, rows, attempt, takes, reconciled, "
            f"unfinished, reason) SELECT ?, 1 + n, '{ChunkState.IN_DOUBT}', min(id), max(id), "
            "count(*), 1, 1, 0, 0, ? FROM (SELECT id, (id - ?) / ? AS n FROM rows "
            "WHERE id BETWEEN ? AND ? AND state IS NULL) AS numbered GROUP BY n",
            (job, SINCE, ids[0], _ROWS_A_CHUNK, *ids),
        )
        name = free_name(db, "put-back") if is_provisional(found[0]) else found[0]
        db.execute(
            f"UPDATE jobs SET state = '{JobState.PLANNED}', name = ?, columns = ?, stopped = ? "
            "WHERE id = ?",
            (name, _columns(db, ids), _PLANNING, job),
        )
        _log.warning("the list of the job %s was still being read: what was read is in doubt", name)


def _columns(db: Connection, ids: tuple[int, int]) -> str:
    """Names for the fields of such rows, whose own ones are written down last."""
    found = db.execute(
        "SELECT fields FROM rows WHERE id BETWEEN ? AND ? AND fields IS NOT NULL LIMIT 1", ids
    ).fetchone()
    count = 0 if found is None else len(json.decode(found[0]))
    return json.encode([f"field {n}" for n in range(1, count + 1)]).decode()


def check_rejected_since(db: Connection, job: JobRecord) -> None:
    """InvalidArgument if rows that count as rejected may have been ordered again, and sent, before
    an older state of the journal was put back.
    """
    if job.created < put_back_at(db):
        raise InvalidArgument(
            f"the rejected rows of the job {job.name} may have been ordered again, and sent, "
            "before an older state of the journal was put back. If they were not, send them in a "
            f"job of their own, with {remedy('again=True', '--again')}"
        )
