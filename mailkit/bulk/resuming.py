"""Finding the job that a repeated command means, such as one that cron runs."""

from __future__ import annotations

import attrs
import msgspec

from mailkit.bulk.journal import JobRecord, Journal
from mailkit.bulk.journal.names import may_have_been_sent, was_cut_off
from mailkit.bulk.plan import content_of, fingerprint_of
from mailkit.bulk.source import RecipientSource
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Provider
from mailkit.errors import InvalidArgument, JobExists
from mailkit.message import Message
from mailkit.remedies import remedy

__all__ = ["check_not_cancelled", "check_same", "find_planned", "find_same"]

LOOK_SECONDS = 0.5


async def find_planned(journal: Journal, name: str, *, clock: Clock) -> JobRecord | None:
    """The job of this name, or None. Waits while another process plans it."""
    while True:
        try:
            return await journal.jobs.planned(name)
        except JobExists:  # as soon as it is planned, this process can join in
            await clock.sleep(LOOK_SECONDS)


async def check_same(
    job: JobRecord,
    provider: Provider,
    message: Message,
    recipients: RecipientSource,
    *,
    clock: Clock,
) -> None:
    """JobExists, which says what differs, if the job is of another message or list."""
    if was_cut_off(job):
        raise may_have_been_sent(job)
    if differing := _differing(job, message):
        raise JobExists(
            f"the job {job.name} has a different message ({', '.join(differing)}): use another "
            "name for this one",
            name=job.name,
        )
    if job.fingerprint != await fingerprint_of(provider, message, recipients, clock):
        raise JobExists(
            f"the job {job.name} has a different list than {recipients.shown}: use another name "
            "for this one",
            name=job.name,
        )


async def find_same(
    journal: Journal,
    provider: Provider,
    message: Message,
    recipients: RecipientSource,
    *,
    clock: Clock,
) -> JobRecord | None:
    """The job of this message and list, whatever its name; None if there is none, or if finding
    out would use up a list that can be read only once.
    """
    passed = message.send_at is not None and message.send_at.timestamp() <= clock.now()
    if recipients.once and not passed:
        return None
    if not await journal.jobs.any_of(content_of(message)):
        return None
    return await journal.jobs.same(await fingerprint_of(provider, message, recipients, clock))


def check_not_cancelled(job: JobRecord) -> None:
    """InvalidArgument if a person cancelled the job: repeating the command does not undo that."""
    if job.cancelled is not None:
        raise InvalidArgument(
            f"the job {job.name} was cancelled: nothing more of it is sent unless it is "
            "resumed with " + remedy("cancelled=True", "--cancelled")
        )


def _differing(job: JobRecord, message: Message) -> list[str]:
    """The parts of the message that differ from the job's."""
    known = Message.from_json(msgspec.json.decode(job.message))
    if known.fingerprint() == message.fingerprint():
        return []
    words = [field.name for field in attrs.fields(Message)]
    return [word for word in words if getattr(known, word) != getattr(message, word)]
