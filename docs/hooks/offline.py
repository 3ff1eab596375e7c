"""Warns of whatever a page would load from elsewhere: the site is read without a network."""

from __future__ import annotations

import logging
import re
from typing import Any

_log = logging.getLogger("mkdocs.hooks.offline")  # a warning ends a strict build
_elements = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*>").finditer
_elsewhere = re.compile(r"""\s(?:src|href)=["']?(?:https?:)?//""").search
_widgets = re.compile(r"""<[^>]*\sdata-md-component=["']?source\b[^>]*>""").findall
"""The theme's link to the repository asks GitHub for its stars."""
_leads = re.compile(r"""\srel=["']?(?:canonical|next|prev|alternate|edit)\b""").search


def on_post_page(output: str, *, page: Any, **_: Any) -> None:
    """Called by mkdocs for each page's HTML."""
    for found in loaded(output):
        _log.warning("%s loads from elsewhere: %s", page.file.src_path, found)


def loaded(html: str) -> list[str]:
    """The elements that load something from elsewhere."""
    elements = (found[0] for found in _elements(html))
    found = [one for one in elements if _elsewhere(one) and not _leads(one)]
    return found + _widgets(html)
