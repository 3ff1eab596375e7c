from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.core.window import Quota, Window, free_at

FOUR = Quota(4, 60.0)

moments = st.floats(0, 200).map(lambda at: round(at, 1))


@pytest.mark.parametrize(
    ("ends", "ahead", "at"),
    [
        ([], 0, 100),
        ([], 3, 100),
        ([], 4, 160),
        ([110, 120, 130], 0, 100),
        ([110, 120, 130], 1, 110),
        ([110, 120, 130, 140], 0, 110),
        ([110, 120, 130, 140], 2, 130),
        ([110, 120, 130, 140], 4, 170),
        ([110, 120, 130, 140, 150], 0, 120),
        ([90, 120, 130, 140], 0, 100),
        ([inf, inf, inf, inf], 0, inf),
    ],
)
def test_when_the_next_may_go(ends: list[float], ahead: int, at: float) -> None:
    assert free_at(FOUR, ends, 100, ahead) == at


@given(st.lists(moments, max_size=12), st.integers(1, 5), moments)
def test_it_may_go_then_and_not_before(ends: list[float], limit: int, now: float) -> None:
    def counting(at: float) -> int:
        return sum(end > at for end in ends)

    at = free_at(Quota(limit, 60.0), sorted(ends), now)
    assert at >= now
    assert counting(at) < limit
    for earlier in (now, *ends):
        assert not now <= earlier < at or counting(earlier) >= limit


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["take", "late", "done", "unsent"]), st.integers(0, 40))),
)
def test_a_window_counts_what_is_in_use_and_what_has_not_run_out(
    limit: int, steps: list[tuple[str, int]]
) -> None:
    window, now, since, in_use = Window(Quota(limit, 60.0)), 0.0, list[float](), 0
    for step, passed in steps:
        now += passed
        counted = in_use + sum(one + 60.0 > now for one in since)
        assert window.room(now) == (counted < limit)
        assert window.room(now, 1) == (counted + 1 < limit)
        assert (window.latest(now) == now) == (window.soonest(now, 0) == now) == (counted < limit)
        if step == "take":
            if counted < limit:
                window.in_use += 1
                in_use += 1
        elif in_use:
            in_use -= 1
            end = {"late": now + 30, "done": now, "unsent": None}[step]
            window.end(end)
            since += [] if end is None else [end]
