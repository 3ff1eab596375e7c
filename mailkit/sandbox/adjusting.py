"""Changing the services' settings by their names, while the sandbox runs."""

from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

import attrs

from mailkit.sandbox.jsons import json_or_text
from mailkit.sandbox.nearest import meant
from mailkit.sandbox.service import Service
from mailkit.sandbox.values import checked


def adjust(services: Mapping[str, Service[Any]], changes: Mapping[str, object]) -> None:
    """Set each of these, such as `devino.posting.repeated`; ValueError says what is wrong with one,
    and none is set.
    """
    found = [one for path, value in changes.items() for one in _found(services, path, value)]
    for owner, name, value in found:
        setattr(owner, name, value)


def parsed(text: str) -> tuple[str, object]:
    """The name and value in `NAME=VALUE`; the value may be JSON, else it is the text itself."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not a setting: use NAME=VALUE")
    return name, json_or_text(value)


def _found(
    services: Mapping[str, Service[Any]], path: str, value: object
) -> Iterator[tuple[object, str, object]]:
    """Whose attribute the setting is, its name, and the value in its type; of an object, each of
    the settings in it.
    """
    service, *names = path.split(".")
    owner: Any = services[service].settings if service in services else None
    while len(names) > 1 and owner is not None:
        owner = getattr(owner, names.pop(0), None)
    fields = attrs.fields_dict(type(owner)) if attrs.has(type(owner)) else {}
    if len(names) != 1 or names[0] not in fields:
        raise ValueError(f"there is no setting {path!r}: {_hint(services, path, fields)}")
    wanted = get_type_hints(type(owner), include_extras=True)[names[0]]
    if attrs.has(wanted) and isinstance(value, dict):
        for name, part in value.items():
            yield from _found(services, f"{path}.{name}", part)
    else:
        yield owner, names[0], checked(path, value, wanted, strict=False)


def _hint(services: Mapping[str, Service[Any]], path: str, fields: Mapping[str, object]) -> str:
    owner, _, name = path.rpartition(".")
    if fields and name not in fields:
        near = meant(name, fields, "")
        return near.replace("mean ", f"mean {owner}.") or f"use one of {', '.join(fields)}"
    names = [
        f"{service}.{field}"
        for service, one in services.items()
        for field in attrs.fields_dict(type(one.settings))
    ]
    return meant(path, names, f"use e.g. {names[0]}")
