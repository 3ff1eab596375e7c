"""Replaces ``<!-- message.toml -->`` by its keys, and ``<!-- mailkit.toml -->`` by its options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailkit.cli.config import DEFAULTS, KINDS
from mailkit.toml_words import EXAMPLES, KEYS, form

MESSAGE, DEFAULT = "<!-- message.toml -->", "<!-- mailkit.toml -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    for mark, lines in ((MESSAGE, keys), (DEFAULT, options)):
        if mark in markdown:
            markdown = markdown.replace(mark, "\n".join(lines()))
    return markdown


def keys() -> Iterator[str]:
    """A table of the keys of a message.toml."""
    yield "| key | means | write | such as |\n|---|---|---|---|"
    for key, means in KEYS.items():
        yield f"| `{key}` | {means} | {form(key)} | `{EXAMPLES[key]}` |"


def options() -> Iterator[str]:
    """A table of the options that a mailkit.toml may set."""
    yield "| option | is |\n|---|---|"
    for option, kind in DEFAULTS.items():
        yield f"| `{option}` | {KINDS[kind]} |"
