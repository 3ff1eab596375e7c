"""A world of one seed: a service, a network that fails, a disk, and processes that die.

Everything that is left to chance comes from the seed: how long each request and each commit
takes, what becomes of requests, when the process is killed, whether a second engine barges in.
The client, the engine and the journal are the real ones; so is the sandbox's service, without
its socket.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from random import Random
from urllib.parse import urlsplit

import msgspec

from mailkit import BulkSender, EngineSettings, Journal, Message, Quota, SmsBy
from mailkit.bulk.journal import Executor
from mailkit.bulk.journal.database import WRITE, Connector, Work, run_together
from mailkit.core.clock import Clock
from mailkit.core.wire import Answer, Request
from mailkit.errors import NotSent, OutcomeUnknown
from mailkit.providers.smsby.dispatch import ChunkLimits
from mailkit.sandbox.clock import Clock as SandboxClock
from mailkit.sandbox.service import Raw
from mailkit.sandbox.smsby import SmsBy as Service
from mailkit.sandbox.smsby.state import SmsBySettings
from mailkit.sandbox.truth import Truth

from .loop import SimulatedLoop

PERSONAL = Message(sender="a@b.by", subject="Hi {{ name }}", html="<p>{{ name }}</p>")
COMMON = Message(sender="a@b.by", subject="Hi", text="Hi")
START = 1_800_000_000.0


class Died(Exception):
    """The process is dead: nothing it still tries has an effect."""


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


class Network:
    """Carries requests to the service, or not; see ``_fate``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._life = world.life
        self.arrivals: list[float] = []

    async def send(self, request: Request, timeout: float) -> Answer:  # noqa: ASYNC109
        world = self._world
        operation = world.service.find("POST", urlsplit(request.url).path)
        assert operation is not None
        fate = self._fate()
        if fate == "not sent":
            await self._pass(0.1)
            request.began = False
            raise NotSent("connection refused")
        request.began = True
        arrived = False
        try:
            await self._pass(0.1)
            if fate == "lost before":
                raise OutcomeUnknown("reset before reading")
            if fate == "slow":  # it acts when nobody listens any more
                delay = world.rng.uniform(0.1, 3)
                world.loop.call_later(timeout * delay, self._act, request, delay <= 1)
                arrived = True
                await self._pass(1000, at_least=timeout)
                raise OutcomeUnknown("timeout")
            if fate in _REFUSALS:
                return _REFUSALS[fate]
            arrived = True
            answer = self._act(request)
            await self._pass(0.2)
        except asyncio.CancelledError:
            if not arrived and world.rng.random() < 0.5:
                self._act(request)  # the bytes were out when the process died
            raise
        if fate == "lost after":
            raise OutcomeUnknown("reset after acting")
        if fate == "cut":
            return Answer(200, {}, answer.body[: len(answer.body) // 2])
        return answer

    async def aclose(self) -> None:
        return

    def _fate(self) -> str:
        rng, world = self._world.rng, self._world
        return rng.choice(_FATES) if rng.random() < world.trouble else "answered"

    async def _pass(self, mean: float, *, at_least: float = 0.0) -> None:
        if self._life != self._world.life:
            raise Died
        wait = at_least or self._world.rng.expovariate(1 / mean)
        await asyncio.sleep(wait)

    def _act(self, request: Request, counted: bool = True) -> Answer:
        world = self._world
        if counted:  # a request that was held up beyond its deadline is beyond any quota's reach
            self.arrivals.append(world.loop.now)
        parts = urlsplit(request.url)
        operation = world.service.find("POST", parts.path) or ""
        kind = request.headers.get("Content-Type", "")
        raw = Raw(operation, "POST", parts.path, parts.query.encode(), kind, request.body or b"")
        reply = world.service.act(world.service.parse(raw))
        return Answer(reply.status, dict(reply.headers), msgspec.json.encode(reply.value))


_REFUSALS = {
    "429": Answer(429, {"Retry-After": "3"}, b'{"error":"too many"}'),
    "503": Answer(503, {}, b'{"status":"error","message":"later"}'),
    "500": Answer(500, {}, b"<html>oops</html>"),
    "html": Answer(200, {}, b"<html>Welcome to the hotel's network</html>"),
}
_FATES = ("not sent", "lost before", "lost after", "slow", "cut", *_REFUSALS)


class World:
    """One seed's world; ``run`` sends a list through it and ends every doubt by the truth."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        self.loop = SimulatedLoop()
        self.life = 0
        self.commits = 0
        self.dies_after = 0
        self.trouble = rng.choice((0.0, 0.05, 0.3))
        self.truth = Truth(keep_letters=0)
        self.service = Service(
            token="token",
            clock=SandboxClock(start=START, real=self.loop.time),
            truth=self.truth,
            chance=rng,
            settings=SmsBySettings(status_delay=rng.choice((0.0, 30.0))),
        )
        self.disk = Disk(self)
        self.clock = Clock(
            now=lambda: START + self.loop.now, monotonic=self.loop.time, sleep=asyncio.sleep
        )
        self.count = rng.randint(1, 60)
        self.rows = rng.randint(1, 12)
        self.senders = rng.randint(1, 5)
        self.message = rng.choice((PERSONAL, COMMON))
        self.quota = Quota(rng.randint(1, 5), 10.0) if rng.random() < 0.3 else None
        self.networks: list[Network] = []
        self.people = [({"email": self._address(n), "name": f"N{n}"}) for n in range(self.count)]

    def _address(self, n: int) -> str:
        kind = self.rng.random()
        prefix = "invalid" if kind < 0.05 else "bounce" if kind < 0.1 else "p"
        return f"{prefix}{n}@example.com"

    def die(self) -> None:
        """Kill the process: what it has not committed never happened."""
        self.life += 1
        self.dies_after = 0
        for task in asyncio.all_tasks(self.loop):
            task.cancel()

    def sender(self, journal: Journal) -> BulkSender:
        """A BulkSender of a new process."""
        self.networks.append(Network(self))
        provider = SmsBy(
            "token",
            "http://127.0.0.1",
            requests=self.quota,
            transport=self.networks[-1],
            clock=self.clock,
            random=self.rng,
            limits=ChunkLimits(bulk_rows=self.rows, personal_rows=self.rows),
        )
        settings = EngineSettings(senders=self.senders, pollers=2, reconcile=600.0)
        return BulkSender(
            provider, journal=journal, settings=settings, clock=self.clock, rng=self.rng
        )

    def mailed(self) -> Counter[str]:
        """Who was really mailed, how often."""
        return Counter(dict(self.truth.mailed))
