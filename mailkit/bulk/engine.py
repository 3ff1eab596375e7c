"""The engine sends the chunks of one planned job and asks what became of them.

Senders pull chunks from the journal, one request each; pollers ask the provider about accepted
chunks until every row is found or the deadline passes. All that they know stands in the journal
before they act on it, so the engine may die anywhere: the next one reads on.

What becomes of a chunk whose request did not succeed is decided in policy.py; three doubts in a
row, or a service that can't be reached, stop the job.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import attrs

from mailkit.bulk.deadlines import begins_at, is_late, taken_at
from mailkit.bulk.journal import Chosen, ChunkState, DueChunk, JobRecord, Journal
from mailkit.bulk.policy import (
    EVERYBODY,
    Answers,
    Judgment,
    Later,
    Next,
    Trial,
    gist,
    judge,
    names,
    next_step,
    refusal_of_all,
    suspects,
    without,
)
from mailkit.bulk.telling import Teller
from mailkit.core.checks import number, yes_or_no
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Chunk, Dispatch, Polled, Sent
from mailkit.core.words import about_recipient
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    MailkitError,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unavailable,
)
from mailkit.events import (
    ChunkAccepted,
    ChunkInDoubt,
    ChunkRejected,
    JobEnded,
    JobHook,
    JobStarted,
    JobStopped,
    SendingHeld,
)

__all__ = ["Engine", "EngineSettings"]

T = TypeVar("T")

DOUBTS_TO_STOP = 3
TRIES_TO_STOP = 8
WORDS_KEPT = 1_000
FIRST_POLL, LAST_POLL = 1.0, 60.0
FIRST_LOOK, LAST_LOOK = 5.0, 300.0


@attrs.frozen
class EngineSettings:
    """How a job is run; seconds throughout.

    ``senders`` requests are under way at once, ``pollers`` polls. A row that the provider has not
    named ``reconcile`` seconds after its chunk was taken (or after send_at) is in doubt.
    ``track`` goes on asking about deliveries for so long after the last chunk, or after send_at.
    A provider that asks for a longer wait than ``max_wait`` stops the job. ``trust_refusals`` is a
    person's word that refusals are about rows, and never about the account or the message.
    """

    senders: int = attrs.field(default=8, validator=number(least=1, most=1_000, whole=True))
    pollers: int = attrs.field(default=4, validator=number(least=1, most=1_000, whole=True))
    reconcile: float = attrs.field(default=600.0, validator=number(least=0))
    track: float = attrs.field(default=0.0, validator=number(least=0))
    late: bool = attrs.field(default=False, validator=yes_or_no)
    trust_refusals: bool = attrs.field(default=False, validator=yes_or_no)
    max_wait: float = attrs.field(default=2 * 3600.0, validator=number(least=0))


@attrs.frozen(order=True)
class _Poll:
    due: float
    n: int
    chunk: DueChunk = attrs.field(order=False)
    taken: float = attrs.field(order=False)
    tries: int = attrs.field(order=False, default=0)


class Engine:
    """Runs one job until its end, or until it is stopped; without ``sends``, it only asks what
    became of what was sent. The caller holds the job's lease.
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
        tell: JobHook | None = None,
        clock: Clock = Clock(),
        rng: random.Random | None = None,
    ) -> None:
        self._tell = tell or Teller()
        self._journal = journal
        self._senders = settings.senders if sends else 0
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
        self._probing = 0  # how many senders try single rows while the others wait
        self._narrowed = False
        self._about_rows: set[int] = set()
        self._requests: Counter[int] = Counter()
        self._refused_in: dict[str, set[int]] = {}  # by the gist of the words: chunks
        self._witnesses: set[int] = set()
        self._ask_elsewhere = False
        self._next_witness: int | None = None
        self._refusal: MailkitError | None = None
        self._polls: list[_Poll] = []
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
        self._narrowed = await self._journal.narrowing.restore(self._job)
        if self._senders:
            counts = await self._journal.accounts.counts(self._job, running=True)
            self._tell(JobStarted(self._job.name, self._job.provider, counts.unsent))
        self._senders_left = self._senders
        async with anyio.create_task_group() as tasks:
            for _ in range(self._senders):
                tasks.start_soon(self._send_chunks)
            tasks.start_soon(self._poll)
        if self._narrowed:
            await self._journal.narrowing.restore(self._job)
        if self.stopped is not None:
            await self._journal.jobs.stop(self._job, self.stopped)
            self._tell(JobStopped(self._job.name, self.stopped))
        else:
            self._tell(JobEnded(self._job.name))

    # sending

    async def _send_chunks(self) -> None:
        try:
            while await self._may_send():
                if self._ask_elsewhere:
                    await self._hear_witness()
                elif (chunk := await self._take()) is not None:
                    await self._hand_over(chunk)
                elif self._under_way:  # one of these may yet be planned again
                    await self._changed.wait()
                elif not await self._conclude():
                    return
        finally:
            self._senders_left -= 1
            self._notify()

    async def _take(self, *, n: int | None = None, probes: bool = False) -> Chunk | None:
        return await self._settle(
            self._journal.steps.take(self._job, self._clock.now(), n=n, probes=probes)
        )

    async def _may_send(self) -> bool:
        while not self._stop.is_set():
            if (
                self._send_at is not None
                and not self._settings.late
                and self._clock.now() > self._send_at
            ):
                if not await self._journal.accounts.chunks(self._job, ChunkState.PLANNED):
                    return False  # all was handed over in time
                at = datetime.fromtimestamp(self._send_at, UTC)
                self.stop(f"send_at ({at:%Y-%m-%d %H:%M} UTC) has passed: resume with --late")
            elif self._probing:  # what comes of that is about everybody
                await self._changed.wait()
            elif (wait := self._hold_until - self._clock.monotonic()) > 0:
                await self._clock.sleep_until(self._changed, wait)
            else:
                self.waiting = None
                return True
        return False

    async def _hand_over(self, chunk: Chunk) -> None:
        self._under_way += 1
        try:
            await self._send(chunk)
        finally:
            self._under_way -= 1
            self._notify()

    async def _send(self, chunk: Chunk) -> None:
        root = chunk.n if chunk.root is None else chunk.root
        if chunk.root is not None:
            self._requests[root] += 1
        try:
            sent = await self._dispatch.send(chunk, late=self._settings.late)
        except MailkitError as error:
            await self._end(chunk, root, error)
        except (Exception, asyncio.CancelledError) as error:
            await self._settle(self._doubt(chunk, f"cut off while sending: {type(error).__name__}"))
            raise
        else:
            doubted: Mapping[int, str] = {}
            if not self._settings.trust_refusals and root not in self._about_rows:
                doubted, words = self._disbelieved(chunk, sent)
                if words is not None:
                    await self._end(chunk, root, Refused(words))
                    return
            now = self._clock.now()
            refused = {n: why for n, why in sent.refused.items() if n not in doubted}
            told = attrs.evolve(sent, refused=refused, held={**sent.held, **doubted})
            doubt = await self._settle(self._journal.steps.accept(self._job, chunk.n, now, told))
            if doubt is not None:
                self._tell(ChunkInDoubt(self._job.name, chunk.n, len(chunk.rows), doubt))
                self._doubted(OutcomeUnknown(doubt))
                return
            self._doubts = self._tries = self._away = 0
            left_out = len(told.refused) + len(told.doubtful) + len(told.held)
            self._tell(
                ChunkAccepted(
                    self._job.name,
                    chunk.n,
                    len(chunk.rows) - left_out,
                    len(told.refused),
                    len(told.doubtful),
                    sent.reference,
                )
            )
            if chunk.root is not None and left_out < len(chunk.rows):
                self._about_rows.add(root)
            addresses = {row.n: row.address for row in chunk.rows} if told.refused else {}
            for n, why in told.refused.items():
                if not about_recipient(why) and len(self._refused_in) < WORDS_KEPT:
                    self._refused_in.setdefault(gist(why, addresses[n]), set()).add(chunk.n)
            if sent.held:
                words = next(iter(sent.held.values()))
                self._fail(AccountRefused(words), f"the provider can't be used: {words}")
            if sent.reference is not None:
                due = DueChunk(chunk.n, sent.reference, now, reconciled=False, cursor=None)
                steady = self._clock.monotonic()
                self._schedule(_Poll(steady + FIRST_POLL, chunk.n, due, steady))

    def _disbelieved(self, chunk: Chunk, sent: Sent) -> tuple[Mapping[int, str], str | None]:
        """The rows that a response refuses by name and that are sent again to see whether it is
        about them; and the words, if that is so of all of the chunk.
        """
        if not sent.refused or (chunk.root is None and len(sent.refused) < EVERYBODY):
            return {}, None
        address = {row.n: row.address for row in chunk.rows}
        named = {n: (address[n], words) for n, words in sent.refused.items()}
        whole = refusal_of_all(len(chunk.rows), [without(*one) for one in named.values()])
        some = suspects(named)
        if whole is None and len(some) == len(chunk.rows):
            whole = next(iter(some.values()))  # in several groups; sent again, it would be the same
        return ({}, whole) if whole is not None else (some, None)

    async def _end(self, chunk: Chunk, root: int, error: MailkitError) -> None:
        """The request did not succeed."""
        known = Answers(
            rows=len(chunk.rows),
            about_rows=root in self._about_rows,
            probing=self._probing > 0,
            requests=self._requests[root],
        )
        words = error.text if isinstance(error, Refused) else str(error)
        named: list[int] = []
        if isinstance(error, Refused):
            named = [row.n for row in chunk.rows if names(row.address, words)]
        match next_step(error, known):
            case Next.STOP:
                await self._settle(self._put_back(chunk, error))
                self._fail(error, f"the provider can't be used: {error}")
            case Next.WAIT if isinstance(error, Later):
                await self._settle(self._put_back(chunk, error))
                self._hold(error)
                if chunk.n in self._witnesses:
                    self._ask_elsewhere, self._next_witness = True, chunk.n
            case Next.PROBE | Next.HALVE | Next.YIELD if 0 < len(named) < len(chunk.rows):
                self._narrowed = True
                self._requests[root] += chunk.root is None
                await self._settle(self._journal.narrowing.single_out(self._job, chunk.n, named))
            case Next.YIELD:
                await self._settle(self._put_back(chunk, error))
            case Next.DOUBT | Next.WAIT:
                await self._settle(self._doubt(chunk, str(error)))
                self._doubted(error)
            case Next.PROBE:
                await self._probe(chunk, root)
            case Next.HALVE:
                await self._settle(self._journal.narrowing.halve(self._job, chunk.n))
            case Next.TRY if chunk.again or names(chunk.rows[0].address, words):
                self._about_rows.add(root)
                await self._settle(
                    self._journal.steps.reject(self._job, chunk.n, self._clock.now(), words)
                )
                self._tell(ChunkRejected(self._job.name, chunk.n, len(chunk.rows), words))
            case Next.TRY:
                await self._try(chunk, error, words)
            case Next.GIVE_UP:
                await self._settle(self._put_back(chunk, error))
                await self._hear_probes()
                self._fail(
                    error,
                    f"after {self._requests[root]} requests it is still not clear which rows of "
                    f"chunk {root} the provider refuses: {error}; resume the job to go on, once "
                    "you have looked whether the account may send",
                )

    def _doubted(self, error: MailkitError) -> None:
        self._doubts += 1
        if self._doubts >= DOUBTS_TO_STOP:
            self._fail(error, f"the outcome of {self._doubts} chunks running is unknown: {error}")

    # refusals: whom are they about?

    async def _probe(self, chunk: Chunk, root: int) -> None:
        """Try three rows alone while everybody else waits."""
        self._probing += 1
        self._narrowed = True
        self._requests[root] += chunk.root is None  # the request that was refused
        try:
            probes = self._journal.narrowing.probe(self._job, chunk.n)
            for n in await self._settle(probes):
                if root in self._about_rows or not self._sending():
                    return  # the others are tried last: they may be needed as witnesses
                probe = await self._take(n=n)
                if probe is not None:
                    await self._send(probe)
        finally:
            self._probing -= 1
            self._notify()

    async def _try(self, chunk: Chunk, error: MailkitError, words: str) -> None:
        """A row was refused alone, in words that may be about anybody."""
        trials = await self._settle(
            self._journal.narrowing.try_row(self._job, chunk.n, self._clock.now(), words)
        )
        self._narrowed, self._refusal = True, error
        await self._judge(trials)

    async def _judge(self, trials: Sequence[Trial], *, last: bool = False) -> None:
        about_rows = all(
            trial.root in self._about_rows or trial.n in self._witnesses for trial in trials
        )
        judgment = judge(trials, about_rows=about_rows, witnesses=self._witnesses, last=last)
        if judgment is Judgment.ACCOUNT and self._settings.trust_refusals:
            judgment = Judgment.ROWS  # a person's word
        if judgment is Judgment.ROWS:
            self._about_rows.update(trial.root for trial in trials)
            await self._settle(self._journal.narrowing.convict(self._job))
            for trial in trials:
                self._tell(ChunkRejected(self._job.name, trial.n, 1, trial.words))
        elif judgment is Judgment.ACCOUNT:
            await self._accuse(trials)
        elif judgment is Judgment.ASK:
            self._ask_elsewhere = True

    async def _accuse(self, trials: Sequence[Trial]) -> None:
        """The account or the message is meant: plan everybody again, and stop."""
        await self._settle(self._journal.narrowing.restore(self._job))
        same = self._refused_in.get(gist(trials[-1].words, trials[-1].address))
        if same:  # the last people that a response named before
            chosen = Chosen(chunks=dict.fromkeys(same))
            await self._settle(self._journal.resolving.again(self._job, chosen))
        assert self._refusal is not None  # noqa: S101 - a trial had one
        tried = f"{len(trials)} rows" if len(trials) > 1 else "a row"
        self._fail(
            self._refusal,
            f"the provider refused {tried} tried alone, so that it seems to mean the account or "
            f"the message: {trials[-1].words}; if it means these rows, resume with "
            "--trust-refusals",
        )

    async def _hear_witness(self) -> None:
        """Try a row from elsewhere alone while everybody else waits."""
        self._ask_elsewhere = False
        self._probing += 1
        try:
            n, self._next_witness = self._next_witness, None
            if n is None:
                at = self._rng.random()  # another place in each run: they can't all be bad
                n = await self._settle(self._journal.narrowing.isolate(self._job, at))
            witness = None if n is None else await self._take(n=n)
            if witness is not None:
                self._witnesses.add(witness.n)
                await self._hand_over(witness)
                return
            if (probe := await self._take(probes=True)) is not None:  # nobody else is left to try
                await self._hand_over(probe)
                return
            trials = await self._journal.narrowing.trials(self._job)
            if any(trial.root not in self._about_rows for trial in trials):
                await self._judge(trials, last=True)
        finally:
            self._probing -= 1
            self._notify()

    async def _hear_probes(self) -> None:
        """Try the rows that were kept for the end, until one of them is taken."""
        while self._sending() and await self._journal.narrowing.trials(self._job):
            probe = await self._take(probes=True)
            if probe is None:
                return
            await self._hand_over(probe)

    async def _conclude(self) -> bool:
        """Nothing is planned but probes. Whether one was sent, so that there may be more."""
        if not self._narrowed:
            return False
        self._under_way += 1  # nobody else ends or concludes meanwhile
        try:
            probe = await self._take(probes=True)
            if probe is not None:
                await self._send(probe)
                return True
            if trials := await self._journal.narrowing.trials(self._job):
                await self._judge(trials, last=True)
            return False
        finally:
            self._under_way -= 1
            self._notify()

    def _sending(self) -> bool:
        return not self._stop.is_set() and self._hold_until <= self._clock.monotonic()

    def _put_back(self, chunk: Chunk, error: MailkitError) -> Awaitable[None]:
        return self._journal.steps.put_back(self._job, chunk.n, self._clock.now(), str(error))

    async def _doubt(self, chunk: Chunk, reason: str) -> None:
        await self._journal.steps.doubt(self._job, chunk.n, self._clock.now(), reason)
        self._tell(ChunkInDoubt(self._job.name, chunk.n, len(chunk.rows), reason))

    async def _settle(self, write: Awaitable[T]) -> T:
        """What came of a request is written down even if the engine is cancelled meanwhile."""
        with anyio.CancelScope(shield=True):
            return await write
        raise AssertionError("nobody cancels that scope")

    def _hold(self, error: Later) -> None:
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
        until = datetime.fromtimestamp(self._clock.now() + wait, UTC).astimezone()
        if wait > self._settings.max_wait and not isinstance(error, QuotaExhausted):
            self._fail(error, f"{error.text}; resume the job after {until:%Y-%m-%d %H:%M}")
            return
        if self._clock.monotonic() + wait > self._hold_until:
            self._tell(SendingHeld(self._job.name, until, error.text))
        self._hold_until = max(self._hold_until, self._clock.monotonic() + wait)
        self.waiting = f"{error.text}; resuming at {until:%H:%M:%S}"
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
        if found.held is not None and not self._settings.trust_refusals:
            self._fail(
                AccountRefused(found.held),
                f"the provider took chunk {chunk.n} and then rejected rows of it, which seems to "
                f"be about the account: {found.held}; once that is fixed, resume with --rejected; "
                "if it means these rows, with --trust-refusals",
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
