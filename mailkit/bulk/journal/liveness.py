"""Which workers are alive. On one machine their locks tell, which end with their processes
(locks.py); on several, leases by the database's clock (leases.py).
"""

from __future__ import annotations

from typing import Protocol

import attrs

from mailkit.bulk.journal.connection import Connection
from mailkit.errors import JournalError

__all__ = ["Life", "Liveness", "Sign", "WorkerDead"]


class WorkerDead(JournalError):
    """Others count this worker as dead, or soon will: it must not take anything any more."""


@attrs.frozen
class Sign:
    """The last sign of life of a worker: so many ``seconds`` ago. It is ``late`` if the next one
    should have come by now; without one, the worker counts as dead after ``left`` more seconds.
    """

    seconds: float
    late: bool
    left: float


class Life(Protocol):
    """That of one worker, as its own process knows it."""

    def check(self, db: Connection, /) -> None:
        """WorkerDead if the worker is not alive for others any more; JournalError if they can't
        see it.
        """
        ...

    def release(self) -> None:
        """The worker has ended."""
        ...


class Liveness(Protocol):
    """The lives of a journal's workers."""

    def take(self, worker: int, db: Connection, /) -> Life | None:
        """The worker lives from now on; None if another one is alive by the same number."""
        ...

    def held(self, worker: int, db: Connection, /) -> bool:
        """Whether the worker is alive, or may still have a request under way."""
        ...

    def sign(self, worker: int, db: Connection, /) -> Sign | None:
        """The worker's last sign of life; None where the system itself says whether it lives."""
        ...

    def remove(self, worker: int) -> None:
        """Forget a dead worker: its number is never given again."""
        ...
