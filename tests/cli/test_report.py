"""``mailkit report``: what it can be written as, and into which files."""

from __future__ import annotations

import csv
import io
import os
import re
import shlex
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from mailkit.sandbox import Fault

from ..approval import approve
from .shop import SEND, SENDER, Shop

COMBINATIONS = [
    ["--csv", "--json"],
    ["--csv", "--excel"],
    ["--html", "--csv"],
    ["--html", "--json"],
    ["--html", "--state", "rejected"],
    ["--html", "--as-recipients"],
    ["--excel", "--as-recipients"],
    ["--state", "rejected", "--json"],
    ["--as-recipients", "--json"],
    ["--overwrite"],
    ["--csv", "--state", ""],
    ["--as-recipients", "--state", " ,"],
    ["--excel", "--output", "x.csv"],
    ["--csv", "--output", "x.XLSX"],
    ["--as-recipients", "--output", "x.html"],
    ["--json", "--output", "x.csv"],
    ["--output", "x.csv"],
    ["--output", "x.pdf"],
    ["--csv", "--output", "x.docx"],
]


def sent(shop: Shop) -> None:
    people = shop.table(["email", "a@example.com", "b", "invalid@example.com"])
    assert shop.send(shop.letter(), people, "--name", "autumn").code == 0


@pytest.mark.parametrize("words", COMBINATIONS, ids=" ".join)
def test_what_contradicts_itself_is_wrong_usage(shop: Shop, words: list[str]) -> None:
    ended = shop("report", "autumn", *words)
    assert (ended.code, ended.out) == (2, "")
    assert "Invalid value" in ended.err


# rows that are sent again


def test_rows_that_may_have_been_mailed_come_with_a_warning(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("reset_after_acting", on=SEND, times=1))
    shop.send(shop.letter(), shop.customers(503), "--name", "autumn", "--concurrency", "1")
    ended = shop("report", "autumn", "--as-recipients")
    assert (ended.code, ended.out.count("\n")) == (0, 504)
    approve("a list of rows that may have been mailed", ended.err)
    ended = shop("report", "autumn", "--as-recipients", "--state", "in doubt")
    assert (ended.out.count("\n"), ended.err.count("500 in doubt")) == (501, 1)
    ended = shop("report", "autumn", "--state", "rejected,unsent", "--as-recipients")
    assert (ended.out, ended.err) == ("email,name\n", "")


# files


@pytest.mark.parametrize("words", [[], ["--json"], ["--csv"], ["--as-recipients"]], ids=str)
def test_a_file_has_what_stdout_would_have(shop: Shop, words: list[str]) -> None:
    sent(shop)
    file = shop.folder / "report"
    expected = shop("report", "autumn", *words)
    ended = shop("report", "autumn", *words, "--output", file)
    assert (ended.code, ended.out, ended.err) == (expected.code, "", expected.err)
    assert file.read_text(encoding="utf-8") == expected.out
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not [*shop.folder.glob(".mailkit-*")]
    assert shop("report", "autumn", *words, "--output", "-") == expected


def test_a_file_that_exists_stays_unless_it_is_to_be_overwritten(shop: Shop) -> None:
    sent(shop)
    people = shop.folder / "autumn.csv"
    before = people.read_bytes()
    ended = shop("report", "autumn", "--csv", "--output", people)
    ended.check_refusal("a file that exists", file=people)
    assert people.read_bytes() == before
    assert shop("report", "autumn", "--csv", "--output", people, "--overwrite").code == 0
    rows = list(csv.DictReader(io.StringIO(people.read_text(encoding="utf-8"))))
    assert [row["state"] for row in rows] == ["accepted", "invalid", "rejected"]


def test_a_report_that_fails_leaves_no_file(shop: Shop) -> None:
    sent(shop)
    file = shop.folder / "report.txt"
    assert shop("report", "spring", "--output", file).code == 1
    assert shop("report", "autumn", "--state", "nonsense", "--output", file).code == 2
    assert {*shop.folder.glob("*report*"), *shop.folder.glob(".mailkit-*")} == set()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's files")
@pytest.mark.parametrize("suffix", ["", "-wal", "-takes", "-shm", "-locks", "-new", "-locks/1"])
def test_the_journal_is_never_overwritten(shop: Shop, suffix: str) -> None:
    shop.environment["MAILKIT_JOURNAL"] = str(shop.folder / "journal")  # no suffix to refuse
    sent(shop)
    link = shop.folder / "link"
    Path(f"{shop.journal}-locks").mkdir(exist_ok=True)
    link.symlink_to(f"{shop.journal}{suffix}")
    for place in (Path(f"{shop.journal}{suffix}"), link):
        ended = shop("report", "autumn", "--output", place, "--overwrite")
        assert (ended.code, ended.out) == (1, "")
    assert shop("report", "autumn").code == 0
    assert not Path(f"{shop.journal}-new").exists()
    assert not Path(f"{shop.journal}-locks", "1").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's files")
def test_places_where_no_file_can_be(shop: Shop) -> None:
    sent(shop)
    fifo = shop.folder / "fifo"
    os.mkfifo(fifo)
    circle = shop.folder / "circle"
    circle.symlink_to(circle)
    places = [shop.folder, shop.folder / "no" / "report", fifo, circle, Path("/dev/null/report")]
    refusals = []
    for place in [*places, shop.folder / ("x" * 300), Path("/proc/report")]:
        ended = shop("report", "autumn", "--output", place, "--overwrite")
        assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
        refusals.append(ended.err)
    approve("places where no report can be written", "".join(refusals[:3]), folder=shop.folder)
    link = shop.folder / "link"
    link.symlink_to(shop.folder / "report")
    assert shop("report", "autumn", "--output", link).code == 0
    assert link.is_symlink()
    assert (shop.folder / "report").is_file()


# a page


def test_a_page_is_utf_8_on_stdout_and_in_a_file(shop: Shop) -> None:
    letter = shop.letter(sender=SENDER, subject="Осень", html="<p>Hi</p>")
    shop.send(letter, shop.table(["email", "a@example.com", "b"]), "--name", "осень")
    file = shop.folder / "осень.html"
    assert shop("report", "осень", "--html", "--output", file).code == 0
    page = file.read_text(encoding="utf-8")
    assert page.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
    assert "Осень" in page
    with (shop.folder / "piped.html").open("w") as piped:
        ended = shop.run("report", "осень", "--html", files={"stdout": piped})
    assert (ended.code, ended.err) == (0, "")
    piped_page = (shop.folder / "piped.html").read_text(encoding="utf-8")
    assert re.sub(r"<time.*?</time>", "", piped_page) == re.sub(r"<time.*?</time>", "", page)
    shop("report", "spring", "--html").check_refusal("the page of no job")


# a workbook


def test_a_workbook_is_written_to_a_file_or_a_pipe(shop: Shop) -> None:
    people = shop.table(["email,имя", f"a@example.com,{'x' * 40_000}"])
    shop.send(shop.letter(), people, "--name", "autumn")
    file = shop.folder / "autumn.xlsx"
    ended = shop("report", "autumn", "--excel", "--output", file)
    assert (ended.code, ended.out) == (0, "")
    approve("cells that are cut", ended.err)
    with zipfile.ZipFile(file) as book:
        assert "Rows" in book.read("xl/workbook.xml").decode()
        assert "имя" in book.read("xl/worksheets/sheet2.xml").decode()
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    piped = shop.folder / "piped.xlsx"
    line = f'"$@" | cat > {shlex.quote(str(piped))}'
    assert shop.run("report", "autumn", "--excel", line=line).code == 0
    with zipfile.ZipFile(piped) as book:
        assert book.testzip() is None


def test_a_workbook_is_not_for_a_terminal(shop: Shop) -> None:
    sent(shop)
    ended = shop.on_terminal("report", "autumn", "--excel")
    assert ended.code == 2
    assert "PK" not in ended.out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_workbook_that_finds_no_room_is_one_sentence(shop: Shop) -> None:
    sent(shop)
    with Path("/dev/full").open("w") as full:
        ended = shop.run("report", "autumn", "--excel", files={"stdout": full})
    ended.check_refusal("no room for the output")


def test_without_its_extra_a_workbook_is_refused(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(shop)
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    file = shop.folder / "autumn.xlsx"
    ended = shop("report", "autumn", "--excel", "--output", file)
    ended.check_refusal("a workbook without its extra")
    assert not file.exists()
