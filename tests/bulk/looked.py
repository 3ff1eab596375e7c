"""Processes on one journal: ``python -m tests.bulk.looked look|send …``.

``look PATH SOCKET`` opens the journal, reads each job's report and closes it again, each time that
somebody connects. ``send PATH SOCKET TRUTH JOB DIES`` sends a job (or goes on with it), notes whom
it mails in the file TRUTH, has the journal looked at in the middle of its second and its fourth
request, and dies in its request of the number DIES.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from mailkit.bulk.journal import Journal
from mailkit.bulk.report import make_report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import JobExists
from mailkit.provider import Sent, Task

from .fakes import MESSAGE, FakeProvider

ROWS = 18


def addresses(job: str) -> list[str]:
    return [f"{job}-{n}@example.com" for n in range(ROWS)]


async def look(path: Path) -> None:
    journal = await Journal.open(path, create=False)
    for record in await journal.jobs.list():
        report = await make_report(journal, record.name)
        assert report.counts.accounted == report.counts.read == ROWS
    await journal.close()


def serve(path: Path, place: str) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(place)
        door.listen(16)
        print("ready", flush=True)
        while True:
            with door.accept()[0] as asker:
                asyncio.run(look(path))
                asker.sendall(b"looked")


async def send(path: Path, place: str, truth: Path, name: str, dies: int) -> None:
    mailed = os.open(truth, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def hand_over(chunk: Task) -> Sent:
        os.write(mailed, "".join(f"{row.address}\n" for row in chunk.rows).encode())
        if len(provider.chunks) == dies:
            os.kill(os.getpid(), signal.SIGKILL)
        if len(provider.chunks) in (2, 4):
            with socket.socket(socket.AF_UNIX) as asker:
                asker.connect(place)
                assert asker.recv(100) == b"looked"
        return Sent(None)

    provider = FakeProvider(acts=[hand_over] * ROWS)
    async with BulkSender(provider, journal=path, settings=EngineSettings(2, 1)) as sender:
        try:
            job = await sender.start(MESSAGE, read_recipients(addresses(name)), name=name)
        except JobExists:
            job = await sender.resume(name)
        await job.wait()


if __name__ == "__main__":
    if sys.argv[1] == "look":
        serve(Path(sys.argv[2]), sys.argv[3])
    else:
        path, place, truth, name, dies = sys.argv[2:]
        asyncio.run(send(Path(path), place, Path(truth), name, int(dies)))
