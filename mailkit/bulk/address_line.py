"""A cell or line of addresses, as people paste them: bare or in angle brackets after a name, with
commas, semicolons, bars, quotes or white space between them.
"""

from __future__ import annotations

import re

from mailkit.address import InvalidAddress, dedupe_key, normalize
from mailkit.errors import InvalidArgument

__all__ = ["address_of", "address_shown", "addresses_in", "holds_address", "may_be_address"]

_LONGEST_LINE = 10_000  # characters in which an address to show is looked for

_plain = re.compile(r"[ \t\r\n]*+([\w.+%-]++@[\w.-]++)[ \t\r\n]*+", re.ASCII).fullmatch
_entry = re.compile(
    r"""
    [\s,;|"\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*+
    (?: ([^\s,;|<>"@]++ @ [^\s,;|<>"@]++) | ([^<>@]*+) < \s*+ ([^\s<>@]++ @ [^\s<>@]++) \s*+ > )
    """,
    re.VERBOSE,
).match
_rest = re.compile(r"[\s,;|\"\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*+\Z").match

_remark = re.compile(r"(@[^\s()<>@]++)\s*+\([^()<>@]*+\)").sub
_link = re.compile(r"\[([^\[\]]*+)\]\((?:mailto:)?([^()\s]++)\)").sub

holds_address = re.compile(r"[^\s@]@[^\s@]").search
"""Whether a text has what may be an address in it."""

may_be_address = re.compile(r"(?:[^<>]*<)?[^\s;,|<>@]+@[^\s;,|<>]+>?").fullmatch
"""Whether a text may be an address, with a name or without."""

_shown = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)+").findall


def address_of(cell: str) -> str:
    """The one address of a cell, in its one spelling: bare, after a name, or as a link
    (``mailto:``). Raises InvalidAddress.
    """
    try:
        return normalize(cell)
    except InvalidArgument:
        found = addresses_in(cell) if "@" in cell else None
        if found is None:
            raise
    people = {dedupe_key(normalize(address)): address for address in reversed(found)}
    if len(people) > 1:
        raise InvalidAddress(cell, f"{len(people)} addresses in one cell; put each in its own row")
    [address] = people.values()
    return normalize(address)


def address_shown(line: str) -> str:
    """The address in a line that can't be read, if it has one and no other."""
    found = set(_shown(line[:_LONGEST_LINE]))
    return found.pop() if len(found) == 1 else ""


def addresses_in(line: str) -> list[str] | None:
    """The addresses of a line that has nothing else; None for any other line, and for one of which
    it isn't clear what is an address and what a name.
    """
    if plain := _plain(line):  # as most are
        return [plain[1]]
    if line.count('"') % 2:
        return None  # a quote that goes on
    if "(" in line:
        line = _remark(r"\1", _link(_linked, line))
    line = line.replace(" ::: ", " ; ")  # as Google has several in one cell
    found: list[str] = []
    end = 0
    was_bare = False
    while entry := _entry(line, end):
        bare, name, bracketed = entry.groups()
        between = line[end : entry.start(3)] if bracketed else ""
        if was_bare and bracketed and not any(char in between for char in ",;|\n"):
            # The last one is a name: it must say nothing that the brackets don't.
            if name.strip(' "') or found[-1].casefold() != bracketed.casefold():
                return None
            found.pop()
        found.append(_unquoted(bare or bracketed))
        was_bare = bool(bare)
        end = entry.end()
    return found if found and _rest(line, end) else None


def _linked(link: re.Match[str]) -> str:
    """The address of a link as Markdown has it, unless its text is another one."""
    text, address = link.groups()
    return address if "@" not in text or text.casefold() == address.casefold() else link[0]


def _unquoted(address: str) -> str:
    """Without an apostrophe before it, or one on each side, as mail programs and spreadsheets put
    them, and without what makes a link of it.
    """
    if address.startswith("'"):
        address = address[1:].removesuffix("'")
    if address[:7].lower() == "mailto:":
        address = address[7:].partition("?")[0]
    if address[:5].lower() == "smtp:":
        address = address[5:]
    return address
