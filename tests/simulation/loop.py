"""An event loop whose time is made up: when nothing is ready, it jumps to the next timer."""

from __future__ import annotations

import asyncio
import itertools
import selectors
from typing import Any
from weakref import WeakKeyDictionary


class Deadlock(AssertionError):
    """Everything waits, and nothing will ever wake it."""


class _Jumping(selectors.SelectSelector):
    loop: SimulatedLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        self.loop.now += max(timeout, 0.0)
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Runs at full speed through made-up time; ``now`` is in seconds since its beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)
        self.failures: list[BaseException] = []
        self.set_exception_handler(self._note)
        self._begun = WeakKeyDictionary[asyncio.Task[Any], int]()
        self._numbers = itertools.count()
        self.set_task_factory(self._begin)

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Those that are not done, oldest first: the order of a set would be no seed's."""
        return sorted(asyncio.all_tasks(self), key=lambda task: self._begun.get(task, 0))

    def _begin(
        self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **options)
        self._begun[task] = next(self._numbers)
        return task

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.failures.append(error or AssertionError(context["message"]))

    def time(self) -> float:
        return self.now
