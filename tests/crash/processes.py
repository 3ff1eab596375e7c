"""Forked processes that can be stopped, resumed and killed, and the log that outlives them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import msgspec

__all__ = ["Entry", "Forked", "Log", "told_to_end", "turns"]

CRASHED = 70
"""The exit code of a process that ended with anything but an error of mailkit's own."""

_told = False


class Forked:
    """A process that runs ``work`` and exits with the number it returns."""

    def __init__(self, name: str, work: Callable[[], int]) -> None:
        self.name = name
        self.code: int | None = None
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            run_child(parent, work)

    def poll(self) -> int | None:
        """The exit code, or minus the signal that ended it; None while it lives."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> int:
        """kill -9; returns how it ended."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def end(self) -> int:
        """Let it finish its turn."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds: float = 120.0) -> int:
        """Wait for its end; one that never ends is killed, and that is a failure."""
        code = self.wait_at_most(seconds)
        if code is None:
            self.kill()
            raise AssertionError(f"{self.name} did not end in {seconds:g} s")
        return code

    def wait_at_most(self, seconds: float) -> int | None:
        """Its exit code if it ends in time."""
        deadline = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.001)
        return self.code

    def wait_stopped(self) -> bool:
        """Wait until it is stopped; False if it ended instead."""
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                return True
            self.code = os.waitstatus_to_exitcode(status)
        return False


def run_child(parent: int, work: Callable[[], int]) -> None:
    """Never returns: a forked process must not go on in its parent's place."""
    code = CRASHED
    try:
        signal.signal(signal.SIGTERM, _hear)
        run_child.parent = parent  # type: ignore[attr-defined]
        code = work()
    except BaseException:  # noqa: BLE001
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _hear(*_: object) -> None:
    global _told
    _told = True


def told_to_end() -> bool:
    """Whether this forked process should end: it was asked to, or is left alone."""
    return _told or os.getppid() != run_child.parent  # type: ignore[attr-defined]


def turns(pause: Callable[[], float]) -> Iterator[int]:
    """Count until this process is told to end, with a pause after each turn."""
    turn = 0
    while not told_to_end():
        yield turn
        turn += 1
        time.sleep(pause())


@attrs.frozen
class Entry:
    """One line of the log: who, what happened (an error's class, or a word), and its text."""

    who: str
    what: str
    text: str = ""


@attrs.frozen
class Log:
    """A file that many processes append to; each line is written whole, or not at all."""

    path: Path

    def add(self, who: str, what: str, text: str = "") -> None:
        """Append a line."""
        line = msgspec.json.encode([who, what, text]) + b"\n"
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def error(self, who: str, error: BaseException) -> None:
        """Append an error, under the name of its class."""
        self.add(who, type(error).__name__, str(error))

    def entries(self) -> list[Entry]:
        """Everything so far."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().splitlines()
        return [Entry(*msgspec.json.decode(line, type=list[str])) for line in lines]

    def count(self, what: str) -> int:
        """How often this happened."""
        return sum(entry.what == what for entry in self.entries())


@contextmanager
def ended(processes: Iterable[Forked]) -> Iterator[None]:
    """Kill what is left of the processes at the end of the block."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
