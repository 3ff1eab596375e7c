"""What a list leaves out is counted, unless it is a single one: that is shown."""

from __future__ import annotations

import pytest

from mailkit.bulk.reasons import first_of


@pytest.mark.parametrize(("length", "shown"), [(0, 0), (9, 9), (10, 10), (11, 11), (12, 10)])
def test_a_notice_never_stands_for_one(length: int, shown: int) -> None:
    items = list(range(length))
    assert first_of(items, 10) == items[:shown]
