"""Performing a task: the provider does it, and what follows, as policy.py decides, is done and
written down.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from math import inf

import attrs

from mailkit.bulk.breaker import Breaker
from mailkit.bulk.holds import Holds
from mailkit.bulk.journal import JobRecord, Journal, LedgerPermits, Taken
from mailkit.bulk.policy import Next, may_have_left, names, next_step
from mailkit.bulk.polling import Polling
from mailkit.bulk.refusals import Refusals
from mailkit.bulk.run import Left, Run
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.signal import Signal, shielded
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Dispatch, Done, Recut, Sent, Wait
from mailkit.core.lateness import BEGINS_WITHIN, begins_by
from mailkit.core.words import about_recipient
from mailkit.errors import (
    AccountRefused,
    MailkitError,
    OutcomeUnknown,
    Refused,
)
from mailkit.events import ChunkAccepted, ChunkInDoubt, JobHook

__all__ = ["Performing"]

DOUBTS_TO_STOP = 3


class Performing:
    """The tasks that are performed in one run."""

    def __init__(
        self,
        run: Run,
        journal: Journal,
        dispatch: Dispatch,
        job: JobRecord,
        *,
        settings: EngineSettings,
        clock: Clock,
        tell: JobHook,
        permits: LedgerPermits | None,
        holds: Holds,
        refusals: Refusals,
        polling: Polling,
    ) -> None:
        self._run = run
        self._journal = journal
        self._dispatch = dispatch
        self._stages = tuple(dispatch.stages)
        self._job = job
        self._settings = settings
        self._clock = clock
        self._tell = tell
        self._permits = permits
        self._holds = holds
        self._refusals = refusals
        self._polling = polling
        self._breaker = Breaker()
        self._ended = Signal(clock)
        self.under_way = 0
        """How many tasks are performed."""

    @property
    def waits(self) -> bool:
        """Whether nothing may begin before a request has ended: see `Breaker`."""
        return self._breaker.waits

    async def wait(self) -> None:
        """Wait until something may begin."""
        while self._breaker.waits:
            await self._ended.wait()

    async def hand_over(self, taken: Taken) -> None:
        """Have the provider do the task, and do what follows, unless everybody had to stop or to
        wait while it was taken.
        """
        if not self._run.may_try():
            await self.leave(taken)
            return
        self.under_way += 1
        try:
            await self._perform(taken)
        finally:
            self.under_way -= 1
            self._breaker.ended(taken.ticket)
            self._ended.notify()

    async def leave(self, taken: Taken) -> None:
        """Nothing was sent: it is there to be taken again."""
        self._give_back(taken)
        await shielded(self._put_back(taken, "put back before it was sent", left=False))
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
            why = "cancelled while the request was under way"
            if isinstance(error, Exception):
                why = f"an unexpected error while the request was under way: {type(error).__name__}"
            end = self._put_back if stage.repeatable else self._doubt
            await shielded(end(taken, why))
            raise
        else:
            match outcome:
                case Wait():
                    await self._wait(taken, outcome)
                case Done():
                    self._holds.responded()
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
        self._holds.tell(wait.until.astimezone(), wait.why)

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
        self._holds.responded()
        left_out = len(told.rejected) + len(told.in_doubt) + len(told.held)
        taken_rows = max(rows - left_out, 0)
        counts = taken_rows, len(told.rejected), len(told.in_doubt)
        self._tell(ChunkAccepted(job, chunk, *counts, sent.reference))
        self._refusals.accepted(taken, told, left_out=left_out)
        if sent.held:
            words = next(iter(sent.held.values()))
            self._run.fail(AccountRefused(words), f"the provider can't be used: {words}")
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
        if step not in (Next.DOUBT, Next.STOP_IN_DOUBT):
            self._breaker.ended(taken.ticket)
        match step:
            case Next.STOP:
                await self._stop_for(taken, error)
            case Next.SUSPECT:
                await self._suspect(taken, error, words)
            case Next.WAIT:
                self._holds.begin(error)  # first: what is put back can be taken at once
                await shielded(self._put_back(taken, str(error), left=may_have_left(error)))
                self._refusals.put_back(taken)
            case Next.DOUBT:
                await shielded(self._doubt(taken, str(error)))
                self._doubted(taken, error)
            case Next.STOP_IN_DOUBT:
                await shielded(self._doubt(taken, str(error)))
                self._fail_for(error)
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
                self._run.fail(
                    error,
                    f"after {self._refusals.requests(taken)} requests it is still not clear which "
                    f"rows of chunk {root} the provider refuses: {error}; check "
                    "that the account may send, then resume the job",
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
        await shielded(self._put_back(taken, str(error), left=may_have_left(error)))
        self._fail_for(error)

    def _fail_for(self, error: MailkitError) -> None:
        self._run.fail(error, f"the provider can't be used: {error}")

    async def _suspect(self, taken: Taken, error: MailkitError, words: str) -> None:
        """Rows of parts are refused in a way that may be about everybody."""
        await shielded(self._put_back(taken, words))
        self._run.fail(
            error,
            f"the provider refuses rows at the stage {taken.task.stage.name} in a way that seems "
            f"to mean the account or the message: {words}; if it means these rows, resume with "
            "--trust-refusals",
        )

    async def _put_back(self, taken: Taken, why: str, *, left: bool = True) -> None:
        """Plan it again; ``left``: its request may have reached the provider."""
        ended, part = self._clock.now() if left else None, taken.task.part
        await self._journal.chunks.put_back(self._job, taken.ticket, ended, why, part)

    async def _doubt(self, taken: Taken, why: str) -> None:
        await self._journal.chunks.doubt(self._job, taken.ticket, self._clock.now(), why)
        rows = taken.task.count
        self._tell(ChunkInDoubt(self._job.name, taken.task.chunk, rows, why))

    def _doubted(self, taken: Taken, error: MailkitError) -> None:
        self._polling.doubted(taken)
        if self._breaker.doubted(taken.ticket) and self._breaker.unknown >= DOUBTS_TO_STOP:
            reason = f"the outcome of {self._breaker.unknown} chunks in a row is unknown: {error}"
            self._run.give_up(Left.DOUBTS, error, reason)
