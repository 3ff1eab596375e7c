"""Times as people write them, all of a page in one zone, so that it is said once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import attrs

from mailkit.bulk.report.markup import Markup, tag

__all__ = ["Times"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@attrs.frozen
class Times:
    """Times in a zone that is this far from UTC, whatever the local one was on other days."""

    offset: timedelta

    @classmethod
    def local(cls, now: datetime) -> Times:
        """In the zone of this machine, as it is now."""
        return cls(now.astimezone().utcoffset() or timedelta())

    @property
    def zone(self) -> str:
        """The name of the zone."""
        return str(timezone(self.offset))

    def words(self, at: datetime | float, precision: int = 1) -> str:
        """A time, or seconds since 1970, as far as they say something with a ``precision`` of so
        many seconds.
        """
        there = _at(at).astimezone(timezone(self.offset))
        day = f"{_MONTHS[there.month - 1]} {there.day}, {there.year}"
        if precision % 86_400 == 0:
            return day
        return f"{day}, {there:%H:%M:%S}" if precision < 60 else f"{day}, {there:%H:%M}"

    def tag(self, at: datetime | float, precision: int = 1) -> Markup:
        """The same as an element."""
        exact = _at(at).astimezone(UTC).isoformat(timespec="seconds")
        return tag("time", self.words(at, precision), datetime=exact)


def _at(at: datetime | float) -> datetime:
    return at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
