"""HTML that is put together from values: whatever is not `Markup` already is escaped."""

from __future__ import annotations

from html import escape

from mailkit.text import plain

__all__ = ["Markup", "joined", "tag", "void"]


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element around its children; an attribute that is None is left out, and ``class_`` is
    written as ``class``, ``aria_label`` as ``aria-label``.
    """
    return Markup(f"<{name}{_attributes(attributes)}>{joined(*children)}</{name}>")


def void(name: str, /, **attributes: object) -> Markup:
    """An element that has no end."""
    return Markup(f"<{name}{_attributes(attributes)}>")


def joined(*children: object) -> Markup:
    """The children one after another; those that are None are left out."""
    return Markup("".join(map(_html, (child for child in children if child is not None))))


def _html(child: object) -> str:
    """Control characters, and those that turn the text around, are made visible."""
    return child if isinstance(child, Markup) else escape(plain(str(child)))


def _attributes(attributes: dict[str, object]) -> str:
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_html(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
