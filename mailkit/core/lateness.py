"""How late the first byte of a request may leave.

A process can be stopped for minutes at any point, and go on as if nothing had happened. What is
known of a request that has not begun may have changed by then, so it does not begin any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

__all__ = ["BEGINS_WITHIN", "begins_by", "elapsed", "is_too_late"]

BEGINS_WITHIN = 10.0
"""Seconds after it was asked for that a request may begin which is to be sent once, or counted."""

_BOOT = getattr(time, "CLOCK_BOOTTIME", None)
_latest: ContextVar[float] = ContextVar("latest", default=inf)


def elapsed() -> float:
    """Seconds that go on while the process is stopped and, on Linux, while the machine sleeps."""
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)


@contextmanager
def begins_by(latest: float) -> Iterator[None]:
    """Requests in the block that have not begun by then (see `elapsed`) are not sent; nor are they
    if a block around it says so.
    """
    token = _latest.set(min(latest, _latest.get()))
    try:
        yield
    finally:
        _latest.reset(token)


def is_too_late() -> bool:
    """Whether a request must not begin any more."""
    latest = _latest.get()
    return latest != inf and elapsed() > latest
