"""The short form of ``python -m tests.faults.campaign_matrix``: every eleventh cell."""

from __future__ import annotations

import pytest

from .campaign_matrix import Cell, cells, play

SAMPLE = list(cells())[::37]


@pytest.mark.parametrize("cell", SAMPLE, ids=lambda cell: cell.id)
async def test_a_fault_on_the_way_of_a_campaign(cell: Cell) -> None:
    await play(cell)
