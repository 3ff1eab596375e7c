"""What the engine asks of a provider's part in a bulk send, and the values the two exchange.

A provider's client makes a ``Dispatch`` for one message; the engine then hands it chunks. What
came of a chunk is told by returning ``Sent`` or by the error family: ``Refused`` (nothing was
sent), ``NotSent`` (proven), ``RateLimited``, ``QuotaExhausted`` and ``Unavailable`` (not now),
``OutcomeUnknown`` (in doubt).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import attrs

from mailkit.events import DeliveryStatus
from mailkit.message import Message

__all__ = ["BulkProvider", "Chunk", "ChunkRow", "Dispatch", "Polled", "RowStatus", "Sent"]


class ChunkRow(NamedTuple):
    """One recipient of a chunk: its number in the job, the address and the fields' values."""

    n: int
    address: str
    values: Sequence[str]


@attrs.frozen
class Chunk:
    """The recipients of one request; ``label`` names job and chunk for the provider's dashboard.

    ``root`` is the refused chunk that this one was cut from, if it was. ``again``: its one row was
    refused before, but others were taken since.
    """

    job: str
    n: int
    attempt: int
    rows: Sequence[ChunkRow]
    root: int | None = None
    again: bool = False

    @property
    def label(self) -> str:
        """As ``autumn #12``, and ``autumn #12.2`` for a chunk that a person ordered again."""
        again = f".{self.attempt}" if self.attempt > 1 else ""
        return f"{self.job} #{self.n}{again}"


@attrs.frozen
class Sent:
    """The provider took the chunk: its reference for later questions (None: there are none to
    ask), and who was left out.

    ``refused`` maps a row's number to the provider's reason, ``doubtful`` to what is missing to
    know whether the provider took that row. ``held`` maps the rows that were left out for the
    account's sake to the reason: they are planned again, and the job stops.
    """

    reference: str | None
    refused: Mapping[int, str] = attrs.field(factory=dict)
    doubtful: Mapping[int, str] = attrs.field(factory=dict)
    held: Mapping[int, str] = attrs.field(factory=dict)


class RowStatus(NamedTuple):
    """What the provider says of one address of a chunk; ``held``: it is refused for the account's
    sake.
    """

    address: str
    delivery: DeliveryStatus | None
    refused: bool
    reason: str
    held: bool = False


@attrs.frozen
class Polled:
    """The statuses of a chunk, and a mark that the next poll of the chunk gets back."""

    statuses: Sequence[RowStatus]
    cursor: str | None = None


class Dispatch(Protocol):
    """A provider's part in sending one message to many; made anew for every run of a job."""

    @property
    def chunk_rows(self) -> int:
        """At most so many recipients in a chunk."""
        ...

    @property
    def chunk_bytes(self) -> int:
        """At most so many bytes in a chunk's request."""
        ...

    @property
    def base_bytes(self) -> int:
        """The bytes that a chunk's request has before its first recipient."""
        ...

    def measure(self, address: str, values: Sequence[str]) -> int:
        """The bytes this recipient adds to a request; raises InvalidRow if it can't be rendered."""
        ...

    async def check(self) -> None:
        """Ask the service something harmless, so that wrong credentials end here."""
        ...

    async def send(self, chunk: Chunk, *, late: bool) -> Sent:
        """Hand the chunk over in one request that is never repeated; ``late`` drops send_at."""
        ...

    async def poll(self, reference: str, cursor: str | None) -> Polled:
        """Ask what became of the chunk; safe to repeat."""
        ...


class BulkProvider(Protocol):
    """A client that can take part in bulk sends."""

    @property
    def name(self) -> str:
        """The provider's short name, as ``smsby``."""
        ...

    @property
    def account(self) -> str:
        """Whose quotas and messages these are: given by the user, else a hash of the credential."""
        ...

    @property
    def tells_deliveries(self) -> bool:
        """Whether it can be asked what became of messages."""
        ...

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        """The provider's part for this message and these columns.

        Raises Unsupported for what the provider can't do, InvalidArgument for a message that
        can't be sent, both before anything is sent.
        """
        ...
