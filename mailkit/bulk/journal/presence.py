"""Who works on a job, for whoever looks at it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import attrs

from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.liveness import Liveness, Sign
from mailkit.bulk.journal.records import JobRecord

__all__ = ["Presence", "WorkerInfo", "present"]


class Presence(StrEnum):
    """Whether a worker that has not left is there. A *silent* one may be dead, or cut off from the
    journal's database; nobody knows until it counts as dead.
    """

    ALIVE = "alive"
    SILENT = "silent"
    DEAD = "dead"


@attrs.frozen
class WorkerInfo:
    """A worker that has not left its job: its process, and the name of the machine that this is on;
    what it works on, and whether it sends that or only looks what became of it.

    On several machines, it was ``last_heard`` from then, and counts as dead from ``dead_from`` on
    unless it is heard from again. On one, the system itself says whether it lives: both are None.
    """

    process: int
    machine: str | None
    job: str
    sends: bool
    presence: Presence
    last_heard: datetime | None = None
    dead_from: datetime | None = None

    @property
    def name(self) -> str:
        """The process, in words."""
        return f"process {self.process}" + (f" on {self.machine}" if self.machine else "")

    def to_dict(self) -> dict[str, object]:
        """The same as plain values, ready for JSON; times are ISO 8601 in UTC."""
        times = {
            name: at and at.isoformat(timespec="seconds")
            for name, at in (("last_heard", self.last_heard), ("dead_from", self.dead_from))
        }
        return {**attrs.asdict(self), **times}


def present(
    db: Connection, lives: Liveness, job: JobRecord, held: Collection[int]
) -> list[WorkerInfo]:
    """The workers that have not left the job. Those that are not ``held`` to be alive are dead, and
    are there until others go on in their place.

    A process that goes on as another worker, since it was silent for too long, is there only once.
    """
    found = db.execute(
        "SELECT id, process, machine, sends FROM workers WHERE job = ? AND ended = 0 ORDER BY id",
        (job.id,),
    ).fetchall()
    workers = [
        _seen(
            WorkerInfo(
                process,
                machine,
                job.name,
                bool(sends),
                Presence.ALIVE if id in held else Presence.DEAD,
            ),
            lives.sign(id, db),
        )
        for id, process, machine, sends in found
    ]
    alive = {(one.process, one.machine) for one in workers if one.presence is Presence.ALIVE}
    return [
        one
        for one in workers
        if one.presence is Presence.ALIVE or (one.process, one.machine) not in alive
    ]


def _seen(worker: WorkerInfo, sign: Sign | None) -> WorkerInfo:
    """Times are those of this machine's clock, whatever the database's says."""
    if sign is None:
        return worker
    now = datetime.now(UTC)
    is_silent = worker.presence is Presence.ALIVE and sign.late
    return attrs.evolve(
        worker,
        presence=Presence.SILENT if is_silent else worker.presence,
        last_heard=now - timedelta(seconds=sign.seconds),
        dead_from=now + timedelta(seconds=sign.left),
    )
