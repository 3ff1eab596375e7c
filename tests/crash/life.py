"""One life of a job's process, which ends at its work's end or by SIGKILL on the way."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs

from mailkit import BulkSender, EngineSettings, Journal, read_recipients
from mailkit.errors import JobExists

from .subjects import Subject

JOB = "crash"
SENDERS = 4


@attrs.frozen
class Death:
    """When to die: at the ``nth`` call of a transition, before or after its commit."""

    owner: type
    name: str
    nth: int
    after: bool

    def arm(self) -> None:
        """Have this process kill itself there."""
        write: Callable[..., Awaitable[Any]] = getattr(self.owner, self.name)
        calls = 0

        @functools.wraps(write)
        async def deadly(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            here = calls == self.nth
            if here and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = await write(*args, **kwargs)
            if here:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(self.owner, self.name, deadly)


@attrs.frozen
class Errand:
    """What every life of a job works on."""

    subject: Subject
    url: str
    key: str
    table: Path
    journal: Path


def live(errand: Errand, death: Death | None) -> None:
    """Start the job, or go on with it, in a forked process; never returns."""
    try:
        if death is not None:
            death.arm()
        asyncio.run(_work(errand))
    except BaseException:  # noqa: BLE001 - a forked process must not go on in pytest's place
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


async def _work(errand: Errand) -> None:
    journal = await Journal.open(errand.journal)
    async with (
        errand.subject.client(errand.url, errand.key) as provider,
        BulkSender(provider, journal=journal, settings=EngineSettings(SENDERS)) as sender,
    ):
        try:
            people = read_recipients(errand.table)
            job = await sender.start(errand.subject.message, people, name=JOB)
        except JobExists:
            job = await sender.resume(JOB)
        await job.wait()
    await journal.close()
