"""The table on the screen, results.json, the plots, and the figures in README.md."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import memory, rates
from benchmarks.plots import Points, chart
from benchmarks.rows import Row

__all__ = ["line", "write"]

HERE = Path(__file__).parent
BEGIN, END = "<!-- figures: written by the run -->", "<!-- end of the figures -->"
PEERS = ("aiohttp", "httpx", "pysendpulse", "aiosendpulse", "orjson", "cattrs")
CHARTS = {
    rates.PLOT: ("Throughput over concurrency", "workers", "requests a second"),
    memory.PLOT: ("Peak memory over the list's length", "rows", "MB"),
}
MET = {True: "met", False: "MISSED", None: ""}
HEAD = f"{'':<80}{'mailkit':>10}{'peer':>12} {'unit':<10}{'ratio':>8}  {'spread':<16}{'goal':<9}"


def line(row: Row) -> str:
    """The row as it stands in the table on the screen."""
    peer = "" if row.peer is None else f"{row.peer:,.2f}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    low, high = row.spread
    text = (
        f"{row.name:<80}{row.ours:>10,.2f}{peer:>12} {row.unit:<10}{ratio:>8}  "
        f"{f'{low:.2f} to {high:.2f}':<16}{row.goal or ''!s:<9}{MET[row.met]}"
    )
    return text.rstrip() + (f"\n    {row.note}" if row.note else "")


def write(
    rows: Sequence[Row],
    series: Mapping[str, Mapping[str, Points]],
    left_out: Sequence[str],
    *,
    quick: bool,
) -> None:
    """Everything that stays after a run."""
    results = {
        "date": f"{date.today():%Y-%m-%d}",
        "quick": quick,
        "machine": _machine(),
        "versions": _versions(),
        "rows": [row.to_json() for row in rows if row.peer is not None],
        "figures": [row.to_json() for row in rows if row.peer is None],
        "left_out": list(left_out),
        "series": {
            name: {line: [[x, round(y, 1)] for x, y in points] for line, points in lines.items()}
            for name, lines in series.items()
        },
    }
    text = json.dumps(results, indent=1, ensure_ascii=False)
    (HERE / "results.json").write_text(text + "\n", encoding="utf-8")
    for name, lines in series.items():
        svg = chart(*CHARTS[name], lines)
        (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
    readme = HERE / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    figures = "\n".join(_figures(rows, left_out, quick))
    readme.write_text(f"{before}{BEGIN}\n{figures}\n{END}{after}", encoding="utf-8")


def _figures(rows: Sequence[Row], left_out: Sequence[str], quick: bool) -> list[str]:
    kind = "A quick run" if quick else "A full run"
    versions = ", ".join(f"{name} {number}" for name, number in _versions().items())
    lines = [
        f"{kind} of {date.today():%d %B %Y} on {_machine()}, with {versions}.",
        "",
        "| row | result | spread | goal | |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        unit = "" if row.ratio is not None else f" {row.unit}"
        low, high = row.spread
        note = f"<br>{row.note}" if row.note else ""
        lines.append(
            f"| {row.name}{note} | {row.result:.2f}{unit} | {low:.2f} to {high:.2f} "
            f"| {row.goal or ''} | {MET[row.met]} |"
        )
    return [*lines, "", f"Left out: {'; '.join(left_out)}."] if left_out else lines


def _machine() -> str:
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}"


def _versions() -> dict[str, str]:
    found = {}
    for name in PEERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
