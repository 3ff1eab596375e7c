"""The pieces of the page: sections, tables, numbers."""

from __future__ import annotations

from collections.abc import Sequence

from mailkit.bulk.report.markup import Markup, tag

__all__ = ["data", "id_of", "number", "percent", "section", "table", "words"]


def section(title: str, *children: Markup | None) -> Markup:
    """A part of the page, with its title."""
    return tag("section", tag("h2", title), *children)


def table(
    names: Sequence[str], *rows: Markup, caption: str, numbers: int, kind: str | None = None
) -> Markup:
    """``numbers`` columns of numbers stand after the first."""
    heads = (
        tag("th", name, scope="col", class_="number" if 1 <= n <= numbers else None)
        if name
        else tag("td")
        for n, name in enumerate(names)
    )
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", *heads)),
            tag("tbody", *rows),
            class_=kind,
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def number(n: int, id: str | None = None) -> Markup:
    """A cell of a table with a number that programs can read, too."""
    return tag("td", data(n, id), class_="number")


def data(n: int, id: str | None = None) -> Markup:
    """A number that programs can read, too; ``id`` says which it is."""
    return tag("data", f"{n:,}", value=n, id=id)


def percent(n: int, of: int) -> str:
    """The share that ``n`` is, unless it is of nothing."""
    if not of:
        return ""
    return "<0.1%" if 0 < n / of < 0.001 else f"{n / of:.1%}"


def id_of(*words: str) -> str:
    """An id made of words."""
    return "-".join(words).replace(": ", "-").replace(" ", "-")


def words(name: str) -> str:
    """The name of an enum's member as people write it."""
    return name.lower().replace("_", " ")
