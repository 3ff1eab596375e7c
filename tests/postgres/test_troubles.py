"""What is said of a database that can't be used, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import errors

from mailkit.bulk.journal import Journal
from mailkit.bulk.journal.postgres import troubles
from mailkit.errors import JournalError

from ..approval import approve

if TYPE_CHECKING:
    from .databases import Databases

AT = 'connection failed: connection to server at "db", port 5432 failed: '
ASKS = "Is the server running on that host and accepting TCP/IP connections?"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrong password", f'{AT}FATAL:  password authentication failed for user "bob"'),
        ("no password", f"{AT}fe_sendauth: no password supplied\n"),
        ("no database", f'{AT}FATAL:  database "mail" does not exist'),
        ("no role", f'{AT}FATAL:  role "bob" does not exist'),
        ("not let in", f'{AT}FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "bob"'),
        ("rejected", f'{AT}FATAL:  pg_hba.conf rejects connection for host "10.0.0.7"'),
        ("no TLS", f"{AT}server does not support SSL, but SSL was required"),
        ("wrong certificate", f"{AT}SSL error: certificate verify failed"),
        ("too many clients", f"{AT}FATAL:  sorry, too many clients already"),
        ("no server", f"{AT}Connection refused\n\t{ASKS}"),
        ("no host", "failed to resolve host 'db': [Errno -2] Name or service not known"),
        ("no way", "connection timeout expired"),
        ("it starts", f"{AT}FATAL:  the database system is starting up"),
        (
            "it was killed",
            f"{AT}FATAL:  terminating connection due to unexpected postmaster exit",
        ),
        ("something else", f"{AT}FATAL:  etwas anderes"),
    ],
)
def test_a_database_that_can_not_be_opened(name: str, said: str) -> None:
    error = troubles.not_connected(psycopg.OperationalError(said), "postgresql://db/mail")
    approve(f"PostgreSQL: {name}", str(error))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("full disk", errors.DiskFull("could not extend file: No space left on device")),
        ("no right", errors.InsufficientPrivilege("permission denied for table meta")),
        ("a wrong statement", errors.SyntaxError('syntax error at or near "x"')),
    ],
)
def test_a_server_that_refuses(name: str, error: psycopg.Error) -> None:
    approve(f"PostgreSQL refuses: {name}", str(troubles.refused(error)))


@pytest.mark.parametrize(
    ("user", "database", "words"),
    [
        ("mailkit", "nosuch", r'can\'t be used: .*"nosuch" does not exist; create it with CREATE'),
        (
            "nobody_here",
            "postgres",
            r'can\'t be used: .*"nobody_here" .*exist; create it with CREATE',
        ),
    ],
)
async def test_what_a_real_server_says_is_recognized(
    postgres: Databases, user: str, database: str, words: str
) -> None:
    address = postgres.dsn(database).replace("//mailkit@", f"//{user}@")
    with pytest.raises(JournalError, match=words):
        await Journal.open(address)


async def test_a_server_that_is_not_there() -> None:
    with pytest.raises(JournalError, match=r"can't be reached: .*refused; start the server"):
        await Journal.open("postgresql://mailkit@127.0.0.1:1/mail")


async def test_a_journal_that_is_not_there(postgres_database: str) -> None:
    with pytest.raises(JournalError, match="it does not exist yet: create it with mailkit journal"):
        await Journal.open(postgres_database, create=False)
