"""The journal in PostgreSQL: the plan of a long list, the cycle of a chunk, the ledger, and what
people look at. The server is the tests' own, on disk, with fsync on.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.jobs import COMMON, new_journal
from benchmarks.journals import NOW, STATUS, accepted, address
from benchmarks.measure import Work, in_turn, median
from benchmarks.memory import child
from benchmarks.parts import ledger_rows
from benchmarks.rows import Bench, LeftOut, Row, Setting, at_most, figure
from mailkit import Journal
from mailkit.bulk.journal import JobRecord, PlannedRow, Taken
from mailkit.core.dispatch import PollResult
from mailkit.events import DeliveryStatus
from mailkit.provider import RowStatus, Sent

if TYPE_CHECKING:
    from tests.postgres.server import Server

__all__ = ["BENCHES", "Database", "database", "server_of"]

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
SENDERS = 8
CHUNK = 500
_numbers = itertools.count()


@contextmanager
def server_of(settings: dict[str, str] | None = None, *, tcp: bool = False) -> Iterator[Server]:
    """A running server of our own. LeftOut if the machine has none."""
    from tests.postgres.binaries import NoPostgres
    from tests.postgres.server import Server

    try:
        server = Server(SETTINGS | (settings or {}), tcp=tcp, on_disk=True)
    except NoPostgres as error:
        raise LeftOut(str(error)) from None
    with server:
        yield server


@attrs.frozen
class Database:
    """An empty database on a server, as the measuring process sees it."""

    server: Server
    name: str

    @property
    def dsn(self) -> str:
        return self.server.dsn(self.name)

    def cpu_seconds(self) -> float:
        """The CPU time of the server's processes; 0 where the system does not tell."""
        pid, ticks = str(self.server.pid), 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if folder.name == pid:  # with those of its children that have ended
                ticks += sum(map(int, fields[11:15]))
            elif fields[1] == pid:
                ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def forget(self) -> None:
        """There is nothing to forget."""

    def asked(self, sql: Any) -> Any:
        """The one value that the query gives."""
        return self.server.run(sql, database=self.name)[0][0]


@contextmanager
def database() -> Iterator[Database]:
    """A database on a server of its own."""
    with server_of() as server:
        yield Database(server, server.create_database())


def load() -> str:
    """How many processes wanted to run in the last minute."""
    return f"load of the machine {os.getloadavg()[0]:.0f}"


# the plan


def write_long(path: Path, count: int) -> Path:
    """A CSV of so many rows. Every tenth row has an address that may be there already, anywhere."""
    with path.open("w", encoding="utf-8") as file:
        file.write("email,name,city\n")
        for n in range(count):
            who = n if n % 10 else n // 10 * 7_919 % count
            file.write(f"{address(who)},Анна {who},Minsk\n")
    return path


def planned(setting: Setting) -> Iterable[Row]:
    rows = setting.pick(200_000, 10_000_000)
    table = write_long(setting.folder / f"long-{rows}.csv", rows)
    with database() as db:
        child("plan", setting, write_long(setting.folder / "short.csv", 1_000), db.dsn)
    with database() as db:
        wal, cpu = db.asked("SELECT pg_current_wal_insert_lsn()"), db.cpu_seconds()
        took = json.loads(child("plan", setting, table, db.dsn))
        cpu = db.cpu_seconds() - cpu
        wal = float(db.asked(f"SELECT pg_current_wal_insert_lsn() - '{wal}'::pg_lsn")) / rows
        disk = db.asked("SELECT pg_total_relation_size('rows')") / rows
        twice = db.asked("SELECT count(*) FROM rows WHERE state = 'duplicate'")
    table.unlink()
    micro = 1e6 / rows
    yield figure(
        f"PostgreSQL: plan of {rows:,} rows, a row, CPU of both sides",
        [(took["cpu"] + cpu) * micro],
        "µs cpu",
        at_most(15.0),
        f"client {took['cpu'] * micro:.1f}, server {cpu * micro:.1f}; {twice:,} duplicates found; "
        f"wall {took['wall']:,.0f} s, {load()}",
    )
    yield figure(
        f"PostgreSQL: peak memory of the process that plans {rows:,} rows",
        [took["peak"] / 1e6],
        "MB",
        at_most(120.0),
    )
    yield figure("PostgreSQL: WAL of the plan, a row", [wal], "bytes", None)
    yield figure("PostgreSQL: disk of the plan, a row, indexes included", [disk], "bytes", None)


# the cycle of a chunk


async def waiting(journal: Journal, name: str, chunks: int) -> JobRecord:
    """A job of so many chunks, all planned."""
    message = json.dumps(COMMON.to_json())
    job = await journal.jobs.create(name, "smsby", "shop", message, again=False, now=NOW)
    for first in range(0, chunks * CHUNK, 10_000):
        rows = [
            PlannedRow(job.ids[0] + n, n + 1, address(n), None, f'["Анна {n}","Minsk"]', 10)
            for n in range(first + 1, min(first + 10_000, chunks * CHUNK) + 1)
        ]
        await journal.planning.add(job, rows, [])
    await journal.planning.cut(job, rows=CHUNK, size=None)
    return await journal.jobs.finish_planning(
        job, columns=["name", "city"], fingerprint=name.encode(), name=name, again=False
    )


async def cycle(journal: Journal, job: JobRecord) -> None:
    """Take chunks, have them accepted and reconciled, until none is left."""
    while isinstance(taken := await journal.chunks.take(job, NOW), Taken):
        reference = f"{job.name} {taken.ticket.chunk}"
        await journal.chunks.accept(job, taken.ticket, NOW, Sent(reference))
        polled = PollResult(
            [RowStatus(row.address, DeliveryStatus.DELIVERED, False, "") for row in taken.task.rows]
        )
        await journal.statuses.reconcile(job, taken.ticket.chunk, polled, now=NOW)


@asynccontextmanager
async def cycles(place: str, chunks: int, senders: int) -> AsyncIterator[Work]:
    async with await Journal.open(place) as journal:
        ready = [await waiting(journal, f"cycle {next(_numbers)}", chunks) for _ in range(4)]

        async def work() -> int:
            job = ready.pop()
            await asyncio.gather(*(cycle(journal, job) for _ in range(senders)))
            return chunks

        yield work


@contextmanager
def round_trips() -> Iterator[list[str]]:
    """What psycopg sends meanwhile, one statement after the other."""
    import psycopg

    sent: list[str] = []
    execute = psycopg.Connection.execute

    def counted(self: Any, query: Any, *rest: Any, **options: Any) -> Any:
        sent.append(str(query))
        return execute(self, query, *rest, **options)

    psycopg.Connection.execute = counted  # type: ignore[method-assign]
    try:
        yield sent
    finally:
        psycopg.Connection.execute = execute  # type: ignore[method-assign]


def chunks(setting: Setting) -> Iterable[Row]:
    many = setting.pick(100, 400)
    with database() as db:
        sides = [
            partial(cycles, db.dsn, many, SENDERS),
            partial(cycles, db.dsn, many, 1),
            partial(cycles, str(new_journal(setting.folder)), many, SENDERS),
        ]
        costs = in_turn(sides, 3, db)
        with round_trips() as sent:
            in_turn([partial(cycles, db.dsn, 50, 1)], 0)
    begun = next(n for n, one in enumerate(sent) if "UPDATE chunks SET state = 'sending'" in one)
    trips = len(sent[begun:]) / 50
    for place, senders in ((0, SENDERS), (1, 1)):
        own = [one[place] for one in costs]
        client, server = (median([getattr(one, side) for one in own]) for side in ("cpu", "server"))
        yield figure(
            f"PostgreSQL: chunks of {CHUNK} taken, accepted and reconciled, {senders} at once",
            [1 / one.wall for one in own],
            "a second",
            None,
            f"a chunk: {trips:.0f} round trips, client {client * 1e3:.2f} ms of CPU, server "
            f"{server * 1e3:.2f}; {load()}",
        )
    yield Row(
        f"a chunk's cycle on PostgreSQL / on SQLite, {SENDERS} at once, wall",
        median([one.wall for one, *_ in costs]) * 1e3,
        median([one.wall for *_, one in costs]) * 1e3,
        "ms wall",
        median([one.wall / other.wall for one, _, other in costs]),
        (
            min(one.wall / other.wall for one, _, other in costs),
            max(one.wall / other.wall for one, _, other in costs),
        ),
        None,
    )


# the ledger, and what people look at


def ledger(setting: Setting) -> Iterable[Row]:
    with database() as db:
        whose = "the ledger in PostgreSQL"
        yield from ledger_rows(setting, [db.dsn] * 2, whose, at_most(600.0), db, 10)


def looks(setting: Setting) -> Iterable[Row]:
    rows = setting.pick(100_000, 2_000_000)
    few = rows // 10
    with database() as db:

        async def fill() -> None:
            async with await Journal.open(db.dsn) as journal:
                for n in range(10):
                    await accepted(journal, f"job {n}", few, chunk=CHUNK)
                await accepted(journal, "autumn", rows, chunk=CHUNK)

        asyncio.run(fill())
        seconds: list[float] = []
        for _ in range(4):
            began = time.perf_counter()
            subprocess.run([*STATUS, db.dsn], stdout=subprocess.DEVNULL, check=True)
            seconds.append(time.perf_counter() - began)
        yield figure(
            f"PostgreSQL: mailkit status, {2 * rows:,} rows in 11 jobs, wall",
            seconds[1:],
            "s wall",
            at_most(1.0),
            f"from the start of its process; {load()}",
        )
        took = []
        for _ in range(3):
            cpu = db.cpu_seconds()
            one = json.loads(child("report", setting, setting.folder, db.dsn))
            took.append(one | {"server": db.cpu_seconds() - cpu})
    yield figure(
        f"PostgreSQL: report --csv of {rows:,} rows, a row, CPU of the client",
        [one["cpu"] / rows * 1e6 for one in took],
        "µs cpu",
        at_most(5.0),
        f"server {median([one['server'] for one in took]) / rows * 1e6:.1f}; wall "
        f"{median([one['wall'] for one in took]):.1f} s, {load()}",
    )
    yield figure(
        f"PostgreSQL: peak memory of report --csv of {rows:,} rows",
        [one["peak"] / 1e6 for one in took],
        "MB",
        at_most(120.0),
    )


BENCHES = [
    Bench("postgres-plan", planned),
    Bench("postgres-chunks", chunks),
    Bench("postgres-ledger", ledger),
    Bench("postgres-looks", looks),
]
