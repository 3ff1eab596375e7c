"""Tables as programs and people leave them: what stands around values costs nobody a row."""

from __future__ import annotations

import io
from typing import Any

import pytest

from mailkit.bulk import lines as lines_module
from mailkit.bulk.source import Item, Row, read_recipients, read_suppressions
from mailkit.errors import InvalidArgument

ANNA = Row(2, "a@b.by", ("Anna",))


async def read(content: str | bytes, **options: Any) -> list[Row]:
    data = content.encode() if isinstance(content, str) else content
    source = read_recipients(io.BytesIO(data), **options)
    return [row async for batch in source.batches() for row in batch]


async def test_blanks_and_empty_cells_cost_nobody_a_row() -> None:
    for text, rows in {
        "email;name\na@b.by;Anna;\n": [ANNA],
        "email;name\na@b.by;Anna;;; ;\n": [ANNA],
        "email;name;;\na@b.by;Anna\n": [ANNA],
        "email;name;\nno-at-sign;Anna\n": [Row(2, "no-at-sign", ("Anna",))],
        "email;name;city\na@b.by\nc@d.by;x\n": [
            Row(2, "a@b.by", ("", "")),
            Row(3, "c@d.by", ("x", "")),
        ],
        'email;name;city\na@b.by;"x\ny"\n': [Row(2, "a@b.by", ("x\ny", ""))],
        "email;name;\na@b.by;Anna;;\n;;\n ; ;\xa0;\n": [ANNA],
        " email ;\xa0name\n a@b.by\t;\u200bAnna\xa0\n": [ANNA],
        "email;name\n\ufeffa@b.by\u200b;\u202aAnna\u202c\n": [ANNA],
        "email;name\na@b.by; \u2060\u3164\n": [Row(2, "a@b.by", ("",))],
        "email,name\na@b.by,Anna\n\x1a": [ANNA],
        "email,name\na@b.by,Anna\x1a\n": [ANNA],
        "email,name\na@b.by,Anna,,\n,\n\n'c@d.by,'x\n": [ANNA, Row(5, "c@d.by", ("'x",))],
        'email, "name"\n a@b.by , "Anna" \n': [ANNA],
        'email,name\na@b.by, "Anna"\n': [ANNA],
        'email,name\n"a@b.by" ,"Anna" \n': [ANNA],
        'email,name\na@b.by,\xa0"Anna"\u200b\n': [ANNA],
        'email,name\na@b.by,"\n Anna "\n': [ANNA],
        'email;name\na@b.by; "Anna; P."\n': [Row(2, "a@b.by", ("Anna; P.",))],
        'email,name\na@b.by, "Anna, ""A"" , P" \n': [Row(2, "a@b.by", ('Anna, "A" , P',))],
        'email,name\na@b.by, "An\nna" \nc@d.by,x\n': [
            Row(2, "a@b.by", ("An\nna",)),
            Row(4, "c@d.by", ("x",)),
        ],
        'email,name\na@b.by, "open\nc@d.by,x\n': [
            Row(2, "a@b.by", ('"open',)),
            Row(3, "c@d.by", ("x",)),
        ],
        'email,name\na@b.by, "A" and "B"\n': [Row(2, "a@b.by", ('"A" and "B"',))],
        'email,name\n"a@b.by,Anna"\n': [ANNA],
        'email;name\n"a@b.by;Anna";\n': [ANNA],
        'email;name\n"a@b.by;Anna";;\n"c@d.by; e@f.by";\n': [
            ANNA,
            Row(3, "c@d.by; e@f.by", ("",)),
        ],
        ";;\nemail;name;\na@b.by;Anna;\n": [Row(3, *ANNA[1:])],
        '"",""\n\nemail,name\na@b.by,Anna\n': [Row(4, *ANNA[1:])],
        "email,name,x,x\na@b.by,Anna,1,2\n": [ANNA],
        "email,name,email\na@b.by,Anna,\n,x,'c@d.by\n'e@f.by,y,E@f.by\n": [
            ANNA,
            Row(3, "c@d.by", ("x",)),
            Row(4, "e@f.by", ("y",)),
        ],
        'email;name\n"Anna, A" <a@b.by>;Anna\nc@d.by;"x"\n': [
            Row(2, '"Anna, A" <a@b.by>', ("Anna",)),
            Row(3, "c@d.by", ("x",)),
        ],
        'name,email\nAnna, "P, ""A""" <a@b.by> \nx,c@d.by\n': [
            Row(2, '"P, ""A""" <a@b.by>', ("Anna",)),
            Row(3, "c@d.by", ("x",)),
        ],
        '"email;name"\n"a@b.by;Anna"\n"c@d.by;""x; y"""\n': [ANNA, Row(3, "c@d.by", ("x; y",))],
    }.items():
        assert await read(text) == rows, text
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lines_module, "_BLOCK", 5)
            assert await read(text) == rows, text


async def test_what_is_in_a_cell_too_many_costs_the_row_and_not_its_address() -> None:
    for line, reason in {
        "a@b.by;Anna;x": "3 fields where the header has 2",
        'a@b.by;"Anna" x': "text after a closing quote",
        'a@b.by;"Anna': "a quote that is not closed",
    }.items():
        assert await read(f"email;name\n{line}") == [Row(2, "a@b.by", (), reason)]
    [row] = await read("email;name\na@b.by;c@d.by;x\n")
    assert row.address == "", "which one is not clear"


async def test_a_row_with_too_few_cells_swallows_nobody() -> None:
    for lines, rows in {
        "a@b.by,Anna": [
            Row(2, "a@b.by", (), "the address is empty; only 1 field where the header has 3")
        ],
        "Anna": [Row(2, "", (), "the address is empty; only 1 field where the header has 3")],
        'Anna;a@b.by;"x\nIvan;c@d.by;y"': [
            Row(2, "a@b.by", ("Anna", "x\nIvan;c@d.by;y")),
        ],
        'Anna;"a@b.by;x\nIvan;c@d.by;y"': [
            Row(2, "a@b.by", (), "2 fields where the header has 3, over 2 lines"),
            Row(3, "c@d.by", ("Ivan", 'y"')),
        ],
        '"Anna;a@b.by;x\nIvan;c@d.by;y"': [
            Row(2, "a@b.by", (), "1 field where the header has 3, over 2 lines"),
            Row(3, "c@d.by", ("Ivan", 'y"')),
        ],
    }.items():
        assert await read(f"name;email;city\n{lines}\n") == rows, lines
    source = read_suppressions(io.BytesIO(b"email;reason;since\na@b.by\nc@d.by;spam\n"))
    assert [row.address async for batch in source.batches() for row in batch] == [
        "a@b.by",
        "c@d.by",
    ]


async def test_text_within_a_quoted_cell_is_no_row() -> None:
    for row, fault in {
        'a@b.by,"x\nevil@x.by,Bob,Minsk\nend",C,extra': "4 fields where the header has 3",
        'a@b.by, "x\nevil@x.by,Bob,Minsk\nend" ,C,extra': "4 fields where the header has 3",
        'a@b.by,"evil@x.by,Bob,Minsk\nevil@y.by,Bob,Minsk",C,extra': "4 fields where the header",
        'a@b.by,"x\nevil@x.by,Bob,Minsk\nend"': "2 fields where the header has 3",
    }.items():
        first, after = await read(f"email,name,city\n{row}\nz@b.by,Z,Y\n")
        assert first[:3] == (2, "a@b.by", ()), row
        assert first.reason is not None
        assert first.reason.startswith(fault), row
        assert after[1:] == ("z@b.by", ("Z", "Y"), None), row


async def test_values_of_json_and_of_items_lose_their_blanks_too() -> None:
    text = '{"email": " a@b.by\\u200b", "name": "\\ufeffAnna "}\n{"email":"c@d.by","name":" "}\n'
    rows = [Row(1, "a@b.by", {"name": "Anna"}), Row(2, "c@d.by", {"name": ""})]
    assert await read(text) == rows
    items: list[Item] = [
        {"email": "\xa0a@b.by", "name": "Anna\x1a"},
        ("c@d.by\u200b", {"name": "\u200b"}),
    ]
    source = read_recipients(items)
    assert [row async for batch in source.batches() for row in batch] == rows


async def test_what_a_file_is_whatever_its_name_says() -> None:
    html = "is a web page (HTML); open it in a spreadsheet"
    for content, format, sentence in (
        ('[{"email": "a@b.by"}]', "csv", "is one JSON array; write one object per line"),
        ('\ufeff [\n{"email": "a@b.by"}]', None, "is one JSON array"),
        ('{"email": "a@b.by"}\n', "csv", "is JSON lines, not CSV; rename it to .jsonl"),
        ('{\n "email": "a@b.by"\n}\n', "jsonl", "is JSON with objects that span lines"),
        ("email;name\na@b.by;x\n", "jsonl", "is not JSON lines: it begins with 'email;name'"),
        ("a@b.by\n", "jsonl", "is not JSON lines: it begins with 'a@b.by'"),
        ("email\na@b.by\n", "xlsx", "is text, not an Excel workbook"),
        ("<table><tr><td>a@b.by</td></tr></table>", "csv", html),
        ("\n<!DOCTYPE html>\n<html>", "csv", html),
        ('<html xmlns:x="urn:x"><a@b.by>', "xlsx", html),
        ('<?xml version="1.0"?><Workbook/>', "csv", "is XML; open it in a spreadsheet"),
        ("<people><p>a@b.by</p></people>", None, "is XML or a web page (HTML)"),
        ("{\\rtf1\\ansi a@b.by}", "csv", "is an RTF document"),
        ("BEGIN:VCARD\nEMAIL:a@b.by\n", "csv", "is a vCard file"),
        ("Received: from x\nTo: a@b.by\n", None, "is an email message"),
        (
            b"\xd0\xcf\x11\xe0" + bytes(50),
            "csv",
            "is an old Excel workbook, or one with a password",
        ),
        (b"%PDF-1.7\n\0\n", "csv", "is a PDF"),
    ):
        data = content.encode() if isinstance(content, str) else content
        for reader in (read_recipients, read_suppressions):
            source = reader(io.BytesIO(data), format=format)  # type: ignore[arg-type]
            with pytest.raises(InvalidArgument) as caught:
                await source.columns()
            assert sentence in str(caught.value), content
    angles = read_suppressions(io.BytesIO(b"<a@b.by>; <c@d.by>\n"))
    assert [row.address async for batch in angles.batches() for row in batch] == [
        "a@b.by",
        "c@d.by",
    ]


async def test_utf_16_without_a_mark_is_read_as_such() -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        text = "email;имя\na@b.by;Анна\n"
        assert await read(text.encode(encoding)) == [Row(2, "a@b.by", ("Анна",))]


async def stops(content: str | bytes, **options: Any) -> list[str]:
    data = content.encode() if isinstance(content, str) else content
    source = read_suppressions(io.BytesIO(data), **options)
    await source.columns()
    return [row.address async for batch in source.batches() for row in batch]


async def test_a_stop_list_in_another_encoding_is_refused_only_where_that_matters() -> None:
    cyrillic = "имя;эл. почта\nАнна;a@b.by\n".encode("cp1251")
    with pytest.raises(InvalidArgument, match="line 1, byte 1 of the file is 0xe8; give its enc"):
        await stops(cyrillic)
    assert await stops(cyrillic, encoding="cp1251") == ["a@b.by"]
    assert await stops("email;имя\na@b.by;Анна\n".encode("cp1251")) == ["a@b.by"]


async def test_a_stop_list_has_its_own_addresses_column_or_that_of_the_list() -> None:
    like = read_recipients("list.csv", email_column="Личный e-mail")
    two = "Рабочий e-mail;Личный e-mail\nx@y.by;a@b.by\n"
    assert await stops(two, like=like) == ["a@b.by"]
    line = '{"Рабочий e-mail": "x@y.by", "Личный e-mail": "a@b.by"}\n'
    assert await stops(line, like=like) == ["a@b.by"]
    for own in ("Почта\na@b.by\n", "a@b.by\n", '{"email": "a@b.by"}\n'):
        assert await stops(own, like=like) == ["a@b.by"]
    for header in ("email;email", "email;Email"):
        assert await stops(f"{header}\na@b.by;c@d.by\n") == ["a@b.by", "c@d.by"]
    with pytest.raises(InvalidArgument, match="more than one column may have the addresses"):
        await stops(two, like=read_recipients("list.csv"))


async def test_a_stop_list_may_be_like_the_list() -> None:
    like = read_recipients("list.csv", encoding="cp1251", delimiter="#")
    data = "имя#email\nАнна#ann@пример.бел\n".encode("cp1251")
    source = read_suppressions(io.BytesIO(data), like=like)
    assert [row.address async for batch in source.batches() for row in batch] == ["ann@пример.бел"]


async def test_a_cell_that_has_but_a_delimiter_is_a_cell() -> None:
    [row] = await read('name,email,city\n",",,\n')
    assert (row.values, row.reason) == ((",", ""), None)
