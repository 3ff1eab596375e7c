"""Two sides measured in turn in one process: medians of CPU and wall time, and their spread."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Literal

import attrs

from benchmarks.server import Server

__all__ = ["Cost", "Pair", "Side", "Work", "measure", "median", "paired", "spread"]

Work = Callable[[], Awaitable[None]]
Side = Callable[[], AbstractAsyncContextManager[Work]]
"""Opens what one side needs (a client, a session) and gives the work that is timed."""


@attrs.frozen
class Cost:
    """What one run of a work took; ``server`` is the CPU time of the server meanwhile."""

    cpu: float
    wall: float
    server: float


@attrs.frozen
class Pair:
    """One run of ours and one of the peer's, one right after the other."""

    ours: Cost
    peer: Cost

    def ratio(self, kind: Literal["cpu", "wall"]) -> float:
        """Ours to the peer's."""
        mine: float = getattr(self.ours, kind)
        other: float = getattr(self.peer, kind)
        return mine / other


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """The quartiles; of fewer than five values the smallest and the largest."""
    if len(values) < 5:
        return min(values), max(values)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


async def measure(work: Work, server: Server | None = None) -> Cost:
    """One run of the work. CPU time counts all threads of this process."""
    gc.collect()
    served = server.cpu_seconds() if server else 0.0
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Cost(cpu, wall, server.cpu_seconds() - served if server else 0.0)


def paired(ours: Side, peer: Side, pairs: int, server: Server | None = None) -> list[Pair]:
    """Run both sides in turn, first each once unmeasured; who begins changes from pair to pair."""

    async def run() -> list[Pair]:
        found: list[Pair] = []
        async with AsyncExitStack() as stack:
            works = [await stack.enter_async_context(side()) for side in (ours, peer)]
            for work in works:
                await work()
            for n in range(pairs):
                order = (0, 1) if n % 2 == 0 else (1, 0)
                costs = {place: await measure(works[place], server) for place in order}
                found.append(Pair(costs[0], costs[1]))
        return found

    return asyncio.run(run())
