"""Lists in .xlsx: what a person sees in the cells is what is read."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from xlsxwriter import Workbook

from mailkit.bulk import workbook_source
from mailkit.bulk.rows import Partial
from mailkit.bulk.source import Row, read_recipients, read_suppressions
from mailkit.errors import InvalidArgument

MOMENT = datetime(2026, 5, 1, 9, 5)


def workbook(**sheets: Any) -> io.BytesIO:
    """A workbook; a cell may be a pair of a value and its format."""
    file = io.BytesIO()
    book = Workbook(file)
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for n, row in enumerate(rows):
            for m, cell in enumerate(row):
                value, code = cell if isinstance(cell, tuple) else (cell, "General")
                shape = book.add_format({"num_format": code})
                if isinstance(value, datetime):
                    sheet.write_datetime(n, m, value, shape)
                elif isinstance(value, str) and value.startswith("="):
                    sheet.write_formula(n, m, value, None, code)  # pyright: ignore[reportArgumentType]
                elif value is not None:
                    sheet.write(n, m, value, shape)
    book.close()
    return io.BytesIO(file.getvalue())


def changed(file: io.BytesIO, change: Callable[[str], str]) -> io.BytesIO:
    """The same workbook with other names of its parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(file) as before, zipfile.ZipFile(out, "w") as after:
        for name in before.namelist():
            after.writestr(change(name), before.read(name))
    return io.BytesIO(out.getvalue())


def rewritten(file: io.BytesIO, old: bytes, new: bytes) -> io.BytesIO:
    """The same workbook with other words in its sheet."""
    out = io.BytesIO()
    with zipfile.ZipFile(file) as before, zipfile.ZipFile(out, "w") as after:
        for name in before.namelist():
            part = before.read(name)
            after.writestr(name, part.replace(old, new) if "/worksheets/" in name else part)
    return io.BytesIO(out.getvalue())


async def read(file: io.BytesIO | Path, **options: Any) -> list[Row]:
    source = read_recipients(file, **options)
    await source.columns()
    return [row async for batch in source.batches() for row in batch]


async def refusal(file: io.BytesIO | Path, **options: Any) -> str:
    with pytest.raises(InvalidArgument) as caught:
        await read(file, **options)
    return str(caught.value)


PEOPLE = [
    ["Имя", "Эл. почта"],
    ["Анна ", "\xa0a@b.by"],
    [],
    [None, None],
    ["Ира", "c@d.by", "a note"],
]


async def test_a_sheet_s_rows_are_read_with_their_numbers(tmp_path: Path) -> None:
    rows = [Row(2, "a@b.by", ("Анна",)), Row(5, "c@d.by", ("Ира",))]
    file = workbook(People=PEOPLE)
    assert await read(file) == rows
    for name in ("people.xlsx", "people.csv"):
        (tmp_path / name).write_bytes(file.getvalue())
        source = read_recipients(tmp_path / name)
        assert await source.columns() == ("Имя",)
        assert source.address_column == "Эл. почта"
        assert await read(tmp_path / name) == rows
    shared = changed(workbook(People=PEOPLE), lambda name: name.replace("shared", "Shared"))
    assert await read(shared) == rows, "as 1C writes it"


async def test_empty_last_cells_which_no_workbook_has_cost_nobody_a_row() -> None:
    rows = [["email", "name", "city"], ["a@b.by"], ["c@d.by", "Ира"], [None, "Олег"]]
    assert await read(workbook(People=rows)) == [
        Row(2, "a@b.by", ("", "")),
        Row(3, "c@d.by", ("Ира", "")),
        Row(4, "", ("Олег", "")),
    ]


async def test_cells_are_what_a_person_sees() -> None:
    cells = {
        (375291234567, "General"): "375291234567",
        (375291234567.0, "0"): "375291234567",
        (1234567.891, "General"): "1234567.891",
        (0.1 + 0.2, "General"): "0.3",
        (12.5, '0.00" BYN"'): "12.50 BYN",
        (1234.5, "#,##0.00"): "1234.50",
        (12345, "000000"): "012345",
        (0.125, "0.0%"): "12.5%",
        (-5, "0"): "-5",
        (True, "General"): "TRUE",
        ("007", "@"): "007",
        ("two\nlines", "@"): "two\nlines",
        ("=1+1", 2): "2",
        (MOMENT, "dd.mm.yyyy"): "01.05.2026",
        (MOMENT, "[$-419]d/m/yy h:mm;@"): "1/5/26 9:05",
        (MOMENT, "d mmmm yyyy"): "2026-05-01 09:05",
        (datetime(2026, 5, 1), "mm-dd-yy"): "2026-05-01",
    }
    header = ["email", *(f"c{n}" for n in range(len(cells)))]
    [row] = await read(workbook(People=[header, ["a@b.by", *cells]]))
    assert dict(zip(cells, row.values, strict=True)) == cells


async def test_an_error_in_a_cell_is_no_text() -> None:
    [row, other] = await read(
        workbook(People=[["email", "x"], ["a@b.by", ("=NA()", "#N/A")], [("=NA()", "#N/A"), "y"]])
    )
    assert isinstance(row.values, Partial)
    assert row.values.faults == {"x": "the error #N/A; fix it in the workbook"}
    assert other.reason == "the address is the error #N/A; fix it in the workbook"


async def test_a_formula_without_its_value_is_no_text() -> None:
    rows = [["email", "x"], ["a@b.by", ("=1+1", "")], [("=B2", ""), "y"], ["c@d.by", ("=B2", 0)]]
    file = workbook(People=rows)
    [row, other, right] = await read(file)
    assert isinstance(row.values, Partial)
    assert "a formula without its value; open the workbook in Excel" in row.values.faults["x"]
    assert "the address is a formula without its value" in (other.reason or "")
    assert right.values == ("0",)
    file.seek(0)
    [row, other, _] = await read(rewritten(file, b"><f>", b' t="str"><f>'))
    assert (row.values, other.address) == (("",), ""), "a formula's value may be an empty text"


async def test_the_sheet_is_the_one_with_addresses_or_is_named() -> None:
    file = workbook(Notes=[["read me"], ["x"]], People=PEOPLE, Empty=[])
    assert len(await read(file)) == 2
    several = workbook(Minsk=PEOPLE, Brest=[["email"], ["x@y.by"]])
    assert "several sheets, 'Minsk' and 'Brest': choose one with sheet=…" in await refusal(several)
    assert await read(several, sheet="brest ") == [Row(2, "x@y.by", ())]
    assert "has no sheet 'Gomel', only 'Minsk', 'Brest'" in await refusal(several, sheet="Gomel")
    assert "it has no sheets" in await refusal(io.BytesIO(b"email\na@b.by\n"), sheet="Minsk")
    assert "has no delimiter" in await refusal(file, delimiter=";")
    assert "is empty" in await refusal(workbook(Empty=[]))


async def test_lines_of_csv_in_one_column_are_taken_apart() -> None:
    file = workbook(People=[["email;name"], ["a@b.by;Anna"], ['c@d.by;"x; y"']])
    assert await read(file) == [Row(2, "a@b.by", ("Anna",)), Row(3, "c@d.by", ("x; y",))]


async def test_a_stop_list_may_be_a_workbook() -> None:
    for rows in (
        [["a@b.by"], ["Ann <c@d.by>"]],
        [["причина", "Почта"], ["спам", "a@b.by"], [None, "c@d.by"]],
    ):
        source = read_suppressions(workbook(Stop=rows))
        found = [row.address async for batch in source.batches() for row in batch]
        assert [one.rpartition("<")[2].strip(">") for one in found] == ["a@b.by", "c@d.by"]


async def test_what_is_no_workbook_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def archive(name: str) -> io.BytesIO:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as parts:
            parts.writestr(name, "x" * 100)
        return io.BytesIO(file.getvalue())

    assert "is a zip archive; unpack it first" in await refusal(archive("list.csv"))
    assert "is a Word document" in await refusal(archive("word/document.xml"))
    assert "is a binary Excel workbook" in await refusal(archive("xl/workbook.bin"))
    assert "is an OpenDocument file" in await refusal(archive("content.xml"))
    cut = io.BytesIO(b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument")
    assert "is an OpenDocument file" in await refusal(cut)
    whole = workbook(People=PEOPLE).getvalue()
    assert "is a damaged Excel workbook" in await refusal(io.BytesIO(whole[:-100]))
    broken = changed(io.BytesIO(whole), lambda name: name.replace("sheet1", "sheet7"))
    assert "is a workbook without worksheets" in await refusal(broken)
    cut = changed(io.BytesIO(whole), lambda name: name.replace("sharedS", "other"))
    assert "can't be read as a workbook (There is no item" in await refusal(cut)
    monkeypatch.setattr(workbook_source, "_LARGEST", 100)
    assert "too much to read; save it as CSV" in await refusal(io.BytesIO(whole))
    monkeypatch.setitem(sys.modules, "openpyxl.reader.excel", None)
    assert "pip install 'mailkit-bulk[excel]', or save it as CSV" in await refusal(
        io.BytesIO(whole)
    )
