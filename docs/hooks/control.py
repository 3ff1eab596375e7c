"""Replaces ``<!-- control requests -->`` by the requests with which another process controls a
sandbox.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from mailkit.sandbox.control import ENDPOINTS

MARK = "<!-- control requests -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return markdown.replace(MARK, "\n".join(requests())) if MARK in markdown else markdown


def requests() -> Iterator[str]:
    """A table of the requests, by their paths."""
    yield "| request | does |\n|---|---|"
    for one in sorted(ENDPOINTS, key=lambda one: one.routes[0].partition(" ")[2]):
        words = " ".join((inspect.getdoc(one.handler) or "").split())
        yield f"| `{one.routes[0]}` | {words} |"
