import email
import string
import sys
from collections import Counter
from collections.abc import Callable
from email.message import Message
from types import FrameType
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.sandbox.forms import (
    File,
    Form,
    Malformed,
    parse_form,
    parse_multipart,
    parse_urlencoded,
    split_multipart,
)

PART = b'Content-Disposition: form-data; name="a"\r\n\r\n1\r\n'


@pytest.fixture
def counted() -> Callable[..., Counter[str]]:
    """Calls a function; counts the calls of built-in methods within, by their names."""

    def count(action: Callable[..., object], *args: Any, **named: Any) -> Counter[str]:
        calls: Counter[str] = Counter()

        def count_one(frame: FrameType, event: str, called: Any) -> None:
            if event == "c_call":
                calls[called.__name__] += 1

        sys.setprofile(count_one)
        try:
            action(*args, **named)
        finally:
            sys.setprofile(None)
        return calls

    return count


def multipart(*parts: bytes, boundary: bytes = b"xYx") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part for part in parts) + b"--xYx--\r\n"


def read(body: bytes, *, max_fields: int = 1000) -> Form:
    return parse_form(body, "multipart/form-data; boundary=xYx", max_fields=max_fields)


def reference(body: bytes) -> list[tuple[str, str | None, bytes]]:
    """Name, file name and value of each part, as the standard library reads them."""
    message = email.message_from_bytes(
        b"Content-Type: multipart/form-data; boundary=xYx\r\n\r\n" + body
    )
    parts = message.get_payload()
    assert isinstance(parts, list)
    found = []
    for part in parts:
        assert isinstance(part, Message)
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        assert isinstance(name, str)
        assert isinstance(value, bytes)
        found.append((name, part.get_filename(), value))
    return found


names = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=12)
# A lone CR at the edge of a value is where the standard library's universal newlines differ.
values = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
    .map(lambda text: text.replace("\r", "").replace("\n", "\r\n").encode())
    .filter(lambda value: b"--xYx" not in value)
)
tokens = st.text(string.ascii_letters + " .-_()", min_size=1, max_size=12)
filenames = st.none() | tokens.filter(lambda name: name == name.strip())


@given(st.lists(st.tuples(names, filenames, values), min_size=1, max_size=8))
def test_multipart_agrees_with_the_standard_library(
    fields: list[tuple[str, str | None, bytes]],
) -> None:
    parts = []
    for name, filename, value in fields:
        extra = f'; filename="{filename}"' if filename else ""
        head = f'Content-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
        parts.append(head.encode() + value + b"\r\n")
    body = multipart(*parts)
    form = read(body)
    expected = reference(body)
    assert form.fields == {
        name: value.decode() for name, filename, value in expected if filename is None
    }
    assert [(f.field, f.name, f.data) for f in form.files] == [
        row for row in expected if row[1] is not None
    ]


@given(st.lists(st.binary(max_size=40).filter(lambda v: b"--xYx" not in v), max_size=8))
def test_the_splitter_gives_every_value_back_byte_for_byte(values: list[bytes]) -> None:
    parts = [b"X: y\r\n\r\n" + value + b"\r\n" for value in values]
    split = split_multipart(b"before\r\n" + multipart(*parts) + b"after", b"xYx")
    assert [value for _, value in split] == values


@given(st.lists(st.tuples(names, st.text(max_size=40).filter(str.isprintable)), max_size=8))
def test_urlencoded_agrees_with_the_standard_library(fields: list[tuple[str, str]]) -> None:
    body = urlencode(fields)
    expected = dict(parse_qsl(body, keep_blank_values=True))
    assert parse_urlencoded(body.encode(), max_fields=1000) == expected


def test_what_aiohttp_writes_is_read() -> None:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("delivery_list[0][email]", "анна@mail.by")
    form.add_field("attachment", b"%PDF", filename='прайс "1".pdf', content_type="application/pdf")
    payload = form()
    assert isinstance(payload, aiohttp.MultipartWriter)
    chunks: list[bytes] = []
    for part, _, _ in payload._parts:
        disposition = part.headers["Content-Disposition"].encode()
        kind = part.headers["Content-Type"].encode()
        chunks.append(b"Content-Type: " + kind + b"\r\nContent-Disposition: " + disposition)
    body = multipart(
        chunks[0] + b"\r\n\r\n" + "анна@mail.by".encode() + b"\r\n",
        chunks[1] + b"\r\n\r\n%PDF\r\n",
    )
    parsed = read(body)
    assert parsed.fields == {"delivery_list": {0: {"email": "анна@mail.by"}}}
    assert parsed.files == (File("attachment", 'прайс "1".pdf', "application/pdf", b"%PDF"),)


def test_quotes_and_backslashes_in_names() -> None:
    part = rb'Content-Disposition: form-data; name="a\"b;c\\d"; filename="e;f\".txt"' + b"\r\n\r\n"
    assert read(multipart(part + b"x\r\n")).files == (File('a"b;c\\d', 'e;f".txt', "", b"x"),)


def test_names_without_quotes_other_cases_and_other_headers() -> None:
    part = b"content-type: text/plain\r\nCONTENT-DISPOSITION: Form-Data ;NAME=a \r\n\r\n1\r\n"
    assert read(multipart(part)).fields == {"a": "1"}


def test_a_percent_sign_in_a_name_stays_one() -> None:
    part = PART.replace(b'"a"', b'"a%5B0%5D"')
    assert read(multipart(part)).fields == {"a%5B0%5D": "1"}


def test_parts_without_a_name_or_of_another_disposition_are_skipped() -> None:
    body = multipart(
        b"\r\nnothing\r\n",
        b"Content-Disposition: form-data\r\n\r\nx\r\n",
        b'Content-Disposition: inline; name="b"\r\n\r\nx\r\n',
        PART,
    )
    assert read(body) == read(multipart(PART))


def test_a_file_field_left_empty_is_no_file() -> None:
    part = b'Content-Disposition: form-data; name="f"; filename=""\r\n\r\n\r\n'
    assert read(multipart(part)).files == ()


def test_preamble_epilogue_and_padding_are_skipped() -> None:
    body = b"hello\r\n--xYx \t\r\n" + PART + b"--xYx-- \r\nbye\r\n--xYx\r\n" + PART
    assert read(body).fields == {"a": "1"}


def test_line_ends_inside_a_value_survive() -> None:
    part = b'Content-Disposition: form-data; name="a"\r\n\r\n\r\n\r\n 1\n\r\n\r\n'
    assert read(multipart(part)).fields == {"a": "\r\n\r\n 1\n\r\n"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a=1&b=2",
        b"--xYx\r\n" + PART,  # no last boundary
        b"--xYx\r\n" + PART + b"--xYx",
        b"--xYx\n" + PART + b"--xYx--",  # LF alone
        b"--xYxtra\r\n" + PART + b"--xYx--",
        b"--xYx\r\n" + PART + b"--xYx--tra",
        b'--xYx\r\nContent-Disposition: form-data; name="a"\r\n1\r\n--xYx--',  # no blank line
        b"--xYx\r\nno colon\r\n\r\n1\r\n--xYx--",
        b'--xYx\r\nContent-Disposition: form-data; name="a\r\n\r\n1\r\n--xYx--',
        b"--xYx\r\n" + PART.replace(b"\r\n", b"\n") + b"--xYx--",
    ],
)
def test_a_broken_body_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)


@pytest.mark.parametrize("boundary", ["", "; boundary=", '; boundary=""', "; boundary=" + "x" * 71])
def test_a_boundary_is_needed(boundary: str) -> None:
    with pytest.raises(Malformed):
        parse_form(multipart(PART), "multipart/form-data" + boundary, max_fields=10)


def test_a_quoted_boundary() -> None:
    kind = 'Multipart/Form-Data; charset=utf-8; boundary="xYx"'
    assert parse_form(multipart(PART), kind, max_fields=10).fields == {"a": "1"}


def test_fields_beyond_the_limit_are_dropped_and_files_are_not_fields() -> None:
    named = [PART.replace(b'"a"', b'"a[]"')] * 5
    upload = b'Content-Disposition: form-data; name="f"; filename="n"\r\n\r\nx\r\n'
    form = read(multipart(*named, upload), max_fields=3)
    assert form.fields == {"a": {0: "1", 1: "1", 2: "1"}}
    assert len(form.files) == 1
    assert parse_urlencoded(b"a[]=1&a[]=2&&a[]=3", max_fields=2) == {"a": {0: "1", 1: "2"}}


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"a+b", "a b"),
        (b"%2B", "+"),
        (b"%d0%9F%d1%80", "Пр"),
        (b"100%", "100%"),
        (b"%zz%41", "%zzA"),
        (b"x=y", "x=y"),
        (b"%ff", "\ufffd"),
    ],
)
def test_percent_encoding(raw: bytes, value: str) -> None:
    assert parse_urlencoded(b"n=" + raw, max_fields=1) == {"n": value}


def test_another_content_type_has_no_fields() -> None:
    assert parse_form(b'{"a": 1}', "application/json", max_fields=10) == Form()


def test_parse_multipart_takes_the_boundary_itself() -> None:
    assert parse_multipart(multipart(PART), b"xYx", max_fields=1).fields == {"a": "1"}


def test_long_names_and_headers_are_read_once(counted: Callable[..., Counter[str]]) -> None:
    brackets = b"a" + b"[]" * 5000 + b"=1"
    assert counted(parse_urlencoded, brackets, max_fields=10)["partition"] < 100
    head = b"Content-Disposition: form-data" + b"; a=1" * 5000 + b" "
    body = multipart(head + b"\r\n\r\n1\r\n")
    assert counted(read, body)["rstrip"] < 10
