"""Which processes work on a job, in sentences: when each was last heard from, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from mailkit.bulk.journal import Presence, WorkerInfo
from mailkit.bulk.reasons import first_of
from mailkit.bulk.report.summary import Report
from mailkit.core.moments import spoken
from mailkit.text import plain

__all__ = ["attendance", "is_attended"]

SHOWN = 5
_FINISHING = "finishing it"


def is_attended(report: Report) -> bool:
    """Whether a process is known to be at work on the job."""
    return any(one.presence is Presence.ALIVE for one in report.workers)


def attendance(report: Report, at: Callable[[datetime], str]) -> Iterator[str]:
    """Who is at work on the job, and who may or must be dead; ``at`` writes a time."""
    alive = [one for one in report.workers if one.presence is Presence.ALIVE]
    for sends in (True, False):
        if workers := [one for one in alive if one.sends is sends]:
            what = _sending(report) if sends else "following what was sent"
            if what == _FINISHING and any(one.last_heard for one in workers):
                what += f", or {'has' if len(workers) == 1 else 'have'} just ended"
            yield _working(workers, what)
    for worker in _some(report, Presence.SILENT):
        yield (
            f"{_begun(worker)} has not been heard from for {_ago(worker)}. It may be dead, or cut "
            f"off from the journal's database. At {_at(worker, at)} it counts as dead, and "
            "what it was sending is in doubt"
        )
    if not report.complete or report.unreconciled:
        for worker in _some(report, Presence.DEAD):
            yield f"{_begun(worker)} died before the job had ended{_heard(worker)}"


def _some(report: Report, presence: Presence) -> Sequence[WorkerInfo]:
    return first_of([one for one in report.workers if one.presence is presence], SHOWN)


def _working(workers: Sequence[WorkerInfo], what: str) -> str:
    if len(workers) == 1:
        return f"{_begun(workers[0])} is {what}{_heard(workers[0])}"
    shown = first_of(workers, SHOWN)
    names = ", ".join(f"{plain(one.name)}{_heard(one)}" for one in shown)
    more = len(workers) - len(shown)
    rest = f", and {more:,} more: see --json" if more else ""
    return f"{len(workers):,} processes are {what}: {names}{rest}"


def _sending(report: Report) -> str:
    if report.cancelled or report.stopped:
        return "finishing its last requests"
    if report.counts.unsent:
        return "sending it"
    return "checking the provider's status lists" if report.unreconciled else _FINISHING


def _heard(worker: WorkerInfo) -> str:
    return "" if worker.last_heard is None else f" (last heard from {_ago(worker)} ago)"


def _ago(worker: WorkerInfo) -> str:
    assert worker.last_heard is not None  # noqa: S101 - the caller looked
    return spoken(max((datetime.now(UTC) - worker.last_heard).total_seconds(), 0.0))


def _at(worker: WorkerInfo, at: Callable[[datetime], str]) -> str:
    assert worker.dead_from is not None  # noqa: S101 - a silent one has been heard from
    return at(worker.dead_from)


def _begun(worker: WorkerInfo) -> str:
    name = plain(worker.name)
    return name[:1].upper() + name[1:]
