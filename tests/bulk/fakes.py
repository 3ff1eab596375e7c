"""A provider of a few lines, for runs of the engine in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import attrs

from mailkit.bulk.journal import InlineExecutor, Journal
from mailkit.core.dispatch import Chunk, Dispatch, Polled, RowStatus, Sent
from mailkit.core.words import about_account
from mailkit.errors import Refused, Unavailable
from mailkit.events import DeliveryStatus
from mailkit.message import Message

MESSAGE = Message(sender="Shop <news@shop.example>", subject="Hi", html="<p>Hi</p>")

Act = Callable[[Chunk], Sent | Exception]


@attrs.define
class FakeProvider:
    """Takes every chunk, unless ``acts`` has something else for the next ones.

    An act that returns an exception has it raised; ``mailed`` counts what was really sent:
    all that is taken, and what is listed in ``unknown_but_sent``.
    """

    name: str = "fake"
    account: str = "account"
    chunk_rows: int = 3
    acts: list[Act | Exception] = attrs.field(factory=list)
    hidden: set[str] = attrs.field(factory=set)
    bad: set[str] = attrs.field(factory=set)
    why: str = "no such mailbox"
    mailed: Counter[str] = attrs.field(factory=Counter)
    chunks: list[Chunk] = attrs.field(factory=list)
    failing_polls: int = 0
    refuses: Callable[[Chunk], str | None] = attrs.field(default=lambda chunk: None)
    on_send: Callable[[Chunk], None] | None = None
    tells_deliveries: bool = True

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        return FakeDispatch(self)


@attrs.define
class FakeDispatch:
    provider: FakeProvider
    chunk_bytes: int = 1_000_000
    base_bytes: int = 0

    @property
    def chunk_rows(self) -> int:
        return self.provider.chunk_rows

    def measure(self, address: str, values: Sequence[str]) -> int:
        return len(address)

    async def check(self) -> None:
        return

    async def send(self, chunk: Chunk, *, late: bool) -> Sent:
        await asyncio.sleep(0)
        self.provider.chunks.append(chunk)
        if self.provider.on_send is not None:
            self.provider.on_send(chunk)
        outcome: Sent | Exception = Sent(reference=str(len(self.provider.chunks)))
        words = self.provider.refuses(chunk)
        if words is not None:
            outcome = Refused(words)
        if self.provider.acts:
            act = self.provider.acts.pop(0)
            outcome = act if isinstance(act, Exception) else act(chunk)
        if isinstance(outcome, Exception):
            raise outcome
        left_out = {*outcome.refused, *outcome.held}
        self.provider.mailed.update(row.address for row in chunk.rows if row.n not in left_out)
        return outcome

    async def poll(self, reference: str, cursor: str | None) -> Polled:
        if self.provider.failing_polls:
            self.provider.failing_polls -= 1
            raise Unavailable("no answer")
        chunk = self.provider.chunks[int(reference) - 1]
        return Polled(
            [
                RowStatus(
                    row.address.upper(),
                    DeliveryStatus.DELIVERED,
                    row.address in self.provider.bad,
                    self.provider.why if row.address in self.provider.bad else "",
                    held=about_account([self.provider.why]),
                )
                for row in chunk.rows
                if row.address not in self.provider.hidden
            ]
        )


@asynccontextmanager
async def memory_journal() -> AsyncIterator[Journal]:
    journal = await Journal.open(":memory:", executor=InlineExecutor)
    try:
        yield journal
    finally:
        await journal.close()


def people(count: int) -> list[str]:
    return [f"p{n}@example.com" for n in range(count)]
