"""Peak memory over the length of the list, and how soon a job of 1,000,000 rows goes on.

The jobs run in processes of their own, most with one letter for all (addresses and the journal
are what grows), duplicates looked for as always.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.jobs import remove, write_table
from benchmarks.rows import Bench, Row, Setting, at_most, figure

__all__ = ["BENCHES", "child"]

PLOT = "memory"
MILLION = 1_000_000


def child(what: str, setting: Setting, table: Path, journal: Path | str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.child", what, setting.server.url, table, journal],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout


def peaks(setting: Setting) -> Iterable[Row]:
    lengths = [10_000, 100_000, MILLION]
    if not setting.quick:
        lengths.append(10 * MILLION)
    for rows in lengths:
        write_table(setting.folder / f"list-{rows}.csv", rows)

    def peak(what: str, rows: int) -> tuple[float, float]:
        table = setting.folder / f"list-{rows}.csv"
        journal = setting.folder / f"{what}-{rows}.db"
        most = int(child(what, setting, table, journal))
        remove(journal)
        return rows, most

    with ThreadPoolExecutor(2) as pool:  # the children do the work, and time is not measured
        mailkit = [pool.submit(peak, "send", rows) for rows in reversed(lengths)]
        personal = pool.submit(peak, "personal", setting.pick(100_000, MILLION))
        loops = [pool.submit(peak, "naive", rows) for rows in lengths if rows <= MILLION]
        ours = [future.result() for future in reversed(mailkit)]
        naive = [future.result() for future in loops]
        each = personal.result()
    (fewer, low), (more, high) = ours[-2:]
    yield figure(
        f"peak memory of a job of {more:,.0f} rows",
        [high / 1e6],
        "MB",
        at_most(120),
        f"the naive loop at {naive[-1][0]:,.0f}: {naive[-1][1] / 1e6:,.0f} MB",
    )
    yield figure(
        f"peak memory of a job of {each[0]:,.0f} rows, a letter of 2 KB for each",
        [each[1] / 1e6],
        "MB",
        at_most(120),
    )
    yield figure(
        f"growth of the peak from {fewer:,.0f} to {more:,.0f} rows",
        [(high - low) / (more - fewer)],
        "bytes a row",
        None if setting.quick else at_most(2),
        "the journal's caches are still filling" if setting.quick else "",
    )
    setting.series[PLOT] = {
        name: [(rows, most / 1e6) for rows, most in points]
        for name, points in (("mailkit", ours), ("the naive loop", naive))
    }


def resume(setting: Setting) -> Iterable[Row]:
    table = write_table(setting.folder / f"list-{MILLION}.csv", MILLION)
    journal = setting.folder / "resume.db"
    child("crash", setting, table, journal)
    seconds = []
    for _ in range(setting.pick(3, 9)):
        began = time.time()
        seconds.append(float(child("resume", setting, table, journal)) - began)
    remove(journal)
    yield figure(
        f"resume of a job of {MILLION:,} rows until its first sending request, wall",
        seconds,
        "s wall",
        at_most(1),
        "from the start of a new process, after a crash that left a tenth sent",
    )


BENCHES = [Bench("memory", peaks), Bench("resume", resume)]
