"""When rows were accepted: counted in equal spans of time, few enough for a chart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs

__all__ = ["Span", "Timeline", "timeline_of"]

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


def timeline_of(accepted: Callable[[], Iterable[tuple[float, int]]]) -> Timeline | None:
    """Count what ``accepted`` gives, times and rows, whenever it is called; None: it is nothing."""
    first = last = None
    for at, _ in accepted():
        first = at if first is None else min(first, at)
        last = at if last is None else max(last, at)
    if first is None or last is None:
        return None
    fitting = (w for w in WIDTHS if last // w - first // w < MOST)
    width = next(fitting, int(last - first) // (MOST - 1) + 1)
    begin = int(first // width)
    counted = [0] * (int(last // width) - begin + 1)
    for at, rows in accepted():
        counted[int(at // width) - begin] += rows
    spans, total = [], 0
    for n, rows in enumerate(counted):
        total += rows
        spans.append(Span((begin + n) * width, rows, total))
    return Timeline(width, spans)
