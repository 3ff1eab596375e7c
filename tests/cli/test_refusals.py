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

from mailkit.sandbox import Fault

from .shop import PERSONAL, PLAIN, SENDER, Shop, customer

Words = list[str | Path]


def refused(shop: Shop, name: str, *words: str | Path, **more: str | None) -> None:
    """Run the command: it refuses with the sentence of this name, and nothing else happens."""
    shop(*words, environment=more).check_refusal(name, folder=shop.folder)
    assert shop.sandbox.truth.emails == 0
    for table in ("jobs", "rows", "chunks", "suppressions"):
        assert shop.in_journal(table) == 0


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


LISTS: dict[str, bytes] = {
    "no column email": b"address,name\nanna@example.com,Anna\n",
    "no header": b"anna@example.com,Anna\n",
    "an empty file": b"",
    "white space alone": b"\n \n\n",
    "a header alone": b"email,name\n",
    "a workbook": workbook(),
    "gzip": gzip.compress(b"email\n"),
    "NUL bytes": b"email\0name\nanna@example.com\n",
    "another encoding": "email,name\nanna@example.com,Анна\n".encode("cp1251"),
    "a line in another encoding": b"".join(
        (
            "email,name\nanna@example.com,Анна\n".encode(),
            "ivan@example.com,Иван\n".encode("cp1251"),
        )
    ),
    "two columns email": b"email,E-Mail\na@example.com,b@example.com\n",
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_can_not_be_read(shop: Shop, kind: str) -> None:
    path = shop.folder / "autumn.csv"
    path.write_bytes(LISTS[kind])
    refused(shop, f"a list with {kind}", *sending(shop, people=path))


def test_a_list_in_utf_8_that_is_said_to_have_another_encoding(shop: Shop) -> None:
    path = shop.folder / "autumn.csv"
    path.write_text("email,name\nanna@example.com,Анна\n", encoding="utf-8")
    words = (*sending(shop, people=path), "--encoding", "cp1251")
    refused(shop, "a list in UTF-8 that is said to have another encoding", *words)


LETTERS: dict[str, dict[str, object]] = {
    "a placeholder without a column": {**PERSONAL, "html": "<p>{{ nmae }}</p>"},
    "a placeholder that has no end": {**PERSONAL, "html": "<p>{{ name</p>"},
    "an unsubscribe link that nobody fills in": {
        **PLAIN,
        "html": "<a href='{{ unsubscribe }}'>Leave</a>",
    },
    "LF in the subject": {**PLAIN, "subject": "Autumn\nBcc: all@example.com"},
    "CR in the subject": {**PLAIN, "subject": "Autumn\r"},
    "LF in the sender's name": {
        **PLAIN,
        "sender": "Shop\nBcc: all@example.com <news@shop.example>",
    },
    "CR in the sender's name": {**PLAIN, "sender": "Shop\r <news@shop.example>"},
    "no sender": {"subject": "Autumn", "html": "<p>Hi</p>"},
    "no body": {"sender": SENDER, "subject": "Autumn"},
    "a misspelt word": {**PLAIN, "sendat": "2030-05-01T10:00:00+03:00"},
    "a naive send_at": {**PLAIN, "send_at": datetime(2030, 5, 1, 10)},
    "a send_at in the past": {**PLAIN, "send_at": datetime(2020, 5, 1, 10, tzinfo=UTC)},
    "an attachment": {**PLAIN, "attachments": ["message.toml"]},
    "a body that is no file": {"sender": SENDER, "subject": "Autumn", "html_file": "letter.html"},
}


@pytest.mark.parametrize("kind", LETTERS)
def test_a_letter_that_can_not_be_sent(shop: Shop, kind: str) -> None:
    refused(shop, f"a message with {kind}", *sending(shop, shop.letter(**LETTERS[kind])))


def test_a_letter_that_is_no_toml(shop: Shop) -> None:
    letter = shop.letter()
    letter.write_text('sender = "Shop <news@shop.example>"\nsubject = Autumn\n')
    ended = shop(*sending(shop, letter))
    assert ended.code == 1
    assert ended.err.startswith(f"mailkit: {letter}: ")
    assert "line 2" in ended.err


def test_files_that_are_not_there(shop: Shop) -> None:
    letter, people = shop.folder / "letter.toml", shop.folder / "people.csv"
    refused(shop, "no message", *sending(shop, letter))
    refused(shop, "no list", *sending(shop, people=people))
    refused(shop, "no list", *sending(shop), "--suppress", people)


def test_a_placeholder_that_no_json_line_has(shop: Shop) -> None:
    people = shop.folder / "autumn.jsonl"
    people.write_text("".join(f'{{"email": "{customer(n)}", "names": ""}}\n' for n in range(1200)))
    letter = shop.letter(**PERSONAL)
    refused(shop, "a placeholder that no JSON line has", *sending(shop, letter, people))


def test_a_suppression_list_with_a_line_that_is_no_address(shop: Shop) -> None:
    unwanted = shop.table(["email,name", "a@example.com,A", "not an address,B"], "unwanted.csv")
    refused(shop, "a suppression without an address", *sending(shop), "--suppress", unwanted)
    unwanted = shop.table(["name,email", "A,a@example.com", "b@example.com"], "unwanted.csv")
    refused(shop, "a suppression with too few fields", *sending(shop), "--suppress", unwanted)


@pytest.mark.parametrize("name", ["autumn\nsale", "autumn\rsale", "autumn\x1b[2J"])
def test_a_name_that_would_not_fit_into_a_line(shop: Shop, name: str) -> None:
    shop(*sending(shop), "--name", name).check_usage(f"a job's name with {name[6]!a}")


# the provider


def test_no_credentials(shop: Shop) -> None:
    for missing in (None, ""):
        refused(shop, "no credential", *sending(shop), MAILKIT_SMSBY_TOKEN=missing)


@pytest.mark.parametrize("status", [200, 400])
def test_a_wrong_token(shop: Shop, status: int) -> None:
    shop.sandbox.smsby.settings.token_error_status = status
    name = f"a wrong token at HTTP {status}"
    refused(shop, name, *sending(shop), MAILKIT_SMSBY_TOKEN="stolen-canary")


def test_a_wrong_token_from_a_process(shop: Shop) -> None:
    shop.environment["MAILKIT_SMSBY_TOKEN"] = "stolen-canary"
    shop.run(*sending(shop)).check_refusal("a wrong token at HTTP 200")


def test_a_token_that_a_gateway_refuses(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("html_200", on="smsby.templates.list", status=401))
    refused(shop, "a token that a gateway refuses", *sending(shop))


def test_a_provider_that_is_not_there(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    refused(shop, "no service", *sending(shop), MAILKIT_SMSBY_URL="http://127.0.0.1:1")


def test_wrong_usage_is_said_in_plain_words(shop: Shop) -> None:
    for name, words in {
        "a choice that there is not": ["status", "--adopt", "latst"],
        "a port that is no number": ["sandbox", "--port", "x"],
        "a port that is too large": ["listen", "--port", "99999"],
        "a number that is too small": ["demo", "--rows", "0"],
        "a speed that is no number": ["sandbox", "--speed", "x"],
        "a dry run": ["send", "--dry-run"],
        "no job to resume": ["resume"],
        "a report of no kind": ["report", "autumn", "--output", "x.pdf"],
        "resolve: as what": ["resolve", "autumn"],
        "tracking without a unit": ["resume", "autumn", "--track", "5"],
    }.items():
        shop(*words).check_usage(name)
    assert not shop.journal.exists()


@pytest.mark.parametrize("html", [False, True])
def test_a_provider_with_an_internal_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, html: bool
) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    shop.sandbox.faults.add(Fault("server_error", on="smsby.*", html=html))
    refused(shop, f"an internal error{' as a page' * html}", *sending(shop))


def test_a_wrong_pair_of_credentials(shop: Shop) -> None:
    words: Words = ["send", shop.letter(), shop.customers(1), "--provider", "sendpulse"]
    refused(shop, "a wrong pair", *words, MAILKIT_SENDPULSE_CLIENT_SECRET="stolen-canary")


def test_a_provider_that_nobody_knows(shop: Shop) -> None:
    words: Words = ["send", shop.letter(), shop.customers(1), "--provider", "pigeon"]
    shop(*words).check_usage("an unknown provider")


@pytest.mark.parametrize(
    "url",
    [
        "http://app.sms.by",
        "app.sms.by",
        "ftp://app.sms.by",
        "http://[::1",
        "http://127.0.0.1:80256",
        "http://127.0.0.1:canary",
        "https://user@app.sms.by",
    ],
)
def test_an_address_that_would_not_do(shop: Shop, url: str) -> None:
    refused(shop, f"the address {url}", *sending(shop), MAILKIT_SMSBY_URL=url)


# the journal


def test_a_journal_that_is_none(shop: Shop) -> None:
    text = shop.folder / "notes.txt"
    text.write_text("not a database, but a text of some length\n" * 100)
    for path in (text, shop.letter()):
        before = path.read_bytes()
        refused(shop, f"the journal {path.name}", *sending(shop), "--journal", path)
        assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, 1])
def test_a_database_of_somebody_else_is_left_as_it_is(shop: Shop, version: int) -> None:
    path = shop.folder / "bookmarks.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE jobs (id INTEGER)")
        db.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    refused(shop, "somebody else's database", *sending(shop), "--journal", path)
    assert path.read_bytes() == before


def test_a_journal_where_nothing_can_be_written(shop: Shop) -> None:
    file = shop.folder / "file"
    file.touch()
    path = file / "journal.db"
    refused(shop, "a journal in a file", *sending(shop), MAILKIT_JOURNAL=str(path))


@pytest.mark.parametrize(
    "words", [["status"], ["status", "a"], ["report", "a"], ["resume", "a"]], ids=" ".join
)
def test_only_a_send_makes_a_journal(shop: Shop, words: list[str]) -> None:
    refused(shop, "no journal", *words)
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
    shop(*words).check_refusal("a copied journal", copy=copy)
    adopted = shop(*words, "--adopt", "latest")
    assert str(copy) not in adopted.err
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
        shop(*words).check_refusal("no such job")
    assert shop.sandbox.truth.emails == 3


# usage


@pytest.mark.parametrize(
    "words",
    [
        ["send"],
        ["send", "message.toml", "autumn.csv"],
        ["send", "message.toml", "autumn.csv", "--provider", "smsby", "--concurrency", "0"],
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
    for name, option, value in (
        ("no duration", "--track", "soon"),
        ("no encoding", "--encoding", "base64"),
        ("no delimiter", "--delimiter", ";;"),
        ("no rate", "--rate", "fast"),
    ):
        shop(*sending(shop, letter), option, value).check_usage(name)
