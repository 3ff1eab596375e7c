"""The report as an .xlsx workbook: every cell is what it was, and none is run."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mailkit import Journal
from mailkit.bulk.report import workbook
from mailkit.bulk.report.workbook import WorkbookResult, excel_report
from mailkit.bulk.source import read_recipients
from mailkit.errors import InvalidArgument

from ...input.journey import travel

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
HOSTILE = [
    "=1+1", "=cmd|'/c calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1",
    '=HYPERLINK("http://evil.example")', "<r><t>x</t></r>",
    '<r></is></c><c r="A9" t="str"><f>1+1</f><v>2</v></c><c t="inlineStr"><is><r></r>',
    "http://evil.example", "mailto:a@b.by", "007", "1e5", "2026-01-01", "TRUE", "#REF!",
    " spaces ", "two\nlines", "\x01\x1b[2J\x7f", "\ufffe\uffff", "_x0041_", "Анна", "👋" * 3, "]]>",
    "&amp;<b>", "{=1}",
]  # fmt: skip

Sheets = dict[str, list[list[str]]]


def read(file: bytes) -> Sheets:
    """The cells of each sheet as a spreadsheet shows them."""
    sheets: Sheets = {}
    with zipfile.ZipFile(io.BytesIO(file)) as book:
        assert book.testzip() is None
        names = ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{MAIN}sheet")
        for n, sheet in enumerate(names, 1):
            tree = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{n}.xml"))
            assert not [*tree.iter(f"{MAIN}f")], "a formula"
            assert not [*tree.iter(f"{MAIN}hyperlink")]
            rows = [[_cell(cell) for cell in row] for row in tree.iter(f"{MAIN}row")]
            sheets[sheet.attrib["name"]] = rows
    return sheets


def _cell(cell: Any) -> str:
    assert cell.get("t") in {"inlineStr", "n", None}
    text = "".join(part.text or "" for part in cell.iter() if part.tag in {f"{MAIN}t", f"{MAIN}v"})
    return re.sub("_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), text)


def written(place: Path, items: Iterable[Any], **options: Any) -> tuple[WorkbookResult, Sheets]:
    """The workbook of a job that was sent to these people."""

    async def work() -> tuple[WorkbookResult, bytes]:
        await travel(read_recipients(items), place=place)
        journal = await Journal.open(place)
        try:
            file = io.BytesIO()
            result = await excel_report(journal, "autumn", file, **options)
        finally:
            await journal.close()
        return result, file.getvalue()

    result, file = asyncio.run(work())
    return result, read(file)


def test_every_cell_is_what_it_was_and_none_is_run(tmp_path: Path) -> None:
    items = [(f"p{n}@b.by", {"value": value}) for n, value in enumerate(HOSTILE)]
    items += [(value, {"value": "x"}) for value in HOSTILE]
    result, sheets = written(tmp_path / "journal.db", items)
    assert result == WorkbookResult(rows=2 * len(HOSTILE), cut=0)
    header, *rows = sheets["Rows"]
    assert header == ["email", "value", "line", "state", "reason", "chunk", "delivery"]
    kept = [
        "'" + value if value.startswith("<r>") else re.sub("[\ufffe\uffff]", "\ufffd", value)
        for value in map(str.strip, HOSTILE)
    ]
    assert [row[1] for row in rows[: len(kept)]] == kept
    assert [row[0] for row in rows[len(kept) :]] == [k.removeprefix("mailto:") for k in kept]
    assert [row[2] for row in rows] == [str(n + 1) for n in range(len(items))]
    assert dict(sheets["Summary"])["rows read"] == dict(sheets["Summary"])["sum"] == str(len(rows))


def test_rows_beyond_a_sheet_s_end_are_on_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "ROWS", 4)
    people = [f"p{n}@b.by" for n in range(7)]
    result, sheets = written(tmp_path / "journal.db", people)
    assert result.rows == 7
    assert [*sheets] == ["Summary", "Rows", "Rows 2", "Rows 3"]
    rows = [sheets[name] for name in sheets if name != "Summary"]
    assert {tuple(sheet[0]) for sheet in rows} == {tuple(rows[0][0])}
    assert [row[0] for sheet in rows for row in sheet[1:]] == people


def test_a_cell_that_is_too_long_is_cut_and_counted(tmp_path: Path) -> None:
    items = [("a@b.by", {"x": "ж" * 32_767}), ("c@d.by", {"x": "<r>" + "x" * 40_000 + "</r>"})]
    result, sheets = written(tmp_path / "journal.db", items)
    assert result == WorkbookResult(rows=2, cut=1)
    assert [len(row[1]) for row in sheets["Rows"][1:]] == [32_767, 32_767]


def test_some_states_and_none(tmp_path: Path) -> None:
    people = ["a@b.by", "nobody", "A@b.by"]
    _, sheets = written(tmp_path / "journal.db", people, states=["invalid", "duplicate"])
    assert [row[:3] for row in sheets["Rows"][1:]] == [
        ["nobody", "2", "invalid"],
        ["A@b.by", "3", "duplicate"],
    ]
    assert dict(sheets["Summary"])["rows read"] == "3"
    _, sheets = written(tmp_path / "other.db", people, states=["in_doubt"])
    assert len(sheets["Rows"]) == 1


def test_more_columns_than_a_sheet_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "COLUMNS", 6)
    with pytest.raises(InvalidArgument, match="1 columns"):
        written(tmp_path / "journal.db", [("a@b.by", {"x": "1"})])
