"""Whether bytes are UTF-8, by what they have beyond ASCII: other encodings hardly ever look so."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache

__all__ = ["is_mostly_utf8", "misread"]

_FEW = 3  # different characters that no other encoding has by chance
_FAULT = "\N{REPLACEMENT CHARACTER}"
_characters = re.compile(rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}){1,20}")
_word = re.compile(rb"(?:[\xc3-\xdf][\x80-\xbf]){3}")


def is_mostly_utf8(data: bytes) -> bool:
    """Whether there are characters beyond ASCII in UTF-8, and as many as bytes that are not."""
    text = data.decode("utf-8", "replace")
    faults = text.count(_FAULT)
    beyond = len(text) - len(text.encode("ascii", "ignore")) - faults
    return beyond >= max(faults, 1)


def misread(data: bytes, encoding: str) -> tuple[int, int] | None:
    """Where text begins and ends that is UTF-8, and that ``encoding``, if it has a byte for each
    character, would make gibberish of; None if there is none, or hardly any.
    """
    if data.isascii() or not _has_single_bytes(encoding):
        return None
    found = _word.search(data)
    if found is None and is_mostly_utf8(data):
        text = data.decode("utf-8", "ignore")
        if len({char for char in text if char > "\x7f"}) >= _FEW:
            found = _characters.search(data)
    if found is None:
        return None
    whole = _characters.match(data, found.start())
    return (whole or found).span()


@cache
def _has_single_bytes(encoding: str) -> bool:
    meant = 0
    for byte in range(0x80, 0x100):
        with suppress(UnicodeError):
            meant += len(bytes([byte]).decode(encoding))
    return meant > 64  # Shift-JIS has 63 of them
