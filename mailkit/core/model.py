"""What responses are read into: values that can be converted to JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, time
from enum import Enum
from typing import Any

import attrs
import msgspec

__all__ = ["Model", "plain_json"]


class Model:
    """The base of the values in responses: frozen attrs classes, or msgspec's structs.

    ``to_dict()`` is ready for JSON. FastAPI can return one, with or without an annotation.
    """

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names, in JSON types: dates and times in ISO 8601, decimals as text,
        codes as the service has them.
        """
        return {name: plain_json(value) for name, value in self}

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """The fields with their names, so that ``dict(value)`` has them."""
        return ((name, getattr(self, name)) for name in _names(type(self)))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """How pydantic, and so FastAPI, shows one; called by pydantic alone."""
        shown = {
            "type": "function-plain",
            "function": lambda value: value.to_dict(),
            "return_schema": {"type": "dict"},
        }
        return {"type": "is-instance", "cls": cls, "serialization": shown}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Its place in a web service's description."""
        names: dict[str, Any] = {name: {} for name in _names(cls)}
        return {"type": "object", "title": cls.__name__, "properties": names}


def plain_json(value: Any) -> Any:
    """The value in JSON's own types."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_json(item) for item in value]
    return str(value)


def _names(kind: Any) -> list[str]:
    if issubclass(kind, msgspec.Struct):
        return [*kind.__struct_fields__]
    return [field.name for field in attrs.fields(kind)]
