"""The journal's tables in SQLite, and how those of older versions become the present ones."""

from __future__ import annotations

import sqlite3

from mailkit.bulk.journal.counting import count_left_out
from mailkit.bulk.journal.records import SENT_STATES
from mailkit.bulk.journal.row_ids import span
from mailkit.bulk.journal.tables import STATEMENTS, VERSION

__all__ = ["OLDEST", "VERSION", "create", "upgrade"]

OLDEST = 3
"""The oldest version that `upgrade` can bring to this one."""


def create(db: sqlite3.Connection, journal: str) -> None:
    """Create the tables in an empty database, for a journal with this id; the caller holds the
    transaction.
    """
    for statement in STATEMENTS:
        db.execute(statement)
    db.execute("INSERT INTO meta VALUES ('id', ?), ('commits', 0), ('suppressed', 0)", (journal,))
    db.execute(f"PRAGMA user_version = {VERSION}")


def upgrade(db: sqlite3.Connection) -> None:
    """Bring the tables of an older version to this one; the caller holds the transaction, and knows
    that nobody sends with the journal.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    for before in range(version, VERSION):
        _STEPS[before](db)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _from_3(db: sqlite3.Connection) -> None:
    """A job belonged to one engine at a time; now it has workers, and chunks have stages."""
    db.execute("ALTER TABLE jobs RENAME COLUMN fence TO planner")
    db.execute("UPDATE jobs SET planner = 0")
    kept = (
        "job, n, first, last, rows, attempt, takes, started, ended, reference, reconciled, "
        "unfinished, cursor, delivery, root, role"
    )
    for name in ("state", "first", "reference", "root", "role"):
        db.execute(f"DROP INDEX chunks_by_{name}")
    db.execute("ALTER TABLE chunks RENAME TO chunks_3")
    _create_missing(db)
    db.execute(
        f"INSERT INTO chunks ({kept}, own_delivery_rows, state, reason) SELECT {kept}, apart, "
        "CASE state WHEN 'sending' THEN 'in doubt' ELSE state END, "
        "CASE state WHEN 'sending' THEN 'the process ended while the request was under way' "
        "ELSE reason END FROM chunks_3"
    )
    db.execute("DROP TABLE chunks_3")


def _from_4(db: sqlite3.Connection) -> None:
    """Permits were counted in each process; a job had no rate, and a chunk no statistics. Rows were
    counted when somebody looked.
    """
    _create_missing(db)
    _add_column(db, "jobs", "rate", "TEXT")
    _add_column(db, "chunks", "statistics", "TEXT")
    _add_column(db, "workers", "until", "REAL")
    _add_column(db, "workers", "why", "TEXT")
    _add_column(db, "jobs", "cancelled", "REAL")
    _add_column(db, "jobs", "held", "TEXT")
    _add_column(db, "chunks", "anew", "INTEGER NOT NULL DEFAULT 0")
    _add_column(db, "jobs", "suppressed", "INTEGER NOT NULL DEFAULT 0")
    db.execute("INSERT INTO meta VALUES ('suppressed', 0) ON CONFLICT DO NOTHING")
    for (job,) in db.execute("SELECT id FROM jobs").fetchall():
        _sum_up(db, job)


def _sum_up(db: sqlite3.Connection, job: int) -> None:
    """What is summed up since this version: rows that are left to other jobs, and deliveries, of
    which it is not known when they rose.
    """
    db.execute(
        "INSERT INTO elsewhere SELECT ?, reason, count(*) FROM rows WHERE state = 'duplicate' "
        "AND id BETWEEN ? AND ? AND (reason LIKE 'already sent by job %' OR "
        "reason LIKE 'waiting in job %') GROUP BY reason",
        (job, *span(job)),
    )
    db.execute(
        "INSERT INTO rises SELECT ?, -1, 0, delivery, sum(n) FROM ("
        "SELECT delivery, count(*) AS n FROM rows WHERE id BETWEEN ? AND ? AND delivery > 0 "
        "GROUP BY delivery UNION ALL "
        "SELECT delivery, rows - own_delivery_rows FROM chunks WHERE job = ? AND delivery > 0) "
        "GROUP BY delivery HAVING sum(n) > 0",
        (job, *span(job), job),
    )


def _from_5(db: sqlite3.Connection) -> None:
    """Journals were files alone, whose workers hold locks; nobody could be forgotten."""
    _add_column(db, "jobs", "erased", "INTEGER NOT NULL DEFAULT 0")
    _add_column(db, "jobs", "pruned", "REAL")
    _add_column(db, "jobs", "again", "INTEGER NOT NULL DEFAULT 0")
    _add_column(db, "workers", "lease", "REAL")
    _add_column(db, "workers", "machine", "TEXT")
    _create_missing(db)
    for state in SENT_STATES:
        _add_column(db, "chunks", f"{state.name.lower()}_rows", "INTEGER NOT NULL DEFAULT 0")
    for (job,) in db.execute("SELECT id FROM jobs").fetchall():
        _count(db, job)


def _count(db: sqlite3.Connection, job: int) -> None:
    """Rows with a state of their own were counted when somebody looked."""
    count_left_out(db, job, span(job))
    for state in SENT_STATES:
        db.execute(
            f"UPDATE chunks SET {state.name.lower()}_rows = found.rows FROM (SELECT chunk, "
            "count(*) AS rows FROM rows WHERE state = ? AND id BETWEEN ? AND ? GROUP BY chunk) "
            "AS found WHERE job = ? AND n = found.chunk",
            (state, *span(job), job),
        )


def _create_missing(db: sqlite3.Connection) -> None:
    """Create the tables and indexes that are not there, as this version has them."""
    known = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    for statement in STATEMENTS:
        if statement.split()[2] not in known:
            db.execute(statement)


def _add_column(db: sqlite3.Connection, table: str, column: str, kind: str) -> None:
    """Add a column, unless an earlier step has made the table with it."""
    if column not in {name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")}:
        db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")


_STEPS = {3: _from_3, 4: _from_4, 5: _from_5}
