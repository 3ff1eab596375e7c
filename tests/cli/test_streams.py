"""Where output goes: a full disk, a stream that is closed, a terminal that would act upon it."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from mailkit.text import column_name

from .shop import Shop

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("bash") is None, reason="POSIX's streams"
)

WORDS = [["--help"], ["send", "--help"], ["status"], ["sandbox", "--port", "0", "--json"]]
CODES = "\x1b]0;owned\x07\x1b[2J\x9b31m\x08\x7f\u202e\ue000"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_a_full_disk_is_one_sentence(shop: Shop, words: list[str]) -> None:
    shop.send(shop.letter(), shop.customers(1), "--name", "autumn")
    with Path("/dev/full").open("w") as full:
        ended = shop.run(*words, files={"stdout": full})
    ended.check_refusal("no room for the output")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_where_not_even_a_sentence_has_room_the_code_tells(shop: Shop) -> None:
    with Path("/dev/full").open("w") as full:
        for words in (["nonsense"], ["--help"]):
            assert shop.run(*words, files={"stdout": full, "stderr": full}).code == 1


def test_streams_that_are_closed(shop: Shop) -> None:
    assert shop.run("--help", line='exec "$@" <&- >&- 2>&-').code == 0
    assert shop.run("nonsense", line='exec "$@" 2>&-').code == 2
    ended = shop.run("send", shop.letter(), "-", "--provider", "smsby", line='exec "$@" <&-')
    ended.check_refusal("an empty stdin")


def test_a_reader_that_goes_away_is_no_error_to_speak_of(shop: Shop) -> None:
    ended = shop.run("--help", line='"$@" | head -1; exit "${PIPESTATUS[0]}"')
    assert (ended.code in (0, 1), ended.err) == (True, "")


# what a list, a service or a file may say on a terminal


def hostile(shop: Shop) -> None:
    """A job whose list is full of codes that a terminal acts upon."""
    people = shop.folder / "autumn.jsonl"
    people.write_text(
        json.dumps({"email": "a@example.com", "name": CODES, f"x{CODES}": "two\nlines"})
        + "\n"
        + json.dumps({"email": f"no-at-sign{CODES}", "name": "Anna"})
    )
    assert shop.send(shop.letter(), people, "--name", "autumn").code == 0


def assert_tame(shown: str) -> None:
    bare = re.sub(r"\x1b\[[0-9;]*m", "", shown)  # our own bold heading
    odd = {char for char in bare if not char.isprintable()} - set("\r\n")
    assert not odd, shown


def test_csv_is_exact_in_a_pipe_and_tame_on_a_terminal(shop: Shop) -> None:
    hostile(shop)
    for words in (["--csv"], ["--as-recipients"]):
        piped = shop.run("report", "autumn", *words).out
        rows = list(csv.reader(io.StringIO(piped, newline="")))
        assert rows[0][:3] == ["email", "name", column_name(f"x{CODES}")]
        assert [row[:3] for row in rows[1:]] == [
            ["a@example.com", CODES, "two\nlines"],
            [f"no-at-sign{CODES}", "Anna", ""],
        ]
        shown = shop.on_terminal("report", "autumn", *words)
        assert shown.code == 0
        assert_tame(shown.out)
        rows = list(csv.reader(shown.out.splitlines()))
        assert rows[1][1:3] == [
            "\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\x08\\x7f\\u202e\\ue000",
            "two\\nlines",
        ]


@pytest.mark.parametrize(
    "words",
    [["report", "autumn"], ["status"], ["report", "autumn", "--json"], ["status", "--json"]],
    ids=" ".join,
)
def test_whatever_is_shown_on_a_terminal_is_tame(shop: Shop, words: list[str]) -> None:
    hostile(shop)
    shown = shop.on_terminal(*words)
    assert shown.code == 0
    assert "autumn" in shown.out
    assert_tame(shown.out)


def test_json_is_tame_and_exact_everywhere(shop: Shop) -> None:
    name, words = "Осень \u202e\ue000 \U000e0001 end", ("report", "--json")
    assert shop.send(shop.letter(), shop.customers(1), "--name", name).code == 0
    for ended in (shop(*words, name), shop.on_terminal(*words, name)):
        assert_tame(ended.out)
        assert ended.json["job"] == name
        assert "Осень \\u202e\\ue000 \\udb40\\udc01 end" in ended.out


def test_a_terminal_keeps_its_own_encoding(shop: Shop) -> None:
    people = shop.table(["email,name", "a@example.com,ћ"])  # D1 9B in UTF-8, and 9B is a CSI
    assert shop.send(shop.letter(), people, "--name", "autumn").code == 0
    shop.environment.update({"PYTHONIOENCODING": "latin-1", "LC_ALL": "C"})
    shown = shop.on_terminal("report", "autumn", "--csv")
    assert "a@example.com,\\u045b," in shown.out
    assert shop.run("report", "autumn", "--csv").out.startswith("email,name")


def test_the_bars_of_a_send_are_tame_on_a_terminal(shop: Shop) -> None:
    people = shop.table(["email", "a@example.com"], "autumn.csv")
    name = "autumn \u202e"
    words = ("send", shop.letter(), people, "--provider", "smsby", "--name", name)
    shown = shop.on_terminal(*words)
    assert shown.code == 0
    assert "\u202e" not in shown.out
    assert "autumn \\u202e" in shown.out


def test_a_log_gets_no_bars_whatever_is_said_of_colors(shop: Shop) -> None:
    people = shop.table(["email", "a@example.com"], "autumn.csv")
    words = ("send", shop.letter(), people, "--provider", "smsby", "--again")
    shop.environment.update({"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"})
    assert shop.run(*words).err == ""
    assert shop.run(*words, line='exec "$@" 2>&-').code == 0
    shop.environment.update({"FORCE_COLOR": "", "TERM": "dumb"})
    assert "\x1b" not in shop.on_terminal(*words).out
