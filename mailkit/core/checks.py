"""Arguments that are numbers: anything else is refused with the argument's name."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import attrs

from mailkit.errors import InvalidArgument

__all__ = ["check_number", "number", "yes_or_no"]


def check_number(value: object, name: str, *, least: float, whole: bool = False) -> None:
    """InvalidArgument unless the value is a number from ``least`` up, and whole if required."""
    kinds = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least:
        kind = "a whole number" if whole else "a number"
        raise InvalidArgument(f"{name}: give {kind} from {least:g} up, not {value!r}")


def number(
    *, least: float, most: float = inf, whole: bool = False
) -> Callable[[Any, attrs.Attribute[Any], object], None]:
    """The same as the validator of a field."""

    def check(instance: object, field: attrs.Attribute[Any], value: object) -> None:
        check_number(value, field.name, least=least, whole=whole)
        if isinstance(value, int | float) and value > most:
            raise InvalidArgument(f"{field.name}: give at most {most:g}, not {value!r}")

    return check


def yes_or_no(instance: object, field: attrs.Attribute[Any], value: object) -> None:
    """A field's validator: True or False, not something that only counts as one of them."""
    if not isinstance(value, bool):
        raise InvalidArgument(f"{field.name}: give True or False, not {value!r}")
