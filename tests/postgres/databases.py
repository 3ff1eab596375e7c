"""The databases of a server, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Composed, Identifier

__all__ = ["Databases"]


class Databases:
    """What a superuser does with a running server, given the address of any of its databases."""

    def __init__(self, address: str) -> None:
        self._address = address

    def dsn(self, database: str = "postgres") -> str:
        """The address of this database."""
        return urlsplit(self._address)._replace(path=f"/{database}").geturl()

    def create_database(self, template: str = "template0") -> str:
        """The name of a new database, which is a copy of the template; nobody may be connected to
        that.
        """
        name = f"mailkit_{uuid4().hex[:12]}"
        self.run(
            SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template))
        )
        return name

    def drop_database(self, name: str) -> None:
        """Drop it, with all connections to it."""
        self.run(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The address of a new database, which is dropped at the end."""
        name = self.create_database(template)
        try:
            yield self.dsn(name)
        finally:
            self.drop_database(name)

    def terminate_backends(self, database: str | None = None) -> int:
        """End all clients' connections, or those to one database; how many there were. Each has
        ended on return.
        """
        ended = self.run(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            " AND (%s::text IS NULL OR datname = %s)",
            [database, database],
        )
        return len(ended)

    def run(
        self,
        statement: LiteralString | Composed,
        values: list[Any] | None = None,
        database: str = "postgres",
    ) -> list[tuple[Any, ...]]:
        """Run a statement in a connection of its own; the rows that it returns."""
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
