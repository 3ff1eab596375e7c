"""A job under way: its progress, its end, its report."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime

import anyio

from mailkit.bulk.engine import Engine, innermost
from mailkit.bulk.journal import Counts, JobRecord, Journal, LeftBehind
from mailkit.bulk.progress import Pace, Progress, seconds_left
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.run import Left
from mailkit.core.arguments import checked
from mailkit.core.clock import Clock
from mailkit.core.loops import running_loop
from mailkit.errors import InvalidArgument, JournalError, MailkitError
from mailkit.events import DeliveryStatus

__all__ = ["Job"]

LOOK_SECONDS = 5.0
"""So often what costs more to find out is looked at for the progress."""
MOST_CHUNKS = 5_000
"""Of more chunks it takes too long to say how long their quotas make them last."""


class Job:
    """A job that this process runs; made by ``BulkSender.start`` and ``resume``."""

    def __init__(
        self,
        journal: Journal,
        record: JobRecord,
        engine_of: Callable[[JobRecord], Engine],
        clock: Clock,
        *,
        sends: bool,
        lasts: Callable[[Sequence[int]], Awaitable[float]],
        tracks: bool = False,
        left_out: int = 0,
    ) -> None:
        self._journal = journal
        self._record = record
        self._engine = engine_of(record)
        self._engine_of = engine_of
        self._sends = sends
        self._stopping = False
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._ended = anyio.Event()
        self._failure: BaseException | None = None
        self._report: Report | None = None
        self._waiting = 0
        self._lasts = lasts
        self._tracks = tracks
        self.left_out = left_out
        """How many of the rows that it was to send belong to other jobs by now: they became
        duplicates when it was resumed."""

    @property
    def name(self) -> str:
        """The job's name in the journal, as ``resume`` and ``report`` take it."""
        return self._record.name

    @property
    def error(self) -> MailkitError | None:
        """The error that ended the run early, if one did."""
        return self._engine.error

    @property
    def left(self) -> Left | None:
        """Why the run has left the job to the others who send it, if it has."""
        return self._engine.left

    @property
    def stopped(self) -> str | None:
        """Why the run ended early, in words, if it did. The job itself goes on if it was ``left``
        to others.
        """
        return self._engine.stopped

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, and nobody waits for it or is to hear of a failure."""
        return self._ended.is_set() and self._failure is None and not self._waiting

    @checked
    async def progress(self, every: float = 0.2) -> AsyncIterator[Progress]:
        """A look at the job each ``every`` seconds, and a last one when the run has ended."""
        self._check_loop()
        began = self._clock.monotonic()
        pace, looked, waited = Pace(), -LOOK_SECONDS, False
        quotas, deliveries = 0.0, dict[DeliveryStatus, int]()
        while True:
            done = self._ended.is_set()
            counts, unreconciled, accepted = await self._journal.reports.progress(self._record)
            now, steady = self._clock.now(), self._clock.monotonic()
            waiting = None if done else self._engine.waiting
            waits = waiting is not None
            if done or waits is not waited or steady >= looked + LOOK_SECONDS:
                looked, waited = steady, waits
                quotas = await self._quotas_last(counts)
                if self._tracks:
                    deliveries = dict(await self._journal.reports.deliveries(self._record))
            until = None if waiting is None or waiting.sent else waiting.until
            wait = 0.0 if until is None else max(until.timestamp() - now, 0.0)
            rate = pace.rate(counts.unsent, steady, waits=waits)
            tracks = self._engine.tracks_until
            yield Progress(
                counts=counts,
                checked=counts.accepted - unreconciled,
                at=datetime.fromtimestamp(now, UTC),
                seconds=steady - began,
                rate=rate,
                seconds_left=seconds_left(counts.unsent, rate, wait, quotas)
                if self._sends
                else None,
                looks_until=_moment(accepted and self._engine.looks_until(accepted)),
                deliveries=deliveries,
                tracks_until=_moment(tracks and now + tracks - steady),
                loaded=await self._loaded(counts),
                waiting=waiting,
                done=done,
            )
            if done:
                return
            await self._clock.sleep_until(self._ended, every)

    async def _loaded(self, counts: Counts) -> int | None:
        stage = self._engine.loads_until
        if stage is None:
            return None
        return await self._journal.reports.loaded(self._record, stage) if counts.unsent else 0

    async def _quotas_last(self, counts: Counts) -> float:
        """The seconds that the quotas make the rest last at least."""
        if not counts.unsent:
            return 0.0
        chunks = await self._journal.reports.chunk_rows(self._record)
        return await self._lasts(chunks) if len(chunks) <= MOST_CHUNKS else 0.0

    def left_behind(self) -> LeftBehind | None:
        """What would be in doubt if the process ended at once; None: that can't be found out. It
        blocks until the journal has answered.
        """
        return self._journal.reports.left_behind(self._record)

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

    async def ended(self) -> None:
        """Wait for the run to end, as `wait` does, and make no report."""
        self._check_loop()
        await self._ended.wait()
        if self._failure is not None:
            raise self._told()

    def stop(self) -> None:
        """Send nothing more: requests under way finish first, the rest stays unsent. May be called
        from any thread.
        """
        self._stopping = True
        self._call(lambda: self._engine.stop())

    def leave(self) -> None:
        """As `stop`, but the job does not count as stopped: other workers go on with it, such as
        ``mailkit worker`` on any machine.
        """
        self._stopping = True
        self._call(lambda: self._engine.leave())

    def _call(self, end: Callable[[], None]) -> None:
        if self._ended.is_set():
            return
        if running_loop() is self._loop:
            end()
        else:
            with contextlib.suppress(RuntimeError):  # its event loop is closed: it has ended
                self._loop.call_soon_threadsafe(end)

    def _check_loop(self) -> None:
        if running_loop() is not self._loop:
            raise InvalidArgument(
                f"the job {self.name} runs in another event loop: await it there; the "
                "journal's reports can be read from anywhere"
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
                while self._engine.taken_for_dead and await self._join_anew():
                    await self._engine.run()
            finally:
                with anyio.CancelScope(shield=True):
                    await self._journal.workers.leave(self._record)
        except BaseException as error:
            self._failure = innermost(error)
            self._engine.tell_failure(self._failure)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._ended.set()

    async def _join_anew(self) -> bool:
        """Go on with another worker, unless the job was stopped meanwhile."""
        if self._stopping or await self._journal.jobs.stopped(self._record) is not None:
            return False
        await self._journal.workers.leave(self._record)
        self._record = await self._journal.workers.join(self._record, sends=self._sends)
        self._engine = self._engine_of(self._record)
        return True


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
