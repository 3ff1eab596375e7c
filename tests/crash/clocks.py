"""Time that runs faster, alike in all processes of a proof."""

from __future__ import annotations

import time

import anyio
import attrs

from mailkit.core.clock import Clock
from mailkit.core.lateness import elapsed

__all__ = ["FastClock"]


@attrs.frozen
class FastClock(Clock):
    """Runs ``speed`` times as fast as the machine's, from the moment on at which it was made."""

    speed: float = 1.0
    _wall: float = attrs.field(factory=time.time)
    _steady: float = attrs.field(factory=elapsed)
    _began: float = attrs.field(factory=elapsed)

    def now(self) -> float:
        return self._wall + self._passed()

    def monotonic(self) -> float:
        return self._steady + self._passed()

    def elapsed(self) -> float:
        return self.monotonic()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds / self.speed)

    def later(self, seconds: float) -> FastClock:
        """Another one, which is so far ahead of this one."""
        return FastClock(self.speed, self.now() + seconds, self.monotonic() + seconds)

    def _passed(self) -> float:
        return (elapsed() - self._began) * self.speed
