"""Leaving a job to the workers."""

from __future__ import annotations

from functools import partial

import anyio.to_thread

from mailkit.bulk.journal import Journal, check_shared
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import RecipientSource, SuppressionSource
from mailkit.cluster.queue import make_tables, put_send
from mailkit.message import Message

__all__ = ["detach", "restart"]


async def restart(address: str, journal: Journal, job: str) -> None:
    """Have the workers go on with a job that was stopped, and whose reason is fixed by now.

    ``address`` is that of the journal's database, ``journal`` is the same one, open.
    InvalidArgument if there is no such job, if it was cancelled, or for a journal in a file.
    """
    check_shared(address)
    await anyio.to_thread.run_sync(make_tables, address)
    await journal.jobs.restart(await journal.jobs.get(job), put_send)


async def detach(
    address: str,
    sender: BulkSender,
    message: Message,
    recipients: RecipientSource,
    *,
    name: str | None = None,
    again: bool = False,
    suppress: SuppressionSource | None = None,
    rate: str | None = None,
    track: float = 0.0,
) -> str:
    """Plan a job here, as ``sender.start`` does, and leave it to the workers; returns its name.

    ``address`` is that of the sender's journal. The list is read in this process, since it has the
    file; the order for the workers is committed with the plan, so that neither is there without
    the other. Afterwards deliveries are followed for ``track`` seconds. Raises what
    ``sender.start`` does, and InvalidArgument for a journal in a file.
    """
    check_shared(address)
    await anyio.to_thread.run_sync(make_tables, address)
    return await sender.detach(
        message,
        recipients,
        name=name,
        again=again,
        suppress=suppress,
        rate=rate,
        then=partial(put_send, track=track),
    )
