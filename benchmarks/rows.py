"""A row of the table: two figures, their ratio, and the goal it is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from benchmarks.measure import Pair, median, spread
from benchmarks.server import Server

__all__ = ["BUSY", "Bench", "Goal", "Row", "Setting", "at_least", "at_most", "row_of"]

BUSY = 0.85  # of the wall time: a server with more to do is the bottleneck


@attrs.frozen
class Goal:
    """``<=``: at most so many times what the peer takes. ``>=``: at least so many times better."""

    sign: Literal["<=", ">="]
    value: float

    def met(self, ratio: float) -> bool:
        return ratio <= self.value if self.sign == "<=" else ratio >= self.value


def at_most(value: float) -> Goal:
    return Goal("<=", value)


def at_least(value: float) -> Goal:
    return Goal(">=", value)


@attrs.frozen
class Row:
    """``ours`` and ``peer`` in ``unit``; ``peer`` is None where a figure stands for itself.

    ``spread`` is that of the ratio. ``note`` says what a reader must know besides.
    """

    name: str
    ours: float
    peer: float | None
    unit: str
    ratio: float
    spread: tuple[float, float]
    goal: Goal | None
    note: str = ""

    @property
    def met(self) -> bool | None:
        return self.goal.met(self.ratio) if self.goal else None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ours": self.ours,
            "peer": self.peer,
            "unit": self.unit,
            "ratio": self.ratio,
            "spread": self.spread,
            "goal": self.goal.sign if self.goal else None,
            "goal_value": self.goal.value if self.goal else None,
            "met": self.met,
            "note": self.note,
        }


@attrs.frozen
class Setting:
    """What a bench works with."""

    server: Server
    folder: Path
    quick: bool

    def pick(self, quick: int, full: int) -> int:
        return quick if self.quick else full


@attrs.frozen
class Bench:
    """One or more rows that are measured together; ``key`` is what ``--only`` looks in.

    ``seconds`` is about how long the quick run takes.
    """

    key: str
    run: Callable[[Setting], Iterable[Row]]


def row_of(
    name: str,
    pairs: Sequence[Pair],
    goal: Goal | None,
    *,
    items: int,
    kind: Literal["cpu", "wall"] = "cpu",
    faster: bool = False,
    note: str = "",
) -> Row:
    """A row from pairs of runs over ``items`` each; ``faster``: how many times less ours took."""
    ratios = [1 / pair.ratio(kind) if faster else pair.ratio(kind) for pair in pairs]
    ours, peer = (
        median([getattr(getattr(pair, side), kind) for pair in pairs]) / items * 1e6
        for side in ("ours", "peer")
    )
    notes = [note] if note else []
    for side in ("ours", "peer"):
        share = median([getattr(pair, side).server / getattr(pair, side).wall for pair in pairs])
        if share > BUSY:
            whose = "mailkit's" if side == "ours" else "the peer's"
            notes.append(f"the server was busy for {share:.0%} of {whose} wall time")
    return Row(
        name,
        ours,
        peer,
        f"µs {kind}",
        median(ratios),
        spread(ratios),
        goal,
        "; ".join(notes),
    )
