"""The journal's database in a made-up world: in memory, or a file that others can get hold of."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mailkit import Journal
from mailkit.bulk.journal import Executor
from mailkit.bulk.journal.sqlite.opening import Connector
from mailkit.bulk.journal.sqlite.store import WRITE, Work, run_together

from .process import Died, Process, current

if TYPE_CHECKING:
    from .world import World

__all__ = ["Commits", "Disk"]

_MEMORY = Path("/dev/shm")
PARTS = ("", "-wal", "-shm")


class Commits:
    """A connection that runs works one after the other, each after a while; none once its process
    is dead.
    """

    def __init__(
        self, world: World, process: Process, connect: Connector, db: sqlite3.Connection
    ) -> None:
        self._world = world
        self._process = process
        self.db = db
        self.file = connect.file
        self.closed = False
        self._free = 0.0

    def submit(self, work: Work) -> None:
        world = self._world
        self._free = max(self._free, world.loop.now) + world.rng.expovariate(500)
        world.loop.call_at(self._free, self._run, work)

    def _run(self, work: Work) -> None:
        process = self._process
        if self.closed or not process.alive:
            work.future.set_exception(Died())
            return
        process.commits += 1
        last = process.commits == process.dies_at
        if last and process.before:
            work.future.set_exception(Died())
        else:
            run_together(self.db, [work], WRITE, self.file)
            self._world.commits += 1
        if last:
            process.die()  # if the commit stands, nobody heard of it

    def close(self) -> None:
        return


class Disk:
    """Outlives the processes. In memory all share one connection, and no lock says who is alive,
    so that each takes all others for dead; a file is opened by each of them, as in life.
    """

    def __init__(self, world: World, *, file: bool) -> None:
        self._world = world
        self._memory: sqlite3.Connection | None = None
        self._opened: list[sqlite3.Connection] = []
        self.folder: Path | None = None
        if file:
            shared = str(_MEMORY) if _MEMORY.is_dir() else None
            self.folder = Path(tempfile.mkdtemp(prefix="mailkit-", dir=shared))

    @property
    def path(self) -> Path:
        """Where the journal's file is."""
        assert self.folder is not None
        return self.folder / "journal.db"

    @property
    def there(self) -> bool:
        """Whether there is a journal."""
        return self.folder is None or self.path.exists()

    @asynccontextmanager
    async def opened(self, path: Path | None = None) -> AsyncIterator[Journal]:
        """The journal, or the file at ``path``, in the current process. One that dies meanwhile
        does not close it.
        """
        made: list[Commits] = []

        def connected(connect: Connector) -> Executor:
            if self.folder is None:
                db = self._memory = self._memory or connect()
            else:
                db = connect()
                self._opened.append(db)
            made.append(Commits(self._world, current(), connect, db))
            return made[0]

        place = ":memory:" if self.folder is None else path or self.path
        yield await Journal.open(place, executor=connected)
        if self.folder is not None and current().alive:
            made[0].closed = True
            made[0].db.close()
            if made[0].file is not None:
                made[0].file.close()

    def close(self) -> None:
        """Every process has ended."""
        for db in self._opened:
            db.close()
        self._opened.clear()

    def remove(self) -> None:
        """The world ends."""
        self.close()
        if self._memory is not None:
            self._memory.close()
        if self.folder is not None:
            shutil.rmtree(self.folder)
