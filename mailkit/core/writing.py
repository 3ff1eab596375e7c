"""Functions that write the fields of a call, generated for each class of calls.

The general way, over pairs (`codec.py`), serves multipart forms. This is the short one, for
queries, urlencoded forms and JSON: a class's names, keys and converters are constants of a function
of its own, in which every field is one step. Both write the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, time
from enum import Enum
from textwrap import indent
from typing import Any, NoReturn

import attrs
import msgspec

from mailkit.core.forms import Fields, Pair, flatten, harmless, quoted, quoted_key, urlencoded
from mailkit.core.generated import generated
from mailkit.core.secret import Secret
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument

__all__ = ["Part", "missing", "text_writer", "tree_writer"]

Write = Callable[[Any, WireFormat], object]
Expand = Callable[[Any, WireFormat], Mapping[str, object]]


@attrs.frozen
class Part:
    """One field of a call on its way out."""

    name: str
    wire: str
    write: Write | None
    expand: Expand | None
    required: bool


def text_writer(
    owner: type, parts: Sequence[Part], fixed: Mapping[str, object]
) -> Callable[[Any, WireFormat], str]:
    """What writes these fields as urlencoded text; ``fixed`` comes last."""
    last: list[Pair] = []
    for key, value in fixed.items():
        flatten(last, key, value)
    steps = [_step(part, n, _SHARED, _QUOTED) for n, part in enumerate(parts)]
    if last:
        steps.append(f"out.append({urlencoded(last)!r})\n")
    return _compiled(owner, parts, "[]", steps, '"&".join(out)', {})


def tree_writer(
    owner: type, parts: Sequence[Part], fixed: Mapping[str, object]
) -> Callable[[Any, WireFormat], dict[str, object]]:
    """What makes the fields JSON's own types; ``fixed`` comes last."""
    steps = [_step(part, n, _EXPANDED, _PLAIN) for n, part in enumerate(parts)]
    if fixed:
        steps.append("out.update(fixed)\n")
    return _compiled(owner, parts, "{}", steps, "out", {"expanded": _expanded_tree, "fixed": fixed})


_FUNCTION = """\
def write(call, wire_format):
    out = {empty}
{steps}\
    return {result}
"""
_STEP = """\
value = call.{name}
if value is not None:
{action}\
"""
_REQUIRED = """\
else:
    missing({name!r})
"""
_WRITTEN = "value = write_{n}(value, wire_format)\n"
_EXPANDED = "expanded(out, write_{n}(value, wire_format))\n"
_SHARED = """\
value = write_{n}(value, wire_format)
if type(value) is Fields:
    out.append(value.urlencoded)
else:
    expanded(out, value)
"""
_QUOTED = """\
if type(value) is str:
    if not (value.isascii() and harmless(value)):
        value = quoted({wire!r}, value)
    out.append({start!r} + value)
else:
    several(out, {wire!r}, value)
"""
_PLAIN = """\
out[{wire!r}] = value if type(value) is str else plain({wire!r}, value)
"""


def _step(part: Part, n: int, expanded: str, single: str) -> str:
    if part.expand is not None:
        action = expanded
    else:
        action = (_WRITTEN if part.write is not None else "") + single
    names = {"n": n, "name": part.name, "wire": part.wire, "start": f"{quoted_key(part.wire)}="}
    step = _STEP + (_REQUIRED if part.required else "")
    return step.format(**names, action=indent(action.format(**names), "    "))


def _compiled(
    owner: type,
    parts: Sequence[Part],
    empty: str,
    steps: Iterable[str],
    result: str,
    names: Mapping[str, object],
) -> Callable[[Any, WireFormat], Any]:
    source = _FUNCTION.format(empty=empty, steps=indent("".join(steps), "    "), result=result)
    known: dict[str, object] = {
        "Fields": Fields,
        "expanded": _expanded_text,
        "several": _several,
        "harmless": harmless,
        "quoted": quoted,
        "plain": plain,
        "missing": missing,
        **{f"write_{n}": part.expand or part.write for n, part in enumerate(parts)},
        **names,
    }
    write: Callable[[Any, WireFormat], Any] = generated(source, "write", owner, known)
    return write


def missing(name: str) -> NoReturn:
    """Refuse None."""
    raise InvalidArgument(f"{name}: give a value, not None")


def _several(out: list[str], key: str, value: object) -> None:
    pairs: list[Pair] = []
    flatten(pairs, key, value)
    if pairs:
        out.append(urlencoded(pairs))


def _expanded_text(out: list[str], fields: Mapping[str, object]) -> None:
    for key, value in fields.items():
        if type(value) is str:
            text = value if value.isascii() and harmless(value) else quoted(key, value)
            out.append(f"{quoted_key(key)}={text}")
        else:
            _several(out, key, value)


def _expanded_tree(out: dict[str, object], fields: Mapping[str, object]) -> None:
    out.update((key, plain(key, value)) for key, value in fields.items())


def plain(key: str, value: object) -> object:
    """The value as JSON's own types, or a Secret, which stays one until it is written; what is
    written already goes out as it is.
    """
    if value is None or isinstance(value, str | int | float | Secret | msgspec.Raw):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): plain(key, item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [plain(key, item) for item in value]
    what = (
        "a date or time without a declared format" if isinstance(value, date | time) else "a value"
    )
    raise InvalidArgument(f"{key}: {what} of type {type(value).__name__} can't be sent")
