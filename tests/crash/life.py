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

from mailkit import BulkSender, EngineSettings, Journal, Message, SmsBy, read_recipients
from mailkit.bulk.journal.jobs import Jobs
from mailkit.bulk.journal.planning import Planning
from mailkit.bulk.journal.steps import Steps
from mailkit.errors import JobExists
from mailkit.providers.smsby import ChunkLimits

JOB = "crash"
MESSAGE = Message(sender="Shop <a@b.by>", subject="Hi {{ name }}", html="<p>Hi {{ name }}</p>")
ROWS_A_CHUNK = 50
SENDERS = 4

TRANSITIONS = [
    (Jobs, "create"),
    (Planning, "add"),
    (Planning, "mark_duplicates"),
    (Planning, "mark_suppressed"),
    (Planning, "cut"),
    (Jobs, "finish_planning"),
    (Jobs, "adopt"),
    (Steps, "take"),
    (Steps, "accept"),
    (Steps, "reconcile"),
]
"""Every write of the journal that a job without trouble makes."""


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


def live(url: str, token: str, table: Path, journal: Path, death: Death | None) -> None:
    """Start the job, or go on with it, in a forked process; never returns."""
    try:
        if death is not None:
            death.arm()
        asyncio.run(_work(url, token, table, journal))
    except BaseException:  # noqa: BLE001 - a forked process must not go on in pytest's place
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


async def _work(url: str, token: str, table: Path, place: Path) -> None:
    limits = ChunkLimits(personal_rows=ROWS_A_CHUNK)
    journal = await Journal.open(place)
    async with (
        SmsBy(token, url, limits=limits) as provider,
        BulkSender(provider, journal=journal, settings=EngineSettings(SENDERS)) as sender,
    ):
        try:
            job = await sender.start(MESSAGE, read_recipients(table), name=JOB)
        except JobExists:
            job = await sender.resume(JOB)
        await job.wait()
    await journal.close()
