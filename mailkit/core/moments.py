"""Moments and durations as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil

__all__ = ["moment", "spoken"]


def moment(seconds: float, now: float) -> str:
    """The local time so many seconds after 1970, with the date unless that is today's."""
    at, today = _local(seconds), _local(now).date()
    return f"{at:%H:%M:%S}" if at.date() == today else f"{at:%Y-%m-%d %H:%M:%S}"


def spoken(seconds: float) -> str:
    """The seconds as ``2 h 5 min`` or ``40 s``; those of more than an hour in whole minutes."""
    left = ceil(seconds)
    if left >= 3600:
        left = -(-left // 60) * 60
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number:,} {unit}")
    return " ".join(parts) or "0 s"


def _local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone()
