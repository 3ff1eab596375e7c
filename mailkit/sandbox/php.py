"""How PHP turns the names of form fields into nested arrays.

`list[0][email]` sets a key within a key, `list[]` takes the next free number, a decimal number
becomes an integer key, dots and spaces in the first name become underscores, and a bracket that
never closes is an ordinary character. An array is a mapping here too, as it is in PHP.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

Key: TypeAlias = int | str
Value: TypeAlias = "str | PhpArray"

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_NAME = str.maketrans(" .", "__")
MAX_DEPTH = 64


class PhpArray(dict[Key, Value]):
    """An ordered mapping that knows the next free number for `[]`."""

    __slots__ = ("_free",)

    def __init__(self) -> None:
        super().__init__()
        self._free = 0

    def put(self, key: Key | None, value: Value) -> None:
        """Set `key`, or append under the next free number if the key is None."""
        if key is None:
            key = self._free
        if isinstance(key, int) and key >= self._free:
            self._free = key + 1
        self[key] = value

    def child(self, key: Key | None) -> "PhpArray":
        """The array under `key`; anything else there is replaced by a new one."""
        if key is not None:
            found = self.get(key)
            if isinstance(found, PhpArray):
                return found
        made = PhpArray()
        self.put(key, made)
        return made

    def text(self, key: Key) -> str:
        """The string under `key`, or "" if there is none or it is an array."""
        found = self.get(key)
        return found if isinstance(found, str) else ""


def nested(fields: Iterable[tuple[str, str]]) -> PhpArray:
    """All fields in their order, the later winning over the earlier, as PHP would hold them."""
    root = PhpArray()
    for name, value in fields:
        keys = _path(name)
        if not keys:
            continue
        node = root
        for key in keys[:-1]:
            node = node.child(key)
        node.put(keys[-1], value)
    return root


def plain(value: Value) -> object:
    """The same with lists where the keys are 0, 1, 2…, for reading in a test."""
    if isinstance(value, str):
        return value
    if value and list(value) == list(range(len(value))):
        return [plain(item) for item in value.values()]
    return {key: plain(item) for key, item in value.items()}


def is_number(text: str) -> bool:
    """True for plain digits, not too many."""
    return text.isascii() and text.isdigit() and len(text) < 18


@lru_cache(maxsize=16384)
def _path(name: str) -> tuple[Key | None, ...]:
    """`a[b][0][]` as ("a", "b", 0, None); empty if PHP would drop the field."""
    name = name.lstrip(" ").split("\0", 1)[0]
    first, bracket, rest = name.partition("[")
    if not first:
        return ()
    if not bracket:
        return (first.translate(_NAME),)
    keys: list[Key | None] = []
    while len(keys) <= MAX_DEPTH:
        inner, closed, tail = rest.partition("]")
        if not closed:
            if not keys:
                return (f"{first}_{rest.replace('[', '_')}".translate(_NAME),)
            break
        keys.append(_key(inner.lstrip(" ")) if inner else None)
        if not tail.startswith("["):
            break
        rest = tail[1:]
    return (first.translate(_NAME), *keys) if len(keys) <= MAX_DEPTH else ()


def _key(text: str) -> Key:
    return int(text) if _INTEGER.fullmatch(text) else text
