"""The queues of Procrastinate, in the journal's own database, and how work gets into them.

Its functions name their tables without a schema: these are where the connection's ``search_path``
leads, as are the journal's own.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.schema import SchemaManager
from procrastinate.types import JSONValue

from mailkit.bulk.journal import JobRecord, JobState
from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.postgres.dressing import Dressed
from mailkit.bulk.journal.postgres.opening import is_direct, shown
from mailkit.errors import JobExists, JournalError

__all__ = [
    "NAMESPACE",
    "SWEEP_QUEUE",
    "is_ordered",
    "make_app",
    "make_tables",
    "plan_lock",
    "put_plan",
    "put_send",
    "put_send_of_new",
    "queue_of",
    "send_lock",
    "track_lock",
]

NAMESPACE = "mailkit"
"""That of mailkit's tasks."""
SWEEP_QUEUE = "mailkit"
"""What any worker does, whatever its accounts."""
CONNECT_SECONDS = 10
_MAKING = 0x6D61696D
"""The lock of whoever makes Procrastinate's tables."""
_NAMING = 0x6D616A
"""With a name's digest, the lock of whoever gives that name to a job of the workers."""
_IS_ORDERED = """
SELECT 1 FROM procrastinate_jobs
WHERE task_name = 'mailkit:plan' AND status IN ('todo', 'doing') AND args->>'job' = %s LIMIT 1
"""
_IS_PLANNED = "SELECT 1 FROM jobs WHERE name = %s AND state = %s"
_DROP_FAILED = """
DELETE FROM procrastinate_jobs
WHERE task_name = 'mailkit:plan' AND status = 'failed' AND args->>'job' = %s
"""

logging.getLogger("procrastinate").addHandler(logging.NullHandler())


def queue_of(provider: str, account: str) -> str:
    """The queue of an account's jobs. PostgreSQL's channels, which bear these names, have 63 bytes
    at most.
    """
    digest = sha256(f"{provider}\0{account}".encode()).hexdigest()
    return f"mailkit/{provider[:16]}/{digest[:12]}"


def send_lock(job: str) -> str:
    """No more than one order to send the job waits in its queue."""
    return f"mailkit/send/{job}"


def track_lock(job: str) -> str:
    """The same of the order to follow it."""
    return f"mailkit/track/{job}"


def plan_lock(job: str) -> str:
    """The same of the order to plan it."""
    return f"mailkit/plan/{job}"


def make_app(address: str) -> App:
    """Procrastinate for the journal at this address."""
    return App(
        connector=PsycopgConnector(
            conninfo=address,
            # Behind a pooler, statements can't be prepared.
            kwargs={
                "prepare_threshold": None,
                "connect_timeout": CONNECT_SECONDS,
                "application_name": "mailkit worker",
            },
            min_size=1,
            max_size=4,
            timeout=CONNECT_SECONDS,
            name="mailkit-worker",
        )
    )


def make_tables(address: str) -> bool:
    """Make Procrastinate's tables, unless they are there; whether the server itself answers, and no
    pooler, through which no notification comes. JournalError says why that can't be.
    """
    try:
        with (
            psycopg.connect(address, autocommit=True, connect_timeout=CONNECT_SECONDS) as db,
            db.transaction(),
        ):
            db.execute("SELECT pg_advisory_xact_lock(%s)", [_MAKING])
            found = db.execute("SELECT to_regclass('procrastinate_jobs') IS NULL").fetchone()
            if found is not None and found[0]:
                db.execute(SchemaManager.get_schema())
            return is_direct(db)
    except psycopg.Error as error:
        raise JournalError(
            f"the workers' tables can't be created in {shown(address)}: "
            f"{' '.join(str(error).split())}"
        ) from error


def put_send(db: Connection, job: JobRecord, *, track: float = 0.0) -> None:
    """Inside an operation on the journal: have a worker send the job. It takes effect with the
    operation's commit. One order to send it is enough.
    """
    assert isinstance(db, Dressed)  # noqa: S101 - the caller checked that it is PostgreSQL
    app = App(connector=SyncPsycopgConnector())  # it uses no connection of its own
    order = app.configure_task(
        f"{NAMESPACE}:send",
        queue=queue_of(job.provider, job.account),
        queueing_lock=send_lock(job.name),
        connection=db.connection,
    )
    with contextlib.suppress(AlreadyEnqueued), db.connection.transaction():
        order.defer(job=job.name, track=track)


def put_send_of_new(db: Connection, job: JobRecord, *, track: float = 0.0) -> None:
    """The same of a job that this operation makes planned. JobExists if a worker is to plan one of
    its name.
    """
    assert isinstance(db, Dressed)  # noqa: S101 - the caller checked that it is PostgreSQL
    _hold_name(db.connection, job.name)
    put_send(db, job, track=track)


def _hold_name(db: psycopg.Connection[Any], job: str) -> None:
    """Until the transaction ends, nobody else gives this name to a job that the workers are to
    have. JobExists if a worker is to plan one.
    """
    digest = int.from_bytes(sha256(job.encode()).digest()[:4], signed=True)
    db.execute("SELECT pg_advisory_xact_lock(CAST(%s AS int), CAST(%s AS int))", [_NAMING, digest])
    if db.execute(_IS_ORDERED, [job]).fetchone() is not None:
        raise is_ordered(job)


def is_ordered(job: str) -> JobExists:
    """A worker is to plan a job of this name."""
    return JobExists(f"the job {job} is already waiting to be planned", name=job)


def put_plan(address: str, account: tuple[str, str], values: Mapping[str, JSONValue]) -> None:
    """Have a worker of the account plan a job; an order of this name that has failed is dropped.
    JobExists if that is ordered already, or if the journal has such a job.
    """
    job = str(values["job"])
    app = App(connector=SyncPsycopgConnector())  # it uses no connection of its own
    try:
        with psycopg.connect(address, connect_timeout=CONNECT_SECONDS) as db:
            _hold_name(db, job)
            # After the orders: one that was carried out meanwhile has left its job in the journal.
            if db.execute(_IS_PLANNED, [job, str(JobState.PLANNED)]).fetchone() is not None:
                raise JobExists(f"the job {job} already exists", name=job)
            db.execute(_DROP_FAILED, [job])
            order = app.configure_task(
                f"{NAMESPACE}:plan",
                queue=queue_of(*account),
                queueing_lock=plan_lock(job),
                connection=db,
            )
            order.defer(**values)
    except AlreadyEnqueued:
        raise is_ordered(job) from None
    except psycopg.Error as error:
        raise JournalError(
            f"the order can't be written to {shown(address)}: {' '.join(str(error).split())}"
        ) from error
