"""Ctrl-C and its like: what was to be ignored is ignored, and nothing ends in a traceback."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys

import pytest

from mailkit.cli import log_json
from mailkit.cli.run import hearing
from mailkit.sandbox import Fault
from mailkit.testing import FakeClock
from tests.approval import approve

from .shop import SEND, Shop, end_of, insist, screened

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("bash") is None, reason="POSIX's signals"
)

INTERRUPTED = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from mailkit.cli import main
main()
"""

PRESSED = """
import asyncio, os, signal
from unittest.mock import patch
from mailkit.cli import main

async def press(*args, **named):
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(60)

with patch({place!r}, press):
    main()
"""

PRESSED_LATE = """
import atexit, os, signal
from unittest.mock import patch
from mailkit.cli import main, send

number = signal.{name}
printed = send.print_report

def press(*args, **named):
    printed(*args, **named)
    os.kill(os.getpid(), number)

class Last:
    def __del__(self):  # when modules are taken apart
        self.kill(self.pid, number)

last = Last()
last.kill, last.pid = os.kill, os.getpid()
atexit.register(os.kill, os.getpid(), number)
with patch("mailkit.cli.send.print_report", press):
    main()
"""


TWICE = """
import signal
from mailkit.cli import ending
from mailkit.testing import FakeClock

clock = FakeClock()
ending.process_ends_with_command()
ending.come_too_late(clock)
for seconds in (0.0, 0.5, 0.5):
    clock.advance(seconds)
    print(seconds, flush=True)
    signal.raise_signal(signal.SIGTERM)
print("it did not end")
"""


def send(shop: Shop) -> list[str]:
    """A send of three chunks, one after another."""
    files = [str(shop.letter()), str(shop.customers(1200))]
    return ["send", *files, "--provider", "smsby", "--name", "autumn", "--concurrency", "1"]


def test_signals_that_the_parent_ignored_stay_ignored(shop: Shop) -> None:
    release = shop.hold()
    with shop.spawn(*send(shop), line='trap "" INT TERM HUP; exec "$@"') as process:
        shop.until(lambda: shop.sandbox.requests[SEND], process)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process.send_signal(number)
        release()
        ended = end_of(process)
    assert (ended.code, ended.err) == (0, "")
    assert shop.report()["accepted"] == shop.sandbox.truth.emails == 1200


def test_the_others_are_heard_all_the_same(shop: Shop) -> None:
    release = shop.hold()
    with shop.spawn(*send(shop), line='trap "" HUP; exec "$@"') as process:  # as with nohup
        assert process.stderr is not None
        shop.until(lambda: shop.sandbox.requests[SEND], process)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert "stopping" in process.stderr.readline()
        release()
        ended = end_of(process)
    assert ended.code == 4
    assert "stopping" not in ended.err


def test_a_terminal_that_goes_away_takes_only_the_bar_with_it(shop: Shop) -> None:
    screen, other = os.openpty()
    release = shop.hold()
    with shop.spawn(*send(shop), line=f'exec "$@" 2>{os.ttyname(other)}') as process:
        shop.until(lambda: shop.sandbox.requests[SEND], process)
        os.close(other)
        os.close(screen)
        release()
        ended = end_of(process)
    assert ended.code == 0
    assert "  accepted             1,200\n" in ended.out
    assert shop.sandbox.truth.emails == 1200


def test_a_bar_that_has_no_time_to_end_leaves_the_cursor(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=600))
    screen, other = os.openpty()
    with shop.spawn(*send(shop), streams=other) as process:
        os.close(other)
        shop.until(lambda: shop.sandbox.requests[SEND], process)
        process.send_signal(signal.SIGINT)
        shown = b""
        while b"stopping" not in shown:
            shown += os.read(screen, 65536)
        insist(process, signal.SIGTERM)
        shown += screened(screen)
        assert process.wait(30) == 3
    assert b"quit at once" in shown
    assert 0 < shown.rfind(b"\x1b[?25l") < shown.rfind(b"\x1b[?25h")


@pytest.mark.parametrize("name", ["mailkit.cli.app", "mailkit.bulk.engine"])
def test_ctrl_c_during_the_imports_is_silent(name: str) -> None:
    code = INTERRUPTED.format(name=name)
    ended = subprocess.run(
        ["bash", "-c", '"$@"; exit $?', "bash", sys.executable, "-c", code, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (130, "")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("mailkit.cli.jobs.make_report", ["status", "autumn"]),
        ("mailkit.cli.jobs.end_doubts", ["resolve", "autumn", "--accepted"]),
        ("mailkit.cli.demo._compare", ["demo", "--rows", "100", "--json"]),
    ],
    ids=str,
)
def test_ctrl_c_while_nothing_is_sent_is_silent(shop: Shop, place: str, words: list[str]) -> None:
    shop.send(shop.letter(), shop.customers(1), "--name", "autumn")
    ended = subprocess.run(
        [sys.executable, "-c", PRESSED.format(place=place), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **shop.environment, "TMPDIR": str(shop.folder)},
    )
    assert (ended.returncode, ended.stderr) == (130, "")
    assert not list(shop.folder.glob("mailkit-demo-*"))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_after_the_report_does_not_change_the_exit_code(shop: Shop, name: str) -> None:
    words = ["send", str(shop.letter()), str(shop.customers(3)), "--provider", "smsby"]
    ended = subprocess.run(
        [sys.executable, "-c", PRESSED_LATE.format(name=name), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **shop.environment},
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "  accepted                 3\n" in ended.stdout


async def test_a_signal_that_repeats_the_first_is_the_same_wish(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As from GNU timeout, which signals the command and then its whole group."""
    monkeypatch.setattr("mailkit.cli.ending.REPEATED_SECONDS", 1.0)
    heard: list[str] = []
    received: asyncio.Queue[None] = asyncio.Queue()
    monkeypatch.setattr(log_json, "note", lambda *args, **facts: received.put_nowait(None))
    clock = FakeClock(autojump=False)
    with hearing(lambda: heard.append("stop"), lambda: heard.append("quit"), clock=clock):
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
            await received.get()
        assert heard == ["stop"]
        clock.advance(1.0)
        signal.raise_signal(signal.SIGTERM)
        await received.get()
    assert heard == ["stop", "quit"]


def test_one_that_repeats_what_came_too_late_does_not_end_the_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TWICE], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, "0.0\n0.5\n0.5\n"), ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_there_already_has_rows_unsent(shop: Shop, number: signal.Signals) -> None:
    shop.sandbox.faults.add(Fault("rate_limited", on=SEND, retry_after=600))
    with shop.spawn(*send(shop)) as process:
        shop.until(lambda: shop.sandbox.requests[SEND], process)
        process.send_signal(number)
        assert end_of(process).code == 4
    shop.sandbox.faults.clear()
    tried = shop.sandbox.requests["smsby.templates.list"]
    shop.sandbox.faults.add(Fault("slow_answer", on="smsby.templates.list", seconds=600))
    with shop.spawn("resume", "autumn") as process:
        shop.until(lambda: shop.sandbox.requests["smsby.templates.list"] > tried, process)
        process.send_signal(number)
        ended = end_of(process)
    assert ended.code == 4
    approve("signal: stopped before anything was sent", ended.err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_planning_leaves_nothing_unsent(shop: Shop, number: signal.Signals) -> None:
    with shop.spawn("send", shop.letter(), "-", "--provider", "smsby") as process:
        assert process.stdin is not None
        process.stdin.write(shop.customers(3).read_text())
        process.stdin.flush()
        shop.until(lambda: shop.in_journal("jobs"), process)
        process.send_signal(number)
        assert process.wait(30) == 130
    assert shop.in_journal("jobs") == 0
