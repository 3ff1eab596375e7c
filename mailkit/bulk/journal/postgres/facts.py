"""What can be said of a journal's database: its version, its size, and what it relies on."""

from __future__ import annotations

from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.keeping import StoreFacts
from mailkit.bulk.journal.postgres import servers
from mailkit.bulk.journal.postgres.schema import version
from mailkit.bulk.journal.postgres.witness import Witness

__all__ = ["facts"]

_COMMON = (
    "workers on any machine that reaches this database can use it",
    "what is about to be sent is on the server's disk before its request",
)
_SYNCHRONOUS = "it is on a standby, too: a failover to a synchronous standby loses nothing"
_ALONE = (
    "no commit waits for a standby: if one took over, jobs under way would be held until a person "
    "decides"
)
_SINGLE = "no standby of this server will ever be promoted, as was noted with --single-server"


def facts(db: Connection, witness: Witness) -> StoreFacts:
    """What can be said of the journal in this database."""
    (server,) = db.execute("SELECT current_setting('server_version')").fetchone()
    (size,) = db.execute(
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
        "WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class "
        "WHERE oid = to_regclass('meta'))"
    ).fetchone()
    standing = servers.look(db)
    noticed = (
        f"a database that is restored from a copy is noticed here, by {witness.place}"
        if witness.trouble is None
        else f"a database that is restored from a copy is not noticed here: {witness.trouble}"
    )
    single = db.execute("SELECT 1 FROM meta WHERE key = ?", (servers.SINGLE_SERVER,)).fetchone()
    standby = {_SYNCHRONOUS: standing.synchronous, _SINGLE: single is not None}
    promises = [sentence for sentence, holds in standby.items() if holds] or [_ALONE]
    reliance = (*_COMMON, *promises, noticed)
    return StoreFacts(f"PostgreSQL {server}", version(db) or 0, int(size), None, reliance)
