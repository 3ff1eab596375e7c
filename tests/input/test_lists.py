"""Lists as they come, the whole way: each row is mailed once, or keeps its line and a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from mailkit.bulk.source import RecipientSource, read_recipients
from mailkit.errors import InvalidArgument, MailkitError
from mailkit.message import Message, Recipient

from ..approval import approve
from .journey import PERSONAL, Journey, send, source_of, travel

TABLE = "email,name\nanna@shop.by,Анна\nivan@shop.by,Иван\n"


def letter(subject: str, html: str = "<p>Hi</p>") -> Message:
    return Message(sender="Shop <news@shop.example>", subject=subject, html=html)


async def refusal(content: str | bytes, message: Message = PERSONAL, **options: Any) -> str:
    with pytest.raises(InvalidArgument) as caught:
        await send(content, message, **options)
    return str(caught.value)


def reasons(journey: Journey) -> str:
    """Each line that was not sent, and why."""
    return "\n".join(f"{line}: {reason}" for line, reason in journey.reasons.items())


# Encodings, line ends, delimiters


@pytest.mark.parametrize("given", [None, "cp1251"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
async def test_a_byte_order_mark_decides_the_encoding(encoding: str, given: str | None) -> None:
    journey = await send(TABLE.encode(encoding), PERSONAL, encoding=given)
    assert journey.mailed == ["anna@shop.by", "ivan@shop.by"]
    assert journey.provider.letters["anna@shop.by"] == ("For Анна", "<p>Анна</p>")


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251", "koi8-r", "utf-16-le", "utf-16-be"])
async def test_without_a_mark_the_encoding_is_utf_8_or_the_one_that_is_named(encoding: str) -> None:
    given = None if encoding == "utf-8" else encoding
    journey = await send(TABLE.encode(encoding), PERSONAL, encoding=given)
    assert journey.values("name") == ["Анна", "Иван"]


async def test_a_list_in_another_encoding_is_refused_with_the_place_and_the_remedy() -> None:
    sentence = await refusal(TABLE.encode("cp1251"))
    assert "line 2, byte 25 of the file is 0xc0; give its encoding" in sentence


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_the_line_of_a_byte_that_cannot_be_read_counts_every_kind_of_line_end(
    end: str,
) -> None:
    data = end.join(["email,name", "a@b.by,x", "c@d.by,"]).encode() + b"\xff"
    assert f"line 3, byte {len(data)} of the file" in await refusal(data)
    wide = f"email,name{end}a@b.by,\u0a0a\u0a0d{end}".encode("utf-16-le") + b"\x00\xd8\x41\x00"
    assert "line 3" in await refusal(wide, encoding="utf-16-le")


async def test_line_ends_may_be_mixed_and_the_lines_are_counted_as_they_stand() -> None:
    text = 'email,name\r\na@b.by,x\nc@d.by,"y\r\nz"\re@f.by,\n\r\n  \r\rg@h.by,w'
    journey = await send(text)
    assert list(journey.states) == [2, 3, 5, 9]
    assert journey.values("name") == ["x", "y\r\nz", "", "w"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_comma_semicolon_and_tab_are_told_apart(delimiter: str) -> None:
    cells = [["name", "email", "last, first; and\tmore"], ["Анна", "a@b.by", "x,y;z\tw"]]
    text = "\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in cells)
    journey = await send(text)
    assert journey.columns == ["name", "last, first; and more"]
    assert journey.values("last, first; and more") == ["x,y;z\tw"]


# Columns


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("name,city\nx,y\n", "the file has no column 'email', only 'name', 'city'"),
        ("name,email,name\nx,a@b.by,y\n", "{{ name }}: the list has several columns 'name'"),
        ("email,E-Mail\na@b.by,c@d.by\n", "may have the addresses: 'email', 'E-Mail'; choose"),
        ("email,email\na@b.by,c@d.by\n", "line 2: two columns 'email' have different addresses"),
        ("email,Email\na@b.by,c@d.by\n", "line 2: two columns 'email' have different addresses"),
        ("email,city\na@b.by,y\n", "{{ name }}: the list has no such column"),
        ("", "the file is empty"),
        ("email,name\n", "has a header and nothing below it"),
        ("email,name\n\n \n", "has a header and nothing below it"),
        ('"email,name\na@b.by,x\n', "line 1: the header can't be read"),
        ("email,name\0\na@b.by,x\n", "has NUL bytes in its first line"),
    ],
)
async def test_columns_that_are_missing_empty_or_there_twice(content: str, sentence: str) -> None:
    assert sentence in await refusal(content, letter("For {{ name }} and {{ name | 'you' }}"))


async def test_columns_of_the_addresses_that_differ_in_case_are_one() -> None:
    journey = await send("Email,name,email,EMAIL\na@b.by,x,A@B.by,\n,y,,c@d.by\n")
    assert (journey.columns, journey.values("name")) == (["name"], ["x", "y"])
    assert journey.mailed == ["a@b.by", "c@d.by"]


async def test_columns_without_a_name_are_left_out() -> None:
    journey = await send("x,,email, \n1,2,a@b.by,4\n")
    assert (journey.columns, journey.values("x")) == (["x"], ["1"])


async def test_an_empty_value_takes_the_default_or_makes_the_row_invalid() -> None:
    text = "email,name\na@b.by,\nc@d.by,Анна\ne@f.by, \n"
    journey = await send(text, PERSONAL)
    assert journey.provider.letters["a@b.by"] == ("For you", "<p>friend</p>")
    journey = await send(text, letter("For {{ name }}, yes {{ name }}"))
    assert journey.reasons.keys() == {2, 4}
    approve("row: no value", *set(journey.reasons.values()))


async def test_a_hundred_thousand_columns_are_kept_to_the_last() -> None:
    names = ",".join(f"c{n}" for n in range(100_000))
    values = ",".join(map(str, range(100_000)))
    text = f"email,{names}\na@b.by,{values}\nc@d.by,1\ne@f.by,{values}\n"
    journey = await send(text, letter("{{ c99999 }} and {{ c0 }}, or so"))
    assert journey.states == {2: "accepted", 3: "invalid", 4: "accepted"}
    assert journey.provider.letters["e@f.by"][0] == "99999 and 0, or so"
    assert journey.reasons.keys() == {3}


# Rows of a table that can't be read


async def test_rows_that_cannot_be_read_cost_themselves_alone() -> None:
    text = (
        "email,name\n"
        'a@b.by,"Anna\n'  # 2: never closed
        "c@d.by,Ivan\n"
        "e@f.by;Anna\n"  # 4: another delimiter
        "g@h.by,x,y\n"  # 5: ragged
        "i@j.by,An\0na\n"  # 6: NUL
        'k@l.by,"Shop" Inc\n'  # 7: text after a quote
        '"m@n.by,x\n'  # 8 swallows 9 unless it is read again
        'o@p.by,y"\n'
        "q@r.by,z\n"
        's@t.by,"end'  # 11: never closed
    )
    journey = await send(text, PERSONAL)
    assert journey.mailed == ["c@d.by", "o@p.by", "q@r.by"]
    assert journey.reasons.keys() == {2, 4, 5, 6, 7, 8, 11}
    approve("rows: lines that can't be read", reasons(journey))
    assert list(journey.states) == list(range(2, 12))


async def test_a_field_of_ten_megabytes_costs_its_own_row() -> None:
    huge = "x" * 10_000_000
    text = f'email,name\na@b.by,Anna\nc@d.by,{huge}\ne@f.by,"{huge}"\ng@h.by,Olga\n'
    journey = await send(text)
    assert journey.mailed == ["a@b.by", "g@h.by"]
    assert journey.reasons.keys() == {3, 4}
    approve("row: too long", *set(journey.reasons.values()))
    assert list(journey.states) == [2, 3, 4, 5]


async def test_a_header_of_ten_megabytes_is_refused() -> None:
    sentence = await refusal("email," + "x" * 10_000_000 + "\na@b.by,x\n")
    approve("refused: a header that is too long", sentence)


async def test_a_letter_that_is_larger_than_a_request_is_invalid() -> None:
    items = [{"email": "a@b.by", "name": "x" * 10_000_000}, {"email": "c@d.by", "name": "y"}]
    journey = await travel(read_recipients(items), PERSONAL)
    assert journey.mailed == ["c@d.by"]
    assert journey.reasons.keys() == {1}
    approve("row: a message that is too large", reasons(journey))


async def test_quotes_that_open_over_and_over_cost_their_own_rows() -> None:
    journey = await send("email,name\n" + '"x\n' * 5_000)
    assert list(journey.states) == list(range(2, 5_002))
    assert journey.report.counts.invalid == 5_000
    text = "email,name,x\n" + 'a",b,"c\n' * 200_000
    assert "too many rows open a quote that is not closed" in await refusal(text)


# JSON lines


async def test_lines_that_are_no_row_cost_themselves_alone() -> None:
    lines = {
        '{"email": "a@b.by", "x": ' + "[" * 10_000 + "]" * 10_000 + "}": "nested too deeply",
        '{"x":' * 10_000 + "1" + "}" * 10_000: "nested too deeply",
        '{"email": "a@b.by", "email": "c@d.by"}': "the address is given twice",
        '{"email": "a@b.by", "Email": "c@d.by"}': "a field 'Email' in addition to the address",
        '{"email": [], "' + "k" * 900_000 + '": []}': "the address is a list",
        '{"email": "a@b.by"': "not JSON",
        "[1]": "JSON, but not an object",
        "{}": "no key 'email'",
    }
    text = "".join(f'{{"email": "p{n}@b.by"}}\n{line}\n' for n, line in enumerate(lines))
    journey = await send(text, format="jsonl")
    assert journey.mailed == [f"p{n}@b.by" for n in range(len(lines))]
    for line, reason in zip(range(2, 2 * len(lines) + 1, 2), lines.values(), strict=True):
        assert reason in journey.reasons[line]
        assert len(journey.reasons[line]) <= 501


async def test_lines_none_of_which_is_a_row_have_their_own_reasons() -> None:
    journey = await send('{"email": "a@b.by", "name": "x"},\n', PERSONAL, format="jsonl")
    assert "not JSON: " in journey.reasons[1]


async def test_numbers_of_any_length_are_the_text_they_are() -> None:
    number = "1" * 5000
    journey = await send(f'{{"email": "a@b.by", "x": {number}, "y": 1.50, "z": -0, "w": 1e999}}')
    assert [journey.values(name) for name in "xyzw"] == [[number], ["1.50"], ["-0"], ["1e999"]]


async def test_keys_become_columns_in_the_order_of_the_file() -> None:
    names = [f"k{n}" for n in range(40)]
    first = json.dumps({"email": "a@b.by"} | {name: name for name in names[::-1]})
    second = json.dumps({"email": "c@d.by", "k5": "x", "new": 1})
    journey = await send(f"{first}\n{second}\n", letter("Hi {{ k7 | 'you' }}, hi"))
    assert journey.columns == ["k7", *(name for name in names[::-1] if name != "k7"), "new"]
    assert journey.values("k5") == ["k5", "x"]


async def test_one_name_in_two_spellings_is_one_column() -> None:
    lines = [{"email": "a@b.by", "é": "1"}, {"email": "c@d.by", " e\u0301 ": "2"}]
    journey = await send("\n".join(map(json.dumps, lines)), letter("No {{ é }}"))
    assert journey.columns == ["é"]
    assert [subject for subject, _ in journey.provider.letters.values()] == ["No 1", "No 2"]
    twice = '{"email": "a@b.by", "é": "1", "e\u0301": "2"}\n{"email": "c@d.by"}'
    journey = await send(twice, letter("No {{ é | '-' }}"))
    assert journey.reasons.keys() == {1}
    assert not (await send(twice)).reasons  # no placeholder uses it
    approve("row: one name in two spellings", reasons(journey))


async def test_rows_with_ever_new_keys_are_refused_before_they_fill_the_disk() -> None:
    text = "".join(f'{{"email": "p{n}@b.by", "k{n}": 1}}\n' for n in range(20_000))
    approve("refused: ever new keys", await refusal(text, letter("Hi")))


async def test_many_keys_that_most_rows_have_are_no_trouble() -> None:
    fields = {f"k{n}": "x" for n in range(20_000)}
    lines = [{"email": f"p{n}@b.by"} | fields for n in range(6)]
    journey = await send("\n".join(map(json.dumps, lines)))
    assert len(journey.columns) == 20_000
    assert len(journey.mailed) == 6


# Iterables


async def test_items_that_are_no_row_cost_themselves_alone() -> None:
    items: list[Any] = [
        {"email": "a@b.by", "x": float("inf")},
        {"email": "a@b.by", "x": Decimal("-Infinity")},
        {"email": "a@b.by", "x": 10**5000},
        {"email": "a@b.by", "\ud800": "x"},
        {"email": "a@b\udcff.by"},
        {"email": "a@b.by", "x": "\0"},
        {"email": None},
        {"email": 5},
        ("a@b.by", {"email": "other@b.by"}),
        ("c@d.by", {"email": "c@d.by", "x": 1}),
        Recipient("e@f.by", {"email": "e@f.by", "x": "2"}),
    ]
    journey = await travel(read_recipients(items), letter("Hi {{ x | 'you' }}"))
    assert journey.mailed == ["a@b.by", "c@d.by", "e@f.by"]
    assert (journey.columns, journey.values("x")) == (["x"], ["", "1", "2"])
    assert journey.reasons.keys() == {1, 2, 3, 5, 6, 7, 8, 9}
    approve("rows: items that are no rows", reasons(journey))
    assert all(row.address for row in journey.rows if row.line in (1, 2, 3, 6, 9))


async def test_a_value_that_is_no_text_matters_only_to_a_message_that_uses_it() -> None:
    odd: list[Any] = [[1], {"a": 1}, b"x", float("inf"), "a\0b", "\udcff", object(), 10**5000]
    items: list[Any] = [{"email": f"p{n}@b.by", "name": "x", "X": x} for n, x in enumerate(odd)]
    values = ("[1]", '{"a": [{}]}', "-Infinity", '"\\u0000"', '"\\ud800"', '1, "X": 2')
    lines = [
        f'{{"email": "q{n}@b.by", "name": "x", "X": {value}}}' for n, value in enumerate(values)
    ]
    table = "email,name,X\nr0@b.by,x,a\0b\n"
    for source in (items, "\n".join(lines), table):

        def people(source: Any = source) -> RecipientSource:
            return source_of(source) if isinstance(source, str) else read_recipients(source)

        journey = await travel(people(), PERSONAL)
        assert len(journey.mailed) == len(journey.rows)
        journey = await travel(people(), letter("Hi {{ x | 'you' }}"))
        assert all(row.state == "invalid" and row.address for row in journey.rows)
        assert all("the value of {{ x }} is " in (row.reason or "") for row in journey.rows)


async def test_a_list_that_breaks_off_leaves_nothing_behind() -> None:
    def rows() -> Iterator[str]:
        yield from (f"p{n}@b.by" for n in range(2500))
        raise InvalidArgument("the rest can't be read")

    with pytest.raises(MailkitError, match="the rest can't be read"):
        await travel(read_recipients(rows()))
