"""Links what pages write as code, such as `OutcomeUnknown` or `campaigns.create`, to its place in
the reference, wherever only one thing has that name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from mailkit.core.call import resource
from mailkit.providers import provider_class, provider_names

MODULES = (
    "mailkit",
    "mailkit.errors",
    "mailkit.events",
    "mailkit.provider",
    "mailkit.sandbox",
    "mailkit.testing",
    "mailkit.webhooks",
)
# What has links already, or is no running text, comes first, and is left as it is.
_parts = re.compile(
    r"<(a|h[1-6]|pre|autoref)\b.*?</\1>|<code>([\w.]+)</code>|\\\|(?=[^<]*</code>)", re.DOTALL
).sub


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Called by mkdocs for each page's content."""
    return linked(html, page.file.src_uri.rpartition("/")[2].removesuffix(".md"))


def linked(html: str, page: str) -> str:
    """The page with links; GitHub needs a backslash before a bar in a table, and nobody else."""
    provider = next((one for one in provider_names() if page.endswith(one)), "")

    def replaced(found: re.Match[str]) -> str:
        name = found[2]
        if name is None:
            return found[0].replace("\\|", "|") if found[1] is None else found[0]
        place = PLACES.get(f"{provider}.{name}") or PLACES.get(name)
        return f'<autoref identifier="{place}">{found[0]}</autoref>' if place else found[0]

    return _parts(replaced, html)


def _named() -> Iterator[tuple[str, str, object]]:
    """Each name with its place in the reference, and what it means."""
    for module in MODULES:
        for name in import_module(module).__all__:
            yield name, f"{module}.{name}", getattr(import_module(module), name)
    for provider in provider_names():
        package = provider_class(provider).__module__
        for name in import_module(package).__all__:
            yield name, f"{package}.{name}", getattr(import_module(package), name)
            yield f"{provider}.{name}", f"{package}.{name}", None
        for group, found in vars(provider_class(provider)).items():
            for name in vars(found.cls) if isinstance(found, resource) else ():
                if not name.startswith("_"):
                    call = f"{provider}.{group}.{name}"
                    yield call, call, call
                    yield f"{group}.{name}", call, call


def _places() -> Mapping[str, str]:
    meanings: dict[str, dict[str, object]] = defaultdict(dict)
    for name, place, meaning in _named():
        meanings[name].setdefault(place, meaning)
    return {
        name: next(iter(found))
        for name, found in meanings.items()
        if len({id(meaning) for meaning in found.values()}) == 1
    }


PLACES = _places()
