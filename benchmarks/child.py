"""A job in a process of its own, for peaks of memory and for the time from a process's start.

    python -m benchmarks.child send|personal|naive|crash|resume URL TABLE JOURNAL

``send`` runs a job with one letter for all to its end, ``personal`` one with a letter for each,
``naive`` the naive loop; all print their peak of memory in bytes.
``crash`` dies after a tenth of the job's requests; ``resume`` goes on with that job, prints the
time of its first sending request and dies there.
"""

from __future__ import annotations

import asyncio
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
from mailkit import BulkSender, Message, SmsBy, read_recipients
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


async def send(url: str, table: Path, journal: Path, message: Message = COMMON) -> None:
    async with SmsBy(TOKEN, url) as client, BulkSender(client, journal=journal) as sender:
        job = await sender.start(message, read_recipients(table), name=NAME)
        assert (await job.wait()).complete
    print(peak())


async def loop(url: str, table: Path, journal: Path) -> None:
    async with aiohttp.ClientSession() as session:
        people = naive.read(table)
        await naive.one_letter_to_all(session, url, people, COMMON.subject, COMMON.body)
    print(peak())


async def crash(url: str, table: Path, journal: Path) -> None:
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


async def resume(url: str, table: Path, journal: Path) -> None:
    def first(attempt: Attempt) -> None:
        if attempt.call == "bulk.send":
            print(time.time(), flush=True)
            os._exit(0)

    async with (
        SmsBy(TOKEN, url, hooks=[first]) as client,
        BulkSender(client, journal=journal) as sender,
    ):
        await (await sender.resume(NAME)).wait()


def _lines(table: Path) -> int:
    with table.open("rb") as file:
        return sum(1 for _ in file)


DOES: dict[str, Callable[[str, Path, Path], object]] = {
    "send": send,
    "personal": partial(send, message=PERSONAL),
    "naive": loop,
    "crash": crash,
    "resume": resume,
}

if __name__ == "__main__":
    what, url, table, journal = sys.argv[1:]
    asyncio.run(DOES[what](url, Path(table), Path(journal)))  # type: ignore[arg-type]
