"""Making the value of a call: an ``__init__`` generated for its class.

That of attrs sets the fields and calls what checks them. This one sets each by its slot, and knows
by the types of its arguments alone whether they need a closer look.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import attrs

from mailkit.core.generated import generated

__all__ = ["quick_init"]

_INIT = """\
def __init__(self, {arguments}):
    {sets}
    if ({types}) not in right:
        look(self)
    {then}
"""


def quick_init(
    owner: Any,
    right: Collection[tuple[type, ...]],
    look: Callable[[Any], None],
    then: Callable[[Any], None] | None,
) -> Callable[..., None]:
    """An ``__init__`` for the class of attrs, with the arguments of the one that it has.

    ``right`` holds the types that need no ``look``, ``then`` is what else there is to do. A class
    whose fields are converted, validated or made anew keeps its own.
    """
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(owner)
    given: Callable[..., None] = owner.__init__
    if any(one.converter or one.validator or not _is_plain(one.default) for one in fields):
        return given
    names = [one.name for one in fields]
    source = _INIT.format(
        arguments=", ".join(_arguments(fields)),
        sets="; ".join(f"set_{name}(self, {name})" for name in names),
        types="".join(f"type({name}), " for name in names),
        then="then(self)" if then else "return",
    )
    known = {f"set_{name}": getattr(owner, name).__set__ for name in names}
    known |= {"right": right, "look": look, "then": then}
    made: Callable[..., None] = generated(source, "__init__", owner, known)
    for what in ("__defaults__", "__kwdefaults__", "__annotations__", "__qualname__"):
        setattr(made, what, getattr(given, what))
    return made


def _is_plain(default: object) -> bool:
    return not isinstance(default, attrs.Factory)  # type: ignore[arg-type]  # it is a class


def _arguments(fields: tuple[attrs.Attribute[Any], ...]) -> list[str]:
    """The parameters; the defaults themselves are those of the given ``__init__``."""
    shown = [
        (one, one.name if one.default is attrs.NOTHING else f"{one.name}=None") for one in fields
    ]
    named = [text for one, text in shown if one.kw_only]
    return [*(text for one, text in shown if not one.kw_only), *(["*", *named] if named else [])]
