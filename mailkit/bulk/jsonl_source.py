"""Recipients from JSON lines: an object a line, with a key ``email`` and fields beside it.

Numbers and booleans become the text they are in JSON, null becomes empty. A line that holds
anything else keeps its number and a reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from mailkit.bulk.lines import LONGEST
from mailkit.bulk.rows import Row, email_key
from mailkit.errors import InvalidArgument

__all__ = ["JsonRows"]

_texts = msgspec.json.Decoder(dict[str, str]).decode
_raws = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


class JsonRows:
    """Lists of rows, one for each block of lines."""

    def __init__(self, name: str, blocks: Iterator[list[str]]) -> None:
        self._name = name
        self._blocks = blocks

    def __iter__(self) -> Iterator[list[Row]]:
        before = 0
        empty = True
        for block in self._blocks:
            rows = [
                _row_of(line, number)
                for number, line in enumerate(block, before + 1)
                if not line.isspace()
            ]
            before += len(block)
            empty = empty and not rows
            yield rows
        if empty:
            raise InvalidArgument(f"{self._name} is empty")


def _row_of(line: str, number: int) -> Row:
    if len(line) > LONGEST:
        return Row(number, "", (), f"a line of more than {LONGEST:,} characters")
    try:
        fields = _fields(line)
    except (ValueError, RecursionError) as error:
        return Row(number, "", (), _reason(line, error))
    key = email_key(fields)
    if key is None:
        return Row(number, "", (), "no key 'email'")
    return Row(number, fields.pop(key), fields)


def _fields(line: str) -> dict[str, str]:
    try:
        fields = _texts(line)
        texts = len(fields)
    except msgspec.ValidationError:
        raws = {key: bytes(raw) for key, raw in _raws(line).items()}
        fields = {key: _scalar(key, raw) for key, raw in raws.items()}
        texts = sum(raw[:1] == b'"' for raw in raws.values())
    # Two quotes for each key and each text: if there are more, one may be escaped, or a key may
    # stand there twice, which only a slower look can tell.
    if line.count('"') != 2 * (len(fields) + texts):
        json.loads(line, object_pairs_hook=_refuse_twins)
    return fields


class _Refused(ValueError):
    """A line that is JSON and no row."""


def _scalar(key: str, raw: bytes) -> str:
    if raw[:1] == b'"':
        return _text(raw)
    if raw in (b"null", b"true", b"false") or raw[:1] in b"-0123456789":
        return "" if raw == b"null" else raw.decode()
    kind = "a list" if raw[:1] == b"[" else "an object"
    raise _Refused(f"{kind} for the value of {key!r}; give text or a number")


def _refuse_twins(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _Refused(f"the key {key!r} twice")
        seen.add(key)


def _reason(line: str, error: Exception) -> str:
    """Why the line is no row, in the words of the reader that says it best."""
    if isinstance(error, _Refused):
        return str(error)
    try:
        value = json.loads(line)
    except json.JSONDecodeError as fault:
        return f"no JSON: {fault.msg} at character {fault.colno}"
    except (ValueError, RecursionError):
        return "JSON that is nested too deeply, or has too long a number"
    if not isinstance(value, dict):
        return 'JSON, but no object; write {"email": …}'
    return "no JSON: NaN, Infinity or half a surrogate pair"
