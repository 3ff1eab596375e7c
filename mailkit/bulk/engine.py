"""The engine works on one planned job: it takes tasks from the journal, has the provider perform
them, and records the outcomes, until nothing is left or the job is stopped.

Its workers pull; each has one request under way. There are as many as find something to do: one
that has taken a task calls the next, and one that finds none is on call. The journal knows
everything before they act on it, so the engine may die anywhere, and others may work on the same
job: the next one picks up. What follows from a request that did not succeed is decided in
policy.py. Three doubts in a row, or a service that can't be reached, end the run: others who send
the job go on with it; if there are none, it stops.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint_if_cancelled

from mailkit.bulk.holds import Holds
from mailkit.bulk.journal import (
    JobRecord,
    Journal,
    Later,
    LedgerPermits,
    Stopped,
    Taken,
    WorkerDead,
)
from mailkit.bulk.on_call import OnCall
from mailkit.bulk.performing import Performing
from mailkit.bulk.polling import Polling
from mailkit.bulk.refusals import Refusals
from mailkit.bulk.run import Left
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.signal import Signal, shielded
from mailkit.bulk.telling import Teller
from mailkit.bulk.waiting import Waiting
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Dispatch, Scope, check_stages
from mailkit.core.frames import place_of
from mailkit.errors import AuthenticationFailed, MailkitError, Refused
from mailkit.events import JobEnded, JobHook, JobStarted, JobStopped

__all__ = ["Engine", "innermost"]

OTHERS_SECONDS = 1.0
UPLOADED = "all is ready at the provider, and nothing is sent"
LEFT = "left to other workers"


class Engine:
    """Runs one job until its end, or until it is stopped; without ``sends``, it only asks what
    became of what was sent; without ``last``, it does all but the last stage, which sends. ``job``
    has the worker as which it does so.
    """

    def __init__(
        self,
        journal: Journal,
        dispatch: Dispatch,
        job: JobRecord,
        *,
        send_at: datetime | None = None,
        settings: EngineSettings = EngineSettings(),
        sends: bool = True,
        last: bool = True,
        tell: JobHook | None = None,
        clock: Clock = Clock(),
        rng: random.Random | None = None,
        permits: LedgerPermits | None = None,
    ) -> None:
        check_stages(dispatch.stages)
        self._tell = tell or Teller()
        self._journal = journal
        self._concurrency = settings.concurrency if sends else 0
        self._dispatch = dispatch
        self._stages = tuple(dispatch.stages)
        self._before = None if last else len(self._stages) - 1
        self._permits = permits
        self._job = job
        self._send_at = send_at.timestamp() if send_at else None
        self._settings = settings
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, hides nothing
        self._stop = anyio.Event()
        self._stops_everybody = True
        self._cut_short = Signal(clock)  # stopped, or on hold
        self._idle = OnCall(clock)
        self._refusals = Refusals(
            self,
            journal,
            job,
            settings=settings,
            clock=clock,
            rng=self._rng,
            call=self._call,
            tell=self._tell,
        )
        self._polling = Polling(
            journal,
            dispatch,
            job,
            send_at=send_at,
            settings=settings,
            clock=clock,
            call=self._call,
            fail=self.fail,
            sending=lambda: self._at_work > 0,
        )
        self._holds = Holds(
            self,
            journal,
            job,
            settings=settings,
            clock=clock,
            rng=self._rng,
            tell=self._tell,
            began=self._cut_short,
        )
        self._performing = Performing(
            self,
            journal,
            dispatch,
            job,
            settings=settings,
            clock=clock,
            tell=self._tell,
            permits=permits,
            holds=self._holds,
            refusals=self._refusals,
            polling=self._polling,
        )
        self._at_work = 0
        self._concluded = False
        self._tasks: TaskGroup | None = None
        self._leaves: Left | None = None  # if others send the job when all has ended here
        self.stopped: str | None = None
        self.left: Left | None = None
        self.error: MailkitError | None = None
        self.taken_for_dead = False

    @property
    def waiting(self) -> Waiting | None:
        """Why nothing is sent at the moment; if nothing is left to send, what is waited for."""
        if self._performing.under_way:
            return None
        return self._holds.waiting or self._polling.waiting

    @property
    def loads_until(self) -> int | None:
        """The stage at which rows are loaded already; None: the request that sends has them."""
        parts = [n for n, stage in enumerate(self._stages) if stage.scope is Scope.PART]
        return parts[-1] + 1 if parts else None

    @property
    def tracks_until(self) -> float | None:
        """When deliveries are asked for no longer, by the steady clock; None: that is not known."""
        return self._polling.tracks_until

    def looks_until(self, accepted: float) -> float:
        """Until when rows are looked for that were accepted then, by the wall clock."""
        return self._polling.looks_until(accepted)

    def stop(self, reason: str = "stopped at your request", *, everybody: bool = False) -> None:
        """Begin nothing more; requests under way end first. Other workers go on with the job,
        unless ``everybody`` is meant.
        """
        self._polling.stop()
        self._send_no_more(reason, everybody=everybody)

    def leave(self) -> None:
        """Begin nothing more, and leave the job to others: it does not count as stopped."""
        self.left = Left.ASKED
        self.stop(LEFT)

    def fail(self, error: MailkitError, reason: str) -> None:
        """Stop everybody for a reason that sending itself has shown. If the provider refuses to
        send, it is still asked what became of all that it took before.
        """
        self._fail(error, reason, everybody=True)

    def give_up(self, why: Left, error: MailkitError, reason: str) -> None:
        """Stop for a reason that may be this machine's: others go on, if there are any."""
        self._leaves = why
        self._fail(error, reason, everybody=False)

    def _fail(self, error: MailkitError, reason: str, *, everybody: bool) -> None:
        if self.error is None:
            self.error = error
        if isinstance(error, Refused) and not isinstance(error, AuthenticationFailed):
            self._polling.ask_once()
        else:
            self._polling.stop()
        self._send_no_more(reason, everybody=everybody)

    def _send_no_more(self, reason: str, *, everybody: bool) -> None:
        if not self._stop.is_set():
            self.stopped = reason
            self._stops_everybody = everybody
            self._stop.set()
            self._idle.call(everybody=True)
            self._cut_short.notify()

    async def run(self) -> None:
        """Send what is planned and reconcile what was taken; returns at the end or when stopped.

        ``stopped`` then says why it ended early, ``error`` holds the error behind that. If others
        have ``taken_for_dead`` its worker, all goes on with another worker and engine.
        """
        try:
            await self._run()
        except Exception as error:  # noqa: BLE001 - raised again, if it is anything else
            self._give_way(error)

    async def _run(self) -> None:
        self._polling.begin()
        await self._polling.take_up(everybody=not self._concurrency)
        if self._concurrency:
            await self._refusals.begin(alone=await self._alone())
            counts = await self._journal.reports.counts(self._job)
            self._tell(JobStarted(self._job.name, self._job.provider, counts.unsent))
        async with anyio.create_task_group() as tasks:
            if self._concurrency:
                planned = await self._journal.chunks.planned(self._job)
                for _ in range(min(max(planned, 1), self._concurrency)):
                    self._begin(tasks)
                tasks.start_soon(self._idle.keep_time)
            tasks.start_soon(self._poll)
        if self._concurrency:
            await self._refusals.end(alone=await self._alone())
        if self.taken_for_dead:
            return
        if self._before is not None and self.stopped is None:
            self.stopped = UPLOADED
        if self.stopped is not None:
            if self.left is None:
                await self._stop_job(self.stopped)
            self._tell(JobStopped(self._job.name, self.stopped))
        else:
            counts = await self._journal.reports.counts(self._job)
            self._tell(JobEnded(self._job.name, counts.in_doubt))

    async def _stop_job(self, reason: str) -> None:
        everybody = self._stops_everybody
        stopped = await self._journal.jobs.stop(self._job, reason, everybody=everybody)
        if not (stopped or everybody) and self._leaves is not None:
            self.left = self._leaves
            self.stopped = f"{LEFT}: {reason}"

    async def _poll(self) -> None:
        try:
            await self._polling.run()
        except Exception as error:  # noqa: BLE001 - raised again, if it is anything else
            self._give_way(error)

    def _give_way(self, error: Exception) -> None:
        """Begin nothing more if others took this worker for dead; any other error is raised."""
        if not (self._journal.has_leases and isinstance(innermost(error), WorkerDead)):
            raise error
        self.taken_for_dead = True
        self.stop(str(innermost(error)))

    def tell_failure(self, error: BaseException) -> None:
        """Tell of what ended the run from within: the journal failed, it was cancelled, or a bug;
        of such, only the place is told.
        """
        known = isinstance(error, MailkitError)
        self._tell(JobStopped(self._job.name, str(error) if known else place_of(error)))

    async def _alone(self) -> bool:
        worker = self._job.worker
        return not await self._journal.workers.living(self._job) - {worker and worker.id}

    # taking

    def _begin(self, tasks: TaskGroup) -> None:
        """One more worker."""
        self._tasks = tasks
        self._at_work += 1
        tasks.start_soon(self._work)

    def _call(self) -> None:
        """There may be a task: let one look, who calls the next if there is one."""
        called = self._idle.call()
        if not called and self._tasks is not None and 0 < self._at_work < self._concurrency:
            self._begin(self._tasks)

    async def _work(self) -> None:
        try:
            while await self._may_work():
                await checkpoint_if_cancelled()  # what is taken now can't be sent any more
                if self._refusals.ask_elsewhere:
                    await self._refusals.hear_witness()
                    continue
                since = self._idle.look()
                found = await self._next()
                if not isinstance(found, Later) and self._holds.seconds_left <= 0:
                    self._holds.end(sends=found is not None)
                match found:
                    case Taken() as taken if self._has_to_wait(taken):
                        await self._performing.leave(taken)
                    case Taken() as taken:
                        self._call()
                        await self.hand_over(taken)
                    case Later() as later:
                        await self._idle.wait(since, self._holds.look_in(later))
                    case _ if len(self._idle) < self._at_work - 1 or self._polling.settling:
                        await self._idle.wait(since)  # one of these may yet be planned again
                    case _ if not await self._conclude() and not self._idle.called(since):
                        self._concluded = True
        finally:
            self._at_work -= 1
            self._idle.call(everybody=True)
            if not self._at_work:
                self._idle.close()
                self._polling.no_more()

    async def _may_work(self) -> bool:
        while not (self._stop.is_set() or self._concluded):
            since = self._idle.look()
            if (
                self._send_at is not None
                and not self._settings.ignore_send_at
                and self._clock.now() > self._send_at
            ):
                if not await self._journal.chunks.planned(self._job):
                    return False  # all was handed over in time
                at = datetime.fromtimestamp(self._send_at, UTC)
                self.stop(
                    f"send_at ({at:%Y-%m-%d %H:%M} UTC) has passed: resume with --ignore-send-at",
                    everybody=True,
                )
            elif self._refusals.probing or self._performing.waits:  # for what is about everybody
                await self._idle.wait(since)
            elif (wait := self._holds.seconds_left) > 0:
                await self._idle.wait(since, self._holds.step(wait))
                if (why := await self._journal.jobs.stopped(self._job)) is not None:
                    self.stop(why, everybody=True)
            else:
                return True
        return False

    def _has_to_wait(self, taken: Taken) -> bool:
        """Whether others have begun, since this task was asked for, what everybody waits for."""
        waits = self._performing.waits and not taken.task.stage.repeatable
        return waits or self._refusals.probing > 0

    def may_try(self) -> bool:
        """Whether the run is neither stopped nor on hold."""
        return not (self._stop.is_set() or self._holds.seconds_left > 0)

    async def take(self, *, n: int | None = None, probes: bool = False) -> Taken | None:
        """The chunk of this number, or the next probe, to send it."""
        await self._performing.wait()
        found = await self._next(n=n, probes=probes)
        while isinstance(found, Later) and found.look is not None and self.may_try():
            await self._cut_short.wait(self._holds.step(found.look - self._clock.now()))
            found = await self._next(n=n, probes=probes)
        return found if isinstance(found, Taken) else None

    async def hand_over(self, taken: Taken) -> None:
        """Send it, and do what follows."""
        await self._performing.hand_over(taken)

    async def _next(self, *, n: int | None = None, probes: bool = False) -> Taken | Later | None:
        take = self._journal.chunks.take(
            self._job,
            self._clock.now(),
            self._stages,
            limits=self._dispatch.limits,
            n=n,
            probes=probes,
            before=self._before,
            ledger=None if self._permits is None else self._permits.ledger,
        )
        try:
            found = await shielded(take)
        except WorkerDead as error:
            self._give_way(error)
            return None
        if isinstance(found, Stopped):
            self.stop(found.why, everybody=True)
            return None
        return found

    async def _conclude(self) -> bool:
        """Nothing can be taken, and all others are on call. Whether there may be something later:
        by what other workers do, or since rows were kept for the end.
        """
        if self._stop.is_set():
            return False
        if (process := await self._journal.workers.busy(self._job)) is not None:
            self._holds.waiting = Waiting(None, f"{process}, which is also sending this job")
            await self._polling.take_up(everybody=False)
            await self._clock.sleep(OTHERS_SECONDS)
            return True
        if await self._refusals.conclude() or await self._take_last():
            return True
        await self._journal.cancelling.lapse(self._job)
        return False

    async def _take_last(self) -> bool:
        """Whether there is something after all: whoever was busy may have put it back and left."""
        if self._stop.is_set() or not await self._journal.chunks.planned(self._job):
            return False
        found = await self._next()
        if isinstance(found, Taken):
            await self.hand_over(found)
        return found is not None


def innermost(error: BaseException) -> BaseException:
    """The error itself, out of the groups that tasks wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
