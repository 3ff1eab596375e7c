"""A provider in memory, for tests of code that sends through a BulkSender."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

import attrs

from mailkit.core.dispatch import (
    SEND,
    Cost,
    Dispatch,
    Done,
    Limits,
    NotTaken,
    PollResult,
    Provider,
    RowStatus,
    Sent,
    Stage,
    Task,
    TaskRow,
    Wait,
)
from mailkit.core.quota import REQUESTS, Permits, Quota
from mailkit.errors import MailkitError, NotSent, OutcomeUnknown
from mailkit.events import DeliveryStatus
from mailkit.message import Message
from mailkit.template import Renderer, Template

__all__ = ["ScriptedProvider"]

TIMEOUT = 30.0
Result = Done | Sent | Wait
Step = Result | MailkitError | Callable[[Task], Result]
_Chunk = tuple[str, int, int]  # job, number, attempt


@attrs.define(eq=False)
class ScriptedProvider:
    """Takes every chunk, unless `script` has something else for the next ones.

        provider = ScriptedProvider()
        provider.script(AccountRefused("no money left"))
        async with BulkSender(provider, journal=path, clock=FakeClock()) as sender:
            job = await sender.start(message, read_recipients(["a@b.by"]))
            assert (await job.wait()).stopped
        assert not provider.mailed

    ``mailed`` counts how often each address was mailed, ``tasks`` keeps what it was asked to do.
    ``rejects`` maps addresses to the reason for which it rejects them by name, ``cost`` is what it
    says of the money, ``recalled`` has the references of what it took back, unless
    ``recall_errors`` has something else for the next ones. ``stages`` are those of a provider that
    takes message and recipients in one request, or any others.
    """

    name: str = "scripted"
    account: str = "account"
    can_poll: bool = True
    quotas: Mapping[str, Quota] = attrs.field(factory=dict[str, Quota])
    limits: Limits = attrs.field(factory=lambda: Limits(rows=500, size=1_000_000))
    stages: Sequence[Stage] = (SEND,)
    rejects: Mapping[str, str] = attrs.field(factory=dict[str, str])
    mailed: Counter[str] = attrs.field(factory=Counter[str])
    tasks: list[Task] = attrs.field(factory=list[Task])
    cost: Cost | None = None
    recalled: list[str] = attrs.field(factory=list[str])
    recall_errors: list[MailkitError] = attrs.field(factory=list[MailkitError])
    _steps: dict[str, deque[tuple[Step, bool]]] = attrs.field(factory=dict, init=False)
    _loaded: dict[_Chunk, dict[int, TaskRow]] = attrs.field(factory=dict, init=False)
    _sent: dict[_Chunk, str] = attrs.field(factory=dict, init=False)

    def script(self, *steps: Step, stage: str | None = None, acts: bool = False) -> None:
        """What becomes of the next tasks of a stage (the last one, if it is not named): a result,
        an error, or a function of the task that makes or raises one.

        ``acts``: the service does what it is asked to, whatever it then says.
        """
        ahead = self._steps.setdefault(stage or self.stages[-1].name, deque())
        ahead.extend((step, acts) for step in steps)

    def with_permits(self, permits: Permits | None) -> Provider:
        """This one, with a permit for each of its requests."""
        return _Bound(self, permits)

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        """Its part in a bulk send of the message."""
        return _Bound(self, None).dispatch(message, columns)

    def perform(self, task: Task) -> Result:
        """What comes of the task."""
        self.tasks.append(task)
        ahead = self._steps.get(task.stage.name)
        step, acts = ahead.popleft() if ahead else (None, True)
        own = self._act(task) if acts else None
        if isinstance(step, MailkitError):
            raise step
        if callable(step):
            step = step(task)
        result = step or own
        assert result is not None  # noqa: S101 - without a step, it acts
        if isinstance(result, Sent) and not acts:
            self._mail(task, result)
        return result

    def _act(self, task: Task) -> Result:
        chunk = _chunk(task)
        if task.stage.carries_rows:
            self._loaded.setdefault(chunk, {}).update({row.n: row for row in task.rows})
        if task.stage is not self.stages[-1]:
            return Done()
        rejected = {
            row.n: self.rejects[row.address]
            for row in self._loaded[chunk].values()
            if row.address in self.rejects
        }
        sent = Sent(str(len(self._sent) + 1) if self.can_poll else None, rejected)
        self._mail(task, sent)
        return sent

    def _mail(self, task: Task, sent: Sent) -> None:
        left_out = {*sent.rejected, *sent.held}
        rows = self._loaded.setdefault(_chunk(task), {row.n: row for row in task.rows})
        self.mailed.update(row.address for row in rows.values() if row.n not in left_out)
        self._sent[_chunk(task)] = sent.reference or ""

    def recall(self, reference: str | None) -> None:
        """Take back what is not delivered yet of a chunk."""
        if self.recall_errors:
            raise self.recall_errors.pop(0)
        self.recalled.append(reference or "")

    def settle(self, task: Task) -> Sent | NotTaken | None:
        """Whether a chunk that is in doubt was taken; None unless its stage settles."""
        if not task.stage.settles:
            return None
        reference = self._sent.get(_chunk(task))
        return NotTaken("it was never sent") if reference is None else Sent(reference or None)

    def statuses(self, reference: str) -> list[RowStatus]:
        """What became of a chunk: everybody who was mailed has the message."""
        (chunk,) = (chunk for chunk, name in self._sent.items() if name == reference)
        return [
            RowStatus(row.address, DeliveryStatus.DELIVERED, False, "")
            for row in self._loaded[chunk].values()
            if row.address not in self.rejects
        ]


@attrs.frozen
class _Bound:
    """The provider, and where its requests take their permits."""

    inner: ScriptedProvider
    permits: Permits | None

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def account(self) -> str:
        return self.inner.account

    @property
    def can_poll(self) -> bool:
        return self.inner.can_poll

    @property
    def quotas(self) -> Mapping[str, Quota]:
        return self.inner.quotas

    def with_permits(self, permits: Permits | None) -> Provider:
        return _Bound(self.inner, permits)

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        renderer = Template.parse(message).compile(("email", *columns), unsubscribe="(unsubscribe)")
        return _Dispatch(self.inner, renderer, self.permits)


@attrs.frozen
class _Dispatch:
    provider: ScriptedProvider
    renderer: Renderer
    permits: Permits | None

    @property
    def limits(self) -> Limits:
        return self.provider.limits

    @property
    def stages(self) -> Sequence[Stage]:
        return self.provider.stages

    def measure(self, address: str, values: Sequence[str]) -> int:
        return len(address) + sum(map(len, values))

    def render(self, address: str, values: Sequence[str]) -> tuple[str, str]:
        return self.renderer((address, *values))

    async def cost(self, emails: int, cursors: Sequence[str] = ()) -> Cost | None:
        return self.provider.cost

    async def prepare(self) -> None:
        return

    async def perform(self, task: Task) -> Result:
        await asyncio.sleep(0)  # as a request would, it lets others run
        if self.permits is None:
            return self.provider.perform(task)
        wait = None if task.stage.repeatable else 0.0
        permit = await self.permits.acquire((*REQUESTS, *task.stage.quotas), wait, TIMEOUT)
        permit.sent()
        try:
            result = self.provider.perform(task)
        except NotSent:
            permit.release()
            raise
        except OutcomeUnknown:
            permit.lost()
            raise
        finally:
            permit.done()
        return result

    async def settle(self, task: Task) -> Sent | NotTaken | Wait | None:
        return self.provider.settle(task)

    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        return PollResult(self.provider.statuses(reference))

    async def test(self, row: TaskRow) -> Sent:
        self.provider.mailed[row.address] += 1
        return Sent(None)

    async def recall(self, reference: str | None) -> None:
        self.provider.recall(reference)


def _chunk(task: Task) -> _Chunk:
    return task.job, task.chunk, task.attempt
