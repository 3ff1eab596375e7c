"""A provider under observation: each task and each result is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from mailkit.core.dispatch import (
    Cost,
    Dispatch,
    Done,
    Limits,
    NotTaken,
    PollResult,
    Provider,
    Recut,
    Scope,
    Sent,
    Stage,
    Task,
    TaskRow,
    Wait,
)
from mailkit.core.quota import Permits, Quota
from mailkit.message import Message
from mailkit.testing.clock import FakeClock
from mailkit.testing.wire import POLL, SETTLE, Errand, Violation, errand

__all__ = ["WatchedProvider"]


@attrs.frozen
class WatchedProvider:
    """The provider, with every task and result looked at."""

    inner: Provider
    clock: FakeClock

    @property
    def name(self) -> str:
        """As the provider's."""
        return self.inner.name

    @property
    def account(self) -> str:
        """As the provider's."""
        return self.inner.account

    @property
    def can_poll(self) -> bool:
        """As the provider's."""
        return self.inner.can_poll

    @property
    def quotas(self) -> Mapping[str, Quota]:
        """As the provider's."""
        return self.inner.quotas

    def with_permits(self, permits: Permits | None) -> WatchedProvider:
        """The provider's with these permits, watched."""
        return attrs.evolve(self, inner=self.inner.with_permits(permits))

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        """The provider's, watched."""
        return _WatchedDispatch(self.inner.dispatch(message, columns), self)


@attrs.frozen
class _WatchedDispatch:
    inner: Dispatch
    provider: WatchedProvider
    waits: dict[tuple[object, ...], Wait] = attrs.field(factory=dict)

    @property
    def limits(self) -> Limits:
        return self.inner.limits

    @property
    def stages(self) -> Sequence[Stage]:
        return self.inner.stages

    def measure(self, address: str, values: Sequence[str]) -> int:
        return self.inner.measure(address, values)

    def render(self, address: str, values: Sequence[str]) -> tuple[str, str]:
        return self.inner.render(address, values)

    async def cost(self, emails: int, cursors: Sequence[str] = ()) -> Cost | None:
        return await self.inner.cost(emails, cursors)

    async def prepare(self) -> None:
        await self.inner.prepare()

    async def perform(self, task: Task) -> Done | Sent | Wait | Recut:
        stage, limits = task.stage, self.limits
        self._check_wait(task)
        most = limits.part_rows if stage.scope is Scope.PART else limits.rows
        if len(task.rows) > (most or limits.rows):
            raise Violation(f"stage {stage.name}: {len(task.rows)} rows, and {most} are the limit")
        with errand(Errand(stage.name, stage.repeatable)) as sent:
            result = await self.inner.perform(task)
        if stage.carries_rows:
            sizes = [self.measure(row.address, row.values) for row in task.rows]
            if sent.largest > limits.base + sum(sizes):
                raise Violation(
                    f"stage {stage.name}: a request of {sent.largest} bytes, and base and "
                    f"measure() come to {limits.base + sum(sizes)}"
                )
        self._check_result(task, result)
        return result

    async def settle(self, task: Task) -> Sent | NotTaken | Wait | None:
        if not task.stage.settles:
            raise Violation(f"stage {task.stage.name}: it doesn't settle, and was asked to")
        self._check_wait(task)
        with errand(Errand(SETTLE)):
            result = await self.inner.settle(task)
        if isinstance(result, Wait):
            self._keep(task, result)
        return result

    async def poll(self, reference: str, cursor: str | None) -> PollResult:
        with errand(Errand(POLL)):
            return await self.inner.poll(reference, cursor)

    async def test(self, row: TaskRow) -> Sent:
        return await self.inner.test(row)

    async def recall(self, reference: str | None) -> None:
        await self.inner.recall(reference)

    def _check_wait(self, task: Task) -> None:
        wait = self.waits.pop(_key(task), None)
        if wait is not None and self.provider.clock.now() < wait.until.timestamp():
            raise Violation(f"stage {task.stage.name}: handed out before {wait.until}")

    def _check_result(self, task: Task, result: object) -> None:
        name, last = task.stage.name, self.stages[-1].name
        wanted = Sent if name == last else Done
        if isinstance(result, Wait):
            self._keep(task, result)
            return
        if isinstance(result, Recut):
            if not task.stage.repeatable or task.stage.scope is not Scope.CHUNK:
                raise Violation(f"stage {name}: only a repeatable stage of a chunk can Recut")
            return
        if not isinstance(result, Done | Sent) or not isinstance(result, wanted):
            raise Violation(
                f"stage {name}: perform() returned {type(result).__name__}, and {wanted.__name__} "
                "or Wait was needed"
            )
        if isinstance(result, Done) and result.skips:
            at = [stage.name for stage in self.stages].index(name) + 1
            if not all(stage.optional for stage in self.stages[at : at + result.skips]):
                raise Violation(f"stage {name}: it skips a stage that is not optional")
        strangers = {*result.rejected} - {row.n for row in task.rows}
        if task.stage.carries_rows and strangers:
            raise Violation(f"stage {name}: it rejects rows {strangers}, which it was not given")
        if isinstance(result, Sent) and (result.reference is None) is self.provider.can_poll:
            raise Violation(
                f"stage {name}: a reference is what polls need; can_poll is "
                f"{self.provider.can_poll}, and reference {result.reference!r}"
            )

    def _keep(self, task: Task, wait: Wait) -> None:
        until: datetime = wait.until
        if until.tzinfo is None:
            raise Violation(f"stage {task.stage.name}: Wait.until needs a time zone")
        self.waits[_key(task)] = wait


def _key(task: Task) -> tuple[object, ...]:
    return task.job, task.stage.name, task.chunk, task.part
