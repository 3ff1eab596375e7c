"""What dead workers had begun in Procrastinate's queues, which never forgets it by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence

from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

__all__ = ["STALLED_SECONDS", "replace_stalled"]

STALLED_SECONDS = 30.0
"""A worker that has not been heard of for so long counts as dead."""


async def replace_stalled(
    manager: JobManager, tasks: Sequence[str], replace: Callable[[Job], Awaitable[object]]
) -> None:
    """``replace`` orders for these tasks whose workers are dead, and then delete them: there is one
    at any time.
    """
    for task in tasks:
        for job in await manager.get_stalled_jobs(
            task_name=task, seconds_since_heartbeat=STALLED_SECONDS
        ):
            await replace(job)
            with contextlib.suppress(ConnectorException):  # another worker was quicker
                await manager.finish_job(job, status=Status.FAILED, delete_job=True)
