"""The tasks that Procrastinate runs: to plan a job, to send it, to follow it, and to sweep.

Only the journal knows what is to be sent, and who sends it. A task may run anywhere, any number of
times: it finds something to do there, or nothing. So none is ever retried.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from msgspec import convert
from msgspec.structs import asdict
from procrastinate import Blueprint, JobContext
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job as ProcrastinateJob
from procrastinate.jobs import JobDeferrer
from procrastinate.types import JSONValue

from mailkit.bulk.journal import JobRecord, JobState, Journal, check_shared
from mailkit.bulk.journal.wanted import CANCELLED
from mailkit.bulk.settings import EngineSettings
from mailkit.cluster.queue import (
    SWEEP_QUEUE,
    plan_lock,
    put_send,
    queue_of,
    send_lock,
    track_lock,
)
from mailkit.cluster.runs import PlanOrder, Runs
from mailkit.cluster.sweep import replace_stalled
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Provider
from mailkit.errors import MailkitError
from mailkit.events import JobHook

__all__ = ["LONGEST_WAIT", "Tasks", "blueprint"]

SWEEP = "* * * * *"
"""When a worker looks for jobs that nobody works on: each minute."""
LONGEST_WAIT = 366 * 86_400.0
"""A worker waits as long as a provider asks for."""
PLANNED_SECONDS = 10.0
"""After so many seconds a worker looks again whether who plans a job has ended."""
_AGAIN = 1.0, 3.0
"""After so many seconds another worker may take what this one has already."""
_clock = Clock()


def blueprint(
    journal: Journal,
    providers: Sequence[Provider],
    *,
    settings: EngineSettings = EngineSettings(max_wait=LONGEST_WAIT),
    hooks: Sequence[JobHook] = (),
) -> Blueprint:
    """mailkit's tasks for a Procrastinate of your own, in the database of the journal.

    Add them to your App, under this namespace: ``app.add_tasks_from(blueprint(journal, [smsby]),
    namespace="mailkit")``. Its workers send the jobs of the providers' accounts; have them take
    the queues ``mailkit.cluster.queues(providers)``, and delete what succeeded. A worker that ends
    lets requests under way end first: leave it 60 seconds. The journal and the clients stay open
    as long as the workers run. InvalidArgument for a journal in a file.
    """
    check_shared(journal.place)
    return Tasks(journal, Runs(journal, providers, settings, hooks)).blueprint


class Tasks:
    """The tasks of one process. A worker that goes on after its connections were lost ``keeps``
    what it has under way.
    """

    def __init__(self, journal: Journal, runs: Runs, *, keeps: bool = False) -> None:
        self._journal = journal
        self._runs = runs
        self._keeps = keeps
        self.blueprint = Blueprint()
        task = self.blueprint.task
        self._plan = task(name="plan", retry=False)(self.plan)
        self._send = task(name="send", retry=False)(self.send)
        self._track = task(name="track", retry=False)(self.track)
        self._sweep = task(
            name="sweep",
            retry=False,
            queue=SWEEP_QUEUE,
            queueing_lock=f"{SWEEP_QUEUE}/sweep",
            pass_context=True,
        )(self.sweep)
        self.blueprint.periodic(cron=SWEEP)(self._sweep)

    async def plan(self, job: str, **order: Any) -> None:
        """Read a job's list, and have it sent; see `mailkit.cluster.plan`. Nothing is done once it
        is planned.
        """
        wanted = convert({"job": job, **order}, PlanOrder)
        if self._runs.leaving:
            await self._put_plan(wanted)
            return
        then = partial(put_send, track=wanted.track)
        try:
            if not await self._runs.plan(wanted, then, keep=self._keeps):
                await self._put_plan(wanted, wait=PLANNED_SECONDS)
        except asyncio.CancelledError:  # this worker ends
            await asyncio.shield(self._put_plan(wanted))
            raise

    async def send(self, job: str, track: float = 0.0) -> None:
        """Send the job, together with all who do, until nothing is left, or until it is stopped.

        Afterwards its deliveries are followed for ``track`` seconds.
        """
        record = await self._record(job)
        if record is None or record.stopped is not None:
            return
        for_others = await self._is_for_others(record)
        planned = await self._journal.chunks.planned(record)
        nothing_left = not planned and bool(await self._journal.workers.living(record))
        if self._runs.leaving or self._runs.at_work(job) or for_others:  # nothing waits from here
            await self._hand_on(record, track)
            return
        if nothing_left:
            return  # the others do the rest

        async def invite() -> None:
            """There is one order at a time, until all workers with a place free have joined."""
            if await self._journal.chunks.planned(record) > self._runs.concurrency:
                await self._put_send(record, track)

        try:
            is_over = await self._runs.send(record, invite, keep=self._keeps)
        except MailkitError:
            if await self._is_for_others(record):
                await self._hand_on(record, track)
            raise
        if not is_over:
            await self._put_send(record, track)
        elif track and await self._has_ended(record):
            await self._put_track(record, _clock.now() + track)

    async def _is_for_others(self, record: JobRecord) -> bool:
        """Whether this process stays away from the job, as long as others send it."""
        if not self._runs.stays_away(record.name):
            return False
        return bool(await self._journal.workers.living(record, sends=True))

    async def _hand_on(self, record: JobRecord, track: float) -> None:
        """Others may still join, as long as there is something to send."""
        if await self._journal.chunks.planned(record):
            await self._put_send(record, track, wait=random.uniform(*_AGAIN))  # noqa: S311

    async def track(self, job: str, until: float) -> None:
        """Follow the job's deliveries until then, in seconds since 1970."""
        record, seconds = await self._record(job), until - _clock.now()
        if record is None or seconds <= 0:
            return
        if self._runs.leaving or not await self._runs.follow(record, seconds, keep=self._keeps):
            await self._put_track(record, until)

    async def sweep(self, context: JobContext, timestamp: int) -> None:
        """Have somebody work on each job that nobody works on, and on what dead workers had."""
        for record in await self._journal.workers.unattended(_clock.now()):
            await self._put_send(record, 0.0)
        names = [self._plan.name, self._send.name, self._track.name, self._sweep.name]
        await replace_stalled(context.app.job_manager, names, self._replace)

    async def _replace(self, stalled: ProcrastinateJob) -> None:
        """Have another worker do what a dead one had begun."""
        values = stalled.task_kwargs
        if stalled.task_name == self._plan.name:
            await self._put_plan(convert(values, PlanOrder))
            return
        lost = await self._record(str(values.get("job")))
        match stalled.task_name, values.get("track"), values.get("until"):
            case self._send.name, int() | float() as track, _ if lost is not None:
                await self._put_send(lost, track)
            case self._track.name, _, int() | float() as until if lost is not None:
                await self._put_track(lost, until)
            case _:
                pass

    async def put_sweep(self) -> None:
        """Have a worker sweep now."""
        await _put(self._sweep.configure(), timestamp=0)

    async def _record(self, job: str) -> JobRecord | None:
        """The job, if it is there to be worked on."""
        found = await self._journal.jobs.find(job)
        wanted = (
            found is not None and found.state is JobState.PLANNED and found.stopped != CANCELLED
        )
        return found if wanted else None

    async def _has_ended(self, record: JobRecord) -> bool:
        found = await self._record(record.name)
        return found is not None and found.stopped is None

    async def _put_plan(self, order: PlanOrder, *, wait: float = 0.0) -> None:
        place = self._plan.configure(
            queue=queue_of(order.provider, order.account),
            queueing_lock=plan_lock(order.job),
            schedule_at=_in(wait),
        )
        await _put(place, **asdict(order))

    async def _put_send(self, record: JobRecord, track: float, *, wait: float = 0.0) -> None:
        order = self._send.configure(
            queue=queue_of(record.provider, record.account),
            queueing_lock=send_lock(record.name),
            schedule_at=_in(wait),
        )
        await _put(order, job=record.name, track=track)

    async def _put_track(self, record: JobRecord, until: float) -> None:
        order = self._track.configure(
            queue=queue_of(record.provider, record.account),
            queueing_lock=track_lock(record.name),
        )
        await _put(order, job=record.name, until=until)


def _in(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(_clock.now() + seconds, UTC) if seconds else None


async def _put(order: JobDeferrer, **values: JSONValue) -> None:
    """Put the order into its queue, unless one like it waits there."""
    with contextlib.suppress(AlreadyEnqueued):
        await order.defer_async(**values)
