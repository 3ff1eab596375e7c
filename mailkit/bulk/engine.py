"""The engine sends the chunks of one planned job and asks what became of them.

Senders pull chunks from the journal, one request each; pollers ask the provider about accepted
chunks until every row is found or the deadline passes. All that they know stands in the journal
before they act on it, so the engine may die anywhere: the next one reads on.

What a sender does with the outcome of a request:

- taken: the chunk is accepted
- refused: rejected; after three refusals in a row the engine stops, and the rest stays unsent
- credentials refused, or a message that can't be sent: planned again, and the engine stops
- proven not sent, or not now: planned again, after a wait
- unknown: in doubt, never sent again; after three in a row the engine stops
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Awaitable
from datetime import UTC, datetime

import anyio
import attrs

from mailkit.bulk.deadlines import begins_at, is_late, taken_at
from mailkit.bulk.journal import DueChunk, JobRecord, Journal
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Chunk, Dispatch, Polled
from mailkit.errors import (
    AuthenticationFailed,
    InvalidArgument,
    MailkitError,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
    Unsupported,
)

__all__ = ["Engine", "EngineSettings"]

REFUSALS_TO_STOP = 3
DOUBTS_TO_STOP = 3
TRIES_TO_STOP = 8
FIRST_POLL, LAST_POLL = 1.0, 60.0
FIRST_LOOK, LAST_LOOK = 5.0, 300.0


@attrs.frozen
class EngineSettings:
    """How a job is run; seconds throughout.

    ``senders`` requests are under way at once, ``pollers`` polls. A row that the provider has not
    named ``reconcile`` seconds after its chunk was taken (or after send_at) is in doubt.
    ``track`` goes on asking about deliveries for so long after the last chunk, or after send_at.
    """

    senders: int = 8
    pollers: int = 4
    reconcile: float = 600.0
    track: float = 0.0
    late: bool = False


@attrs.frozen(order=True)
class _Poll:
    due: float
    n: int
    chunk: DueChunk = attrs.field(order=False)
    taken: float = attrs.field(order=False)
    tries: int = attrs.field(order=False, default=0)


class Engine:
    """Runs one job until its end, or until it is stopped. The caller holds the job's lease."""

    def __init__(
        self,
        journal: Journal,
        dispatch: Dispatch,
        job: JobRecord,
        *,
        send_at: datetime | None = None,
        settings: EngineSettings = EngineSettings(),
        clock: Clock = Clock(),
        rng: random.Random | None = None,
    ) -> None:
        self._journal = journal
        self._dispatch = dispatch
        self._job = job
        self._send_at = send_at.timestamp() if send_at else None
        self._settings = settings
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, hides nothing
        self._stop = anyio.Event()
        self._poll_scope = anyio.CancelScope()
        self._changed = anyio.Event()
        self._hold_until = 0.0
        self._under_way = 0
        self._senders_left = 0
        self._polling = 0
        self._polls: list[_Poll] = []
        self._refusals = 0
        self._doubts = 0
        self._tries = self._away = 0
        self._began = self._begins = 0.0  # this run; the provider, where send_at is set
        self._track_until: float | None = None
        self.stopped: str | None = None
        self.error: MailkitError | None = None
        self.waiting: str | None = None

    def stop(self, reason: str = "stopped on request") -> None:
        """Hand no further chunk over; requests under way end first."""
        if not self._stop.is_set():
            self.stopped = reason
            self._stop.set()
            self._poll_scope.cancel()
            self._notify()

    async def run(self) -> None:
        """Send what is planned and reconcile what was taken; returns at the end or when stopped.

        ``stopped`` then says why it ended early, ``error`` holds the error behind that.
        """
        now, steady = self._clock.now(), self._clock.monotonic()
        self._began, self._begins = steady, begins_at(self._send_at, now=now, steady=steady)
        patience = self._settings.reconcile
        for chunk in await self._journal.statuses.due(self._job, track=self._settings.track > 0):
            taken = taken_at(chunk.ended, now=now, steady=steady, patience=patience)
            self._schedule(_Poll(steady, chunk.n, chunk, taken))
        self._senders_left = self._settings.senders
        async with anyio.create_task_group() as tasks:
            for _ in range(self._settings.senders):
                tasks.start_soon(self._send_chunks)
            tasks.start_soon(self._poll)
        if self.stopped is not None:
            await self._journal.jobs.stop(self._job, self.stopped)

    # sending

    async def _send_chunks(self) -> None:
        try:
            while await self._may_send():
                chunk: Chunk | None = None
                with anyio.CancelScope(shield=True):
                    chunk = await self._journal.steps.take(self._job, self._clock.now())
                if chunk is not None:
                    self._under_way += 1
                    try:
                        await self._hand_over(chunk)
                    finally:
                        self._under_way -= 1
                        self._notify()
                elif self._under_way:  # one of these may yet be planned again
                    await self._changed.wait()
                else:
                    return
        finally:
            self._senders_left -= 1
            self._notify()

    async def _may_send(self) -> bool:
        while not self._stop.is_set():
            if (
                self._send_at is not None
                and not self._settings.late
                and self._clock.now() > self._send_at
            ):
                if not await self._journal.accounts.chunks(self._job, "planned"):
                    return False  # all was handed over in time
                at = datetime.fromtimestamp(self._send_at, UTC)
                self.stop(f"send_at ({at:%Y-%m-%d %H:%M} UTC) has passed: resume with --late")
            elif (wait := self._hold_until - self._clock.monotonic()) > 0:
                await self._clock.sleep_until(self._changed, wait)
            else:
                self.waiting = None
                return True
        return False

    async def _hand_over(self, chunk: Chunk) -> None:
        try:
            sent = await self._dispatch.send(chunk, late=self._settings.late)
        except (AuthenticationFailed, InvalidArgument, Unsupported) as error:
            await self._settle(self._put_back(chunk, error))
            self._fail(error, f"the provider can't be used: {error}")
        except Refused as error:
            await self._settle(
                self._journal.steps.reject(self._job, chunk.n, self._clock.now(), str(error))
            )
            self._refusals += 1
            if self._refusals >= REFUSALS_TO_STOP:
                self._fail(error, f"the provider refused {self._refusals} chunks running: {error}")
        except (NotSent, RateLimited, QuotaExhausted, Unavailable) as error:
            await self._settle(self._put_back(chunk, error))
            self._hold(error)
        except OutcomeUnknown as error:
            await self._settle(self._doubt(chunk, str(error)))
            self._doubts += 1
            if self._doubts >= DOUBTS_TO_STOP:
                self._fail(
                    error, f"the outcome of {self._doubts} chunks running is unknown: {error}"
                )
        except (Exception, asyncio.CancelledError) as error:
            await self._settle(self._doubt(chunk, f"cut off while sending: {type(error).__name__}"))
            raise
        else:
            self._refusals = self._doubts = self._tries = self._away = 0
            now = self._clock.now()
            await self._settle(self._journal.steps.accept(self._job, chunk.n, now, sent))
            if sent.reference is not None:
                due = DueChunk(chunk.n, sent.reference, now, reconciled=False, cursor=None)
                steady = self._clock.monotonic()
                self._schedule(_Poll(steady + FIRST_POLL, chunk.n, due, steady))

    def _put_back(self, chunk: Chunk, error: MailkitError) -> Awaitable[None]:
        return self._journal.steps.put_back(self._job, chunk.n, self._clock.now(), str(error))

    def _doubt(self, chunk: Chunk, reason: str) -> Awaitable[None]:
        return self._journal.steps.doubt(self._job, chunk.n, self._clock.now(), reason)

    async def _settle(self, write: Awaitable[None]) -> None:
        """What came of a request is written down even if the engine is cancelled meanwhile."""
        with anyio.CancelScope(shield=True):
            await write

    def _hold(self, error: NotSent | RateLimited | QuotaExhausted | Unavailable) -> None:
        """Let every sender wait: as long as the provider asks, else longer each time."""
        away = isinstance(error, NotSent | Unavailable)
        if self._clock.monotonic() >= self._hold_until:  # else another request met the same trouble
            self._tries += 1
            self._away += away
        if not away:  # it answers
            self._away = 0
        if self._away >= TRIES_TO_STOP:
            self._fail(error, f"the provider can't be reached: {error}")
            return
        wait = min(60.0, 2.0 ** (self._tries - 1)) * self._rng.uniform(0.8, 1.2)
        if isinstance(error, RateLimited | Unavailable) and error.retry_after is not None:
            wait = max(error.retry_after, 0.1)
        elif isinstance(error, QuotaExhausted) and error.available_at is not None:
            wait = max(error.available_at.timestamp() - self._clock.now(), 0.1)
        self._hold_until = max(self._hold_until, self._clock.monotonic() + wait)
        until = datetime.fromtimestamp(self._clock.now() + wait, UTC).astimezone()
        self.waiting = f"{error.text}; sending goes on at {until:%H:%M:%S}"
        self._notify()

    def _fail(self, error: MailkitError, reason: str) -> None:
        if self.error is None:
            self.error = error
        self.stop(reason)

    # polling

    def _schedule(self, poll: _Poll) -> None:
        heapq.heappush(self._polls, poll)
        self._notify()

    async def _poll(self) -> None:
        with self._poll_scope:  # polls are repeatable: a stop does not wait for them
            async with anyio.create_task_group() as tasks:
                for _ in range(self._settings.pollers):
                    tasks.start_soon(self._poll_chunks)

    async def _poll_chunks(self) -> None:
        while not self._stop.is_set():
            if not self._polls:
                if self._senders_left == 0 and self._polling == 0:
                    return
                await self._changed.wait()
                continue
            wait = self._polls[0].due - self._clock.monotonic()
            if wait > 0:
                await self._clock.sleep_until(self._changed, wait)
                continue
            poll = heapq.heappop(self._polls)
            self._polling += 1
            try:
                await self._ask(poll)
            finally:
                self._polling -= 1
                self._notify()

    async def _ask(self, poll: _Poll) -> None:
        chunk = poll.chunk
        since = poll.taken
        try:
            polled = await self._dispatch.poll(chunk.reference, chunk.cursor)
        except AuthenticationFailed as error:
            self._fail(error, f"the provider can't be used: {error}")
            return
        except MailkitError as error:
            polled = Polled((), chunk.cursor)
            why = f"the status could not be fetched: {error}"
            since = max(since, self._began)  # one failed look at an old chunk proves nothing
        else:
            why = "taken with its chunk, but missing in the provider's status list"
        late = is_late(
            since,
            self._look_at_clock(),
            steady=self._clock.monotonic(),
            patience=self._settings.reconcile,
        )
        found = await self._journal.statuses.reconcile(
            self._job, chunk.n, polled, doubt=why if late else None
        )
        chunk = attrs.evolve(chunk, reconciled=found.reconciled, cursor=found.cursor)
        self._poll_again(attrs.evolve(poll, chunk=chunk, tries=poll.tries + 1), found.unfinished)

    def _poll_again(self, poll: _Poll, moving: int) -> None:
        """When to ask about the chunk next, if at all."""
        reconciled, tries = poll.chunk.reconciled, poll.tries
        steady = self._clock.monotonic()
        scheduled = max(0.0, self._look_at_clock() - steady)  # seconds from now
        if not reconciled and not scheduled:
            due = steady + min(FIRST_POLL * 2.0**tries, LAST_POLL)
            self._schedule(attrs.evolve(poll, due=due))
        elif self._settings.track and (moving or not reconciled):
            if self._track_until is None or self._senders_left:
                self._track_until = steady + scheduled + self._settings.track
            due = steady + (scheduled or min(FIRST_LOOK * 2.0 ** min(tries, 10), LAST_LOOK))
            if due <= self._track_until:
                self._schedule(attrs.evolve(poll, due=due, tries=0 if scheduled else tries))

    def _look_at_clock(self) -> float:
        """When the provider begins to send, as the wall clock is now."""
        self._begins = begins_at(
            self._send_at,
            now=self._clock.now(),
            steady=self._clock.monotonic(),
            before=self._begins,
        )
        return self._begins

    # waiting

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
