"""A worker: a process that takes orders out of the queues, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import anyio.to_thread
from procrastinate import App
from procrastinate.exceptions import AppNotOpen, ConnectorException
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from mailkit.bulk.journal import Journal, LeftBehind, check_shared
from mailkit.bulk.settings import EngineSettings
from mailkit.cluster.queue import (
    NAMESPACE,
    SWEEP_QUEUE,
    make_app,
    make_tables,
    queue_of,
)
from mailkit.cluster.runs import Runs
from mailkit.cluster.task import LONGEST_WAIT, Tasks
from mailkit.core.dispatch import Provider
from mailkit.errors import JournalError
from mailkit.events import JobHook

__all__ = ["Worker", "queues"]

POLL_SECONDS = 2.0
"""So often a worker looks for orders that it was not notified of."""
BEAT_SECONDS = 10.0
"""So often it tells Procrastinate that it is alive: see STALLED_SECONDS in sweep.py."""
GRACE_SECONDS = 60.0
"""So long requests under way may take, once the worker is to end."""
CLOSING_SECONDS = 10.0
"""So long the database may take then."""
AWAY_SECONDS = 2.0
_log = logging.getLogger("mailkit.worker")


def queues(providers: Sequence[Provider]) -> list[str]:
    """The queues of what a worker with these clients does."""
    return [SWEEP_QUEUE, *(queue_of(one.name, one.account) for one in providers)]


class Worker:
    """Sends jobs of the providers' accounts that are in a journal, together with other workers on
    any machine; ``mailkit worker`` runs one.

    ``address`` is that of the journal's database, ``journal`` is the same one, open. ``jobs`` are
    under way at once; ``settings`` and ``hooks`` are as for a BulkSender. InvalidArgument for a
    journal in a file.
    """

    def __init__(
        self,
        address: str,
        journal: Journal,
        providers: Sequence[Provider],
        *,
        jobs: int = 10,
        settings: EngineSettings = EngineSettings(max_wait=LONGEST_WAIT),
        hooks: Sequence[JobHook] = (),
    ) -> None:
        check_shared(address)
        self._address = address
        self._queues = queues(providers)
        self._jobs = jobs
        self._runs = Runs(journal, providers, settings, hooks)
        self._tasks = Tasks(journal, self._runs, keeps=True)
        self._ends = asyncio.Event()
        self._listens = True

    async def run(self) -> bool:
        """Work until `stop` is called; False if requests were still under way when it gave up: they
        are in doubt as soon as the process ends. JournalError if the database can't be used.
        """
        self._listens = await anyio.to_thread.run_sync(make_tables, self._address)
        app = make_app(self._address)
        app.add_tasks_from(self._tasks.blueprint, namespace=NAMESPACE)
        try:
            await app.open_async()
        except (OperationalError, PoolTimeout, ConnectorException) as error:
            raise JournalError(f"the journal's database can't be reached: {error}") from error
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(_hear)
        try:
            return await self._work(app)
        finally:
            with contextlib.suppress(TimeoutError, ConnectorException):
                await asyncio.wait_for(app.close_async(), CLOSING_SECONDS)
            loop.set_exception_handler(before)

    def stop(self) -> None:
        """Begin nothing more; `run` returns once requests under way have ended."""
        self._ends.set()

    def left_behind(self) -> LeftBehind | None:
        """What would be in doubt if the process ended at once; None: that can't be found out."""
        return self._runs.left_behind()

    async def _work(self, app: App) -> bool:
        taking = asyncio.create_task(self._take(app), name="mailkit worker")
        ends = asyncio.create_task(self._ends.wait())
        await asyncio.wait([taking, ends], return_when=asyncio.FIRST_COMPLETED)
        ends.cancel()
        ended = await self._runs.leave(GRACE_SECONDS)
        # What the runs have put back into the queues is written by their tasks, which end now.
        taking.cancel()
        await asyncio.wait([taking], timeout=CLOSING_SECONDS)
        if taking.done() and not taking.cancelled() and (error := taking.exception()):
            raise error
        return ended

    async def _take(self, app: App) -> None:
        """Take orders, also after the database was away: that ends Procrastinate's own worker."""
        told = False
        while True:
            try:
                await self._tasks.put_sweep()
                told = False
                await app.run_worker_async(
                    queues=self._queues,
                    concurrency=self._jobs,
                    name="mailkit",
                    fetch_job_polling_interval=POLL_SECONDS,
                    listen_notify=self._listens,
                    update_heartbeat_interval=BEAT_SECONDS,
                    shutdown_graceful_timeout=1.0,
                    delete_jobs="successful",
                    install_signal_handlers=False,
                )
            except AppNotOpen:
                return  # it took too long to end, and its queues are closed
            except (ConnectorException, OperationalError, PoolTimeout):
                if not told:
                    _log.warning("the journal's database can't be reached: trying again")
                told = True
            await asyncio.sleep(AWAY_SECONDS)


def _hear(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Procrastinate does not wait for the ends of its own tasks when the database is away."""
    if not isinstance(context.get("exception"), ConnectorException):
        loop.default_exception_handler(dict(context))
