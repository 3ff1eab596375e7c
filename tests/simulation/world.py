"""A world of one seed: a service, a network that fails, a disk, and processes that die.

The provider goes round with the seeds. Everything that is left to chance comes from the seed: how
long each request and each commit takes, what becomes of requests, when the process is killed,
whether a second engine barges in. The client, the engine and the journal are the real ones; so is
the sandbox's service, without its socket.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from random import Random

from mailkit import BulkSender, EngineSettings, Journal, Quota
from mailkit.bulk.journal import Executor
from mailkit.bulk.journal.database import WRITE, Connector, Work, run_together
from mailkit.core.clock import Clock
from mailkit.sandbox.clock import Clock as SandboxClock
from mailkit.sandbox.truth import Truth

from .loop import SimulatedLoop
from .network import Died, Network
from .sides import SIDES

START = 1_800_000_000.0


class Disk:
    """The journal's database, which outlives the processes, behind commits that take time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.db: sqlite3.Connection | None = None

    def executor(self, connect: Connector) -> Executor:
        if self.db is None:
            self.db = connect()
        return Commits(self.world, self.db)


class Commits:
    """Runs works one after the other, each after a while; none once the process is dead."""

    def __init__(self, world: World, db: sqlite3.Connection) -> None:
        self._world = world
        self._db = db
        self._life = world.life
        self._free = 0.0

    def submit(self, work: Work) -> None:
        world = self._world
        self._free = max(self._free, world.loop.now) + world.rng.expovariate(500)
        world.loop.call_at(self._free, self._run, work)

    def _run(self, work: Work) -> None:
        if self._life != self._world.life:
            work.future.set_exception(Died())
            return
        run_together(self._db, [work], WRITE)
        self._world.commits += 1
        if self._world.commits == self._world.dies_after:
            self._world.die()  # the commit stands, but nobody heard of it

    def close(self) -> None:
        return


class World:
    """One seed's world; ``run`` sends a list through it and ends every doubt by the truth."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = rng = Random(seed)
        self.loop = SimulatedLoop()
        self.life = 0
        self.commits = 0
        self.requests = 0
        self.dies_after = 0
        self.trouble = rng.choice((0.0, 0.05, 0.3))
        self.truth = Truth(keep_letters=0)
        clock = SandboxClock(start=START, real=self.loop.time)
        self.side = SIDES[seed % len(SIDES)](rng, clock, self.truth)
        self.disk = Disk(self)
        self.clock = Clock(
            now=lambda: START + self.loop.now, monotonic=self.loop.time, sleep=asyncio.sleep
        )
        self.count = rng.randint(1, 60)
        self.rows = rng.randint(1, 12)
        self.senders = rng.randint(1, 5)
        self.message = rng.choice(self.side.messages)
        self.quota = Quota(rng.randint(1, 5), 10.0) if rng.random() < 0.3 else None
        self.networks: list[Network] = []
        self.people = [
            {"email": self.side.address(rng, n), "name": f"N{n}"} for n in range(self.count)
        ]

    def die(self) -> None:
        """Kill the process: what it has not committed never happened."""
        self.life += 1
        self.dies_after = 0
        for task in self.loop.tasks():
            task.cancel()

    def sender(self, journal: Journal) -> BulkSender:
        """A BulkSender of a new process."""
        self.networks.append(Network(self))
        provider = self.side.client(
            self.rows,
            requests=self.quota,
            transport=self.networks[-1],
            clock=self.clock,
            random=self.rng,
        )
        settings = EngineSettings(senders=self.senders, pollers=2, reconcile=600.0)
        return BulkSender(
            provider, journal=journal, settings=settings, clock=self.clock, rng=self.rng
        )

    def mailed(self) -> Counter[str]:
        """Who was really mailed, how often."""
        return Counter(dict(self.truth.mailed))
