"""Text that can be sent: what may be in a header, what UTF-8 can hold, and what can be seen."""

from __future__ import annotations

import re
import unicodedata

from mailkit.errors import InvalidArgument

__all__ = [
    "ADDRESS",
    "BLANKS",
    "column_name",
    "control_character",
    "counted",
    "header_text",
    "plain",
    "stripped",
    "utf8",
    "with_article",
    "without_addresses",
]

# Soft hyphens, zero widths, marks of order and direction. Those within a name are no part of it.
_HIDDEN = "\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_hidden = re.compile(f"[{_HIDDEN}]")

_SPACES = (*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B))
_SPACES = (*_SPACES, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
_UNSEEN = (0x1A, 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x180E, *range(0x200B, 0x2010))
_UNSEEN = (*_UNSEEN, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x2800, 0x3164)
_UNSEEN = (*_UNSEEN, 0xFEFF, 0xFFA0)

BLANKS = "".join(map(chr, _SPACES + _UNSEEN))
"""White space, and what can't be seen: zero widths, marks of direction, the fillers of scripts."""

_PLAIN_BLANKS = "".join(filter(str.isascii, BLANKS))

ADDRESS = "[address]"
"""What stands in place of an address."""

_word = re.compile(r"[^\s<>()\[\],;:\"]+")

_control = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search


def stripped(text: str) -> str:
    """A value without the `BLANKS` at its ends."""
    # The first takes half the time. Whatever class of texts it is, this makes Python's own of it.
    return str.strip(text, _PLAIN_BLANKS if text.isascii() else BLANKS)


def column_name(text: str) -> str:
    """What a column, a key or a placeholder is called; two that look alike are one: no blanks at
    the ends, single spaces within, nothing that can't be seen, NFC.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", _hidden.sub("", text))
    return " ".join(text.strip(BLANKS).split())


def control_character(text: str) -> str | None:
    """The first character of ``text`` that must not be in a header, in words, or None: a line
    break of any kind, NUL, another control character, an unpaired surrogate.
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
        raise InvalidArgument(f"{place} has {fault}: remove it; only one line of text is allowed")
    return str.__str__(value)  # Python's own, whatever the library that it comes from


def utf8(text: str, place: str) -> bytes:
    """The text in UTF-8; InvalidArgument that names ``place`` if it has an unpaired surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(
            f"{place}: an unpaired surrogate at character {error.start + 1}: remove it"
        ) from None


def counted(count: int, noun: str) -> str:
    """So many of something: ``1 event``, ``1,200 events``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def with_article(name: str) -> str:
    """The name of a type after ``a`` or ``an``."""
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


def plain(text: str) -> str:
    """Text from a list or a service with its control characters made visible."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def without_addresses(text: str) -> str:
    """The text with `ADDRESS` for each word that has an @."""
    if "@" not in text and "%40" not in text:
        return text
    return _word.sub(lambda word: ADDRESS if "@" in word[0] or "%40" in word[0] else word[0], text)
