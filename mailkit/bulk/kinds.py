"""Recognizes a file by its first bytes or characters, whatever its name is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mailkit.bulk.address_line import holds_address
from mailkit.bulk.headers import address_columns
from mailkit.errors import InvalidArgument
from mailkit.text import BLANKS, column_name

if TYPE_CHECKING:
    from mailkit.bulk.lines import Readable

__all__ = ["check_kind", "is_workbook", "kind_of_bytes"]

_MAGIC = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive; save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook, or one with a password; save it as .xlsx or CSV"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ", "an xz archive; unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"%PDF", "a PDF; export the list as CSV"),
    (b"{\\rtf", "an RTF document; save the list as plain text or CSV"),
    (b"SQLite format 3", "a SQLite database; pass its rows as an iterable"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)
_MARKUP = (
    ("<!doctype html", "a web page (HTML)"),
    ("<html", "a web page (HTML)"),
    ("<table", "a web page (HTML)"),
    ("<meta", "a web page (HTML)"),
    ("<head", "a web page (HTML)"),
    ("<body", "a web page (HTML)"),
    ("<div", "a web page (HTML)"),
    ("<?xml", "XML"),
    ("<!doctype", "XML"),
    ("<!--", "XML or a web page (HTML)"),
)
_markup = re.compile(r"<[a-z][\w:.-]*(?:\s[^<>@]*)?/?>", re.IGNORECASE).match
_json_list = re.compile(r'\[\s*(?:[\[{"\]]|\Z)').match
_json_object = re.compile(r'\{\s*(?:["}]|\Z)').match
_vcard = re.compile(r"BEGIN:V(?:CARD|CALENDAR)", re.IGNORECASE).match
_message = re.compile(r"(?:From|Received|Return-Path|MIME-Version|Message-ID): ?\S").match


def is_workbook(file: Path | Readable) -> bool:
    """Whether the file is a workbook, or another zip archive; its place stays the same."""
    try:
        if isinstance(file, Path):
            if not file.is_file():
                return False
            with file.open("rb") as opened:
                return opened.read(4) == b"PK\x03\x04"
        stream = cast("Any", file)
        if not stream.seekable() or not isinstance(stream.read(0), bytes):
            return False
        place = stream.tell()
        head = stream.read(4)
        stream.seek(place)
    except (AttributeError, OSError, TypeError, ValueError):  # reading it will say why
        return False
    return bool(head == b"PK\x03\x04")


def kind_of_bytes(head: bytes) -> str | None:
    """What the file is, and what to do, if its first bytes say that it is no text."""
    return next((what for magic, what in _MAGIC if head.startswith(magic)), None)


def check_kind(text: str, format: str | None, shown: str) -> str:
    """Whether a file that begins with this text is ``csv`` or ``jsonl``; InvalidArgument if it is
    neither, or not the ``format`` that its name says.
    """
    start = text.lstrip(BLANKS)
    if what := _other(start):
        raise InvalidArgument(f"{shown} is {what}")
    if _json_list(start):
        raise InvalidArgument(
            f"{shown} is one JSON array; write one object per line, as .jsonl "
            "(jq -c '.[]' does that)"
        )
    if _json_object(start):
        if start.split("\n", 1)[0].strip() == "{":
            raise InvalidArgument(
                f"{shown} is JSON with objects that span lines; write one object per line, "
                "as .jsonl (jq -c . does that)"
            )
        if format == "csv":
            raise InvalidArgument(f"{shown} is JSON lines, not CSV; rename it to .jsonl")
        return "jsonl"
    if format == "jsonl" and not start.startswith("{") and _is_table(start):
        first = start.partition("\n")[0].strip()[:80]
        raise InvalidArgument(
            f"{shown} is not JSON lines: it begins with {first!r}; if it is CSV, rename it to .csv"
        )
    if format == "xlsx":
        raise InvalidArgument(
            f"{shown} is text, not an Excel workbook; if it is CSV, rename it to .csv"
        )
    return format or ("jsonl" if start.startswith("{") else "csv")


def _other(start: str) -> str | None:
    lower = start[:200].lower()
    for begin, what in _MARKUP:
        if lower.startswith(begin):
            kind = "a web page (HTML)" if "<html" in lower else what
            return f"{kind}; open it in a spreadsheet and save the list as CSV"
    if _markup(start):
        return "XML or a web page (HTML); open it in a spreadsheet and save the list as CSV"
    if _vcard(start):
        return "a vCard file; export the contacts as CSV"
    if _message(start):
        return "an email message; put the addresses into a file of their own, one per line"
    return None


def _is_table(start: str) -> bool:
    first = start.partition("\n")[0]
    cells = re.split("[,;\t]", first)
    return holds_address(first) is not None or bool(address_columns(list(map(column_name, cells))))
