"""The address of a journal's database. What can't be one is never shown: it may have a password."""

from __future__ import annotations

import re

from mailkit.errors import InvalidArgument

__all__ = ["check_address", "is_address"]

_scheme = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://").match
_setting = re.compile(r"(?:^|\s)(?:host|hostaddr|port|dbname|user|password|service)\s*=").search
_escaped = re.compile(r"%(?![0-9A-Fa-f]{2})").search


def is_address(text: str) -> bool:
    """Whether it names a database of a server, well or badly, and not a file."""
    return _scheme(text) is not None or _setting(text) is not None


def check_address(text: str) -> None:
    """InvalidArgument unless it is the address of a PostgreSQL database, written so that its
    password can't be mistaken for anything else.
    """
    scheme = _scheme(text)
    if scheme is None or scheme[1] not in ("postgresql", "postgres"):
        raise InvalidArgument(
            "the journal's address must look like postgresql://user@host/database, in lowercase; "
            "only PostgreSQL databases can hold a journal"
        )
    rest = text[scheme.end() :].partition("?")[0]
    server, _, database = rest.partition("/")
    if server.count("@") > 1 or "@" in database or "/" in database or _escaped(rest):
        raise InvalidArgument(
            "the journal's address can't be read: in a user name or password, write @ as %40, / as "
            "%2F, ? as %3F, : as %3A and % as %25"
        )
