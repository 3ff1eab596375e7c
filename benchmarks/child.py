"""A job in a process of its own, for peaks of memory and for the time from a process's start.

    python -m benchmarks.child send|personal|naive|crash|resume|plan|report|work URL TABLE JOURNAL

``send`` runs a job with one letter for all to its end, ``personal`` one with a letter for each,
``naive`` the naive loop; all print their peak of memory in bytes.
``crash`` dies after a tenth of the job's requests; ``resume`` goes on with that job, prints the
time of its first sending request and dies there. ``plan`` plans a job and ``report`` writes its
report as CSV; both print as JSON what that took. ``work`` says when it is ready, waits for a line,
and works on the job until that has ended.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import aiohttp

from benchmarks import naive
from benchmarks.jobs import COMMON, PERSONAL
from benchmarks.server import TOKEN
from mailkit import BulkSender, Journal, Message, SmsBy, csv_report, read_recipients
from mailkit.bulk.plan import JobSpec
from mailkit.bulk.plan import plan as plan_job
from mailkit.core.hooks import Attempt

NAME = "autumn"


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def send(url: str, table: Path, journal: str, message: Message = COMMON) -> None:
    async with SmsBy(TOKEN, url) as client, BulkSender(client, journal=journal) as sender:
        job = await sender.start(message, read_recipients(table), name=NAME)
        assert (await job.wait()).complete
    print(peak())


async def loop(url: str, table: Path, journal: str) -> None:
    async with aiohttp.ClientSession() as session:
        people = naive.read(table)
        await naive.one_letter_to_all(session, url, people, COMMON.subject, COMMON.body)
    print(peak())


async def crash(url: str, table: Path, journal: str) -> None:
    left = _lines(table) // 500 // 10

    def count(attempt: Attempt) -> None:
        nonlocal left
        left -= attempt.call == "bulk.send" and attempt.outcome is not None
        if left < 0:
            os._exit(0)

    async with (
        SmsBy(TOKEN, url, hooks=[count]) as client,
        BulkSender(client, journal=journal) as sender,
    ):
        await (await sender.start(COMMON, read_recipients(table), name=NAME)).wait()


async def resume(url: str, table: Path, journal: str) -> None:
    def first(attempt: Attempt) -> None:
        if attempt.call == "bulk.send":
            print(time.time(), flush=True)
            os._exit(0)

    async with (
        SmsBy(TOKEN, url, hooks=[first]) as client,
        BulkSender(client, journal=journal) as sender,
    ):
        await (await sender.resume(NAME)).wait()


async def plan(url: str, table: Path, journal: str) -> None:
    async with await Journal.open(journal) as opened, SmsBy(TOKEN, url) as client:
        wall, cpu = time.perf_counter(), time.process_time()
        job = await plan_job(opened, client, JobSpec(COMMON, read_recipients(table), NAME))
        _print(wall, cpu)
        await opened.workers.leave(job)


class Nowhere(io.StringIO):
    """Takes a report and keeps nothing of it."""

    def write(self, text: str) -> int:
        return len(text)


async def report(url: str, table: Path, journal: str) -> None:
    async with await Journal.open(journal) as opened:
        wall, cpu = time.perf_counter(), time.process_time()
        await csv_report(opened, NAME, Nowhere())
        _print(wall, cpu)


def _print(wall: float, cpu: float) -> None:
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak()}))


async def work(url: str, table: Path, journal: str) -> None:
    async with (
        SmsBy(TOKEN, url) as client,
        BulkSender(client, journal=journal) as sender,
    ):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await (await sender.resume(NAME)).wait()


def _lines(table: Path) -> int:
    with table.open("rb") as file:
        return sum(1 for _ in file)


DOES: dict[str, Callable[[str, Path, str], object]] = {
    "send": send,
    "personal": partial(send, message=PERSONAL),
    "naive": loop,
    "crash": crash,
    "resume": resume,
    "plan": plan,
    "report": report,
    "work": work,
}

if __name__ == "__main__":
    what, url, table, journal = sys.argv[1:]
    asyncio.run(DOES[what](url, Path(table), journal))  # type: ignore[arg-type]
