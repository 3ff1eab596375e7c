"""When rows were accepted, and when they were delivered, opened and clicked, or failed: counted in
equal spans of time, few enough for a chart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

import attrs

from mailkit.bulk.journal.details import FAILED
from mailkit.bulk.report.funnel import ARRIVED
from mailkit.events import DeliveryStatus

__all__ = ["LINES", "Deliveries", "Line", "Span", "Timeline", "deliveries_of", "timeline_of"]

MOST = 60
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
WIDTHS = (
    *(1, 2, 5, 10, 15, 30),
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 7, 14, 30, 90, 365)),
)


@attrs.frozen
class Span:
    """The rows that were accepted in a span of time that begins so many seconds after 1970, and
    all until its end.
    """

    begin: int
    rows: int
    total: int


@attrs.frozen
class Timeline:
    """Spans of ``width`` seconds, without a gap."""

    width: int
    spans: Sequence[Span]

    @property
    def rows(self) -> int:
        """All rows whose time is known."""
        return self.spans[-1].total

    @property
    def unit(self) -> tuple[str, int]:
        """In what the rate is said, and its seconds."""
        if self.width < _MINUTE // 2:
            return "second", 1
        return ("minute", _MINUTE) if self.width < _HOUR else ("hour", _HOUR)

    def rate(self, span: Span) -> float:
        """The rows in a second, minute or hour of the span."""
        return span.rows * self.unit[1] / self.width


def timeline_of(
    accepted: Callable[[], Iterable[tuple[float, int]]], offset: int = 0
) -> Timeline | None:
    """Count what ``accepted`` gives, times and rows, whenever it is called; None: it is nothing.
    Days begin when they do in a zone that is ``offset`` seconds from UTC.
    """
    axis = _Axis.of((at for at, _ in accepted()), offset)
    if axis is None:
        return None
    counted = [0] * axis.count
    for at, rows in accepted():
        counted[axis.place(at)] += rows
    counts = zip(axis.begins, counted, accumulate(counted), strict=True)
    return Timeline(axis.width, [Span(*one) for one in counts])


@attrs.frozen
class Line:
    """A line that a row joins once it comes as far as ``least``, if that was into one of
    ``statuses``. It stays there, whatever comes of it later: unless that was an error.
    """

    name: str
    least: DeliveryStatus
    statuses: frozenset[int]

    def rows(self, heard: Mapping[DeliveryStatus, int]) -> int:
        """Those that are in one of its statuses now."""
        return sum(rows for status, rows in heard.items() if self.least <= status in self.statuses)

    def moved(self, before: int, after: int) -> int:
        """How many rows more there are if one goes from one status to another."""
        joins = before < self.least <= after and after in self.statuses
        leaves = after < self.least <= before and before in self.statuses
        return joins - leaves


LINES = (
    Line("delivered", DeliveryStatus.DELIVERED, frozenset(ARRIVED)),
    Line("opened", DeliveryStatus.OPENED, frozenset(ARRIVED[1:3])),
    Line("clicked", DeliveryStatus.CLICKED, frozenset(ARRIVED[2:3])),
    Line("failed", DeliveryStatus.UNDELIVERED, frozenset(FAILED)),
)


@attrs.frozen
class Deliveries:
    """Of each line how many rows joined it in each span of ``width`` seconds; lines that nobody
    joined are left out.
    """

    width: int
    begins: Sequence[int]
    lines: Mapping[str, Sequence[int]]


def deliveries_of(
    rises: Callable[[], Iterable[tuple[float, int, int, int]]], offset: int = 0
) -> Deliveries | None:
    """Count what ``rises`` gives, as `Details.rises`, whenever it is called; None: nobody joined a
    line.
    """
    moved: dict[tuple[int, int], Sequence[int]] = {}

    def joined() -> Iterable[tuple[float, Sequence[int], int]]:
        for at, before, after, rows in rises():
            if (before, after) not in moved:
                moved[before, after] = [line.moved(before, after) for line in LINES]
            if any(moved[before, after]):
                yield at, moved[before, after], rows

    axis = _Axis.of((at for at, *_ in joined()), offset, least=_MINUTE)
    if axis is None:
        return None
    counted = [[0] * axis.count for _ in LINES]
    for at, moves, rows in joined():
        for line, move in zip(counted, moves, strict=True):
            line[axis.place(at)] += move * rows
    named = zip(LINES, counted, strict=True)
    lines = {line.name: spans for line, spans in named if any(spans)}
    return Deliveries(axis.width, axis.begins, lines) if lines else None


@attrs.frozen
class _Axis:
    """So many spans of time; ``first`` is the number of the first, counted from 1970."""

    width: int
    first: int
    count: int
    offset: int

    @classmethod
    def of(cls, times: Iterable[float], offset: int, least: int = 1) -> _Axis | None:
        """The shortest spans, but not shorter than ``least``, that hold all times."""
        first = last = None
        for at in times:
            first = at if first is None else min(first, at)
            last = at if last is None else max(last, at)
        if first is None or last is None:
            return None
        first, last = first + offset, last + offset
        fitting = (w for w in WIDTHS if w >= least and last // w - first // w < MOST)
        width = next(fitting, int(last - first) // (MOST - 1) + 1)
        begin = int(first // width)
        return cls(width, begin, int(last // width) - begin + 1, offset)

    @property
    def begins(self) -> Sequence[int]:
        """When the spans begin, in seconds after 1970."""
        return [(self.first + n) * self.width - self.offset for n in range(self.count)]

    def place(self, at: float) -> int:
        """The span that this time is in."""
        return int((at + self.offset) // self.width) - self.first
