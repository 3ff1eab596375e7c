"""A provider of a few lines, for runs of the engine in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Self

import attrs

from mailkit.bulk.journal import InlineExecutor, Journal
from mailkit.core.words import about_account
from mailkit.errors import Refused, Unavailable, Unsupported
from mailkit.events import DeliveryStatus
from mailkit.message import Message
from mailkit.provider import (
    SEND,
    Cost,
    Dispatch,
    Limits,
    NotTaken,
    Permits,
    PollResult,
    Quota,
    RowStatus,
    Sent,
    Stage,
    Task,
    TaskRow,
    Wait,
)

MESSAGE = Message(sender="Shop <news@shop.example>", subject="Hi", html="<p>Hi</p>")

Act = Callable[[Task], Sent | Exception]


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
    chunks: list[Task] = attrs.field(factory=list)
    failing_polls: int = 0
    refuses: Callable[[Task], str | None] = attrs.field(default=lambda chunk: None)
    on_send: Callable[[Task], None] | None = None
    can_poll: bool = True
    quotas: Mapping[str, Quota] = attrs.field(factory=dict)

    def with_permits(self, permits: Permits | None) -> Self:
        return self

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        return FakeDispatch(self)


@attrs.define
class FakeDispatch:
    provider: FakeProvider
    stages: Sequence[Stage] = (SEND,)

    @property
    def limits(self) -> Limits:
        return Limits(self.provider.chunk_rows, 1_000_000)

    def measure(self, address: str, values: Sequence[str]) -> int:
        return len(address)

    def render(self, address: str, values: Sequence[str]) -> tuple[str, str]:
        return "Hi", f"Hi {address}"

    async def cost(self, emails: int, cursors: Sequence[str] = ()) -> Cost | None:
        return None

    async def prepare(self) -> None:
        return

    async def perform(self, task: Task) -> Sent:
        await asyncio.sleep(0)
        self.provider.chunks.append(task)
        if self.provider.on_send is not None:
            self.provider.on_send(task)
        outcome: Sent | Exception = Sent(reference=str(len(self.provider.chunks)))
        words = self.provider.refuses(task)
        if words is not None:
            outcome = Refused(words)
        if self.provider.acts:
            act = self.provider.acts.pop(0)
            outcome = act if isinstance(act, Exception) else act(task)
        if isinstance(outcome, Exception):
            raise outcome
        left_out = {*outcome.rejected, *outcome.held}
        self.provider.mailed.update(row.address for row in task.rows if row.n not in left_out)
        return outcome

    async def test(self, row: TaskRow) -> Sent:
        raise Unsupported("it has no tests")

    async def recall(self, reference: str | None) -> None:
        raise Unsupported("it takes nothing back")

    async def settle(self, task: Task) -> Sent | NotTaken | Wait | None:
        return None

    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        if self.provider.failing_polls:
            self.provider.failing_polls -= 1
            raise Unavailable("no answer")
        chunk = self.provider.chunks[int(reference) - 1]
        return PollResult(
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
