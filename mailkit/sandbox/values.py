"""The types of settings, of faults' parameters and of control requests, with their ranges; and what
is wrong with another value, in a sentence.
"""

import re
from collections.abc import Callable
from reprlib import Repr
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin
from zoneinfo import ZoneInfo

import attrs
import msgspec
from attrs.validators import instance_of
from msgspec import Meta


@attrs.frozen
class Only:
    """In a type: only values that fulfill a condition, and the words for them."""

    holds: Callable[[Any], bool]
    words: str


def _is_zone(text: str) -> bool:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


Share = Annotated[float, Meta(ge=0, le=1)]
Amount = Annotated[float, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Status = Annotated[int, Meta(ge=200, le=999)]
"""An HTTP status."""
Rate = Annotated[float, Meta(gt=0)]
Url = Annotated[str, Only(_is_url, "a URL that begins with http:// or https://")]
ZoneName = Annotated[str, Only(_is_zone, "the name of a time zone, such as Europe/Minsk")]
Pattern = Annotated[str, Only(_is_pattern, "a regular expression")]

_NOUNS = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}
_JSON = {None: "null", True: "true", False: "false"}


class BadValue(ValueError):
    """A value is not what it must be; the message names it, and says what is right."""


def checked(name: str, value: object, kind: object, *, strict: bool = True) -> Any:
    """The value in its type; unless `strict`, numbers may be written as text. BadValue says what is
    wrong with it.
    """
    try:
        found = msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError:
        found = msgspec.UNSET
    if found is msgspec.UNSET or not _fulfills(found, kind):
        raise BadValue(f"{name} must be {in_words(kind)}, not {_shown(value)}")
    return found


def typed(owner: type, fields: list["attrs.Attribute[Any]"]) -> list["attrs.Attribute[Any]"]:
    """The `field_transformer` of an attrs class that refuses values which are not of its fields'
    types, whenever they are set.
    """
    return [
        one.evolve(validator=instance_of(one.type) if _is_attrs(one.type) else _validate)
        for one in fields
    ]


def in_words(kind: Any) -> str:
    """What values of the type are, such as "a number from 0 to 1"."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        base, rule = parts[0], parts[1]
        return rule.words if isinstance(rule, Only) else f"{in_words(base)}{_range(rule)}"
    if origin is Literal:
        return _either([str(one) for one in parts])
    if origin in (Union, UnionType):
        words = _either([in_words(one) for one in parts if one is not NoneType])
        return f"{words} (or null)" if NoneType in parts else words
    if origin is tuple and parts[-1] is not ...:
        return f"a JSON list of {len(parts)} items, each {in_words(parts[0])}"
    if origin in (tuple, frozenset):
        return f"a JSON list, each item {in_words(parts[0])}"
    if _is_attrs(kind):
        return f"a JSON object of {', '.join(attrs.fields_dict(kind))}"
    return _NOUNS[kind]


def _is_attrs(kind: object) -> TypeGuard[type[attrs.AttrsInstance]]:
    return isinstance(kind, type) and attrs.has(kind)


def _range(rule: Meta) -> str:
    if rule.gt is not None:
        return f" above {rule.gt}"
    return f" of {rule.ge} or more" if rule.le is None else f" from {rule.ge} to {rule.le}"


def _either(words: list[str]) -> str:
    """`a or b`, `a, b or c`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _fulfills(value: object, kind: object) -> bool:
    """Whether the value, which is of the type, fulfills the conditions in it."""
    if get_origin(kind) in (Union, UnionType):
        return value is None or all(_fulfills(value, one) for one in get_args(kind))
    rules = getattr(kind, "__metadata__", ())
    return all(one.holds(value) for one in rules if isinstance(one, Only))


def _validate(owner: object, field: "attrs.Attribute[Any]", value: object) -> None:
    __tracebackhide__ = True  # pytest shows the test's own line
    checked(field.name, value, field.type)


def _shown(value: object) -> str:
    """The value as JSON has it, or short."""
    if value is None or isinstance(value, bool):
        return _JSON[value]
    short = Repr()
    short.maxstring = short.maxother = 60
    return short.repr(value)
