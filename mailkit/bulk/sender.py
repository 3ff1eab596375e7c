"""BulkSender: the engine's public face. It plans a job, runs it, and takes up cut-off ones."""

from __future__ import annotations

import asyncio
import inspect
import random
import shlex
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType

import anyio
import attrs
import msgspec

from mailkit.bulk.cancel import RecallResult, recall
from mailkit.bulk.engine import Engine
from mailkit.bulk.estimate import duration, steps_of
from mailkit.bulk.job import Job
from mailkit.bulk.journal import (
    RECIPIENTS,
    Account,
    Chosen,
    JobRecord,
    Journal,
    LedgerPermits,
    WhenPlanned,
)
from mailkit.bulk.journal.names import may_have_been_sent, was_cut_off
from mailkit.bulk.plan import Draft, JobSpec, drafted, plan, suppress_for
from mailkit.bulk.rate import quota_of
from mailkit.bulk.rehearsal import Plan, rehearse, what_is_left
from mailkit.bulk.report import Report, make_report
from mailkit.bulk.resuming import check_not_cancelled, check_same, find_planned, find_same
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.signal import shielded
from mailkit.bulk.single import SampleResult, send_single
from mailkit.bulk.source import RecipientSource, SuppressionSource
from mailkit.bulk.telling import Teller
from mailkit.core.arguments import checked
from mailkit.core.checks import check_number
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Provider
from mailkit.core.loops import running_loop
from mailkit.core.quota import Quota
from mailkit.errors import InvalidArgument, JobExists, Unsupported
from mailkit.events import JobHook
from mailkit.message import Message
from mailkit.remedies import remedy

__all__ = ["BulkSender"]


class BulkSender:
    """Sends one message to a list of any length, through one provider, and keeps the record.

    ``journal`` is the journal's path, an open Journal (which is not closed here), or None for
    the default place. ``settings`` sets how many requests run at once and how long to look for
    rows that the provider does not name. ``hooks`` are called with each `JobEvent`; the same goes
    to the logger ``mailkit.jobs``. Leaving the ``async with`` block stops what still runs.
    """

    @checked
    def __init__(
        self,
        provider: Provider,
        *,
        journal: str | Path | Journal | None = None,
        settings: EngineSettings = EngineSettings(),
        hooks: Sequence[JobHook] = (),
        clock: Clock = Clock(),
        rng: random.Random | None = None,
    ) -> None:
        if isinstance(provider, type):
            raise InvalidArgument(f"give a client, {provider.__name__}(…), not the class")
        if not hasattr(provider, "dispatch"):
            kind = type(provider).__name__
            raise Unsupported(f"{kind} has no bulk send: give a client that does, such as SmsBy")
        self._given = self._provider = provider
        self._place = journal
        self._settings = settings
        if not all(map(callable, hooks)):
            raise InvalidArgument("hooks: give a list of functions, each of which takes a JobEvent")
        if any(map(inspect.iscoroutinefunction, hooks)):
            raise InvalidArgument("hooks: give functions that return at once, not async ones")
        self._tell = Teller(hooks)
        self._clock = clock
        self._rng = rng
        self._journal: Journal | None = None
        self._jobs: list[Job] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> BulkSender:
        if isinstance(self._place, Journal):
            self._journal = self._place
        else:
            self._journal = await Journal.open(self._place)
        self._loop = asyncio.get_running_loop()
        self._provider = self._bound(self._permits())
        self._jobs, self._tasks = [], asyncio.TaskGroup()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        journal, self._journal = self.journal, None
        with anyio.CancelScope(shield=True):  # requests under way end first
            try:
                for job in self._jobs:
                    job.stop()
                await self._tasks.__aexit__(None, None, None)
                for job in self._jobs:
                    await job.end(quiet=error is not None)
            finally:
                if journal is not self._place:
                    await journal.close()

    @property
    def journal(self) -> Journal:
        """The open journal; only inside the ``async with`` block, and in its event loop."""
        if self._journal is None:
            raise InvalidArgument(
                "use the BulkSender inside its block: async with BulkSender(...) as sender"
            )
        if running_loop() not in (None, self._loop):
            raise InvalidArgument(
                "a BulkSender works only in the event loop that entered its block: use it there, "
                "or create another one for this loop; they can share a journal"
            )
        return self._journal

    @checked
    async def start(
        self,
        message: Message,
        recipients: RecipientSource,
        *,
        name: str | None = None,
        again: bool = False,
        suppress: SuppressionSource | None = None,
        rate: str | None = None,
    ) -> Job:
        """Plan the job (read and check the whole list) and begin to send it.

        The credentials are tried first. ``name`` defaults to one made from message and list.
        JobExists if the name, or the same message with the same list, is in the journal, unless
        nothing of that job was or may have been sent and nothing is left to send: it gives way.
        Recipients whom another job has sent the same message, or will, are duplicates. ``again``
        sends anyway. ``suppress`` has addresses that this job must not mail, in addition to the
        journal's suppressions. ``rate`` limits how many recipients the account mails per period:
        ``100/min``, ``5000/h`` or ``20000/d``; it stays with the job. InvalidArgument and
        Unsupported say what to fix: nothing was sent.
        """
        self._check_track(self._settings)
        record = await self._plan(JobSpec(message, recipients, name, again, suppress, rate))
        return await self._run(record, self._settings, prepared=True)

    @checked
    async def detach(
        self,
        message: Message,
        recipients: RecipientSource,
        *,
        name: str | None = None,
        again: bool = False,
        suppress: SuppressionSource | None = None,
        rate: str | None = None,
        then: WhenPlanned | None = None,
    ) -> str:
        """Plan the job as ``start`` does, and send nothing of it: others do, as soon as they see
        it in the journal. Returns its name. `mailkit.cluster.detach` tells the workers.

        ``then`` is called in the transaction that makes the job planned.
        """
        self._check_track(self._settings)
        spec = JobSpec(message, recipients, name, again, suppress, rate)
        record = await self._plan(spec, then=then)
        await self.journal.workers.leave(record)
        return record.name

    @checked
    async def start_or_resume(
        self,
        message: Message,
        recipients: RecipientSource,
        *,
        name: str | None = None,
        suppress: SuppressionSource | None = None,
        rate: str | None = None,
    ) -> Job:
        """Resume the job if it exists, as ``resume`` does, else start it, as ``start`` does: for
        commands that repeat, such as cron jobs. A job that has ended makes no more requests.

        The job is found by its ``name``, else by its message and list. While another process plans
        it, this one waits, and then joins. ``suppress`` and ``rate`` apply from now on. JobExists
        if the job of this name has a different message or list, unless it gives way, as in
        ``start``; InvalidArgument if it was cancelled with rows unsent.
        """
        self._check_track(self._settings)
        spec = JobSpec(message, recipients, name, suppress=suppress, rate=rate)
        record = await self._ordered(spec)
        while record is None:
            try:
                record = await self._plan(spec, resumable=True)
            except JobExists as error:  # it was there all along, or is now
                if name is None:
                    record = await self.journal.jobs.get(error.name)
                    if was_cut_off(record):  # it may be of another list
                        raise
                elif name == error.name:
                    record = await self._ordered(spec)
                else:
                    raise
            else:
                return await self._run(record, self._settings, prepared=True)
        if await self.journal.cancelling.is_unwanted(record):
            check_not_cancelled(record)
        if suppress is not None:
            await suppress_for(self.journal, record, suppress, self._clock)
        return await self.resume(record.name, rate=rate)

    async def _plan(
        self, spec: JobSpec, *, resumable: bool = False, then: WhenPlanned | None = None
    ) -> JobRecord:
        journal, provider, clock = self.journal, self._provider, self._clock
        return await plan(journal, provider, spec, clock=clock, resumable=resumable, then=then)

    def _drafted(self, spec: JobSpec) -> AbstractAsyncContextManager[Draft]:
        return drafted(self.journal, self._provider, spec, clock=self._clock)

    async def _ordered(self, spec: JobSpec) -> JobRecord | None:
        """The job that this is, if it was planned before."""
        message, recipients, name = spec.message, spec.recipients, spec.name
        journal, provider, clock = self.journal, self._provider, self._clock
        if name is None:
            return await find_same(journal, provider, message, recipients, clock=clock)
        record = await find_planned(journal, name, clock=clock)
        if record is not None:
            self._check_own(record)
            try:
                await check_same(record, provider, message, recipients, clock=clock)
            except JobExists as error:
                if record.cancelled is None and await journal.jobs.is_over_without_anybody(record):
                    return None  # it gives way
                unsent = (await journal.reports.counts(record)).unsent
                if not unsent or record.cancelled is not None:
                    raise
                raise JobExists(
                    f"{error}, and resume {name}, which has {unsent:,} rows unsent", name=error.name
                ) from None
        return record

    @checked
    async def plan(
        self,
        message: Message,
        recipients: RecipientSource,
        *,
        name: str | None = None,
        again: bool = False,
        suppress: SuppressionSource | None = None,
        rate: str | None = None,
    ) -> Plan:
        """What ``start`` would do with the same arguments: whom it would leave out, what it would
        send, the requests, the cost, the time. Sends nothing, and leaves no job behind.

        Raises what ``start`` does.
        """
        async with self._drafted(
            JobSpec(message, recipients, name, again, suppress, rate)
        ) as draft:
            await draft.cut()
            found = await rehearse(draft, message, self._provider.quotas)
            await draft.forget()
            return found

    @checked
    async def upload(
        self,
        message: Message,
        recipients: RecipientSource,
        *,
        name: str | None = None,
        again: bool = False,
        suppress: SuppressionSource | None = None,
        rate: str | None = None,
    ) -> tuple[Plan, Job]:
        """Begin a job as ``start`` does, and stop it before anything is sent: whatever has to be
        done at the service before is done, so that `uploaded` knows the exact cost.
        ``resume`` sends it.

        Unsupported for a provider that takes message and recipients in one request.
        """
        async with self._drafted(
            JobSpec(message, recipients, name, again, suppress, rate)
        ) as draft:
            if len(draft.dispatch.stages) == 1:
                raise Unsupported(
                    f"{self._provider.name} takes message and recipients in one request: there is "
                    "nothing to upload first"
                )
            seen = await draft.cut()
            found = await rehearse(draft, message, self._provider.quotas)
            record = await draft.finish(seen)
        return found, await self._run(record, self._settings, prepared=True, last=False)

    @checked
    async def uploaded(self, plan: Plan, name: str) -> Plan:
        """The plan of `upload`, once its job has ended: the chunks that are to be sent, the
        requests and the time that takes, and the exact cost.
        """
        record = await self._known(name)
        reports = self.journal.reports
        counts = await reports.counts(record)
        message = Message.from_json(msgspec.json.decode(record.message))
        dispatch = self._provider.dispatch(attrs.evolve(message, send_at=None), record.columns)
        cost = await dispatch.cost(counts.unsent, await reports.cursors(record))
        chunks = await reports.chunk_rows(record)
        return what_is_left(plan, chunks, dispatch, self._quotas(record.rate), cost)

    @checked
    async def test(
        self,
        message: Message,
        to: str,
        recipients: RecipientSource | None = None,
        *,
        row: int = 1,
    ) -> SampleResult:
        """Send one real message to this address, at once, with the values of a row of the
        ``recipients``: the first, or the one of this number. No job is made of it.

        It falls under the provider's quota for tests. InvalidArgument names a placeholder that has
        no value; after OutcomeUnknown, look into the mailbox before you try again.
        """
        check_number(row, "row", least=1, whole=True)
        return await send_single(self._provider, message, to, recipients, row)

    @checked
    async def resume(
        self,
        name: str,
        *,
        rejected: bool = False,
        cancelled: bool = False,
        rate: str | None = None,
        restart: bool = True,
    ) -> Job:
        """Go on with a job that was stopped or cut off; what was under way then is in doubt. With
        ``rejected``, what the provider rejected is sent again too. A job that was cancelled with
        rows unsent needs ``cancelled``. Whoever has the message from another job by now is left
        out, and counted in the job's ``left_out``; for one that was started with ``again``, from a
        job that came after it. ``rate`` is the job's from now on. Without ``restart``, a job that
        was stopped is InvalidArgument.

        If other processes send the job at this moment, this one joins them. InvalidArgument if
        there is no such job, or if it was started with another provider or account.
        """
        self._check_track(self._settings)
        record = await self._known(name)
        if was_cut_off(record):
            raise InvalidArgument(str(may_have_been_sent(record)))
        if rate is not None:
            await self.journal.jobs.set_rate(record, rate, most=quota_of(rate).limit)
            record = attrs.evolve(record, rate=rate)
        if rejected and not cancelled:
            check_not_cancelled(record)
        left_out = await self.journal.cancelling.restore(record) if cancelled else 0
        return await self._run(
            record, self._settings, rejected=rejected, restart=restart, left_out=left_out
        )

    @checked
    async def follow(self, name: str, seconds: float) -> Job:
        """Ask for so long what became of the job's messages; sends nothing.

        Raises as ``resume`` does, and Unsupported for a provider that can't be asked.
        """
        settings = attrs.evolve(self._settings, track=seconds)
        record = await self._known(name)
        self._check_track(settings)
        return await self._run(record, settings, sends=False)

    @checked
    async def recall(self, name: str) -> RecallResult:
        """Ask the provider to take back what it has accepted of a job and not delivered yet.

        Unsupported if it can't. What it refuses, since it is too late, is in the result.
        """
        record = await self._known(name)
        message = Message.from_json(msgspec.json.decode(record.message))
        dispatch = self._provider.dispatch(attrs.evolve(message, send_at=None), record.columns)
        return await recall(self.journal, dispatch, record)

    @checked
    async def report(self, name: str) -> Report:
        """The report of a job, at any moment of its life."""
        return await make_report(self.journal, name)

    def _check_track(self, settings: EngineSettings) -> None:
        if settings.track and not self._provider.can_poll:
            raise Unsupported(
                f"{self._provider.name} can't be asked for the status of messages: leave out the "
                "tracking; its callbacks report it"
            )

    async def _known(self, name: str) -> JobRecord:
        record = await self.journal.jobs.get(name)
        self._check_own(record)
        return record

    def _check_own(self, record: JobRecord) -> None:
        if record.provider != self._provider.name:
            raise InvalidArgument(
                f"the job {record.name} was started with {record.provider}, "
                f"not {self._provider.name}"
            )
        if record.account != self._provider.account:
            raise InvalidArgument(
                f"the job {record.name} was started with another account of {record.provider}; if "
                "the credential was only renewed, give the account: "
                + remedy(f"account={record.account!r}", f"--account {shlex.quote(record.account)}")
            )

    async def _has_ended(self, record: JobRecord) -> bool:
        """Whether the provider need not be asked for anything more."""
        if self._settings.track:
            return False
        counts, unreconciled, _ = await self.journal.reports.progress(record)
        return not (counts.unsent or counts.in_doubt or unreconciled)

    def _quotas(self, rate: str | None) -> Mapping[str, Quota]:
        """The account's, and that of the job's rate."""
        if rate is None:
            return self._given.quotas
        return {**self._given.quotas, RECIPIENTS: quota_of(rate)}

    def _permits(self, rate: str | None = None) -> LedgerPermits | None:
        """Those of the account, in the journal; None without quotas."""
        quotas = self._quotas(rate)
        if not quotas:
            return None
        account = Account(self._given.name, self._given.account, quotas)
        return self.journal.permits_of(account, self._clock)

    def _bound(self, permits: LedgerPermits | None) -> Provider:
        return self._given.with_permits(permits) if self._given.quotas else self._given

    async def _run(
        self,
        record: JobRecord,
        settings: EngineSettings,
        *,
        prepared: bool = False,
        rejected: bool = False,
        sends: bool = True,
        last: bool = True,
        restart: bool = True,
        left_out: int = 0,
    ) -> Job:
        planner = record if record.worker else None
        try:
            message = Message.from_json(msgspec.json.decode(record.message))
            given = attrs.evolve(message, send_at=None) if settings.ignore_send_at else message
            permits = self._permits(record.rate)
            dispatch = self._bound(permits).dispatch(given, record.columns)
            if not (prepared or (sends and not rejected and await self._has_ended(record))):
                await dispatch.prepare()
            record = await self.journal.workers.join(record, sends=sends, restart=restart)
        except BaseException:
            await self._leave(planner)
            raise

        def engine_of(record: JobRecord) -> Engine:
            return Engine(
                self.journal,
                dispatch,
                record,
                send_at=message.send_at,
                settings=settings,
                sends=sends,
                last=last,
                tell=self._tell,
                clock=self._clock,
                rng=self._rng,
                permits=permits,
            )

        quotas = self._quotas(record.rate)

        async def lasts(chunks: Sequence[int]) -> float:
            if permits is None:
                return 0.0
            last = steps_of(chunks, dispatch.stages[-1:], dispatch.limits, last=[RECIPIENTS])
            return duration(last, quotas, await permits.used()).seconds

        try:
            await self._leave(planner)
            if rejected:
                left_out += (await self.journal.resolving.again(record, Chosen())).elsewhere
            elif sends and settings.trust_refusals:
                await self.journal.jobs.believe(record)
            job = Job(
                self.journal,
                record,
                engine_of,
                self._clock,
                sends=sends,
                lasts=lasts,
                tracks=bool(settings.track),
                left_out=left_out,
            )
        except BaseException:
            await self._leave(record)
            raise
        self._jobs = [*(one for one in self._jobs if not one.is_over), job]
        self._tasks.create_task(job.run(), name=f"mailkit {record.name}")
        return job

    async def _leave(self, record: JobRecord | None) -> None:
        if record is not None:
            await shielded(self.journal.workers.leave(record))
