"""Which workers are alive, where they are on several machines: each has a lease by the database's
clock, which it renews while it lives.

A lease that has run out is never renewed: the worker has to join the job anew. Others count it as
dead only once its last request must have ended, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakValueDictionary

from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.liveness import Sign, WorkerDead

__all__ = ["BEAT", "LEASE", "REQUEST_SECONDS", "Lease", "Leases"]

LEASE = 60.0
"""Seconds for which a worker counts as alive after each beat."""
BEAT = LEASE / 4
"""Seconds from one beat to the next."""
LATE = BEAT * 4 / 3
"""Seconds after a beat when the next one has not come in time."""
REQUEST_SECONDS = 30.0
"""So long a request may take: a worker's last one, after its lease, too."""


class Leases:
    """The leases of a journal's workers. ``clock`` is the database's time, as an expression."""

    def __init__(self, clock: str) -> None:
        self.clock = clock
        self.seconds = LEASE
        self._guard = threading.Lock()
        self._own = WeakValueDictionary[int, Lease]()  # who is forgotten is not kept alive

    def take(self, worker: int, db: Connection) -> Lease | None:
        """The worker lives from now on."""
        db.execute(
            f"UPDATE workers SET lease = {self.clock} + ? WHERE id = ?", (self.seconds, worker)
        )
        lease = Lease(worker, self.clock, self._forget)
        with self._guard:
            self._own[worker] = lease
        return lease

    def held(self, worker: int, db: Connection) -> bool:
        """Whether the worker is alive, or may still have a request under way."""
        found = db.execute(
            f"SELECT 1 FROM workers WHERE id = ? AND ended = 0 AND lease > {self.clock} - ?",
            (worker, REQUEST_SECONDS),
        )
        return found.fetchone() is not None

    def sign(self, worker: int, db: Connection) -> Sign | None:
        """When the worker last renewed its lease; None if it never had one."""
        found = db.execute(
            f"SELECT {self.clock} - lease FROM workers WHERE id = ? AND lease IS NOT NULL",
            (worker,),
        ).fetchone()
        if found is None:
            return None
        over = float(found[0])
        return Sign(over + self.seconds, over + self.seconds > LATE, REQUEST_SECONDS - over)

    def remove(self, worker: int) -> None:
        """The journal itself knows who has ended."""

    @property
    def own(self) -> list[int]:
        """The workers of this process that are alive as far as it knows."""
        with self._guard:
            return [*self._own]

    def beat(self, db: Connection) -> None:
        """Renew the leases of this process; what has run out is renewed no more."""
        for worker in self.own:
            renewed = db.execute(
                f"UPDATE workers SET lease = {self.clock} + ? "
                f"WHERE id = ? AND ended = 0 AND lease > {self.clock}",
                (self.seconds, worker),
            )
            if not renewed.rowcount:
                self._forget(worker)

    def _forget(self, worker: int) -> None:
        with self._guard:
            self._own.pop(worker, None)


class Lease:
    """The lease of a worker that is alive, until it is released."""

    def __init__(self, worker: int, clock: str, forget: Callable[[int], None]) -> None:
        self._worker = worker
        self._clock = clock
        self._forget = forget

    def check(self, db: Connection) -> None:
        """WorkerDead if it has run out."""
        found = db.execute(
            f"SELECT 1 FROM workers WHERE id = ? AND ended = 0 AND lease > {self._clock}",
            (self._worker,),
        )
        if found.fetchone() is None:
            raise WorkerDead(
                "this process could not tell the journal's database in time that it is alive: "
                "nothing more is sent. Resume the job"
            )

    def release(self) -> None:
        """The worker has ended; the journal is told by whoever leaves, else the lease runs out."""
        self._forget(self._worker)
