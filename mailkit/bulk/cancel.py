"""Cancelling a job: nothing more of it is sent, and what was sent is taken back if it can be."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from mailkit.bulk.journal import ChunkState, JobRecord, Journal
from mailkit.bulk.report import Report, make_report
from mailkit.core.arguments import checked
from mailkit.core.checks import check_number
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Dispatch
from mailkit.errors import AuthenticationFailed, MailkitError, Refused, Unsupported

__all__ = ["RecallResult", "cancel", "recall"]

LOOK_SECONDS = 0.2


@checked
async def cancel(
    journal: Journal, name: str, *, max_wait: float = 60.0, clock: Clock = Clock()
) -> Report:
    """Send nothing of the job any more, whoever is sending it at the moment.

    They end the requests that are under way, and stop; waits at most ``max_wait`` seconds for that,
    and returns the report. A job of which nothing is unsent by then, nor in doubt, is not
    cancelled: its statuses are looked for as before. What is in doubt and turns out not to be sent
    stays unsent. InvalidArgument if there is no such job.
    """
    check_number(max_wait, "max_wait", least=0)
    record = await journal.jobs.get(name)
    if await journal.cancelling.cancel(record, clock.now()):
        give_up = clock.monotonic() + max_wait
        while await journal.cancelling.is_under_way(record) and clock.monotonic() < give_up:
            await clock.sleep(LOOK_SECONDS)
    return await make_report(journal, name)


@attrs.frozen
class RecallResult:
    """How many chunks the provider took back, and why not the others, by their number; what is
    ``unknown`` may be taken back or not.
    """

    recalled: int = 0
    refused: Mapping[int, str] = attrs.field(factory=dict[int, str])
    unknown: Mapping[int, str] = attrs.field(factory=dict[int, str])


async def recall(journal: Journal, dispatch: Dispatch, job: JobRecord) -> RecallResult:
    """Have the provider take back each chunk that it has accepted."""
    recalled = 0
    refused: dict[int, str] = {}
    unknown: dict[int, str] = {}
    for chunk in await journal.reports.chunks(job, ChunkState.ACCEPTED):
        try:
            await dispatch.recall(chunk.reference)
        except (Unsupported, AuthenticationFailed):
            raise
        except Refused as error:
            refused[chunk.n] = error.text
        except MailkitError as error:
            unknown[chunk.n] = str(error)
        else:
            recalled += 1
    return RecallResult(recalled, refused, unknown)
