"""Rows that name their fields: which column each value goes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mailkit.bulk.columns import SHAPES, Columns
from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.template import InvalidRow, Template


def columns(body: str = "Hi", subject: str = "Hi") -> Columns:
    return Columns(Template.parse(Message("a@b.by", subject, html=body)), None)


def read(made: Columns, *rows: Mapping[str, str]) -> list[dict[str, str]]:
    """The rows' values by the columns' names, without blank ones."""
    found = [list(made.values(row)) for row in rows]
    return [{n: v for n, v in zip(made.names, row, strict=False) if v} for row in found]


@pytest.mark.parametrize(
    ("body", "rows", "expected"),
    [
        ("-", [{"a": "1"}, {"b": "2", "a": "3"}], [{"a": "1"}, {"a": "3", "b": "2"}]),
        ("{{ name }}", [{"Name": "1"}, {" NAME\ufeff ": "2"}], [{"name": "1"}, {"name": "2"}]),
        ("{{ Name }}", [{"name": "1", "Name": "2"}], [{"Name": "2", "name": "1"}]),
        ("{{ name }}{{ Name }}", [{"NAME": "1"}], [{"name": "1", "Name": "1"}]),
        ("{{ name }}{{ Name }}", [{"name": "1", "Name": "2"}], [{"name": "1", "Name": "2"}]),
        ("{{ name }}{{ Name }}", [{"name": "1"}], [{"name": "1", "Name": "1"}]),
        ("{{ R&amp;D }}", [{"r&d": "1"}], [{"R&amp;D": "1"}]),
        ("{{ Email }}", [{"name": "1", "E-Mail": "2"}], [{"name": "1", "E-Mail": "2"}]),
        ("-", [{"a": "1", " a": "2"}], [{"a": "2"}]),
        ("{{ n }}", [{"a": "1", "A": "2"}], [{"a": "1", "A": "2"}]),
    ],
)
def test_a_key_is_the_field_of_its_name_else_that_of_the_name_in_any_case(
    body: str, rows: Sequence[Mapping[str, str]], expected: Any
) -> None:
    made = columns(body)
    assert read(made, *rows, *rows) == [*expected, *expected]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"name": "1", "name ": "2"}, "the fields 'name' and 'name ' have the same name"),
        ({"Name": "1", "NAME": "2"}, r"'Name' and 'NAME' both match \{\{ name \}\}"),
        ({"EMAIL": "x"}, "a field 'EMAIL' in addition to the address"),
    ],
)
def test_a_row_that_does_not_say_which_value_is_meant_is_invalid(
    row: Mapping[str, str], reason: str
) -> None:
    made = columns("{{ name }}")
    for _ in range(2):
        with pytest.raises(InvalidRow, match=reason):
            made.values(row)
    assert read(made, {"name": "x"}) == [{"name": "x"}]


def test_what_no_row_had_and_tags_for_what_they_had_are_found_at_the_end() -> None:
    made = columns("{{ name }}")
    read(made, {"nmae": "x"})
    with pytest.raises(InvalidArgument, match=r"did you mean \{\{ nmae \}\}"):
        made.check()
    made = columns("Hi *|NAME|*")
    read(made, {"city": "x"})
    made.check()
    read(made, {"name": "x"})
    with pytest.raises(InvalidArgument, match=r"html has \*\|NAME\|\*: write \{\{ name \}\}"):
        made.check()


def test_rows_may_spell_a_field_each_in_its_own_way() -> None:
    made = columns("{{ Name }} {{ NAME | 'x' }}")
    assert [row["Name"] for row in read(made, {"name": "1"}, {"nAME": "2"}, {"Name": "3"})] == [
        *"123"
    ]
    made.check()


def test_rows_of_many_shapes_are_read_alike() -> None:
    made = columns("{{ name }}")
    for n in range(SHAPES + 5):
        key = f"k{n}"
        assert read(made, {key: "1", "Name": "2"}) == [{key: "1", "name": "2"}]
