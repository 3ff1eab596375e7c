"""The rows of a workbook's sheet, as the library reads them, and formulas without a value beside
those, which the library takes for empty cells. Importing this needs the extra ``excel``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser

__all__ = ["rows_of"]


class _Parser(WorkSheetParser):  # type: ignore[misc, unused-ignore]
    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        is_empty = cell["value"] is None and cell["data_type"] != "str"  # a text may be empty
        if is_empty and element.find(FORMULA_TAG) is not None:
            cell["data_type"] = "f"
        return cell


def rows_of(sheet: Any) -> Iterator[tuple[int, Sequence[Any]]]:
    """The number and the cells of each row that is stored."""
    book = sheet.parent
    with sheet._get_source() as source:
        parser = _Parser(
            source,
            sheet._shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        last = 0
        for number, cells in parser.parse():
            if number > last and cells:
                last = number
                yield number, sheet._get_row(cells)
