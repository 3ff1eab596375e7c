"""The text of a workbook's cell, as a person sees it."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any

__all__ = ["CellError", "cell_text"]

_NO_VALUE = "a formula without its value; open the workbook in Excel and save it again"
# These formats depend on the language of Excel: ISO 8601 does not.
_LOCAL = frozenset({"mm-dd-yy", "m/d/yy h:mm"})
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_escape = re.compile(r"_x([0-9A-Fa-f]{4})_").sub
_ornament = re.compile(r"\[[^\[\]]*\]|_.|\*.").sub
_number = re.compile(
    r"((?:\"[^\"]*\"|\\.|[^\d#?\"\\])*?)([#?,]*0+|[#?,]*#)(\.(0*)[#?]*)?(.*)"
).fullmatch
_unclear = re.compile(r"[#0?/a-zA-Z]").search
_literal = re.compile(r"\"([^\"]*)\"|\\(.)").sub
_moments = re.compile(r"(?i)(yyyy|yy|mm|m|dd|d|hh|h|ss|s)|([^a-z\"\\]+)|\\(.)|\"([^\"]*)\"")


class CellError(ValueError):
    """A cell that has an error, such as #N/A; says which."""


def cell_text(cell: Any) -> str:
    """The text of the library's cell."""
    value = cell.value
    if value is None:
        if cell.data_type == "f":
            raise CellError(_NO_VALUE)
        return ""
    if isinstance(value, str):
        if cell.data_type == "e":
            raise CellError(f"the error {value}; fix it in the workbook")
        return _escape(_escaped, value) if "_x" in value else value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number_text(value, cell.number_format)
    if isinstance(value, datetime | date | time):
        return _moment_text(value, cell.number_format)
    if isinstance(value, timedelta):
        return str(value)
    return str(value)


def _escaped(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return found[0] if "\ud800" <= char <= "\udfff" else char


def _number_text(value: float, code: str) -> str:
    shape = _shape(code)
    if shape is None or value < 0:
        return _plain(value)
    before, digits, places, after, percent = shape
    exact = Decimal(_plain(value)) * (100 if percent else 1)
    text = f"{exact:.{places}f}"
    whole, dot, rest = text.partition(".")
    return f"{before}{whole.zfill(digits)}{dot}{rest}{after}"


def _plain(value: float) -> str:
    """The digits that Excel keeps, 15 at most, and no more."""
    if isinstance(value, int):
        return str(value)
    text = f"{Decimal(f'{value:.15g}'):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(maxsize=1_000)
def _shape(code: str) -> tuple[str, int, int, str, bool] | None:
    """The text before and after a number, its least digits before the point and those behind it,
    and whether it is a percentage; None for a format that says none of that.
    """
    section = _ornament("", code.split(";")[0])
    found = _number(section)
    if found is None or "e" in section.lower().replace("general", ""):
        return None
    before, whole, _, places, after = found.groups()
    if _unclear(_literal("", before + after)) or (found[3] and set("#?") & set(found[3])):
        return None
    return (
        _literal(r"\1\2", before),
        whole.count("0"),
        len(places or ""),
        _literal(r"\1\2", after),
        "%" in after,
    )


def _moment_text(value: datetime | date | time, code: str) -> str:
    section = _ornament("", code.split(";")[0]).strip()
    pieces = None if section.lower() in _LOCAL else _pieces(section)
    if pieces is None:
        if isinstance(value, datetime):
            if value.time() == time():
                return value.date().isoformat()
            return value.isoformat(" ", "minutes" if value.second == 0 else "seconds")
        return value.isoformat()
    parts = {name: getattr(value, name, None) for name in _PARTS}
    shown = []
    for name, width in pieces:
        if name not in parts:
            shown.append(name)
            continue
        part = parts[name]
        if part is None:
            return value.isoformat()
        shown.append(f"{part % 100:02}" if name == "year" and width == 2 else f"{part:0{width}}")
    return "".join(shown)


@lru_cache(maxsize=1_000)
def _pieces(section: str) -> list[tuple[str, int]] | None:
    """The parts of a moment with their digits, and the texts between them; None for a format that
    has names of months or days, or anything else than numbers.
    """
    found: list[tuple[str, int]] = []
    end = 0
    tokens = []
    while end < len(section):
        token = _moments.match(section, end)
        if token is None:
            return None
        tokens.append(token)
        end = token.end()
    letters = [(token[1] or "").lower() for token in tokens]
    if any(first and first == second for first, second in pairwise(letters)):
        return None  # mmmm, dddd: names
    named = [letter[:1] for letter in letters if letter]
    at = 0
    for token, letter in zip(tokens, letters, strict=True):
        if not letter:
            found.append((token[2] or token[3] or token[4] or "", 0))
            continue
        kind = letter[0]
        if kind == "m":
            is_minute = (at > 0 and named[at - 1] == "h") or named[at + 1 : at + 2] == ["s"]
            name = "minute" if is_minute else "month"
        else:
            name = {"y": "year", "d": "day", "h": "hour", "s": "second"}[kind]
        found.append((name, len(letter)))
        at += 1
    return found
