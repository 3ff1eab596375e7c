"""The plan phase: the list is read once into the journal, checked, and cut. It sends nothing.

Every row that is read gets its place there, also one that can't be mailed: with its line and the
reason. Killed half-way, the job is forgotten and planned again.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import anyio
import attrs
import msgspec

from mailkit.bulk.columns import columns_of, link_of
from mailkit.bulk.journal import (
    InvalidRecord,
    JobRecord,
    Journal,
    Overtaken,
    PlannedRow,
    Twin,
    WhenPlanned,
)
from mailkit.bulk.list_rows import ListRows
from mailkit.bulk.rate import quota_of
from mailkit.bulk.source import RecipientSource, Row, SuppressionSource
from mailkit.bulk.suppression_list import unwanted
from mailkit.core.batch import Batch
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Dispatch, Provider
from mailkit.core.quota import Quota
from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.template import Template
from mailkit.text import header_text

__all__ = [
    "Draft",
    "JobSpec",
    "check_name",
    "content_of",
    "drafted",
    "fingerprint_of",
    "plan",
    "suppress_for",
]

ROWS_AT_ONCE = 1_000  # that are looked at before the rest of the program has its turn
LONGEST_NAME = 200
_encode = msgspec.json.Encoder().encode


@attrs.frozen
class JobSpec:
    """What a job is to be; the arguments of ``BulkSender.start``."""

    message: Message
    recipients: RecipientSource
    name: str | None = None
    again: bool = False
    suppress: SuppressionSource | None = None
    rate: str | None = None

    @property
    def quota(self) -> Quota | None:
        """That of the rate; InvalidArgument if it is not one."""
        return None if self.rate is None else quota_of(self.rate)


async def plan(
    journal: Journal,
    provider: Provider,
    spec: JobSpec,
    *,
    clock: Clock = Clock(),
    resumable: bool = False,
    then: WhenPlanned | None = None,
) -> JobRecord:
    """Read the list into a new job and cut it into chunks; gives the job, with its planner.

    Raises what ``BulkSender.start`` says; then the journal holds nothing of the job.
    """
    async with drafted(journal, provider, spec, clock=clock, resumable=resumable) as draft:
        return await draft.finish(await draft.cut(), then)


@attrs.frozen
class Draft:
    """A job that was read, and is not planned yet: no other job knows of it."""

    job: JobRecord
    journal: Journal
    dispatch: Dispatch
    columns: Sequence[str]
    fingerprint: bytes
    spec: JobSpec

    async def cut(self) -> Sequence[Twin] | None:
        """Leave out whom other jobs have, and cut the rest into chunks; gives the jobs that were
        asked. It may be done again.
        """
        planning, limits = self.journal.planning, self.dispatch.limits
        seen = None if self.spec.again else await planning.mark_elsewhere(self.job)
        size = limits.size - limits.base if limits.part_rows is None else None
        rows = limits.rows
        if (quota := self.spec.quota) is not None:
            rows = min(rows, quota.limit)
        await planning.cut(self.job, rows=rows, size=size)
        return seen

    async def finish(
        self,
        seen: Sequence[Twin] | None,
        then: WhenPlanned | None = None,
    ) -> JobRecord:
        """The job is planned from here on; ``seen`` is what the cut gave. What comes ``then`` is
        part of the same transaction.
        """
        while True:
            try:
                return await self.journal.jobs.finish_planning(
                    self.job,
                    columns=self.columns,
                    fingerprint=self.fingerprint,
                    name=self.spec.name,
                    stem=_stem(self.spec.recipients.name),
                    again=self.spec.again,
                    seen=seen,
                    then=then,
                )
            except Overtaken:  # by a job that was planned meanwhile
                seen = await self.cut()

    async def forget(self) -> None:
        """The journal holds nothing of it any more."""
        await _forget(self.journal, self.job)


@contextlib.asynccontextmanager
async def drafted(
    journal: Journal,
    provider: Provider,
    spec: JobSpec,
    *,
    clock: Clock,
    resumable: bool = False,
) -> AsyncIterator[Draft]:
    """Read the list into a new job, which is forgotten if the block raises anything. With
    ``resumable``, a job of the same message and list is one to be resumed, a cancelled one too.
    """
    message, recipients = spec.message, spec.recipients
    check_name(spec.name)
    if message.send_at is not None and message.send_at.timestamp() <= clock.now():
        raise InvalidArgument(
            f"send_at ({message.send_at.isoformat()}) has passed: remove it to send immediately"
        )
    _ = spec.quota  # it is checked before the list is read
    template = Template.parse(message)
    columns = await columns_of(recipients, template, link_of(provider, template))
    dispatch = provider.dispatch(message, columns.names)
    await dispatch.prepare()
    await journal.jobs.sweep()
    job = await journal.jobs.create(
        spec.name,
        provider.name,
        provider.account,
        _encode(message.to_json()).decode(),
        again=spec.again,
        now=clock.now(),
        content=content_of(message),
        rate=spec.rate,
    )
    try:
        if spec.suppress is not None:
            await suppress_for(journal, job, spec.suppress, clock)
        rows = ListRows(job.ids[0], columns, dispatch)
        async for batch in recipients.batches(journal.planning.rows_a_commit):
            await journal.planning.add(job, *await _planned(rows, batch, clock))
            await clock.sleep(0.001)  # other processes on the journal get their turn
        rows.check()
        fingerprint = rows.fingerprint(message)
        if not spec.again:
            await journal.jobs.refuse_twin(fingerprint, ended=resumable)
        await journal.planning.mark_duplicates(job)
        await journal.planning.mark_suppressed(job)
        yield Draft(job, journal, dispatch, columns.names, fingerprint, spec)
    except BaseException:
        await _forget(journal, job)
        raise


async def _planned(
    rows: ListRows, batch: Batch[Row], clock: Clock
) -> tuple[Batch[PlannedRow], list[InvalidRecord]]:
    planned, invalid = rows.planned(batch[:ROWS_AT_ONCE])
    for first in range(ROWS_AT_ONCE, len(batch), ROWS_AT_ONCE):
        await clock.sleep(0)
        more, wrong = rows.planned(batch[first : first + ROWS_AT_ONCE])
        planned += more
        invalid += wrong
    return planned, invalid


def check_name(name: str | None) -> None:
    """A job's name goes to the provider with every chunk, and stands in commands."""
    header_text(name or "", "the job's name")
    if name and len(name) > LONGEST_NAME:
        raise InvalidArgument(
            f"the job's name has {len(name):,} characters: shorten it to {LONGEST_NAME}"
        )
    if name is not None and (name.startswith("-") or not name.strip()):
        raise InvalidArgument(f"the job's name can't be {name!r}: start it with a letter or digit")


def _stem(source: str) -> str:
    """The beginning of a default name; no hyphen, which a command would take for an option."""
    return re.sub(r"[^\w.-]+", "-", source)[:40].lstrip("-") or "list"


async def fingerprint_of(
    provider: Provider, message: Message, recipients: RecipientSource, clock: Clock
) -> bytes:
    """What a job of this message and list has as its fingerprint; nothing is written."""
    template = Template.parse(message)
    columns = await columns_of(recipients, template, link_of(provider, template))
    rows = ListRows(
        0, columns, provider.dispatch(attrs.evolve(message, send_at=None), columns.names)
    )
    async for batch in recipients.batches(ROWS_AT_ONCE):
        rows.planned(batch)
        await clock.sleep(0)
    return rows.fingerprint(message)


def content_of(message: Message) -> bytes:
    """What makes a message this one: all that is sent, not when, and not how it is tracked."""
    return attrs.evolve(message, send_at=None, track_opens=None, track_clicks=None).fingerprint()


async def suppress_for(
    journal: Journal, job: JobRecord, source: RecipientSource, clock: Clock
) -> None:
    """Have the job leave out the people of this list."""
    async with aclosing(unwanted(source)) as batches:
        async for people in batches:
            await journal.planning.suppress(job, [one.key for one in people], clock.now())


async def _forget(journal: Journal, job: JobRecord) -> None:
    with anyio.CancelScope(shield=True):
        await journal.jobs.forget(job)
