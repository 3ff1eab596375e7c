"""The rows of a report as CSV: harmless in a spreadsheet, and exact where they are sent again."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailkit.bulk.source import RecipientSource, read_recipients
from mailkit.message import Recipient

from ..cli.shop import invoke
from .journey import Journey, source_of, travel

FORMULAS = [
    "=1+1", "=cmd|'/c calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1",
    "－1", "＠x", '=HYPERLINK("http://evil.example")',
]  # fmt: skip


def keep(place: Path, source: RecipientSource | Iterable[Any]) -> Journey:
    """A job of this list in a journal of its own."""
    given_source = source if isinstance(source, RecipientSource) else read_recipients(source)
    return asyncio.run(travel(given_source, place=place))


def report(place: Path, *words: str) -> str:
    ended = invoke("report", "autumn", "--journal", place, *words, env={})
    assert ended.exit_code == 0
    warned = "--as-recipients" in words and "accepted" in ended.stderr
    assert warned or ended.stderr == ""
    return ended.stdout_bytes.decode()


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


# what a spreadsheet would run


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_begins_as_a_formula_does(tmp_path: Path, formula: str) -> None:
    items = [
        Recipient("a@b.by", {"name": formula, formula: "x"}),
        Recipient(formula, {"name": "y"}),
        Recipient("=1+1@example.com", {"name": formula}),
    ]
    keep(tmp_path / "journal.db", items)
    header, *rows = cells(report(tmp_path / "journal.db", "--csv"))
    for cell in [*header, *(cell for row in rows for cell in row)]:
        assert not cell.startswith(tuple("=+-@\t\r\n＝＋－＠")), cell
    column = formula.strip()
    assert header[:3] == ["email", "name", column if column[0] == "'" else header[2]]
    assert rows[0][1] == "'" + column
    assert rows[2][0] == "'=1+1@example.com"


def test_the_reason_and_the_service_s_words_are_harmless_too(tmp_path: Path) -> None:
    keep(tmp_path / "journal.db", source_of("email,name\n=1@@b.by,x\n=x,y\n@,\n"))
    for row in cells(report(tmp_path / "journal.db", "--csv"))[1:]:
        assert not any(cell.startswith(("=", "@")) for cell in row)


def test_as_recipients_changes_no_cell(tmp_path: Path) -> None:
    items = [(f"p{n}@b.by", {"value": formula}) for n, formula in enumerate(FORMULAS)]
    keep(tmp_path / "journal.db", items)
    rows = cells(report(tmp_path / "journal.db", "--as-recipients"))
    assert rows == [
        ["email", "value"],
        *([f"p{n}@b.by", f.strip()] for n, f in enumerate(FORMULAS)),
    ]


def test_a_report_that_is_saved_and_sent_is_read_as_it_was(tmp_path: Path) -> None:
    """The apostrophes are a spreadsheet's: no value and no address keeps one."""
    values = [*FORMULAS, "'=x", "''+y", "'quoted'", "O'Neil", "'"]
    items = [(f"+p{n}@b.by", {"=name": value}) for n, value in enumerate(values)]
    keep(tmp_path / "journal.db", items)
    file = tmp_path / "again.csv"
    file.write_bytes(report(tmp_path / "journal.db", "--csv").encode())
    second = asyncio.run(travel(read_recipients(file)))
    assert second.mailed == [address for address, _ in items]
    assert second.values("=name") == [value.strip() for value in values]


def test_a_report_of_a_list_with_columns_of_the_same_names_can_be_sent(tmp_path: Path) -> None:
    own = {name: f"own {name}" for name in ("delivery", "state", "x", "line", "reason", "chunk")}
    for n, columns in enumerate(([*own], ["state"], ["reason", "x"])):
        folder = tmp_path / str(n)
        folder.mkdir()
        values = {name: own[name] for name in columns}
        keep(folder / "journal.db", [("a@b.by", values)])
        file = folder / "again.csv"
        file.write_bytes(report(folder / "journal.db", "--csv").encode())
        second = asyncio.run(travel(read_recipients(file)))
        assert second.mailed == ["a@b.by"]
        assert {name: second.values(name) for name in columns} == {
            k: [v] for k, v in values.items()
        }


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_an_apostrophe_before_an_address_is_a_spreadsheet_s(delimiter: str) -> None:
    addresses = ["+a@b.by", "-c@d.by", "=e@f.by", "anna@b.by", "o'neil@b.by"]
    lines = ["email;name", *(f"'{address};'=x" for address in addresses), "''+g@b.by;x"]
    text = "\n".join(lines).replace(";", delimiter)
    journey = asyncio.run(travel(source_of(text)))
    assert journey.mailed == [*addresses, "'+g@b.by"]
    assert journey.values("name")[0] == "'=x"  # it is no report: values are left alone
    alone = asyncio.run(travel(source_of("\n".join(["email", *(f"'{a}" for a in addresses)]))))
    assert alone.mailed == addresses


# sent again


def again(first: Journey, place: Path) -> Journey:
    """The report's rows as a list, which is read and planned like any other."""
    file = place.with_name("again.csv")
    file.write_bytes(report(place, "--as-recipients").encode())
    second = asyncio.run(travel(read_recipients(file)))
    rows = [row for row in first.rows if row.address or any(row.fields)]  # others are blank lines
    assert len(second.rows) == len(rows)
    assert [name.strip() for name in first.columns if name.strip()] == second.columns
    for before, after in zip(rows, second.rows, strict=True):
        assert (before.state == "invalid") <= (after.state == "invalid")
        if before.state != "invalid":
            assert (after.state, after.address) == (before.state, before.address)
            was = dict(zip(first.columns, before.fields, strict=False))
            now = dict(zip(second.columns, after.fields, strict=False))
            assert {k: v for k, v in was.items() if k and v} == {k: v for k, v in now.items() if v}
    return second


def test_a_report_that_is_sent_again_has_the_same_rows(tmp_path: Path) -> None:
    lines = [
        {"email": "a@b.by", "x;email;y;z": "1", "tab\temail": "2", "cr\rcr": "3"},
        {"email": "A@B.by", "last, name": 'say "hi"'},
        {"email": "   "},
        {"email": ""},
        {"email": "c@d.by", "": "left out", " city ": "\ufeffMinsk\u2028"},
        {"email": "e@f.by", "city": " \r ", "last, name": "\r\n\n\r"},
        {"email": "\ufeff"},
        {"email": "g@h.by", "city": "x" * 131_000},
    ]
    keep_place = tmp_path / "journal.db"
    first = keep(
        keep_place, source_of("no JSON\n" + "\n".join(map(json.dumps, lines)), format="jsonl")
    )
    assert first.report.counts.accepted == 4
    second = again(first, keep_place)
    assert second.values("city")[1] == "Minsk"


def test_of_a_list_of_addresses_alone_the_blank_ones_are_blank_lines_then(tmp_path: Path) -> None:
    first = keep(tmp_path / "journal.db", ["", "  ", "\t", "a@b.by", "\r", "\n", "\u2028", "x"])
    assert first.report.counts.invalid == 7
    assert len(again(first, tmp_path / "journal.db").rows) == 2


NAMES = st.text(st.sampled_from("abе,;\t\"'\r\n =@"), min_size=1, max_size=6) | st.sampled_from(
    ["name", "x;email;y", "email,x", "e\u0301", "é"]
)
VALUES = st.text(max_size=12) | st.text(st.sampled_from(',;\t"\r\n =@\x00\ufeff\x85'), max_size=6)
ADDRESSES = st.sampled_from(
    ["a@b.by", "c@d.by", "=e@f.by", "A@B.by", "nobody", "", " ", "\r", "\0\n", "'+h@b.by", "'"]
)


@settings(derandomize=True, max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(ADDRESSES, st.dictionaries(NAMES, VALUES, max_size=4)), min_size=1, max_size=6
    ).filter(lambda items: any(address.strip("\r\n \0") for address, _ in items))
)
@example([("a@b.by", {"\r": "x", "b": "\r"})])
def test_every_report_can_be_sent_again(items: list[tuple[str, dict[str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "journal.db"
        again(keep(place, items), place)
