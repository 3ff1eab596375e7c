"""The settings of a client that decide how its calls are written on the wire."""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from mailkit.errors import InvalidArgument

__all__ = ["WireFormat", "time_zone"]


@attrs.frozen
class WireFormat:
    """How a client writes its calls.

    ``zone`` is the zone of the service's dates, None while unknown. ``multipart`` allows multipart
    forms where they save time. Calls in ``in_query`` put their form into the query instead.
    """

    zone: tzinfo | None = None
    multipart: bool = True
    in_query: frozenset[type] = frozenset()


def time_zone(zone: str | tzinfo) -> tzinfo:
    """The time zone of this name; InvalidArgument if it does not exist."""
    if isinstance(zone, tzinfo):
        return zone
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidArgument(
            f"zone: there is no time zone {zone!r}; use e.g. Europe/Minsk"
        ) from None
