"""The settings of a client that decide how its calls are written on the wire."""

from __future__ import annotations

from datetime import tzinfo
from random import Random, SystemRandom

import attrs

__all__ = ["Encoding"]


@attrs.frozen
class Encoding:
    """How a client writes its calls.

    ``zone`` is the zone of the service's dates, None while unknown. ``multipart`` allows multipart
    forms where they save time. Calls in ``in_query`` put their form into the query instead.
    """

    zone: tzinfo | None = None
    multipart: bool = True
    in_query: frozenset[type] = frozenset()
    random: Random = attrs.field(factory=SystemRandom, repr=False)
