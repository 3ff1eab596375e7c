"""Two sides measured in turn in one process: medians of CPU and wall time, and their spread."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Literal, Protocol

import attrs

__all__ = [
    "Cost",
    "Kind",
    "Pair",
    "Serves",
    "Side",
    "Work",
    "in_turn",
    "median",
    "paired",
    "spread",
]

Kind = Literal["cpu", "wall", "server"]
Work = Callable[[], Awaitable[int]]
"""What is timed; gives how many items (requests, rows) it did."""
Side = Callable[[], AbstractAsyncContextManager[Work]]
"""Opens what one side needs, a client or a session, and gives its work."""


class Serves(Protocol):
    """A server in other processes, whose CPU time is told apart."""

    def cpu_seconds(self) -> float:
        """What it has used so far."""
        ...

    def forget(self) -> None:
        """Before each run: let it drop what nobody needs any more."""
        ...


@attrs.frozen
class Cost:
    """Seconds for an item; ``server`` is the CPU time of the server meanwhile."""

    cpu: float
    wall: float
    server: float

    def of(self, kind: Kind) -> float:
        seconds: float = getattr(self, kind)
        return seconds


@attrs.frozen
class Pair:
    """One run of ours and one of the peer's, one right after the other."""

    ours: Cost
    peer: Cost

    def ratio(self, kind: Kind) -> float:
        """Ours to the peer's."""
        return self.ours.of(kind) / self.peer.of(kind)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """The quartiles; of fewer than five values the smallest and the largest."""
    if len(values) < 5:
        return min(values), max(values)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def in_turn(
    sides: Sequence[Side],
    rounds: int,
    server: Serves | None = None,
    *,
    loops: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> list[list[Cost]]:
    """Run all sides in turn, first each once unmeasured; gives the costs of each round.

    Every second round goes backwards, so that no side is always the one after the same other.
    """

    async def run() -> list[list[Cost]]:
        found: list[list[Cost]] = []
        async with AsyncExitStack() as stack:
            works = [await stack.enter_async_context(side()) for side in sides]
            for work in works:
                await work()
            for n in range(rounds):
                order = list(enumerate(works))[:: -1 if n % 2 else 1]
                costs = {place: await _measured(work, server) for place, work in order}
                found.append([costs[place] for place in range(len(works))])
        return found

    with asyncio.Runner(loop_factory=loops) as runner:
        return runner.run(run())


def paired(
    ours: Side,
    peer: Side,
    pairs: int,
    server: Serves | None = None,
    *,
    loops: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> list[Pair]:
    """Two sides in turn, on a loop of asyncio's own kind unless ``loops`` makes another."""
    return [Pair(*costs) for costs in in_turn([ours, peer], pairs, server, loops=loops)]


async def _measured(work: Work, server: Serves | None) -> Cost:
    """One run of the work. CPU time counts all threads of this process."""
    if server:
        server.forget()
    gc.collect()
    served = server.cpu_seconds() if server else 0.0
    wall, cpu = time.perf_counter(), time.process_time()
    items = await work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    served = server.cpu_seconds() - served if server else 0.0
    return Cost(cpu / items, wall / items, served / items)
