"""Moments as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["moment"]


def moment(seconds: float, now: float) -> str:
    """The local time so many seconds after 1970, with the date unless that is today's."""
    at, today = _local(seconds), _local(now).date()
    return f"{at:%H:%M:%S}" if at.date() == today else f"{at:%Y-%m-%d %H:%M:%S}"


def _local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone()
