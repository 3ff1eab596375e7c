"""message.toml: a Message in a file, with the same words as the class."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mailkit.errors import InvalidArgument
from mailkit.message import Attachment, Message, read_file

__all__ = ["read_message"]

_WORDS = (
    "sender",
    "subject",
    "html",
    "html_file",
    "text",
    "text_file",
    "attachments",
    "send_at",
    "track_opens",
    "track_clicks",
)


def read_message(path: Path) -> Message:
    """The message in a TOML file; InvalidArgument names the file, the place and the remedy."""
    text = _text(path, "message")
    try:
        return _message(_parse(text), path.parent)
    except InvalidArgument as error:
        raise InvalidArgument(f"{path}: {error}") from None


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError names line and column
        end = f"line {text.count(chr(10)) + 1}, the end of the file"
        fault = str(error).replace("end of document", end)
        raise InvalidArgument(f"this is not TOML: {fault}") from None
    except RecursionError:
        raise InvalidArgument("this is not a message: it is nested too deeply") from None


def _message(words: dict[str, Any], folder: Path) -> Message:
    for word in words:
        if word not in _WORDS:
            near = get_close_matches(word, _WORDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"the words are {', '.join(_WORDS)}"
            raise InvalidArgument(f"unknown word {word!r}; {hint}")
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
    if not isinstance(attachments, list):
        raise InvalidArgument('attachments: give a list of paths, as ["price.pdf"]')
    words["attachments"] = [
        Attachment.of(_path(file, folder, "attachments")) for file in attachments
    ]
    return Message(**words)


def _path(value: object, folder: Path, place: str) -> Path:
    if not isinstance(value, str) or not value:
        raise InvalidArgument(f'{place}: give a path in quotes, as "letter.html"')
    return folder / value


def _text(path: Path, place: str) -> str:
    content = read_file(path, place)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidArgument(
            f"{place}: {path} is not UTF-8 (byte {error.start + 1}, line {line}); save it as UTF-8"
        ) from None
