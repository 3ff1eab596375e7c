"""Messages that are rendered while they are written are those that are rendered one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit import Message
from mailkit.core.dispatch import SEND, Task, TaskRow
from mailkit.core.forms import Pair, flatten, multipart, urlencoded
from mailkit.core.wire_format import WireFormat
from mailkit.providers.smsby.deliveries import RenderedMessages, write
from mailkit.providers.smsby.dispatch import SmsByDispatch
from mailkit.providers.smsby.fields import SmsByFormat
from mailkit.template import LinkTemplate, Template

from ...core.doubles import Script, response
from .doubles import client, form

COLUMNS = ("email", "name", "city")
VALUES = st.one_of(
    st.sampled_from(["", " \t", "Anna", "O'Brien & Söhne", "<b>", "1\u00a0000", "a b/c?d=e", "\0"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
EMAILS = st.one_of(st.just("anna@mail.by"), st.just("ä\u00a0@b.by"), VALUES)
SLOTS = ("{{ name }}", "{{ name | 'you & me' }}", "{{ city }}", "{{ email }}", "{{ city | url }}")
PIECES = st.lists(
    st.sampled_from([*SLOTS, "{{ unsubscribe }}", "Привет, ", "<a href='https://x.by/", "'>", " "])
)
LINK = LinkTemplate.parse("https://shop.by/{{ name }}/bye?e={{ email }}&c={{ city | '' }}", "link")
FORMATS = (SmsByFormat(), SmsByFormat(text_at_top=True))


def written(deliveries: Any, wire_format: WireFormat) -> tuple[bytes, str]:
    """Both forms of the list; the first without its boundary."""
    pairs: list[Pair] = []
    for key, value in write(deliveries, wire_format).items():
        flatten(pairs, key, value)
    kind, body = multipart(pairs, [("token", "t")])
    return body.replace(kind.partition("boundary=")[2].encode(), b"BOUNDARY"), urlencoded(pairs)


def outcome(deliveries: Callable[[], Any], wire_format: WireFormat) -> object:
    try:
        return written(deliveries(), wire_format)
    except ValueError as error:
        return type(error), str(error)


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[str, str, str]]:
    """Rows that have a few values in common, so that many columns are clean."""
    emails = st.sampled_from(draw(st.lists(EMAILS, min_size=1, max_size=2)))
    values = st.sampled_from(draw(st.lists(VALUES, min_size=1, max_size=2)))
    return draw(st.lists(st.tuples(emails, values, values), min_size=1, max_size=3))


@given(
    subject=PIECES,
    body=PIECES,
    text=st.booleans(),
    rows=tables(),
    wire_format=st.sampled_from(FORMATS),
)
def test_forms_and_errors_are_those_of_messages_one_by_one(
    subject: list[str],
    body: list[str],
    text: bool,
    rows: list[tuple[str, str, str]],
    wire_format: WireFormat,
) -> None:
    bodies: dict[str, str] = {"text" if text else "html": "b" + "".join(body)}
    try:
        template = Template.parse(Message("a@b.by", "s" + "".join(subject), **bodies))  # type: ignore[arg-type]
        render = template.compile(COLUMNS, unsubscribe=LINK)
    except ValueError:  # a link within a link
        return
    messages = RenderedMessages(render, [row[0] for row in rows], [row[1:] for row in rows])
    assert len(messages) == len(rows)
    assert outcome(lambda: messages, wire_format) == outcome(lambda: [*messages], wire_format)


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize("slot", SLOTS)
def test_whatever_a_value_is_and_wherever_it_goes(slot: str, wire_format: WireFormat) -> None:
    for value in (*"&<>\"' \t\r\n\0\x85\u2028/%aä", "", " \t", "a\u00a0b", "a b", "\u2028a"):
        for message in (
            Message("a@b.by", f"s {slot}", html="<p>"),
            Message("a@b.by", "s", html=f"<p>{slot}"),
            Message("a@b.by", "s", html=f"<a href='https://x.by/{slot}'>"),
            Message("a@b.by", "s", text=f"{slot}."),
        ):
            render = Template.parse(message).compile(COLUMNS)
            for emails in (("a@b.by", "b@c.by"), ("a@b.by", value)):
                messages = RenderedMessages(render, emails, [("A", "B"), (value, value)])
                found = outcome(lambda: messages, wire_format)  # noqa: B023 - called at once
                assert found == outcome(lambda: [*messages], wire_format)  # noqa: B023


@pytest.mark.parametrize("name", ["Anna", "O'Brien", ""])
def test_messages_are_written_at_once_unless_something_may_be_wrong(name: str) -> None:
    def fields(*emails: str) -> object:
        template = Template.parse(Message("a@b.by", "Hi {{ name | 'you' }}", html="{{ name }}"))
        render = template.compile(COLUMNS)
        return RenderedMessages(render, emails, [(name or "Boris", "Minsk")] * len(emails)).fields()

    assert fields("a@b.by", "b@c.by") is not None
    rows = [(name, "Minsk"), (name, "Brest", "a field of hers alone")]
    template = Template.parse(Message("a@b.by", "Hi", html="{{ name | 'you' }}"))
    messages = RenderedMessages(template.compile(COLUMNS), ("a@b.by", "b@c.by"), rows)
    assert messages.fields() is not None
    assert fields("a@b.by", "b@c.by\r") is None


def dispatch(script: Script, message: Message, columns: Sequence[str]) -> SmsByDispatch:
    made = client(script).dispatch(message, columns)
    assert isinstance(made, SmsByDispatch)
    return made


@pytest.mark.parametrize(
    ("columns", "values"), [((), ((), ())), (("name", "city"), (("A", "x"), ("O'B", "y")))]
)
async def test_a_chunk_is_one_form(columns: Sequence[str], values: Sequence[Sequence[str]]) -> None:
    body = "<p>{{ email }}" + "{{ name }}" * bool(columns)
    script = Script(response(200, {"status": "OK", "result": {"uuid": "u-1"}}))
    rows = [TaskRow(n, f"n{n}@x.by", row) for n, row in enumerate(values)]
    sends = dispatch(script, Message("a@b.by", "Hi", html=body), columns)
    assert (await sends.perform(Task("autumn", 1, SEND, rows))).reference == "u-1"
    sent = form(script)
    for n, row in enumerate(rows):
        subject, text = sends.render(row.address, row.values)
        assert sent[f"delivery_list[{n}][email]"] == row.address
        assert sent[f"delivery_list[{n}][subject]"] == subject
        assert sent[f"delivery_list[{n}][message]"] == text
