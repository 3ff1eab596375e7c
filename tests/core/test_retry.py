from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.core.retry import Outcome, Policy, delay, parse_retry_after

NOW = datetime(2030, 1, 1, tzinfo=UTC).timestamp()


def decide(
    outcome: Outcome,
    *,
    later: bool = False,
    retry_after: float | None = None,
    attempt: int = 1,
    elapsed: float = 0.0,
    repeatable: bool = False,
    policy: Policy | None = None,
) -> float | None:
    return delay(
        outcome,
        later=later,
        retry_after=retry_after,
        attempt=attempt,
        elapsed=elapsed,
        repeatable=repeatable,
        policy=policy or Policy(),
        random=Random(1),
    )


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize(
    ("outcome", "later", "again"),
    [
        (Outcome.ANSWERED, False, (False, False)),
        (Outcome.REFUSED, False, (False, False)),
        (Outcome.REFUSED, True, (True, True)),
        (Outcome.NOT_SENT, False, (True, True)),
        (Outcome.UNKNOWN, False, (False, True)),
        (Outcome.NOT_NOW, False, (False, True)),
    ],
)
def test_only_what_certainly_did_nothing_or_may_be_repeated_goes_out_again(
    outcome: Outcome, later: bool, again: tuple[bool, bool], repeatable: bool
) -> None:
    wait = decide(outcome, later=later, repeatable=repeatable)
    assert (wait is not None) == again[repeatable]


def test_there_are_three_attempts() -> None:
    waits = [decide(Outcome.NOT_SENT, attempt=attempt) for attempt in (1, 2, 3, 4)]
    assert [wait is not None for wait in waits] == [True, True, False, False]


def test_waits_double_and_vary() -> None:
    policy = Policy(attempts=100, total=10_000, first=1.0, longest=8.0)
    for attempt, most in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (99, 8)):
        wait = decide(Outcome.NOT_SENT, attempt=attempt, policy=policy)
        assert wait is not None
        assert most / 2 <= wait <= most


def test_the_service_s_wait_is_kept_if_the_budget_allows_it() -> None:
    assert decide(Outcome.REFUSED, later=True, retry_after=30.0) == 30.0
    assert decide(Outcome.REFUSED, later=True, retry_after=30.0, elapsed=29.0) == 30.0
    assert decide(Outcome.REFUSED, later=True, retry_after=30.0, elapsed=31.0) is None
    assert decide(Outcome.REFUSED, later=True, retry_after=61.0) is None


@given(
    st.sampled_from(Outcome),
    st.booleans(),
    st.none() | st.floats(0, 1e9),
    st.integers(1, 10),
    st.floats(0, 100),
)
def test_no_wait_passes_the_budget(
    outcome: Outcome, later: bool, retry_after: float | None, attempt: int, elapsed: float
) -> None:
    wait = decide(
        outcome,
        later=later,
        retry_after=retry_after,
        attempt=attempt,
        elapsed=elapsed,
        repeatable=True,
    )
    assert wait is None or (wait > 0 and elapsed + wait <= 60 and wait >= (retry_after or 0))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("17", 17.0),
        (" 17 ", 17.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 400, 366 * 86400.0),
        (format_datetime(datetime(2030, 1, 1, 0, 1, tzinfo=UTC), usegmt=True), 60.0),
        (format_datetime(datetime(2029, 1, 1, tzinfo=UTC), usegmt=True), 0.0),
        ("Tue, 01 Jan 9999 00:00:00 GMT", 366 * 86400.0),
        ("Tue, 01 Jan 2030 00:00:30", 30.0),
        ("Tue, 99 Jan 2030 00:00:30 GMT", None),
        ("Tue, 01 Jan 99999999999999999999 00:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(
    value: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text())
def test_retry_after_never_fails(value: str) -> None:
    wait = parse_retry_after(value, NOW)
    assert wait is None or 0 <= wait <= 366 * 86400
