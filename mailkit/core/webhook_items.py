"""A webhook's body, item by item: what providers' parsers have in common.

What comes is from anybody who knows the address. So whatever it is, it is read, or refused with an
InvalidArgument that names the place and shows nothing of the body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite

import msgspec

from mailkit.address import InvalidAddress, normalize
from mailkit.core.reading import php_list
from mailkit.errors import InvalidArgument

__all__ = ["WebhookItem", "split_items", "webhook_items"]

_BOM = b"\xef\xbb\xbf"
_CONTAINERS = frozenset((dict, list))
_DEEPEST = 32  # levels of an item: the known ones have three
_FIRST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
_LAST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()

_Parts = list[msgspec.Raw] | dict[str, msgspec.Raw]
_Folded = dict[tuple[str, ...], Mapping[str, str]]
"""Of the keys of an item, each in lower case, as it is written there."""


class WebhookItem:
    """One item of a webhook's body, number ``n`` from 1. A key is found in any case; one in the
    case that is asked for comes first.
    """

    __slots__ = ("_folded", "n", "raw")

    def __init__(self, n: int, raw: Mapping[str, object], folded: _Folded | None = None) -> None:
        self.n = n
        self.raw = raw
        self._folded: _Folded = {} if folded is None else folded

    def value(self, key: str) -> object:
        """The value as it came; None if there is none."""
        raw = self.raw
        if key in raw:
            return raw[key]
        names = tuple(raw)
        folded = self._folded.get(names)
        if folded is None:
            folded = self._folded[names] = {name.lower(): name for name in names}
        name = folded.get(key.lower())
        return None if name is None else raw[name]

    def text(self, key: str) -> str | None:
        """Text without white space around it, also that of a number; None for all else."""
        value = self.raw.get(key)
        if type(value) is str:
            return value.strip() or None
        value = self.value(key)
        return None if value is None else _text(value)

    def need(self, key: str) -> str:
        """The same, where an item without it can't be an event: InvalidArgument."""
        found = self.text(key)
        if found is None:
            raise InvalidArgument(f"item {self.n} of the webhook's body has no {key}")
        return found

    def address(self, key: str) -> str | None:
        """The address in its one spelling, or the text as it came if it isn't an address."""
        found = self.text(key)
        return None if found is None else _normalized(found)

    def need_address(self, key: str) -> str:
        """The same, where an item without it can't be an event: InvalidArgument."""
        return _normalized(self.need(key))

    def time(self, key: str, *, per_second: int = 1) -> datetime | None:
        """The moment, as a number or text, of which ``per_second`` make a second since 1970; None
        if it is not one in this century.
        """
        found = self.value(key)
        try:
            seconds = float(found if type(found) is int else _text(found) or "") / per_second
        except (ValueError, OverflowError):
            return None
        return datetime.fromtimestamp(seconds, UTC) if _FIRST <= seconds < _LAST else None

    def texts(self, keys: Mapping[str, str]) -> dict[str, str]:
        """The texts that are there, under other names: ``{"open_device": "device"}``."""
        text = self.text
        return {name: found for key, name in keys.items() if (found := text(key)) is not None}


def webhook_items(body: bytes) -> Iterator[WebhookItem]:
    """The items of a JSON array, or the one of a bare object. InvalidArgument for all else."""
    tree = php_list(_decode(body))
    folded: _Folded = {}  # of one body, many items have the same keys
    for n, raw in enumerate(tree if isinstance(tree, list) else [tree], 1):
        if not isinstance(raw, dict):
            place = (
                f"item {n} of the webhook's body"
                if isinstance(tree, list)
                else "the webhook's body"
            )
            raise InvalidArgument(f"{place} is not a JSON object")
        if not _CONTAINERS.isdisjoint(map(type, raw.values())) and _is_deep(raw):
            raise InvalidArgument(f"item {n} of the webhook's body is nested too deeply")
        yield WebhookItem(n, raw, folded)


def split_items(body: bytes) -> Sequence[bytes]:
    """The items of a JSON array, each as an array of its own, whatever it is; none of all else."""
    try:
        tree = php_list(msgspec.json.decode(body.removeprefix(_BOM), type=_Parts))
    except (ValueError, RecursionError):
        return []
    return [b"[%b]" % part for part in tree] if isinstance(tree, list) else []


def _decode(body: bytes) -> object:
    try:
        value: object = msgspec.json.decode(body.removeprefix(_BOM))
    except RecursionError:
        raise InvalidArgument("the webhook's body is nested too deeply") from None
    except ValueError as error:  # msgspec's own, or bytes that are not UTF-8
        raise InvalidArgument(f"the webhook's body is not JSON: {error}") from None
    return value


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and isfinite(value) and value.is_integer():
        value = int(value)
    return str(value)


def _normalized(text: str) -> str:
    try:
        return normalize(text)
    except InvalidAddress:
        return text


def _is_deep(raw: Mapping[str, object]) -> bool:
    level: list[Iterable[object]] = [raw.values()]
    for _ in range(_DEEPEST):
        level = [
            part.values() if isinstance(part, dict) else part
            for parts in level
            if not _CONTAINERS.isdisjoint(map(type, parts))
            for part in parts
            if isinstance(part, dict | list)
        ]
        if not level:
            return False
    return True
