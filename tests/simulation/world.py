"""A world of one seed: a service, a network that fails, a disk, and processes that die.

The provider goes round with the seeds. Everything that is left to chance comes from the seed: how
long each request and each commit takes, what becomes of requests, when the process is killed,
whether a second engine barges in. The client, the engine and the journal are the real ones; so is
the sandbox's service, without its socket.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from random import Random
from typing import Any

from mailkit import BulkSender, EngineSettings, Journal, Quota
from mailkit.sandbox import Shared, Truth
from mailkit.sandbox.clock import Clock as SandboxClock

from .campaigns import SendPulseSide
from .disk import Disk
from .loop import LoopClock, SimulatedLoop
from .network import Network
from .observers import OBSERVERS
from .process import Process
from .sides import NO_MONEY, DevinoSide, SmsBySide
from .vandals import RESTORES, VANDALS
from .webhooks import HOOK, Postman, posting

START = 1_800_000_000.0
SPOILED = "spoiled"
"""How addresses begin for which the service refuses the whole request."""
ACCOUNT = (NO_MONEY, "your tariff does not allow this")
"""Why the service refuses everything for a while."""
STEPS = (-86400.0, -3600.0, -60.0, 60.0, 3600.0, 86400.0)
"""By how many seconds a wall clock is set."""
SIDES = (SmsBySide, DevinoSide, SendPulseSide)


class World:
    """One seed's world; ``run`` sends a list through it and ends every doubt by the truth."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = rng = Random(seed)
        self.loop = SimulatedLoop()
        self.commits = 0
        self.requests = 0
        self.processes: list[Process] = []
        self.trouble = rng.choice((0.0, 0.05, 0.3))
        self.cuts = rng.choice((0.0, 0.0, 0.3))  # the share of processes that are cut off
        self.truth = Truth()
        clock = SandboxClock(start=START, real=self.loop.time)
        self.side = SIDES[seed % len(SIDES)](rng, Shared(clock, self.truth, rng))
        self.postman: Postman | None = None
        if self.side.posts and rng.random() < 0.6:
            self.side.post_to(HOOK, posting(rng))
            self.postman = Postman(self)
        file = rng.random() < 0.3
        self.disk = Disk(self, file=file)
        self.clock = LoopClock(self.loop, START)
        self.count = rng.randint(1, 60)
        self.rows = rng.randint(1, 12)
        self.senders = rng.randint(1, 5)
        self.message = rng.choice(self.side.messages)
        self.quota = Quota(rng.randint(1, 5), 10.0) if rng.random() < 0.3 else None
        self.networks: list[Network] = []
        self.people = [
            {"email": self.side.address(rng, n), "name": f"N{n}"} for n in range(self.count)
        ]
        poor = rng.random() < 0.2
        if poor:
            self.side.limit_money(rng.randint(0, self.count))
        self.poor: tuple[str, float, float] | None = None
        if rng.random() < 0.2:
            since = rng.expovariate(1)
            self.poor = rng.choice(ACCOUNT), since, since + rng.expovariate(1 / 300)
        if rng.random() < 0.2:
            for one in self.people:
                if rng.random() < 0.05:
                    one["email"] = f"{SPOILED}-{one['email']}"
        # In words that nobody knows, a refusal of the account may be taken for one of two rows.
        known = self.side.knows_words(NO_MONEY if self.poor is None else self.poor[0])
        refused = self.poor is not None or poor
        self.condemnable = 2 if refused and not known else 0
        self.condemned: set[str] = set()
        more = {"email": "p-one-more@example.com", "name": "One more"}
        self.lists = {"job": self.people, "corrected": [*self.people, more]}
        self.pause = rng.choice((0.5, 5.0, 50.0))  # of others, on average, at first
        others = (*OBSERVERS, *(VANDALS if file else ()))
        self.others = [name for name in others if rng.random() < 0.25]
        self.restored = rng.choice(sorted(RESTORES)) if file and rng.random() < 0.4 else None
        self.stepped = rng.random() < 0.25 and self.side.clock_may_step
        self.jobs = ["job", "corrected"] if "corrected" in self.others else ["job"]

    @property
    def refusable(self) -> tuple[str, ...]:
        """How addresses begin that the service may refuse, together with their request or not."""
        return SPOILED, *self.side.refused

    def refusal(self, body: bytes) -> str | None:
        """Why the service refuses a request to send, if it does."""
        if self.poor is not None:
            words, since, until = self.poor
            if since <= self.loop.now < until:
                return words
        return "an address can't be mailed" if SPOILED.encode() in body else None

    def set_clock(self) -> None:
        """Somebody sets the wall clock in a while."""
        wait = self.rng.expovariate(1 / self.rng.choice((3.0, 300.0)))
        self.loop.call_later(wait, self.clock.step, self.rng.choice(STEPS))

    def begin(self, name: str, work: Coroutine[Any, Any, Any]) -> tuple[Process, asyncio.Task[Any]]:
        """Begin a process."""
        process = Process(self.loop, name)
        self.processes.append(process)
        return process, process.run(work)

    def end(self, process: Process) -> None:
        """Kill a process, if it is still alive, and wait until nothing of it is left."""
        process.die()
        if left := self.loop.tasks(process):
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        if process in self.processes:
            self.processes.remove(process)
        if process.failure is not None:
            raise process.failure

    def close(self) -> None:
        """Kill whoever is left, and remove the files."""
        try:
            if self.postman is not None:
                self.postman.close()
            for process in list(self.processes):
                self.end(process)
        finally:
            self.loop.close()
            self.disk.remove()

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
        settings = EngineSettings(concurrency=self.senders, pollers=2, reconcile=600.0)
        return BulkSender(
            provider, journal=journal, settings=settings, clock=self.clock, rng=self.rng
        )

    def mailed(self) -> Counter[str]:
        """Who was really mailed, how often."""
        self.side.tick()
        return Counter(dict(self.truth.mailed))
