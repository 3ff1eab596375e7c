"""Rows of a form are written column by column, to the bytes that they have one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.core.form_rows import FormRows, Piece
from mailkit.core.forms import Pair, flatten, multipart, urlencoded
from mailkit.errors import InvalidArgument

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LAST = [("token", "t")]


def one_by_one(rows: FormRows) -> list[Pair]:
    def text(piece: Piece, n: int) -> bytes:
        found = piece if isinstance(piece, bytes) else piece[n]
        return found if isinstance(found, bytes) else found.encode()

    return [
        (f"{rows.key}[{n}]{end}", b"".join(text(piece, n) for piece in pieces))
        for n in range(rows.count)
        for end, pieces in rows.fields.items()
    ]


def without_boundary(form: tuple[str, bytes]) -> bytes:
    kind, body = form
    return body.replace(kind.partition("boundary=")[2].encode(), b"BOUNDARY")


@st.composite
def rows_of_forms(draw: st.DrawFn) -> FormRows:
    count = draw(st.integers(1, 4))
    bytes_ = TEXT.map(str.encode)
    own = st.lists(st.one_of(TEXT, bytes_), min_size=count, max_size=count)
    texts = st.lists(TEXT, min_size=count, max_size=count)
    pieces = st.lists(st.one_of(bytes_, own, texts), min_size=1, max_size=5)
    names = draw(st.lists(st.sampled_from(["", "[email]", "[a][b]"]), min_size=1, unique=True))
    return FormRows("list", count, {name: draw(pieces) for name in names})


@given(rows_of_forms())
def test_the_bytes_are_those_of_the_fields_one_by_one(rows: FormRows) -> None:
    around: list[Pair] = []
    flatten(around, "list", rows)
    assert around == [("list", rows)]
    plain = one_by_one(rows)
    found = multipart([("a", "b"), *around, ("c", "d")], LAST)
    assert without_boundary(found) == without_boundary(
        multipart([("a", "b"), *plain, ("c", "d")], LAST)
    )
    assert without_boundary(multipart(around, ())) == without_boundary(multipart(plain, ()))
    assert urlencoded([("a", "b"), *around, ("c", "d")]) == urlencoded(
        [("a", "b"), *plain, ("c", "d")]
    )


@pytest.mark.parametrize("pieces", [(["a", "x\ud83d"],), (b"1", [b"2", "x\ud83d"])])
def test_half_a_surrogate_pair_is_refused_by_the_name_of_its_field(pieces: list[Piece]) -> None:
    form: list[Pair] = [("list", FormRows("list", 2, {"[email]": pieces}))]
    for write in (urlencoded, lambda pairs: multipart(pairs, ())):
        with pytest.raises(InvalidArgument, match=r"^list\[1\]\[email\]: an unpaired surrogate"):
            write(form)


def test_bytes_that_are_not_utf_8_are_refused_where_they_would_be_percent_encoded() -> None:
    form: list[Pair] = [("list", FormRows("list", 2, {"": ([b"a", b"\xff"],)}))]
    with pytest.raises(InvalidArgument, match=r"^list\[1\]: bytes that are not UTF-8"):
        urlencoded(form)
