"""From a response's bytes to a typed value.

Two ways lead there. msgspec decodes straight into the attrs classes, which is the fast one and
all that an orderly response needs. Where it meets something odd, cattrs reads the same bytes again
and makes allowances: numbers for text and text for numbers, null for a default, other names of a
key, unknown codes as they came. Unknown keys are ignored either way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs
import msgspec

from mailkit.core.wire import Unreadable

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["Reader", "decode", "teach"]

T = TypeVar("T")

_taught: dict[Any, Callable[[Any], Any]] = {}


def teach(kind: type[T], read: Callable[[Any], T]) -> None:
    """Read this type by a function of its own; ValueError or TypeError there mean unreadable.

    To be called beside the type's definition, before its first response.
    """
    _taught[kind] = read


def decode(raw: bytes | msgspec.Raw) -> Any:
    """The JSON of a response; Unreadable if it is none."""
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from None


class Reader(Generic[T]):
    """Reads responses into one type; ``pick`` is the key that the value stands under, if any."""

    def __init__(self, kind: Any, pick: str | None = None) -> None:
        self.kind = kind
        self.pick = pick
        self._fast = None if pick or kind is NoneType or _odd(kind) else _decoder(kind)

    def __call__(self, raw: bytes | msgspec.Raw) -> T:
        """The value in the bytes; Unreadable says what is wrong with them."""
        if self._fast is not None:
            try:
                value: T = self._fast.decode(raw)
                return value
            except (ValueError, RecursionError):  # malformed, or only odd: the next line tells
                pass
        return self.tree(decode(raw))

    def tree(self, tree: Any) -> T:
        """The value in decoded JSON."""
        if self.kind is NoneType:
            return cast("T", None)
        try:
            if self.pick is not None:
                tree = tree[self.pick]
            return cast("T", _converter().structure(tree, self.kind))
        except LookupError as error:
            raise Unreadable(f"no {error} in the response") from None
        except (TypeError, ValueError) as error:
            raise Unreadable(f"unexpected response: {error}") from None


def _decoder(kind: Any) -> msgspec.json.Decoder[Any] | None:
    try:
        return msgspec.json.Decoder(kind, strict=False)
    except TypeError:  # unions that only cattrs can tell apart
        return None


def _odd(kind: Any, seen: frozenset[Any] = frozenset()) -> bool:
    """Whether the type has something that msgspec would read wrongly instead of stumbling."""
    if kind in _taught:
        return True
    if _is_model(kind) and kind not in seen:
        if attrs.has(kind) and any("wire" in field.metadata for field in attrs.fields(kind)):
            return True
        return any(_odd(hint, seen | {kind}) for hint in get_type_hints(kind).values())
    return any(_odd(argument, seen) for argument in get_args(kind))


def _is_model(kind: Any) -> bool:
    return attrs.has(kind) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))


@cache
def _converter() -> Converter:
    from cattrs import Converter  # here, since orderly responses never need it

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook_factory(_is_model, lambda kind: _object(converter, kind))
    converter.register_structure_hook_factory(_is_list, lambda kind: _list(converter, kind))
    converter.register_structure_hook_factory(_is_open_code, _open_code)
    converter.register_structure_hook_factory(_is_map, lambda kind: _map(converter, kind))
    converter.register_structure_hook_factory(_is_optional, lambda kind: _optional(converter, kind))
    for kind, hook in _HOOKS.items():
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
    converter.register_structure_hook_func(
        lambda kind: kind in _taught, lambda value, kind: _taught[kind](value)
    )
    return converter


def _object(converter: Converter, kind: Any) -> Callable[[Any, Any], Any]:
    hints = get_type_hints(kind)
    fields: list[tuple[str, list[str], Any]]
    if attrs.has(kind):
        fields = [
            (
                one.name,
                [one.metadata.get("wire", one.name), *one.metadata.get("also", ())],
                hints[one.name],
            )
            for one in attrs.fields(kind)
        ]
    else:
        fields = [(name, [name], hints[name]) for name in kind.__struct_fields__]

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise TypeError(f"{kind.__name__} is no {type(value).__name__}")
        found: dict[str, Any] = {}
        for name, keys, hint in fields:
            for key in keys:
                if value.get(key) is not None:
                    found[name] = converter.structure(value[key], hint)
                    break
        return kind(**found)

    return read


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (list, tuple)


def _list(converter: Converter, kind: Any) -> Callable[[Any, Any], Any]:
    make, item = get_origin(kind), get_args(kind)[0]
    read = converter.get_structure_hook(item)

    def read_all(value: Any, _: Any) -> Any:
        if type(value) is not list:
            raise TypeError(f"a list is no {type(value).__name__}")
        return make(read(one, item) for one in value)

    return read_all


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _is_open_code(kind: Any) -> bool:
    return _is_union(kind) and any(_is_enum(member) for member in get_args(kind))


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _open_code(kind: Any) -> Callable[[Any, Any], Any]:
    """``Status | int``: a known code as its enum member, any other as it came."""
    members = get_args(kind)
    codes: type[Enum] = next(member for member in members if _is_enum(member))
    known = {code.value: code for code in codes}
    plain = _int if issubclass(codes, int) else _str

    def read(value: Any, _: Any) -> Any:
        if value is None and NoneType in members:
            return None
        code = plain(value)
        return known.get(code, code)

    return read


def _is_map(kind: Any) -> bool:
    return get_origin(kind) in (dict, Mapping)


def _map(converter: Converter, kind: Any) -> Callable[[Any, Any], Any]:
    item = get_args(kind)[1]
    read = converter.get_structure_hook(item)

    def read_all(value: Any, _: Any) -> Any:
        if value == []:  # how PHP writes an empty map
            return {}
        if type(value) is not dict:
            raise TypeError(f"a map is no {type(value).__name__}")
        return {key: read(one, item) for key, one in value.items()}

    return read_all


def _is_optional(kind: Any) -> bool:
    if not _is_union(kind) or NoneType not in get_args(kind):
        return False
    members = [member for member in get_args(kind) if member is not NoneType]
    return len(members) == 1 and (members[0] in _EMPTY_AS_NONE or _is_model(members[0]))


def _optional(converter: Converter, kind: Any) -> Callable[[Any, Any], Any]:
    member = next(member for member in get_args(kind) if member is not NoneType)
    read = converter.get_structure_hook(member)
    # PHP writes an empty object as []; a date or number that isn't there may be "".
    return lambda value, _: None if value in (None, "", []) else read(value, member)


def _int(value: Any, _: Any = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str | float):
        raise TypeError(f"{value!r} is no number")
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _float(value: Any, _: Any = None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | str | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _str(value: Any, _: Any = None) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__} is no text")
    return str(value)


def _decimal(value: Any, _: Any = None) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | float):
        raise TypeError(f"{value!r} is no number")
    try:
        return Decimal(str(value))
    except ArithmeticError:
        raise ValueError(f"{value!r} is no number") from None


def _moment(value: Any, _: Any = None) -> datetime:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no date")
    return datetime.fromisoformat(value)


def _bool(value: Any, _: Any = None) -> bool:
    known = {True: True, False: False, "1": True, "0": False, "true": True, "false": False}
    text = value.lower() if isinstance(value, str) else value
    if not isinstance(text, str | int) or text not in known:
        raise ValueError(f"{value!r} is neither yes nor no")
    return known[text]


_HOOKS: dict[type, Callable[[Any, Any], Any]] = {
    int: _int,
    float: _float,
    str: _str,
    bool: _bool,
    Decimal: _decimal,
    datetime: _moment,
}
_EMPTY_AS_NONE = (int, float, Decimal, datetime)
