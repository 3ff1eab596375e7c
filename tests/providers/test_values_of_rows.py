"""Values for a service's own placeholders: those of many rows are those of each by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit import Devino, Message, SendPulse
from mailkit.core.dispatch import TOKEN_BYTES, MeasuresMany
from mailkit.providers.devino.macros import Macros
from mailkit.providers.devino.messages import MessageRecipient, recipient_tree
from mailkit.providers.sendpulse.placeholders import Placeholders
from mailkit.template import InvalidRow

COLUMNS = ("email", "name", "city")
HTML = (
    "{{ unsubscribe }} {{ name }} {{ name | 'you & me' }} {{ city | '' }} "
    "<a href='https://x.by/{{ name | '' }}'>"
)
ODD = "&<>\"'[]{} \t\n\0\x85\u2028\u00a0/%ä"
PARTS = ("[name]", "[Unsubscribe]", "{{ x", "Anna", *ODD)
VALUES = st.lists(st.sampled_from(PARTS), max_size=3).map("".join)


class Many(Protocol):
    def values(self, row: tuple[str, ...]) -> dict[str, str]: ...
    def values_of(self, rows: list[tuple[str, ...]]) -> list[dict[str, str]]: ...


def message(body: str, subject: str = "Hi", *, text: bool = False) -> Message:
    body = {"text": body} if text else {"html": body}  # type: ignore[assignment]
    return Message("Shop <a@b.by>", subject, **body)  # type: ignore[arg-type]


MADE: dict[str, Many] = {
    "devino": Macros(message(HTML), COLUMNS),
    "devino, text": Macros(message(HTML, text=True), COLUMNS),
    "devino, as they are": Macros(message(HTML), COLUMNS, escape=False),
    "devino, nothing": Macros(message("{{ unsubscribe }}"), COLUMNS),
    "sendpulse": Placeholders(message(HTML, "{{ city | '-' }}"), COLUMNS, unsubscribe="x"),
    "sendpulse, as they are": Placeholders(
        message(HTML), COLUMNS, unsubscribe="x", escape=False
    ),
}  # fmt: skip


def outcome(values: Callable[[], list[dict[str, str]]]) -> object:
    try:
        return values()
    except InvalidRow:
        return InvalidRow


def same(made: Many, rows: list[tuple[str, ...]]) -> None:
    assert outcome(lambda: made.values_of(rows)) == outcome(lambda: [*map(made.values, rows)])


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_whatever_a_value_is(made: Many) -> None:
    for value in ("", *PARTS, *(f"a{odd}b" for odd in ODD)):
        same(made, [("a@b.by", "Anna", "Minsk"), ("b@c.by", value or "Boris", value)])
        same(made, [("a@b.by", value, "Minsk")])
    same(made, [("a@b.by", "Anna", "Minsk"), ("b@c.by", "Olga", "Brest", "a field of hers alone")])


@given(
    made=st.sampled_from([*MADE.values()]),
    rows=st.lists(st.tuples(st.just("a@b.by"), VALUES, VALUES), min_size=1, max_size=3),
)
def test_many_rows_are_each_by_itself(made: Many, rows: list[tuple[str, ...]]) -> None:
    same(made, rows)


@given(name=VALUES, city=VALUES, body=st.sampled_from([HTML, "{{ unsubscribe }}"]))
def test_devino_measures_what_it_writes(name: str, city: str, body: str) -> None:
    dispatch = Devino("key").dispatch(message(body), COLUMNS[1:])
    macros = Macros(message(body), COLUMNS)
    if name.strip() and not name.isspace():
        fields = macros.values(("ann@b.by", name, city))
        recipient = MessageRecipient("ann@b.by", "", fields, {"mailkit": "x" * TOKEN_BYTES})
        written = len(msgspec.json.encode(recipient_tree(recipient)))
        assert dispatch.measure("ann@b.by", (name, city)) == written


PULSE = SendPulse(api_key="k", zone="UTC")


@pytest.mark.parametrize("client", [Devino("k"), PULSE], ids=["devino", "sendpulse"])
@given(rows=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=3))
def test_many_rows_are_measured_as_each_by_itself(
    client: Devino | SendPulse, rows: list[tuple[str, str]]
) -> None:
    dispatch = client.dispatch(message(HTML), COLUMNS[1:])
    assert isinstance(dispatch, MeasuresMany)
    many = ["ann@b.by"] * len(rows)
    try:
        sizes = [dispatch.measure("ann@b.by", row) for row in rows]
    except InvalidRow:
        with pytest.raises(InvalidRow):
            dispatch.measure_many(many, rows)
    else:
        assert [*dispatch.measure_many(many, rows)] == sizes
        more = [*rows, ("Anna", "Minsk", "a field of hers alone")]
        assert [*dispatch.measure_many([*many, "ann@b.by"], more)][:-1] == sizes
