"""Where a command writes what was asked for: to stdout, or into a file that nobody else can read.

A file appears in its place once all of it is written. One that is there stays, unless it was said
to be overwritten; the journal stays in any case.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import BinaryIO

from mailkit.cli.show import as_utf8
from mailkit.errors import InvalidArgument

__all__ = ["binary_output", "text_output"]


@contextmanager
def text_output(path: Path | None, *, overwrite: bool, journal: Path | None) -> Iterator[None]:
    """What is printed goes to the file, as UTF-8; it stays on stdout without one."""
    if path is None:
        yield
        return
    with _new_file(path, overwrite=overwrite, journal=journal) as file:
        text = io.TextIOWrapper(file, "utf-8", "backslashreplace", newline="")
        with redirect_stdout(text):
            yield
        text.flush()
        text.detach()


@contextmanager
def binary_output(
    path: Path | None, *, overwrite: bool, journal: Path | None
) -> Iterator[BinaryIO]:
    """The file, or stdout without one."""
    if path is None:
        as_utf8()
        sys.stdout.flush()
        yield sys.stdout.buffer
        return
    with _new_file(path, overwrite=overwrite, journal=journal) as file:
        yield file


@contextmanager
def _new_file(path: Path, *, overwrite: bool, journal: Path | None) -> Iterator[BinaryIO]:
    try:
        place = path.resolve()
        _check(path, place, overwrite=overwrite, journal=journal)
        descriptor, name = tempfile.mkstemp(prefix=".mailkit-", dir=place.parent)
    except InvalidArgument:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle
        raise _failed(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if not overwrite:
            with suppress(OSError):  # where files can't have two names
                place.hardlink_to(temporary)
                return
            _check(path, place, overwrite=False, journal=journal)
        temporary.replace(place)
    except OSError as error:
        raise _failed(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _failed(path: Path, error: Exception) -> InvalidArgument:
    reason = error.strerror if isinstance(error, OSError) else None
    return InvalidArgument(f"{path} can't be written: {reason or error}")


def _check(path: Path, place: Path, *, overwrite: bool, journal: Path | None) -> None:
    """InvalidArgument if no file must be put there."""
    if place.is_dir():
        raise InvalidArgument(f"{path} is a directory; give a file in it")
    if not place.parent.is_dir():
        raise InvalidArgument(f"there is no directory {path.parent}; create it first")
    if journal is not None and _belongs(place, journal):
        raise InvalidArgument(f"{path} belongs to the journal; choose another file")
    if os.path.lexists(place):
        if not place.is_file():
            raise InvalidArgument(
                f"{path} is not a regular file; leave out --output to write to stdout"
            )
        if not overwrite:
            raise InvalidArgument(f"{path} already exists; choose another file, or use --overwrite")


def _belongs(place: Path, journal: Path) -> bool:
    """Whether it is the journal, has the name of a file next to it, or is in such a folder."""
    for part in (place, *place.parents):
        if part.name.startswith(f"{journal.name}-"):
            with suppress(OSError):
                if part.parent.samefile(journal.parent):
                    return True
    with suppress(OSError):
        return place.samefile(journal)
    return place == journal
