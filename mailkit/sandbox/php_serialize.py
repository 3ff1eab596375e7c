"""Texts made by PHP's `serialize`, as the service's own older clients send arrays.

`a:1:{i:0;s:6:"a@b.by";}` is an array; an array whose keys count from 0 is a list here. Strings are
measured in bytes. Objects and references are refused.
"""

import re
from typing import TypeAlias

from mailkit.sandbox.forms import Malformed

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[int | str, Value] | None"

DEEPEST = 64

_SCALAR = re.compile(rb"(?:i:(-?\d{1,18})|d:([-+.\deE]{1,40})|b:([01])|(N));")
_SIZE = re.compile(rb"([sa]):(\d{1,9}):[\"{]")


def is_serialized_array(text: str) -> bool:
    """Whether the text looks like an array that PHP has serialized."""
    return text.startswith("a:") and text.endswith("}")


def unserialize(text: str) -> Value:
    """The value; Malformed for anything that PHP would not read."""
    data = text.encode()
    value, end = _read(data, 0, 0)
    if end != len(data):
        raise Malformed("text follows the serialized value")
    return value


def _read(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    """The value that begins at `at`, and where it ends."""
    scalar = _SCALAR.match(data, at)
    if scalar is not None:
        return _scalar(scalar), scalar.end()
    sized = _SIZE.match(data, at)
    if sized is None or depth > DEEPEST:
        raise Malformed("not a serialized value")
    size, begin = int(sized[2]), sized.end()
    if sized[1] == b"s":
        end = begin + size
        if data[end : end + 2] != b'";':
            raise Malformed("a serialized string of another length")
        return data[begin:end].decode("utf-8", "replace"), end + 2
    return _array(data, begin, size, depth + 1)


def _scalar(found: re.Match[bytes]) -> Value:
    whole, real, boolean, _ = found.groups()
    if whole is not None:
        return int(whole)
    if real is not None:
        try:
            return float(real)
        except ValueError:
            raise Malformed("not a serialized number") from None
    return None if boolean is None else boolean == b"1"


def _array(data: bytes, at: int, size: int, depth: int) -> tuple[Value, int]:
    found: dict[int | str, Value] = {}
    for _ in range(size):
        key, at = _read(data, at, depth)
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise Malformed("a key of a serialized array is neither a number nor a text")
        found[key], at = _read(data, at, depth)
    if data[at : at + 1] != b"}":
        raise Malformed("a serialized array of another length")
    is_list = list(found) == list(range(len(found)))
    return list(found.values()) if is_list else found, at + 1
