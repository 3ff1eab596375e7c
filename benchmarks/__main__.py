"""Runs the rows, prints the table, and writes results.json, the plots and README's figures."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import (
    apart,
    calls,
    campaigns,
    jobs,
    journals,
    memory,
    parts,
    plans,
    postgres,
    rates,
    report,
    webhooks,
    workers,
)
from benchmarks.rows import Bench, LeftOut, Row, Setting
from benchmarks.server import serve
from mailkit.text import counted

BENCHES: list[Bench] = [
    *calls.BENCHES,
    *rates.BENCHES,
    *plans.BENCHES,
    *jobs.BENCHES,
    *campaigns.BENCHES,
    *parts.BENCHES,
    *webhooks.BENCHES,
    *journals.BENCHES,
    *memory.BENCHES,
    *postgres.BENCHES,
    *workers.BENCHES,
    *apart.BENCHES,
]
KEYS = [bench.key for bench in BENCHES]


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description="mailkit beside its peers.")
    parser.add_argument("--quick", action="store_true", help="within 3 minutes, on shorter lists")
    parser.add_argument("--only", metavar="PART", help="rows whose key has PART; writes no files")
    parser.add_argument("--list", action="store_true", help="show the keys and end")
    options = parser.parse_args()
    if options.list:
        print("\n".join(KEYS))
        return
    rows: list[Row] = []
    left_out: list[str] = []
    began = time.monotonic()
    print(report.HEAD)
    with tempfile.TemporaryDirectory() as temporary, serve(Path(temporary)) as server:
        setting = Setting(server, Path(temporary), options.quick)
        for bench in BENCHES:
            if options.only and options.only not in bench.key:
                continue
            if options.quick and not bench.quick and not options.only:
                left_out.append(f"{bench.key}, for which the quick run has no time")
                continue
            try:
                for row in bench.run(setting):
                    rows.append(row)
                    print(report.line(row), flush=True)
            except (ImportError, LeftOut) as error:
                left_out.append(f"{bench.key}: {error}")
    for what in left_out:
        print(f"left out: {what}")
    if not rows:
        sys.exit(f"nothing was measured; --only takes a part of one of: {', '.join(KEYS)}")
    if not options.only:
        report.write(rows, setting.series, left_out, quick=options.quick)
    missed = counted(sum(row.met is False for row in rows), "goal")
    print(f"{time.monotonic() - began:.0f} s; {missed} missed")


if __name__ == "__main__":
    main()
