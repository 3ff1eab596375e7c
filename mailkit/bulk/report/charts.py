"""Charts as inline SVG: shapes alone, which stretch to any width. Their words are HTML around them,
and their numbers are in a table as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailkit.bulk.report.markup import Markup, joined, tag

__all__ = ["area", "bar", "columns", "key", "lines", "stack"]

HEIGHT = 100


def bar(share: float, kind: str) -> Markup:
    """A bar that fills a share of its line."""
    return _svg(
        100, 10, "bar", tag("rect", width=_short(100 * share), height=10, class_=kind), hidden=True
    )


def stack(shares: Sequence[tuple[str, float]], label: str) -> Markup:
    """Bars of several kinds, one after another in one line."""
    parts, x = [], 0.0
    for kind, share in shares:
        if share:
            width = 100 * share
            parts.append(tag("rect", x=_short(x), width=_short(width), height=10, class_=kind))
            x += width
    return _svg(100, 10, "stack", *parts, label=label)


def columns(values: Sequence[float], titles: Iterable[str], label: str) -> Markup:
    """A column for each value, with a title that shows when it is pointed at."""
    most = max(values) or 1
    parts = []
    for n, (value, title) in enumerate(zip(values, titles, strict=True)):
        height = HEIGHT * value / most
        shape = tag(
            "rect",
            tag("title", title),
            x=_short(n + 0.08),
            y=_short(HEIGHT - height),
            width=0.84,
            height=_short(height),
        )
        parts.append(shape)
    return _svg(len(values), HEIGHT, "plot columns", *_grid(len(values)), *parts, label=label)


def area(values: Sequence[float], label: str) -> Markup:
    """The values as a line that is filled below; each is reached at the end of its span."""
    most = max(values) or 1
    points = [(0.0, 0.0), *((n, HEIGHT * value / most) for n, value in enumerate(values, 1))]
    line = " L".join(f"{_short(x)},{_short(HEIGHT - y)}" for x, y in points)
    return _svg(
        len(values),
        HEIGHT,
        "plot area",
        *_grid(len(values)),
        tag("path", d=f"M{line} L{len(values)},{HEIGHT} Z", class_="fill"),
        tag("path", d=f"M{line}", class_="line", vector_effect="non-scaling-stroke"),
        label=label,
    )


def lines(series: Sequence[tuple[str, Sequence[float]]], label: str) -> Markup:
    """Several kinds of values as lines of one scale, each reached at the end of its span."""
    most = max(max(values) for _, values in series) or 1
    count = len(series[0][1])
    paths = (
        _line(kind, [(0.0, 0.0), *((n, HEIGHT * one / most) for n, one in enumerate(values, 1))])
        for kind, values in series
    )
    return _svg(count, HEIGHT, "plot", *_grid(count), *paths, label=label)


def key(kind: str) -> Markup:
    """A piece of a line, for the words that say what it is."""
    return _svg(20, 10, "key", _line(kind, [(0, HEIGHT - 5), (20, HEIGHT - 5)]), hidden=True)


def _line(kind: str, points: Iterable[tuple[float, float]]) -> Markup:
    path = " L".join(f"{_short(x)},{_short(HEIGHT - y)}" for x, y in points)
    return tag("path", d=f"M{path}", class_=f"line {kind}", vector_effect="non-scaling-stroke")


def _grid(width: int) -> Iterable[Markup]:
    for y in (0, HEIGHT // 2, HEIGHT):
        yield tag(
            "path", d=f"M0,{y} L{width},{y}", class_="grid", vector_effect="non-scaling-stroke"
        )


def _svg(
    width: int,
    height: int,
    kind: str,
    *shapes: Markup,
    label: str | None = None,
    hidden: bool = False,
) -> Markup:
    return tag(
        "svg",
        joined(*shapes),
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio="none",
        class_=kind,
        role=None if hidden else "img",
        aria_label=label,
        aria_hidden="true" if hidden else None,
        focusable="false",
    )


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
