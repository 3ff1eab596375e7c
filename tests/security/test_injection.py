"""No value gets out of its place: not in html, a form, a query, a header or a path.

What mailkit writes is read by parsers that know nothing of it.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailkit.core.forms import File, Pair, multipart, urlencoded
from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.providers.devino import Devino
from mailkit.providers.devino.macros import Macros
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy
from mailkit.template import Template

from .forms import as_read, parts_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.lists(
    st.sampled_from(
        ["\r\n", "\r", "\n", "--", "-", '"', "'", "=", "&", ";", "%", "%0D%0A", "<", ">", "[", "]",
         "Content-Disposition: form-data; name=\"token\"", "\r\n\r\n", "evil", "\0", "é", " ", "+"]
    ),
    max_size=8,
).map("".join)  # fmt: skip
LINE = TEXT.map(lambda text: "".join(char for char in text if char.isprintable()).strip())


# html


class Reader(HTMLParser):
    """What a browser would make of it: the tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.odd: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def handle_decl(self, decl: str) -> None:
        self.odd.append(decl)

    def handle_pi(self, data: str) -> None:
        self.odd.append(data)


HTML = """<p title="{{ x }}" lang='{{ x }}'>{{ x }}</p>"""
MARKUP = TEXT | st.lists(
    st.sampled_from(
        ["<script>", "</p>", "<!--", "-->", "&amp;", "&lt", "&#60;", '"', "'", " onload=", "<?",
         "&", "javascript:", "</title>", "{{ x }}", "{{", "}}", "\0", "`", "=", "/", "\\", "<", ">"]
    ),
    max_size=8,
).map("".join)  # fmt: skip


def filled_by_devino(message: Message, columns: list[str], values: list[str]) -> str:
    """The body with its macros filled in by a service that looks for them in the values too."""
    macros = Macros(message, columns)
    body = macros.body
    for _ in range(3):
        for name, value in {**macros.values(values), "Unsubscribe": "", "WebVersion": "W"}.items():
            body = body.replace(f"[{name}]", value)
    return body


@settings(derandomize=True, max_examples=200)
@given(MARKUP.filter(str.strip))
@example("[x]")
@example("[Unsubscribe][WebVersion]")
@example("<script>alert(1)</script>")
@example("{{ x }}")
def test_a_value_in_html_is_text_and_nothing_else(value: str) -> None:
    message = Message("a@b.by", "Hi", html=HTML + "{{ unsubscribe }}")
    _, body = Template.parse(message).compile(["x"], unsubscribe="")([value])
    for filled in (body, filled_by_devino(message, ["x"], [value])):
        read = Reader(filled)
        assert read.tags == [("p", {"title": value, "lang": value})]
        assert read.text == value
        assert read.odd == []


@settings(derandomize=True)
@given(MARKUP.filter(str.strip))
def test_a_default_and_a_link_are_text_too(value: str) -> None:
    quote = '"' if "'" in value else "'"
    html = f'<a href="{{{{ unsubscribe }}}}">{{{{ x | {quote}{value}{quote} }}}}</a>'
    if quote in value:
        return
    template = Template.parse(Message("a@b.by", "Hi", html=html))
    _, body = template.compile(["x"], unsubscribe=value)([""])
    read = Reader(body)
    assert read.tags == [("a", {"href": value})]
    assert read.text == value


@settings(derandomize=True)
@given(MARKUP)
def test_a_value_is_never_read_as_a_placeholder(value: str) -> None:
    template = Template.parse(Message("a@b.by", "Hi", text="<{{ x | ' ' }}> {{ y }}"))
    _, body = template.compile(["x", "y"])([value, "z"])
    assert body == f"<{value if value.strip() else ' '}> z"


# forms


# A backslash in front of the closing quote is read in two ways; Attachment refuses it in names.
NAME = st.text("ab[]é;=:\"' -%\r\n\t<>", min_size=1, max_size=12).map(str.strip).filter(bool)


@settings(derandomize=True, max_examples=200)
@given(
    st.lists(st.tuples(NAME, TEXT), max_size=4),
    st.lists(st.tuples(NAME, NAME, st.binary(max_size=40)), max_size=2),
    TEXT,
)
def test_no_value_breaks_out_of_its_part(
    fields: list[tuple[str, str]], files: list[tuple[str, str, bytes]], token: str
) -> None:
    pairs: list[Pair] = [*fields]
    pairs += [(name, File(file, "image/png", data)) for name, file, data in files]
    content_type, body = multipart(pairs, [("token", token)])
    found = parts_of(content_type, body)
    assert [(name, file, content) for name, file, _, content in found] == [
        *((as_read(name), None, text.encode()) for name, text in fields),
        *((as_read(name), as_read(file), data) for name, file, data in files),
        ("token", None, token.encode()),
    ]


@settings(derandomize=True, max_examples=200)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_no_value_breaks_out_of_a_form_or_a_query(fields: list[tuple[str, str]]) -> None:
    text = urlencoded([*fields])
    assert text.isascii()
    assert text.isprintable()
    assert " " not in text
    assert parse_qsl(text, keep_blank_values=True, strict_parsing=bool(fields)) == fields


@pytest.mark.parametrize("make", [lambda k: Devino(k), lambda k: SendPulse(api_key=k), SmsBy])
@settings(derandomize=True)
@given(key=st.text(max_size=12))
def test_a_credential_that_would_break_a_header_is_refused(make: Any, key: str) -> None:
    fit = key.isascii() and key.isprintable() and " " not in key and key != ""
    try:
        make(key)
    except InvalidArgument:
        assert not fit
    else:
        assert fit
