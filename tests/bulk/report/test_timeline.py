"""When rows were accepted, and came further, in spans that fit a chart."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.report.funnel import ARRIVED
from mailkit.bulk.report.timeline import LINES, MOST, WIDTHS, deliveries_of, timeline_of
from mailkit.events import DeliveryStatus

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


@pytest.mark.parametrize(("offset", "begin"), [(0, 0), (3 * 3600, -3 * 3600), (-3600, -82_800)])
def test_a_day_begins_when_it_does_in_the_zone(offset: int, begin: int) -> None:
    found = timeline_of(lambda: [(100.0, 1), (50 * 86400.0, 1)], offset)
    assert found is not None
    assert (found.width, found.spans[0].begin) == (86400, begin)


# deliveries

LIVES = st.lists(st.tuples(TIMES, st.sampled_from(DeliveryStatus)), min_size=1, max_size=6)


@given(st.lists(LIVES, min_size=1, max_size=8))
def test_every_row_is_once_in_each_line_that_it_reached(
    lives: list[list[tuple[float, DeliveryStatus]]],
) -> None:
    rises: list[tuple[float, int, int, int]] = []
    for life in lives:
        before = 0
        for at, status in life:
            if status > before:
                rises.append((at, before, status, 1))
                before = status
    found = deliveries_of(lambda: rises)
    joined = {
        "delivered": [_first(life, ARRIVED, 40) for life in lives],
        "opened": [_first(life, (50, 60), 50) for life in lives],
        "clicked": [_first(life, (60,), 60) for life in lives],
        "failed": [_first(life, (70, 71, 72, 73), 70) for life in lives],
    }
    times = {name: [at for at in times if at is not None] for name, times in joined.items()}
    if found is None:
        assert not any(times.values())
        return
    assert [*found.lines] == [line.name for line in LINES if times[line.name]]
    assert len(found.begins) <= MOST
    for name, spans in found.lines.items():
        for begin, rows in zip(found.begins, spans, strict=True):
            assert rows == sum(begin <= at < begin + found.width for at in times[name])


def _first(
    life: list[tuple[float, DeliveryStatus]], statuses: Iterable[int], least: int
) -> float | None:
    """When a row first came as far as that, if it was into one of these."""
    for at, status in life:
        if status >= least:
            return at if status in statuses else None
    return None


def test_a_row_that_was_no_delivery_after_all_leaves_its_line() -> None:
    found = deliveries_of(lambda: [(60.0, 0, 40, 5), (120.0, 40, 0, 2), (180.0, 0, 40, 1)])
    assert found is not None
    assert found.lines == {"delivered": [5, -2, 1]}
    assert deliveries_of(lambda: [(60.0, 0, 40, 5), (61.0, 40, 0, 5)]) is None


def test_nothing_came_so_far() -> None:
    assert deliveries_of(list) is None
    assert deliveries_of(lambda: [(60.0, 0, 10, 5), (60.0, 10, 31, 5)]) is None
