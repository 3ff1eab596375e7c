"""How a command runs: an event loop, errors as sentences, exit codes, Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from enum import IntEnum
from functools import partial
from http import HTTPStatus
from shlex import quote
from typing import Any, NoReturn, TextIO

import typer

from mailkit.bulk.journal import Adopt, Journal, LeftBehind
from mailkit.bulk.report import Report
from mailkit.cli import log_json, terminal
from mailkit.cli.config import is_credential
from mailkit.cli.ending import SIGNALS, Signals, come_too_late, held_back
from mailkit.core.clock import Clock
from mailkit.errors import (
    AuthenticationFailed,
    MailkitError,
    NotSent,
    RequestError,
    Unavailable,
)
from mailkit.text import plain

__all__ = [
    "CutOff",
    "Exit",
    "end_at_once",
    "exit_code",
    "graceful",
    "hearing",
    "opened",
    "remedy_of",
    "run",
    "say",
    "written",
]


class Exit(IntEnum):
    """The exit codes; a usage error is 2, as everywhere."""

    DONE = 0
    ERROR = 1
    IN_DOUBT = 3
    UNSENT = 4
    INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it


class CutOff(Exception):
    """A signal came before the first request; ``job`` is there, and has rows unsent."""

    def __init__(self, job: str | None = None) -> None:
        super().__init__(job)
        self.job = job


def exit_code(report: Report, *, failed: bool, strict: bool = False) -> Exit:
    """Doubt comes first, then an error that stopped the job, or rejected rows for the account's
    sake, then rows that are merely unsent, or that nobody has looked for because the job was
    stopped (unless the service has said that it is at work on them), then what other jobs have not
    ended that rows are left to, and last that nobody was accepted.
    """
    counts = report.counts
    if counts.in_doubt:
        return Exit.IN_DOUBT
    if failed or (report.held and not report.running):
        return Exit.ERROR
    if counts.unsent or (report.stopped and report.unreconciled and report.looks_until):
        return Exit.UNSENT
    if any(other.in_doubt for other in report.others):
        return Exit.IN_DOUBT
    if any(other.unsent and not other.running for other in report.others):
        return Exit.UNSENT
    if not counts.accepted or (strict and (counts.invalid or counts.rejected)):
        return Exit.ERROR
    return Exit.DONE


def run(command: Callable[[], Coroutine[Any, Any, int]], *, log_as_json: bool = False) -> int:
    """Run the command; what mailkit raises becomes a sentence on stderr and exit code 1. All that
    stderr gets is JSON if that is to be so.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a report must not fail over one character
            stream.reconfigure(errors="backslashreplace")
    if not log_as_json:
        return written(lambda: _run(command))
    with log_json.json_lines(_write):
        try:
            code = written(lambda: _run(command))
        except (typer.BadParameter, typer.Exit):
            raise
        except Exception as error:  # noqa: BLE001 - a bug's traceback is one line, too
            name = type(error).__name__
            log_json.note("error", f"unexpected: {name}", logging.ERROR, True, error=name)
            code = Exit.ERROR
        log_json.note("exit", f"exit code {code}", code=int(code))
    return code


def written(action: Callable[[], int]) -> int:
    """The action's exit code if all that it printed was written, else an error's."""
    code: int = Exit.ERROR
    try:
        code = action()
        sys.stdout.flush()
    except OSError as error:
        _give_up(sys.stdout)  # its reader went away, or its disk is full
        if not isinstance(error, BrokenPipeError):
            why = plain(error.strerror or str(error))
            say(f"mailkit: the output can't be written: {why}", "error", error=type(error).__name__)
        return code or Exit.ERROR
    return code


def _run(command: Callable[[], Coroutine[Any, Any, int]]) -> int:
    try:
        return _loop()(command())
    except MailkitError as error:
        # Names of files and columns, and a service's words, must not steer the terminal.
        sentence = f"mailkit: {plain(str(error))}{remedy_of(error)}"
        say(sentence, "error", error=type(error).__name__)
        return Exit.ERROR
    except CutOff as cut:
        if cut.job is None:
            code, text = Exit.INTERRUPTED, "stopped while planning: nothing was sent"
        else:
            code = Exit.UNSENT
            text = f"stopped before anything was sent; to send it: mailkit resume {quote(cut.job)}"
        say(f"mailkit: {plain(text)}", "exit", code=int(code))
        os._exit(code)  # else a read of stdin would hold the process until more comes
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def say(text: str, event: str = "notice", /, **facts: object) -> None:
    """A line on stderr, if anybody still reads that; with ``--log-json`` it is an event with facts,
    else the text alone.
    """
    if log_json.is_on():
        level = logging.ERROR if event == "error" else logging.INFO
        log_json.note(event, text.removeprefix("mailkit: "), level, **facts)
    else:
        _write(text)


def _write(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _give_up(sys.stderr)


def _give_up(stream: TextIO) -> None:
    """What is left in the stream goes nowhere."""
    with contextlib.suppress(OSError):  # it may be no file at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def remedy_of(error: MailkitError) -> str:
    """What a command's user can do about errors that don't say it themselves."""
    if not isinstance(error, RequestError):
        return ""
    variables = f"MAILKIT_{error.provider.upper()}_"
    if isinstance(error, AuthenticationFailed) or error.status == HTTPStatus.UNAUTHORIZED:
        given = (name for name in sorted(os.environ) if name.startswith(variables))
        named = " and ".join(name for name in given if is_credential(name))
        if isinstance(error, AuthenticationFailed):
            return f"; check {named}" if named else ""
        return f"; check {named or 'the credentials'}, and {variables}URL if it is set"
    if isinstance(error, Unavailable) and (error.status or 0) >= 500:
        return "; try again later"
    if isinstance(error, NotSent | Unavailable):
        return f"; check the network, and {variables}URL if it is set"
    return ""


def _loop() -> Callable[[Coroutine[Any, Any, int]], int]:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.run
    return uvloop.run


@contextlib.asynccontextmanager
async def opened(
    path: str | None, *, adopt: Adopt | None = None, make: bool = False, look: bool = False
) -> AsyncIterator[Journal]:
    """The journal, closed afterwards; one that isn't there yet is made only by a send. Whoever only
    wants to ``look`` finds it on a read-only file system, too.
    """
    only = look and adopt is None
    journal = await Journal.open(path, adopt=adopt, create=make, read_only=only)
    try:
        yield journal
    finally:
        await journal.close()


@contextlib.contextmanager
def graceful(
    stop: Callable[[], None],
    left_behind: Callable[[], LeftBehind | None],
    planned: Callable[[], bool] = lambda: True,
    *,
    last: bool = True,
) -> Iterator[None]:
    """The first Ctrl-C, SIGTERM or SIGHUP stops gently; the second one ends the process at once,
    and says what is ``left_behind``. Nothing is unsent of a job that is not ``planned``.
    ``last`` and what counts as the second as in `hearing`.
    """

    def stop_gently() -> None:
        stop()
        say(
            "mailkit: stopping: finishing requests under way; press Ctrl-C or send SIGTERM again "
            "to quit now",
            "stopping",
        )

    def quit_now() -> None:
        code, words = _last(left_behind())
        if code is Exit.UNSENT and not planned():
            code = Exit.INTERRUPTED
        end_at_once(f"quit at once; {words}", code)

    with hearing(stop_gently, quit_now, last=last):
        yield


def end_at_once(text: str, code: Exit) -> NoReturn:
    """End the process, with these words."""
    say(f"mailkit: {text}", "exit", code=int(code))
    if not log_json.is_on():
        terminal.leave()
    os._exit(code)


def _last(found: LeftBehind | None) -> tuple[Exit, str]:
    """The exit code of a process that ends at once, and what becomes of its requests."""
    if found is None:
        return Exit.IN_DOUBT, "requests under way are in doubt"
    if not found.requests:
        return (
            Exit.IN_DOUBT if found.in_doubt else Exit.UNSENT,
            "nothing was being sent, so this puts nothing in doubt",
        )
    requests = "1 request was" if found.requests == 1 else f"{found.requests:,} requests were"
    rows = "its 1 row is" if found.rows == 1 else f"their {found.rows:,} rows are"
    if found.requests == 1 and found.rows > 1:
        rows = f"its {found.rows:,} rows are"
    return Exit.IN_DOUBT, f"{requests} under way, and {rows} in doubt"


@contextlib.contextmanager
def hearing(
    first: Callable[[], None],
    second: Callable[[], None] | None = None,
    *,
    last: bool = True,
    clock: Clock = Clock(),
) -> Iterator[None]:
    """Call ``first`` at the first Ctrl-C, SIGTERM or SIGHUP, and ``second`` at another one, unless
    it repeats the first (see `Signals`); one that the parent process had this one ignore, as nohup
    does, stays ignored. Afterwards they come too late, if this is the ``last`` of the command but
    for what it prints.
    """
    loop = asyncio.get_running_loop()
    signals = Signals(clock)

    def hear(number: int) -> None:
        name = signal.Signals(number).name
        log_json.note("signal", f"received {name}", signal=name)
        if signals.is_first():
            first()
        elif second is not None and not signals.repeats():
            second()

    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number in SIGNALS if before[number] != signal.SIG_IGN]
    for number in heard:
        with contextlib.suppress(NotImplementedError):  # no signal handlers on Windows' loops
            loop.add_signal_handler(number, partial(hear, number))
    try:
        yield
    finally:
        with held_back():
            for number in heard:
                with contextlib.suppress(NotImplementedError):
                    loop.remove_signal_handler(number)
                    signal.signal(number, before[number] or signal.SIG_DFL)
            if last:
                come_too_late()
