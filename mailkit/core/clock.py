"""Time as a parameter: everything that waits or stamps takes a Clock, so that tests never sleep."""

from __future__ import annotations

import asyncio
import time
from functools import cache
from pathlib import Path

import anyio

from mailkit.core.lateness import elapsed

__all__ = ["Clock"]


class Clock:
    """The system's time; a subclass is another one, such as `mailkit.testing.FakeClock`."""

    __slots__ = ()

    def now(self) -> float:
        """The wall clock: seconds since 1970, which may be set forward and back."""
        return time.time()

    def monotonic(self) -> float:
        """A steady counter of seconds."""
        return time.monotonic()

    def elapsed(self) -> float:
        """Seconds since the machine's start, alike in all processes; nobody can set them."""
        return elapsed()

    def boot(self) -> str:
        """The name of that start; empty where the system gives it none."""
        return _boot()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)

    async def sleep_until(self, event: anyio.Event, seconds: float) -> None:
        """Wait for the event, but no longer than ``seconds``."""
        waits = [
            asyncio.ensure_future(event.wait()),
            asyncio.ensure_future(self.sleep(seconds)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
