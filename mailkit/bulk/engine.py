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

import asyncio
import random
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from math import inf

import anyio
import attrs
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint_if_cancelled

from mailkit.bulk.breaker import Breaker
from mailkit.bulk.deadlines import pause
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
from mailkit.bulk.policy import Next, names, next_step
from mailkit.bulk.polling import Polling
from mailkit.bulk.refusals import Refusals
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.signal import Signal, shielded
from mailkit.bulk.telling import Teller
from mailkit.bulk.waiting import Waiting
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Dispatch, Done, Recut, Scope, Sent, Wait, check_stages
from mailkit.core.frames import place_of
from mailkit.core.lateness import BEGINS_WITHIN, begins_by
from mailkit.core.words import about_recipient
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    MailkitError,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    RequestError,
    Unavailable,
)
from mailkit.events import (
    ChunkAccepted,
    ChunkInDoubt,
    JobEnded,
    JobHook,
    JobStarted,
    JobStopped,
    SendingHeld,
    SendingResumed,
)

__all__ = ["Engine", "Left", "innermost"]

DOUBTS_TO_STOP = 3
TRIES_TO_STOP = 8
OTHERS_SECONDS = 1.0
LOOK_SECONDS = 5.0
STEP_SECONDS = 60.0  # of a longer wait: the wall clock may be set meanwhile
UPLOADED = "all is ready at the provider, and nothing is sent"
LEFT = "left to other workers"


class Left(StrEnum):
    """Why a run has left its job to the others who send it."""

    ASKED = "somebody asked it to"
    UNREACHABLE = "it can't reach the provider"
    DOUBTS = "it can't know what becomes of its requests"


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
        self._hold_until = 0.0
        self._held_until = 0.0  # for want of permits, as was told last
        self._at_work = 0
        self._concluded = False
        self._tasks: TaskGroup | None = None
        self._breaker = Breaker()
        self._ended = Signal(clock)  # a request
        self._tries = self._away = 0
        self._leaves: Left | None = None  # if others send the job when all has ended here
        self.stopped: str | None = None
        self.left: Left | None = None
        self.error: MailkitError | None = None
        self.taken_for_dead = False
        self._waiting: Waiting | None = None
        self._performing = 0
        self._held_in_journal = False
        self._told = False  # that it waits

    @property
    def waiting(self) -> Waiting | None:
        """Why nothing is sent at the moment; if nothing is left to send, what is waited for."""
        return None if self._performing else self._waiting or self._polling.waiting

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

    def stop(self, reason: str = "stopped on request", *, everybody: bool = False) -> None:
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

    def _give_up(self, why: Left, error: MailkitError, reason: str) -> None:
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
            self._tell(JobEnded(self._job.name))

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
                if not isinstance(found, Later) and not self._on_hold:
                    self._goes_on(sends=found is not None)
                match found:
                    case Taken() as taken if self._has_to_wait(taken):
                        await self._leave(taken)
                    case Taken() as taken:
                        self._call()
                        await self.hand_over(taken)
                    case Later() as later:
                        await self._idle.wait(since, self._look_in(later))
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

    def _goes_on(self, *, sends: bool) -> None:
        """There is nothing to wait for any more."""
        self._waiting = None
        if self._held_in_journal:
            self._held_in_journal = False
            self._journal.workers.hold(self._job, None)
        if self._told and sends:
            self._told = False
            self._tell(SendingResumed(self._job.name))

    def _tell_hold(self, until: datetime, why: str, quota: str | None = None) -> None:
        self._told = True
        self._tell(SendingHeld(self._job.name, until, why, quota))

    def _look_in(self, later: Later) -> float:
        """Say why there is no task yet; gives the seconds after which one of us looks again."""
        now = self._clock.now()
        self._waiting = Waiting(_local(later.until), later.why, quota=later.quota)
        if later.look is None:
            return min(max(0.0, later.until - now), STEP_SECONDS)
        if later.quota and later.until > max(now + LOOK_SECONDS, self._held_until + 1.0):
            self._held_until = later.until
            self._tell_hold(_local(later.until), f"{later.why} is used up", later.quota)
        return min(max(0.0, later.look - now), LOOK_SECONDS)

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
            elif self._refusals.probing or self._breaker.waits:  # what comes of that is about all
                await self._idle.wait(since)
            elif (wait := self._hold_until - self._clock.monotonic()) > 0:
                await self._idle.wait(since, min(wait, LOOK_SECONDS))
                if (why := await self._journal.jobs.stopped(self._job)) is not None:
                    self.stop(why, everybody=True)
            else:
                return True
        return False

    def _has_to_wait(self, taken: Taken) -> bool:
        """Whether others have begun, since this task was asked for, what everybody waits for."""
        waits = self._breaker.waits and not taken.task.stage.repeatable
        return waits or self._refusals.probing > 0

    def may_try(self) -> bool:
        """Whether the run is neither stopped nor on hold."""
        return not (self._stop.is_set() or self._on_hold)

    @property
    def _on_hold(self) -> bool:
        return self._hold_until > self._clock.monotonic()

    async def take(self, *, n: int | None = None, probes: bool = False) -> Taken | None:
        """The chunk of this number, or the next probe, to send it."""
        while self._breaker.waits:
            await self._ended.wait()
        found = await self._next(n=n, probes=probes)
        while isinstance(found, Later) and found.look is not None and self.may_try():
            wait = max(0.0, found.look - self._clock.now())
            await self._cut_short.wait(min(wait, LOOK_SECONDS))
            found = await self._next(n=n, probes=probes)
        return found if isinstance(found, Taken) else None

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
            self._waiting = Waiting(None, f"{process}, which is also sending this job")
            await self._polling.take_up(everybody=False)
            await self._clock.sleep(OTHERS_SECONDS)
            return True
        return await self._refusals.conclude() or await self._take_last()

    async def _take_last(self) -> bool:
        """Whether there is something after all: whoever was busy may have put it back and left."""
        if self._stop.is_set() or not await self._journal.chunks.planned(self._job):
            return False
        found = await self._next()
        if isinstance(found, Taken):
            await self.hand_over(found)
        return found is not None

    # performing

    async def hand_over(self, taken: Taken) -> None:
        """Have the provider do the task, and do what follows, unless everybody had to stop or to
        wait while it was taken.
        """
        if not self.may_try():
            await self._leave(taken)
            return
        self._performing += 1
        try:
            await self._perform(taken)
        finally:
            self._performing -= 1
            self._breaker.ended(taken.ticket)
            self._ended.notify()

    async def _leave(self, taken: Taken) -> None:
        """Nothing was sent: it is there to be taken again."""
        self._give_back(taken)
        await shielded(self._put_back(taken, "put back before it was sent"))
        self._refusals.put_back(taken)

    async def _perform(self, taken: Taken) -> None:
        task, stage = taken.task, taken.task.stage
        self._refusals.begins(taken)
        if not stage.repeatable:
            self._breaker.begins(taken.ticket)
        try:
            # A part that others have emptied needs no request.
            idle = task.part is not None and stage.has_rows and not task.rows
            # A request that is to be sent once may begin soon after its take, or not at all.
            with (
                begins_by(inf if stage.repeatable else taken.asked + BEGINS_WITHIN),
                self._using(taken),
            ):
                outcome = Done() if idle else await self._dispatch.perform(task)
                if idle or isinstance(outcome, Wait):
                    self._give_back(taken)
        except MailkitError as error:
            await self._end(taken, error)
        except (Exception, asyncio.CancelledError) as error:
            why = f"cut off while sending: {type(error).__name__}"
            end = self._put_back if stage.repeatable else self._doubt
            await shielded(end(taken, why))
            raise
        else:
            match outcome:
                case Wait():
                    await self._wait(taken, outcome)
                case Done():
                    self._tries = self._away = 0
                    self._refusals.loaded(task, outcome)
                    write = self._journal.chunks.advance(self._job, taken, outcome, self._stages)
                    await shielded(write)
                case Sent():
                    await self._sent(taken, outcome)
                case Recut(rows):
                    await shielded(self._journal.narrowing.recut(self._job, taken.ticket, rows))

    def _using(self, taken: Taken) -> AbstractContextManager[None]:
        """The task's request has the permits that it was taken with."""
        if taken.grant is None or self._permits is None:
            return nullcontext()
        return self._permits.using(taken.grant)

    def _give_back(self, taken: Taken) -> None:
        if taken.grant is not None and self._permits is not None:
            self._permits.give_back(taken.grant)

    async def _wait(self, taken: Taken, wait: Wait) -> None:
        await shielded(self._journal.chunks.wait(self._job, taken, wait))
        self._tell_hold(wait.until.astimezone(), wait.why)

    async def _sent(self, taken: Taken, sent: Sent) -> None:
        job, chunk, rows = self._job.name, taken.task.chunk, taken.task.count
        doubted, words = self._refusals.disbelieved(taken, sent)
        if words is not None:
            await self._end(taken, Refused(words))
            return
        now = self._clock.now()
        rejected = {n: why for n, why in sent.rejected.items() if n not in doubted}
        told = attrs.evolve(sent, rejected=rejected, held={**sent.held, **doubted})
        doubt = await shielded(self._journal.chunks.accept(self._job, taken.ticket, now, told))
        if doubt is not None:
            self._tell(ChunkInDoubt(job, chunk, rows, doubt))
            self._doubted(taken, OutcomeUnknown(doubt))
            return
        self._breaker.taken(taken.ticket)
        self._tries = self._away = 0
        left_out = len(told.rejected) + len(told.in_doubt) + len(told.held)
        taken_rows = max(rows - left_out, 0)
        counts = taken_rows, len(told.rejected), len(told.in_doubt)
        self._tell(ChunkAccepted(job, chunk, *counts, sent.reference))
        self._refusals.accepted(taken, told, left_out=left_out)
        if sent.held:
            words = next(iter(sent.held.values()))
            self.fail(AccountRefused(words), f"the provider can't be used: {words}")
        if sent.reference is not None:
            self._polling.sent(chunk, sent.reference, sent.cursor)

    async def _end(self, taken: Taken, error: MailkitError) -> None:
        """The request did not succeed."""
        task = taken.task
        words = error.text if isinstance(error, Refused) else str(error)
        named: list[int] = []
        if isinstance(error, Refused):
            named = [row.n for row in task.rows if names(row.address, words)]
        step = next_step(error, self._refusals.known(taken), task.stage)
        if step is not Next.DOUBT:
            self._breaker.ended(taken.ticket)
        match step:
            case Next.STOP:
                await self._stop_for(taken, error)
            case Next.SUSPECT:
                await self._suspect(taken, error, words)
            case Next.WAIT:
                self._hold(error)  # first: what is put back can be taken at once
                await shielded(self._put_back(taken, str(error)))
                self._refusals.put_back(taken)
            case Next.DOUBT:
                await shielded(self._doubt(taken, str(error)))
                self._doubted(taken, error)
            case Next.HALVE_PART:
                await shielded(self._journal.chunks.halve_part(self._job, taken))
            case Next.DEFER if not (names(task.rows[0].address, words) or self._trusts(words)):
                if self._refusals.came_round(task):
                    await self._suspect(taken, error, words)
                else:
                    await shielded(self._journal.chunks.defer_part(self._job, taken))
            case Next.DEFER | Next.REJECT_ROW:
                if self._refusals.too_many(task, words):
                    await self._suspect(taken, error, words)
                elif named or self._trusts(words):
                    await self._reject_row(taken, words)
                else:
                    await self._ask_witness(taken, error, words)
            case Next.PROBE | Next.HALVE | Next.YIELD if 0 < len(named) < len(task.rows):
                await self._refusals.single_out(taken, named)
            case Next.YIELD:
                await shielded(self._put_back(taken, str(error)))
            case Next.PROBE:
                await self._refusals.probe(taken)
            case Next.HALVE:
                await self._refusals.halve(taken)
            case Next.TRY if taken.again or names(task.rows[0].address, words):
                await self._refusals.reject(taken, words)
            case Next.TRY:
                await self._refusals.try_row(taken, error, words)
            case Next.GIVE_UP:
                await shielded(self._put_back(taken, str(error)))
                await self._refusals.hear_probes()
                root = task.chunk if taken.root is None else taken.root
                self.fail(
                    error,
                    f"after {self._refusals.requests(taken)} requests it is still not clear which "
                    f"rows of chunk {root} the provider refuses: {error}; resume the job to go on, "
                    "once you have looked whether the account may send",
                )

    async def _reject_row(self, taken: Taken, words: str) -> None:
        done = Done(rejected={taken.task.rows[0].n: words})
        write = self._journal.chunks.advance(self._job, taken, done, self._stages)
        await shielded(write)

    async def _ask_witness(self, taken: Taken, refused: MailkitError, words: str) -> None:
        """A part's one row was refused. Others were taken before; one of these must be taken still,
        or everybody is meant since. To do a repeatable stage once more harms nobody.
        """
        witness = self._refusals.witness(taken.task.stage)
        try:
            await shielded(self._dispatch.perform(witness))
        except Refused:
            await self._suspect(taken, refused, words)
        except MailkitError as error:
            await self._end(taken, error)
        else:
            await self._reject_row(taken, words)

    def _trusts(self, words: str) -> bool:
        return self._settings.trust_refusals or about_recipient(words)

    async def _stop_for(self, taken: Taken, error: MailkitError) -> None:
        await shielded(self._put_back(taken, str(error)))
        self.fail(error, f"the provider can't be used: {error}")

    async def _suspect(self, taken: Taken, error: MailkitError, words: str) -> None:
        """Rows of parts are refused in a way that may be about everybody."""
        await shielded(self._put_back(taken, words))
        self.fail(
            error,
            f"the provider refuses rows at the stage {taken.task.stage.name} in a way that seems "
            f"to mean the account or the message: {words}; if it means these rows, resume with "
            "--trust-refusals",
        )

    async def _put_back(self, taken: Taken, why: str) -> None:
        now, part = self._clock.now(), taken.task.part
        await self._journal.chunks.put_back(self._job, taken.ticket, now, why, part)

    async def _doubt(self, taken: Taken, why: str) -> None:
        await self._journal.chunks.doubt(self._job, taken.ticket, self._clock.now(), why)
        rows = taken.task.count
        self._tell(ChunkInDoubt(self._job.name, taken.task.chunk, rows, why))

    def _doubted(self, taken: Taken, error: MailkitError) -> None:
        self._polling.doubted(taken)
        if self._breaker.doubted(taken.ticket) and self._breaker.unknown >= DOUBTS_TO_STOP:
            reason = f"the outcome of {self._breaker.unknown} chunks in a row is unknown: {error}"
            self._give_up(Left.DOUBTS, error, reason)

    def _hold(self, error: MailkitError) -> None:
        """Let every worker wait: as long as the provider asks, else longer each time."""
        away = not isinstance(error, RateLimited | QuotaExhausted)
        if self._clock.monotonic() >= self._hold_until:  # else another request met the same trouble
            self._tries += 1
            self._away += away
        if not away:  # it responds
            self._away = 0
        if self._away >= TRIES_TO_STOP:
            reason = f"the provider can't be reached: {error}"
            self._give_up(Left.UNREACHABLE, error, reason)
            return
        text = error.text if isinstance(error, RequestError) else str(error)
        wait = pause(self._tries - 1, 1.0, 60.0) * self._rng.uniform(0.8, 1.2)
        if isinstance(error, RateLimited | Unavailable) and error.retry_after is not None:
            wait = max(error.retry_after, 0.1)
        elif isinstance(error, QuotaExhausted) and error.available_at is not None:
            wait = max(error.available_at.timestamp() - self._clock.now(), 0.1)
        until = _local(self._clock.now() + wait)
        if wait > self._settings.max_wait and not isinstance(error, QuotaExhausted):
            self.fail(error, f"{text}; resume the job after {until:%Y-%m-%d %H:%M:%S}")
            return
        if self._clock.monotonic() + wait > self._hold_until:
            self._waiting = Waiting(until, text)
            self._held_in_journal = True
            self._journal.workers.hold(self._job, until.timestamp(), text)
            self._tell_hold(until, text)
        self._hold_until = max(self._hold_until, self._clock.monotonic() + wait)
        self._cut_short.notify()


def innermost(error: BaseException) -> BaseException:
    """The error itself, out of the groups that tasks wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone()
