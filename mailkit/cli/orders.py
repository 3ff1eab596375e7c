"""What the commands say of jobs that a worker is to plan, and that are not in the journal yet."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mailkit.bulk.journal import default_place, is_address
from mailkit.cli.show import moment_of
from mailkit.extras import installed
from mailkit.text import plain

if TYPE_CHECKING:
    from mailkit.cluster import OrderToPlan

__all__ = ["drop", "failed", "find", "line", "waiting"]


async def waiting(journal: str | None) -> list[OrderToPlan]:
    """The orders to plan in the journal at this place: only a database has any, and only where
    workers are installed.
    """
    place = str(journal or default_place())
    if not (is_address(place) and installed("cluster")):
        return []
    from mailkit.cluster import orders_to_plan

    return await orders_to_plan(place)


async def find(journal: str | None, job: str) -> OrderToPlan | None:
    """The order to plan this job, if there is one."""
    return next((order for order in await waiting(journal) if order.job == job), None)


async def drop(journal: str | None, job: str) -> bool:
    """Drop the order to plan this job; whether there was one to drop."""
    if await find(journal, job) is None:
        return False
    from mailkit.cluster import drop_order

    return await drop_order(str(journal or default_place()), job)


def failed(order: OrderToPlan) -> bool:
    """Whether no worker will try again."""
    return order.state.name == "FAILED"


def line(order: OrderToPlan) -> str:
    """Where the order is."""
    job, since = plain(order.job), moment_of(order.since)
    if failed(order):
        if order.job_exists:
            return (
                f"{job}: a worker failed to plan another job of this name, {since}; its log says "
                "why. Order that one under another name; once the job itself has ended, "
                f"mailkit cancel {shlex.quote(job)} drops the order"
            )
        what_to_do = f"Order it again, or drop the order: mailkit cancel {shlex.quote(job)}"
        return f"{job}: a worker failed to plan it, {since}; its log says why. {what_to_do}"
    if order.state.name == "TAKEN":
        return f"{job}: a worker has been planning it since {since}"
    return f"{job}: has waited for a worker of {plain(order.provider)} to plan it since {since}"
