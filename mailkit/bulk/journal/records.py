"""The journal's values: the states of jobs, chunks and rows, and what is read of each.

The states are in the database as they are spelled here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import attrs

from mailkit.bulk.journal.liveness import Life
from mailkit.bulk.journal.row_ids import span
from mailkit.events import DeliveryStatus

__all__ = [
    "SENT_STATES",
    "Adopt",
    "ChunkRecord",
    "ChunkState",
    "Counts",
    "JobRecord",
    "JobState",
    "Later",
    "PartState",
    "Role",
    "RowRecord",
    "RowState",
    "Stopped",
    "Ticket",
    "Worker",
]


class JobState(StrEnum):
    """How far a job's plan is."""

    PLANNING = "planning"
    PLANNED = "planned"


class Adopt(StrEnum):
    """A person's word on a copy of a journal, whose original is gone for good: whether anything was
    sent with the original after the copy was made.
    """

    LATEST = "latest"
    OLDER = "older"


class ChunkState(StrEnum):
    """How far a chunk is. One that is *loading* is being prepared, which is harmless to repeat; the
    rows of an *empty* one are in others now.
    """

    PLANNED = "planned"
    LOADING = "loading"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    IN_DOUBT = "in doubt"
    EMPTY = "empty"


class PartState(StrEnum):
    """How far a part of a chunk is with the stages that it goes through by itself."""

    PLANNED = "planned"
    LOADING = "loading"
    DONE = "done"


class Role(StrEnum):
    """What a chunk of one row is for while a refusal is narrowed down; see narrowing.py."""

    PROBE = "probe"
    TRIAL = "trial"
    AGAIN = "again"


class RowState(StrEnum):
    """The states of a row: each row that was read is in exactly one, at every moment."""

    INVALID = "invalid"
    DUPLICATE = "duplicate"
    SUPPRESSED = "suppressed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    IN_DOUBT = "in doubt"
    UNSENT = "unsent"


SENT_STATES = (RowState.ACCEPTED, RowState.REJECTED, RowState.IN_DOUBT)
"""The states of their own that rows can have that were sent."""


class Ticket(NamedTuple):
    """A chunk that was handed out, for the ``number``-th time: whoever has it may say how that
    ended, and nobody else.
    """

    chunk: int
    number: int


@attrs.frozen
class Later:
    """There is a task, but not before ``until`` (seconds since 1970): the provider says so, or for
    want of permits of the ``quota`` of this name. Then a worker has to ``look`` again at that time
    at the latest.
    """

    until: float
    why: str
    quota: str | None = None
    look: float | None = None


@attrs.frozen
class Stopped:
    """The job is stopped, by this worker or another one."""

    why: str


@attrs.frozen(eq=False)
class Worker:
    """A process's part in a job: it plans it, sends it, or follows what was sent."""

    id: int
    life: Life = attrs.field(repr=False)


@attrs.frozen
class JobRecord:
    """A job as the journal knows it; ``message`` is its JSON, times are seconds since 1970.
    ``again``: it was ordered for everybody, whatever earlier jobs have sent.

    ``worker`` is the one as which its holder works on the job; None: it only looks at it.
    """

    id: int
    name: str
    provider: str
    account: str
    state: JobState
    message: str
    columns: Sequence[str]
    fingerprint: bytes | None
    read: int
    created: float
    stopped: str | None
    cancelled: float | None = None
    held: str | None = None
    rate: str | None = None
    pruned: float | None = None
    erased: int = 0
    again: bool = False
    worker: Worker | None = attrs.field(default=None, eq=False)

    @property
    def is_pruned(self) -> bool:
        """Whether all people were removed from it: a pruning can be cut off, and goes on later."""
        return self.erased == 2

    @property
    def ids(self) -> tuple[int, int]:
        """The first and last id that a row of this job can have."""
        return span(self.id)


@attrs.frozen
class Counts:
    """Every row that was read, in exactly one state."""

    read: int = 0
    invalid: int = 0
    duplicate: int = 0
    suppressed: int = 0
    accepted: int = 0
    rejected: int = 0
    in_doubt: int = 0
    unsent: int = 0

    @property
    def accounted(self) -> int:
        """The rows that have a state; the promise is that this is ``read``."""
        return sum(map(self.of, RowState))

    def of(self, state: RowState) -> int:
        """The rows in this state."""
        rows: int = getattr(self, state.name.lower())
        return rows

    @property
    def to_send(self) -> int:
        """The rows that are left after the plan refused some."""
        return self.read - self.invalid - self.duplicate - self.suppressed


@attrs.frozen
class ChunkRecord:
    """One chunk and the rows in it; times are seconds since 1970."""

    n: int
    state: ChunkState
    rows: int
    attempt: int
    started: float | None
    ended: float | None
    reference: str | None
    reason: str | None
    reconciled: bool
    worker: int | None
    first_address: str | None
    last_address: str | None
    stage: int


class RowRecord(NamedTuple):
    """One row as read, its state and what is known of its delivery."""

    n: int
    line: int
    address: str
    fields: Sequence[str]
    state: RowState
    reason: str | None
    chunk: int | None
    delivery: DeliveryStatus | None
