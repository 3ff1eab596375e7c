"""A job under way: its progress, its end, its report."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import anyio
import attrs

from mailkit.bulk.engine import Engine
from mailkit.bulk.journal import Counts, JobRecord, Journal
from mailkit.bulk.report import Report, make_report
from mailkit.core.clock import Clock
from mailkit.core.loops import running_loop
from mailkit.errors import InvalidArgument, JournalError, MailkitError

__all__ = ["Job", "Progress"]


@attrs.frozen
class Progress:
    """How far a job is. ``seconds`` is the time since this run began; ``rate`` rows a second.

    ``checked`` of the accepted rows were found in the provider's status list. ``waiting`` says
    why nothing is being sent at the moment, if so; ``done`` that the run has ended.
    """

    counts: Counts
    checked: int
    seconds: float
    rate: float
    waiting: str | None
    done: bool

    @property
    def sent(self) -> int:
        """The rows whose request has ended, whatever its outcome."""
        return self.counts.to_send - self.counts.unsent

    @property
    def seconds_left(self) -> float | None:
        """The time until everything is sent at the rate so far; None while that can't be said."""
        return self.counts.unsent / self.rate if self.rate else None


class Job:
    """A job that this process runs; made by ``BulkSender.start`` and ``resume``."""

    def __init__(self, journal: Journal, record: JobRecord, engine: Engine, clock: Clock) -> None:
        self._journal = journal
        self._record = record
        self._engine = engine
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._ended = anyio.Event()
        self._failure: BaseException | None = None
        self._report: Report | None = None
        self._waiting = 0

    @property
    def name(self) -> str:
        """The job's name in the journal, as ``resume`` and ``report`` take it."""
        return self._record.name

    @property
    def error(self) -> MailkitError | None:
        """The error that ended the run early, if one did."""
        return self._engine.error

    async def progress(self, every: float = 0.2) -> AsyncIterator[Progress]:
        """A look at the job each ``every`` seconds, and a last one when the run has ended."""
        self._check_loop()
        began = self._clock.monotonic()
        first: int | None = None
        while True:
            done = self._ended.is_set()
            counts, unreconciled = await self._journal.reports.progress(self._record)
            first = counts.unsent if first is None else first
            seconds = self._clock.monotonic() - began
            yield Progress(
                counts=counts,
                checked=counts.accepted - unreconciled,
                seconds=seconds,
                rate=(first - counts.unsent) / seconds if seconds > 0 else 0.0,
                waiting=None if done else self._engine.waiting,
                done=done,
            )
            if done:
                return
            await self._clock.sleep_until(self._ended, every)

    async def wait(self) -> Report:
        """Wait for the run to end, and return the report.

        An early end is told by ``Report.stopped``; only a failure of the journal, or a bug,
        raises.
        """
        self._check_loop()
        self._waiting += 1
        try:
            await self._ended.wait()
            if self._failure is not None:
                raise self._told()
            try:
                return await make_report(self._journal, self.name)
            except JournalError:
                if self._report is None:
                    raise
                return self._report  # the journal was closed meanwhile
        finally:
            self._waiting -= 1

    def stop(self) -> None:
        """Hand nothing more over; requests under way end first, the rest stays unsent. May be
        called from any thread.
        """
        if running_loop() is self._loop:
            self._engine.stop()
        else:
            with contextlib.suppress(RuntimeError):  # its event loop is closed: it has ended
                self._loop.call_soon_threadsafe(self._engine.stop)

    def _check_loop(self) -> None:
        if running_loop() is not self._loop:
            raise InvalidArgument(
                f"the job {self.name} runs in another event loop: wait for it there; the journal's "
                "reports can be read from anywhere"
            )

    async def end(self, *, quiet: bool) -> None:
        """The run has ended. A failure that nobody has heard of through ``wait`` is raised, unless
        ``quiet``.
        """
        if self._waiting and self._failure is None:  # in other tasks; the journal is closed next
            with contextlib.suppress(JournalError):
                self._report = await make_report(self._journal, self.name)
        if self._failure is not None and not quiet:
            raise self._told()

    def _told(self) -> BaseException:
        assert self._failure is not None  # noqa: S101 - the callers looked
        failure, self._failure = self._failure, None
        return failure

    async def run(self) -> None:
        """Work on the job until its end; a failure is kept for `wait` and `end`."""
        try:
            try:
                await self._engine.run()
            finally:
                with anyio.CancelScope(shield=True):
                    await self._journal.workers.leave(self._record)
        except BaseException as error:
            self._failure = _only(error)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._ended.set()


def _only(error: BaseException) -> BaseException:
    """The error itself, out of the groups that the engine's tasks wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
