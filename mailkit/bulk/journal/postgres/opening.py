"""How a journal in PostgreSQL is opened: found or made, and its server looked at on every new
connection.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from mailkit.bulk.journal.postgres import schema, servers, troubles
from mailkit.bulk.journal.postgres.dressing import Dressed, adapt
from mailkit.bulk.journal.postgres.store import CONNECTIONS, PostgresStore
from mailkit.bulk.journal.postgres.witness import Mark, Witness, last_known, place_of
from mailkit.bulk.journal.records import Adopt
from mailkit.bulk.journal.tables import VERSION
from mailkit.bulk.journal.tokens import journal_id
from mailkit.errors import JournalError

__all__ = ["is_direct", "open_store", "shown", "version_in"]

CONNECT_SECONDS = 10
RECONNECT_SECONDS = 10.0
"""So long the pool tries by itself, less and less often; then whoever needs a connection has it
begin anew. So a server that is there again is found at once.
"""
logging.getLogger("psycopg").addHandler(logging.NullHandler())  # the store says so itself
_MAKING = 0x6D61696C
"""The lock of whoever makes or changes the tables: that of the whole journal."""


def open_store(
    address: str, *, adopt: Adopt | None, create: bool, single_server: bool = False
) -> PostgresStore:
    """The store at this address; made if there is none, and it may be."""
    place, options = shown(address), _options(address)
    with _connected(address) as first:
        first.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # it sees what others note
        try:
            with first.transaction():
                witness, system, known = _prepare(
                    first, adopt=adopt, create=create, single_server=single_server
                )
        except JournalError as error:
            if isinstance(error, servers.Lacking):
                servers.tell(first, error)
            raise JournalError(f"the journal {place}: {error}") from error
        witness.note(last_known(Dressed(first), system), known=known)
        prepares = is_direct(first)
    faults: list[JournalError] = []

    @contextmanager
    def lasting() -> Iterator[None]:
        """What is wrong won't pass by itself."""
        try:
            yield
        except JournalError as error:
            faults[:] = [error]
            raise

    def configure(connection: psycopg.Connection[Any]) -> None:
        """Also after a failover, which ends all connections."""
        adapt(connection)
        connection.prepare_threshold = 5 if prepares else None
        with lasting():
            known = witness.read()  # before the transaction, which may see nothing later
        try:
            with connection.transaction():
                db = Dressed(connection)
                standing = servers.look(db)
                with lasting():
                    servers.check(db, standing, known=known)
        except servers.Lacking as error:
            servers.tell(connection, error)
            witness.learn(error.gap)
            raise
        faults.clear()

    pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
        address,
        kwargs={"autocommit": True, **options},
        configure=configure,
        min_size=1,
        max_size=CONNECTIONS + 4,
        timeout=5.0,
        reconnect_timeout=RECONNECT_SECONDS,
        name="mailkit-journal",
        open=False,
    )
    pool.open()
    try:
        pool.wait(CONNECT_SECONDS)
    except PoolTimeout as error:
        pool.close()
        if faults:
            raise faults[-1] from error
        raise JournalError(f"the journal's database {place} can't be reached") from error
    return PostgresStore(pool, place, witness, system, faults)


def version_in(address: str) -> int | None:
    """The version of the journal at this address; None if there is none."""
    with _connected(address) as connection:
        return schema.version(Dressed(connection))


def _options(address: str) -> dict[str, Any]:
    """What the address leaves open."""
    try:
        given = conninfo_to_dict(address)
    except psycopg.Error as error:
        raise JournalError(
            f"the journal's address can't be read{_unknown(address, str(error))}; it is written "
            "postgresql://user@host/database"
        ) from None
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "mailkit",
        "tcp_user_timeout": 30_000,
    }
    return {name: value for name, value in options.items() if name not in given}


def _patiently(address: str, options: dict[str, Any]) -> psycopg.Connection[Any]:
    """Connect, and wait for a server that is about to be there."""
    give_up = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            # Behind a pooler, statements can't be prepared.
            return psycopg.connect(address, autocommit=True, prepare_threshold=None, **options)
        except psycopg.OperationalError as error:
            if not troubles.is_soon_there(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.1)


@contextmanager
def _connected(address: str) -> Iterator[psycopg.Connection[Any]]:
    """One connection, for whoever opens the journal; what goes wrong is a sentence."""
    options, place = _options(address), shown(address)
    try:
        with _patiently(address, options) as connection:
            adapt(connection)
            yield connection
    except psycopg.Error as error:
        raise troubles.not_connected(error, place) from error


def _prepare(
    connection: psycopg.Connection[Any],
    *,
    adopt: Adopt | None,
    create: bool,
    single_server: bool,
) -> tuple[Witness, str, Collection[Mark]]:
    """The journal's witness, the system that it is on, and what was known of it."""
    db = Dressed(connection)
    standing = servers.look(db)
    found = schema.version(db)
    if found is None or found < VERSION or adopt is not None or single_server:
        db.execute("SELECT pg_advisory_xact_lock(?)", (_MAKING,))  # of two that meet, one makes it
        found = schema.version(db)
    if found is None:
        if not create:
            raise JournalError("it does not exist yet: create it with mailkit journal init")
        if others := schema.taken(db):
            raise JournalError(
                f"the database has tables of another program ({', '.join(others)}): use one that "
                "is for the journal alone"
            )
        schema.create(db)
        servers.begin(db, standing, single_server=single_server)
    elif not schema.OLDEST <= found <= VERSION:
        raise JournalError(
            f"its version is {found}, and this mailkit reads version {VERSION}: "
            "use the mailkit that wrote it, or a newer one"
        )
    elif found < VERSION:
        schema.upgrade(db, found)
    if single_server:
        servers.trust(db)
    witness = Witness(place_of(journal_id(db)))
    try:
        known = witness.read()
    except JournalError:
        if adopt is not Adopt.OLDER:
            raise
        witness.forget()
        known = ()
    try:
        servers.check(db, standing, adopt, known=known)
    except servers.Lacking as error:
        witness.learn(error.gap)
        raise
    if single_server:
        servers.note(db, synchronous=standing.synchronous)
    elif adopt is None:
        servers.check_waits(db, standing)
    return witness, standing.system, known


def is_direct(connection: psycopg.Connection[Any]) -> bool:
    """Whether no pooler is between, which would answer with another process's number."""
    found = connection.execute("SELECT pg_backend_pid()").fetchone()
    return found is not None and found[0] == connection.info.backend_pid


def _unknown(address: str, said: str) -> str:
    """The parameter that is unknown, unless it may be a part of the password."""
    found = re.search(r'query parameter: "(\w+)"', said)
    if found is None or "@" in address.partition("?")[2]:
        return ""
    return f": there is no parameter {found[1]}"


def shown(address: str) -> str:
    """The address without its password; several hosts have their own ports, or share one."""
    try:
        given = conninfo_to_dict(address)
    except psycopg.Error:
        return "postgresql://…"
    hosts = str(given.get("host") or "localhost").split(",")
    ports = str(given.get("port") or "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    places = [f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=False)]
    name = str(given.get("dbname") or given.get("user") or "")
    return f"postgresql://{','.join(places)}/{name}"
