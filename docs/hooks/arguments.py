"""Shows what readers of the source can't see: the arguments that attrs makes from a class's fields,
and the values of defaults with private names.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import griffe

_KINDS: Mapping[Any, griffe.ParameterKind] = {
    inspect.Parameter.POSITIONAL_ONLY: griffe.ParameterKind.positional_only,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: griffe.ParameterKind.positional_or_keyword,
    inspect.Parameter.KEYWORD_ONLY: griffe.ParameterKind.keyword_only,
}


class Arguments(griffe.Extension):
    """Called by griffe for each function and class, once its source is read."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Show the value of a default that is a private constant."""
        for one in func.parameters:
            constant = func.module.members.get(str(one.default))
            if isinstance(constant, griffe.Attribute) and constant.name.startswith("_"):
                one.default = constant.value

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Add the ``__init__`` of an attrs class that does not write its own."""
        if "__init__" in cls.members or not any(map(_is_attrs, cls.decorators)):
            return
        real = getattr(import_module(cls.module.path), cls.name)
        itself = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
        made = (_parameter(one, cls) for one in inspect.signature(real).parameters.values())
        parameters = griffe.Parameters(itself, *made)
        cls.set_member("__init__", griffe.Function("__init__", parameters=parameters))


def _is_attrs(decorator: griffe.Decorator) -> bool:
    return str(decorator.value).startswith(("attrs.frozen", "attrs.define"))


def _parameter(one: inspect.Parameter, cls: griffe.Class) -> griffe.Parameter:
    shown = one.annotation if isinstance(one.annotation, str) else None
    read = shown and ast.parse(shown, mode="eval").body
    default = None if one.default is one.empty else _default(one.default)
    return griffe.Parameter(
        one.name,
        kind=_KINDS[one.kind],
        annotation=griffe.get_annotation(read, parent=cls) if read else None,
        default=default,
    )


def _default(value: object) -> str:
    """A default as it is written; made anew for each object, it is an ellipsis."""
    shown = repr(value)
    return shown if shown.isprintable() and "NOTHING" not in shown and "<" not in shown else "…"
