"""The journal: one file that knows every row of every job, and what became of it.

It is written before a request's first byte and after its answer, so that after any crash the
file alone tells who was handed to a provider, who was not, and whose fate is in doubt.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import platformdirs

from mailkit.bulk.journal.accounts import (
    ROW_STATES,
    Accounts,
    ChunkRecord,
    Counts,
    RowRecord,
)
from mailkit.bulk.journal.database import (
    READ,
    Connector,
    Database,
    Executor,
    InlineExecutor,
    ThreadExecutor,
    connector,
)
from mailkit.bulk.journal.jobs import JobRecord, Jobs, Lease
from mailkit.bulk.journal.narrowing import Narrowing
from mailkit.bulk.journal.planning import InvalidRecord, PlannedRow, Planning
from mailkit.bulk.journal.resolving import Chosen, Resolving
from mailkit.bulk.journal.statuses import DueChunk, Merged, Statuses
from mailkit.bulk.journal.steps import Steps
from mailkit.bulk.journal.suppressions import Suppression, Suppressions

__all__ = [
    "ROW_STATES",
    "Chosen",
    "ChunkRecord",
    "Counts",
    "DueChunk",
    "Executor",
    "InlineExecutor",
    "InvalidRecord",
    "JobRecord",
    "Journal",
    "Lease",
    "Merged",
    "PlannedRow",
    "RowRecord",
    "Suppression",
    "default_path",
]


def default_path() -> Path:
    """``MAILKIT_JOURNAL``, else ``journal.db`` in the user's state directory."""
    named = os.environ.get("MAILKIT_JOURNAL")
    return Path(named) if named else platformdirs.user_state_path("mailkit") / "journal.db"


class Journal:
    """One journal, open. Its parts are named after what they are asked for."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.jobs = Jobs(db)
        self.planning = Planning(db)
        self.steps = Steps(db)
        self.narrowing = Narrowing(db)
        self.statuses = Statuses(db)
        self.accounts = Accounts(db)
        self.resolving = Resolving(db)
        self.suppressions = Suppressions(db)

    @property
    def path(self) -> Path | None:
        """Where it stands; None: in memory."""
        return self._db.path

    @classmethod
    async def open(
        cls,
        path: str | Path | None = None,
        *,
        adopt: bool = False,
        executor: Callable[[Connector], Executor] | None = None,
    ) -> Journal:
        """Open the journal at ``path``, made if it isn't there, readable by its owner alone.

        None is the default place (see default_path); ``":memory:"`` keeps nothing on the disk.
        ``adopt`` takes a copied file for its own. ``executor`` replaces the two threads that the
        journal works in. JournalError says why a file can't be used.
        """
        place = None
        if path != ":memory:":
            # resolved, so that locks stand beside the file and not beside a link to it
            place = (default_path() if path is None else Path(path)).resolve()
        connect = connector(place, adopt=adopt)

        if executor is not None:
            only = executor(connect)
            return cls(Database(place, only, only))

        def start() -> Database:
            writer = ThreadExecutor(connect)
            reader = writer if place is None else ThreadExecutor(connect, READ)
            return Database(place, writer, reader)

        return cls(await anyio.to_thread.run_sync(start))

    async def close(self) -> None:
        """Finish what was handed over, and close the file."""
        await anyio.to_thread.run_sync(self._db.close)
