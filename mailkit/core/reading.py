"""From a response's bytes to a typed value.

Two ways lead there. msgspec decodes straight into the attrs classes, which is the fast one and
all that an orderly response needs. Where a service's shapes are odd, cattrs structures the decoded
JSON, with allowances: numbers for text and text for numbers, null for a default, other names of a
key, unknown codes as they came, PHP's lists and dates. Unknown keys are ignored either way.

A type that comes in several shapes reads itself: ``_structure(cls, tree)``, or with the converter
as a second argument, is cattrs' own convention. ValueError or TypeError there mean unreadable.
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
    Annotated,
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

__all__ = ["ITSELF", "Pick", "Reader", "decode", "is_model", "new_id", "php_list"]

T = TypeVar("T")

Pick = str | Callable[[Any], Any]
"""What of a response's JSON is the value: the name of its key, or a function that may raise
Unreadable."""

ITSELF = "_structure"
"""How a type reads itself."""
_Id = Annotated[int, msgspec.Meta(ge=1)]
_ZERO_DATES = ("0000-00-00", "-0001-11-30")  # MySQL's, and what PHP makes of it


def decode(raw: bytes | msgspec.Raw) -> Any:
    """The JSON of a response; Unreadable if it is not JSON."""
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        raise Unreadable("not JSON") from None


def php_list(tree: Any) -> Any:
    """The list that PHP means by an object whose keys are numbers; anything else as it is."""
    if type(tree) is dict and tree and all(key.isascii() and key.isdigit() for key in tree):
        return list(tree.values())
    return tree


def new_id(key: str) -> Pick:
    """A pick of the number that the service gave to what it made; 0 and less are not one."""
    return lambda tree: msgspec.convert(tree[key], _Id, strict=False)


class Reader(Generic[T]):
    """Reads responses into one type, from the part of them that ``pick`` finds."""

    def __init__(self, kind: Any, pick: Pick | None = None) -> None:
        self.kind = kind
        self._pick = pick
        self._fast = None if pick or kind is NoneType or _is_odd(kind) else _decoder(kind)

    def __call__(self, raw: bytes | msgspec.Raw) -> T:
        """The value in the bytes; Unreadable says what is wrong with them."""
        if self._fast is not None:
            try:
                value: T = self._fast.decode(raw)
                return value
            except (ValueError, RecursionError):  # malformed, or only odd: cattrs finds out
                pass
        return self.structure(decode(raw))

    def structure(self, tree: Any) -> T:
        """The value in decoded JSON."""
        try:
            tree = self._picked(tree)
            if self.kind is NoneType:
                return cast("T", None)
            return cast("T", _converter().structure(tree, self.kind))
        except Unreadable:
            raise
        except LookupError as error:
            raise Unreadable(f"no {error} in the response") from None
        except (TypeError, ValueError) as error:
            raise Unreadable(f"unexpected response: {error}") from None

    def _picked(self, tree: Any) -> Any:
        """The part of it that holds the value."""
        pick = self._pick
        if pick is None:
            return tree
        try:
            return tree[pick] if isinstance(pick, str) else pick(tree)
        except (IndexError, TypeError):
            raise Unreadable("unexpected response: its JSON has another form") from None


def _decoder(kind: Any) -> msgspec.json.Decoder[Any] | None:
    try:
        return msgspec.json.Decoder(kind, strict=False)
    except TypeError:  # unions that only cattrs can tell apart
        return None


def _is_odd(kind: Any, seen: frozenset[Any] = frozenset()) -> bool:
    """Whether msgspec would misread something in the type instead of rejecting it."""
    if hasattr(kind, ITSELF):
        return True
    if is_model(kind) and kind not in seen:
        if attrs.has(kind) and any("wire" in field.metadata for field in attrs.fields(kind)):
            return True
        return any(_is_odd(hint, seen | {kind}) for hint in get_type_hints(kind).values())
    return any(_is_odd(argument, seen) for argument in get_args(kind))


@cache
def _converter() -> Converter:
    # Imported here, since orderly responses never need it.
    from cattrs import Converter
    from cattrs.strategies import use_class_methods

    converter = Converter(detailed_validation=False)
    for kind in (int, float, bool, Decimal):
        converter.register_structure_hook(kind, _scalar)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
    for predicate, factory in (
        (is_model, _model),
        (_is_collection, _collection),
        (_is_open_code, _open_code),
    ):
        converter.register_structure_hook_factory(predicate, factory)
    use_class_methods(converter, ITSELF)
    return converter


Hook = Callable[[Any, Any], Any]


def _scalar(value: Any, kind: Any) -> Any:
    return msgspec.convert(value, kind, strict=False)


def _text(value: Any, _: Any = None) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"{type(value).__name__} is not text")
    return str(value)


def is_model(kind: Any) -> bool:
    """Whether it is a class with fields."""
    return attrs.has(kind) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))


def _model(kind: Any, converter: Converter) -> Hook:
    """A class with fields: null is their default, and what PHP writes for nothing ("" for a date
    or number, [] for an object, a date of zeros) is None.
    """
    said = {one.name: one.metadata for one in attrs.fields(kind)} if attrs.has(kind) else {}
    hints = get_type_hints(kind)
    keys = {name: said.get(name, {}).get("wire", name) for name in hints}
    others = [(other, keys[name]) for name in said for other in said[name].get("also", ())]
    empty = {keys[name] for name, hint in hints.items() if _may_be_empty(hint)}
    dates = {keys[name] for name, hint in hints.items() if hint == datetime | None}
    structure = (_attrs_class if attrs.has(kind) else _struct)(kind, converter, keys)

    def read(tree: Any, _: Any) -> Any:
        if type(tree) is not dict:
            raise TypeError(f"{kind.__name__} is not {type(tree).__name__}")
        for other, key in others:
            if tree.get(key) is None and other in tree:
                tree = {**tree, key: tree[other]}
        found = {
            key: value
            for key, value in tree.items()
            if value is not None
            and not (key in empty and value in ("", []))
            and not (key in dates and str(value).startswith(_ZERO_DATES))
        }
        return structure(found, kind)

    return read


def _attrs_class(kind: Any, converter: Converter, keys: Mapping[str, str]) -> Hook:
    from cattrs.gen import make_dict_structure_fn, override

    attrs.resolve_types(kind)
    renamed: dict[str, Any] = {name: override(rename=key) for name, key in keys.items()}
    return make_dict_structure_fn(kind, converter, **renamed)


def _struct(kind: Any, converter: Converter, keys: Mapping[str, str]) -> Hook:
    hooks = [
        (name, hint, converter.get_structure_hook(hint))
        for name, hint in get_type_hints(kind).items()
    ]
    return lambda tree, _: kind(
        **{name: hook(tree[name], hint) for name, hint, hook in hooks if name in tree}
    )


def _may_be_empty(kind: Any) -> bool:
    members = get_args(kind)
    return _is_union(kind) and NoneType in members and str not in members


def _is_collection(kind: Any) -> bool:
    return get_origin(kind) in (list, tuple, dict, Mapping)


def _collection(kind: Any, converter: Converter) -> Hook:
    """cattrs takes anything that it can iterate over; JSON has one shape for each."""
    from cattrs.cols import list_structure_factory, mapping_structure_factory

    make = get_origin(kind)
    if make in (list, tuple):
        items = list_structure_factory(kind, converter)

        def read_list(tree: Any, _: Any) -> Any:
            tree = php_list(tree)
            if type(tree) is not list:
                raise TypeError(f"{type(tree).__name__} is not a list")
            found = items(tree, kind)
            return found if make is list else make(found)

        return read_list
    mapping = mapping_structure_factory(kind, converter)

    def read_map(tree: Any, _: Any) -> Any:
        if tree == []:  # how PHP writes an empty map
            return {}
        if type(tree) is not dict:
            raise TypeError(f"{type(tree).__name__} is not a map")
        return mapping(tree, kind)

    return read_map


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _codes_in(kind: Any) -> type[Enum] | None:
    members = get_args(kind) if _is_union(kind) else ()
    return next((one for one in members if isinstance(one, type) and issubclass(one, Enum)), None)


def _is_open_code(kind: Any) -> bool:
    return _codes_in(kind) is not None


def _open_code(kind: Any, _: Converter) -> Hook:
    """``Status | int``: a known code as its enum member, any other as it came."""
    codes = cast("type[Enum]", _codes_in(kind))
    known = {code.value: code for code in codes}
    plain: Hook = _scalar if issubclass(codes, int) else _text

    def read(value: Any, _: Any) -> Any:
        if value is None and NoneType in get_args(kind):
            return None
        code = plain(value, int)
        return known.get(code, code)

    return read
