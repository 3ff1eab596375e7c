"""Commands in processes of their own: readers that go away, a full disk, signals."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from mailkit.sandbox import Fault

from ..approval import approve
from ..cli.shop import SEND, Ended, Files, Process, Shop, customer, end_of, insist, open_shop

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("bash") is None, reason="POSIX's pipes and signals"
)

ROWS, CHUNK = 1200, 500
FOR_EVER = 600.0

Stream = Literal["stdout", "stderr"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path, seed=1) as opened:
        yield opened


def send(shop: Shop, rows: int = ROWS) -> list[str]:
    """The words of a send of chunks of 500 rows, two requests at a time."""
    files = [str(shop.letter()), str(shop.customers(rows))]
    return ["send", *files, "--provider", "smsby", "--name", "autumn", "--concurrency", "2"]


def spawn(shop: Shop, *words: str, line: str | None = None, gone: Stream | None = None) -> Process:
    """The command, if need be as the ``"$@"`` of a line of shell; nobody reads the stream that is
    ``gone``.
    """
    nobody, end = os.pipe()
    os.close(nobody)
    files: Files = {"stdin": subprocess.DEVNULL, **({} if gone is None else {gone: end})}
    try:
        return shop.spawn(*words, line=line, session=line is not None, files=files)
    finally:
        os.close(end)


def run(shop: Shop, *words: str, line: str | None = None, gone: Stream | None = None) -> Ended:
    """The command until its end."""
    with spawn(shop, *words, line=line, gone=gone) as process:
        return end_of(process)


def under_way(shop: Shop, requests: int) -> bool:
    """Whether so many requests have come and have been acted upon."""
    letters = shop.sandbox.truth.emails
    return (shop.sandbox.requests[SEND], letters) == (requests, requests * CHUNK)


def everybody_was_mailed_once(shop: Shop, rows: int = ROWS) -> None:
    """After a person said what became of the doubts, and a resume."""
    shop.sandbox.faults.clear()
    for doubt in shop.report()["doubts"]:
        mailed = shop.sandbox.truth.count(doubt["first"])
        word = "--accepted" if mailed else "--not-sent"
        assert shop("resolve", "autumn", doubt["label"].rpartition("#")[2], word).code == 0
    ended = shop("resume", "autumn", "--json")
    assert (ended.code, ended.json["accepted"]) == (0, rows)
    assert shop.sandbox.truth.mailed == {customer(n): 1 for n in range(rows)}


# Readers of the output that go away.


def test_a_report_is_cut_by_head(shop: Shop) -> None:
    shop(*send(shop, rows=5))
    line = '"$@" | head -1; exit "${PIPESTATUS[0]}"'
    ended = run(shop, "report", "autumn", "--csv", line=line)
    assert (ended.code in (0, 1), ended.err) == (True, "")
    assert ended.out == "email,name,line,state,reason,chunk,delivery\n"


@pytest.mark.parametrize("words", [["report", "autumn", "--csv"], ["status"]], ids=" ".join)
def test_a_command_that_nobody_reads_ends_without_a_word(shop: Shop, words: list[str]) -> None:
    shop(*send(shop, rows=5))
    ended = run(shop, *words, gone="stdout")
    assert (ended.code, ended.err) == (1, "")


def test_an_error_that_nobody_reads_is_an_error(shop: Shop) -> None:
    ended = run(shop, "status", gone="stderr")
    assert (ended.code, ended.out) == (1, "")


@pytest.mark.parametrize(("lost", "code"), [(0, 1), (1, 3)], ids=["well", "doubt"])
def test_a_send_that_nobody_reads_goes_on_to_its_end(shop: Shop, lost: int, code: int) -> None:
    if lost:
        shop.sandbox.faults.add(Fault("reset_after_acting", on=SEND, times=lost))
    ended = run(shop, *send(shop), gone="stdout")
    assert (ended.code, ended.err) == (code, "")  # at least 1, as no report was shown
    assert shop.sandbox.requests[SEND] == 3
    everybody_was_mailed_once(shop)


def test_a_send_without_any_streams_goes_on_to_its_end(shop: Shop) -> None:
    ended = run(shop, *send(shop), line='exec "$@" <&- >&- 2>&-')
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert shop.report()["accepted"] == ROWS


def test_a_report_without_stdout_goes_nowhere(shop: Shop) -> None:
    shop(*send(shop, rows=5))
    ended = run(shop, "report", "autumn", "--csv", line='exec "$@" >&-')
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_report_to_a_full_disk_is_an_error_in_a_sentence(shop: Shop) -> None:
    shop(*send(shop, rows=5))
    ended = run(shop, "report", "autumn", line='exec "$@" >/dev/full')
    ended.check_refusal("no room for the output")


# Signals.


def test_a_signal_is_heard_though_nobody_reads_the_answer(shop: Shop) -> None:
    release = shop.hold()
    with spawn(shop, *send(shop), gone="stderr") as process:
        shop.until(lambda: under_way(shop, 2), process)
        process.send_signal(signal.SIGINT)  # as when Ctrl-C ends the whole pipe
        release()
        ended = end_of(process)
    assert ended.code == 4
    assert "Stopped at your request." in ended.out
    assert shop.report()["accepted"] == 2 * CHUNK
    everybody_was_mailed_once(shop)


def test_a_second_signal_is_heard_though_nobody_reads_the_answer(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=FOR_EVER))
    with spawn(shop, *send(shop), gone="stderr") as process:
        shop.until(lambda: under_way(shop, 2), process)
        insist(process, signal.SIGINT)
        ended = end_of(process)
    assert (ended.code, ended.out) == (3, "")
    assert shop.report()["in_doubt"] == 2 * CHUNK
    everybody_was_mailed_once(shop)


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)],
    ids=["TERM-TERM", "INT-TERM"],
)
def test_any_two_signals_end_at_once_with_what_was_under_way_in_doubt(
    shop: Shop, first: int, second: int
) -> None:
    shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=FOR_EVER))
    with spawn(shop, *send(shop)) as process:
        assert process.stderr is not None
        shop.until(lambda: under_way(shop, 2), process)
        process.send_signal(first)
        approve("signal: stopping", process.stderr.readline())
        insist(process, second)
        ended = end_of(process)
    assert (ended.code, ended.out) == (3, "")
    approve("signal: ended at once", ended.err)
    report = shop.report()
    assert (report["in_doubt"], report["unsent"]) == (2 * CHUNK, ROWS - 2 * CHUNK)
    shop.sandbox.faults.clear()
    ended = shop("resume", "autumn", "--json")
    assert (ended.code, ended.json["in_doubt"], ended.json["unsent"]) == (3, 2 * CHUNK, 0)
    everybody_was_mailed_once(shop)


def test_a_signal_while_the_credential_is_tried_ends_with_nothing_sent(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("slow_answer", on="smsby.templates.list", seconds=FOR_EVER))
    with spawn(shop, *send(shop)) as process:
        shop.until(lambda: shop.sandbox.requests["smsby.templates.list"], process)
        process.send_signal(signal.SIGINT)
        ended = end_of(process)
    assert (ended.code, ended.out) == (130, "")
    approve("signal: stopped while planning", ended.err)
    assert shop.in_journal("jobs") == shop.sandbox.truth.emails == 0


def test_a_terminal_that_goes_away_stops_the_job(shop: Shop) -> None:
    release = shop.hold()
    terminal, other = os.openpty()
    line = f'exec <{os.ttyname(other)} >{os.ttyname(other)} 2>&1; exec "$@"'
    with spawn(shop, *send(shop), line=line) as process:
        os.close(other)
        shop.until(lambda: under_way(shop, 2), process)
        os.close(terminal)
        release()
        assert process.wait(30) in (1, 4)
    assert shop.report()["accepted"] == 2 * CHUNK
    everybody_was_mailed_once(shop)


# A full disk.


@pytest.mark.parametrize("kilobytes", [16, 40])
def test_a_file_that_may_not_grow_stops_the_job_in_a_sentence(
    shop: Shop, kilobytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # its file could not grow either
    shop.sandbox.faults.add(Fault("token_refused", on=SEND))
    assert shop(*send(shop)).code == 1
    shop.sandbox.faults.clear()

    # A module that is compiled then must not be left half-written.
    limited = f'export PYTHONDONTWRITEBYTECODE=1; ulimit -f {kilobytes}; exec "$@"'
    ended = run(shop, "resume", "autumn", "--concurrency", "2", line=limited)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "disk I/O error" in ended.err  # SQLite's words, in a sentence that names the journal
    report = shop.report()
    assert report["rows"] == ROWS == report["accepted"] + report["in_doubt"] + report["unsent"]
    assert report["in_doubt"] <= 2 * CHUNK
    assert shop.sandbox.truth.mailed_twice == []
    everybody_was_mailed_once(shop)
