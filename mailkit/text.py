"""Text that can be sent: what may be in a header, and what UTF-8 can hold."""

from __future__ import annotations

import re

from mailkit.errors import InvalidArgument

__all__ = ["control_character", "header_text", "plain", "utf8"]

_control = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search


def control_character(text: str) -> str | None:
    """The first character of ``text`` that must not be in a header, in words, or None: a line
    break of any kind, NUL, another control character, half a surrogate pair.
    """
    found = _control(text)
    if found is None:
        return None
    char = found[0]
    kind = "a line break" if char in "\n\r\v\f\x85\u2028\u2029" else "a control character"
    return f"{kind} (U+{ord(char):04X})"


def header_text(value: str, place: str) -> str:
    """``value``, if it can be in a header; else InvalidArgument that names ``place``."""
    if not isinstance(value, str):
        raise InvalidArgument(f"{place}: give text, not {type(value).__name__}")
    if fault := control_character(value):
        raise InvalidArgument(f"{place} has {fault}: remove it, a header is one line of text")
    return value


def utf8(text: str, place: str) -> bytes:
    """The text in UTF-8; InvalidArgument that names ``place`` if it has half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(
            f"{place}: half a surrogate pair at character {error.start + 1}: remove it"
        ) from None


def plain(text: str) -> str:
    """Text from a list or a service with its control characters made visible."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
