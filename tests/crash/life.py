"""One life of an engine's process, which ends when its work does, or by SIGKILL on the way."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import attrs

from mailkit import BulkSender, EngineSettings, Journal, Message, read_recipients
from mailkit.bulk.job import Job
from mailkit.bulk.journal import Taken
from mailkit.core.dispatch import Task
from mailkit.errors import MailkitError
from mailkit.events import ChunkAccepted, JobEvent

from .clocks import FastClock
from .commands import CommandLine, write_message
from .processes import Forked, Log
from .sandbox import Place
from .subjects import Subject

__all__ = [
    "ENGINE",
    "ENGINE_DONE",
    "JOB",
    "JOINED",
    "SENDERS",
    "Errand",
    "Moment",
    "engine",
    "live",
    "start_or_resume",
    "typed",
]

JOB = "crash"
SENDERS = 4
ENGINE, ENGINE_DONE = "engine begins", "engine is done"
JOINED = "sends along with another one"


@attrs.frozen
class Moment:
    """The ``nth`` call of a transition, before or after its commit, and what strikes there.

    With a ``stage``, only calls with a task at that stage count; where it is the call that hands
    the task out, it can only be after that.
    """

    owner: type
    name: str
    nth: int
    after: bool
    signal: int = signal.SIGKILL
    stage: str = ""

    def arm(self) -> None:
        """Have this process send itself the signal there."""
        write: Callable[..., Awaitable[Any]] = getattr(self.owner, self.name)
        calls = 0

        @functools.wraps(write)
        async def deadly(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            counts = self._counts(args)
            calls += counts
            here, late = counts and calls == self.nth, False
            if here and not self.after:
                os.kill(os.getpid(), self.signal)
            result = await write(*args, **kwargs)
            if not counts and self._counts([result]):
                calls += 1
                here = late = calls == self.nth
            if here and (self.after or late):
                os.kill(os.getpid(), self.signal)
            return result

        setattr(self.owner, self.name, deadly)

    def _counts(self, values: Iterable[object]) -> bool:
        tasks = [value.task if isinstance(value, Taken) else value for value in values]
        stages = [task.stage.name for task in tasks if isinstance(task, Task)]
        return self.stage in stages if self.stage else True


@attrs.frozen
class Errand:
    """What every process of a job works on. The journal is the file, or the ``database`` at this
    address.
    """

    subject: Subject
    message: Message
    place: Place
    list: Path
    journal: Path
    log: Log
    command: CommandLine
    clock: FastClock
    job: str = JOB
    database: str | None = None

    @property
    def address(self) -> str | Path:
        """What the journal is opened by."""
        return self.database or self.journal

    @property
    def has_journal(self) -> bool:
        """Whether there is one."""
        return self.database is not None or self.journal.exists()

    @property
    def url(self) -> str:
        """Where the sandbox is."""
        return self.place.url

    @property
    def corrected(self) -> Errand:
        """The same message to the same list with one row more, as a job of its own."""
        return attrs.evolve(self, list=self.list.with_suffix(".corrected.csv"), job="corrected")

    @property
    def second(self) -> Errand:
        """The same message to other people, as a job of its own."""
        return attrs.evolve(self, list=self.list.with_suffix(".second.csv"), job="second")


def live(errand: Errand, *moments: Moment, who: str = "life") -> Forked:
    """Start the job in a forked process, or go on with it."""

    def work() -> int:
        for moment in moments:
            moment.arm()
        return engine(errand, who, start_or_resume)

    return Forked(who, work)


def typed(errand: Errand, *, known: bool) -> Forked:
    """The same as a command: ``mailkit send``, or ``mailkit resume`` if the job is known."""
    if known:
        return errand.command.start(errand.journal, "resume", errand.job)
    message = write_message(errand.list.with_suffix(".toml"), errand.message)
    return errand.command.start(
        errand.journal,
        *("send", str(message), str(errand.list)),
        *("--provider", errand.subject.name, "--name", errand.job),
    )


Begin = Callable[[BulkSender, Errand], Awaitable[Job]]


def engine(errand: Errand, who: str, begin: Begin) -> int:
    """Run an engine to its end, as the command line does; returns the exit code."""
    try:
        return asyncio.run(_run(errand, who, begin))
    except MailkitError as error:
        errand.log.error(who, error)
        return 1
    except Exception as error:
        errand.log.error(who, error)
        raise


async def _run(errand: Errand, who: str, begin: Begin) -> int:
    together = False  # whether others send the job, and it is still to be said that this one does

    def hear(event: JobEvent) -> None:
        nonlocal together
        if together and isinstance(event, ChunkAccepted):
            errand.log.add(who, JOINED)
            together = False

    journal = await Journal.open(errand.address)
    settings = EngineSettings(SENDERS)
    try:
        async with (
            errand.subject.client(errand.place, errand.clock) as provider,
            BulkSender(
                provider, journal=journal, settings=settings, hooks=[hear], clock=errand.clock
            ) as sender,
        ):
            job = await begin(sender, errand)
            errand.log.add(who, ENGINE)
            record = job._record
            own = record.worker and record.worker.id
            together = bool(await journal.workers.living(record) - {own})
            report = await job.wait()
            errand.log.add(who, ENGINE_DONE)
            if job.error is not None:
                errand.log.error(who, job.error)
                return 1
            return 3 if report.counts.in_doubt else 4 if report.counts.unsent else 0
    finally:
        await journal.close()


async def start_or_resume(sender: BulkSender, errand: Errand) -> Job:
    recipients = read_recipients(errand.list)
    return await sender.start_or_resume(errand.message, recipients, name=errand.job)
