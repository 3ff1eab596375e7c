from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Any

import attrs
import msgspec
import pytest

from mailkit.core.auth import Credential
from mailkit.core.call import Call, arg, post
from mailkit.core.codec import build_exchange
from mailkit.core.forms import File
from mailkit.core.secret import Secret
from mailkit.core.wire import Request
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument

from .doubles import AddBook, EditBook, GetBook, ListBooks, RemoveReaders

NOBODY = Credential({})
TOKEN = Credential({"token": Secret("a+b")})


def sent(
    call: Call[Any],
    *,
    credential: Credential = NOBODY,
    wire_format: WireFormat | None = None,
) -> Request:
    wire_format = wire_format or WireFormat()
    return build_exchange(call, "x", wire_format, "https://h", credential).request


def json(call: Call[Any]) -> object:
    request = sent(call)
    assert request.headers["Content-Type"] == "application/json"
    return msgspec.json.decode(request.body or b"")


def test_a_get_puts_its_fields_into_the_query() -> None:
    request = sent(ListBooks(5, status=[3, 4], lent=False))
    assert (request.verb, request.body) == ("GET", None)
    assert request.url == "https://h/books?limit=5&status%5B%5D=3&status%5B%5D=4&lent=0"


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (GetBook(7), "/books/7"),
        (GetBook(7, "by"), "/books/7/by"),
        (GetBook("a/b?c#d%e ё"), "/books/a%2Fb%3Fc%23d%25e%20%D1%91"),
        (GetBook("..."), "/books/..."),
    ],
)
def test_names_in_the_path_fill_the_path(call: Call[Any], path: str) -> None:
    assert sent(call).url == f"https://h{path}"


@pytest.mark.parametrize("wrong", ["", ".", "..", "\ud83d"])
def test_a_part_of_the_path_cannot_leave_its_place(wrong: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^id: "):
        sent(GetBook(wrong))


def test_a_json_body_has_wire_names_and_json_s_own_types() -> None:
    book = AddBook(
        title="Ж",
        body="text",
        readers=[{"email": "a@b.by"}, {"email": "c@d.by", "Phone": ""}],
        rare=False,
    )
    assert json(book) == {
        "bookName": "Ж",
        "body": "dGV4dA==",
        "readers": [{"email": "a@b.by"}, {"email": "c@d.by", "Phone": ""}],
        "rare": False,
    }


class Level(IntEnum):
    HIGH = 3


class Kind(Enum):
    BOOK = "book"


def _sender(value: str, wire_format: WireFormat) -> dict[str, object]:
    return {"sender_email": value, "sender_name": None, "level": Level.HIGH}


@post("/mail/{kind}", repeatable=False)
class Mail(Call[None]):
    kind: Kind
    sender: str = arg(expand=_sender)
    values: Mapping[str, object]


def test_a_value_may_spread_over_several_names_in_json() -> None:
    call = Mail(Kind.BOOK, "a@b.by", {"x": [1, Kind.BOOK], "y": {"z": None}})
    assert sent(call).url == "https://h/mail/book"
    assert json(call) == {
        "sender_email": "a@b.by",
        "sender_name": None,
        "level": 3,
        "values": {"x": [1, "book"], "y": {"z": None}},
    }


def test_a_value_may_spread_over_several_names_in_a_form() -> None:
    wire_format = WireFormat(in_query=frozenset({Mail}))
    request = sent(Mail(Kind.BOOK, "a@b.by", {"x": 1}), wire_format=wire_format)
    assert request.url == "https://h/mail/book?sender_email=a@b.by&level=3&values%5Bx%5D=1"


def test_a_delete_carries_a_json_body() -> None:
    call = RemoveReaders(1, ["a@b.by"])
    assert sent(call).url == "https://h/books/1/readers"
    assert json(call) == {"emails": ["a@b.by"]}


def test_query_fields_and_constants_stand_in_the_decorator() -> None:
    call = EditBook(1, "T", force=True)
    assert sent(call).url == "https://h/books/1?force=1"
    assert json(call) == {"title": "T", "confirm": "yes"}


def test_a_codec_is_made_once_for_each_class() -> None:
    first, second = (sent(AddBook(title="a")), AddBook.__codec__), AddBook.__codec__
    sent(AddBook(title="b"))
    assert first[1] is second is AddBook.__codec__
    assert sent(ListBooks()).verb == "GET"
    assert ListBooks.__codec__ is not second


@post("/form", repeatable=False, body="form", fixed={"kind": "x"})
class Form(Call[None]):
    a: str
    when: object = None
    file: File | None = arg(default=None, file=True)
    items: Sequence[object] = arg(default=(), wire="items[]")


@post("/none", repeatable=False, body="none")
class Bare(Call[None]):
    pass


def test_a_form_ends_with_the_credential() -> None:
    request = sent(Form("x y", items=[1, 2]), credential=TOKEN)
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.body == b"a=%78%20%79&items%5B%5D=1&items%5B%5D=2&kind=x&token=a%2Bb"
    assert "a+b" not in repr(request)
    assert "a%2Bb" not in repr(request)


def test_a_form_with_a_file_is_multipart_and_ends_with_the_credential() -> None:
    request = sent(Form("x", file=File("n", "a/b", b"data")), credential=TOKEN)
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert request.body is not None
    assert b'name="token"\r\n\r\na+b\r\n' in request.body[-120:]


def test_without_a_body_the_credential_ends_the_query() -> None:
    assert sent(Bare(), credential=TOKEN).url == "https://h/none?token=a%2Bb"
    assert sent(Bare()).url == "https://h/none"


def test_a_call_may_be_told_to_use_the_query() -> None:
    wire_format = WireFormat(in_query=frozenset({Form}))
    request = sent(Form("x"), credential=TOKEN, wire_format=wire_format)
    assert request.url == "https://h/form?a=x&kind=x&token=a%2Bb"
    assert request.body is None


@attrs.frozen
class Odd:
    at: datetime


@pytest.mark.parametrize(
    "value", [b"x", datetime(2030, 1, 1, tzinfo=UTC), object(), [Odd(datetime(2030, 1, 1))], {1}]
)
def test_a_value_without_a_declared_format_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="can't be sent"):
        sent(Form("x", when=value))


def test_half_a_surrogate_pair_is_refused_in_json() -> None:
    with pytest.raises(InvalidArgument, match="an unpaired surrogate"):
        sent(AddBook(title="\ud83d"))


def test_none_is_left_out_but_not_where_a_value_is_needed() -> None:
    none: Any = None
    assert sent(Form("x", when=none)).body == sent(Form("x")).body
    for make in (lambda: AddBook(title=none), lambda: Form(none)):
        with pytest.raises(InvalidArgument, match="give text, not None"):
            make()
