"""An event loop whose time is made up: when nothing is ready, it jumps to the next timer."""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple, Unpack
from weakref import WeakKeyDictionary

from mailkit.core.clock import Clock

from .process import Process, process_of

Ts = TypeVarTuple("Ts")


class Deadlock(AssertionError):
    """Everything waits, and nothing will ever wake it."""


class LoopClock(Clock):
    """The time of a simulated loop; the wall clock shows ``start`` at its beginning."""

    def __init__(self, loop: SimulatedLoop, start: float = 0.0) -> None:
        self._loop = loop
        self._start = start

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock by so much."""
        self._start += seconds

    def now(self) -> float:
        return self._start + self._loop.now

    def monotonic(self) -> float:
        return self._loop.now

    def elapsed(self) -> float:
        return self._loop.now

    def boot(self) -> str:
        return ""


class _Jumping(selectors.SelectSelector):
    loop: SimulatedLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        if timeout > 0:
            self.loop.now += timeout
        return []  # nothing but time ever comes from outside


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Runs at full speed through made-up time; ``now`` is in seconds since its beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)
        self.failures: list[BaseException] = []
        self.set_exception_handler(self._note)
        self._begun = WeakKeyDictionary[asyncio.Task[Any], tuple[int, Process | None]]()
        self._numbers = itertools.count()
        self.set_task_factory(self._begin)

    def tasks(self, process: Process) -> list[asyncio.Task[Any]]:
        """The process's tasks that are not done, oldest first: a set's order depends on no seed."""
        begun = ((*self._begun[task], task) for task in asyncio.all_tasks(self))
        own = [(number, task) for number, whose, task in begun if whose is process]
        return [task for _, task in sorted(own, key=lambda pair: pair[0])]

    def _begin(
        self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **options)
        self._begun[task] = next(self._numbers), process_of(options.get("context"))
        return task

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.failures.append(error or AssertionError(context["message"]))

    def time(self) -> float:
        return self.now

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """There is one thread, and so nobody to wake."""
        return self.call_soon(callback, *args, context=context)
