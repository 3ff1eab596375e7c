"""Sources: every row comes out once, with its line, readable or with the reason why not."""

import asyncio
import csv
import gzip
import io
import itertools
import json
import math
import os
import re
import sqlite3
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailkit.address import Address
from mailkit.bulk import lines as lines_module
from mailkit.bulk.csv_source import CsvRows
from mailkit.bulk.rows import Partial
from mailkit.bulk.source import Item, RecipientSource, Row, read_recipients
from mailkit.errors import InvalidArgument
from mailkit.message import Recipient
from mailkit.text import BLANKS

UTF16 = "email,name\na@b.by,Анна\n"


async def rows_of(source: RecipientSource, size: int = 1000) -> list[Row]:
    return [row async for batch in source.batches(size) for row in batch]


async def read(content: str | bytes, **options: Any) -> list[Row]:
    data = content.encode() if isinstance(content, str) else content
    return await rows_of(read_recipients(io.BytesIO(data), **options))


async def refusal(content: str | bytes, **options: Any) -> str:
    with pytest.raises(InvalidArgument) as caught:
        await read(content, **options)
    return str(caught.value)


def faults(row: Row) -> dict[str, str]:
    """What is no text in this row."""
    assert isinstance(row.values, Partial)
    assert all(row.values[name] == "" for name in row.values.faults)
    return row.values.faults


def broken(rows: list[Row]) -> dict[int, str]:
    return {row.line: row.reason for row in rows if row.reason is not None}


# CSV


async def test_a_csv_file_gives_rows_in_the_order_of_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "autumn.csv"
    file.write_text('name,Email,city\nAnna,a@b.by,"Minsk, ""BY"""\n\n , x ,\n', newline="")
    source = read_recipients(file)
    assert source.name == "autumn"
    assert (source.progress, source.rows_read) == (None, 0)
    assert await source.columns() == ("name", "city")
    assert await rows_of(source) == [
        Row(2, "a@b.by", ("Anna", 'Minsk, "BY"')),
        Row(4, "x", ("", "")),
    ]
    assert (source.progress, source.rows_read) == (1.0, 2)
    assert source.address_column == "Email"
    assert len(await rows_of(source)) == 2, "a file can be read again"


@pytest.mark.parametrize(
    ("head", "columns"),
    [
        ("email;name, surname", ("name, surname",)),
        ("email\tname;surname,", ("name;surname,",)),
        ("email|name", ("name",)),
        ("email|Email", ()),
        ("email,first|last|family", ("first|last|family",)),
        ("first|last|family\temail", ("first|last|family",)),
        ("EMAIL,name", ("name",)),
        ("E-Mail , name ", ("name",)),
        ('"email","first\nname"', ("first name",)),
        ("email", ()),
        ("email,name,,", ("name",)),
        ("\n \nemail,name", ("name",)),
    ],
)
async def test_the_delimiter_is_the_one_that_makes_sense_of_the_header(
    head: str, columns: tuple[str, ...]
) -> None:
    source = read_recipients(io.StringIO(head + "\n" + "a@b.by" + "\n"))
    assert await source.columns() == columns


async def test_two_spellings_of_the_address_column_are_not_one_name() -> None:
    assert await read("email|Email\n|a@b.by\nb@b.by|\n") == [
        Row(2, "a@b.by", ()),
        Row(3, "b@b.by", ()),
    ]


async def test_the_delimiter_can_be_given() -> None:
    assert await read("email|name\na@b.by|Anna", delimiter="|") == [Row(2, "a@b.by", ("Anna",))]
    # In UTF-8, the first of these two letters begins, and the second one ends, as the delimiter.
    [row, odd] = await read("email¤name\na@b.by¤©Ф\nb@b.by©Ф", delimiter="¤")
    assert row == Row(2, "a@b.by", ("©Ф",))
    assert odd.reason == "'©' in the domain; only 1 field where the header has 2"


async def test_columns_without_a_name_are_left_out() -> None:
    assert await read("x,,email,\n1,2,a@b.by,4\n") == [Row(2, "a@b.by", ("1",))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_lines_are_counted_as_they_stand_in_the_file(end: str) -> None:
    text = end.join(["email,name", 'a@b.by,"An', 'na"', "", "c@d.by,Ivan", "   ", "e@f.by", ""])
    rows = await read(text)
    assert [row.line for row in rows] == [2, 5, 7]
    assert rows[0].values == (f"An{end}na",)


async def test_a_row_with_too_few_or_too_many_fields_keeps_its_line_and_the_reason() -> None:
    rows = await read("email,name\na@b.by;Anna\nc@d.by,Ivan\ne@f.by,x,y\nAnna\n")
    assert broken(rows) == {
        2: "';' in the domain; only 1 field where the header has 2",
        4: "3 fields where the header has 2",
        5: "no @; only 1 field where the header has 2",
    }
    assert rows[0] == Row(2, "a@b.by", (), rows[0].reason), "the address is shown"


async def test_rows_of_nothing_are_skipped_and_empty_addresses_are_not() -> None:
    assert await read("email\n\n  \na@b.by\n") == [Row(4, "a@b.by", ())]
    rows = await read('email,name\n,\n" ",\xa0\n,Anna\n,,,\n')
    assert rows == [Row(4, "", ("Anna",))]
    assert "nothing below it" in await refusal('email\n""\n')


async def test_a_quote_that_is_not_closed_costs_its_own_line_only() -> None:
    rows = await read('email,name\na@b.by,"Anna\nc@d.by,Ivan\n"e@f.by",Olga\ng@h.by,"Oleg')
    assert broken(rows) == {2: "a quote that is not closed", 5: "a quote that is not closed"}
    assert [row.address for row in rows] == ["a@b.by", "c@d.by", "e@f.by", "g@h.by"]


async def test_a_stray_quote_that_swallows_lines_costs_its_own_line_only() -> None:
    rows = await read('email,name\n"a@b.by,Anna\nc@d.by,Ivan\ne@f.by,x"\ng@h.by,Olga\n')
    assert broken(rows) == {2: "1 field where the header has 2, over 3 lines"}
    assert [row.address for row in rows] == ["a@b.by", "c@d.by", "e@f.by", "g@h.by"]


async def test_text_after_a_closing_quote_makes_the_row_invalid() -> None:
    rows = await read('email,name\na@b.by,"Shop" Inc\nc@d.by,Ivan "the" Great\n')
    assert broken(rows) == {2: "text after a closing quote"}
    assert rows[1].values == ('Ivan "the" Great',)


async def test_a_quote_that_is_never_closed_does_not_eat_the_memory() -> None:
    others = [f"user{n}@shop.by,Anna Petrova" for n in range(60_000)]
    text = "\n".join(["email,name", 'a@b.by,"Anna', *others])
    source = read_recipients(io.BytesIO(text.encode()))
    count = 0
    tracemalloc.start()
    async for batch in source.batches():
        count += len(batch)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 60_001
    assert peak < 20_000_000


async def test_too_many_quotes_that_are_not_closed_end_the_reading() -> None:
    text = "email,name,x\n" + 'a",b,"c\n' * 200_000
    assert "too many rows open a quote that is not closed" in await refusal(text)


async def test_a_field_and_a_line_have_a_bound() -> None:
    huge = "x" * 10_000_000
    text = f'email,name\na@b.by,{huge}\nc@d.by,"{"y" * 200_000}"\ne@f.by,Olga\n'
    rows = await read(text)
    assert [row.line for row in rows] == [2, 3, 4]
    assert broken(rows) == {
        2: "a line longer than 1,000,000 characters",
        3: "a field longer than 131,072 characters",
    }
    assert "the header can't be read" in await refusal("email," + huge + "\na@b.by,x\n")


async def test_reading_leaves_the_limits_of_the_process_alone() -> None:
    before = csv.field_size_limit()
    await read('email,name\na@b.by,"' + "x" * 500_000)
    assert csv.field_size_limit() == before


async def test_a_hundred_thousand_columns_are_read() -> None:
    names = ",".join(f"c{n}" for n in range(100_000))
    values = "," * 100_000
    source = read_recipients(
        io.BytesIO(f"email,{names}\n{f'a@b.by{values}{chr(10)}' * 20}".encode())
    )
    batches = [batch async for batch in source.batches()]
    assert sum(map(len, batches)) == 20
    assert len(batches) > 1, "such rows come in small batches"
    assert len(await source.columns() or ()) == 100_000


async def test_a_value_with_nul_bytes_is_no_text() -> None:
    first, second, third = await read("email,name\na@b.by,An\0na\nc@d.by,Ivan\n\0@f.by,x\n")
    assert faults(first) == {"name": "text with NUL bytes"}
    assert (second.values, third.reason) == (("Ivan",), "NUL bytes")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "the file is empty"),
        ("\n \n\n", "the file is empty"),
        ("\ufeff", "the file is empty"),
        ("email,name\n", "has a header and nothing below it"),
        ("name,city\nAnna,Minsk\n", "has no column 'email', only 'name', 'city'; rename"),
        ("a@b.by\nc@d.by\n", "the first line is an address; add a header line"),
        ("email,name,name\n", "has a header and nothing below it"),
        ("email,E-mail\n", "more than one column may have the addresses: 'email', 'E-mail'"),
        ('"email,name\na@b.by,x\n', "line 1: the header can't be read"),
        (b"PK\x03\x04" + b"\0" * 50, "is a damaged Excel workbook or zip archive"),
        (gzip.compress(b"email\na@b.by\n", mtime=0), "is a gzip archive; unpack it first"),
        (b"%PDF-1.7\n\0\n", "is a PDF"),
        (b"\x7fELF\0\0\0\n", "NUL bytes in its first line"),
    ],
)
async def test_what_is_no_list_is_refused_with_a_sentence(
    content: str | bytes, sentence: str
) -> None:
    assert sentence in await refusal(content)


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
async def test_a_mark_decides_the_encoding(encoding: str) -> None:
    expected = [Row(2, "a@b.by", ("Анна",))]
    assert await read(UTF16.encode(encoding)) == expected
    if encoding != "utf-8":
        assert await read(UTF16.encode(encoding), encoding="cp1251") == expected


async def test_an_encoding_can_be_given() -> None:
    for encoding in ("cp1251", "koi8-r", "utf-16-le", "utf-16-be"):
        rows = await read(UTF16.encode(encoding), encoding=encoding)
        assert rows == [Row(2, "a@b.by", ("Анна",))]


async def test_bytes_that_cannot_be_decoded_are_named_with_place_and_remedy() -> None:
    sentence = await refusal("email,name\na@b.by,x\nc@d.by,Анна\n".encode("cp1251"))
    assert "is not utf-8: line 3, byte 28 of the file is 0xc0" in sentence
    assert "encoding='cp1251'" in sentence
    far = b"email\n" + b"a@b.by\n" * 300_000 + b"\xff\n"
    assert f"line 300002, byte {len(far) - 1} of the file" in await refusal(far)
    assert "is not utf-8" in await refusal(b"email\na@b.by\xd0")
    assert "is not cp1251: line 2, byte 7" in await refusal(b"email\n\x98\n", encoding="cp1251")
    assert "is not utf-16" in await refusal(UTF16.encode("utf-16-le"), encoding="utf-16")
    assert "is not utf-16" in await refusal(UTF16.encode("utf-16") + b"\0", encoding="utf-8")


@pytest.mark.parametrize("rows", [1, 20_000])  # 20,000 are several blocks
@pytest.mark.parametrize("given", [None, "utf-8", "UTF_8"])
async def test_a_line_that_is_not_utf_8_in_a_list_that_is_has_no_other_encoding(
    rows: int, given: str | None
) -> None:
    data = b"email,name\n" + "a@b.by,Анна\n".encode() * rows
    bad = len(data) + len("c@d.by,") + 1
    data += "c@d.by,Иван\n".encode("cp1251") + "e@f.by,Вера\n".encode()
    sentence = await refusal(data, encoding=given)
    assert sentence.endswith(
        f" is UTF-8, but not in line {rows + 2}: byte {bad} of the file is 0xc8; correct that line"
    )


@pytest.mark.parametrize("names", ["Анна,Иван", "Оля,x", "José,Müller,Françoise", "Łukasz,Zoë,Żak"])
@pytest.mark.parametrize("encoding", ["cp1251", "cp1252", "latin-1", "koi8-r"])
async def test_a_list_in_utf_8_is_not_read_as_gibberish(names: str, encoding: str) -> None:
    rows = "".join(f"a{n}@b.by,{name}\r\n" for n, name in enumerate(names.split(",")))
    data = f"email,name\r\n{rows}".encode()
    sentence = await refusal(data, encoding=encoding)
    assert f"is UTF-8, not {encoding}, in line 2, which would read '" in sentence
    assert sentence.endswith(f"; leave out encoding='{encoding}'")
    mixed = data + "c@d.by,щи\n".encode("koi8-r")
    if "Оля" in names or "Анна" in names:
        assert "in line 2, which would read" in await refusal(mixed, encoding=encoding)


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1251", ["ОАО «БЕЛАЗ»", "«ГАЗ»", "Р°", "С™", "№ 5", "Їжак", "Ґанок"]),
        ("cp1252", ["NESCAFÉ®", "CAFÉ™", "Zoë", "“AMANHÔ"]),
        ("cp866", ["тамтам", "собака", "стеклотара", "Вера"]),
        ("koi8-r", ["Анна", "ПЯТЬ", "щи"]),
        ("gbk", ["联通", "王伟"]),
    ],
)
async def test_names_in_another_encoding_are_not_taken_for_utf_8(
    encoding: str, names: list[str]
) -> None:
    for several in ([name] * 3 for name in names):
        data = "\n".join(["email,name", *(f"a@b.by,{name}" for name in several)])
        rows = await read(data.encode(encoding), encoding=encoding)
        assert [row.values for row in rows] == [(name,) for name in several]


async def test_a_file_that_is_open_as_text_is_read_as_it_is() -> None:
    rows = await rows_of(read_recipients(io.StringIO("\ufeffemail\r\na@b.by\r\n")))
    assert rows == [Row(2, "a@b.by", ())]
    with pytest.raises(InvalidArgument, match="encoding= comes too late"):
        await rows_of(read_recipients(io.StringIO("email\na@b.by"), encoding="cp1251"))
    text = io.TextIOWrapper(io.BytesIO(b"email,name\na@b.by,\xff\n"), "utf-8", "surrogateescape")
    with pytest.raises(InvalidArgument, match="its encoding could not read"):
        await rows_of(read_recipients(text))
    text = io.TextIOWrapper(io.BytesIO(b"email,name\na@b.by,\xff\n"), "utf-8")
    with pytest.raises(InvalidArgument, match="opened with another encoding"):
        await rows_of(read_recipients(text))


# JSON lines


async def test_json_lines_give_rows_with_named_values(tmp_path: Path) -> None:
    file = tmp_path / "autumn.jsonl"
    file.write_text(
        '{"email": "a@b.by", "name": "Анна \\"x\\"\\n", "n": 1.50, "ok": true, "no": null}\r\n'
        "\n"
        '{"name": "Ivan", "E-Mail": "c@d.by"}\n',
        encoding="utf-8",
    )
    source = read_recipients(file)
    assert await source.columns() is None
    assert await rows_of(source) == [
        Row(1, "a@b.by", {"name": 'Анна "x"', "n": "1.50", "ok": "true", "no": ""}),
        Row(3, "c@d.by", {"name": "Ivan", "E-Mail": "c@d.by"}),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"name": "Anna"}', "no key 'email'"),
        ('{"email": ["a@b.by"]}', "the address is a list"),
        ('{"email": "a@b.by", "email": "c@d.by"}', "the address is given twice"),
        ('{"email": "a@b.by"', "not JSON: Expecting ',' delimiter at character"),
        ('{"email": "a@b.by"} x', "not JSON: Extra data at character 21"),
        ('["a@b.by"]', "JSON, but not an object"),
        ('"a@b.by"', "JSON, but not an object"),
        ("5", "JSON, but not an object"),
        ("a@b.by", "not JSON"),
        ('{"email": "a@b.by", "x": ' + "[" * 100_000, "JSON that is nested too deeply"),
        ('{"x": ' * 100_000, "JSON that is nested too deeply"),
        ('{"email": "a@b.by", "x": "' + "y" * 10_000_000 + '"}', "a line longer than 1,000,000"),
    ],
)
async def test_a_line_that_is_no_row_keeps_its_number_and_the_reason(
    line: str, reason: str
) -> None:
    good = '{"email": "c@d.by"}'
    rows = await read(f"{good}\n{line}\n{good}\n", format="jsonl")
    assert [(row.line, row.address) for row in rows[::2]] == [(1, "c@d.by"), (3, "c@d.by")]
    assert rows[1].address in ("", "a@b.by")
    assert reason in broken(rows)[2]


async def test_what_is_no_text_in_a_line_of_json_is_left_out() -> None:
    objects = {
        '{"email": "a@b.by", "x": [1]}': "a list; give text or a number",
        '{"email": "a@b.by", "x": {"y": [{}]}, "n": 1}': "an object; give text or a number",
        '{"email": "a@b.by", "x": "1", "x": "2"}': "given twice; give it once",
        '{"email": "a@b.by", "x": 1, "x": 2, "x": 3}': "given twice; give it once",
        '{"email": "a@b.by", "x": NaN}': "NaN; give text or a number",
        '{"email": "a@b.by", "x": -Infinity, "\\ud800": 1}': "-Infinity; give text or a number",
        '{"email": "a@b.by", "x": "\\ud800"}': "text with an unpaired surrogate: '\\ud800'",
        '{"email": "a@b.by", "x": "a\\u0000b"}': "text with NUL bytes",
    }
    rows = await read("\n".join(objects))
    assert {row.address for row in rows} == {"a@b.by"}
    assert [faults(row) for row in rows] == [{"x": fault} for fault in objects.values()]


async def test_a_row_with_a_hundred_thousand_keys_is_read() -> None:
    fields = {"email": "a@b.by"} | {f'"{n}': n for n in range(50_000)}
    [row] = await read(json.dumps(fields))
    assert len(row.values) == 50_000


CHARS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
FIELDS = st.dictionaries(
    CHARS,
    st.none() | st.booleans() | st.integers() | CHARS,
    max_size=4,
)


@given(st.lists(FIELDS.map(lambda fields: {**fields, "email": "a@b.by"}), min_size=1, max_size=4))
async def test_what_json_writes_is_read_back(objects: list[dict[str, Any]]) -> None:
    for ascii_only in (True, False):
        text = "\n".join(json.dumps(fields, ensure_ascii=ascii_only) for fields in objects)
        rows = await read(text)
        assert [row.reason for row in rows] == [None] * len(objects)
        for row, fields in zip(rows, objects, strict=True):
            assert row.address == fields["email"]
            assert row.values == {
                key: value.strip(BLANKS)
                if isinstance(value, str)
                else ("" if value is None else json.dumps(value))
                for key, value in fields.items()
                if key != "email"
            }


# Which format it is


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "email\na@b.by"),
        ("a.TSV", "email\tname\na@b.by\tAnna"),
        ("a.txt", "email\na@b.by"),
        ("a", "email\na@b.by"),
        ("a.ndjson", '{"email": "a@b.by"}'),
        ("a.json", ' \n{"email": "a@b.by"}'),
    ],
)
async def test_the_format_is_told_by_the_suffix_or_the_first_character(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    [row] = await rows_of(read_recipients(str(tmp_path / name)))
    assert row.address == "a@b.by"


async def test_a_json_list_is_refused_with_the_remedy() -> None:
    assert "write one object per line" in await refusal('[\n{"email": "a@b.by"}\n]')


async def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path, sentence in (
        (tmp_path / "none.csv", "there is no file"),
        (tmp_path, "is a directory"),
        (Path("a\0b"), "can't be read"),
        (Path("x" * 5000), "can't be read"),
    ):
        with pytest.raises(InvalidArgument, match=sentence):
            await rows_of(read_recipients(path))
        with pytest.raises(InvalidArgument, match=sentence):
            await read_recipients(path).columns()


@pytest.mark.parametrize(
    ("source", "options", "sentence"),
    [
        ("x.csv", {"encoding": "klingon"}, "'klingon' is not a text encoding"),
        ("x.csv", {"encoding": "base64"}, "'base64' is not a text encoding"),
        ("x.csv", {"delimiter": "\\t"}, "delimiter: give one character"),
        ("x.csv", {"delimiter": '"'}, "delimiter: give one character"),
        ("x.csv", {"format": "xls"}, "format: give 'csv', 'jsonl' or 'xlsx'"),
        ([], {"encoding": "utf-8"}, "are for files, not for iterables"),
        (5, {}, "can't be read from an int"),
        (None, {}, "can't be read from a NoneType"),
        (b"a@b.by", {}, "can't be read from a bytes"),
        ({"email": "a@b.by"}, {}, "can't be read from a dict"),
        (Recipient("a@b.by"), {}, "can't be read from a Recipient"),
    ],
)
def test_what_makes_no_sense_is_refused_before_reading(
    source: Any, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidArgument, match=sentence):
        read_recipients(source, **options)


async def test_a_delimiter_for_json_lines_is_refused() -> None:
    assert "have no delimiter" in await refusal('{"email": "a@b.by"}', delimiter=";")


# Streams


async def test_stdin_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO("email,name\na@b.by,Анна\n".encode()), "ascii")
    monkeypatch.setattr("sys.stdin", stdin)
    source = read_recipients("-")
    assert source.name == "stdin"
    assert await source.columns() == ("name",)
    assert await source.columns() == ("name",)
    assert await rows_of(source) == [Row(2, "a@b.by", ("Анна",))]
    with pytest.raises(InvalidArgument, match="stdin can be read only once"):
        await rows_of(source)


async def test_an_open_file_is_not_closed(tmp_path: Path) -> None:
    (tmp_path / "autumn.csv").write_text("email\na@b.by\n")
    with (tmp_path / "autumn.csv").open("rb") as file:
        source = read_recipients(file)
        assert source.name == "autumn"
        assert len(await rows_of(source)) == 1
        assert source.progress == 1.0
        assert not file.closed
    with pytest.raises(InvalidArgument, match="can't be read"):
        await rows_of(read_recipients(file))


async def test_a_stream_that_gives_anything_but_bytes_or_text_is_refused() -> None:
    class Odd:
        def read(self, size: int) -> Any:
            return None

    class Later:
        async def read(self, size: int) -> bytes:
            return b""

    class Broken:
        def read(self, size: int) -> bytes:
            raise OSError("the disk is gone")

    with pytest.raises(InvalidArgument, match="gives NoneType where a file gives bytes"):
        await rows_of(read_recipients(Odd()))
    with pytest.raises(InvalidArgument, match="read asynchronously"):
        read_recipients(Later())  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="the disk is gone"):
        await rows_of(read_recipients(Broken()))


async def test_a_gzip_stream_is_read_without_a_fraction() -> None:
    with gzip.open(io.BytesIO(gzip.compress(b"email\na@b.by\n", mtime=0))) as file:
        source = read_recipients(file)
        assert len(await rows_of(source)) == 1
        assert source.progress is None


async def test_rows_come_while_a_pipe_is_still_open() -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as reading, os.fdopen(theirs, "wb", buffering=0) as writing:
        writing.write(b"email,name\n" + b"a@b.by,Anna\n" * 10)
        async with aclosing(read_recipients(reading).batches(2)) as batches:
            assert len(await anext(batches)) == 2


async def test_waiting_for_a_pipe_can_be_cancelled() -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as reading, os.fdopen(theirs, "wb", buffering=0) as writing:
        source = read_recipients(reading)
        with anyio.move_on_after(0.05) as scope:
            await rows_of(source)
        assert scope.cancelled_caught
        writing.close()  # lets the read that was left to itself end


async def test_the_event_loop_goes_on_while_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "big.csv"
    file.write_text("email,name\n" + "user@shop.by,Anna\n" * 50_000)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    assert len(await rows_of(read_recipients(file))) == 50_000
    counting.cancel()
    assert turns > 10


async def test_a_reading_that_is_left_early_closes_its_file(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("email\n" + "a@b.by\n" * 100_000)
    source = read_recipients(file)
    async with aclosing(source.batches()) as batches:
        assert len(await anext(batches)) == 1000
    assert source.rows_read == 1000
    assert source.progress is not None
    assert 0 < source.progress < 1


async def test_batches_are_of_the_size_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("email\n" + "a@b.by\n" * 2500)
    source = read_recipients(file)
    assert [len(batch) async for batch in source.batches(1000)] == [1000, 1000, 500]


# Iterables


async def test_an_iterable_may_give_all_kinds_of_items() -> None:
    items: list[Item] = [
        "a@b.by",
        Recipient("c@d.by", {"name": "Anna"}, line=7),
        {"Email": "e@f.by", "n": 1, "x": None, "ok": True, "sum": Decimal("1.50")},
        ("g@h.by", {"day": date(2030, 5, 1), "at": datetime(2030, 5, 1, 10)}),
    ]
    source = read_recipients(items)
    assert await source.columns() is None
    expected = [
        Row(1, "a@b.by", {}),
        Row(7, "c@d.by", {"name": "Anna"}),
        Row(3, "e@f.by", {"n": "1", "x": "", "ok": "true", "sum": "1.50"}),
        Row(4, "g@h.by", {"day": "2030-05-01", "at": "2030-05-01T10:00:00"}),
    ]
    assert await rows_of(source) == expected
    assert await rows_of(source) == expected, "a list can be read again"
    assert (source.name, source.progress, source.rows_read) == ("recipients", None, 4)


async def test_rows_of_a_database_are_mappings() -> None:
    with sqlite3.connect(":memory:") as database:
        database.row_factory = sqlite3.Row
        cursor = database.execute("select 'a@b.by' as email, 5 as n")
        assert await rows_of(read_recipients(cursor)) == [Row(1, "a@b.by", {"n": "5"})]
    database.close()


async def test_an_item_without_an_address_keeps_its_number_and_the_reason() -> None:
    items: list[Any] = [
        {"name": "Anna"},
        {"email": b"a@b.by"},
        {"email": ["a@b.by"]},
        {"еmail": "a@b.by"},
        {"Рабочий e-mail": "a@b.by", "Личный e-mail": "c@d.by"},
        {},
        "x@y.by",
    ]
    assert list(broken(await rows_of(read_recipients(items))).values()) == [
        "no key 'email', only 'name'",
        "the address is bytes; decode them, or give text",
        "the address is a list; give text or a number",
        "no key 'email': in 'еmail', 'е' (cyrillic small letter ie, U+0435) only looks like 'e'",
        "the keys 'Рабочий e-mail' and 'Личный e-mail' may all be the address",
        "no key 'email'",
    ]
    for item, reason in {
        '{"mail2": "a@b.by", "x": 1}': "no key 'email', only 'mail2', 'x'; choose the key",
        '{"еmail": "a@b.by"}': "(cyrillic small letter ie, U+0435) only looks like 'e'; choose",
        '{"Почта": "a@b.by", "E-mail клиента": ""}': "may all be the address; choose the key with",
    }.items():
        for source in (io.StringIO(item), [json.loads(item)]):
            with pytest.raises(InvalidArgument) as caught:
                await rows_of(read_recipients(source))
            assert "no row has an address: " in str(caught.value)
            assert reason in str(caught.value)


async def test_what_is_no_text_in_an_item_is_left_out() -> None:
    values: dict[str, Any] = {
        "a list; give text or a number": [1],
        "a dict; give text or a number": {"a": 1},
        "an object; give text or a number": object(),
        "bytes; decode them, or give text": b"1",
        "inf; give text or a number": math.inf,
        "-Infinity; give text or a number": Decimal("-Infinity"),
        "text with an unpaired surrogate: '\\ud800'": "\ud800",
        "text with NUL bytes": "a\0b",
    }
    items: list[Any] = [{"email": "a@b.by", "x": value, None: 1} for value in values.values()]
    items += [("a@b.by", {"x": value, 5: "five"}) for value in values.values()]
    rows = await rows_of(read_recipients(items))
    assert [faults(row) for row in rows] == [{"x": fault} for fault in values] * 2
    assert {row.address for row in rows} == {"a@b.by"}
    assert all(
        "five" in dict.values(row.values) for row in rows[8:] if isinstance(row.values, dict)
    )


class Markup(str):
    """Text as template engines have it: what is made of it is of this class again."""

    __slots__ = ()

    def __str__(self) -> str:
        return self

    def strip(self, chars: str | None = None, /) -> str:
        return Markup(super().strip(chars))


class NAType:
    """What pandas has in place of a value, of whatever type."""

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


class NaT(datetime):
    """What pandas has in place of a moment."""

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        return "NaT"


async def test_values_of_other_libraries_are_texts_or_missing() -> None:
    a, x, n = Markup("a@b.by"), Markup(" x "), Markup("n")
    missing = [math.nan, Decimal("NaN"), NAType(), NaT(2030, 1, 1), None]
    items: list[Any] = [
        a,
        Recipient(a, {n: x}),
        (a, {n: x}),
        {Markup("email"): a, n: x},
        *[{"email": "a@b.by", "n": value} for value in missing],
    ]
    rows = await rows_of(read_recipients(items))
    [named] = await rows_of(read_recipients([Address("a@b.by", "Ann")]))
    assert (named.address, named.values) == ("a@b.by", {})
    assert [row.values for row in rows] == [{}, *[{"n": "x"}] * 3, *[{"n": ""}] * len(missing)]
    for row in rows:
        assert isinstance(row.values, dict)
        assert not isinstance(row.values, Partial)
        assert {type(text) for text in (row.address, *row.values, *row.values.values())} == {str}


@pytest.mark.parametrize("item", [5, None, ("a@b.by",), ("a@b.by", "x"), b"a@b.by", ["a@b.by"]])
async def test_an_item_of_another_kind_is_refused_with_its_number(item: Any) -> None:
    with pytest.raises(InvalidArgument, match="item 2 of the recipients is a"):
        await rows_of(read_recipients(["a@b.by", item]))


async def test_an_async_iterator_is_read_once_and_its_errors_come_as_they_are() -> None:
    async def cursor() -> AsyncIterator[str]:
        for n in range(2500):
            yield f"user{n}@shop.by"
        raise ZeroDivisionError("mine")

    source = read_recipients(cursor())
    with pytest.raises(ZeroDivisionError, match="mine"):
        await rows_of(source)
    assert source.rows_read == 2000
    with pytest.raises(InvalidArgument, match="only once"):
        await rows_of(source)


async def test_an_iterator_is_read_once_and_pauses_for_others() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def cursor() -> Iterator[str]:
        yield from itertools.repeat("a@b.by", 10_000)

    counting = asyncio.create_task(count())
    source = read_recipients(cursor())
    assert len(await rows_of(source)) == 10_000
    counting.cancel()
    assert turns >= 9
    with pytest.raises(InvalidArgument, match="only once"):
        await rows_of(source)


# Any text at all

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
WILD = st.text(st.sampled_from('a@b,;"\n\r\t \0é\u2028\x85{}[]:'), max_size=80)
NOTHING = f',"{BLANKS}'  # what a row of nothing has


@given(st.lists(WILD, max_size=6).map(lambda lines: "\n".join(lines).replace("\0", "")))
@example('x,"\n\n\n"y\n,"')
@example('""\n" "\n"\n"')
@example('"\r:"')
async def test_every_line_below_a_header_is_accounted_for(text: str) -> None:
    physical = list(io.StringIO(text, newline=""))
    try:
        rows = await read("email,name\n" + text)
    except InvalidArgument as error:
        assert "nothing below it" in str(error)  # noqa: PT017
        assert not text.strip(NOTHING)
        return
    assert [row.line for row in rows] == sorted({row.line for row in rows})
    ends = [row.line for row in rows[1:]] + [len(physical) + 2]
    covered = set()
    for row, end in zip(rows, ends, strict=True):
        covered.add(row.line)
        breaks = len(list(io.StringIO("".join((row.address, *row.values)), newline="")))
        if over := re.search(r", over (\d+) lines$", row.reason or ""):
            breaks = int(over[1]) - 1
        below = [n for n in range(row.line + 1, end) if physical[n - 2].strip(NOTHING)]
        assert len(below) <= breaks
        covered.update(below)
    somebody, something = (
        {n for n, line in enumerate(physical, 2) if line.strip(blank)} for blank in (NOTHING, None)
    )
    assert somebody <= covered <= something


CELLS = st.sampled_from(
    ["a@b.by", "Anna", "a b", " c@d.by ", "'e@f.by", "", " ", '"g@h.by"', '"i,j"']
)


@given(
    st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), min_size=1, max_size=6)
    | st.lists(st.tuples(CELLS, CELLS, CELLS).map(",".join), min_size=1, max_size=6),
    st.sampled_from(["email", "email,name", "name,email,city", "name,,email", "a,email,a"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
async def test_tables_column_by_column_are_as_row_by_row(
    lines: list[str], header: str, end: str
) -> None:
    async def outcome() -> list[Row] | str:
        try:
            return await read(end.join([header, *lines, ""]))
        except InvalidArgument as error:
            return str(error)

    together = await outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CsvRows, "_rows_of_columns", lambda *_, **__: None)
        assert together == await outcome()


@given(st.lists(WILD, max_size=6).map("\n".join), st.integers(1, 40))
async def test_rows_do_not_depend_on_the_size_of_blocks(text: str, size: int) -> None:
    async def outcome(head: str, **options: Any) -> list[Row] | str:
        try:
            return await read(head + text, **options)
        except InvalidArgument as error:
            return str(error)

    for head, options in (("email,name\n", {}), ('{"email":"a@b"}\n', {"format": "jsonl"})):
        whole = await outcome(head, **options)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lines_module, "_BLOCK", size)
            assert await outcome(head, **options) == whole


@example([("0,", "", "")], ",", "utf-8")
@example([("", "0", "\t")], "\t", "utf-8")
@example([("\t", "0", "")], "\t", "utf-8")
@example([("a\t", "\t0", "\tb")], "\t", "utf-8")
@given(
    st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1),
    st.sampled_from(",;\t"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
async def test_what_the_csv_module_writes_is_read_back(
    records: list[tuple[str, ...]], delimiter: str, encoding: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("name", "email", "city"), *records])
    if not any(cell.strip(BLANKS) for record in records for cell in record):
        return
    rows = await read(text.getvalue().encode(encoding))
    somebody = [record for record in records if any(cell.strip(BLANKS) for cell in record)]
    for row, (name, email, city) in zip(rows, somebody, strict=True):
        assert (row.address, row.reason) == (email.strip(BLANKS).removeprefix("'"), None)
        assert row.values == (name.strip(BLANKS), city.strip(BLANKS))


@given(st.binary(max_size=200), st.sampled_from([None, "csv", "jsonl"]))
async def test_any_bytes_are_rows_or_refused(data: bytes, format: Any) -> None:
    for head in (b"", b"email,name\n", b'{"email": "a@b.by"}\n'):
        try:
            rows = await read(head + data, format=format)
        except InvalidArgument as error:
            assert str(error)  # noqa: PT017
        else:
            assert all(math.isfinite(row.line) for row in rows)


@pytest.mark.parametrize("first", ["sep=;", "\ufeffSEP=;", '"sep=;"', "\nsep=;\n"])
async def test_the_delimiter_in_excel_s_first_line_holds(first: str) -> None:
    lines = f"{first}\nemail;a,b,c\na@b.by;x\n".encode()
    [row] = await read(lines)
    assert (row.line, row.address, row.values) == (3 + first.count("\n"), "a@b.by", ("x",))
    [row] = await read(lines.replace(b";", b"\t"))
    assert row.values == ("x",)
