"""What PostgreSQL's errors mean for a journal, and what to do about them.

The server's own errors have a code, an SQLSTATE. What goes wrong before there is a connection has
words alone, which are the server's or libpq's; in another language they come without a remedy.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from mailkit.errors import JournalError

__all__ = ["is_soon_there", "not_connected", "refused", "words"]

_OWN = "use the role that owns the journal's database (ALTER DATABASE … OWNER TO … changes that)"
_REMEDIES = {
    "42501": _OWN,  # insufficient_privilege
    "53100": "free some space on the server's disk",
    "53200": "the server needs more memory",
    "53300": "raise max_connections, or disconnect other clients",
}
_LET_IN = "allow this user in the server's pg_hba.conf"
_START = "start the server, or check the host and port in the address"
_NETWORK = "check the network, and the host and port in the address"
_PLACES = "PGPASSWORD, ~/.pgpass or the journal's address"
_SAYS = (
    (("password authentication failed",), f"correct it in {_PLACES}"),
    (("no password supplied",), f"set it in {_PLACES}"),
    (
        ('database "', "does not exist"),
        "create it with CREATE DATABASE, then the journal with mailkit journal init",
    ),
    (
        ('role "', "does not exist"),
        "create it with CREATE ROLE, or give another user in the address",
    ),
    (("pg_hba.conf",), _LET_IN),
    (("Peer authentication failed",), _LET_IN),
    (("permission denied for database",), _OWN),
    (("too many clients",), _REMEDIES["53300"]),
    (("remaining connection slots",), _REMEDIES["53300"]),
    (("does not support SSL",), "turn on ssl on the server, or remove sslmode from the address"),
    (("certificate",), "check sslmode and sslrootcert in the address"),
)
"""What is said, all of it, by a server that can be reached, and won't have the client."""
_SILENT = (
    (("resolve host",), "check the host in the address"),
    (("Connection refused",), _START),
    (("No such file or directory",), _START),
    (("timeout",), _NETWORK),
    (("timed out",), _NETWORK),
    (("No route to host",), _NETWORK),
    (("unreachable",), _NETWORK),
)
_NOISE = (
    "connection failed: ",
    "connection is bad: ",
    "fe_sendauth: ",
    " Is the server running on that host and accepting TCP/IP connections?",
    " Is the server running locally and accepting connections on that socket?",
)


def is_soon_there(error: psycopg.OperationalError) -> bool:
    """Whether the server says that it starts, recovers or ends."""
    said = str(error)
    return "the database system is" in said or "terminating connection" in said


def words(error: Exception) -> str:
    """What the server says, in a line, and without values that were sent to it."""
    diagnostic = getattr(error, "diag", None)
    primary = None if diagnostic is None else diagnostic.message_primary
    said = " ".join(str(error).split())
    for noise in _NOISE:
        said = said.replace(noise, "")
    return primary or said or type(error).__name__


def not_connected(error: psycopg.Error, place: str) -> JournalError:
    """The journal's database at this place could not be opened."""
    said = words(error)
    advice = _REMEDIES.get(error.sqlstate or "") or _advice(said, _SAYS)
    away = isinstance(error, psycopg.OperationalError) and (
        is_soon_there(error) or not (advice or "FATAL:" in said)
    )
    advice = advice or _advice(said, _SILENT)
    return _error(
        f"the journal's database {place} can't be {'reached' if away else 'used'}: {said}", advice
    )


def refused(error: Exception) -> JournalError:
    """The server won't do what an open journal needs."""
    advice = _REMEDIES.get(getattr(error, "sqlstate", None) or "")
    return _error(f"the journal's database refuses: {words(error)}", advice)


def _advice(said: str, remedies: Sequence[tuple[Sequence[str], str]]) -> str | None:
    return next((advice for parts, advice in remedies if all(part in said for part in parts)), None)


def _error(text: str, advice: str | None) -> JournalError:
    return JournalError(f"{text}; {advice}" if advice else text)
