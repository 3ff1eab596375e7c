"""Remedies in the reader's terms: a Python program has arguments, a command has options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["for_commands", "remedy"]

_in_command = [False]  # not a context variable: threads of the journal write errors, too


def remedy(python: str, command: str) -> str:
    """Whichever of the two the reader can use."""
    return command if _in_command[-1] else python


@contextmanager
def for_commands() -> Iterator[None]:
    """Errors name options instead of arguments, as long as a command runs."""
    _in_command.append(True)
    try:
        yield
    finally:
        _in_command.pop()
