"""What the journal relies on at its server: that a commit outlives a crash, and a failover too.

The journal keeps where it was last: on which server, on which of its timelines, in which tables,
and whether commits were on a standby as well before they counted. A timeline is a line of commits;
a standby that takes over begins a new one, and so does a backup that is restored up to a moment.
Once commits have waited for a standby, one that is cut off now may take over later: so the journal
remembers that until a person says that none will.
"""

from __future__ import annotations

import contextlib
import platform
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import attrs
import psycopg
from msgspec import json

from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.postgres import schema
from mailkit.bulk.journal.postgres.witness import Gap, Mark, lineage, missing
from mailkit.bulk.journal.records import Adopt, ChunkState
from mailkit.bulk.journal.restoring import doubt_unsent, put_back, words_for
from mailkit.core.moments import spoken
from mailkit.errors import JournalError

__all__ = [
    "LACKS",
    "Lacking",
    "NoStandby",
    "Replaced",
    "Standing",
    "begin",
    "check",
    "check_followers",
    "check_waits",
    "compare",
    "look",
    "note",
    "tell",
    "trust",
]

SINGLE_SERVER = "single server"
LACKS = "lacks"
"""What the journal is known to lack, noted by the first machine that noticed."""
CLOCK_SECONDS = 60.0
"""How far apart the clocks of the machines may be."""
_COUNT = re.compile(r"^(?:(?:FIRST|ANY)\s+)?\d+\s*(?=\()", re.IGNORECASE)
_NAME = re.compile(r'"((?:[^"]|"")+)"|([^\s,()"]+)').findall
_PASSED_OVER = 100_000
"""More jobs, and more chunks of a job, than are likely to have begun since a copy was made."""


@attrs.frozen
class Standing:
    """Where the journal is: the server's ``system`` and the database in it, the ``timeline``, and
    whether commits are ``synchronous``: on a standby, too, before they count. No commit waits for
    the ``others`` that follow it. ``tables`` is the number that the database has given to the
    journal's: those that ``pg_restore`` makes have another one.
    """

    system: str
    timeline: str
    synchronous: bool
    others: Sequence[str] = attrs.field(default=(), eq=False)
    tables: str = ""


def look(db: Connection) -> Standing:
    """See how the server is set up; JournalError if a crash of it may lose what was committed."""
    before = time.time()
    in_recovery, fsync, pages, names, read_only, encoding, now = db.execute(
        "SELECT pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'),"
        " current_setting('synchronous_standby_names'), "
        "current_setting('default_transaction_read_only'), current_setting('server_encoding'), "
        "extract(epoch FROM clock_timestamp())"
    ).fetchone()
    if in_recovery or read_only == "on":
        raise JournalError(
            "this server is a standby, or read-only: connect to the primary. An address may name "
            "several servers: with target_session_attrs=read-write, the primary is found"
        )
    ahead = max(before - float(now), 0.0) + min(time.time() - float(now), 0.0)
    if abs(ahead) > CLOCK_SECONDS:
        off = f"{spoken(round(abs(ahead)))} {'ahead of' if ahead > 0 else 'behind'}"
        raise JournalError(
            f"this machine's clock is {off} that of the database's server: have both run NTP"
        )
    if encoding != "UTF8":
        raise JournalError(
            f"the database has the encoding {encoding}, which not every name and text fits into: "
            "create it with ENCODING 'UTF8' TEMPLATE template0"
        )
    for setting, value in (("fsync", fsync), ("full_page_writes", pages)):
        if value == "off":
            raise JournalError(
                f"the server runs with {setting} = off: a crash of its machine could make it "
                f"forget who was mailed. Set {setting} = on"
            )
    system, timeline, standbys = db.execute(
        "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || oid, "
        "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8), "
        "(SELECT coalesce(json_agg(DISTINCT application_name), '[]')::text "
        "FROM pg_stat_replication WHERE (state IS NULL OR state = 'streaming') "
        "AND application_name NOT LIKE 'pg%') "  # those only copy
        "FROM pg_database WHERE datname = current_database()"
    ).fetchone()
    waited_for = _named(str(names))
    others = [one for one in json.decode(standbys, type=list[str]) if not waited_for(one)]
    return Standing(str(system), str(timeline), bool(str(names).strip()), others)


def _named(synchronous: str) -> Callable[[str], bool]:
    """Whether commits wait for a standby, by its name, or would if it were needed."""
    listed = _COUNT.sub("", synchronous.strip())
    found = {(quoted.replace('""', '"') or bare).casefold() for quoted, bare in _NAME(listed)}
    return lambda name: "*" in found or name.casefold() in found


def begin(db: Connection, found: Standing, *, single_server: bool) -> None:
    """Note where a new journal is; the caller holds the transaction."""
    (tables,) = db.execute("SELECT tableoid FROM meta WHERE key = 'id'").fetchone()
    _keep(db, attrs.evolve(found, tables=str(tables)))
    if single_server:
        trust(db)


def trust(db: Connection) -> None:
    """Note the user's word that no standby takes over, or that what it lacks is looked after."""
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?, '1') ON CONFLICT DO NOTHING", (SINGLE_SERVER,)
    )


class NoStandby(JournalError):
    """Commits have waited for a standby, and wait for none any more."""

    def __init__(self) -> None:
        super().__init__(
            "commits have waited for a standby, and wait for none any more: "
            "synchronous_standby_names is empty. If a standby took over, it might not know who was "
            "mailed. Name the standbys there again; or, if none is ever promoted, say so once with "
            "mailkit journal init --single-server"
        )


class Replaced(JournalError):
    """The journal's tables are not those that it had: they come from a backup."""

    def __init__(self) -> None:
        super().__init__(
            "a backup was restored into this database: it does not know what was sent after the "
            f"backup was made. Open the journal once with {words_for(Adopt.LATEST)} if nothing was "
            f"sent since, else with {words_for(Adopt.OLDER)}"
        )


class Lacking(JournalError):
    """The journal is older than a machine has seen it: there is a ``gap`` in its ``history``."""

    def __init__(self, gap: Gap, history: str = "", *, adopt: Adopt | None = None) -> None:
        self.gap = gap
        self.history = history
        if adopt is Adopt.LATEST:
            super().__init__(
                f"the journal is not the latest: {gap}. Open it once with "
                f"{words_for(Adopt.OLDER)}, and whoever may have been mailed since is in doubt"
            )
            return
        super().__init__(
            f"the journal is older than it was: {gap}. The database, or its server's files, were "
            "restored from a copy, or this is another server with such a copy. Use the newest one. "
            "If that is gone for good, stop all sending, and open this one once with "
            f"{words_for(Adopt.OLDER)}, which puts all who may have been mailed since in doubt"
        )


def compare(db: Connection, system: str, known: Collection[Mark]) -> None:
    """Lacking if something is missing from the journal on this system that is known."""
    line = lineage(db, system)
    if (gap := missing(db, line, known)) is not None:
        raise Lacking(gap, line.history)


def check_followers(db: Connection, found: Standing) -> None:
    """JournalError if a standby follows that no commit waits for, unless a person has said that it
    is never promoted.
    """
    if not found.others:
        return
    if db.execute("SELECT 1 FROM meta WHERE key = ?", (SINGLE_SERVER,)).fetchone() is None:
        raise JournalError(
            f"the standby {', '.join(found.others)} follows this server, and no commit waits for "
            "it: if it took over, it might not know who was mailed. Name it in "
            "synchronous_standby_names; or, if it is never promoted, say so once with mailkit "
            "journal init --single-server"
        )


def check_waits(db: Connection, found: Standing) -> None:
    """NoStandby if commits wait for none any more."""
    noted = db.execute("SELECT value FROM meta WHERE key = 'synchronous'").fetchone()
    if noted is not None and noted[0] == "1" and not found.synchronous:
        raise NoStandby


def tell(connection: psycopg.Connection[Any], error: Lacking) -> None:
    """Have the journal say to all machines what it lacks, unless one has done so, or a person has
    adopted it meanwhile.
    """
    line = error.gap.line(platform.node())
    if error.gap.by or not line:
        return
    with contextlib.suppress(psycopg.Error):
        connection.execute(
            "INSERT INTO meta (key, value) SELECT %s, %s "
            "WHERE EXISTS (SELECT 1 FROM meta WHERE key = 'history' AND value = %s) "
            "ON CONFLICT DO NOTHING",
            (LACKS, line, error.history),
        )


def check(
    db: Connection,
    found: Standing,
    adopt: Adopt | None = None,
    *,
    known: Collection[Mark] = (),
) -> bool:
    """Compare with where the journal was last, and with what this machine has ``known`` of it; the
    caller holds the transaction. Whether something was noted. JournalError if commits may be
    missing, unless a person says what to ``adopt``.
    """
    check_followers(db, found)
    rows = db.execute("SELECT key, value, tableoid FROM meta").fetchall()
    meta, tables = {key: value for key, value, _ in rows}, str(rows[0][2])
    stored = Standing(
        meta["system"],
        meta["timeline"],
        meta["synchronous"] == "1",
        tables=meta.get("tables", ""),
    )
    found = attrs.evolve(found, tables=tables)
    the_latest, an_older = words_for(Adopt.LATEST), words_for(Adopt.OLDER)
    line = lineage(db, found.system)
    told = Gap.of(meta.get(LACKS))
    gap = missing(db, line, known) or told
    why = missing(db, line, known, is_latest=True) or told
    if adopt is Adopt.LATEST and why is not None:
        raise Lacking(why, line.history, adopt=adopt)
    if adopt is None and stored.system != found.system:
        raise JournalError(
            "this journal is a copy of another database's: it does not know what was sent with "
            f"that one since. If the other is gone for good, open this one once with {the_latest} "
            f"if nothing was sent since the copy was made, else with {an_older}"
        )
    if adopt is None and stored.timeline != found.timeline and not stored.synchronous:
        raise JournalError(
            "a standby has taken over from the journal's server, or a backup was restored, and no "
            "commit had waited for it: it may not know who was mailed. Open the journal once with "
            f"{the_latest} if the last commits are there, else with {an_older}: then whatever "
            "is unsent in jobs under way is in doubt"
        )
    if adopt is None and gap is not None:
        raise Lacking(gap, line.history)
    if adopt is None and stored.tables not in ("", found.tables):
        raise Replaced
    if adopt is None or (stored.system, stored.timeline) == (found.system, found.timeline):
        found = attrs.evolve(found, synchronous=found.synchronous or stored.synchronous)
    if stored == found and gap is None and adopt is not Adopt.OLDER:
        return False  # the other word counts: not all can be noticed
    if adopt is not None:  # whoever was at work joins anew
        db.execute("UPDATE workers SET ended = 1 WHERE ended = 0")
        now = schema.now(db)
        ancestors = [*line.ancestors, line.history]
        if adopt is Adopt.OLDER:
            doubt_unsent(db)
            _pass_over(db)
            put_back(db, now)
            db.execute("DELETE FROM meta WHERE key = ?", (LACKS,))
            ancestors = []
        _write(db, {"history": schema.history_of(now), "ancestors": " ".join(ancestors)})
    _keep(db, found)
    return True


def note(db: Connection, *, synchronous: bool) -> None:
    """Note that commits are ``synchronous`` from now on, or not any more."""
    db.execute("UPDATE meta SET value = ? WHERE key = 'synchronous'", (str(int(synchronous)),))


def _keep(db: Connection, found: Standing) -> None:
    values = {
        "system": found.system,
        "timeline": found.timeline,
        "synchronous": str(int(found.synchronous)),
        "tables": found.tables,
    }
    _write(db, values)


def _write(db: Connection, values: Mapping[str, str]) -> None:
    db.executemany(
        "INSERT INTO meta (key, value) VALUES (?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        list(values.items()),
    )


def _pass_over(db: Connection) -> None:
    """Let no new job or chunk have the number of one that may have been sent meanwhile: what the
    provider says of that must not be taken for news of another.
    """
    db.execute(
        "SELECT setval(pg_get_serial_sequence('jobs', 'id'), "
        "nextval(pg_get_serial_sequence('jobs', 'id')) + ?)",
        (_PASSED_OVER,),
    )
    db.execute(
        "INSERT INTO chunks (job, n, state, first, last, rows, attempt, reconciled, unfinished) "
        f"SELECT job, max(n) + ?, '{ChunkState.EMPTY}', 0, -1, 0, 1, 0, 0 FROM chunks GROUP BY job",
        (_PASSED_OVER,),
    )
