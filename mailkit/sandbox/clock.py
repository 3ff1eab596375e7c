"""The sandbox's own time: it can run fast, stop, or be moved by hand."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

LAST = 253_086_768_000.0  # 9990-01-01: the services can still write dates some time later


def moment(at: float) -> str:
    """A moment for programs: ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


class Clock:
    """Seconds since the epoch, running `speed` times as fast as real time, until the year 9990.

    With speed 0 the time stops and only `advance` moves it. `real` is the clock
    underneath (seconds, monotonic); `start` is the first reading, by default the present.
    """

    def __init__(
        self,
        speed: float = 1.0,
        *,
        start: float | None = None,
        real: Callable[[], float] = time.monotonic,
    ) -> None:
        if not (math.isfinite(speed) and speed >= 0):
            raise ValueError(f"speed must be 0 or a positive number, not {speed!r}")
        self._given = speed, start
        self._real = real
        self.moves = 0
        """How often the time was moved by hand."""
        self.start_over()
        self.moved: Callable[[], None] = lambda: None
        """Called after each `advance`, in the same thread."""

    def start_over(self) -> None:
        """Be as it was when it was made, at the present or its `start`; nobody is told."""
        self.speed, start = self._given
        self._began = self._real()
        self._base = time.time() if start is None else start

    def now(self) -> float:
        """The sandbox's time, in seconds since the epoch."""
        return min(self._base + (self._real() - self._began) * self.speed, LAST)

    def stop(self) -> None:
        """Let the time stand still until it is moved by hand."""
        now = self.now()
        self.speed, self._base, self._began = 0.0, now, self._real()

    def advance(self, seconds: float) -> None:
        """Move the time forward by `seconds`; ValueError for a negative number, or one that leads
        beyond the year 9990.
        """
        if not seconds >= 0:
            raise ValueError("the sandbox's time can only go forward")
        left = LAST - self.now()
        if seconds > left:
            raise ValueError(
                "the sandbox's time ends in the year 9990: it can go forward by "
                f"{math.floor(left):,} seconds at most"
            )
        self._base += seconds
        self.moves += 1
        self.moved()
