"""What a job would do, without doing it: whom it leaves out and why, what it sends, how many
requests that takes, what it costs, and how long it lasts at least.

The list is planned as a job is, by the same steps, and forgotten again. No other job ever sees it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import attrs
import msgspec

from mailkit.bulk.estimate import Duration, duration, steps_of
from mailkit.bulk.journal import RECIPIENTS, Counts, Failure, RowRecord, RowState
from mailkit.bulk.plan import Draft
from mailkit.bulk.reasons import ReasonGroup, Reasons
from mailkit.core.dispatch import Cost, Dispatch
from mailkit.core.quota import Quota
from mailkit.message import Message

__all__ = ["Plan", "Sample", "rehearse", "what_is_left"]

SAMPLES = 3


@attrs.frozen
class Sample:
    """A message as its recipient gets it, and the line it is made from."""

    line: int
    to: str
    subject: str
    html: str | None
    text: str | None


@attrs.frozen
class Plan:
    """What a job would do. ``left_out`` has the reasons by state, the most frequent first,
    ``samples`` the first messages, ``requests`` how many the ``chunks`` take at least, ``cost``
    what the service says of the money, ``duration`` the least time under the quotas.
    """

    provider: str
    subject: str
    counts: Counts
    left_out: Sequence[ReasonGroup]
    samples: Sequence[Sample]
    chunks: int
    requests: int
    cost: Cost | None
    duration: Duration

    def to_dict(self) -> dict[str, object]:
        """The same as plain values, ready for JSON."""
        counts = attrs.asdict(self.counts)
        states = (RowState.INVALID, RowState.DUPLICATE, RowState.SUPPRESSED)
        return {
            "provider": self.provider,
            "subject": self.subject,
            "rows": self.counts.read,
            **{state: counts[state] for state in states},
            "to_send": self.counts.to_send,
            "left_out": [group.to_dict() for group in self.left_out],
            "messages": [attrs.asdict(sample) for sample in self.samples],
            "chunks": self.chunks,
            "requests": self.requests,
            "cost": None if self.cost is None else attrs.asdict(self.cost),
            "duration": attrs.asdict(self.duration),
        }

    def to_json(self) -> str:
        """The same as one JSON object."""
        return msgspec.json.encode(self.to_dict()).decode()


async def rehearse(draft: Draft, message: Message, quotas: Mapping[str, Quota]) -> Plan:
    """What the draft, which is cut, would do."""
    journal, job, dispatch = draft.journal, draft.job, draft.dispatch
    counts = await journal.reports.counts(job)
    chunks = await journal.reports.chunk_rows(job)
    steps = list(steps_of(chunks, dispatch.stages, dispatch.limits, last=[RECIPIENTS]))
    if (quota := draft.spec.quota) is not None:
        quotas = {**quotas, RECIPIENTS: quota}
    first = journal.reports.rows(job, states=[RowState.UNSENT], most=SAMPLES)
    return Plan(
        provider=job.provider,
        subject=message.subject,
        counts=counts,
        left_out=await _left_out(journal.reports.excluded(job)),
        samples=[_sample(message, dispatch, row) async for rows in first for row in rows],
        chunks=len(chunks),
        requests=sum(step.times for step in steps),
        cost=await dispatch.cost(counts.to_send) if chunks else None,
        duration=duration(steps, quotas),
    )


def what_is_left(
    plan: Plan,
    chunks: Sequence[int],
    dispatch: Dispatch,
    quotas: Mapping[str, Quota],
    cost: Cost | None,
) -> Plan:
    """The plan of a job that is uploaded: only its chunks, of so many rows, are to be sent."""
    last = dispatch.stages[-1:]
    steps = list(steps_of(chunks, last, dispatch.limits, last=[RECIPIENTS]))
    requests = sum(step.times for step in steps)
    return attrs.evolve(
        plan,
        chunks=len(chunks),
        requests=requests,
        cost=cost,
        duration=duration(steps, quotas),
    )


def _sample(message: Message, dispatch: Dispatch, row: RowRecord) -> Sample:
    subject, body = dispatch.render(row.address, row.fields)
    is_html = message.html is not None
    return Sample(
        row.line, row.address, subject, body if is_html else None, None if is_html else body
    )


async def _left_out(found: AsyncIterator[Sequence[Failure]]) -> Sequence[ReasonGroup]:
    reasons = Reasons()
    async for rows in found:
        for row in rows:
            reasons.add(row)
    return [group for state in RowState for group in reasons.of(state)]
