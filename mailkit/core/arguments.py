"""Checks that a call's arguments have their declared types, before anything else happens.

A type is worked out once, when the first value comes that is not of a type seen before. Long lists
get a quick test as a whole; only what fails that is walked through, for the place of the fault.
Iterables become tuples here, so that one that can be read only once is read only once.
"""

from __future__ import annotations

import collections.abc as abc
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from inspect import iscoroutine
from itertools import chain
from operator import attrgetter, methodcaller
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from mailkit.errors import InvalidArgument

__all__ = ["check_options", "checking"]

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

    def check(self, value: Any, place: str) -> None:
        """InvalidArgument names the place of what is not of this kind."""
        kind = type(value)
        if self.open or kind in self.known or self._is_choice(value):
            return
        if fields := self.records.get(kind):
            for name, field in fields.items():
                field.check(getattr(value, name), f"{place}.{name}")
        elif self.items is not None and self._is_list(value):
            for number, item in enumerate(value):
                self.items.check(item, f"{place}[{number}]")
        elif self.keys is not None and self.values is not None and isinstance(value, Mapping):
            for key, item in value.items():
                self.keys.check(key, f"a key of {place}")
                self.values.check(item, f"{place}[{key!r}]")
        elif isinstance(value, self.classes) and kind is not bool:
            self.known.add(kind)
        else:
            found = repr(value[:40]) if self.choices and kind is str else _found(value)
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
    ``then`` is what else it does.
    """
    names = [field.name for field in attrs.fields(owner)]
    values = attrgetter(*names) if len(names) > 1 else lambda call: (getattr(call, names[0]),)
    right: set[tuple[type, ...]] = set()  # types that need no closer look: the quick way

    def check(call: Any) -> None:
        types = tuple(map(type, values(call)))
        if types not in right and _look(owner, names, call):
            right.add(types)
        if then is not None:
            then(call)

    return check


def _look(owner: type, names: Sequence[str], call: Any) -> bool:
    """Check each field; whether their types alone say that they are right."""
    kinds, plain = _kinds(owner), True
    for name in names:
        kind, value = kinds.get(name, _ANYTHING), getattr(call, name)
        taken = kind.taken(value)
        if taken is not value:
            object.__setattr__(call, name, taken)
        if not kind.fits((taken,)):
            kind.check(taken, name)
        plain = plain and (kind.open or type(taken) in kind.known)
    return plain


def check_options(given: Mapping[str, object], declared: type) -> None:
    """InvalidArgument for an option that is not of the type declared in the TypedDict."""
    kinds = _kinds(declared)
    for name, value in given.items():
        kind = kinds.get(name, _ANYTHING)
        if not kind.fits((value,)):
            kind.check(value, name)


@cache
def _kinds(owner: type) -> dict[str, _Kind]:
    """The kinds of a class's fields; none where an annotation means something only to checkers."""
    try:
        hints = get_type_hints(owner)
    except NameError:
        return {}
    return {name: _kind(hint) for name, hint in hints.items()}


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
        return _add(found, inside[0], within)
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
    elif not isinstance(hint, type) or hint is object or hint in within or _is_protocol(hint):
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


def _is_protocol(hint: type) -> bool:
    return bool(getattr(hint, "_is_protocol", False))


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
    return _WORDS.get(hint) or _with_article(hint.__name__)


def _found(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    if iscoroutine(value):
        value.close()
        return "a coroutine: await it first"
    if isinstance(value, str | bytes):
        return "text" if isinstance(value, str) else "bytes"
    return _with_article(type(value).__name__)


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
