from __future__ import annotations

from enum import Enum, IntEnum
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.core.forms import File, Pair, flatten, multipart, multipart_upload, urlencoded
from mailkit.errors import InvalidArgument

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
HALF = "\ud83d"  # of a surrogate pair


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


def form(key: str, value: object) -> list[Pair]:
    pairs: list[Pair] = []
    flatten(pairs, key, value)
    return pairs


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        ("text", [("k", "text")]),
        ("", [("k", "")]),
        (None, []),
        (True, [("k", "1")]),
        (False, [("k", "0")]),
        (0, [("k", "0")]),
        (1.5, [("k", "1.5")]),
        (Colour.RED, [("k", "red")]),
        (Level.HIGH, [("k", "3")]),
        ([], []),
        (["a", None, "b"], [("k[0]", "a"), ("k[2]", "b")]),
        ((1, (2, 3)), [("k[0]", "1"), ("k[1][0]", "2"), ("k[1][1]", "3")]),
        ({"a": 1, "b": [True]}, [("k[a]", "1"), ("k[b][0]", "1")]),
        ([{"a": 1}, {"b": None}], [("k[0][a]", "1")]),
    ],
)
def test_values_become_php_s_brackets(value: object, pairs: list[Pair]) -> None:
    assert form("k", value) == pairs


def test_a_key_that_ends_in_brackets_repeats() -> None:
    assert form("actions[]", ["open", "spam"]) == [("actions[]", "open"), ("actions[]", "spam")]


@pytest.mark.parametrize("value", [b"bytes", object(), float("nan"), float("inf"), {1}, 1j])
def test_what_a_form_cannot_carry_is_refused_by_its_key(value: object) -> None:
    with pytest.raises(InvalidArgument, match=r"^k: "):
        form("k", value)


@given(st.lists(st.tuples(TEXT, TEXT)))
def test_urlencoded_text_reads_back_as_it_was(pairs: list[tuple[str, str]]) -> None:
    text = urlencoded(pairs)
    assert text.isascii()
    assert parse_qsl(text, keep_blank_values=True, encoding="utf-8") == [
        pair for pair in pairs if text
    ]


@pytest.mark.parametrize("size", [1, 511, 512, 513, 5000])
@pytest.mark.parametrize("sign", ["a", " ", "%", "+", "&", "=", ";", "Ж", "\0", "\r\n", "😀"])
def test_short_and_long_texts_read_back_alike(sign: str, size: int) -> None:
    assert parse_qsl(urlencoded([("k", sign * size)]), keep_blank_values=True) == [
        ("k", sign * size)
    ]


def test_multipart_is_what_browsers_send() -> None:
    pairs: list[Pair] = [("a[0]", "Ж"), ('q"\r\n', "x"), ("f", File('п".txt', "text/plain", b"\0"))]
    kind, body = multipart(pairs, [("token", "t")])
    boundary = kind.removeprefix("multipart/form-data; boundary=")
    assert body.decode() == (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="a[0]"\r\n\r\nЖ\r\n'
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="q%22%0D%0A"\r\n\r\nx\r\n'
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="f"; filename="п%22.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n\0\r\n"
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="token"\r\n\r\nt\r\n'
        f"--{boundary}--\r\n"
    )


def test_bytes_are_text_that_is_encoded_already() -> None:
    assert urlencoded([("k", "Ж &".encode())]) == urlencoded([("k", "Ж &")])
    _, body = multipart([("k", "Ж &".encode())], ())
    assert "\r\n\r\nЖ &\r\n--".encode() in body
    with pytest.raises(InvalidArgument, match="k: bytes that are not UTF-8"):
        urlencoded([("k", b"\xff")])


def test_a_file_on_the_disk_stays_there_between_the_two_ends_of_its_form() -> None:
    path = Path("price.pdf")
    pairs: list[Pair] = [("a", "1"), ("f", File("x.pdf", "text/plain", path=path)), ("b", "2")]
    kind, upload = multipart_upload(pairs, [("token", "t")])
    boundary = kind.removeprefix("multipart/form-data; boundary=")
    assert upload.file == path
    assert upload.head.endswith(b'filename="x.pdf"\r\nContent-Type: text/plain\r\n\r\n')
    assert upload.tail.startswith(f"\r\n--{boundary}\r\n".encode())
    assert upload.tail.endswith(f"\r\n\r\nt\r\n--{boundary}--\r\n".encode())


def test_nobody_can_guess_a_boundary() -> None:
    kinds = {multipart([("k", "v")], ())[0] for _ in range(100)}
    assert len(kinds) == 100
    assert all(len(kind.partition("boundary=")[2]) == 32 for kind in kinds)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1))
def test_multipart_text_reads_back_as_it_was(pairs: list[tuple[str, str]]) -> None:
    kind, body = multipart(pairs, ())
    boundary = kind.partition("boundary=")[2].encode()
    *parts, end = (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]
    assert end == b"--\r\n"
    assert [part.partition(b"\r\n\r\n")[2].decode() for part in parts] == [v for _, v in pairs]


@pytest.mark.parametrize("pair", [("k", f"x{HALF}"), ("k" + HALF, "x"), ("k", "a" * 999 + HALF)])
def test_half_a_surrogate_pair_is_refused_not_dropped(pair: Pair) -> None:
    with pytest.raises(InvalidArgument, match="an unpaired surrogate at character"):
        urlencoded([pair])
    with pytest.raises(InvalidArgument, match="an unpaired surrogate at character"):
        multipart([pair], ())


def test_a_file_needs_multipart() -> None:
    with pytest.raises(InvalidArgument, match="this form can't contain a file"):
        urlencoded([("k", File("a", "b/c", b""))])
