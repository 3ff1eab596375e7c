"""Whose turn it is: in the order of arrival, with nobody waiting for a stranger's quota."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.journal.line import Needs, first_free, is_next, scarcest
from mailkit.core.window import Quota, room_at

QUOTAS = {"requests": Quota(10, 1.0), "books": Quota(4, 3600.0, "books")}
ORDER = scarcest(QUOTAS)
REQUEST, BOOK = {"requests": 1}, {"requests": 1, "books": 1}
NAMES: tuple[str, ...] = ("a", "b", "c")


def test_the_scarcest_quota_comes_first() -> None:
    assert ORDER == ["books", "requests"]


@pytest.mark.parametrize(
    ("line", "needs", "free", "goes"),
    [
        ([], REQUEST, {"requests": 1, "books": 0}, True),
        ([], REQUEST, {"requests": 0, "books": 4}, False),
        ([REQUEST], REQUEST, {"requests": 1, "books": 0}, False),  # it is the other's
        ([REQUEST], REQUEST, {"requests": 2, "books": 0}, True),
        ([BOOK], REQUEST, {"requests": 1, "books": 0}, True),  # the other waits for books
        ([BOOK], BOOK, {"requests": 9, "books": 1}, False),
        ([BOOK], REQUEST, {"requests": 1, "books": 1}, False),
        ([BOOK], REQUEST, {"requests": 0, "books": 1}, False),
        ([REQUEST, BOOK], BOOK, {"requests": 0, "books": 4}, False),
    ],
)
def test_whose_turn_it_is(
    line: list[Needs], needs: Needs, free: dict[str, int], goes: bool
) -> None:
    assert is_next(line, needs, free, ORDER) is goes


def test_what_the_oldest_needs_is_kept_for_it() -> None:
    many = {"recipients": 500}
    quotas = {"recipients": Quota(1_000, 3600.0, "recipients")}
    assert not is_next([many], {"recipients": 1}, {"recipients": 300}, scarcest(quotas))
    assert not is_next([many], {"recipients": 1}, {"recipients": 500}, scarcest(quotas))
    assert is_next([many], {"recipients": 1}, {"recipients": 501}, scarcest(quotas))


def test_who_needs_a_quota_that_is_not_known_here_is_not_in_the_way() -> None:
    assert is_next([{"tests": 1}], REQUEST, {"requests": 1, "books": 0}, ORDER)


@given(st.data())
def test_without_others_it_is_a_question_of_room(data: st.DataObject) -> None:
    quotas = {name: Quota(data.draw(st.integers(1, 5)), 10.0) for name in NAMES}
    free = {name: data.draw(st.integers(0, quotas[name].limit)) for name in NAMES}
    needs = data.draw(st.dictionaries(st.sampled_from(NAMES), st.integers(1, 3), min_size=1))
    fits = all(free[name] >= amount for name, amount in needs.items())
    assert is_next([], needs, free, scarcest(quotas)) is fits


@given(st.data())
def test_the_first_gets_what_there_is_and_nobody_more_than_that(
    data: st.DataObject,
) -> None:
    quotas = {name: Quota(data.draw(st.integers(1, 5)), 10.0) for name in NAMES}
    free = {name: data.draw(st.integers(0, quotas[name].limit)) for name in NAMES}
    needs = st.dictionaries(st.sampled_from(NAMES), st.just(1), min_size=1)
    line = data.draw(st.lists(needs, min_size=1, max_size=6))
    order = scarcest(quotas)
    goes = [is_next(line[:at], one, free, order) for at, one in enumerate(line)]
    assert goes[0] is all(free[name] for name in line[0])
    for name in NAMES:
        assert sum(one.get(name, 0) for one, may in zip(line, goes, strict=True) if may) <= max(
            free[name], 0
        )
    for at, one in enumerate(line):  # nobody overtakes those who wait for the same
        assert not goes[at] or all(
            may for other, may in zip(line[:at], goes, strict=False) if other.keys() == one.keys()
        )


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(1, 3)), max_size=12),
    st.integers(1, 6),
    st.integers(1, 8),
)
def test_there_is_room_then_and_not_before(
    counted: list[tuple[float, int]], amount: int, limit: int
) -> None:
    quota, now = Quota(limit, 60.0), 100.0
    at = room_at(quota, counted, now, amount)

    def used(when: float) -> int:
        return sum(n for since, n in counted if since + 60.0 > when)

    if amount > limit:
        assert at == inf
        return
    assert used(at) + amount <= limit
    ends = [since + 60.0 for since, _ in counted]
    earlier = [when for when in [now, *ends] if now <= when < at]
    assert all(used(when) + amount > limit for when in earlier)


def test_those_before_go_first_and_decide_when() -> None:
    counted = {"requests": [(99.0, 10)], "books": [(50.0, 1), (60.0, 3)]}
    at, name = first_free([], BOOK, counted, QUOTAS, {}, 99.5)
    assert (at, name) == (3650.0, "books")
    at, name = first_free([BOOK], BOOK, counted, QUOTAS, {}, 99.5)
    assert (at, name) == (3660.0, "books")
    at, name = first_free([BOOK], REQUEST, counted, QUOTAS, {}, 99.5)
    assert (at, name) == (100.0, "requests")


def test_what_is_under_way_is_thought_to_end_now_and_a_block_to_last() -> None:
    counted = {"requests": [(140.0, 10)]}
    assert first_free([], REQUEST, counted, QUOTAS, {}, 100.0) == (101.0, "requests")
    blocked = {"requests": 130.0}
    assert first_free([], REQUEST, counted, QUOTAS, blocked, 100.0) == (130.0, "requests")
