"""Nothing that a list, a file's name or a service says steers the terminal it is shown on."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from mailkit.bulk.journal import Counts, Journal
from mailkit.bulk.progress import Progress
from mailkit.bulk.report import Report, Waiting, make_report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.cli.progress import planning, sending_bar
from mailkit.cli.show import jobs_table, report_text
from mailkit.errors import OutcomeUnknown, Refused
from mailkit.message import Message
from mailkit.provider import Sent, Task
from mailkit.testing import FakeClock
from mailkit.text import plain

from ..bulk.fakes import Act
from ..cli.shop import PERSONAL, PLAIN, Ended, Shop
from .journey import Printer

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CODES = "\x1b]0;owned\x07\x1b[2J\x9b31m\x08\x00\x7f\u202e\u2028\u2066\ue000"
NAME = "\x1b]0;owned\x07\x1b[2J\x9b31m\x08\x7f\u202e"  # what a file can be called


def assert_tame(text: str) -> None:
    odd = {char for char in text if not char.isprintable() and char != "\n"}
    assert not odd, (odd, text)


def refused(ended: Ended) -> str:
    """The one sentence that the command refused with."""
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("mailkit: ")
    assert ended.err.count("\n") == 1
    assert len(ended.err) < 5_000
    assert_tame(ended.err)
    return ended.err


def send(shop: Shop, *words: str | Path) -> Ended:
    return shop("send", *words, "--provider", "smsby", "--name", "autumn")


@settings(derandomize=True)
@given(st.text())
def test_plain_text_is_printable_and_tells_what_was_there(text: str) -> None:
    assert plain(text).isprintable()
    if text.isprintable():
        assert plain(text) == text


# reports


async def hostile(journal: Journal) -> Report:
    """A job in which every word that a list or a service has is full of control codes."""
    acts: list[Act | Exception] = [
        Refused(f"no p0@b.by {CODES}"),
        OutcomeUnknown(f"lost {CODES}"),
        _named,
    ]
    provider = Printer(chunk_rows=1, acts=acts)
    settings = EngineSettings(concurrency=1)
    message = Message(sender="news@shop.example", subject="{{ x }} \u202eor\u2066", text="x")
    items = [(f"p{n}@b.by", {"x": "y\u202e", CODES.replace("\0", ""): "z"}) for n in range(4)]
    async with BulkSender(
        provider, journal=journal, clock=FakeClock(), settings=settings
    ) as sender:
        job = await sender.start(
            message, read_recipients([*items, f"a{CODES}@b.by"]), name="autumn \u202e sale"
        )
        report = await job.wait()
    joined = await journal.workers.join(await journal.jobs.get(job.name))
    await journal.jobs.stop(joined, f"stopped {CODES}")
    await journal.workers.leave(joined)
    assert (report.counts.rejected, report.counts.in_doubt, report.counts.invalid) == (2, 1, 1)
    return await make_report(journal, job.name)


def _named(task: Task) -> Sent:
    return Sent("1", {task.rows[0].n: f"blocked {CODES}"})


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    place = tmp_path / "hostile.db"

    async def make() -> None:
        opened = await Journal.open(place)
        try:
            await hostile(opened)
        finally:
            await opened.close()

    asyncio.run(make())
    return place


def test_reports_and_tables_are_printable(
    shop: Shop, journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["report", "autumn \u202e sale"], ["status", "autumn \u202e sale"], ["status"]):
        ended = shop(*words, "--journal", journal)
        assert "autumn \\u202e sale" in ended.out
        assert_tame(ended.out + ended.err)
    ended = shop("resolve", "autumn \u202e sale", "2", "--not-sent", "--journal", journal)
    assert_tame(ended.out + ended.err)
    assert "resume 'autumn \\u202e sale'" in ended.out


async def test_each_line_of_a_report_is_one_line(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    try:
        report = await hostile(journal)
    finally:
        await journal.close()
    lines = list(report_text(report))
    assert all(line.isprintable() for line in lines)
    assert any("Stopped \\x1b" in line for line in lines)
    assert any("no p0@b.by \\x1b" in line for line in lines)
    assert any("lost \\x1b" in line for line in lines)


def test_json_is_one_line_without_control_codes(shop: Shop, journal: Path) -> None:
    out = shop("status", "--json", "--journal", journal).out
    assert out.count("\n") == 1
    assert not any(char < " " for char in out.rstrip("\n"))


# the progress bar


async def test_the_bar_s_name_and_note_are_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        "mailkit.cli.progress.console", lambda: Console(file=screen, force_terminal=True, width=300)
    )

    async def steps() -> AsyncIterator[Progress]:
        waiting = Waiting(NOW, f"wait {CODES}[red]")
        yield Progress(Counts(read=2, unsent=1), 0, NOW, 1.0, waiting=waiting)

    await sending_bar(f"autumn{CODES}[blink]", steps())
    shown = screen.getvalue()
    assert "wait \\x1b]0;owned" in shown
    assert "[red]" in shown
    assert "[blink]" in shown
    for code in ("\x1b]0;", "\x07", "\x1b[2J", "\x9b", "\x08", "\u202e", "\u2066"):
        assert code not in shown


async def test_the_bar_of_planning_shows_no_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        "mailkit.cli.progress.console", lambda: Console(file=screen, force_terminal=True, width=80)
    )
    monkeypatch.setattr("mailkit.cli.progress.has_terminal", lambda: True)
    async with planning(read_recipients(tmp_path / f"{NAME}.csv"), quiet=False):
        pass
    assert "owned" not in screen.getvalue()


async def test_the_table_reads_no_markup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = await Journal.open(":memory:")
    try:
        report = await hostile(journal)
        jobs_table([report])
    finally:
        await journal.close()
    assert_tame(capsys.readouterr().out)


# sentences


def test_names_of_files_columns_and_jobs_are_shown_in_printable_words(shop: Shop) -> None:
    letter, people = shop.letter(), shop.customers(1)
    odd = shop.folder / f"{NAME}.csv"
    assert "there is no file" in refused(send(shop, letter, odd))
    assert "there is no file" in refused(send(shop, shop.folder / f"{NAME}.toml", people))
    odd.write_text(f'email,"{NAME}\x85\u2028\n"\na@b.by,x\n', encoding="utf-8")
    assert "it has email, \\x1b]0;owned" in refused(send(shop, shop.letter(**PERSONAL), odd))
    odd.write_text(f"name,{NAME}\nx,y\n", encoding="utf-8")
    assert "has no column 'email'" in refused(send(shop, letter, odd))
    odd.write_bytes(b"PK\x03\x04")
    assert "owned" in refused(send(shop, letter, odd))
    odd.write_text(f'email\n"a{NAME}@b.by"\n', encoding="utf-8")
    assert "nobody was suppressed" in refused(send(shop, letter, people, "--suppress", odd))
    letter = shop.letter(**PLAIN, **{f'"{NAME}"'.encode("unicode_escape").decode(): "x"})
    refused(send(shop, letter, people))
    shop.letter().rename(shop.folder / f"{NAME}.toml")
    (shop.folder / f"{NAME}.toml").write_text("subject = ")
    assert "this is not TOML" in refused(send(shop, shop.folder / f"{NAME}.toml", people))


@pytest.mark.parametrize("name", [CODES, "\udcff\ud800", "a\nb", "x" * 5000])
def test_a_job_that_is_not_there_is_named_in_printable_words(shop: Shop, name: str) -> None:
    assert send(shop, shop.letter(), shop.customers(1)).code == 0
    for words in (["status"], ["report"], ["report", "--csv"], ["resume"]):
        sentence = refused(shop(*words, name[:3000]))
        assert "there is no job" in sentence
        assert "the journal has 'autumn'" in sentence
    assert "there is no job" in refused(shop("resolve", name[:3000], "--accepted"))


@pytest.mark.parametrize(
    "words",
    [
        ["--provider", CODES],
        ["--encoding", CODES],
        ["--encoding", "\udcff"],
        ["--delimiter", CODES],
        ["--delimiter", "\udcff"],
        ["--track", CODES],
        ["--account", CODES],
        ["--account", "\udcff"],
        ["--name", CODES],
        ["--name", "\udcff"],
        ["--suppress", NAME],
        ["--journal", f"/dev/null/{NAME}"],
    ],
    ids=ascii,
)
def test_options_are_shown_in_printable_words(shop: Shop, words: list[str]) -> None:
    ended = shop("send", shop.letter(), shop.customers(1), "--provider", "smsby", *words)
    if ended.code == 1:
        refused(ended)
    else:  # the option can't have such a value
        assert (ended.code, ended.out) == (2, "")
        assert "Usage: " in ended.err
        assert ended.err.replace("\n", "").isprintable()
    assert shop.sandbox.truth.emails == 0


@pytest.mark.parametrize(
    "variable", ["MAILKIT_SMSBY_TOKEN", "MAILKIT_SMSBY_URL", "MAILKIT_SMSBY_UNSUBSCRIBE_URL"]
)
@pytest.mark.parametrize("value", ["x\x1b[2J", "https://x.example/\u202e\u2028", "\udcff"])
def test_settings_are_shown_in_printable_words(shop: Shop, variable: str, value: str) -> None:
    letter = shop.letter(**PLAIN | {"html": "{{ unsubscribe }} {{ name }}"})
    people = shop.customers(1)
    ended = shop("send", letter, people, "--provider", "smsby", environment={variable: value})
    if ended.code == 0:  # a link may hold signs for another direction of writing
        assert "\u202e" in value.replace("\u2028", "")
    else:
        refused(ended)


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are text there")
def test_arguments_that_are_no_text_get_a_sentence_from_a_process_too(shop: Shop) -> None:
    assert send(shop, shop.letter(), shop.customers(1)).code == 0
    own = {k: v for k, v in os.environ.items() if not k.startswith("MAILKIT_")}
    done = subprocess.run(
        [sys.executable, "-m", "mailkit", "report", b"\xff\x1b[2J"],
        env={**own, **shop.environment},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"mailkit: there is no job '\\udcff\\x1b[2J'; the journal has 'autumn'\n"


# whole files


LISTS: dict[str, tuple[bytes, str]] = {
    "a JSON list": (b'[{"email": "a@b.by"}]', "is one JSON array; write one object per line"),
    "a header that never ends": (b'email,"x\n' * 10, "line 1: the header can't be read"),
    "a header of 10 MB": (b"email," + b"x" * 10_000_000, "line 1: the header can't be read"),
    "columns with long names": (
        b"name," + b"x" * 99_999,
        "has no column 'email', only 'name', 'xxx",
    ),
    "quotes all over": (b"email,n,x\n" + b'a",b,"c\n' * 200_000, "too many rows open a quote"),
    "ever new keys": (
        b"".join(b'{"email": "p%d@b.by", "k%d": 1}\n' % (n, n) for n in range(6_000)),
        "different keys, and hardly any rows have the same ones",
    ),
    "half of UTF-16": ("email\na@b.by".encode("utf-16")[:-1], "is not utf-16"),
    "bad bytes after old line ends": (b"email\ra@b.by\r\xff\r", "is not utf-8: line 3, byte 14"),
    "a database": (b"SQLite format 3\0" + bytes(100), "is a SQLite database"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "is a picture"),
    "nothing but nulls": (bytes(1000), "has NUL bytes in its first line"),
    "objects without what the letter needs": (
        b'{"email": "a@b.by"}\n',
        "{{ name }}: the list has no such column; it has email",
    ),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_cannot_be_read_gets_one_sentence(shop: Shop, kind: str) -> None:
    content, sentence = LISTS[kind]
    people = shop.folder / "people"
    people.write_bytes(content)
    letter = shop.letter(**PERSONAL if "letter" in kind else PLAIN)
    assert sentence in refused(send(shop, letter, people))
    assert shop.in_journal("jobs") == shop.in_journal("rows") == 0


def test_a_list_is_known_again_in_another_process(shop: Shop) -> None:
    """Names of fields are hashed anew in each process; the list's fingerprint must not change."""
    people = shop.folder / "people.jsonl"
    people.write_text('{"email": "a@b.by", "one": 1, "two": 2, "three": 3, "four": 4}\n')
    letter = shop.letter()
    codes = []
    for seed in ("1", "2"):
        shop.environment["PYTHONHASHSEED"] = seed
        codes.append(shop.run("send", letter, people, "--provider", "smsby").code)
    assert codes == [0, 1]
    assert shop.sandbox.truth.emails == 1
