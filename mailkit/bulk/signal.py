"""A signal that something has changed: it wakes all who wait at that moment."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import anyio

from mailkit.core.clock import Clock

__all__ = ["Signal", "shielded"]

T = TypeVar("T")


class Signal:
    """Notified again and again; whoever comes too late waits for the next time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = anyio.Event()

    def notify(self) -> None:
        """Wake everybody."""
        event, self._event = self._event, anyio.Event()
        event.set()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait for the next time, but no longer than so many seconds."""
        if seconds is None:
            await self._event.wait()
        else:
            await self._clock.sleep_until(self._event, seconds)


async def shielded(write: Awaitable[T]) -> T:
    """What came of a request is written down even if the engine is cancelled meanwhile."""
    with anyio.CancelScope(shield=True):
        return await write
    raise AssertionError("nobody cancels that scope")
