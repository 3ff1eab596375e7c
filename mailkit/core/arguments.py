"""Checks that a call's arguments have their declared types, before anything else happens.

A type is worked out once, when the first value comes that is not of a type seen before. Long lists
get a quick test as a whole; only what fails that is walked through, for the place of the fault.
Iterables become tuples here, so that one that can be read only once is read only once, and texts
and numbers of other libraries' own types, such as Django's SafeString, become Python's.
"""

from __future__ import annotations

import collections.abc as abc
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from functools import cache, wraps
from inspect import Parameter, iscoroutine, iscoroutinefunction, signature
from itertools import chain
from numbers import Integral
from operator import attrgetter, index, methodcaller
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs

from mailkit.core.making import quick_init
from mailkit.errors import InvalidArgument
from mailkit.text import with_article

__all__ = ["check_options", "checked", "checking"]

F = TypeVar("F", bound=Callable[..., Any])

_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    bytes: "bytes",
    datetime: "a datetime",
    date: "a date",
}
_LISTS = (abc.Sequence, abc.Iterable, abc.Collection, abc.Set, list, tuple, set, frozenset)
_MAPS = (abc.Mapping, abc.MutableMapping, dict)
_TEXTS = (str, bytes, bytearray, memoryview)


@attrs.define(eq=False)
class _Kind:
    """What a value may be: of one of the ``classes``, one of the ``choices``, a list of ``items``,
    a map from ``keys`` to ``values``, or one of the ``records``, whose fields have kinds of their
    own. ``known`` are the types whose values all are.
    """

    open: bool = False  # it may be anything
    classes: tuple[type, ...] = ()
    choices: tuple[object, ...] = ()
    items: _Kind | None = None
    keys: _Kind | None = None
    values: _Kind | None = None
    records: dict[type, dict[str, _Kind]] = attrs.field(factory=dict[type, dict[str, "_Kind"]])
    words: list[str] = attrs.field(factory=list[str])
    known: set[type] = attrs.field(factory=set[type])

    def taken(self, value: Any) -> Any:
        """The value, as a tuple if it is a list of whatever sort."""
        if self.items is None or not self._is_list(value):
            return value
        if self.items.items is None:
            return value if type(value) is tuple else tuple(value)
        return tuple([self.items.taken(item) for item in value])

    def fits(self, values: Sequence[Any]) -> bool:
        """Whether all these values are of this kind; False where only a closer look can say."""
        strange = {*map(type, values)} - self.known
        if self.open or not strange:
            return True
        values = [value for value in values if type(value) in strange]
        if self.items is not None and strange <= {list, tuple}:
            return self.items.fits([*chain.from_iterable(values)])
        [kind, *others] = strange
        if others:
            return False
        if fields := self.records.get(kind):
            return all(field.fits([*map(attrgetter(f), values)]) for f, field in fields.items())
        if self.keys is not None and self.values is not None and kind is dict:
            inner = [*chain.from_iterable(map(methodcaller("values"), values))]
            return self.keys.fits([*chain.from_iterable(values)]) and self.values.fits(inner)
        return False

    def checked(self, value: Any, place: str) -> Any:
        """The value as it is used from here on. InvalidArgument names the place of what is not of
        this kind.
        """
        value = self.taken(value)
        return value if self.fits((value,)) else self._looked_at(value, place)

    def _looked_at(self, value: Any, place: str) -> Any:
        if self.open or type(value) in self.known:
            return value
        plain, kind = _plain(value), type(value)
        if type(plain) in self.known or self._is_choice(plain):
            return plain
        if fields := self.records.get(kind):
            old = {name: getattr(value, name) for name in fields}
            new = {n: field.checked(old[n], f"{place}.{n}") for n, field in fields.items()}
            return value if all(new[n] is old[n] for n in new) else _changed(value, new)
        if self.items is not None and self._is_list(value):
            items = self.items
            return tuple([items.checked(item, f"{place}[{n}]") for n, item in enumerate(value)])
        if self.keys is not None and self.values is not None and isinstance(value, Mapping):
            keys, values = self.keys, self.values
            return {
                keys.checked(key, f"a key of {place}"): values.checked(item, f"{place}[{key!r}]")
                for key, item in value.items()
            }
        if isinstance(value, self.classes) and kind is not bool:
            self.known.add(kind)
            return value
        found = repr(plain[:40]) if self.choices and isinstance(plain, str) else _found(value)
        raise InvalidArgument(f"{place}: give {self._wanted(value)}, not {found}")

    def _is_list(self, value: object) -> bool:
        return (
            isinstance(value, Iterable)
            and not isinstance(value, (*_TEXTS, Mapping, *self.classes))
            and not hasattr(value, "_fields")  # a named tuple is one thing, not many
        )

    def _is_choice(self, value: object) -> bool:
        return any(type(one) is type(value) and one == value for one in self.choices)

    def _wanted(self, value: object) -> str:
        words = [word for word in dict.fromkeys(self.words) if word != "None"] or ["None"]
        if words == ["a list"] and isinstance(value, _TEXTS):
            return "a list, even for one item"
        return " or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


_ANYTHING = _Kind(open=True)


def checking(owner: Any, then: Callable[[Any], None] | None) -> Callable[[Any], None]:
    """What a call's class does once its fields are set: check them, and make tuples of lists.
    ``then`` is what else it does. With its first call, the class gets a quicker ``__init__``.
    """
    names = [field.name for field in attrs.fields(owner)]
    right: set[tuple[type, ...]] = set()  # types that need no closer look: the quick way

    def look(call: Any) -> None:
        types = tuple([type(getattr(call, name)) for name in names])
        if _look(owner, names, call):
            right.add(types)

    def check(call: Any) -> None:
        look(call)
        if then is not None:
            then(call)
        owner.__init__ = quick_init(owner, right, look, then)

    return check


def _look(owner: type, names: Sequence[str], call: Any) -> bool:
    """Check each field; whether their types alone say that they are right."""
    kinds, plain = _kinds(owner), True
    for name in names:
        kind, value = kinds.get(name, _ANYTHING), getattr(call, name)
        taken = kind.checked(value, name)
        if taken is not value:
            object.__setattr__(call, name, taken)
        plain = plain and (kind.open or (taken is value and type(taken) in kind.known))
    return plain


def check_options(given: Mapping[str, object], declared: type) -> None:
    """InvalidArgument for an option that is not of the type declared in the TypedDict."""
    kinds = _kinds(declared)
    for name, value in given.items():
        kinds.get(name, _ANYTHING).checked(value, name)


def checked(function: F) -> F:
    """A function, or one that is awaited, whose arguments are checked before anything happens."""
    declared = signature(function)
    variadic = {
        name for name, one in declared.parameters.items() if one.kind is Parameter.VAR_POSITIONAL
    }

    def arguments(
        args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        try:
            bound = declared.bind(*args, **kwargs)
        except TypeError:
            return args, kwargs  # the function itself says what is missing or too much
        kinds = _kinds(function)
        for name, value in bound.arguments.items():
            kind = kinds.get(name, _ANYTHING)
            bound.arguments[name] = (
                tuple([kind.checked(one, name) for one in value])
                if name in variadic
                else kind.checked(value, name)
            )
        return bound.args, bound.kwargs

    @wraps(function)
    async def carry_out_later(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = arguments(args, kwargs)
        return await function(*args, **kwargs)

    @wraps(function)
    def carry_out(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = arguments(args, kwargs)
        return function(*args, **kwargs)

    return cast("F", carry_out_later if iscoroutinefunction(function) else carry_out)


@cache
def _kinds(owner: Any) -> dict[str, _Kind]:
    """The kinds of a class's fields or a function's arguments; none where an annotation means
    something only to checkers.
    """
    try:
        hints = get_type_hints(owner, include_extras=True)
    except NameError:
        return {}
    return {name: _kind(hint) for name, hint in hints.items() if name != "return"}


def _kind(hint: Any, within: tuple[Any, ...] = ()) -> _Kind:
    found = _Kind()
    for member in _members(hint):
        if not _add(found, member, within):
            return _ANYTHING
    return found


def _members(hint: Any) -> list[Any]:
    """The members of a union, and of unions in it."""
    if get_origin(hint) in (Union, UnionType):
        return [inner for member in get_args(hint) for inner in _members(member)]
    return [hint]


def _add(found: _Kind, hint: Any, within: tuple[Any, ...]) -> bool:
    """Let the kind take what the hint means; False if that can't be told."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Annotated:
        before = len(found.words)
        if not _add(found, inside[0], within):
            return False
        if words := [one for one in inside[1:] if isinstance(one, str)]:
            found.words[before:] = words
        return True
    if origin is Literal:
        found.choices += inside
        found.words += [repr(one) for one in inside]
    elif origin in _LISTS and inside:
        items = _kind(inside[0], within)
        found.items = items if found.items is None else _either(found.items, items)
        found.words.append("a list")
    elif origin in _MAPS and inside:
        found.keys, found.values = _kind(inside[0], within), _kind(inside[1], within)
        found.words.append("a dict")
    elif not isinstance(hint, type) or hint is object or hint in within or _is_open(hint):
        return False
    else:
        fields = _fields(hint, within)
        if fields:
            found.records[hint] = fields
        else:
            found.classes += (hint, int) if hint is float else (hint,)
            found.known |= {hint, int} if hint is float else {hint}
        found.words.append(_word(hint))
    return True


def _is_open(hint: type) -> bool:
    """Whether what it takes can't be told by classes: protocols, and what typing has."""
    return bool(getattr(hint, "_is_protocol", False)) or hint.__module__ == "typing"


def _plain(value: Any) -> Any:
    """A text or number of another library's type as Python's own; all else as it is."""
    if isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            # Not str(value): that asks the other library.
            return getattr(kind, f"__{kind.__name__}__")(value)
    return index(value) if isinstance(value, Integral) else value


def _changed(record: Any, fields: Mapping[str, Any]) -> Any:
    return attrs.evolve(record, **fields) if attrs.has(type(record)) else record._replace(**fields)


def _either(one: _Kind, other: _Kind) -> _Kind:
    """What is of one of two kinds."""
    if one.open or other.open:
        return _ANYTHING
    return _Kind(
        classes=one.classes + other.classes,
        choices=one.choices + other.choices,
        items=one.items or other.items,
        keys=one.keys or other.keys,
        values=one.values or other.values,
        records=one.records | other.records,
        words=one.words + other.words,
        known=one.known | other.known,
    )


def _fields(hint: type, within: tuple[Any, ...]) -> dict[str, _Kind]:
    """The kinds of a value's fields, unless it has checked them itself when it was made."""
    named = issubclass(hint, tuple) and hasattr(hint, "_fields")
    if attrs.has(hint):
        names = [f.name for f in attrs.fields(hint) if f.converter is None and f.validator is None]
    else:
        names = [*hint._fields] if named else []  # type: ignore[attr-defined]  # a named tuple
    if not names or hint.__module__ not in sys.modules:
        return {}
    try:
        hints = get_type_hints(hint)
    except NameError:
        return {}
    return {name: _kind(hints[name], (*within, hint)) for name in names}


def _word(hint: type) -> str:
    if hint is NoneType:
        return "None"
    if issubclass(hint, Enum) and issubclass(hint, str):
        return " or ".join(map(repr, map(str, hint)))
    return getattr(hint, "__how__", None) or _WORDS.get(hint) or with_article(hint.__name__)


def _found(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    if iscoroutine(value):
        value.close()
        return "a coroutine: await it first"
    if isinstance(value, str | bytes):
        return "text" if isinstance(value, str) else "bytes"
    return with_article(type(value).__name__)
