"""Whose turn it is, as pure functions: who waits for permits goes in the order of arrival.

Those who wait for the same quotas form one line. The oldest of all can't be starved: what is free
of the scarcest quota that it needs is kept for it, then of the next scarcest, and so on. Apart from
this, nobody waits because of somebody who waits for another quota. It is the rule of
`mailkit.core.quota.LocalPermits`, for those who can't be woken: each looks by itself, and what is
free is kept for those who come before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import inf

from mailkit.core.window import Quota, room_at

__all__ = ["Counted", "Needs", "first_free", "is_next", "scarcest"]

Needs = Mapping[str, int]
"""How many permits of each quota, by its name."""

Counted = Sequence[tuple[float, int]]
"""The permits that count in a quota: the time from which, and how many."""


def scarcest(quotas: Mapping[str, Quota]) -> Sequence[str]:
    """The quotas' names; those whose permits are the longest apart come first."""
    return sorted(quotas, key=lambda name: (-quotas[name].per_seconds / quotas[name].limit, name))


def is_next(
    line: Sequence[Needs], needs: Needs, free: Mapping[str, int], order: Sequence[str]
) -> bool:
    """Whether it is the turn of the one who ``needs`` this and comes after all in the ``line``.

    ``free`` is how many permits of each quota are. ``order`` is that of `scarcest`, and quotas that
    are not in it don't matter.
    """
    left = dict(free)
    kept: dict[str, int] = {}
    stuck: list[Collection[str]] = []
    for waiter in [*line, needs]:
        wanted = {name: waiter[name] for name in order if name in waiter}
        if wanted.keys() in stuck:
            continue
        if all(left[name] - kept.get(name, 0) >= amount for name, amount in wanted.items()):
            for name, amount in wanted.items():
                left[name] -= amount
            continue
        stuck.append(wanted.keys())
        if not kept:
            kept = _kept(wanted, left)
    return {name for name in order if name in needs} not in stuck


def _kept(wanted: Needs, left: Mapping[str, int]) -> dict[str, int]:
    """What is kept for the oldest who has to wait, of the scarcest quotas first."""
    kept = {}
    for name, amount in wanted.items():
        kept[name] = min(max(left[name], 0), amount)
        if left[name] < amount:
            break
    return kept


def first_free(
    line: Sequence[Needs],
    needs: Needs,
    counted: Mapping[str, Counted],
    quotas: Mapping[str, Quota],
    blocked: Mapping[str, float],
    now: float,
) -> tuple[float, str]:
    """When the one who comes after all in the ``line`` may go, and the quota that decides it, if
    all requests under way ended now.
    """
    ended = {name: [(min(at, now), n) for at, n in rows] for name, rows in counted.items()}
    at, decides = now, ""
    for waiter in [*line, needs]:
        at, decides = -inf, ""
        wanted = {name: amount for name, amount in waiter.items() if name in ended}
        for name, amount in wanted.items():
            room = room_at(quotas[name], ended[name], now, amount)
            room = max(room, blocked.get(name, now))
            if room > at:
                at, decides = room, name
        for name, amount in wanted.items():
            ended[name].append((at, amount))
    return at, decides
