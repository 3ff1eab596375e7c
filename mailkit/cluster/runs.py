"""What this process works on: the jobs that it sends and follows, each in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any

import msgspec

from mailkit.bulk.job import Job
from mailkit.bulk.journal import JobRecord, Journal, LeftBehind, WhenPlanned
from mailkit.bulk.resuming import check_same
from mailkit.bulk.run import Left
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients, read_suppressions
from mailkit.bulk.telling import Teller
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Provider
from mailkit.errors import (
    AuthenticationFailed,
    InvalidArgument,
    MailkitError,
    Refused,
    RequestError,
)
from mailkit.events import JobHook, JobStopped
from mailkit.message import Message

__all__ = ["PlanOrder", "Runs"]

UNREACHABLE_SECONDS = 300.0
"""So long a process leaves a job to others for which it could not reach the provider."""
_clock = Clock()


class PlanOrder(msgspec.Struct, frozen=True):
    """What `mailkit.cluster.plan` orders: the job's name, its account, and its files by paths; in
    which history of the journal.
    """

    job: str
    provider: str
    account: str
    message: dict[str, Any]
    recipients: str
    suppress: str | None
    again: bool
    rate: str | None
    track: float
    history: str


class Runs:
    """The runs of this process. A job is sent by one of them at most, and followed by another."""

    def __init__(
        self,
        journal: Journal,
        providers: Sequence[Provider],
        settings: EngineSettings,
        hooks: Sequence[JobHook],
    ) -> None:
        self._journal = journal
        self.providers: Mapping[tuple[str, str], Provider] = {
            (one.name, one.account): one for one in providers
        }
        self._settings = settings
        self._hooks = hooks
        self._tell = Teller(hooks)
        self._tasks: dict[str, asyncio.Task[bool]] = {}
        self._jobs: dict[str, Job] = {}
        self._left: set[str] = set()
        self._back_at: dict[str, float] = {}
        self.leaving = False
        """Nothing more is begun."""

    @property
    def concurrency(self) -> int:
        """How many requests of a job are under way here at once."""
        return self._settings.concurrency

    def at_work(self, name: str) -> bool:
        """Whether the job is sent here."""
        return f"send {name}" in self._tasks

    def stays_away(self, name: str) -> bool:
        """Whether the job is left to others, if there are any: this process could not reach the
        provider a short time ago, or could not know what became of its requests.
        """
        return _clock.monotonic() < self._back_at.get(name, -inf)

    async def send(
        self, record: JobRecord, begun: Callable[[], Coroutine[Any, Any, None]], *, keep: bool
    ) -> bool:
        """Send the job until its end, or until it stops; False if it was left to others.
        ``begun`` is called when it is under way here. One that the provider can't be used for is
        stopped for everybody. Who waits for a run and is cancelled ends it, unless that is to
        ``keep`` on.
        """

        async def start(sender: BulkSender) -> Job:
            try:
                job = await sender.resume(record.name, restart=False)
            except (AuthenticationFailed, Refused) as error:
                await self._stop(record, _words(error))
                raise
            except RequestError:
                self._stay_away(record, UNREACHABLE_SECONDS)
                raise
            await begun()
            return job

        return await self._attend("send", record, start, keep=keep)

    async def plan(self, order: PlanOrder, then: WhenPlanned, *, keep: bool) -> bool:
        """Plan the job, unless that is done; ``then`` is part of it. False while another process
        plans it, or seems to.
        """
        jobs = self._journal.jobs

        async def leave(sender: BulkSender) -> None:
            message, list_ = Message.from_json(order.message), read_recipients(order.recipients)
            provider = self.providers[order.provider, order.account]
            if order.history not in await jobs.histories():
                raise InvalidArgument(
                    "an older state of the journal was put back since it was ordered, and it may "
                    "have been sent since. If it was not, order it again"
                )
            if (found := await jobs.planned(order.job)) is not None:
                await check_same(found, provider, message, list_, clock=_clock)
                return
            await sender.detach(
                message,
                list_,
                name=order.job,
                again=order.again,
                suppress=None if order.suppress is None else read_suppressions(order.suppress),
                rate=order.rate,
                then=then,
            )

        if await jobs.is_being_planned(order.job):
            return False
        return await self._kept(f"plan {order.job}", partial(self._detach, order, leave), keep=keep)

    async def _detach(
        self, order: PlanOrder, leave: Callable[[BulkSender], Coroutine[Any, Any, None]]
    ) -> bool:
        async with self._sender(order.job, order.provider, order.account) as sender:
            try:
                await leave(sender)
            except MailkitError as error:
                self._tell(JobStopped(order.job, f"it can't be planned: {error}"))
                raise
        return True

    async def follow(self, record: JobRecord, seconds: float, *, keep: bool) -> bool:
        """Ask for so long what became of the job's messages; False if it was left to others."""
        return await self._attend(
            "follow", record, lambda sender: sender.follow(record.name, seconds), keep=keep
        )

    async def leave(self, seconds: float) -> bool:
        """Begin nothing more; whether all requests under way have ended in this time."""
        self.leaving = True
        for key in self._tasks:
            self._leave(key)
        if not self._tasks:
            return True
        _, late = await asyncio.wait(self._tasks.values(), timeout=seconds)
        return not late

    def left_behind(self) -> LeftBehind | None:
        """What would be in doubt if the process ended at once; None: that can't be found out."""
        found = [job.left_behind() for job in self._jobs.values()]
        if None in found:
            return None
        return LeftBehind(
            sum(one.requests for one in found if one),
            sum(one.rows for one in found if one),
            sum(one.in_doubt for one in found if one),
        )

    async def _attend(
        self,
        what: str,
        record: JobRecord,
        start: Callable[[BulkSender], Coroutine[Any, Any, Job]],
        *,
        keep: bool,
    ) -> bool:
        key = f"{what} {record.name}"
        return await self._kept(key, partial(self._run, key, record, start), keep=keep)

    async def _kept(
        self, key: str, run: Callable[[], Coroutine[Any, Any, bool]], *, keep: bool
    ) -> bool:
        """What runs under this key, in a task of its own; see `send`."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(run(), name=f"mailkit {key}")
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._forget(key))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not (keep or task.done()):
                self._leave(key)
                await asyncio.wait([task])
            task.add_done_callback(_heard)
            raise

    def _sender(self, job: str, name: str, account: str) -> BulkSender:
        provider = self.providers.get((name, account))
        if provider is None:
            raise InvalidArgument(
                f"this worker has no client of {name} with the account {account}, which the job "
                f"{job} is sent with"
            )
        return BulkSender(
            provider, journal=self._journal, settings=self._settings, hooks=self._hooks
        )

    def _forget(self, key: str) -> None:
        self._tasks.pop(key)
        self._left.discard(key)

    async def _run(
        self,
        key: str,
        record: JobRecord,
        start: Callable[[BulkSender], Coroutine[Any, Any, Job]],
    ) -> bool:
        async with self._sender(record.name, record.provider, record.account) as sender:
            try:
                job = await start(sender)
            except MailkitError as error:
                self._tell(JobStopped(record.name, _words(error)))
                raise
            self._jobs[key] = job
            try:
                if self.leaving or key in self._left:
                    job.leave()
                await job.ended()
            except BaseException:
                job.leave()
                raise
            finally:
                self._jobs.pop(key)
            if job.left is Left.DOUBTS:
                self._stay_away(record, inf)
            elif job.left is Left.UNREACHABLE:
                self._stay_away(record, UNREACHABLE_SECONDS)
            return job.left is None

    def _stay_away(self, record: JobRecord, seconds: float) -> None:
        self._back_at[record.name] = _clock.monotonic() + seconds

    def _leave(self, key: str) -> None:
        self._left.add(key)
        if key in self._jobs:
            self._jobs[key].leave()

    async def _stop(self, record: JobRecord, why: str) -> None:
        """Nobody goes on with the job until a person has looked."""
        joined = await self._journal.workers.join(record, restart=False)
        try:
            await self._journal.jobs.stop(joined, why)
        finally:
            await self._journal.workers.leave(joined)


def _words(error: MailkitError) -> str:
    refused = isinstance(error, AuthenticationFailed | Refused)
    return f"the provider can't be used: {error}" if refused else str(error)


def _heard(task: asyncio.Task[bool]) -> None:
    """Nobody waits for it any more: its errors were told."""
    if not task.cancelled():
        task.exception()
