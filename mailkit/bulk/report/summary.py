"""The report of a job: every row that was read in exactly one state, and the sum to prove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import attrs
import msgspec

from mailkit.bulk.journal import (
    ChunkRecord,
    ChunkState,
    Counts,
    Details,
    Failure,
    JobRecord,
    Journal,
    OtherJob,
    RowState,
    Snapshot,
    WorkerInfo,
)
from mailkit.bulk.reasons import ReasonGroup, Reasons
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.waiting import Waiting
from mailkit.errors import JournalError
from mailkit.events import DeliveryStatus

__all__ = ["Doubt", "Report", "Waiting", "every_report", "make_report", "report_of"]

LOOKED_AT = 1_000
"""So many rows of each state are looked at for reasons by whoever needs an answer at once."""
SAME_ADDRESS = "an earlier row has the same address"


@attrs.frozen
class Doubt:
    """A chunk, or rows of one, whose outcome is unknown; `resolve` takes its ``label``, which is
    what the provider shows, or the number of the ``chunk``.
    """

    chunk: int
    label: str
    rows: int
    first: str
    last: str
    started: datetime | None
    reason: str
    asks: bool = False
    """Whether ``resume`` asks the provider about it, if that can tell."""


@attrs.frozen
class Report:
    """What became of a job so far.

    ``counts`` says how many rows are in each state, ``elsewhere`` how many of the duplicates are
    left to other jobs that send the same, by the reason, ``others`` which of those jobs have some
    of them unsent or in doubt now, ``deliveries`` how many were last heard of in each delivery
    status, ``statistics`` what the provider counts of the messages where it
    names nobody, ``doubts`` which chunks a person must look at, ``rejections`` why
    chunks were refused whole. ``waiting`` says what the next request waits for, and until when.
    ``stopped`` is why the last engine ended early. ``workers`` are the processes that have not left
    the job, dead ones included as long as nobody has gone on in their place; it is ``running`` as
    long as one of them does not count as dead. Of a ``shared`` journal, a ``mailkit worker`` takes
    up what nobody sends. ``cancelled`` is when a person cancelled the job; None once nothing of it
    is unsent or in doubt. ``held`` has the provider's words if rows seem to be rejected because of
    the account and not of themselves. ``reasons`` says why rows were left out or rejected, for each
    state, the most frequent first; in a report that is not proven, those of the first thousand
    rows. Accepted rows that are ``unreconciled`` are checked until ``looks_until``, or longer if
    the run was told to; None if the provider sets no limit. From a job that was ``pruned``, the
    people were removed then; a ``pruning`` that began has not ended. ``put_back`` is when an older
    state of the journal was put back since the job began: until then, rejected rows may have been
    sent after all.
    """

    job: str
    provider: str
    subject: str
    created: datetime
    counts: Counts
    elsewhere: Mapping[str, int]
    unreconciled: int
    deliveries: Mapping[DeliveryStatus, int]
    statistics: Mapping[str, int]
    doubts: Sequence[Doubt]
    rejections: Sequence[str]
    waiting: Waiting | None
    stopped: str | None
    running: bool
    workers: Sequence[WorkerInfo] = ()
    shared: bool = False
    cancelled: datetime | None = None
    held: str | None = None
    reasons: Sequence[ReasonGroup] = ()
    looks_until: datetime | None = None
    others: Sequence[OtherJob] = ()
    pruned: datetime | None = None
    pruning: datetime | None = None
    put_back: datetime | None = None

    @property
    def without_anybody(self) -> bool:
        """Whether the job is over, and nobody of it was or may have been mailed."""
        counts = self.counts
        return not (counts.accepted or counts.in_doubt or counts.unsent or self.running)

    @property
    def complete(self) -> bool:
        """Whether every row has a known outcome: nothing in doubt and nothing unsent, neither here
        nor in the jobs that rows are left to.
        """
        return not (self.counts.in_doubt or self.counts.unsent or self.others)

    def to_dict(self) -> dict[str, object]:
        """The same as plain values, ready for JSON; times are ISO 8601 in UTC."""
        counts = attrs.asdict(self.counts)
        return {
            "job": self.job,
            "provider": self.provider,
            "subject": self.subject,
            "created": self.created.isoformat(timespec="seconds"),
            "rows": counts.pop("read"),
            **counts,
            "elsewhere": dict(self.elsewhere),
            "others": [attrs.asdict(other) for other in self.others],
            "reasons": [group.to_dict() for group in self.reasons],
            "unreconciled": self.unreconciled,
            "looks_until": self.looks_until and self.looks_until.isoformat(timespec="seconds"),
            "deliveries": {status.name.lower(): n for status, n in self.deliveries.items()},
            "statistics": dict(self.statistics),
            "doubts": [
                {
                    **attrs.asdict(doubt),
                    "started": doubt.started and doubt.started.isoformat(timespec="seconds"),
                }
                for doubt in self.doubts
            ],
            "rejections": list(self.rejections),
            "waiting": self.waiting and self.waiting.to_dict(),
            "stopped": self.stopped,
            "running": self.running,
            "workers": [worker.to_dict() for worker in self.workers],
            "held": self.held,
            "cancelled": self.cancelled and self.cancelled.isoformat(timespec="seconds"),
            "pruned": self.pruned and self.pruned.isoformat(timespec="seconds"),
            "pruning": self.pruning and self.pruning.isoformat(timespec="seconds"),
            "put_back": self.put_back and self.put_back.isoformat(timespec="seconds"),
            "complete": self.complete,
        }

    def to_json(self) -> str:
        """The same as one JSON object."""
        return msgspec.json.encode(self.to_dict()).decode()


async def make_report(journal: Journal, name: str, *, proven: bool = True) -> Report:
    """Read the report of the job of this name from the journal, at any moment of its life.

    InvalidArgument if there is no such job; JournalError if its rows do not add up, which must
    never happen. Unless that is to be ``proven``, it is read at once, however long the list is: the
    rows are not counted one by one, and the ``reasons`` are those of the first thousand rows of
    each state.
    """
    report = await journal.reports.details(
        name, lambda found, details: report_of(found, details, proven=proven)
    )
    if report is None:
        await journal.jobs.get(name)  # which says what jobs there are
        raise JournalError(f"the job {name} was planned just now: try again")
    return report


async def every_report(journal: Journal, *, reasons: bool) -> Sequence[Report]:
    """The reports of all jobs at one moment, the newest first, without a proof; they are faster
    without the ``reasons``, too.
    """
    return await journal.reports.every(
        lambda found, details: report_of(found, details if reasons else None)
    )


def report_of(found: Snapshot, details: Details | None, *, proven: bool = False) -> Report:
    """The report of this moment; JournalError if its rows do not add up. Only if that is to be
    ``proven``, all rows are looked at.
    """
    job, counts = found.job, found.counts
    stored, recounted = counts.read, counts
    if details is not None and proven:
        stored, recounted = details.stored(), details.counts()
    if not counts.read == counts.accounted == stored:
        raise JournalError(
            f"the journal of {job.name} does not add up: {counts.read} rows were read, "
            f"{stored} are stored, {counts.accounted} have a state"
        )
    if counts != recounted:
        raise JournalError(
            f"the journal of {job.name} does not add up: its sums are {attrs.asdict(counts)}, and "
            f"its rows {attrs.asdict(recounted)}"
        )
    pruned = None if job.pruned is None else datetime.fromtimestamp(job.pruned, UTC)
    return Report(
        job=job.name,
        provider=job.provider,
        subject=msgspec.json.decode(job.message)["subject"],
        created=datetime.fromtimestamp(job.created, UTC),
        counts=counts,
        elsewhere=found.elsewhere,
        unreconciled=found.unreconciled,
        deliveries=found.deliveries,
        statistics=found.statistics,
        doubts=[_doubt(job, chunk) for chunk in found.doubts],
        rejections=[
            f"chunk {chunk.n}, {chunk.rows} rows: {chunk.reason}" for chunk in found.rejected
        ],
        waiting=_waiting(found),
        stopped=job.stopped,
        running=found.running,
        workers=found.workers,
        shared=found.shared,
        held=job.held,
        cancelled=None if job.cancelled is None else datetime.fromtimestamp(job.cancelled, UTC),
        reasons=()
        if details is None or job.pruned is not None
        else _reasons(found, details, None if proven else LOOKED_AT),
        looks_until=_looks_until(found),
        others=found.others,
        pruned=pruned if job.is_pruned else None,
        pruning=None if job.is_pruned else pruned,
        put_back=None if found.put_back is None else datetime.fromtimestamp(found.put_back, UTC),
    )


def _looks_until(found: Snapshot) -> datetime | None:
    if found.unreconciled_since is None or found.asking is not None:
        return None
    begun = datetime.fromtimestamp(found.unreconciled_since, UTC)
    if (send_at := msgspec.json.decode(found.job.message).get("send_at")) is not None:
        begun = max(begun, datetime.fromisoformat(send_at))
    return begun + timedelta(seconds=EngineSettings().reconcile)


def _reasons(found: Snapshot, details: Details, most: int | None) -> Sequence[ReasonGroup]:
    """Those of so many rows of each state at ``most``. Duplicates have no examples: each of them
    has another line in its reason.
    """
    reasons = Reasons()
    for failure in details.left_out(most):
        reasons.add(failure, distinct=True)
    for chunk in found.rejected:
        first = (0, chunk.first_address or "", chunk.reason or "")
        reasons.add(Failure(RowState.REJECTED, *first, chunk.rows))
    duplicates = [
        ReasonGroup(RowState.DUPLICATE, why, rows, ()) for why, rows in found.elsewhere.items()
    ]
    others = found.counts.duplicate - sum(found.elsewhere.values())
    if others:
        duplicates.append(ReasonGroup(RowState.DUPLICATE, SAME_ADDRESS, others, ()))
    duplicates.sort(key=lambda group: -group.rows)
    return [
        group
        for state in RowState
        for group in (duplicates if state is RowState.DUPLICATE else reasons.of(state))
    ]


def _waiting(found: Snapshot) -> Waiting | None:
    wait = found.waiting or found.asking
    if wait is None:
        return None
    until = datetime.fromtimestamp(wait.until, UTC)
    return Waiting(until, wait.why, sent=found.waiting is None, quota=wait.quota)


def _doubt(job: JobRecord, chunk: ChunkRecord) -> Doubt:
    return Doubt(
        chunk=chunk.n,
        label=f"{job.name} #{chunk.n}" + (f".{chunk.attempt}" if chunk.attempt > 1 else ""),
        rows=chunk.rows,
        first=chunk.first_address or "",
        last=chunk.last_address or "",
        started=None if chunk.started is None else datetime.fromtimestamp(chunk.started, UTC),
        reason=chunk.reason or "the process ended while the request was under way",
        asks=chunk.stage > 0 and chunk.state in (ChunkState.SENDING, ChunkState.IN_DOUBT),
    )
