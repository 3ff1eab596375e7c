"""Asking what became of what was sent: pollers look for the rows of accepted chunks in the
provider's status list until each is found or the deadline passes, and settle chunks in doubt where
the provider allows it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import anyio
import attrs

from mailkit.bulk.deadlines import begins_at, is_late, pause, taken_at
from mailkit.bulk.journal import DueChunk, JobRecord, Journal, MergeResult, Taken
from mailkit.bulk.on_call import OnCall
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.signal import shielded
from mailkit.bulk.waiting import Waiting
from mailkit.core.clock import Clock
from mailkit.core.dispatch import (
    AskRow,
    ChunkStatus,
    Dispatch,
    NotTaken,
    PollResult,
    RowStatus,
    Sent,
    Wait,
)
from mailkit.errors import AccountRefused, AuthenticationFailed, MailkitError

__all__ = ["Polling"]

FIRST_POLL, LAST_POLL = 1.0, 60.0
FIRST_LOOK, LAST_LOOK = 5.0, 300.0
WAITED_OUT = 24 * 3600.0
"""So long a chunk is asked about of which the provider says that it is not done yet."""
ASKED_AT_ONCE = 100
HURRY_SECONDS = 300.0
"""So soon a chunk is asked about that waits for the provider, once a webhook says that it moves."""
LONGEST_STEP = 3600.0  # of a wait until a time of the wall clock, which may be set meanwhile


@attrs.frozen
class _Poll:
    """A question that is ``due``: what became of a chunk, or of one in doubt."""

    due: float
    n: int
    chunk: DueChunk | Taken
    taken: float = 0.0
    tries: int = 0

    def __lt__(self, other: _Poll) -> bool:  # attrs' own takes ten times as long
        return (self.due, self.n) < (other.due, other.n)


class Polling:
    """The polls of one run. ``fail`` stops the run; ``sending`` says whether there may be more
    chunks to ask about; a ``call`` lets the run look for a task that was planned again.
    """

    def __init__(
        self,
        journal: Journal,
        dispatch: Dispatch,
        job: JobRecord,
        *,
        send_at: datetime | None,
        settings: EngineSettings,
        clock: Clock,
        call: Callable[[], None],
        fail: Callable[[MailkitError, str], None],
        sending: Callable[[], bool],
    ) -> None:
        self._journal = journal
        self._dispatch = dispatch
        self._job = job
        self._send_at = send_at.timestamp() if send_at else None
        self._settings = settings
        self._clock = clock
        self._call = call
        self._fail = fail
        self._sending = sending
        self._scope = anyio.CancelScope()
        self._idle = OnCall(clock)
        self._polls: list[_Poll] = []
        self._known: set[int] = set()  # the chunks that were asked about in this run
        self._polling = 0
        self._ends = False  # once all were asked about
        self._began = self._begins = 0.0  # this run; the provider, where send_at is set
        self._track_until: float | None = None
        self._waiting: dict[int, Waiting] = {}
        self._hurry_at = 0.0
        self.settling = 0
        """How many chunks in doubt may yet be settled."""

    @property
    def waiting(self) -> Waiting | None:
        """What the chunk whose turn is next waits for at the provider, if any does."""
        return next(iter(self._waiting.values()), None)

    @property
    def tracks_until(self) -> float | None:
        """When deliveries are asked for no longer, by the steady clock; None: that is not known."""
        return self._track_until

    def looks_until(self, accepted: float) -> float:
        """Until when rows are looked for that were accepted then, by the wall clock."""
        if not self._dispatch.stages[-1].carries_rows:
            return accepted + WAITED_OUT
        return max(accepted, self._send_at or 0.0) + self._settings.reconcile

    def begin(self) -> None:
        """The run begins."""
        now, self._began = self._clock.now(), self._clock.monotonic()
        self._begins = begins_at(self._send_at, now=now, steady=self._began)

    async def take_up(self, *, everybody: bool) -> None:
        """Ask about what was sent and is in doubt: what other living workers have sent is theirs,
        unless it is about ``everybody``.

        What was asked about, and is not reconciled though nothing is under way, is asked about
        again: a crash of the journal's database has lost the answer.
        """
        is_idle = not self._polls and self._polling == 0
        now, steady = self._clock.now(), self._clock.monotonic()
        due = await self._journal.statuses.due(
            self._job, track=self._settings.track > 0, everybody=everybody
        )
        for chunk in due:
            if chunk.n not in self._known or (is_idle and not chunk.reconciled):
                patience = self._settings.reconcile
                taken = taken_at(chunk.ended, now=now, steady=steady, patience=patience)
                self._schedule(_Poll(steady, chunk.n, chunk, taken))
        if any(stage.settles for stage in self._dispatch.stages):
            for doubt in await self._journal.chunks.in_doubt(self._job, self._dispatch.stages):
                if doubt.task.chunk not in self._known:
                    self.doubted(doubt)

    def sent(self, n: int, reference: str, cursor: str | None) -> None:
        """A chunk was taken just now: ask about it."""
        steady = self._clock.monotonic()
        due = DueChunk(n, reference, self._clock.now(), reconciled=False, cursor=cursor)
        self._schedule(_Poll(steady + FIRST_POLL, n, due, steady))

    def doubted(self, taken: Taken) -> None:
        """A chunk is in doubt: find out what became of it, if the provider can say."""
        if taken.task.stage.settles:
            self.settling += 1
            self._schedule(_Poll(self._clock.monotonic(), taken.task.chunk, taken))

    def no_more(self) -> None:
        """Nothing more is sent."""
        self._idle.call(everybody=True)

    def ask_once(self) -> None:
        """Ask once, and at once, about each chunk that was not asked about in this run."""
        if not self._ends:
            self._ends = True
            polls, self._polls = self._polls, []
            for poll in polls:
                self._schedule(attrs.evolve(poll, due=self._clock.monotonic()))
            self._idle.call(everybody=True)

    def stop(self) -> None:
        """Ask nothing more, and wait for no response: polls are repeatable."""
        self._scope.cancel()

    async def run(self) -> None:
        """Ask until nothing is left to ask about, or until stopped."""
        with self._scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._idle.keep_time)
                for _ in range(self._settings.pollers):
                    tasks.start_soon(self._poll_chunks)

    def _schedule(self, poll: _Poll) -> None:
        self._known.add(poll.n)
        if self._ends and (poll.tries or isinstance(poll.chunk, Taken)):
            return
        heapq.heappush(self._polls, poll)
        if self._polls[0] is poll:
            self._idle.call()

    async def _poll_chunks(self) -> None:
        while True:
            since = self._idle.look()
            if not self._polls:
                if not self._sending() and self._polling == 0:
                    self._idle.call(everybody=True)
                    self._idle.close()
                    return
                await self._idle.wait(since)
                continue
            wait = self._polls[0].due - self._clock.monotonic()
            if wait > 0:
                await self._idle.wait(since, min(wait, HURRY_SECONDS) if self._waiting else wait)
                if self._waiting and self._clock.monotonic() >= self._hurry_at:
                    await self._hurry()
                continue
            poll = heapq.heappop(self._polls)
            if self._polls:
                self._idle.call()
            self._polling += 1
            try:
                if isinstance(poll.chunk, Taken):
                    await self._settle(poll, poll.chunk)
                else:
                    await self._ask(poll, poll.chunk)
            finally:
                self._polling -= 1

    async def _hurry(self) -> None:
        """Ask at once about the chunks of which webhooks say that they are in another state."""
        steady = self._clock.monotonic()
        self._hurry_at = steady + HURRY_SECONDS
        moved = await self._journal.statuses.moved(self._job, self._clock.now())
        if moved & self._waiting.keys():
            self._polls = [
                attrs.evolve(one, due=min(one.due, steady)) if one.n in moved else one
                for one in self._polls
            ]
            heapq.heapify(self._polls)

    async def _settle(self, poll: _Poll, doubt: Taken) -> None:
        """Ask what became of a chunk in doubt; it may be planned again until that is decided."""
        again = None
        try:
            again = await self._settled(poll, doubt)
        finally:
            self.settling -= again is None
            self._call()
        if again is not None:
            self._schedule(again)

    async def _settled(self, poll: _Poll, doubt: Taken) -> _Poll | None:
        """Ask once; gives when to ask again, if so."""
        asked = self._clock.now()
        about = (self._job, doubt.task.chunk, asked)
        heard_of = await self._journal.chunks.heard_of(*about)
        doubt = attrs.evolve(doubt, task=attrs.evolve(doubt.task, heard_of=heard_of))
        try:
            found = await self._dispatch.settle(doubt.task)
        except AuthenticationFailed as error:
            self._fail(error, f"the provider can't be used: {error}")
            return None
        except MailkitError:
            wait = pause(poll.tries, FIRST_LOOK, LAST_LOOK)
        else:
            if found is None:
                return None  # a person must look
            now = self._clock.now()
            if isinstance(found, NotTaken):  # what is still in the network may yet be taken
                until = await self._journal.chunks.held_up_until(self._job, doubt.ticket)
                if asked < until.timestamp():  # its answer says nothing of later
                    found = Wait(until, found.why)
            found = await shielded(self._journal.chunks.settle(self._job, doubt, now, found))
            if isinstance(found, Sent) and found.reference is not None:
                self.sent(doubt.task.chunk, found.reference, found.cursor)
            if not isinstance(found, Wait):
                return None  # it is settled, by this worker or by somebody else
            wait = min(max(found.until.timestamp() - now, 0.1), LONGEST_STEP)
            cursor = found.cursor or doubt.task.cursor
            task = attrs.evolve(doubt.task, looks=doubt.task.looks + 1, cursor=cursor)
            doubt = attrs.evolve(doubt, task=task)
        due = self._clock.monotonic() + wait
        return attrs.evolve(poll, due=due, chunk=doubt, tries=poll.tries + 1)

    async def _ask(self, poll: _Poll, chunk: DueChunk) -> None:
        since = poll.taken
        try:
            polled = await self._dispatch.poll(chunk.reference, chunk.cursor)
        except AuthenticationFailed as error:
            self._fail(error, f"the provider can't be used: {error}")
            return
        except MailkitError as error:
            why = f"the status could not be fetched: {error}"
            polled = PollResult((), chunk.cursor, again=self._next_look(poll), why=why)
            since = max(since, self._began)  # one failed look at an old chunk proves nothing
        else:
            why = "accepted with its chunk, but missing from the provider's status list"
        late = is_late(
            since,
            self._look_at_clock(),
            steady=self._clock.monotonic(),
            patience=self._settings.reconcile,
        )
        found = await self._journal.statuses.reconcile(
            self._job,
            chunk.n,
            polled,
            now=self._clock.now(),
            doubt=why if late else None,
            trusted=self._settings.trust_refusals,
        )
        if polled.ask is not None and polled.others is not None:
            found = await self._ask_each(chunk, polled.others, polled.ask, found)
        if found.held is not None and not self._settings.trust_refusals:
            self._fail(
                AccountRefused(found.held),
                f"the provider accepted chunk {chunk.n} and then rejected rows of it, which seems "
                f"to be about the account: {found.held}; once that is fixed, resume with "
                "--rejected; if it means these rows, with --trust-refusals",
            )
        chunk = attrs.evolve(chunk, reconciled=found.reconciled, cursor=found.cursor)
        poll = attrs.evolve(poll, chunk=chunk, tries=poll.tries + 1)
        if polled.again is None or (polled.others is not None and found.reconciled):
            self._waiting.pop(chunk.n, None)
            self._poll_again(poll, chunk.reconciled, found.unfinished)
        else:
            self._wait(poll, chunk, polled.again, polled.why)

    def _next_look(self, poll: _Poll) -> datetime | None:
        """When to ask again after a question that has failed; None: as about a list of rows.

        A chunk that the provider took as a whole is never in doubt for its status.
        """
        if self._dispatch.stages[-1].carries_rows:
            return None
        wait = pause(poll.tries, FIRST_LOOK, LAST_LOOK)
        return datetime.fromtimestamp(self._clock.now() + wait, UTC)

    def _wait(self, poll: _Poll, chunk: DueChunk, again: datetime, why: str) -> None:
        """The provider is not done with the chunk: ask again then, but not for ever."""
        now, steady = self._clock.now(), self._clock.monotonic()
        if self._look_at_clock() > steady and not self._settings.track:
            return  # it is to be sent later: nobody waits for that
        if now - chunk.ended < WAITED_OUT:
            self._waiting[chunk.n] = Waiting(again, why, sent=True)
            wait = min(max(again.timestamp() - now, FIRST_POLL), LONGEST_STEP)
            self._schedule(attrs.evolve(poll, due=steady + wait))

    async def _ask_each(
        self, chunk: DueChunk, others: ChunkStatus, ask: AskRow, found: MergeResult
    ) -> MergeResult:
        """Ask about one row after the other: those that are tracked, or of which nothing else can
        be known.
        """
        if not (others.in_doubt or self._settings.track):
            return found
        n, after, statuses = chunk.n, 0, self._journal.statuses
        counts, now = others.mailed is not None, self._clock.now()
        late = now - chunk.ended >= WAITED_OUT
        rejected: dict[int, str] = {}
        while rows := await statuses.some(
            self._job, n, after=after, heard=not others.in_doubt, limit=ASKED_AT_ONCE
        ):
            named, ids, failed = await _ask_some(ask, rows)
            if counts:  # the numbers must agree before anybody is rejected
                named_ids = {address: row_id for row_id, address in rows}
                rejected |= {named_ids[one.address]: one.reason for one in named if one.rejected}
                named = [one for one in named if not one.rejected]
            doubt = others.reason if others.in_doubt and not counts else None
            if ids:
                merged = await statuses.reconcile_some(
                    self._job, n, ids, named, now=now, doubt=doubt
                )
                found = attrs.evolve(found, unfinished=merged.unfinished)
                after = ids[-1]
            if isinstance(failed, AuthenticationFailed):
                self._fail(failed, f"the provider can't be used: {failed}")
                return found
            if failed is not None:
                if counts and late:
                    break
                return found  # the rest is asked for next time
        if counts:
            trusted = self._settings.trust_refusals
            return await statuses.conclude(
                self._job, n, others, rejected, late=late, trusted=trusted
            )
        if not others.in_doubt:
            return found
        return await statuses.reconcile(self._job, n, PollResult(others=ChunkStatus()), now=now)

    def _poll_again(self, poll: _Poll, reconciled: bool, moving: int) -> None:
        """When to ask about the chunk next, if at all."""
        tries = poll.tries
        steady = self._clock.monotonic()
        scheduled = max(0.0, self._look_at_clock() - steady)  # seconds from now
        if not reconciled and not scheduled:
            due = steady + pause(tries, FIRST_POLL, LAST_POLL)
            self._schedule(attrs.evolve(poll, due=due))
        elif self._settings.track and (moving or not reconciled):
            if self._track_until is None or self._sending():
                self._track_until = steady + scheduled + self._settings.track
            due = steady + (scheduled or pause(tries, FIRST_LOOK, LAST_LOOK))
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


async def _ask_some(
    ask: AskRow, rows: Sequence[tuple[int, str]]
) -> tuple[list[RowStatus], list[int], MailkitError | None]:
    """What is said of these rows, those that were asked about, and the error that ended it."""
    named: list[RowStatus] = []
    asked: list[int] = []
    for row_id, address in rows:
        try:
            one = await ask(address)
        except MailkitError as error:
            return named, asked, error
        asked.append(row_id)
        if one is not None:
            named.append(one)
    return named, asked, None
