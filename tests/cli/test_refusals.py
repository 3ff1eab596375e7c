"""What can't be sent gets one sentence that names the place and the remedy, and sends nothing."""

from __future__ import annotations

import gzip
import io
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .shop import PERSONAL, PLAIN, SENDER, Shop, customer

Words = list[str | Path]


def refused(shop: Shop, *words: str | Path, **more: str | None) -> str:
    """Run the command; the one sentence that it refuses with, after a look that nothing else
    happened.
    """
    ended = shop(*words, environment=more)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("mailkit: ")
    assert ended.err.count("\n") == 1
    assert ended.err.endswith("\n")
    assert shop.sandbox.truth.emails == 0
    for table in ("jobs", "rows", "chunks", "suppressions"):
        assert shop.in_journal(table) == 0
    return ended.err.removeprefix("mailkit: ").rstrip("\n")


def sending(shop: Shop, letter: Path | None = None, people: Path | None = None) -> Words:
    """The words of a send in which everything is right that is not given."""
    return [
        "send",
        letter or shop.letter(),
        people or shop.customers(3),
        "--provider",
        "smsby",
        "--name",
        "autumn",
    ]


def workbook() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return packed.getvalue()


LISTS: dict[str, tuple[bytes, str]] = {
    "no column email": (
        b"address,name\nanna@example.com,Anna\n",
        "{list} has no column 'email', but 'address', 'name'; name the column of the addresses "
        "email",
    ),
    "no header": (
        b"anna@example.com,Anna\n",
        "{list} has no column 'email', but 'anna@example.com', 'Anna'; the first line is an "
        "address: put a line with the names of the columns above it",
    ),
    "an empty file": (b"", "{list} is empty"),
    "white space alone": (b"\n \n\n", "{list} is empty"),
    "a header alone": (b"email,name\n", "{list} has a header and nothing below it"),
    "a workbook": (
        workbook(),
        "{list} is an Excel workbook or another zip archive; save it as CSV",
    ),
    "gzip": (gzip.compress(b"email\n"), "{list} is a gzip archive; unpack it first"),
    "NUL bytes": (
        "email\nanna@example.com\n".encode("utf-16-le"),
        "{list} has NUL bytes in its first line: it is no text, or UTF-16 without a mark; for the "
        "latter pass encoding='utf-16-le' (--encoding utf-16-le)",
    ),
    "another encoding": (
        "email,name\nanna@example.com,Анна\n".encode("cp1251"),
        "{list} is not utf-8: line 2, byte 29 of the file is 0xc0; pass the encoding it has, as "
        "encoding='cp1251' (--encoding cp1251)",
    ),
    "two columns email": (
        b"email,E-Mail\na@example.com,b@example.com\n",
        "{list} has more than one column 'email' or 'E-Mail'; rename or remove the others",
    ),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_can_not_be_read(shop: Shop, kind: str) -> None:
    content, sentence = LISTS[kind]
    path = shop.folder / "autumn.csv"
    path.write_bytes(content)
    assert refused(shop, *sending(shop, people=path)) == sentence.format(list=path)


LETTERS: dict[str, tuple[dict[str, object], str]] = {
    "a placeholder without a column": (
        {**PERSONAL, "html": "<p>{{ nmae }}</p>"},
        "{{ nmae }}: the list has no column of that name; did you mean {{ name }}? it has email, "
        "name",
    ),
    "a placeholder that has no end": (
        {**PERSONAL, "html": "<p>{{ name</p>"},
        "html, line 1, column 4: '{{ name</p>' has no end; write {{ field }} or "
        "{{ field | 'default' }}, and braces that are meant as such as &#123;&#123; in html",
    ),
    "an unsubscribe link that nobody fills in": (
        {**PLAIN, "html": "<a href='{{ unsubscribe }}'>Leave</a>"},
        "the message has {{ unsubscribe }}, and sms.by fills none in: give the address of your "
        "page as unsubscribe_url=… or MAILKIT_SMSBY_UNSUBSCRIBE_URL",
    ),
    "LF in the subject": (
        {**PLAIN, "subject": "Autumn\nBcc: all@example.com"},
        "{letter}: subject has a line break (U+000A): remove it, a header is one line of text",
    ),
    "CR in the subject": (
        {**PLAIN, "subject": "Autumn\r"},
        "{letter}: subject has a line break (U+000D): remove it, a header is one line of text",
    ),
    "LF in the sender's name": (
        {**PLAIN, "sender": "Shop\nBcc: all@example.com <news@shop.example>"},
        "{letter}: sender: address has a line break (U+000A): remove it, a header is "
        "one line of text",
    ),
    "CR in the sender's name": (
        {**PLAIN, "sender": "Shop\r <news@shop.example>"},
        "{letter}: sender: address has a line break (U+000D): remove it, a header is "
        "one line of text",
    ),
    "no sender": (
        {"subject": "Autumn", "html": "<p>Hi</p>"},
        '{letter}: sender is missing; write sender = "…"',
    ),
    "no body": (
        {"sender": SENDER, "subject": "Autumn"},
        "{letter}: give the message one body, html or text; it has neither",
    ),
    "a misspelt word": (
        {**PLAIN, "sendat": "2030-05-01T10:00:00+03:00"},
        "{letter}: unknown word 'sendat'; did you mean send_at?",
    ),
    "a naive send_at": (
        {**PLAIN, "send_at": datetime(2030, 5, 1, 10)},
        "{letter}: send_at: 2030-05-01T10:00:00 has no time zone, so it could be any of 38 "
        "moments; give one with an offset, as 2030-05-01T10:00:00+03:00",
    ),
    "a send_at in the past": (
        {**PLAIN, "send_at": datetime(2020, 5, 1, 10, tzinfo=UTC)},
        "send_at (2020-05-01T10:00:00+00:00) has passed: take it out to send at once",
    ),
    "an attachment": (
        {**PLAIN, "attachments": ["message.toml"]},
        "sms.by takes no attachments in bulk: link to the files instead, or send the messages one "
        "by one with emails.send",
    ),
    "a body that is no file": (
        {"sender": SENDER, "subject": "Autumn", "html_file": "letter.html"},
        "{letter}: html_file: there is no file {folder}/letter.html",
    ),
}


@pytest.mark.parametrize("kind", LETTERS)
def test_a_letter_that_can_not_be_sent(shop: Shop, kind: str) -> None:
    words, sentence = LETTERS[kind]
    letter = shop.letter(**words)
    expected = sentence.replace("{letter}", str(letter)).replace("{folder}", str(shop.folder))
    assert refused(shop, *sending(shop, letter)) == expected


def test_a_letter_that_is_no_toml(shop: Shop) -> None:
    letter = shop.letter()
    letter.write_text('sender = "Shop <news@shop.example>"\nsubject = Autumn\n')
    sentence = refused(shop, *sending(shop, letter))
    assert sentence.startswith(f"{letter}: this is not TOML: ")
    assert "line 2" in sentence


def test_files_that_are_not_there(shop: Shop) -> None:
    letter, people = shop.folder / "letter.toml", shop.folder / "people.csv"
    assert refused(shop, *sending(shop, letter)) == f"message: there is no file {letter}"
    assert refused(shop, *sending(shop, people=people)) == f"there is no file {people}"
    assert refused(shop, *sending(shop), "--suppress", people) == f"there is no file {people}"


def test_a_placeholder_that_no_json_line_has(shop: Shop) -> None:
    people = shop.folder / "autumn.jsonl"
    people.write_text("".join(f'{{"email": "{customer(n)}", "names": ""}}\n' for n in range(1200)))
    sentence = refused(shop, *sending(shop, shop.letter(**PERSONAL), people))
    assert sentence == (
        "{{ name }}: the list has no column of that name; did you mean {{ names }}? it has email, "
        "names"
    )


def test_a_suppression_list_with_a_line_that_is_no_address(shop: Shop) -> None:
    unwanted = shop.table(["email,name", "a@example.com,A", "not an address,B"], "unwanted.csv")
    assert refused(shop, *sending(shop), "--suppress", unwanted) == (
        "suppressions, line 3: 'not an address' is not an e-mail address: no @"
    )
    unwanted = shop.table(["email,name", "a@example.com,A", "b@example.com"], "unwanted.csv")
    assert refused(shop, *sending(shop), "--suppress", unwanted) == (
        "suppressions, line 3: 1 field where the header has 2"
    )


@pytest.mark.parametrize("name", ["autumn\nsale", "autumn\rsale", "autumn\x1b[2J"])
def test_a_name_that_would_not_fit_into_a_line(shop: Shop, name: str) -> None:
    sentence = refused(shop, *sending(shop), "--name", name)
    assert sentence.startswith("the job's name has ")
    assert sentence.endswith("remove it, a header is one line of text")


# the provider


def test_no_credentials(shop: Shop) -> None:
    for missing in (None, ""):
        sentence = refused(shop, *sending(shop), MAILKIT_SMSBY_TOKEN=missing)
        assert sentence.startswith("MAILKIT_SMSBY_TOKEN is not set: put the API key of your sms.by")


@pytest.mark.parametrize("status", [200, 400])
def test_a_wrong_token(shop: Shop, status: int) -> None:
    shop.sandbox.smsby.settings.token_error_status = status
    sentence = refused(shop, *sending(shop), MAILKIT_SMSBY_TOKEN="stolen-canary")
    assert sentence == (
        f"smsby.templates.list: Wrong or missing token (HTTP {status}); "
        "look at the credential in MAILKIT_SMSBY_…"
    )


def test_a_wrong_token_from_a_process(shop: Shop) -> None:
    shop.environment["MAILKIT_SMSBY_TOKEN"] = "stolen-canary"
    ended = shop.run(*sending(shop))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "mailkit: smsby.templates.list: Wrong or missing token (HTTP 200); "
        "look at the credential in MAILKIT_SMSBY_…\n"
    )


def test_a_provider_that_is_not_there(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    sentence = refused(shop, *sending(shop), MAILKIT_SMSBY_URL="http://127.0.0.1:1")
    assert sentence.startswith("smsby.templates.list: not sent: ClientConnectorError, Connect")
    assert sentence.endswith("; look at the network, and at MAILKIT_SMSBY_URL if it is set")


def test_a_provider_that_nobody_knows(shop: Shop) -> None:
    words: Words = ["send", shop.letter(), shop.customers(1), "--provider", "pigeon"]
    sentence = refused(shop, *words)
    assert sentence.startswith("there is no provider 'pigeon': choose one of devino, ")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        (
            "http://app.sms.by",
            "app.sms.by would get the credential unencrypted; use https (http is for this machine "
            "only)",
        ),
        ("app.sms.by", "not an http(s) address; write it as https://host"),
        ("ftp://app.sms.by", "not an http(s) address; write it as https://host"),
        ("http://[::1", "not an http(s) address; write it as https://host"),
        ("http://127.0.0.1:80256", "not an http(s) address; write it as https://host"),
        ("http://127.0.0.1:canary", "not an http(s) address; write it as https://host"),
        (
            "https://user@app.sms.by",
            "an address without user name, query and fragment is needed",
        ),
    ],
)
def test_an_address_that_would_not_do(shop: Shop, url: str, fault: str) -> None:
    assert refused(shop, *sending(shop), MAILKIT_SMSBY_URL=url) == f"MAILKIT_SMSBY_URL: {fault}"


# the journal


def test_a_journal_that_is_none(shop: Shop) -> None:
    text = shop.folder / "notes.txt"
    text.write_text("not a database, but a text of some length\n" * 100)
    for path in (text, shop.letter()):
        before = path.read_bytes()
        assert refused(shop, *sending(shop), "--journal", path) == (
            f"{path} is not a journal; name another place with --journal or MAILKIT_JOURNAL"
        )
        assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, 1])
def test_a_database_of_somebody_else_is_left_as_it_is(shop: Shop, version: int) -> None:
    path = shop.folder / "bookmarks.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE jobs (id INTEGER)")
        db.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    assert refused(shop, *sending(shop), "--journal", path) == (
        f"{path} is a database, but not a journal; "
        "name another place with --journal or MAILKIT_JOURNAL"
    )
    assert path.read_bytes() == before


def test_a_journal_where_nothing_can_be_written(shop: Shop) -> None:
    file = shop.folder / "file"
    file.touch()
    path = file / "journal.db"
    sentence = refused(shop, *sending(shop), MAILKIT_JOURNAL=str(path))
    assert sentence == (
        f"the journal {path} can't be opened: {file} is not a folder; "
        "name another place with --journal or MAILKIT_JOURNAL"
    )


@pytest.mark.parametrize(
    "words", [["status"], ["status", "a"], ["report", "a"], ["resume", "a"]], ids=" ".join
)
def test_only_a_send_makes_a_journal(shop: Shop, words: list[str]) -> None:
    assert refused(shop, *words) == (
        f"there is no journal at {shop.journal}: a send makes one; "
        "name the one you mean with --journal or MAILKIT_JOURNAL"
    )
    assert list(shop.folder.iterdir()) == []


COMMANDS: list[Callable[[Shop], Words]] = [
    lambda shop: sending(shop, people=shop.customers(4)),
    lambda shop: ["resume", "autumn"],
    lambda shop: ["status"],
    lambda shop: ["report", "autumn"],
    lambda shop: ["resolve", "autumn", "--accepted"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=["send", "resume", "status", "report", "resolve"])
def test_a_copied_journal_is_refused_until_it_is_adopted(
    shop: Shop, command: Callable[[Shop], Words]
) -> None:
    assert shop(*sending(shop)).code == 0
    copy = shop.folder / "copy.db"
    shutil.copy(shop.journal, copy)
    words = [*command(shop), "--journal", copy]
    ended = shop(*words)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        f"mailkit: {copy} is a copy of another journal, or was moved without copy.db-takes: it may "
        "not know what was sent since. Put that file next to it; or, if the other journal is gone "
        "for good, open this one once with --adopt latest if nothing was sent with that since this "
        "copy was made, or else with --adopt older, so that whoever it may have mailed is in "
        "doubt\n"
    )
    adopted = shop(*words, "--adopt", "latest")
    assert "copy of another journal" not in adopted.err
    assert shop("report", "autumn", "--journal", copy).code == 0  # once is enough
    assert shop.sandbox.truth.emails == 3


def test_a_job_that_is_not_there(shop: Shop) -> None:
    assert shop(*sending(shop)).code == 0
    for words in (
        ["status", "spring"],
        ["report", "spring"],
        ["report", "spring", "--csv"],
        ["resume", "spring"],
        ["resolve", "spring", "--accepted"],
    ):
        ended = shop(*words)
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == "mailkit: there is no job spring; the journal has autumn\n"
    assert shop.sandbox.truth.emails == 3


# usage


@pytest.mark.parametrize(
    "words",
    [
        ["send"],
        ["send", "message.toml", "autumn.csv"],
        ["send", "message.toml", "autumn.csv", "--provider", "smsby", "--senders", "0"],
        ["send", "message.toml", "autumn.csv", "--provider", "smsby", "--nonsense"],
        ["resolve", "autumn"],
        ["resolve", "autumn", "--accepted", "--not-sent"],
        ["sandbox", "--port", "70000"],
        ["sandbox", "--speed", "inf"],
        ["sandbox", "--speed", "nan"],
        ["demo", "--rows", "1"],
        ["demo", "--rows", "5000001"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_a_command_that_makes_no_sense_is_a_usage_error(shop: Shop, words: list[str]) -> None:
    ended = shop(*words)
    assert (ended.code, ended.out) == (2, "")
    assert "Usage: " in ended.err
    assert "Traceback" not in ended.err


def test_values_that_make_no_sense(shop: Shop) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    letter = shop.letter(**PLAIN, send_at=later)
    assert refused(shop, *sending(shop, letter), "--track", "soon") == (
        "'soon' is no duration: write it as 90s, 15m or 2h"
    )
    assert refused(shop, *sending(shop), "--encoding", "base64") == (
        "encoding: 'base64' is no text encoding; give one as utf-8 or cp1251"
    )
    assert refused(shop, *sending(shop), "--delimiter", ";;") == (
        "delimiter: give one character, as ';', not ';;'"
    )
