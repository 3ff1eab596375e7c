"""How a command runs: an event loop, errors as sentences, exit codes, Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

from mailkit.bulk.journal import Journal, default_path
from mailkit.bulk.report import Report
from mailkit.cli.show import plain
from mailkit.errors import (
    AuthenticationFailed,
    JournalError,
    MailkitError,
    NotSent,
    RequestError,
    Unavailable,
)

__all__ = ["CutOff", "Exit", "exit_code", "graceful", "opened", "run"]


class Exit(IntEnum):
    """The exit codes; a usage error is 2, as everywhere."""

    DONE = 0
    ERROR = 1
    IN_DOUBT = 3
    UNSENT = 4


class CutOff(Exception):
    """A signal came while the list was being read."""


def exit_code(report: Report, *, failed: bool, strict: bool = False) -> Exit:
    """Doubt comes first, then an error that stopped the job, then rows that are merely unsent, or
    that nobody has looked for because the job was stopped.
    """
    if report.counts.in_doubt:
        return Exit.IN_DOUBT
    if failed:
        return Exit.ERROR
    if report.counts.unsent or (report.stopped and report.unreconciled):
        return Exit.UNSENT
    refused = report.counts.invalid + report.counts.rejected
    return Exit.ERROR if strict and refused else Exit.DONE


def run(command: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run the command; what mailkit raises becomes a sentence on stderr and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a report must not fail over one letter
            stream.reconfigure(errors="backslashreplace")
    try:
        return _loop()(command())
    except MailkitError as error:
        # Names of files and columns, and a service's words, must not steer the terminal.
        print(f"mailkit: {plain(str(error))}{_remedy(error)}", file=sys.stderr)
        return Exit.ERROR
    except CutOff:
        print("mailkit: stopped while planning: nothing was sent", file=sys.stderr, flush=True)
        os._exit(Exit.UNSENT)  # else a read of stdin would hold the process until more comes
    except BrokenPipeError:
        # The reader of the output went away: nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.ERROR


def _remedy(error: MailkitError) -> str:
    """What a command's user can do about errors that don't say it themselves."""
    if not isinstance(error, RequestError):
        return ""
    variables = f"MAILKIT_{error.provider.upper()}_"
    if isinstance(error, AuthenticationFailed):
        return f"; look at the credential in {variables}…"
    if isinstance(error, NotSent | Unavailable):
        return f"; look at the network, and at {variables}URL if it is set"
    return ""


def _loop() -> Callable[[Coroutine[Any, Any, int]], int]:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.run
    return uvloop.run


@contextlib.asynccontextmanager
async def opened(
    path: Path | None, *, adopt: bool = False, make: bool = False
) -> AsyncIterator[Journal]:
    """The journal, closed afterwards; one that isn't there yet is made only by a send."""
    place = path or default_path()
    if not make and not place.exists():
        raise JournalError(
            f"there is no journal at {place}: a send makes one; "
            "name the one you mean with --journal or MAILKIT_JOURNAL"
        )
    journal = await Journal.open(place, adopt=adopt)
    try:
        yield journal
    finally:
        await journal.close()


@contextlib.contextmanager
def graceful(stop: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C, SIGTERM or SIGHUP stops gently; the second one ends the process at once."""
    loop = asyncio.get_running_loop()
    asked = False

    def hear() -> None:
        nonlocal asked
        if asked:
            print(
                "mailkit: ended at once; requests under way are in doubt",
                file=sys.stderr,
                flush=True,
            )
            os._exit(Exit.IN_DOUBT)
        asked = True
        print(
            "mailkit: stopping: requests under way end first (once more ends at once)",
            file=sys.stderr,
            flush=True,
        )
        stop()

    names = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is not known everywhere
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    for number in signals:
        with contextlib.suppress(NotImplementedError):  # no signal handlers on Windows' loops
            loop.add_signal_handler(number, hear)
    try:
        yield
    finally:
        for number in signals:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
