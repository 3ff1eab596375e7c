"""Leaving a job to the workers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio.to_thread
from procrastinate.types import JSONValue

from mailkit.bulk.journal import Journal, check_shared
from mailkit.bulk.plan import check_name
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import RecipientSource, SuppressionSource
from mailkit.cluster.orders import OrderState, orders_to_plan
from mailkit.cluster.queue import (
    is_ordered,
    make_tables,
    put_plan,
    put_send,
    put_send_of_new,
)
from mailkit.core.dispatch import Provider
from mailkit.errors import InvalidArgument, JobExists
from mailkit.message import Message

__all__ = ["detach", "plan", "restart"]


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
    ``sender.start`` does, JobExists if a worker is to plan a job of this name, and InvalidArgument
    for a journal in a file.
    """
    check_shared(address)
    await anyio.to_thread.run_sync(make_tables, address)
    for order in await orders_to_plan(address):
        if order.job == name and order.state is not OrderState.FAILED:
            raise is_ordered(order.job)
    return await sender.detach(
        message,
        recipients,
        name=name,
        again=again,
        suppress=suppress,
        rate=rate,
        then=partial(put_send_of_new, track=track),
    )


async def plan(
    address: str,
    journal: Journal,
    provider: Provider,
    message: Message,
    recipients: str | Path,
    *,
    name: str,
    again: bool = False,
    suppress: str | Path | None = None,
    rate: str | None = None,
    track: float = 0.0,
) -> None:
    """Have a worker read the list and plan the job, which all of them send then: for a long list,
    in a process that has other things to do. ``address`` is that of the journal's database.

    ``recipients`` and ``suppress`` are files that each worker can read under this path, such as on
    a shared disk. Nobody else sees what is wrong with them: the worker's log tells, as the job's
    end, and the order stays in Procrastinate's tables as failed. InvalidArgument for a path that
    is not absolute, or a journal in a file; JobExists if there is a job of this name, or an order
    for one.
    """
    check_shared(address)
    check_name(name)
    files = {"recipients": recipients, "suppress": suppress}
    for what, file in files.items():
        if file is not None and not Path(file).is_absolute():
            raise InvalidArgument(
                f"{what}: {file} must be an absolute path, under which every worker finds the file"
            )
    if await journal.jobs.planned(name) is not None:
        raise JobExists(f"the job {name} already exists", name=name)
    values: dict[str, JSONValue] = {
        "job": name,
        "provider": provider.name,
        "account": provider.account,
        "message": message.to_json(),
        "recipients": str(recipients),
        "suppress": None if suppress is None else str(suppress),
        "again": again,
        "rate": rate,
        "track": track,
        "history": (await journal.jobs.histories())[-1],
    }
    await anyio.to_thread.run_sync(make_tables, address)
    account = provider.name, provider.account
    await anyio.to_thread.run_sync(put_plan, address, account, values)
