"""Functions from source that is made at run time, as attrs makes its own."""

from __future__ import annotations

import linecache
from collections.abc import Mapping
from itertools import count
from typing import Any

__all__ = ["generated"]

_numbers = count(1)


def generated(source: str, name: str, owner: type, known: Mapping[str, object]) -> Any:
    """The function of this name in the source, for a class; ``known`` are the names that it uses.

    Tracebacks show its lines as those of any other, and know its frames for mailkit's own.
    """
    file = f"<mailkit generated {owner.__module__}.{owner.__qualname__} {next(_numbers)}>"
    names = {"__name__": __name__, **known}
    exec(compile(source, file, "exec"), names)  # noqa: S102 - made of names in declared classes
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    return names[name]
