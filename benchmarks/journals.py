"""What people look at in a journal: the status of all jobs, and a report of every row."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib import import_module

import anyio

from benchmarks.jobs import PERSONAL
from benchmarks.measure import Work, in_turn
from benchmarks.rows import Bench, Row, Setting, at_most, figure
from mailkit import Journal, csv_report
from mailkit.bulk.journal import PlannedRow, Taken
from mailkit.provider import Sent, TaskRow

__all__ = ["BENCHES", "NOW", "accepted", "address"]

NOW = 1_790_000_000
CHUNK = 500
STATUS = (sys.executable, "-m", "mailkit", "status", "--journal")


def address(n: int) -> str:
    return f"friend{n}@friends{n % 997}.example"


async def accepted(
    journal: Journal,
    name: str,
    rows: int,
    *,
    provider: str = "smsby",
    chunk: int = CHUNK,
    reference: str | None = None,
) -> list[tuple[str, TaskRow]]:
    """A job of which everything is accepted; gives the rows with their tokens, in order."""
    message = json.dumps(PERSONAL.to_json())
    job = await journal.jobs.create(name, provider, "shop", message, again=False, now=NOW)
    for first in range(0, rows, 1_000):
        some = [
            PlannedRow(job.ids[0] + n, n + 1, address(n), None, f'["Анна {n}","Minsk"]', 10)
            for n in range(first + 1, min(first + 1_000, rows) + 1)
        ]
        await journal.planning.add(job, some, [])
    await journal.planning.cut(job, rows=chunk, size=None)
    job = await journal.jobs.finish_planning(
        job, columns=["name", "city"], fingerprint=name.encode(), name=name, again=False
    )
    found: list[tuple[str, TaskRow]] = []
    while isinstance(taken := await journal.chunks.take(job, NOW), Taken):
        found += [(taken.task.token(row), row) for row in taken.task.rows]
        await journal.chunks.accept(job, taken.ticket, NOW, Sent(reference))
    return found


def status(setting: Setting) -> Iterable[Row]:
    """The whole command, from the start of its process."""
    import_module("typer")
    jobs, rows = setting.pick(20, 200), 50_000
    place = setting.folder / "status.db"

    @asynccontextmanager
    async def made() -> AsyncIterator[Work]:
        async with await Journal.open(place) as journal:
            for n in range(jobs):
                await accepted(journal, f"job {n}", rows, chunk=5_000)

        async def work() -> int:
            began = time.perf_counter()
            await anyio.run_process([*STATUS, str(place)])
            seconds.append(time.perf_counter() - began)
            return 1

        yield work

    seconds: list[float] = []
    in_turn([made], setting.pick(3, 9))
    yield figure(
        f"mailkit status, {jobs * rows:,} rows in {jobs} jobs, wall",
        seconds[1:],
        "s wall",
        at_most(1.0),
        "from the start of its process",
    )


def rows_as_csv(setting: Setting) -> Iterable[Row]:
    rows = setting.pick(50_000, 200_000)

    @asynccontextmanager
    async def side() -> AsyncIterator[Work]:
        async with await Journal.open(setting.folder / "rows.db") as journal:
            await accepted(journal, "autumn", rows)

            async def work() -> int:
                return (await csv_report(journal, "autumn", io.StringIO())).total()

            yield work

    costs = [cost.cpu * 1e6 for (cost,) in in_turn([side], setting.pick(7, 15))]
    yield figure(
        "report --csv, a row", costs, "µs cpu", at_most(5.0), f"a job of {rows:,} rows, all sent"
    )


BENCHES = [Bench("status", status), Bench("report-csv", rows_as_csv)]
