"""A process that takes chunks of the job a and dies: ``python -m tests.bulk.killed PATH COUNT``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from mailkit.bulk.journal import Journal

from .jobs import take


async def main(path: Path, count: int) -> None:
    journal = await Journal.open(path)
    job = await journal.workers.join(await journal.jobs.get("a"))
    for _ in range(count):
        await take(journal, job)
    os.kill(os.getpid(), signal.SIGKILL)


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
