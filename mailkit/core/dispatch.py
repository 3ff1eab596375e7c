"""What a provider brings to a bulk send, and the values that it exchanges with the engine.

A provider's client makes a ``Dispatch`` for one message. Its ``stages`` say what has to happen to a
chunk of the list, in order; the engine takes *tasks* from the journal, one stage of one chunk or
part each, and calls ``perform``. How a task ended is what ``perform`` returns, or an error:
``Refused`` (the service's own words say no), ``NotSent`` (proven), ``RateLimited``,
``QuotaExhausted`` and ``Unavailable`` (not now), ``OutcomeUnknown`` (nobody can say).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

import attrs

from mailkit.core.batch import Batch
from mailkit.core.quota import Permits, Quota
from mailkit.events import DeliveryStatus, WebhookEvent
from mailkit.message import Message

__all__ = [
    "SEND",
    "TOKEN_BYTES",
    "AskRow",
    "ChunkStatus",
    "Cost",
    "Dispatch",
    "Done",
    "Limits",
    "MeasuresMany",
    "NotTaken",
    "PollResult",
    "Provider",
    "ProviderClass",
    "Recut",
    "RowStatus",
    "RowStatuses",
    "Scope",
    "Sent",
    "SharedStatus",
    "Stage",
    "Task",
    "TaskRow",
    "Wait",
    "WebhookProviderClass",
    "check_stages",
]


class Scope(StrEnum):
    """What a stage is done once for: the whole job, each chunk, or each part of a chunk."""

    JOB = "job"
    CHUNK = "chunk"
    PART = "part"


@attrs.frozen
class Stage:
    """One step on a chunk's way to the provider.

    A ``repeatable`` stage is done again when its outcome is unknown; the chunk is never in doubt
    for its sake. ``carries_rows``: its tasks have the rows. ``rows_refusable``: a refusal may be
    about some of the rows, so that these are looked for. ``settles``: what is in doubt can be
    settled by asking the service (``Dispatch.settle``); then any request without success leaves its
    chunk in doubt, unless it never left, or the service's code is among those that are ``believed``
    to mean that nothing was done. ``optional``: the stage before may find that it is not needed.
    ``quotas`` names those of the client that each of its requests falls under.

    A stage of the scope JOB is a barrier: it is done once every chunk has come to it, and before
    any of them goes on.
    """

    name: str
    scope: Scope = Scope.CHUNK
    repeatable: bool = False
    carries_rows: bool = True
    rows_refusable: bool = True
    settles: bool = False
    believed: frozenset[int | str] = frozenset()
    optional: bool = False
    quotas: tuple[str, ...] = ()

    @property
    def has_rows(self) -> bool:
        """Whether its tasks have rows; those of a whole job never do."""
        return self.carries_rows and self.scope is not Scope.JOB


SEND = Stage("send")
"""The only stage of a provider that takes message and recipients in one request."""


TOKEN_BYTES = 64
"""What a `Task.token` has at most."""


def check_stages(stages: Sequence[Stage]) -> None:
    """ValueError unless the last stage, and no other, hands the chunk over for good."""
    *before, last = stages
    if last.scope is not Scope.CHUNK:
        raise ValueError(f"the last stage, {last.name}, sends a chunk: its scope must be CHUNK")
    for stage in before:
        if not stage.repeatable:
            raise ValueError(f"the stage {stage.name} must be repeatable: only the last one sends")
    if stages[0].optional or last.optional:
        raise ValueError("the first stage and the last one can't be optional")
    if len({stage.name for stage in stages}) < len(stages):
        raise ValueError("two stages have one name")


@attrs.frozen
class Limits:
    """How large a chunk may be: its recipients, and the bytes of its request, of which ``base`` are
    there without any recipient.

    Where a stage has parts, a part has at most ``part_rows`` recipients, and the bytes are those of
    a part's request.
    """

    rows: int
    size: int
    base: int = 0
    part_rows: int | None = None


class TaskRow(NamedTuple):
    """One recipient: its number in the job, the address and the fields' values."""

    n: int
    address: str
    values: Sequence[str]


@attrs.frozen
class Task:
    """One stage of one chunk, or of one part of it.

    ``rows`` are those of the chunk or part, if the stage carries them; ``count`` is how many it is
    about in any case, in the whole job at a stage of that scope. ``key`` names job, chunk and
    attempt as no other journal does, for whatever must be found again. ``cursor`` is what the stage
    before, or this one before a wait, has left for this one; at a stage of the scope JOB,
    ``cursors`` has those of all chunks that are not sent yet. ``looks`` counts how often
    `Dispatch.settle` has asked to look again. ``tried``: when a request of a stage that is not
    repeatable has ended before, whose outcome is or was unknown, or which was said to be not acted
    upon; None if there was none. Then ``heard_of`` has the references under which webhooks speak of
    these people, and which no chunk has: this one may have been taken under one of them. ``take``
    counts how often the chunk was handed out for a stage that is not repeatable. ``job_id`` is the
    job's number in its journal.
    """

    job: str
    chunk: int
    stage: Stage
    rows: Sequence[TaskRow] = ()
    count: int = 0
    part: int | None = None
    key: str = ""
    attempt: int = 1
    cursor: str | None = None
    cursors: Sequence[str] = ()
    started: datetime | None = None
    looks: int = 0
    tried: datetime | None = None
    heard_of: Sequence[str] = ()
    take: int = 0
    job_id: int = 0

    @property
    def addresses(self) -> Sequence[str]:
        """The address of each row."""
        return Batch.of(TaskRow, self.rows).columns[1]

    @property
    def values(self) -> Sequence[Sequence[str]]:
        """The fields' values of each row."""
        return Batch.of(TaskRow, self.rows).columns[2]

    def token(self, row: TaskRow) -> str:
        """The name of this row's message, as no other journal gives it: ASCII of `TOKEN_BYTES` at
        most. A service that is given it may give it back with what became of the message
        (``DeliveryEvent.token``); then the journal knows the row.
        """
        return f"{self.key}/{self.job_id}/{self.chunk}/{self.attempt}/{row.n}"

    @property
    def label(self) -> str:
        """The chunk's name for the provider's dashboard: ``autumn #12``, or ``autumn #12.2`` for
        one that a person ordered again.
        """
        again = f".{self.attempt}" if self.attempt > 1 else ""
        return f"{self.job} #{self.chunk}{again}"


@attrs.frozen
class Done:
    """A repeatable stage is done. ``cursor`` goes to the next one; None: what this one was given.

    ``rejected`` maps the numbers of rows that the provider refuses to its reasons, ``suppressed``
    those of people that must not be mailed. ``skips``: so many of the stages that come next, which
    are ``optional``, are not needed for this chunk.
    """

    cursor: str | None = None
    rejected: Mapping[int, str] = attrs.field(factory=dict)
    suppressed: Mapping[int, str] = attrs.field(factory=dict)
    skips: int = 0


@attrs.frozen
class Sent:
    """The provider took the chunk: its ``reference`` for later questions (None: there are none to
    ask), and who was left out.

    ``rejected`` maps a row's number to the provider's reason, ``in_doubt`` to what is missing to
    know whether the provider took that row. ``held`` maps the rows that were left out for the
    account's sake to the reason: they are planned again, and the job stops. ``cursor`` is the mark
    for the first poll. ``receipt`` names the response where there are no questions to ask. Where
    another chunk has the same one, or the same reference, the response is not this chunk's.
    """

    reference: str | None
    rejected: Mapping[int, str] = attrs.field(factory=dict)
    in_doubt: Mapping[int, str] = attrs.field(factory=dict)
    held: Mapping[int, str] = attrs.field(factory=dict)
    cursor: str | None = None
    receipt: str | None = None


@attrs.frozen
class Wait:
    """Not yet: the task is handed out again ``until`` then, with this ``cursor`` (None: the same as
    before).
    """

    until: datetime
    why: str
    cursor: str | None = None


@attrs.frozen
class Recut:
    """The chunk is larger than the provider allows: its rows go into chunks of ``rows`` rows at
    most, each of which begins with the first stage. For repeatable stages of the scope CHUNK.
    """

    rows: int = attrs.field(validator=attrs.validators.ge(1))


@attrs.frozen
class NotTaken:
    """It is certain that the provider did not take a chunk that is in doubt."""

    why: str


class RowStatus(NamedTuple):
    """What the provider says of one address of a chunk; ``held``: it is rejected for the account's
    sake.
    """

    address: str
    delivery: DeliveryStatus | None
    rejected: bool
    reason: str
    held: bool = False


@attrs.frozen
class SharedStatus:
    """What the provider says of several addresses alike: faster than a RowStatus for each."""

    addresses: Sequence[str]
    delivery: DeliveryStatus | None
    rejected: bool = False
    reason: str = ""
    held: bool = False


RowStatuses = Sequence[RowStatus | SharedStatus]


@attrs.frozen
class ChunkStatus:
    """What holds for every row of a chunk of which nothing else is known: how far it came, or that
    it was rejected and why, for the account's sake if ``held``.

    ``in_doubt``: only asking about each row can tell; who is not named then is in doubt for the
    ``reason``.

    ``mailed`` and ``unsent`` are how many of them got a message and how many never will, by the
    service's own count (None: it does not say). Where it counts, the delivery holds only if all
    were mailed, and who is not named as mailed is rejected only if the names agree with both.
    """

    delivery: DeliveryStatus | None = None
    rejected: bool = False
    in_doubt: bool = False
    reason: str = ""
    held: bool = False
    mailed: int | None = None
    unsent: int | None = None


AskRow = Callable[[str], Awaitable[RowStatus | None]]
"""Asks what became of the message to this address; None: the service does not know of it."""


@attrs.frozen
class PollResult:
    """The statuses of a chunk, and a mark that the next poll of the chunk gets back.

    A service that sends a chunk as a whole may say what holds for all ``others``, who are not named
    then, and count what became of the messages (``statistics``). Until it can, ``again`` is when to
    ask again, and ``why`` says what it is at: nobody is in doubt meanwhile. ``ask`` asks about a
    single address: for who is tracked, and where the others are in doubt.
    """

    statuses: RowStatuses = ()
    cursor: str | None = None
    others: ChunkStatus | None = None
    statistics: Mapping[str, int] | None = None
    again: datetime | None = None
    why: str = ""
    ask: AskRow | None = attrs.field(default=None, eq=False)


@attrs.frozen
class Cost:
    """What the service says of the money for so many emails, in a few named ``facts``: the tariff,
    what is left of it, the balance. ``enough``: whether that pays for them; None: it does not say.
    """

    facts: Mapping[str, str | int]
    enough: bool | None = None


class Dispatch(Protocol):
    """A provider's part in sending one message to many; made anew for every run of a job."""

    @property
    def limits(self) -> Limits:
        """How large a chunk may be."""
        ...

    @property
    def stages(self) -> Sequence[Stage]:
        """What has to happen to a chunk, in order. The last one sends it: its scope is CHUNK."""
        ...

    def measure(self, address: str, values: Sequence[str]) -> int:
        """The bytes this recipient adds to a request; raises InvalidRow if it can't be rendered."""
        ...

    def render(self, address: str, values: Sequence[str]) -> tuple[str, str]:
        """Subject and body as this recipient gets them; what only the service fills in stays as
        it is sent. Raises InvalidRow.
        """
        ...

    async def cost(self, emails: int, cursors: Sequence[str] = ()) -> Cost | None:
        """What the service says of the money for so many emails, or, exactly, for chunks of which
        the stages have left these ``cursors``; None if it says nothing.
        """
        ...

    async def prepare(self) -> None:
        """What comes before the plan and before each run: wrong credentials end here."""
        ...

    async def perform(self, task: Task) -> Done | Sent | Wait | Recut:
        """Do the task; a stage that is not repeatable makes one request, and never repeats it.
        Others, which may be repeated, can come before: they take the task's permits if there are
        none besides, and what they have found must not be lost if there is none for the request.

        Returns Sent from the last stage and Done from the others, unless it has to Wait or Recut.
        """
        ...

    async def settle(self, task: Task) -> Sent | NotTaken | Wait | None:
        """Find out what became of a task that is in doubt. None: a person must look.

        NotTaken counts only once its request can't be held up in the network any more; before, the
        engine asks again.
        """
        ...

    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        """Ask what became of a chunk that was sent; safe to repeat."""
        ...

    async def test(self, row: TaskRow) -> Sent:
        """Send the message with these values to this one address, at once and outside of any job,
        in one request that is never repeated.
        """
        ...

    async def recall(self, reference: str | None) -> None:
        """Take back what is not delivered yet of a chunk that was sent; safe to repeat. Raises
        Unsupported if the service can't, and Refused if it is too late.
        """
        ...


@runtime_checkable
class MeasuresMany(Protocol):
    """A `Dispatch` that measures many rows at once, in less time than one by one."""

    def measure_many(
        self, addresses: Sequence[str], values: Sequence[Sequence[str]]
    ) -> Sequence[int]:
        """What ``measure`` says of each; raises InvalidRow if any can't be rendered. Rows may lack
        values at their ends that others have.
        """
        ...


class Provider(Protocol):
    """A client that can take part in bulk sends."""

    @property
    def name(self) -> str:
        """The provider's short name, such as ``smsby``."""
        ...

    @property
    def account(self) -> str:
        """Whose quotas and messages these are: given by the user, else a hash of the credential."""
        ...

    @property
    def can_poll(self) -> bool:
        """Whether it can be asked what became of messages."""
        ...

    @property
    def quotas(self) -> Mapping[str, Quota]:
        """The account's quotas, by the names that stages give them; "requests" is for each one."""
        ...

    def with_permits(self, permits: Permits | None) -> Provider:
        """The same account, but each request takes its permits there: of "requests", and of those
        that its stage names. What comes with a task is taken by the request for just these.
        """
        ...

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        """The provider's part for this message and these columns.

        Raises Unsupported for what the provider can't do, InvalidArgument for a message that
        can't be sent, both before anything is sent.
        """
        ...


class ProviderClass(Protocol):
    """What an entry point of the group ``mailkit.providers`` leads to: a client's class."""

    def from_env(self, *, account: str | None = None) -> AbstractAsyncContextManager[Provider]:
        """The client with the credentials of the environment: ``MAILKIT_``, the provider's name
        in capitals and ``_`` begin each variable.

        Raises InvalidArgument, which names those that are missing.
        """
        ...


@runtime_checkable
class WebhookProviderClass(ProviderClass, Protocol):
    """The class of a provider that has webhooks."""

    def parse_webhook(self, body: bytes) -> Sequence[WebhookEvent]:
        """The events in the body of a post; a pure function, and a static method.

        The ``raw`` of an event, as the body of a post, gives the same event again. Raises
        InvalidArgument for a body that is not one; its text shows no addresses.
        """
        ...
