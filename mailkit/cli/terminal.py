"""The terminal, if stderr is one."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TextIO, cast

from rich.console import Console

__all__ = ["console", "has_terminal", "leave"]


class _Forgiving:
    """A stream for bars: a terminal that has gone away must not end what the bar is about."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def console() -> Console:
    """Where bars go: stderr, so that stdout stays clean for the report."""
    return Console(file=cast("TextIO", _Forgiving(sys.stderr)), highlight=False)


def has_terminal() -> bool:
    """Whether bars can be shown, whatever variables say of colors: elsewhere they fill a log."""
    stream: TextIO | None = sys.stderr  # None: it is closed
    return stream is not None and stream.isatty() and not console().is_dumb_terminal


def leave() -> None:
    """Show the cursor and end the line, for a process that ends without a chance to end its bar."""
    shown = Console(file=cast("TextIO", _Forgiving(sys.__stderr__ or sys.stderr)))
    shown.show_cursor()
    if has_terminal():
        shown.line()
