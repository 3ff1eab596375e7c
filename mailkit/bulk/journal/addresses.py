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
    """InvalidArgument unless it is a PostgreSQL database's, written so that there is no doubt where
    its password ends.
    """
    scheme = _scheme(text)
    if scheme is None or scheme[1] not in ("postgresql", "postgres"):
        raise InvalidArgument(
            "the journal: the address of a database is written postgresql://user@host/database, in "
            "small letters; others than PostgreSQL can't be used"
        )
    rest = text[scheme.end() :].partition("?")[0]
    server, _, database = rest.partition("/")
    if server.count("@") > 1 or "@" in database or "/" in database or _escaped(rest):
        raise InvalidArgument(
            "the journal's address can't be read: in a user name or password, write @ as %40, / as "
            "%2F, ? as %3F, : as %3A and % as %25"
        )
