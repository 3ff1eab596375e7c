"""Replaces ``<!-- calls: NAME -->`` by every call of that provider: arguments and its own words."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from mailkit.core.call import Method, resource
from mailkit.providers import provider_class

_replaced = re.compile(r"<!-- calls: (\w+) -->").sub
_without_module = re.compile(r"\b(?:[a-z_]+\.)+(?=[A-Z])").sub
_names = re.compile(r"[A-Z]\w+").findall
_WIDTH = 80


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return _replaced(lambda found: "\n".join(calls_of(found[1])), markdown)


def calls_of(provider: str) -> Iterator[str]:
    """The Markdown of a provider's calls, resource by resource."""
    for place, found in vars(provider_class(provider)).items():
        if not isinstance(found, resource):
            continue
        yield f"## {place} {{ #{provider}.{place} }}\n\n{inspect.getdoc(found.cls)}\n"
        for name, one in vars(found.cls).items():
            call = f"{place}.{name}"
            if isinstance(one, Method):
                yield from _section(provider, call, one.signature, one)
                yield _facts(provider, one)
            elif inspect.isfunction(one) and not name.startswith("_"):
                yield from _section(provider, call, _without_self(one), one)


def _section(
    provider: str, call: str, signature: inspect.Signature, described: object
) -> Iterator[str]:
    yield f"### {call} {{ #{provider}.{call} }}\n"
    yield f"```python\n{_shown(f'{provider}.{call}', signature)}\n```\n"
    yield f"{inspect.getdoc(described)}\n"


def _shown(call: str, signature: inspect.Signature) -> str:
    """The signature as code formatters write it."""
    result = f" -> {_type(signature.return_annotation)}"
    parts = [f"{one}" for one in _parameters(signature)]
    line = f"{call}({', '.join(parts)}){result}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"{call}(", *(f"    {part}," for part in parts), f"){result}"])


def _parameters(signature: inspect.Signature) -> Iterator[str]:
    star = False
    for one in signature.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not star:
            star = True
            yield "*"
        default = "" if one.default is one.empty else f" = {one.default!r}"
        yield f"{one.name}: {_type(one.annotation)}{default}"


def _type(annotation: Any) -> str:
    if annotation in (None, type(None)):
        return "None"
    shown = annotation.__name__ if type(annotation) is type else str(annotation)
    return _without_module("", shown.replace("typing.", "").replace("NoneType", "None"))


def _without_self(function: Any) -> inspect.Signature:
    signature = inspect.signature(function)
    return signature.replace(parameters=[*signature.parameters.values()][1:])


def _facts(provider: str, method: Method[..., Any]) -> str:
    """What the route says, and where the values of the response are described."""
    route, package = method.route, import_module(provider_class(provider).__module__)
    facts = [
        f"`{route.verb} {route.path}`",
        "repeated if no response comes"
        if route.repeatable
        else "sent once: if no response comes, the outcome is unknown",
    ]
    for name in _names(_type(method.signature.return_annotation)):
        if name in package.__all__:
            facts.append(f"returns [`{name}`][{package.__name__}.{name}]")
    return f"{' · '.join(facts)}\n{{ .facts }}\n"
