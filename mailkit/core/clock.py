"""Time as a parameter: everything that waits or stamps takes a Clock, so that tests never sleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import anyio
import attrs

__all__ = ["Clock"]


@attrs.frozen
class Clock:
    """The wall (``now``, seconds since 1970), a steady counter and the art of waiting."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep

    async def sleep_until(self, event: anyio.Event, seconds: float) -> None:
        """Wait for the event, but no longer than so many seconds."""
        waits = [
            asyncio.ensure_future(event.wait()),
            asyncio.ensure_future(self.sleep(seconds)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
