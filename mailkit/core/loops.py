"""What belongs to one event loop, and must not be used from another loop or thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["PerLoop", "Wake", "running_loop"]

T = TypeVar("T")

Loop = asyncio.AbstractEventLoop


def running_loop() -> Loop | None:
    """The event loop that runs in this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class PerLoop(Generic[T]):
    """A value for each event loop, made at its first use there, and kept until the loop is closed
    and another one comes.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[Loop, T] = {}

    def here(self) -> T:
        """The running loop's."""
        loop = asyncio.get_running_loop()
        value = self._values.get(loop)
        if value is None:
            for other in [*self._values]:
                if other.is_closed():
                    self._values.pop(other, None)
            value = self._values[loop] = self._make()
        return value


class Wake:
    """An event of the loop that it is made in; it may be set from any thread."""

    __slots__ = ("_event", "_loop")

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def lost(self) -> bool:
        """Whether its loop is closed, so that nobody waits for it any more."""
        return self._loop.is_closed()

    def set(self) -> None:
        """Wake who waits."""
        if running_loop() is self._loop:
            self._event.set()
        else:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._event.set)

    def clear(self) -> None:
        """Be ready for the next time."""
        self._event.clear()

    async def wait(self) -> None:
        """Wait until it is set."""
        await self._event.wait()
