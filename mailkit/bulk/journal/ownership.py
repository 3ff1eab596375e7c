"""Who may write what: every worker has a number that is never given again, and is seen to be alive
while it works. One that was found dead never takes anything again; but it may still say how the
chunks ended that it has tickets for.
"""

from __future__ import annotations

import os
import platform

from mailkit.bulk.journal.liveness import Liveness, WorkerDead
from mailkit.bulk.journal.records import JobRecord, Worker
from mailkit.bulk.journal.store import Connection

__all__ = ["PROCESS", "check_alive", "living", "register"]


PROCESS = (
    "'process ' || process || CASE WHEN lease IS NULL THEN '' "
    "ELSE ' on ' || coalesce(machine, 'another machine') END"
)
"""A worker's process in words, as SQL; with its machine where that may be another one."""


def register(db: Connection, lives: Liveness, job: int, *, sends: bool) -> Worker:
    """A new worker of the job, alive before anybody can see it."""
    while True:
        added = db.execute(
            "INSERT INTO workers (job, process, sends, machine) VALUES (?, ?, ?, ?) RETURNING id",
            (job, os.getpid(), int(sends), platform.node()),
        )
        (number,) = added.fetchone()
        life = lives.take(number, db)
        if life is not None:
            return Worker(number, life)
        # A copy of this journal was put back: by this number, a worker of its original lives.
        db.execute("UPDATE workers SET ended = 1 WHERE id = ?", (number,))


def living(db: Connection, lives: Liveness, job: int, *, sends: bool = False) -> frozenset[int]:
    """The workers of the job that are alive; with ``sends``, those of them that send it."""
    found = db.execute(
        "SELECT id FROM workers WHERE job = ? AND ended = 0 AND sends >= ?", (job, int(sends))
    ).fetchall()
    return frozenset(worker for (worker,) in found if lives.held(worker, db))


def check_alive(db: Connection, job: JobRecord) -> None:
    """Refuse what a worker does that another process found dead."""
    assert job.worker is not None  # noqa: S101 - whoever only looks at a job changes nothing
    row = db.execute("SELECT ended FROM workers WHERE id = ?", (job.worker.id,)).fetchone()
    if row is None or row[0]:
        raise WorkerDead(
            f"another process declared this worker of the job {job.name} dead: nothing more is "
            "sent. Was it stopped for long, or are its locks gone?"
        )
