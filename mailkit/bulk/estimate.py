"""How long a job takes under its quotas: pure, of counts, limits and quotas.

Nothing else is known beforehand: how fast the service responds, whether it lets a list wait, and
what other jobs take of the same quotas. So the time is the least that it can be.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from mailkit.core.dispatch import Limits, Scope, Stage
from mailkit.core.quota import REQUESTS, Quota

__all__ = ["Duration", "Step", "duration", "steps_of", "tasks_of"]


@attrs.frozen
class Step:
    """So many requests, one after the other, each of which takes so much of some quotas."""

    times: int
    takes: Mapping[str, int]


@attrs.frozen
class Duration:
    """The seconds until the last request may go, and the quota that costs the most of them."""

    seconds: float = 0.0
    quota: str | None = None


def tasks_of(stage: Stage, limits: Limits, rows: int) -> int:
    """How many tasks the stage has for a chunk of so many rows."""
    if stage.scope is Scope.PART:
        return -(-rows // (limits.part_rows or limits.rows))
    return 1


def steps_of(
    chunks: Sequence[int],
    stages: Sequence[Stage],
    limits: Limits,
    *,
    every: Iterable[str] = REQUESTS,
    last: Iterable[str] = (),
) -> Iterator[Step]:
    """The requests for chunks of so many rows, stage by stage. Each takes one permit of ``every``
    of these quotas and of its stage's own, and the last stage's, of the quotas ``last``, one for
    each row. Stages that are optional are left out.
    """
    for stage in stages:
        if stage.optional:
            continue
        takes = dict.fromkeys((*every, *stage.quotas), 1)
        if stage.scope is Scope.JOB:
            yield Step(min(len(chunks), 1), takes)
        elif stage is not stages[-1]:
            yield Step(sum(tasks_of(stage, limits, rows) for rows in chunks), takes)
        else:
            for rows in chunks:
                yield Step(1, {**takes, **dict.fromkeys(last, rows)})


def duration(
    steps: Iterable[Step],
    quotas: Mapping[str, Quota],
    before: Mapping[str, Sequence[tuple[float, int]]] = {},
) -> Duration:
    """When the last of these requests may go, if each goes as soon as its quotas let it, and takes
    no time. What takes more of a quota than its limit waits until nothing of it is used. ``before``
    is what was taken of some quotas already: since how many seconds from now, and how much.
    """
    used = {name: _Used(quota, before.get(name, ())) for name, quota in quotas.items()}
    waited: dict[str, float] = defaultdict(float)
    now = 0.0
    for step in steps:
        windows = [(used[name], amount) for name, amount in step.takes.items() if name in used]
        for _ in range(step.times if windows else 0):
            for window, amount in windows:
                free = window.free_at(amount)
                if free > now:
                    waited[window.quota.name] += free - now
                    now = free
            for window, amount in windows:
                window.take(amount, now)
    slowest = max(waited, key=waited.__getitem__, default=None)
    return Duration(now, slowest)


class _Used:
    """What was taken of a quota within its last window."""

    def __init__(self, quota: Quota, taken: Iterable[tuple[float, int]] = ()) -> None:
        self.quota = quota
        self._taken = deque(sorted(taken))
        self._sum = sum(amount for _, amount in self._taken)

    def free_at(self, amount: int) -> float:
        """When so much more is free; what is used until then is forgotten."""
        at = 0.0
        while self._taken and self._sum + amount > self.quota.limit:
            since, before = self._taken.popleft()
            self._sum -= before
            at = since + self.quota.per_seconds
        return at

    def take(self, amount: int, at: float) -> None:
        """Take so much at this time."""
        self._taken.append((at, amount))
        self._sum += amount
