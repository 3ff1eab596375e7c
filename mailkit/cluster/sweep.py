"""What dead workers had begun in Procrastinate's queues, which never forgets it by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

__all__ = ["STALLED_SECONDS", "fail_stalled"]

STALLED_SECONDS = 30.0
"""A worker that has not been heard of for so long counts as dead."""


async def fail_stalled(manager: JobManager, tasks: Sequence[str]) -> list[Job]:
    """Note that orders for these tasks failed whose workers are dead; gives them."""
    found: list[Job] = []
    for task in tasks:
        for job in await manager.get_stalled_jobs(
            task_name=task, seconds_since_heartbeat=STALLED_SECONDS
        ):
            with contextlib.suppress(ConnectorException):  # another worker was quicker
                await manager.finish_job(job, status=Status.FAILED, delete_job=False)
                found.append(job)
    return found
