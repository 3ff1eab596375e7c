"""Cells that a spreadsheet would run: quoted with an apostrophe, and read back as they were.

An apostrophe is added to whatever begins with such a character, or with apostrophes before one, so
that exactly one has to be taken off again.
"""

from __future__ import annotations

import re

__all__ = ["FACTS", "harmless", "original"]

FACTS = ("line", "state", "reason", "chunk", "delivery")
"""The last columns of a report's rows: a list that has them is a report that was saved."""

_would_run = re.compile("'*[=+\\-@\t\r\n＝＋－＠]").match


def harmless(cell: str) -> str:
    """The cell as a spreadsheet shows it and does not run it."""
    return "'" + cell if _would_run(cell) else cell


def original(cell: str) -> str:
    """The cell as it was before `harmless`."""
    return cell[1:] if cell[:1] == "'" and _would_run(cell) else cell
