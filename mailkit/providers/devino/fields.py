"""How Devino's calls write Python's values; most checks before the network are here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePath
from types import MappingProxyType

from mailkit.address import Address
from mailkit.attachment import Attachment
from mailkit.core.fields import FileLike, address, one_line
from mailkit.core.forms import File
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument

__all__ = [
    "FORMATS",
    "MACROS",
    "FileLike",
    "allowed",
    "body",
    "file",
    "macro_name",
    "one_line",
    "sender",
    "sender_of",
]

FORMATS = frozenset(
    ".xls .xlsx .doc .docx .pdf .jpg .jpeg .png .img .bmp .rar .txt".split()  # noqa: SIM905
)
"""The extensions that the storage accepts."""

MACROS = {"unsubscribe": "[Unsubscribe]", "webversion": "[WebVersion]"}
"""The macros that the service fills in itself."""

_LONGEST_NAME = 150
_bracket = re.compile(r"[\[\]\x00-\x1f]").search


def sender(value: Address | str, wire_format: WireFormat) -> Mapping[str, str]:
    """``Shop <news@shop.by>`` as Address and Name."""
    return sender_of(value)


@lru_cache(maxsize=64)
def sender_of(value: Address | str) -> Mapping[str, str]:
    """The same, without the client's settings."""
    parsed = address(value, "sender")
    if len(parsed.name) > _LONGEST_NAME:
        raise InvalidArgument(
            f"sender: a name of {len(parsed.name)} characters; Devino takes {_LONGEST_NAME}"
        )
    named = {"Name": parsed.name} if parsed.name else {}
    return MappingProxyType({"Address": parsed.email, **named})


def body(text: str, place: str) -> str:
    """The body, if it has the macro without which Devino sends no message."""
    if MACROS["unsubscribe"] not in text:
        raise InvalidArgument(
            f"{place}: [Unsubscribe] is missing, and Devino sends no message without it: put it "
            "where the link to unsubscribe belongs"
        )
    return text


@lru_cache(maxsize=4096)
def macro_name(name: str) -> str:
    """The name of a merge field, if a macro can have it."""
    if not name.strip() or _bracket(name):
        raise InvalidArgument(f"{name!r} can't be the name of a macro: brackets go around it")
    if name.strip().casefold() in MACROS:
        raise InvalidArgument(f"{name!r} is a macro that Devino fills in itself")
    return name


def allowed(name: str) -> str:
    """The file's name, if the storage accepts its format."""
    ending = PurePath(name).suffix
    if ending.lower() not in FORMATS:
        raise InvalidArgument(
            f"{name}: Devino does not accept {ending or 'files without an extension'}; "
            f"it accepts {', '.join(sorted(FORMATS))}"
        )
    return name


def file(value: object, wire_format: WireFormat) -> File:
    """A file part; a Path is read only while it is sent."""
    if isinstance(value, Attachment):
        return File(allowed(value.name), value.content_type, value.content)
    if not (isinstance(value, Path) and value.is_file()):
        raise InvalidArgument(f"file: {value!r} is not a file; give a Path, an Attachment or bytes")
    named = Attachment(allowed(value.name), b"")  # checks the name, guesses the type
    return File(named.name, named.content_type, path=value)
