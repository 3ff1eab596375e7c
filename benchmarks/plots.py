"""Line charts as SVG, written by hand: two plots need no library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from math import log

__all__ = ["Points", "chart"]

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 50, 60
COLOURS = ("#c2410c", "#1d4ed8", "#15803d", "#7e22ce", "#525252")
Points = Sequence[tuple[float, float]]
Place = Callable[[float, float], tuple[float, float]]


def chart(title: str, x_label: str, y_label: str, lines: Mapping[str, Points]) -> str:
    """A chart over a logarithmic x axis; each line is named at its right end."""
    xs = sorted({x for points in lines.values() for x, _ in points})
    top = max(y for points in lines.values() for _, y in points)
    step = _step(top)
    ceiling = step * -(-top // step)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (WIDTH - LEFT - RIGHT) * _share(x, xs),
            HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / ceiling,
        )

    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="sans-serif" font-size="13" fill="#262626">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            _text(LEFT, 26, title, 'font-size="16" font-weight="bold"'),
            _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, x_label, 'text-anchor="middle"'),
            _text(LEFT, 44, y_label, 'font-size="12" fill="#525252"'),
            *_grid(place, xs, step, ceiling),
            *_lines(place, lines),
            "</svg>\n",
        ]
    )


def _share(x: float, xs: Sequence[float]) -> float:
    """Where x stands between the first and the last, on a logarithmic scale."""
    return log(x / xs[0]) / log(xs[-1] / xs[0]) if len(xs) > 1 else 0.5


def _step(top: float) -> float:
    """A round distance between the grid's lines, of which there are four to ten."""
    step = 10.0 ** (len(str(int(top))) - 1)
    for part in (1, 2, 5):
        if top * part / step >= 4:
            return step / part
    return step / 10


def _grid(place: Place, xs: Sequence[float], step: float, ceiling: float) -> Iterator[str]:
    for n in range(round(ceiling / step) + 1):
        x, y = place(xs[0], n * step)
        yield f'<path d="M{x:.0f} {y:.1f}H{WIDTH - RIGHT}" stroke="#e5e5e5"/>'
        yield _text(x - 8, y + 4, f"{n * step:,.0f}", 'text-anchor="end"')
    for x_value in xs:
        x, y = place(x_value, 0)
        yield f'<path d="M{x:.1f} {y:.0f}v5" stroke="#525252"/>'
        yield _text(x, y + 20, f"{x_value:,.0f}", 'text-anchor="middle"')


def _lines(place: Place, lines: Mapping[str, Points]) -> Iterator[str]:
    ends = []
    for colour, (name, points) in zip(COLOURS, lines.items(), strict=False):
        spots = [place(*point) for point in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
        yield from (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in spots
        )
        ends.append((spots[-1][1], spots[-1][0], name, colour))
    lowest = float("-inf")
    for y, x, name, colour in sorted(ends):
        lowest = max(y, lowest + 16)  # names that would cover each other move down
        yield _text(x + 10, lowest + 4, name, f'fill="{colour}"')


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(text)}</text>'
