"""Runs the rows, prints the table, and writes results.json, the plots and README's figures."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks import calls, jobs, memory, parts, rates
from benchmarks.rows import Bench, Row, Setting
from benchmarks.server import serve

BENCHES: list[Bench] = [
    *calls.BENCHES,
    *rates.BENCHES,
    *jobs.BENCHES,
    *parts.BENCHES,
    *memory.BENCHES,
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description="mailkit and its peers.")
    parser.add_argument("--quick", action="store_true", help="within 3 minutes")
    parser.add_argument("--only", help="rows whose key has this in it; writes no files")
    options = parser.parse_args()
    chosen = [
        bench
        for bench in BENCHES
        if (options.only in bench.key if options.only else bench.quick or not options.quick)
    ]
    with tempfile.TemporaryDirectory() as temporary, serve(Path(temporary)) as server:
        setting = Setting(server, Path(temporary), options.quick)
        for bench in chosen:
            began = time.monotonic()
            for row in bench.run(setting):
                show(row)
            print(f"  {bench.key}: {time.monotonic() - began:.1f} s", flush=True)


def show(row: Row) -> None:
    low, high = row.spread
    goal = f"{row.goal.sign} {row.goal.value:g}" if row.goal else ""
    met = {True: "met", False: "MISSED", None: ""}[row.met]
    print(
        f"{row.name:<80}{row.ours:10.2f}{row.peer or 0:10.2f} {row.unit:<8}{row.result:8.2f}"
        f" ({low:.2f}-{high:.2f})  {goal:<8}{met}",
        flush=True,
    )
    if row.note:
        print(f"    {row.note}", flush=True)


if __name__ == "__main__":
    main()
