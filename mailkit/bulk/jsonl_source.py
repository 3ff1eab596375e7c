"""Recipients from JSON lines: one object per line, with a key ``email`` and other fields.

Numbers and booleans become the text that they are in JSON, null becomes empty. Other values are not
text, which matters only to a message that uses them. A line that is not an object keeps its number,
a reason, and its address if it has exactly one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import msgspec

from mailkit.bulk.address_line import address_shown
from mailkit.bulk.headers import Naming
from mailkit.bulk.lines import LONGEST
from mailkit.bulk.rows import Keys, Partial, Row, checked, text_of
from mailkit.errors import InvalidArgument
from mailkit.text import BLANKS

__all__ = ["JsonRows"]

_texts = msgspec.json.Decoder(dict[str, str])


class JsonRows:
    """Lists of rows, one for each block of lines."""

    def __init__(self, name: str, blocks: Iterator[list[str]], naming: Naming) -> None:
        self._name = name
        self._blocks = blocks
        self._keys = Keys(naming)

    def __iter__(self) -> Iterator[list[Row]]:
        before = 0
        empty = True
        any_readable = False
        for block in self._blocks:
            rows = self._quick(block, before + 1)
            if rows is None:
                rows = [
                    self._row(line, number)
                    for number, line in enumerate(block, before + 1)
                    if line.strip(BLANKS)
                ]
            before += len(block)
            empty = empty and not rows
            any_readable = any_readable or any(row.reason is None for row in rows)
            yield rows
        if empty:
            raise InvalidArgument(f"{self._name} is empty")
        self._keys.check(self._name, any_readable=any_readable)

    def _quick(self, lines: list[str], first: int) -> list[Row] | None:
        """The rows of lines that have nothing but objects of texts; None if they may have more."""
        text = "".join(lines)
        count = len(lines)
        if len(text) > LONGEST or not all(map(str.startswith, lines, repeat("{"))):
            return None
        escapes = "\\" in text
        if escapes and ("\\u0000" in text or "\\\\" in text):
            return None
        try:
            objects = _texts.decode_lines(text)
        except (ValueError, RecursionError):
            return None
        # Two quotes for each key and each text: if there are more, a key may stand there twice.
        quotes = text.count('"') - (text.count('\\"') if escapes else 0)
        if len(objects) != count or quotes != 4 * sum(map(len, objects)):
            return None
        chars = None if text.isascii() and "\\u" not in text else BLANKS
        values = list(chain.from_iterable(map(dict.values, objects)))
        if list(map(str.strip, values, repeat(chars))) != values:
            for fields in objects:
                fields.update({name: value.strip(chars) for name, value in fields.items()})
        return self._keys.rows(first, objects)

    def _row(self, line: str, number: int) -> Row:
        if len(line) > LONGEST:
            return Row(number, "", (), f"a line longer than {LONGEST:,} characters")
        try:
            return self._keys.row(number, _fields(line))
        except (ValueError, RecursionError) as error:
            return Row(number, address_shown(line), (), _reason(line, error))


class _Object(list[tuple[str, Any]]):
    """A JSON object."""


class _NoNumber:
    """NaN or an infinity, which JSON doesn't have and many programs write."""

    def __init__(self, name: str) -> None:
        self.name = name


_decode = json.JSONDecoder(
    object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=_NoNumber
).decode


class _Refused(ValueError):
    """A line that is JSON and no row."""


def _fields(line: str) -> dict[str, str]:
    pairs = _decode(line)
    if not isinstance(pairs, _Object):
        raise _Refused('JSON, but not an object; write {"email": …}')
    fields = Partial()
    for name, value in pairs:
        try:
            key = checked(name)
        except ValueError:
            continue  # no placeholder can use it
        try:
            if key in fields:
                raise ValueError("given twice; give it once")
            fields[key] = _text(value)
        except ValueError as error:
            fields.leave_out(key, str(error))
    return fields if fields.faults else dict(fields)


def _text(value: object) -> str:
    match value:
        case _NoNumber():
            raise ValueError(f"{value.name}; give text or a number")
        case _Object():
            raise ValueError("an object; give text or a number")
        case _:
            return text_of(value)


def _reason(line: str, error: Exception) -> str:
    """Why the line is no row."""
    match error:
        case _Refused():
            return str(error)
        case json.JSONDecodeError():
            return f"not JSON: {error.msg} at character {error.colno}"
        case _:
            return "JSON that is nested too deeply, or has a number that is too long"
