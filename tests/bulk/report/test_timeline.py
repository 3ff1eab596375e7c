"""When rows were accepted, in spans that fit a chart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.report.timeline import MOST, WIDTHS, timeline_of

TIMES = st.floats(0, 4e9) | st.floats(1.7e9, 1.7e9 + 100)


@given(st.lists(st.tuples(TIMES, st.integers(1, 50_000)), min_size=1, max_size=30))
def test_every_row_is_in_the_span_of_its_time(accepted: list[tuple[float, int]]) -> None:
    found = timeline_of(lambda: accepted)
    assert found is not None
    assert len(found.spans) <= MOST
    assert found.rows == sum(rows for _, rows in accepted)
    total = 0
    for n, span in enumerate(found.spans):
        assert span.begin == found.spans[0].begin + n * found.width
        end = span.begin + found.width
        assert span.rows == sum(rows for at, rows in accepted if span.begin <= at < end)
        total += span.rows
        assert span.total == total
    assert found.spans[0].rows
    assert found.spans[-1].rows


def test_nothing_was_accepted() -> None:
    assert timeline_of(list) is None


@pytest.mark.parametrize(
    ("seconds", "width", "rate"),
    [
        (0, 1, (500.0, "second")),
        (59, 1, (500.0, "second")),
        (60, 2, (250.0, "second")),
        (1_700, 30, (1_000.0, "minute")),
        (40 * 3600, 3600, (500.0, "hour")),
        (300 * 86400, 7 * 86400, (500 / 168, "hour")),
    ],
)
def test_the_width_is_the_smallest_that_fits(
    seconds: int, width: int, rate: tuple[float, str]
) -> None:
    begin = 86400 * 14 * 1000
    found = timeline_of(lambda: [(begin, 500), (begin + seconds, 500 if seconds else 0)])
    assert found is not None
    assert found.width == width in WIDTHS
    assert (found.rate(found.spans[0]), found.unit[0]) == rate
