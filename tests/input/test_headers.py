"""What stands in a header is one line of text: subject, names, labels; and no half surrogates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit.attachment import Attachment
from mailkit.bulk.source import read_recipients
from mailkit.core.forms import urlencoded
from mailkit.errors import InvalidArgument, MailkitError
from mailkit.message import Message, Recipient
from mailkit.providers.smsby import PersonalMessage, SmsBy

from ..approval import approve
from ..core.doubles import Script
from .journey import PERSONAL, PLAIN, Journey, send, travel

BREAKS = ["\r", "\n", "\r\n", "\0", "\v", "\f", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"]
HALVES = ["\ud800", "\udcff"]
SHOP = "news@shop.example"


def spelt(char: str) -> str:
    return f"U+{ord(char[0]):04X}"


async def named(name: Any) -> Journey:
    return await travel(read_recipients(["a@b.by"]), PLAIN, name=name)


# the subject, rendered from a column


@pytest.mark.parametrize("char", BREAKS, ids=ascii)
async def test_a_value_that_would_break_the_subject_makes_its_row_invalid(char: str) -> None:
    value = f"Anna{char}Bcc: all@example.com"
    items = [("a@b.by", {"name": value}), ("c@d.by", {"name": "Ivan"})]
    journey = await travel(read_recipients(items), PERSONAL)
    assert journey.mailed == ["c@d.by"]
    if char == "\0":
        assert journey.reasons == {1: "the value of {{ name }} is text with NUL bytes"}
    else:
        assert f"{spelt(char)}), and is part of the subject" in journey.reasons[1]


@pytest.mark.parametrize("char", [char for char in BREAKS if char != "\0"], ids=ascii)
async def test_the_same_value_is_at_home_in_the_body(char: str) -> None:
    message = Message(sender=SHOP, subject="Hi", text="{{ name }}")
    items = [("a@b.by", {"name": f"Anna{char}Petrova"})]
    journey = await travel(read_recipients(items), message)
    assert journey.provider.letters["a@b.by"] == ("Hi", f"Anna{char}Petrova")


async def test_a_table_s_value_of_two_lines_is_refused_in_the_subject_alone() -> None:
    journey = await send('email,name\na@b.by,"An\r\nna"\nc@d.by,"An\u2028na"\n', PERSONAL)
    assert journey.mailed == []
    assert set(journey.states.values()) == {"invalid"}


# the message


@pytest.mark.parametrize("char", [*BREAKS, *HALVES], ids=ascii)
@pytest.mark.parametrize(
    "words",
    [
        lambda char: {"subject": f"Hi{char}Bcc: x"},
        lambda char: {"subject": f"Hi {{{{ name | 'a{char}b' }}}}"},
        lambda char: {"sender": f"Shop{char}X <{SHOP}>"},
        lambda char: {"sender": f"{SHOP}{char}"},
        lambda char: {"attachments": [Attachment(f"a{char}.pdf", b"")]},
        lambda char: {"attachments": [Attachment("a.pdf", b"", f"text/plain{char}X: y")]},
    ],
    ids=["subject", "default", "sender", "address", "file", "type"],
)
def test_a_message_with_a_broken_header_cannot_be_made(char: str, words: Any) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(spelt(char))):
        Message(**{"sender": SHOP, "subject": "Hi", "html": "x"} | words(char))


@pytest.mark.parametrize("char", HALVES, ids=ascii)
@pytest.mark.parametrize("body", ["html", "text"])
def test_half_a_surrogate_pair_is_refused_in_a_body(body: str, char: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Message(sender=SHOP, subject="Hi", **{body: f"x{char}"})  # type: ignore[arg-type]
    approve("refused: an unpaired surrogate", str(caught.value), body=body)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
async def test_a_moment_beyond_the_calendar_is_refused(tmp_path: Path, moment: str) -> None:
    file = tmp_path / "message.toml"
    file.write_text(f'sender = "{SHOP}"\nsubject = "Hi"\ntext = "x"\nsend_at = {moment}\n')
    with pytest.raises(InvalidArgument) as caught:
        Message.from_toml(file)
    approve("refused: a moment beyond the calendar", str(caught.value), file=file, moment=moment)


# the call itself, whoever makes it


@pytest.mark.parametrize("char", [*BREAKS, *HALVES], ids=ascii)
@pytest.mark.parametrize(
    "call",
    [
        lambda c, x: c.emails.send(sender=SHOP, to="a@b.by", subject=f"Hi{x}", html="x"),
        lambda c, x: c.emails.send(sender=f"S{x}p <{SHOP}>", to="a@b.by", subject="Hi", html="x"),
        lambda c, x: c.emails.send(sender=SHOP, to=f"a@b{x}.by", subject="Hi", html="x"),
        lambda c, x: c.emails.send(sender=SHOP, to=f"A{x} <a@b.by>", subject="Hi", html="x"),
        lambda c, x: c.emails.send_to_list(
            list_id=1, sender=SHOP, subject="Hi", html="x", name=f"autumn{x}"
        ),
        lambda c, x: c.bulk.send(
            sender=SHOP, subject="Hi", html="x", name=f"autumn{x}", delivery_list=["a@b.by"]
        ),
        lambda c, x: c.bulk.send(
            sender=SHOP, subject="Hi", html="x", delivery_list=["a@b.by", f"c@d.by{x}"]
        ),
        lambda c, x: c.bulk.send(
            sender=SHOP, delivery_list=[PersonalMessage("a@b.by", f"Hi{x}", "x")]
        ),
        lambda c, x: c.bulk.send(
            sender=SHOP, delivery_list=[PersonalMessage(f"a@b.by{x}", "Hi", "x")]
        ),
    ],
    ids=[
        "subject", "sender", "to", "to-name", "list-name", "label", "address", "letter-subject",
        "letter-address",
    ],
)  # fmt: skip
async def test_no_call_sends_a_broken_header(char: str, call: Any) -> None:
    script = Script()
    with pytest.raises(InvalidArgument):
        await call(SmsBy("token", transport=script), char)
    assert script.requests == []


@pytest.mark.parametrize("char", HALVES, ids=ascii)
async def test_no_call_sends_half_a_surrogate_pair(char: str) -> None:
    script = Script()
    client = SmsBy("token", transport=script)
    for body in ("x", "x" * 5000):
        with pytest.raises(InvalidArgument, match="an unpaired surrogate"):
            await client.emails.send(sender=SHOP, to="a@b.by", subject="Hi", html=body + char)
        letter = PersonalMessage("a@b.by", "Hi", body + char)
        with pytest.raises(InvalidArgument, match="an unpaired surrogate"):
            await client.bulk.send(sender=SHOP, delivery_list=[letter])
    with pytest.raises(InvalidArgument, match="an unpaired surrogate"):
        await client.bulk.status(char)
    with pytest.raises(InvalidArgument, match="an unpaired surrogate"):
        urlencoded([(char, "x")])
    assert script.requests == []


@pytest.mark.parametrize("char", ["\n", "\x1b", "\u2028", *HALVES], ids=ascii)
def test_a_client_s_settings_are_lines_of_text(char: str) -> None:
    for setting in ("account", "unsubscribe_url"):
        with pytest.raises(InvalidArgument, match=f"{setting} has .*{re.escape(spelt(char))}"):
            SmsBy("token", **{setting: f"x{char}"})  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="token: a credential has printable ASCII"):
        SmsBy(f"token{char}")
    with pytest.raises(InvalidArgument, match="url: not an http"):
        SmsBy("token", f"https://sms.example/{char}x")


# the job's name, which is the label in the provider's panel


@pytest.mark.parametrize("char", [*BREAKS, *HALVES], ids=ascii)
async def test_a_job_s_name_is_a_line_of_text(char: str) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(f"({spelt(char)})")):
        await named(f"autumn{char}")


@pytest.mark.parametrize("name", ["x" * 201, "ж" * 1_000_000, "-x", "--json", "  ", 5])
async def test_a_name_that_no_command_could_be_given_is_refused(name: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await named(name)
    approve(f"refused: a job's name, {str(name)[:3]!r}", str(caught.value))


@pytest.mark.parametrize(
    "name",
    ["a/b", "../../etc/passwd", "..", "a\\b", "C:\\x", "NUL", "~", "*", "$(id)", "a;b", "%s%n",
     "{{ x }}", "x" * 200, "осень 2026", "'", '"', ".", "#1"],
)  # fmt: skip
async def test_any_other_name_is_a_label_and_never_a_path(name: str) -> None:
    journey = await named(name)
    assert journey.report.job == name
    assert [chunk.label for chunk in journey.provider.chunks] == [f"{name} #1"]


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("осень 2026.csv", "осень-2026"),
        ("(новые).csv", "новые-"),
        ("--again.csv", "again"),
        ("***.csv", "list"),
        ("\x1b[2J.csv", "2J"),
        ("a\nb.csv", "a-b"),
        ("\udcff.csv", "list"),
        ("x" * 200 + ".csv", "x" * 40),
        ("$(id);`id`.csv", "id-id-"),
    ],
)
async def test_a_default_name_can_be_given_to_every_command(
    tmp_path: Path, file: str, stem: str
) -> None:
    (tmp_path / file).write_text("email\na@b.by\n")
    journey = await travel(read_recipients(tmp_path / file), name=None)
    assert re.fullmatch(re.escape(stem) + "-[0-9a-f]{8}", journey.report.job)
    assert re.fullmatch(r"[\w.][\w.-]*", journey.report.job)


# any text anywhere

TEXT = st.text(st.characters(), max_size=20) | st.text(
    "a\r\n\0\x1b\u2028\x85\ud800{}|' ", max_size=8
)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=4), TEXT, TEXT, TEXT)
async def test_whatever_the_words_are_no_header_breaks(
    values: list[str], subject: str, sender: str, name: str
) -> None:
    items = [Recipient(f"p{n}@b.by", {"name": value}) for n, value in enumerate(values)]
    try:
        message = Message(f"{sender} <{SHOP}>", f"{subject} {{{{ name }}}} or so", text="x")
        journey = await travel(read_recipients(items), message, name=name or None)
    except MailkitError as error:
        assert str(error)  # noqa: PT017
        return
    for line in (journey.report.job, message.sender.name, *journey.provider.letters):
        assert not set(line) & set("\r\n\0\x85\u2028\u2029")
    for rendered, _ in journey.provider.letters.values():
        assert len(rendered.splitlines()) == 1
        rendered.encode()
