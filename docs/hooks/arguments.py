"""Shows what readers of the source can't see: the arguments that attrs, msgspec and named tuples
make from a class's fields, the members of enums, and the values of defaults with private names.
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


_MADE = ("attrs.frozen", "attrs.define", "Struct", "msgspec.Struct", "NamedTuple")
"""Decorators and bases by which a class has an ``__init__`` that nobody wrote."""


class Arguments(griffe.Extension):
    """Called by griffe for each function and class, once its source is read."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Show the value of a default that is a private constant."""
        for one in func.parameters:
            constant = func.module.members.get(str(one.default))
            if isinstance(constant, griffe.Attribute) and constant.name.startswith("_"):
                one.default = constant.value

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Add the ``__init__`` of a class that does not write its own, or an enum's members."""
        if cls.name.startswith("_"):
            return
        signs = [*(one.value for one in cls.decorators), *cls.bases]
        if any(str(one).endswith("Enum") for one in cls.bases) and cls.docstring:
            members = getattr(import_module(cls.module.path), cls.name).__members__.values()
            listed = ", ".join(f"`{one.name}` ({one.value})" for one in members)
            cls.docstring.value += f"\n\nMembers: {listed}."
        if "__init__" in cls.members or not any(str(one).startswith(_MADE) for one in signs):
            return
        real = getattr(import_module(cls.module.path), cls.name)
        itself = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
        made = (_parameter(one, cls) for one in inspect.signature(real).parameters.values())
        parameters = griffe.Parameters(itself, *made)
        cls.set_member("__init__", griffe.Function("__init__", parameters=parameters))


def _parameter(one: inspect.Parameter, cls: griffe.Class) -> griffe.Parameter:
    field, written = cls.members.get(one.name), one.annotation
    annotation = field.annotation if isinstance(field, griffe.Attribute) else None
    if isinstance(written, str) and written != "Any":  # a converter may take more than the field
        annotation = griffe.get_annotation(ast.parse(written, mode="eval").body, parent=cls)
    default = None if one.default is one.empty else _default(one.default)
    return griffe.Parameter(
        one.name,
        kind=_KINDS[one.kind],
        annotation=annotation,
        default=default,
    )


def _default(value: object) -> str:
    """A default as it is written; made anew for each object, it is an ellipsis."""
    shown = repr(value)
    return shown if shown.isprintable() and "NOTHING" not in shown and "<" not in shown else "..."
