"""message.toml: a Message in a file, with the same words as the class.

Who sends a message need not have written it. So it can name only files that lie with it, in its
folder or below: a path elsewhere would mail whatever the sender may read.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mailkit.attachment import Attachment, read_file
from mailkit.errors import InvalidArgument
from mailkit.toml_words import KEYS, syntax_hint, type_fault, unknown_key

__all__ = ["read_fields"]

_LARGEST = 1_000_000  # bytes of message.toml
_LARGEST_TOGETHER = 50_000_000  # bytes of the attachments
_LONGEST = 4096  # characters of a path
_DOTS = 100

# Each begun string or comment matches, be it at the end of the text, so that no two looks cross.
_quoted = re.compile(
    r"""
    \"\"\" (?: [^"\\] | \\.? | "(?!"") )* (?: "{3,5} | \Z )
    | ''' (?: [^'] | '(?!'') )* (?: '{3,5} | \Z )
    | " (?: [^"\\\n] | \\[^\n]? )* "?
    | ' [^'\n]* '?
    | \# [^\n]*
    """,
    re.VERBOSE | re.DOTALL,
).sub


def read_fields(path: Path) -> dict[str, Any]:
    """The arguments of a Message in a TOML file; InvalidArgument names the file and the place."""
    text = _text(path, "message")
    try:
        return _fields(_parse(text), path.parent)
    except InvalidArgument as error:
        raise InvalidArgument(f"{path}: {error}") from None


def _parse(text: str) -> dict[str, Any]:
    if len(text) > _LARGEST:
        raise InvalidArgument(
            f"this is larger than {_LARGEST // 1_000_000} MB: put the body into a file of its own, "
            "and name that with html_file or text_file"
        )
    # A key of n parts takes tomllib n² steps.
    if _quoted("", text).count(".") > _DOTS:
        raise InvalidArgument(f"this is not a message: it has more than {_DOTS} dots in its keys")
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError names line and column
        end = f"at line {text.count(chr(10)) + 1}, the end of the file"
        fault, hint = str(error).replace("at end of document", end), syntax_hint(text, str(error))
        raise InvalidArgument(f"this is not TOML: {fault}{hint and '; '}{hint}") from None
    except RecursionError:
        raise InvalidArgument("this is not a message: it is nested too deeply") from None


def _fields(words: dict[str, Any], folder: Path) -> dict[str, Any]:
    for word, value in words.items():
        if word not in KEYS:
            raise InvalidArgument(unknown_key(word, value))
        if fault := type_fault(word, value):
            raise InvalidArgument(fault)
    for word in ("sender", "subject"):
        if word not in words:
            raise InvalidArgument(f'{word} is missing; write {word} = "…"')
    for body in ("html", "text"):
        file = words.pop(f"{body}_file", None)
        if file is None:
            continue
        if body in words:
            raise InvalidArgument(f"give {body} or {body}_file, not both")
        words[body] = _text(_path(file, folder, f"{body}_file"), f"{body}_file")
    attachments = words.get("attachments", [])
    words["attachments"] = _attachments(_path(file, folder, "attachments") for file in attachments)
    return words


def _attachments(paths: Iterable[Path]) -> list[Attachment]:
    files: list[Attachment] = []
    size = 0
    for path in paths:
        files.append(Attachment.of(path))
        size += len(files[-1].content)
        if size > _LARGEST_TOGETHER:
            raise InvalidArgument(
                f"attachments: together they are larger than {_LARGEST_TOGETHER // 1_000_000} MB, "
                "too large for a message"
            )
    return files


def _path(value: str, folder: Path, place: str) -> Path:
    if not 0 < len(value) <= _LONGEST:
        raise InvalidArgument(f'{place}: give a path in quotes, e.g. "autumn.html"')
    path = folder / value
    if not _is_within(path, folder, place):
        raise InvalidArgument(
            f"{place}: {value[:500]} is outside the folder of the message; put the file, or a copy "
            "of it, into that folder"
        )
    return path


def _is_within(path: Path, folder: Path, place: str) -> bool:
    """Whether the path leads into the folder, as it is written and through all links."""
    if not Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder)):  # noqa: PTH100
        return False  # without a look at it, which may go to another machine
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle; NUL
        raise InvalidArgument(f"{place}: {path} can't be read: {error}") from None


def _text(path: Path, place: str) -> str:
    content = read_file(path, place)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidArgument(f"{place}: {path} is UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidArgument(
            f"{place}: {path} is not UTF-8 (byte {error.start + 1}, line {line}); save it as UTF-8"
        ) from None
