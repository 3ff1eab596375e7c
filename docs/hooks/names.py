"""Replaces ``<!-- names: MODULE LEVEL -->`` by the names of a public module that no page describes
on its own, each under a heading of this level.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parents[1] / "reference"
_replaced = re.compile(r"<!-- names: ([\w.]+) (\d) -->").sub
_described = re.compile(r"^::: mailkit[\w.]*\.(\w+)$", re.MULTILINE).findall


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return _replaced(lambda found: names_of(found[1], int(found[2])), markdown)


def names_of(module: str, level: int) -> str:
    """The instructions to mkdocstrings for these names."""
    pages = (page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))
    elsewhere = {name for page in pages for name in _described(page)}
    return "\n".join(
        f"::: {module}.{name}\n    options: {{ heading_level: {level} }}\n"
        for name in import_module(module).__all__
        if name not in elsewhere
    )
