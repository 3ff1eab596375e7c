"""What a traceback gives away: error trackers record the values of its frames' names."""

from __future__ import annotations

import traceback
from contextlib import suppress
from types import FrameType

__all__ = ["clear_frames", "place_of", "strip_frames"]

_OURS = ("mailkit.core.", "mailkit.providers.")


def strip_frames(error: BaseException, known: BaseException | None) -> None:
    """Take away the frames that an error came through, and its causes; ``known`` is what was being
    handled before it happened.
    """
    error.__cause__ = None
    error.__context__ = known
    error.__suppress_context__ = False  # which setting a cause has changed
    error.__traceback__ = None


def clear_frames(error: BaseException) -> None:
    """Take the values out of mailkit's frames that an error and its causes came through; the lines
    stay.
    """
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if _ours(frame):
                with suppress(RuntimeError):  # it is still running
                    frame.clear()
        todo += (one.__cause__, one.__context__)
        if isinstance(one, BaseExceptionGroup):
            todo += one.exceptions


def place_of(error: BaseException) -> str:
    """The error's class and the line that raised it: its words, and what is in its frames, are not
    for a log.
    """
    frames = traceback.extract_tb(error.__traceback__)
    name = type(error).__name__
    return f"{name} at {frames[-1].filename}:{frames[-1].lineno}" if frames else name


def _ours(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    if file.startswith("<attrs generated "):  # an __init__, of no module
        return " mailkit." in file
    return str(frame.f_globals.get("__name__", "")).startswith(_OURS)
