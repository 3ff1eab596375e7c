"""A row of the table: two figures, their ratio, and the goal that it is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from benchmarks.measure import Kind, Pair, median, spread
from benchmarks.server import Server

__all__ = ["Bench", "Goal", "LeftOut", "Row", "Setting", "at_least", "at_most", "figure", "row_of"]

BUSY = 0.85  # of the wall time: a server with more to do is the bottleneck


@attrs.frozen
class Goal:
    """``<=``: at most so many times what the peer takes. ``>=``: at least so many times better."""

    sign: Literal["<=", ">="]
    value: float

    def met(self, value: float) -> bool:
        return value <= self.value if self.sign == "<=" else value >= self.value

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g}"


def at_most(value: float) -> Goal:
    return Goal("<=", value)


def at_least(value: float) -> Goal:
    return Goal(">=", value)


@attrs.frozen
class Row:
    """``ours`` and ``peer`` in ``unit``. Where there is no peer, the goal is one for ``ours``.

    ``spread`` is that of the ratio, or of ``ours``. ``note`` says what a reader must know besides.
    """

    name: str
    ours: float
    peer: float | None
    unit: str
    ratio: float | None
    spread: tuple[float, float]
    goal: Goal | None
    note: str = ""

    @property
    def result(self) -> float:
        return self.ours if self.ratio is None else self.ratio

    @property
    def met(self) -> bool | None:
        return self.goal.met(self.result) if self.goal else None

    def to_json(self) -> dict[str, Any]:
        """With ``ours``, ``peer`` and ``ratio`` if there is a peer."""
        said: dict[str, Any] = {"name": self.name, "unit": self.unit}
        if self.peer is not None and self.ratio is not None:
            said |= {"ours": _rounded(self.ours), "peer": _rounded(self.peer)}
            said["ratio"] = _rounded(self.ratio)
        else:
            said["value"] = _rounded(self.ours)
        said["spread"] = [*map(_rounded, self.spread)]
        said["goal"] = self.goal.sign if self.goal else None
        said["goal_value"] = self.goal.value if self.goal else None
        return said | {"met": self.met, "note": self.note}


def _rounded(value: float) -> float:
    return round(value, 4)


@attrs.frozen
class Setting:
    """What a bench works with; ``series`` takes the points for the plots, by plot and line."""

    server: Server
    folder: Path
    quick: bool
    series: dict[str, dict[str, list[tuple[float, float]]]] = attrs.field(factory=dict)

    def pick(self, quick: int, full: int) -> int:
        return quick if self.quick else full


class LeftOut(Exception):
    """This machine can't run the bench; the text says why."""


@attrs.frozen
class Bench:
    """Rows that are measured together; ``key`` is what ``--only`` looks in.

    ``quick``: whether the quick run has time for it.
    """

    key: str
    run: Callable[[Setting], Iterable[Row]]
    quick: bool = True


def row_of(
    name: str,
    pairs: Sequence[Pair],
    goal: Goal | None,
    *,
    kind: Kind = "cpu",
    faster: bool = False,
    rate: bool = False,
    note: str = "",
) -> Row:
    """A row from pairs of runs. ``faster``: how many times less ours took. ``rate``: the figures
    are items a second, and the ratio says how many times more ours are.
    """
    ratios = [pair.ratio(kind) for pair in pairs]
    ours = median([pair.ours.of(kind) for pair in pairs])
    peer = median([pair.peer.of(kind) for pair in pairs])
    unit = f"µs {kind}"
    if faster or rate:
        ratios = [1 / ratio for ratio in ratios]
    if rate:
        ours, peer, unit = 1 / ours, 1 / peer, "a second"
    else:
        ours, peer = ours * 1e6, peer * 1e6
    notes = [note, *_bottlenecks(pairs)]
    return Row(
        name, ours, peer, unit, median(ratios), spread(ratios), goal, "; ".join(filter(None, notes))
    )


def figure(name: str, values: Sequence[float], unit: str, goal: Goal | None, note: str = "") -> Row:
    """A row that has no peer."""
    return Row(name, median(values), None, unit, None, spread(values), goal, note)


def _bottlenecks(pairs: Sequence[Pair]) -> Iterable[str]:
    for whose, side in (("mailkit", "ours"), ("the peer", "peer")):
        costs = [getattr(pair, side) for pair in pairs]
        share = median([cost.server / cost.wall for cost in costs])
        if share > BUSY:
            yield f"the server was the bottleneck for {whose}: busy {share:.0%} of the time"
