from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import attrs
import pytest

from mailkit.core.call import wire
from mailkit.core.reading import Reader, decode, new_id, php_list
from mailkit.core.wire import Unreadable

from .doubles import Book, Colour


class Mood(StrEnum):
    GOOD = "good"


@attrs.frozen
class Row:
    id: int
    name: str = ""
    share: float | None = None
    mood: Mood | str | None = None
    good: bool = False
    rows: tuple[Row, ...] = ()


@attrs.frozen
class Special:
    value: int

    @classmethod
    def _structure(cls, tree: Any) -> Special:
        return cls(len(tree))


def read(kind: Any, tree: object) -> Any:
    return Reader[Any](kind)(json.dumps(tree).encode())


@pytest.mark.parametrize(
    ("tree", "row"),
    [
        ({"id": 1}, Row(1)),
        ({"id": "1", "unknown": [{}]}, Row(1)),
        ({"id": 1.0, "name": 7}, Row(1, "7")),
        ({"id": 1, "name": None, "rows": None, "share": ""}, Row(1)),
        ({"id": 1, "share": "2.5", "good": "1"}, Row(1, share=2.5, good=True)),
        ({"id": 1, "share": 2, "good": False}, Row(1, share=2.0)),
        ({"id": 1, "mood": "good"}, Row(1, mood=Mood.GOOD)),
        ({"id": 1, "mood": "new"}, Row(1, mood="new")),
        ({"id": 1, "rows": [{"id": "2", "name": 3}]}, Row(1, rows=(Row(2, "3"),))),
    ],
)
def test_odd_shapes_are_read_with_allowances(tree: object, row: Row) -> None:
    assert read(Row, tree) == row


@pytest.mark.parametrize(
    "tree",
    [
        None, [], "x", 1, {}, {"id": None}, {"id": ""}, {"id": "x"}, {"id": True}, {"id": 1.5},
        {"id": [1]}, {"id": 1, "name": {}}, {"id": 1, "name": True}, {"id": 1, "rows": {}},
        {"id": 1, "rows": "ab"}, {"id": 1, "rows": [None]}, {"id": 1, "good": "perhaps"},
        {"id": 1, "share": True}, {"id": 1, "mood": {}},
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_so(tree: object) -> None:
    with pytest.raises(Unreadable):
        read(Row, tree)


@pytest.mark.parametrize("raw", [b"", b"<html>", b'{"id":', b'{"id":"\xff"}', b"[" * 10_000])
def test_what_is_no_json_says_so(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        Reader[Any](Row)(raw)
    with pytest.raises(Unreadable, match=r"^not JSON$"):
        decode(raw)


def test_known_codes_are_members_and_unknown_ones_stay_numbers() -> None:
    assert read(list[Book], [{"id": 1, "colour": 2}, {"id": 2, "colour": "9"}]) == [
        Book(1, colour=Colour.GREEN),
        Book(2, colour=9),
    ]
    assert isinstance(read(Book, {"id": 1, "colour": 1}).colour, IntEnum)


def test_a_key_may_have_another_name_on_the_wire_or_several() -> None:
    assert read(Book, {"id": 1, "ttile": "a"}).title == "a"
    assert read(Book, {"id": 1, "title": "b"}).title == "b"
    assert read(Book, {"id": 1, "ttile": "a", "title": "b"}).title == "a"


def test_a_call_for_nothing_takes_any_json_and_nothing_else() -> None:
    assert Reader[None](type(None))(b'{"any":["thing"]}') is None
    for raw in (b"anything", b"", b'{"cut":'):
        with pytest.raises(Unreadable):
            Reader[None](type(None))(raw)


def test_a_value_may_stand_under_a_key() -> None:
    assert Reader[int](int, "list_id")(b'{"list_id":"7"}') == 7
    for raw in (b"{}", b"[]", b"7", b'{"list_id":null}'):
        with pytest.raises(Unreadable, match=r"^(no 'list_id' in|unexpected) ") as caught:
            Reader[int](int, "list_id")(raw)
        assert "indices" not in str(caught.value)
        assert "subscriptable" not in str(caught.value)


def test_a_type_of_many_shapes_reads_itself() -> None:
    assert read(list[Special], ["abc", [1]]) == [Special(3), Special(1)]
    with pytest.raises(Unreadable):
        read(list[Special], [1])


@attrs.frozen
class Renamed:
    rows: tuple[Book, ...] = attrs.field(metadata=wire("Rows"))


@pytest.mark.parametrize(
    ("kind", "fast"), [(Row, False), (list[Special], False), (Renamed, False), (int, True)]
)
def test_only_plain_types_take_the_straight_way(kind: Any, fast: bool) -> None:
    assert (Reader[Any](kind)._fast is not None) is fast


def test_both_ways_agree() -> None:
    @attrs.frozen
    class Plain:
        id: int
        name: str = ""
        error: str | None = None

    reader = Reader[Any](list[Plain])
    assert reader._fast is not None
    rows = [{"id": n, "name": f"n{n}", "error": None, "x": 1} for n in range(5)]
    straight: Callable[[bytes], Any] = reader
    assert straight(json.dumps(rows).encode()) == reader.structure(rows)


@attrs.frozen
class Bill:
    sum: Decimal | None = None
    at: datetime | None = None
    book: Book | None = None
    counts: Mapping[str, int] = attrs.field(factory=dict[str, int])


@pytest.mark.parametrize(
    ("raw", "bill"),
    [
        (b'{"sum":"0.0044","at":"2021-09-01 10:55:39","counts":{"US":"2"}}', (1, 1, 0, 1)),
        (b'{"sum":0.02,"at":"2021-09-01","book":{"id":"7"}}', (1, 1, 1, 0)),
        (b'{"sum":"","at":"","book":[],"counts":[]}', (0, 0, 0, 0)),
        (b'{"sum":null,"at":null,"book":null,"counts":null}', (0, 0, 0, 0)),
    ],
)
def test_sums_dates_objects_and_maps_may_be_empty_in_phps_way(
    raw: bytes, bill: tuple[int, ...]
) -> None:
    read = Reader[Bill](Bill)(raw)
    present = (read.sum is not None, read.at is not None, read.book is not None, bool(read.counts))
    assert tuple(map(int, present)) == bill
    assert read.at is None or (read.at.year == 2021 and read.at.tzinfo is None)
    assert read.sum in (None, Decimal("0.0044"), Decimal("0.02"))


@pytest.mark.parametrize(
    "raw",
    [b'{"sum":"much"}', b'{"sum":[1]}', b'{"at":"soon"}', b'{"at":{}}', b'{"counts":"none"}'],
)
def test_what_is_no_sum_no_date_and_no_map_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        Reader[Bill](Bill)(raw)


def test_a_map_of_anything_is_kept_as_it_came() -> None:
    read = Reader[dict[str, object]](dict[str, object])
    assert read(b'{"a":{"b":[1,null]}}') == read.structure({"a": {"b": [1, None]}})
    assert read.structure([]) == {}


@pytest.mark.parametrize("zeros", ["0000-00-00 00:00:00", "0000-00-00", "-0001-11-30 00:00:00"])
def test_a_date_of_zeros_is_none(zeros: str) -> None:
    assert read(Bill, {"sum": "1.5", "at": zeros}) == Bill(Decimal("1.5"))
    assert read(list[Bill], [{"at": zeros}, {"at": "2021-09-01"}])[1].at == datetime(2021, 9, 1)


def test_an_object_whose_keys_are_numbers_is_a_list() -> None:
    rows = {"0": {"id": 1}, "2": {"id": "2", "rows": {"1": {"id": 3}}}}
    assert read(list[Row], rows) == [Row(1), Row(2, rows=(Row(3),))]
    assert read(dict[str, list[int]], {"a": {"0": 5, "10": 6}}) == {"a": [5, 6]}
    assert read(dict[str, int], {"0": 5}) == {"0": 5}, "where a map is meant"
    assert php_list({"0": 1, "x": 2}) == {"0": 1, "x": 2}
    for tree in ({}, {"0": {"id": 1}, "x": {"id": 2}}, {"-1": {"id": 1}}, {"٣": {"id": 1}}):
        with pytest.raises(Unreadable):
            read(list[Row], tree)


def test_a_number_given_to_what_was_made_is_above_zero() -> None:
    reader = Reader[int](int, new_id("id"))
    assert [reader(raw) for raw in (b'{"id":7}', b'{"id":"7"}')] == [7, 7]
    for said in ("0", "-7", "true", "null", '""', '"x"', "7.5", "[7]"):
        with pytest.raises(Unreadable):
            reader(f'{{"id":{said}}}'.encode())
    for raw in (b"{}", b"[]", b"null", b"7"):
        with pytest.raises(Unreadable):
            reader(raw)
