"""No value gets out of its place: not in html, a form, a query, a header or a path.

What mailkit writes is read by parsers that know nothing of it.
"""

from __future__ import annotations

import email
import email.policy
import re
from email.message import Message as Part
from html.parser import HTMLParser
from random import Random
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailkit.core.forms import File, Pair, multipart, urlencoded
from mailkit.errors import InvalidArgument, MailkitError
from mailkit.message import Attachment, Message
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import PersonalLetter, SmsBy
from mailkit.template import Template

from ..core.doubles import Script
from ..core.doubles import answer as script_answer

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


@settings(derandomize=True, max_examples=200)
@given(MARKUP.filter(str.strip))
@example("<script>alert(1)</script>")
@example("{{ x }}")
def test_a_value_in_html_is_text_and_nothing_else(value: str) -> None:
    template = Template.parse(Message("a@b.by", "Hi", html=HTML))
    _, body = template.compile(["x"])([value])
    read = Reader(body)
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


def parts_of(content_type: str, body: bytes) -> list[tuple[str, str | None, str, bytes]]:
    """Name, file name, type and content of each part, as the standard library reads them."""
    head = f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n".encode()
    message: Part = email.message_from_bytes(head + body, policy=email.policy.compat32)
    assert message.is_multipart()
    assert not message.defects
    found = []
    for part in message.get_payload():
        assert isinstance(part, Part)
        headers = dict(part.raw_items())
        assert set(headers) <= {"Content-Disposition", "Content-Type"}
        names = _disposition(headers["Content-Disposition"])
        assert names is not None, headers
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((names[1], names[2], part.get_content_type(), content))
    return found


_disposition = re.compile(r'form-data; name="([^"\r\n]*)"(?:; filename="([^"\r\n]*)")?').fullmatch


def as_read(name: str) -> str:
    """A name as browsers write it, and as a reader that knows bytes alone sees it."""
    text = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return text.encode().decode("ascii", "surrogateescape")


# A backslash in front of the closing quote is read in two ways; Attachment refuses it in names.
NAME = st.text("ab[]é;=:\"' -%\r\n\t<>", min_size=1, max_size=12).map(str.strip).filter(bool)


@settings(derandomize=True, max_examples=200)
@given(
    st.lists(st.tuples(NAME, TEXT), max_size=4),
    st.lists(st.tuples(NAME, NAME, st.binary(max_size=40)), max_size=2),
    TEXT,
    st.integers(0, 2**32),
)
def test_no_value_breaks_out_of_its_part(
    fields: list[tuple[str, str]], files: list[tuple[str, str, bytes]], token: str, seed: int
) -> None:
    pairs: list[Pair] = [*fields]
    pairs += [(name, File(file, "image/png", data)) for name, file, data in files]
    content_type, body = multipart(pairs, [("token", token)], Random(seed))
    found = parts_of(content_type, body)
    assert [(name, file, content) for name, file, _, content in found] == [
        *((as_read(name), None, text.encode()) for name, text in fields),
        *((as_read(name), as_read(file), data) for name, file, data in files),
        ("token", None, token.encode()),
    ]


def test_a_value_that_knows_the_boundary_does_not_break_out() -> None:
    first = b"%032X" % Random(7).getrandbits(128)
    evil = f'\r\n--{first.decode()}\r\nContent-Disposition: form-data; name="token"\r\n\r\nmine'
    content_type, body = multipart([("subject", evil)], [("token", "ours")], Random(7))
    assert first.decode() not in content_type
    assert [(name, content) for name, _, _, content in parts_of(content_type, body)] == [
        ("subject", evil.encode()),
        ("token", b"ours"),
    ]


@settings(derandomize=True, max_examples=200)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_no_value_breaks_out_of_a_form_or_a_query(fields: list[tuple[str, str]]) -> None:
    text = urlencoded([*fields])
    assert text.isascii()
    assert text.isprintable()
    assert " " not in text
    assert parse_qsl(text, keep_blank_values=True, strict_parsing=bool(fields)) == fields


# calls, as they leave


def sent(script: Script) -> tuple[str, str, dict[str, str], bytes]:
    verb, url, headers, body = script.requests[-1]
    for name, value in headers.items():
        assert (name + value).isprintable()
        assert (name + value).isascii()
    assert url.isascii()
    assert url.isprintable()
    return verb, url, headers, body or b""


def form_of(script: Script) -> list[tuple[str, str]]:
    _, _, headers, body = sent(script)
    kind = headers["Content-Type"]
    if kind.startswith("multipart"):
        return [(name, data.decode()) for name, _, _, data in parts_of(kind, body)]
    return parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)


async def tried(call: Any) -> bool:
    """Whether it was sent; the answer is none that fits, which doesn't matter here."""
    try:
        await call
    except InvalidArgument:
        return False
    except MailkitError:
        pass
    return True


def silent() -> Script:
    return Script(script_answer(400, {"error": "no"}))


@settings(derandomize=True)
@given(LINE, LINE, TEXT, st.booleans())
async def test_a_letter_has_the_fields_it_was_given_and_no_more(
    subject: str, sender: str, html: str, long: bool
) -> None:
    script = silent()
    html = html + "x" * 2000 * long
    client = SmsBy("our-token", transport=script)
    letters = [PersonalLetter("a@b.by", subject, html), PersonalLetter("c@d.by", "s", "m")]
    assert await tried(client.bulk.send(sender="x@y.by", name=sender, delivery_list=letters))
    assert sorted(form_of(script)) == [
        ("delivery_list[0][email]", "a@b.by"),
        ("delivery_list[0][message]", html),
        ("delivery_list[0][subject]", subject),
        ("delivery_list[1][email]", "c@d.by"),
        ("delivery_list[1][message]", "m"),
        ("delivery_list[1][subject]", "s"),
        ("message_type", "personal"),
        ("name", sender),
        ("sender_email", "x@y.by"),
        ("token", "our-token"),
    ]
    script.acts = silent().acts
    client = SmsBy("our-token", transport=script)
    if await tried(client.emails.send(sender="x@y.by", to="a@b.by", subject=subject, html=html)):
        assert sorted(form_of(script)) == [
            ("email", "a@b.by"),
            ("message", html),
            ("sender_email", "x@y.by"),
            ("subject", subject),
            ("token", "our-token"),
        ]


@settings(derandomize=True)
@given(TEXT, st.binary(max_size=50))
async def test_an_attachment_has_the_name_it_was_given_or_is_refused(
    name: str, content: bytes
) -> None:
    try:
        file = Attachment(name, content, "application/pdf")
    except InvalidArgument:
        return
    script = silent()
    letter = SmsBy("t", transport=script).emails.send(
        sender="x@y.by", to="a@b.by", subject="s", html="h", attachment=file
    )
    assert await tried(letter)
    _, _, headers, body = sent(script)
    found = parts_of(headers["Content-Type"], body)
    assert ("attachment", as_read(name), "application/pdf", content) in found
    assert len(found) == 6


@settings(derandomize=True)
@given(TEXT)
async def test_a_value_in_a_path_stays_one_piece_of_it(value: str) -> None:
    script = silent()
    client = SendPulse(api_key="k", transport=script)
    if await tried(client.senders.request_code(value)):
        _, url, headers, _ = sent(script)
        parts = urlsplit(url)
        assert (parts.netloc, parts.query, parts.fragment) == ("api.sendpulse.com", "", "")
        assert parts.path.count("/") == 3
        assert unquote(parts.path) == f"/senders/{value}/code"
        assert headers["Authorization"] == "Bearer k"
    else:
        assert value in ("", ".", "..")


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
