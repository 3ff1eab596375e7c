"""Cells that a spreadsheet would run: quoted with an apostrophe, and read back as they were.

An apostrophe is added to whatever begins with such a character, or with apostrophes before one, so
that exactly one has to be taken off again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["FACTS", "harmless", "is_plain", "original"]

FACTS = ("line", "state", "reason", "chunk", "delivery")
"""The last columns of a report's rows: a list that has them is a report that was saved."""

_risky = "=+\\-@\t\r\n＝＋－＠"
_would_run = re.compile(f"'*[{_risky}]").match
_may_run = re.compile(f",[{_risky}']").search


def harmless(cell: str) -> str:
    """The cell as a spreadsheet shows it and does not run it."""
    return "'" + cell if _would_run(cell) else cell


def is_plain(cells: Sequence[str], line: str) -> bool:
    """Whether this line, which is these cells with commas between them, is CSV, and a spreadsheet
    would run none of them; False, too, if that is not certain.
    """
    return not (
        '"' in line
        or "\n" in line
        or "\r" in line
        or line.count(",") != len(cells) - 1
        or len(cells) < 2
        or _may_run("," + line)
    )


def original(cell: str) -> str:
    """The cell as it was before `harmless`."""
    return cell[1:] if cell[:1] == "'" and _would_run(cell) else cell
