"""A webhook's body is read, or refused with its place: whatever it is, nothing else happens."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailkit.core.webhook_items import WebhookItem, split_items, webhook_items
from mailkit.errors import InvalidArgument

SECRET = "ann.secret@shop.by"


def raws(body: bytes) -> list[object]:
    return [item.raw for item in webhook_items(body)]


def item(**raw: object) -> WebhookItem:
    return WebhookItem(1, raw)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1}',
        b'[{"a": 1}]',
        b'\xef\xbb\xbf[{"a": 1}]',
        b' \r\n\t{"a": 1}\n',
        b'{"0": {"a": 1}}',
        b'[{"a": 2, "a": 1}]',
    ],
)
def test_an_object_and_an_array_are_the_same(body: bytes) -> None:
    assert raws(body) == [{"a": 1}]


def test_an_empty_array_has_no_items() -> None:
    assert raws(b"[]") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbf",
        b"event=open",
        b'[{"a": 1}',
        b'[{"a": 1},]',
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        rb'{"a": "\ud800"}',
        '[{"a": 1}]'.encode("utf-16"),
        b"null",
        b"7",
        b'"text"',
        b"[[]]",
        b"[1]",
        b'[{"a": 1}, null]',
        b"[" * 10_000 + b"]" * 10_000,
        b"[" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'[{"a": ' + b"[" * 40 + b"]" * 40 + b"}]",
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
)
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidArgument, match="body"):
        raws(body)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([{"email": SECRET}, SECRET], "item 2"),
        ([{"email": SECRET, "a": [SECRET] * 3}, {"email": [[[[SECRET]]] * 9]}, 3], "item 3"),
        (SECRET, "body"),
    ],
)
def test_the_text_says_where_and_shows_no_address(body: object, place: str) -> None:
    with pytest.raises(InvalidArgument, match=place) as caught:
        raws(json.dumps(body).encode())
    assert "ann" not in str(caught.value)


def test_keys_are_found_in_any_case_the_asked_one_first() -> None:
    assert item(messageid="1").text("messageId") == "1"
    assert item(MESSAGEID="2", messageId="1", messageid="3").text("messageId") == "1"
    assert item().value("messageId") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\n3668139 ", "3668139"),
        (3668139, "3668139"),
        (3668139.0, "3668139"),
        (2.5, "2.5"),
        (0, "0"),
        (" ", None),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
        ({}, None),
    ],
)
def test_numbers_and_text_are_alike(value: object, text: str | None) -> None:
    assert item(id=value).text("id") == text
    if text is None:
        with pytest.raises(InvalidArgument, match=r"item 1 .* no id"):
            item(id=value).need("id")
    else:
        assert item(id=value).need("id") == text


def test_an_address_gets_its_one_spelling_if_it_is_one() -> None:
    assert item(email=" Ann@SHOP.by ").address("email") == "Ann@shop.by"
    assert item(email="ann@пример.бел").need_address("email") == "ann@xn--e1afmkfd.xn--90ais"
    assert item(email="nobody at all").address("email") == "nobody at all"
    assert item(email=None).address("email") is None


@pytest.mark.parametrize("value", [1496827422, "1496827422", " 1496827422 ", 1496827422.0])
def test_times_are_in_utc(value: object) -> None:
    then = datetime(2017, 6, 7, 9, 23, 42, tzinfo=UTC)
    assert item(at=value).time("at") == then


def test_times_may_be_parts_of_a_second() -> None:
    found = item(ts=1636976602504).time("ts", per_second=1000)
    assert found == datetime(2021, 11, 15, 11, 43, 22, 504_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        "-1496827422",
        10**30,
        10**400,
        "9" * 500,
        1e308,
        1636976602504,
        "NaN",
        "-Infinity",
        "2017-06-07 09:23:42",
        "never",
        "",
        None,
        True,
        [1496827422],
        {},
    ],
)
def test_a_time_that_can_t_be_one_is_none(value: object) -> None:
    assert item(at=value).time("at") is None


@given(st.floats() | st.integers() | st.text())
def test_whatever_a_time_is_it_is_one_of_this_century_or_none(value: object) -> None:
    found = item(at=value).time("at")
    assert found is None or 2000 <= found.year < 2100


@given(st.binary())
@example(b'{"": {"": [{"": {}}]}}')
def test_whatever_bytes_come_they_are_read_or_refused(body: bytes) -> None:
    try:
        found = raws(body)
    except InvalidArgument:
        return
    assert all(isinstance(raw, dict) for raw in found)


_ITEMS = st.dictionaries(st.text(), st.none() | st.text() | st.integers()) | st.none() | st.text()


@given(st.lists(_ITEMS))
@example([[{"a": 1}], {"0": {"a": 1}}])
def test_an_array_is_split_into_arrays_of_one_item_each(tree: list[object]) -> None:
    body = json.dumps(tree).encode()
    numbered = json.dumps(dict(enumerate(tree))).encode()
    assert [json.loads(part) for part in split_items(body)] == [[one] for one in tree]
    assert split_items(b"\xef\xbb\xbf" + body) == split_items(numbered) == split_items(body)


@given(st.binary())
@example(b'{"a": {"b": 1}}')
@example(b"[" * 10_000)
@example(b'[{"a": 1}, ')
def test_all_else_has_no_items(body: bytes) -> None:
    for part in split_items(body):
        assert body.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"[", b"{"))
        assert part[1:-1].strip() in body
