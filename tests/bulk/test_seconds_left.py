"""How long a job still takes."""

from __future__ import annotations

import pytest

from mailkit.bulk.progress import seconds_left


@pytest.mark.parametrize(
    ("unsent", "rate", "waits", "quotas", "left"),
    [
        (0, 10.0, 5.0, 100.0, 0.0),
        (100, 10.0, 0.0, 0.0, 10.0),
        (100, 10.0, 5.0, 0.0, 15.0),
        (100, 10.0, 5.0, 3_600.0, 3_600.0),
        (100, 0.0, 0.0, 3_600.0, 3_600.0),
        (100, 0.0, 7_200.0, 3_600.0, 7_200.0),
        (100, 0.0, 0.0, 0.0, None),
        (100, 0.0, 0.0, 1.0, None),  # the requests themselves take longer
        (100, 0.0, 600.0, 1.0, None),
    ],
)
def test_the_slowest_of_them_says_when_it_ends(
    unsent: int, rate: float, waits: float, quotas: float, left: float | None
) -> None:
    assert seconds_left(unsent, rate, waits, quotas) == left
