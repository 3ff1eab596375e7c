"""Addresses of databases: what they may be, and that no password is shown."""

from __future__ import annotations

import psycopg
import pytest

from mailkit.bulk.journal import Journal, is_address
from mailkit.bulk.journal.postgres.opening import shown
from mailkit.errors import InvalidArgument, JournalError

from .databases import Databases

SECRET = "Sup3r"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://mailkit:Sup3r/Secret@127.0.0.1:1/mailkit",
        "postgresql://mailkit:Sup3r@Secret@127.0.0.1:1/mailkit",
        "postgresql://mailkit:Sup3r%zz@127.0.0.1:1/mailkit",
        "postgresql://mailkit:Sup3r?@127.0.0.1:1/mailkit",
        "POSTGRESQL://mailkit:Sup3r@127.0.0.1:1/mailkit",
        "postgresql+psycopg://mailkit:Sup3r@127.0.0.1:1/mailkit",
        "mysql://mailkit:Sup3r@127.0.0.1/mailkit",
        "host=127.0.0.1 port=1 password=Sup3r",
        "password = Sup3r",
        "postgresql://mailkit:Sup3r@127.0.0.1:1/mailkit?no_such_setting=1",
        "postgresql://mailkit:Sup3r@127.0.0.1:x/mailkit",
        "postgresql://mailkit:Sup3r%40@127.0.0.1:1/mailkit",
    ],
)
async def test_no_password_is_shown(address: str) -> None:
    assert is_address(address)
    with pytest.raises((JournalError, InvalidArgument)) as caught:
        await Journal.open(address)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in repr(error)
        error = error.__cause__


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("postgresql://mailkit@127.0.0.1:1/mailkit?foo=bar", "there is no parameter foo;"),
        ("postgresql://mailkit:a/b?Sup3r=c@127.0.0.1:1/mailkit", "can't be read;"),
    ],
)
async def test_a_parameter_that_there_is_not_is_named(address: str, named: str) -> None:
    with pytest.raises(JournalError, match=named):
        await Journal.open(address)


@pytest.mark.parametrize(
    ("address", "as_typed"),
    [
        ("postgresql://me:x@one:7381,two:7382/mail", "postgresql://one:7381,two:7382/mail"),
        ("postgresql://me@one,two:7382/mail", "postgresql://one,two:7382/mail"),
        ("postgresql:///mail?host=one,two&port=7381", "postgresql://one:7381,two:7381/mail"),
        ("postgresql://one/mail", "postgresql://one/mail"),
        ("postgresql:///mail", "postgresql://localhost/mail"),
    ],
)
def test_hosts_are_shown_with_their_ports(address: str, as_typed: str) -> None:
    assert shown(address) == as_typed


@pytest.mark.parametrize("path", ["journal.db", "a=b/journal.db", "C:/journal.db", "~/x y.db"])
def test_a_file_is_no_address(path: str) -> None:
    assert not is_address(path)


async def test_another_programs_tables_are_left_alone(
    postgres: Databases, postgres_database: str
) -> None:
    with psycopg.connect(postgres_database, autocommit=True) as db:
        db.execute("CREATE TABLE jobs (id int)")
        with pytest.raises(JournalError, match=r"tables of another program \(jobs\)"):
            await Journal.open(postgres_database)
        assert db.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall() == [("jobs",)]
