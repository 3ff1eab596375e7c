"""Orders to plan a job that no worker has carried out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Any

import anyio.to_thread
import attrs
import psycopg

from mailkit.bulk.journal import check_shared
from mailkit.bulk.journal.postgres.opening import shown
from mailkit.cluster.queue import CONNECT_SECONDS
from mailkit.errors import JournalError

__all__ = ["OrderState", "OrderToPlan", "drop_order", "orders_to_plan"]

_HAS_QUEUES = "SELECT has_table_privilege(to_regclass('procrastinate_jobs'), 'SELECT')"
_ORDERS = """
SELECT job, orders.provider, recipients, status, since, jobs.id IS NOT NULL
FROM (
    SELECT id, args->>'job' AS job, args->>'provider' AS provider,
        args->>'recipients' AS recipients, status::text AS status,
        (SELECT max(at) FROM procrastinate_events WHERE job_id = procrastinate_jobs.id) AS since
    FROM procrastinate_jobs
    WHERE task_name = 'mailkit:plan' AND status IN ('todo', 'doing', 'failed')
) AS orders LEFT JOIN jobs ON jobs.name = job AND jobs.state <> 'planning'
WHERE jobs.id IS NULL OR (status = 'failed' AND jobs.created < extract(epoch FROM since))
ORDER BY orders.id
"""
_DROP = """
DELETE FROM procrastinate_jobs
WHERE task_name = 'mailkit:plan' AND status IN ('todo', 'failed') AND args->>'job' = %s
"""


class OrderState(Enum):
    """Where an order is; the values are Procrastinate's."""

    WAITING = "todo"
    """No worker has taken it yet."""
    TAKEN = "doing"
    """A worker plans the job, or was killed while it did, and another is about to."""
    FAILED = "failed"
    """The job can't be planned: the log of the worker that tried says why."""


@attrs.frozen
class OrderToPlan:
    """An order of `plan`: the ``job`` that is to be planned, and from which file; ``since`` is when
    it came into its state. ``job_exists`` if the journal has another job of this name.
    """

    job: str
    provider: str
    recipients: str
    state: OrderState
    since: datetime
    job_exists: bool = False


async def orders_to_plan(address: str) -> list[OrderToPlan]:
    """The orders to plan that wait or have failed, the last one of each job, the oldest first. One
    that has failed is left out once a job of its name was planned otherwise.

    ``address`` is that of the journal's database. JournalError if it can't be read, InvalidArgument
    for a journal in a file.
    """
    check_shared(address)
    return await anyio.to_thread.run_sync(_orders, address)


async def drop_order(address: str, job: str) -> bool:
    """Drop the order to plan this job if it waits or has failed; whether there was such a one."""
    check_shared(address)
    return await anyio.to_thread.run_sync(_drop, address, job)


def _orders(address: str) -> list[OrderToPlan]:
    with _connected(address) as db:
        rows = db.execute(_ORDERS).fetchall() if _has_queues(db) else []
    orders = [
        OrderToPlan(job, provider, recipients, OrderState(state), since, job_exists)
        for job, provider, recipients, state, since, job_exists in rows
    ]
    return list({order.job: order for order in orders}.values())


def _drop(address: str, job: str) -> bool:
    with _connected(address) as db:
        return _has_queues(db) and db.execute(_DROP, [job]).rowcount > 0


def _has_queues(db: psycopg.Connection[Any]) -> bool:
    """Whether Procrastinate's tables are there, for this role as well."""
    found = db.execute(_HAS_QUEUES).fetchone()
    return found is not None and bool(found[0])


@contextlib.contextmanager
def _connected(address: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(
            address, autocommit=True, connect_timeout=CONNECT_SECONDS, prepare_threshold=None
        ) as db:
            yield db
    except psycopg.Error as error:
        raise JournalError(
            f"the orders can't be read in {shown(address)}: {' '.join(str(error).split())}"
        ) from error
