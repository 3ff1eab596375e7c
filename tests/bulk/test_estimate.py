"""The time under quotas, held against requests that go one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.estimate import Duration, Step, duration, steps_of, tasks_of
from mailkit.core.quota import REQUESTS
from mailkit.provider import SEND, Limits, Quota, Scope, Stage

from ..examples import examples
from .test_stages import STAGES

HOUR = 3600.0
CAMPAIGNS = Quota(4, HOUR, "campaigns")
TEN = Quota(10, 1.0, "requests")
QUOTAS = {"campaigns": CAMPAIGNS, "requests": TEN}


def campaigns(count: int) -> Duration:
    return duration([Step(count, {"campaigns": 1, "requests": 1})], QUOTAS)


@pytest.mark.parametrize(
    ("count", "hours"), [(0, 0), (1, 0), (4, 0), (5, 1), (8, 1), (9, 2), (12, 2), (13, 3)]
)
def test_four_campaigns_go_in_an_hour(count: int, hours: int) -> None:
    assert campaigns(count) == Duration(hours * HOUR, "campaigns" if hours else None)


def test_without_quotas_there_is_nothing_to_wait_for() -> None:
    assert duration([Step(10**9, {"requests": 1})], {}) == Duration(0.0, None)


def test_recipients_count_by_the_row() -> None:
    rate = {"recipients": Quota(5_000, HOUR, "recipients")}
    steps = [Step(40, {"recipients": 500})]
    assert duration(steps, rate) == Duration(3 * HOUR, "recipients")
    assert duration([*steps, Step(1, {"recipients": 1})], rate).seconds == 4 * HOUR


def test_what_was_taken_before_counts_until_its_window_is_over() -> None:
    before = {"campaigns": [(-3_000.0, 2), (-4_000.0, 9), (-600.0, 1)]}
    found = [duration([Step(n, {"campaigns": 1})], QUOTAS, before).seconds for n in range(1, 7)]
    assert found == [0.0, 600.0, 600.0, 3_000.0, HOUR, 600.0 + HOUR]


def test_the_quota_that_costs_the_most_time_is_named() -> None:
    steps = [Step(1000, {"requests": 1}), Step(5, {"campaigns": 1}), Step(100, {"requests": 1})]
    assert duration(steps, QUOTAS) == Duration(99 + HOUR + 9, "campaigns")
    assert duration(steps[:1], QUOTAS) == Duration(99.0, "requests")


def test_each_stage_takes_its_own() -> None:
    limits = Limits(rows=6, size=1_000_000, part_rows=2)
    stages = [*STAGES[:-1], Stage("send", carries_rows=False, quotas=("campaigns",))]
    steps = list(steps_of([6, 6, 1], stages, limits, last=("recipients",)))
    each = dict.fromkeys(REQUESTS, 1)
    sent = {**each, "campaigns": 1}
    assert steps == [
        Step(3, each),  # list
        Step(7, each),  # screen, part by part
        Step(7, each),  # load
        Step(3, each),  # ready
        Step(1, each),  # afford
        Step(1, {**sent, "recipients": 6}),
        Step(1, {**sent, "recipients": 6}),
        Step(1, {**sent, "recipients": 1}),
    ]
    assert not sum(step.times for step in steps_of([], stages, limits))


@pytest.mark.parametrize(("rows", "tasks"), [(1, 1), (500, 1), (501, 2), (1000, 2)])
def test_a_part_that_is_not_full_is_a_part(rows: int, tasks: int) -> None:
    limits = Limits(rows=50_000, size=1_000_000, part_rows=500)
    assert tasks_of(Stage("load", Scope.PART, repeatable=True), limits, rows) == tasks
    assert tasks_of(SEND, limits, rows) == 1


# Each request at the first moment at which no window would hold too much: looked for among the
# moments at which something that was taken before stops counting.

names = st.sampled_from(["a", "b"])
quotas = st.fixed_dictionaries(
    {
        name: st.builds(Quota, st.integers(1, 7), st.integers(1, 5).map(float), st.just(name))
        for name in "ab"
    }
)
some_steps = st.lists(
    st.builds(Step, st.integers(0, 6), st.dictionaries(names, st.integers(1, 7), max_size=2)),
    max_size=5,
)


def fits(taken: list[tuple[float, int]], at: float, amount: int, quota: Quota) -> bool:
    counting = sum(one for since, one in taken if since + quota.per_seconds > at)
    return counting + amount <= quota.limit or not counting


@given(steps=some_steps, quotas=quotas)
@examples(150)
def test_it_is_the_time_of_a_simulated_window(steps: list[Step], quotas: dict[str, Quota]) -> None:
    taken: dict[str, list[tuple[float, int]]] = {name: [] for name in quotas}
    now = 0.0
    for step in steps:
        for _ in range(step.times):
            moments = {now}
            for name, quota in quotas.items():
                moments |= {since + quota.per_seconds for since, _ in taken[name]}
            now = next(
                at
                for at in sorted(moments)
                if at >= now
                and all(fits(taken[name], at, n, quotas[name]) for name, n in step.takes.items())
            )
            for name, amount in step.takes.items():
                taken[name].append((now, amount))
    assert duration(steps, quotas).seconds == now
