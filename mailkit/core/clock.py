"""Time as a parameter: everything that waits or stamps takes a Clock, so that tests never sleep."""

from __future__ import annotations

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
