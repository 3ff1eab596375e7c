"""Arguments of another type than the declared one: refused with their place, never sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import IntEnum, StrEnum
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import attrs
import pytest

from mailkit.address import Address
from mailkit.core.call import Call, arg, post
from mailkit.core.secret import Secret
from mailkit.errors import InvalidArgument

if TYPE_CHECKING:
    from decimal import Decimal


class Pair(NamedTuple):
    name: str
    text: str | bytes


@attrs.frozen
class Reader:
    email: str
    fields: Mapping[str, str] = attrs.field(factory=dict[str, str])
    next: Reader | None = None


@post("/all", repeatable=False)
class All(Call[None], kw_only=True):
    text: str = ""
    number: int | None = None
    size: float | None = None
    yes: bool | None = None
    at: datetime | None = None
    order: Literal["up", "down"] | None = None
    sender: Address | str | None = None
    secret: str | Secret = arg(default="", secret=True)
    file: Path | bytes | None = None
    many: Sequence[str | Address] | Sequence[Pair] | None = None
    ids: int | Sequence[int] | None = None
    rows: Sequence[Sequence[str | int]] | None = None
    readers: Sequence[Reader] | None = None
    files: Sequence[Path] | Mapping[str, str | bytes] | None = None
    anything: object = None


WRONG: Mapping[str, tuple[dict[str, Any], str]] = {
    "a list for text": ({"text": ["x"]}, "text: give text, not a list"),
    "bytes for text": ({"text": b"x"}, "text: give text, not bytes"),
    "nothing for text": ({"text": None}, "text: give text, not None"),
    "text for a number": ({"number": "7"}, "number: give a whole number, not text"),
    "a yes for a number": ({"number": True}, "number: give a whole number, not True"),
    "a fraction": ({"number": 1.5}, "number: give a whole number, not a float"),
    "text for a size": ({"size": "7"}, "size: give a number, not text"),
    "a number for a yes": ({"yes": 1}, "yes: give True or False, not an int"),
    "text for a moment": ({"at": "2030-01-01"}, "at: give a datetime, not text"),
    "another word": ({"order": "Up"}, "order: give 'up' or 'down', not 'Up'"),
    "a number for a word": ({"order": 1}, "order: give 'up' or 'down', not an int"),
    "a list for an address": (
        {"sender": ["a@b.by"]},
        "sender: give an Address or text, not a list",
    ),
    "text for a file": ({"file": "a.txt"}, "file: give a Path or bytes, not text"),
    "text for a list": ({"many": "a@b.by"}, "many: give a list, even for one item, not text"),
    "one pair for a list": ({"many": Pair("a", "b")}, "many: give a list, not a Pair"),
    "a dict for a list": ({"many": {"a": 1}}, "many: give a list, not a dict"),
    "a number for a list": ({"many": 5}, "many: give a list, not an int"),
    "an item": ({"many": ["a", 5]}, "many[1]: give text, an Address or a Pair, not an int"),
    "an item that comes late": (
        {"many": lambda: iter(("a", None))},
        "many[1]: give text, an Address or a Pair, not None",
    ),
    "a field of a pair": (
        {"many": [Pair("a", "b"), Pair("a", 5)]},  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        "many[1].text: give text or bytes, not an int",
    ),
    "ids": ({"ids": "7"}, "ids: give a whole number or a list, not text"),
    "an id": ({"ids": [7, "8"]}, "ids[1]: give a whole number, not text"),
    "a row": ({"rows": [["a"], "b"]}, "rows[1]: give a list, even for one item, not text"),
    "a cell": ({"rows": [["a"], ["b", None]]}, "rows[1][1]: give text or a whole number, not None"),
    "a reader": ({"readers": ["a@b.by"]}, "readers[0]: give a Reader, not text"),
    "a reader's address": (
        {"readers": [Reader("a"), Reader(5)]},  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        "readers[1].email: give text, not an int",
    ),
    "a reader's field": (
        {"readers": [Reader("a", {"n": 5})]},  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
        "readers[0].fields['n']: give text, not an int",
    ),
    "the name of a field": (
        {"readers": [Reader("a", {5: "n"})]},  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
        "a key of readers[0].fields: give text, not an int",
    ),
    "a reader's fields": (
        {"readers": [Reader("a", [])]},  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        "readers[0].fields: give a dict, not a list",
    ),
    "a file in a dict": ({"files": {"a": 5}}, "files['a']: give text or bytes, not an int"),
    "a secret": ({"secret": 5}, "secret: give text or a Secret, not an int"),
}


def make(value: Any) -> Any:
    return value() if callable(value) else value


def test_what_is_of_another_type_is_refused_with_its_place() -> None:
    for case, (arguments, words) in WRONG.items():
        for _ in range(2):  # before and after the types are known
            given = {name: make(value) for name, value in arguments.items()}
            with pytest.raises(InvalidArgument) as caught:
                All(**given)
            assert str(caught.value) == words, case


async def later() -> str:
    return "x"


def test_an_await_that_was_forgotten_is_named() -> None:
    waiting: Any = later()
    with pytest.raises(InvalidArgument, match="text: give text, not a coroutine: await it first"):
        All(text=waiting)


class Markup(str):
    """Text as template engines have it: what is made of it is of this class again."""

    __slots__ = ()

    def __str__(self) -> str:
        return self


class Length(float):
    """A number as numpy has it."""


class Side(StrEnum):
    UP = "up"


class Count(IntEnum):
    ONE = 1


def test_texts_and_numbers_of_other_classes_become_pythons() -> None:
    markup = Markup("x")
    for _ in range(2):  # before and after the types are known
        files: Any = {markup: markup}
        call: Any = All(
            text=markup,
            number=Count.ONE,
            size=Length(1.5),
            order=Side.UP,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            many=[markup, "c"],
            rows=[[markup, Count.ONE]],
            readers=[Reader("a"), Reader(markup, {markup: markup})],
            files=files,
            ids=Count.ONE,
        )
        assert call == All(
            text="x",
            number=1,
            size=1.5,
            order="up",
            many=["x", "c"],
            rows=[["x", 1]],
            readers=[Reader("a"), Reader("x", {"x": "x"})],
            files={"x": "x"},
            ids=1,
        )
        kinds = {type(value) for value in leaves(attrs.asdict(call))}
        assert kinds <= {str, int, float, NoneType}, kinds
    assert All(many=[Pair(markup, markup)]).many == (Pair("x", "x"),)


def leaves(value: object) -> Iterator[object]:
    """All that stands in dicts and tuples."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *leaves(item))
    elif isinstance(value, tuple):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def test_what_is_of_the_type_is_taken() -> None:
    reader = Reader("a", {"n": "x"}, Reader("b"))
    many: list[str | Address] = [Address("a@b.by"), "c"]
    files: dict[str, str | bytes] = {"a": "x", "b": b"y"}
    call = All(
        text="x",
        number=5,
        size=5,
        order="up",
        file=Path("a"),
        many=many,
        rows=[["a", 1], []],
        readers=[reader],
        files=files,
        anything=object(),
    )
    assert call.many == (Address("a@b.by"), "c")
    assert call.rows == (("a", 1), ())
    assert call.readers == (reader,)
    assert call.files == files
    assert All(ids=3).ids == 3
    assert All(many=[Pair("a", b"b")]).many == (Pair("a", b"b"),)


def test_what_can_be_read_only_once_is_read_once() -> None:
    once: dict[str, Any] = {
        "ids": iter([1, 2]),
        "rows": (iter(row) for row in (["a", 1], ["b"])),
        "many": {"a": 1}.keys(),
        "files": map(Path, "ab"),
    }
    call: Any = All(**once)
    for _ in range(2):
        assert call.ids == (1, 2)
        assert call.rows == (("a", 1), ("b",))
        assert call.many == ("a",)
        assert call.files == (Path("a"), Path("b"))
    assert call == attrs.evolve(call)


def test_an_annotation_for_checkers_alone_checks_nothing() -> None:
    @post("/price", repeatable=False)
    class Price(Call[None]):
        price: Decimal

    anything: Any = "5"
    assert Price(anything).price == "5"
