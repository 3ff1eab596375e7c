"""The queue of a job, event by event: workers take chunks, request, write down, and ask again.

What things cost is measured (units.py); what the world is like is assumed (`World`). So many chunks
are played as tell the job's pace; the rest goes on like them.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Generator
from itertools import count

import attrs

from benchmarks.billion.units import Transaction, Units

__all__ = ["Pace", "World", "play"]

TAKE = "Chunks.take"
WINDOW = 1.0
"""A permit counts until so many seconds after its request ended, as in the journal."""

Process = Generator[float | None, None, None]
"""Gives the moment at which it goes on; None: once it is woken."""


@attrs.frozen
class World:
    """Seconds, and bytes a second. ``rate`` requests a second are allowed (0: any number), those
    that ask for statuses included. ``trip`` is a round trip to the database; ``flush`` is what a
    commit waits for, the disk and a standby. ``cores`` are the database's.
    """

    workers: int
    concurrency: int
    rate: int
    latency: float
    trip: float
    flush: float
    cores: int
    bandwidth: float


@attrs.frozen
class Pace:
    """``under_way`` sending requests on average; how ``busy`` each resource is, at most 1."""

    chunks_a_second: float
    under_way: float
    busy: dict[str, float]


def play(units: Units, world: World, chunks: int) -> Pace:
    """Send so many chunks."""
    return _Play(units, world).run(chunks)


class _Line:
    """So many servers that do one thing at a time; who comes first is served first."""

    def __init__(self, servers: int = 1) -> None:
        self._free = [0.0] * servers
        self.used = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """When it is done."""
        end = max(now, self._free[0]) + seconds
        heapq.heapreplace(self._free, end)
        self.used += seconds
        return end

    def busy(self, seconds: float) -> float:
        return self.used / len(self._free) / seconds


class _Play:
    def __init__(self, units: Units, world: World) -> None:
        self._units, self._world = units, world
        self._now = self._under_way = self._held = 0.0
        self._left = 0
        self._random = random.Random(1)
        self._numbers = count()
        self._events: list[tuple[float, int, Process]] = []
        self._running: Process
        self._permits = world.rate
        self._waiting: deque[Process] = deque()
        self._database, self._account, self._link = _Line(world.cores), _Line(), _Line()
        self._processors = [_Line() for _ in range(world.workers)]
        self._take = [one for one in units.transactions if one.name == TAKE]
        self._others = [one for one in units.transactions if one.name != TAKE]
        self._trip_cpu = units.send.database / units.chunks / units.trips
        self._request_cpu = units.send.cpu / units.chunks / units.requests

    def run(self, chunks: int) -> Pace:
        self._left = chunks
        for worker in range(self._world.workers):
            for _ in range(self._world.concurrency):
                self._at(0.0, self._sender(worker))
        while self._events:
            self._now, _, self._running = heapq.heappop(self._events)
            until = next(self._running, None)
            if until is not None:
                self._at(until, self._running)
        seconds, world = self._now, self._world
        busy = {
            "the database's cores": self._database.busy(seconds),
            "the account's line in the journal": self._account.busy(seconds),
            "the workers' cores": max(one.busy(seconds) for one in self._processors),
            "places for requests under way": self._under_way
            / seconds
            / (world.workers * world.concurrency),
            "bandwidth": self._link.busy(seconds),
        }
        if world.rate:
            busy["the service's rate"] = self._held / seconds / world.rate
        return Pace(chunks / seconds, self._under_way / seconds, busy)

    def _at(self, moment: float, process: Process) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), process))

    def _sender(self, worker: int) -> Process:
        while self._left > 0:
            self._left -= 1
            yield from self._permit()
            began = self._now
            yield from self._transactions(self._take, 1.0)
            yield from self._request(worker, self._units.request_bytes)
            yield from self._transactions(self._others, 0.5)
            self._under_way += self._now - began
            self._at(self._now, self._poller(worker))

    def _poller(self, worker: int) -> Process:
        """Asks what became of a chunk."""
        asked = self._units.requests - 1.0
        while asked > 0:  # what is asked for several chunks at once counts in part
            if self._random.random() < asked:
                yield from self._permit()
                yield from self._request(worker, 0.0)
            asked -= 1.0
        yield from self._transactions(self._others, 0.5)

    def _permit(self) -> Process:
        if not self._world.rate:
            return
        if self._permits:
            self._permits -= 1
        else:
            self._waiting.append(self._running)
            yield None

    def _give_back(self) -> Process:
        if self._waiting:
            self._at(self._now, self._waiting.popleft())
        else:
            self._permits += 1
        return
        yield

    def _transactions(self, kinds: list[Transaction], share: float) -> Process:
        """This share of a chunk's transactions of these kinds."""
        for one in kinds:
            number = one.count * share
            free, locked = number * (one.trips - one.locked), number * one.locked
            flush = number * self._world.flush if one.name == TAKE else 0.0
            yield self._database.serve(self._now, free * self._trip_cpu) + free * self._world.trip
            if locked:  # others wait until its commit is safe
                self._database.used += locked * self._trip_cpu
                yield self._account.serve(
                    self._now, locked * (self._world.trip + self._trip_cpu) + flush
                )
            elif flush:
                yield self._now + flush

    def _request(self, worker: int, size: float) -> Process:
        yield self._processors[worker].serve(self._now, self._request_cpu)
        yield self._link.serve(self._now, size / self._world.bandwidth)
        began = self._now
        yield self._now + self._world.latency * self._random.lognormvariate(0.0, 0.3)
        if self._world.rate:
            self._held += self._now - began + WINDOW
            self._at(self._now + WINDOW, self._give_back())
