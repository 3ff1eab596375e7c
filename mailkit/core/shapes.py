"""The shape of a response: its keys and the types of its values, and never the values.

A report may show this of an unexpected response, which can hold people's addresses and names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

import attrs

from mailkit.core.reading import ITSELF, is_model, php_list

__all__ = ["shape_of", "unknown_keys"]

_DEPTH = 6
_KEYS = 60
_ITEMS = 100
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z_.-]{0,39}").fullmatch
"""What a service calls a field; a number, an address or a person's word is something else."""


def shape_of(tree: Any, depth: int = _DEPTH) -> str:
    """``{"id": number, "emails": [text × 3]}``: the shape of decoded JSON."""
    if isinstance(tree, Mapping):
        if not depth:
            return "{…}"
        shapes = {_key(key): shape_of(value, depth - 1) for key, value in tree.items()}
        listed = [f'"{key}": {shape}' for key, shape in list(shapes.items())[:_KEYS]]
        more = [f"… {len(shapes) - _KEYS} more"] if len(shapes) > _KEYS else []
        return f"{{{', '.join([*listed, *more])}}}"
    if isinstance(tree, list):
        if not tree:
            return "[]"
        kinds = dict.fromkeys(shape_of(item, max(depth - 1, 0)) for item in tree[:_ITEMS])
        return f"[{' | '.join(kinds)} × {len(tree)}]"
    return _type(tree)


def unknown_keys(kind: Any, tree: Any) -> Sequence[str]:
    """The keys in decoded JSON that nothing in the type reads, each with its type, as
    ``[].tariff (text)``.
    """
    return list(dict.fromkeys(_unknown(kind, tree, "")))


def _unknown(kind: Any, tree: Any, place: str) -> Iterator[str]:
    if hasattr(kind, ITSELF):
        return
    if is_model(kind):
        if isinstance(tree, Mapping):
            yield from _unknown_fields(kind, tree, place)
        return
    make, members = get_origin(kind), get_args(kind)
    if make in (list, tuple, Sequence):
        items = php_list(tree)
        for item in items[:_ITEMS] if isinstance(items, list) else ():
            yield from _unknown(members[0], item, f"{place}[]")
    elif make in (dict, Mapping):
        for item in tree.values() if isinstance(tree, Mapping) else ():
            yield from _unknown(members[1], item, f"{place}{{}}")
    else:
        for member in members:  # of a union
            yield from _unknown(member, tree, place)


def _unknown_fields(kind: Any, tree: Mapping[str, Any], place: str) -> Iterator[str]:
    said = {one.name: one.metadata for one in attrs.fields(kind)} if attrs.has(kind) else {}
    known: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        metadata = said.get(name, {})
        for key in (metadata.get("wire", name), *metadata.get("also", ())):
            known[key] = hint
    dot = "." if place else ""
    for key, value in tree.items():
        if key not in known:
            yield f"{place}{dot}{_key(key)} ({_type(value)})"
        elif value is not None:
            yield from _unknown(known[key], value, f"{place}{dot}{key}")


def _key(key: str) -> str:
    return key if _PLAIN(key) else f"({len(key)} characters)"


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return "null"
    if isinstance(value, str):
        return "a number as text" if re.fullmatch(r"-?\d+(\.\d+)?", value) else "text"
    if isinstance(value, int | float):
        return "number"
    return "a list" if isinstance(value, list) else "an object"
