"""A line of addresses alone, as people paste them: bare or in angle brackets after a name, with
commas, semicolons, bars, quotes or white space between them.
"""

from __future__ import annotations

import re

__all__ = ["addresses_in", "holds_address"]

_entry = re.compile(
    r"""
    [\s,;|"\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*+
    (?: ([^\s,;|<>"@]++ @ [^\s,;|<>"@]++) | ([^<>@]*+) < \s*+ ([^\s<>@]++ @ [^\s<>@]++) \s*+ > )
    """,
    re.VERBOSE,
).match
_rest = re.compile(r"[\s,;|\"\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*+\Z").match

holds_address = re.compile(r"[^\s@]@[^\s@]").search
"""Whether a text has what may be an address in it."""


def addresses_in(line: str) -> list[str] | None:
    """The addresses of a line that has nothing else; None for any other line, and for one of which
    it isn't clear what is an address and what a name.
    """
    if line.count('"') % 2:
        return None  # a quote that goes on
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


def _unquoted(address: str) -> str:
    """Without an apostrophe before it, or one on each side, as mail programs and spreadsheets put
    them."""
    if address.startswith("'"):
        return address[1:].removesuffix("'")
    return address
