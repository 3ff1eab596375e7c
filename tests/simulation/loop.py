"""An event loop whose time is made up: when nothing is ready, it jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


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

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.failures.append(error or AssertionError(context["message"]))

    def time(self) -> float:
        return self.now
