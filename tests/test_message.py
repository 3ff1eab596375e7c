"""Messages: what can be sent is kept as given, what can't is refused with place and remedy."""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.address import Address
from mailkit.attachment import Attachment
from mailkit.errors import InvalidArgument
from mailkit.message import Message, Recipient

MINSK = timezone(timedelta(hours=3))


def message(**changes: Any) -> Message:
    words = {"sender": "Shop <news@shop.by>", "subject": "Hi", "html": "<p>Hi</p>"}
    return Message(**{**words, **changes})


def test_a_message_takes_text_and_paths_where_it_keeps_values(tmp_path: Path) -> None:
    file = tmp_path / "price.pdf"
    file.write_bytes(b"%PDF")
    letter = Message(
        sender="Shop <news@shop.by>",
        subject="Hi",
        text="Hello",
        attachments=[file, str(file), Attachment("note.txt", "привет")],
    )
    assert letter.sender == Address("news@shop.by", "Shop")
    assert letter.body == "Hello"
    assert [a.name for a in letter.attachments] == ["price.pdf", "price.pdf", "note.txt"]
    assert letter.attachments[2].content == "привет".encode()


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        message().subject = "Bye"  # type: ignore[misc]
    assert not hasattr(message(), "__dict__")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"html": None}, "a body, html or text; it has neither"),
        ({"text": " "}, "text: it is empty"),
        ({"html": " \n"}, "html: it is empty"),
        ({"html": None, "text": ""}, "text: it is empty"),
        ({"html": b"<p>"}, "html: give text, not bytes"),
        ({"html": "\ud800"}, "html: an unpaired surrogate at character 1"),
        ({"subject": ""}, "subject: it is empty"),
        ({"subject": "  "}, "subject: it is empty"),
        ({"subject": None}, "subject: give text, not NoneType"),
        ({"sender": "Shop"}, "sender: 'Shop' is not an email address: no @"),
        ({"sender": "Sh\nop <a@b.by>"}, r"sender: address has a line break \(U\+000A\)"),
        ({"sender": 5}, "sender: address: give text, not int"),
        ({"send_at": datetime(2030, 5, 1, 10)}, "send_at: 2030-05-01T10:00:00 has no time zone"),
        ({"send_at": date(2030, 5, 1)}, "send_at: give a datetime, not date"),
        ({"send_at": "2030-05-01"}, "send_at: give a datetime, not str"),
        ({"track_opens": 1}, "track_opens: give True, False or None, not 1"),
        ({"track_clicks": "yes"}, "track_clicks: give True, False or None, not 'yes'"),
        ({"attachments": "price.pdf"}, "attachments: give a list, even for one item"),
        ({"attachments": [b"%PDF"]}, "bytes need a name"),
        ({"attachments": [5]}, "give a path, bytes or an Attachment, not int"),
        ({"reply_to": "Anna"}, "reply_to: 'Anna' is not an email address: no @"),
        ({"headers": ["X-A: 1"]}, "headers: give names and texts, not list"),
        ({"headers": {"X A": "1"}}, "headers: 'X A' is not a valid header name"),
        ({"headers": {"X-A": "1\n2"}}, "headers: X-A has a line break"),
        ({"headers": {"X-A": "{{ name }}"}}, "headers: X-A has a placeholder"),
        ({"headers": {"Reply-To": "a@b.by"}}, "Reply-To is set from the other parts"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_place(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidArgument, match=sentence):
        message(**changes)


@pytest.mark.parametrize("char", ["\r", "\n", "\0", "\t", "\x1b", "\x85", "\u2028", "\u2029"])
def test_control_characters_are_refused_in_the_subject(char: str) -> None:
    with pytest.raises(InvalidArgument, match=f"subject has .*U\\+{ord(char):04X}"):
        message(subject=f"Hi{char}Bcc: all@shop.by")


def test_the_time_to_send_keeps_its_offset() -> None:
    at = datetime(2030, 5, 1, 10, tzinfo=ZoneInfo("Europe/Minsk"))
    kept = message(send_at=at).send_at
    assert kept == at
    assert kept is not None
    assert kept.isoformat() == "2030-05-01T10:00:00+03:00"


# Attachments


def test_the_content_type_is_guessed_from_the_name_unless_given() -> None:
    assert Attachment("price.pdf", b"").content_type == "application/pdf"
    assert Attachment("price.unheard-of", b"").content_type == "application/octet-stream"
    assert Attachment("price.pdf", b"", "text/x-own").content_type == "text/x-own"


def test_an_attachment_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "price.txt"
    file.write_text("old")
    attachment = Attachment.of(file, name="prices.txt")
    file.write_text("new")
    assert (attachment.name, attachment.content) == ("prices.txt", b"old")
    assert Attachment.of(attachment) is attachment
    assert Attachment.of(attachment, name="x.txt").name == "x.txt"
    assert Attachment.of(b"old", name="x.txt").content == b"old"


def test_the_content_of_an_attachment_is_not_printed() -> None:
    assert "secret" not in repr(Attachment("x.txt", "secret"))


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "a/b", "a\\b", 'a"b', "a\r\nb", "a\0b", "../x", "a\u2028b"]
)
def test_a_name_that_is_no_plain_file_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="attachment"):
        Attachment(name, b"x")


@pytest.mark.parametrize(
    "kind", ["", "text", "/plain", "text/", "text/plain\r\nX: y", "te xt/plain"]
)
def test_a_content_type_that_is_none_is_refused(kind: str) -> None:
    with pytest.raises(InvalidArgument, match="content_type"):
        Attachment("x.txt", b"x", kind)


def test_a_file_that_cannot_be_read_is_refused_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidArgument, match=r"there is no file .*none\.pdf"):
        Attachment.of(tmp_path / "none.pdf")
    with pytest.raises(InvalidArgument, match="is a directory"):
        Attachment("x.pdf", tmp_path)
    with pytest.raises(InvalidArgument, match="can't be read"):
        Attachment("x.pdf", Path("a\0b"))
    with pytest.raises(InvalidArgument, match="not int"):
        Attachment("x.pdf", 5)  # type: ignore[arg-type]
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InvalidArgument, match="not a regular file"):
            Attachment.of(tmp_path / "pipe")
    monkeypatch.setattr("mailkit.attachment._LARGEST", 3)
    (tmp_path / "big").write_bytes(b"1234")
    with pytest.raises(InvalidArgument, match="larger than"):
        Attachment.of(tmp_path / "big")


# Journal


def full() -> Message:
    return message(
        subject="Привет, {{ name }}",
        attachments=[Attachment("a.bin", bytes(range(256))), Attachment("b.txt", "ж", "text/x")],
        send_at=datetime(2030, 5, 1, 10, 0, 0, 5, tzinfo=MINSK),
        track_opens=False,
        track_clicks=True,
    )


def test_a_message_survives_the_journal() -> None:
    for letter in (full(), attrs.evolve(full(), reply_to="A <a@b.by>", headers={"X-A": "1"})):
        assert Message.from_json(json.loads(json.dumps(letter.to_json()))) == letter
        assert hash(letter) == hash(attrs.evolve(letter))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
LINES = TEXTS.filter(lambda text: text.isprintable())


@given(
    name=st.text(st.characters(exclude_categories=["C", "Z"])),
    subject=LINES,
    body=TEXTS,
    content=st.binary(),
    send_at=st.none() | st.datetimes(timezones=st.timezones()),
    track=st.none() | st.booleans(),
)
def test_every_message_survives_the_journal(
    name: str, subject: str, body: str, content: bytes, send_at: Any, track: bool | None
) -> None:
    letter = message(
        sender=Address("news@shop.by", name),
        subject=subject,
        html=body,
        attachments=[Attachment("a.bin", content)],
        send_at=send_at,
        track_opens=track,
    )
    again = Message.from_json(json.loads(json.dumps(letter.to_json())))
    assert again == letter
    assert again.fingerprint() == letter.fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"sender": None},
        {"sender": {"email": "x"}},
        {"attachments": 5},
        {"attachments": [{"name": "x", "content_type": "a/b", "content": "%%%"}]},
        {"send_at": "tomorrow"},
        {"unknown": 1},
    ],
)
def test_a_damaged_message_of_the_journal_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="not a message written by to_json"):
        Message.from_json({**full().to_json(), **change})


def test_equal_messages_have_equal_fingerprints_and_others_not(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(bytes(range(256)))
    letter = full()
    same = attrs.evolve(
        letter,
        sender="Shop <news@SHOP.by>",
        attachments=[file, Attachment("b.txt", "ж")],
        send_at=letter.send_at and letter.send_at.astimezone(UTC),
    )
    assert same.fingerprint() == letter.fingerprint()
    changes: list[dict[str, Any]] = [
        {"sender": "Shop2 <news@shop.by>"},
        {"subject": "Hi"},
        {"html": "<p>Hi </p>"},
        {"html": None, "text": "<p>Hi</p>"},
        {"attachments": []},
        {"attachments": [Attachment("a.bin", b""), letter.attachments[1]]},
        {"send_at": None},
        {"track_opens": None},
        {"track_clicks": False},
        {"text": "Hi"},
        {"reply_to": "a@b.by"},
        {"headers": {"X-A": "1"}},
    ]
    others = [attrs.evolve(letter, **change) for change in changes]
    assert len({letter.fingerprint(), *(other.fingerprint() for other in others)}) == 13


def test_a_fingerprint_is_the_same_in_every_version() -> None:
    """Else a list that an older one mailed would be mailed the same message again."""
    letter = Message("Shop <a@b.by>", "Hi", html="<p>ж</p>")
    assert letter.fingerprint().hex() == "c2caff65e46d2608ebe8a0036f988f66"


def test_a_fingerprint_is_the_same_in_another_process() -> None:
    code = (
        "from mailkit.message import Message;"
        "print(Message('Shop <a@b.by>', 'Hi', html='<p>ж</p>').fingerprint().hex())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert (
        answer.stdout.strip() == Message("Shop <a@b.by>", "Hi", html="<p>ж</p>").fingerprint().hex()
    )


# message.toml


def toml(folder: Path, text: str | bytes) -> Path:
    file = folder / "message.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_a_file_has_the_words_of_the_class(tmp_path: Path) -> None:
    (tmp_path / "letter.html").write_text("<p>Привет</p>", encoding="utf-8-sig")
    (tmp_path / "price.pdf").write_bytes(b"%PDF")
    file = toml(
        tmp_path,
        """
        sender = "Shop <news@shop.by>"
        subject = "Hi"
        html_file = "letter.html"
        attachments = ["price.pdf"]
        send_at = 2030-05-01T10:00:00+03:00
        track_opens = true
        """,
    )
    assert Message.from_toml(file) == Message(
        "Shop <news@shop.by>",
        "Hi",
        html="<p>Привет</p>",
        attachments=[tmp_path / "price.pdf"],
        send_at=datetime(2030, 5, 1, 10, tzinfo=MINSK),
        track_opens=True,
    )
    assert Message.from_toml(str(file)) == Message.from_toml(file)


def test_a_file_may_begin_with_a_mark_and_hold_the_body(tmp_path: Path) -> None:
    file = toml(tmp_path, "\ufeffsender = 'a@b.by'\nsubject = 'Hi'\ntext = 'Hello'\n")
    assert Message.from_toml(file).text == "Hello"


HEAD = "sender = 'a@b.by'\nsubject = 'Hi'\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEAD + "htm = 'x'", "unknown key 'htm'; did you mean html?"),
        (HEAD + "colour = 'x'", "unknown key 'colour'; the keys are sender, reply_to"),
        (HEAD + "html = 'x", r"this is not TOML: .*line 3"),
        (HEAD + "html = 'x'\nhtml = 'y'", r"this is not TOML: .*line 4"),
        (HEAD, "a body, html or text; it has neither"),
        (HEAD + "html = 'x'\nhtml_file = 'y'", "give html or html_file, not both"),
        (HEAD + "html_file = 'none.html'", r"html_file: there is no file .*none\.html"),
        (HEAD + "html_file = '.'", "html_file: .* is a directory"),
        (HEAD + "html_file = 'latin.html'", r"latin\.html is not UTF-8 \(byte 4, line 2\)"),
        (HEAD + "html = 'x'\nattachments = ['']", "attachments: give a path in quotes"),
        (HEAD + "html = 'x'\nattachments = ['none.pdf']", r"there is no file .*none\.pdf"),
        ("subject = 'Hi'\nhtml = 'x'", "sender is missing"),
        ("sender = 'a@b.by'\nhtml = 'x'", "subject is missing"),
        (HEAD + 'html = "x"\nx = ' + "[" * 5000, "nested too deeply|not TOML"),
        (HEAD.encode() + "html = 'Привет'".encode("cp1251"), r"is not UTF-8 \(byte 42, line 3\)"),
        (b"PK\x03\x04\xff\0", "is not UTF-8"),
        (HEAD.encode("utf-16"), r"is UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_message_is_refused_with_a_sentence(
    tmp_path: Path, text: str | bytes, sentence: str
) -> None:
    (tmp_path / "latin.html").write_bytes(b"<p\n\xe9")
    file = toml(tmp_path, text)
    with pytest.raises(InvalidArgument, match=sentence) as caught:
        Message.from_toml(file)
    assert str(file) in str(caught.value)


KINDS = {
    "html = 5": 'html: 5 is a number; write text in quotes: html = "5"',
    "html = true": "html: true without quotes; write text in quotes: html = ",
    "html_file = 5": "html_file: 5 is a number; write text in quotes",
    "text = ['x']": "text: this is an array; write text in quotes",
    "reply_to = 2030-05-01": "reply_to: 2030-05-01 is a date; write text in quotes",
    "reply_to = {name='A', email='a@b.by'}": "reply_to: this is a table; write text in quotes",
    "attachments = 'price.pdf'": 'write an array of strings: attachments = ["price.pdf"]',
    "attachments = ['a', 5]": "this is an array, in which 5 is a number",
    "headers = 'X-A: 1'": "headers: 'X-A: 1' is text in quotes; write a table of strings",
    "headers = {X-A = 1.5}": "headers: this is a table, in which 1.5 is a number",
    "track_opens = 'yes'": "write true or false without quotes: track_opens = true",
    "track_opens = 0": "0 is a number; write true or false without quotes: track_opens = false",
    "track_clicks = 'False'": "track_clicks = false",
    "send_at = '2031-05-01T10:00:00+03:00'": "quotes: send_at = 2031-05-01T10:00:00+03:00",
    "send_at = '2031-05-01 10:00'": "with a UTC offset: send_at = 2031-05-01T10:00:00+03:00",
    "send_at = '01.05.2031 10:00'": "UTC offset: send_at = 2031-05-01T10:00:00+03:00",
    "send_at = 'tomorrow'": "without quotes and with a UTC offset: send_at = 2030-",
    "send_at = 2031-05-01T10:00:00": "add one: send_at = 2031-05-01T10:00:00+03:00",
    "send_at = 2031-05-01": "2031-05-01 has no time; write both: send_at = 2031-05-01T10:00:00",
    "send_at = 10:00:00": "10:00:00 is a time; write a date and time with a UTC offset",
    "send_at = 1900000000": "1900000000 is a number; write a date and time with a UTC offset",
    "from = 'x'": "unknown key 'from'; did you mean sender?",
    "Text = 'x'": "unknown key 'Text'; did you mean text?",
    "body = 'x'": "did you mean html or text?",
    "to = 'x'": "unknown key 'to'; the list says who gets the message",
    "List-Unsubscribe = 'x'": "put it into headers: headers = {",
    "[message]": "unknown section [message]; a message has no sections",
}
SYNTAX = {
    "text = Hello": 'line 3, column 8); text needs quotes: text = "…"',
    "text =": 'text needs quotes: text = "…"',
    "text = “Hello”": 'use straight quotes: text = "…"',
    'text = "Hello”': 'use straight quotes: text = "…"',
    "track_opens = True": "write true or false in lower case: track_opens = true",
    "track_opens = no": "lower case: track_opens = false",
    "text = True": "write true or false in lower case",
    'text = "Hello\nAnna"': 'text of several lines needs triple quotes: text = """…"""',
    'html = "<a href="x">"': "text that contains quotes needs other ones around it: html = '''…'''",
    "text = 'it's'": "text that contains quotes needs other ones around it",
    "text = 'Hello": "(at line 3, the end of the file); a quote is not closed",
    'html_file = "C:\\letters\\x.html"': "a backslash is an escape character",
    'text = "\a"': "it has an invisible character",
    'html = """\n<p>\\p</p>\n"""': "a backslash is an escape character",
    'html = """\n<p>': "a quote is not closed",
    "attachments = [a.pdf]": 'write it as attachments = ["price.pdf"]',
    "send_at = 2031-05-01 10:00": "write a date and time with seconds and a UTC offset: send_at =",
    "text = 'a'\ntext = 'b'": "a key appears twice",
    "text: Hello": 'write = instead of the colon, e.g. subject = "Hi"',
    "; text": "a comment begins with #",
    "тext = 'x'": "a key has only letters, digits, _ and -; retype it",
    "Hello": 'write one line per key, e.g. subject = "Hi"',
}
FILES = {
    '{"sender": "a@b.by"}': "this looks like JSON",
    "<html>": "this looks like HTML: name it in a message.toml",
    "email;name\na@b.by;Anna": "this looks like a list: the message comes first",
}


def test_values_of_the_wrong_kind_and_what_is_not_toml_are_explained_in_its_words(
    tmp_path: Path,
) -> None:
    inputs = {HEAD + text: sentence for text, sentence in {**KINDS, **SYNTAX}.items()}
    for text, sentence in {**inputs, **FILES}.items():
        with pytest.raises(InvalidArgument) as caught:
            Message.from_toml(toml(tmp_path, text))
        assert sentence in str(caught.value), text
        assert "end of the file after" not in str(caught.value)


def test_all_that_a_message_may_have_can_be_in_its_file(tmp_path: Path) -> None:
    more = "text = 'y'\nreply_to = 'Anna <a@b.by>'\n[headers]\nList-Unsubscribe = '<https://x.by>'"
    found = Message.from_toml(toml(tmp_path, f"{HEAD}html = 'x'\n{more}"))
    assert (found.html, found.text, found.body) == ("x", "y", "x")
    assert found.reply_to == Address("a@b.by", "Anna")
    assert found.headers == {"List-Unsubscribe": "<https://x.by>"}


def test_the_message_of_the_documentation_is_one(tmp_path: Path) -> None:
    page = Path(__file__).parent.parent / "docs/messages.md"
    text = page.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "autumn.html").write_text("<p>Hi</p>")
    (tmp_path / "price.pdf").write_bytes(b"%PDF")
    assert Message.from_toml(toml(tmp_path, text)).sender.name == "Shop, Inc."


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="there is no file"):
        Message.from_toml(tmp_path / "none.toml")
    with pytest.raises(InvalidArgument, match="is a directory"):
        Message.from_toml(tmp_path)


def test_a_recipient_has_an_address_and_maybe_fields_and_a_line() -> None:
    assert Recipient("a@b.by") == Recipient("a@b.by", {}, None)
    assert not hasattr(Recipient("a@b.by"), "__dict__")


def test_texts_of_template_engines_become_plain() -> None:
    class Markup(str):
        __slots__ = ()

        def __str__(self) -> str:
            return self

    letter = Message(
        Markup("Shop <n@s.by>"),
        Markup("s"),
        html=Markup("<p>"),
        text=Markup("t"),
        reply_to=Markup("r@s.by"),
        headers={Markup("X-A"): Markup("b")},
        attachments=[Attachment(Markup("a.txt"), b"x", Markup("text/plain"))],
    )
    file = letter.attachments[0]
    assert letter.reply_to is not None
    texts: list[Any] = [
        *(letter.sender.email, letter.sender.name, letter.subject, letter.html, letter.text),
        *(letter.reply_to.email, file.name, file.content_type),
        *(*letter.headers, *letter.headers.values()),
    ]
    assert [type(text) for text in texts] == [str] * len(texts)
    assert Message.from_json(json.loads(json.dumps(letter.to_json()))) == letter


@pytest.mark.parametrize(
    ("recipient", "words"),
    [
        ({"address": 5}, "address: give text, not int"),
        ({"address": "a@b.by", "fields": 5}, "fields: give names and values, not int"),
        ({"address": "a@b.by", "line": True}, "line: give a whole number, not bool"),
    ],
)
def test_a_recipient_is_checked_when_it_is_made(recipient: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Recipient(**recipient)
    assert str(caught.value) == words
