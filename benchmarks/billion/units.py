"""What a row, a chunk and a transaction cost, measured with a journal in PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from benchmarks.jobs import COMMON, write_table
from benchmarks.server import TOKEN, serve
from mailkit import Attempt, BulkSender, Quota, SmsBy, csv_report, read_recipients
from mailkit.bulk.journal import Journal
from mailkit.bulk.journal.planning import Planning
from mailkit.bulk.journal.postgres import store
from mailkit.bulk.journal.postgres.dressing import Dressed
from mailkit.bulk.plan import JobSpec, plan
from tests.postgres.server import Server

__all__ = ["Transaction", "Units", "measure"]

TICKS = os.sysconf("SC_CLK_TCK")
WIDE = Quota(1_000_000, 1.0)
"""A quota that holds nobody up, so that permits cost what they cost."""


@attrs.frozen
class Cost:
    """CPU seconds here and at the database, wall seconds, and bytes of WAL and temporary files."""

    cpu: float
    database: float
    wall: float
    wal: float
    temporary: float

    def __sub__(self, other: Cost) -> Cost:
        mine, theirs = attrs.astuple(self), attrs.astuple(other)
        return Cost(*(a - b for a, b in zip(mine, theirs, strict=True)))


@attrs.frozen
class Transaction:
    """A kind of transaction: how many a chunk needs, the round trips of one, how many of these are
    made with the account locked, and whether it waits for the disk.
    """

    name: str
    count: float
    trips: float
    locked: float
    durable: bool


@attrs.frozen
class Units:
    """``plan``, ``send`` and ``report`` are those of the whole measured list."""

    rows: int
    chunks: int
    plan: Cost
    deduplication: float
    bytes: float
    send: Cost
    requests: float
    request_bytes: float
    transactions: tuple[Transaction, ...]
    report: Cost

    @property
    def rows_a_chunk(self) -> float:
        return self.rows / self.chunks

    @property
    def trips(self) -> float:
        """Round trips to the database for a chunk."""
        return sum(one.count * one.trips for one in self.transactions)


class Trips:
    """Counts round trips to the database by the operation that they are made for."""

    def __init__(self) -> None:
        self.transactions: Counter[str] = Counter()
        self.trips: Counter[str] = Counter()
        self.locked: Counter[str] = Counter()
        self.durable: set[str] = set()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Have the store's transactions counted meanwhile."""
        execute, executemany = Dressed.execute, Dressed.executemany
        commit, look = store.PostgresStore._commit, store.PostgresStore._look

        def counting(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(db: Any, sql: str, *rest: Any) -> Any:
                name = getattr(db, "operation", None)
                if name is not None:
                    db.locks = getattr(db, "locks", False) or sql.startswith("UPDATE accounts")
                    self.trips[name] += 1
                    self.locked[name] += db.locks
                return real(db, sql, *rest)

            return call

        def named(run: Callable[..., Any], name: str) -> Callable[..., Any]:
            def operation(db: Any) -> Any:
                self.transactions[name] += 1
                self.trips[name] += 2  # its beginning and its end
                db.operation = name
                try:
                    result = run(db)
                finally:
                    db.operation = None
                self.locked[name] += getattr(db, "locks", False)
                return result

            return operation

        def write(self_: Any, run: Any, begin: str, *, again: bool, durable: bool = False) -> Any:
            name = _name(run)
            if durable:
                self.durable.add(name)
            return commit(self_, named(run, name), begin, again=again, durable=durable)

        def read(self_: Any, run: Any) -> Any:
            return look(self_, named(run, _name(run)))

        changed = {"execute": counting(execute), "executemany": counting(executemany)}
        try:
            for name, function in changed.items():
                setattr(Dressed, name, function)
            setattr(store.PostgresStore, "_commit", write)  # noqa: B010 - mypy forbids the other
            setattr(store.PostgresStore, "_look", read)  # noqa: B010
            yield
        finally:
            setattr(Dressed, "execute", execute)  # noqa: B010
            setattr(Dressed, "executemany", executemany)  # noqa: B010
            setattr(store.PostgresStore, "_commit", commit)  # noqa: B010
            setattr(store.PostgresStore, "_look", look)  # noqa: B010

    def of(self, chunks: int) -> tuple[Transaction, ...]:
        """What a chunk needs of each."""
        return tuple(
            Transaction(
                name,
                count / chunks,
                self.trips[name] / count,
                self.locked[name] / count,
                name in self.durable,
            )
            for name, count in self.transactions.most_common()
        )


def _name(run: Callable[..., Any]) -> str:
    return re.sub(r"\.<locals>.*", "", str(getattr(run, "__qualname__", run)))


class Meter:
    """Reads what has been used up so far."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def read(self) -> Cost:
        [(wal, temporary)] = self._server.run(
            "SELECT pg_current_wal_insert_lsn() - '0/0', (SELECT sum(temp_bytes) "
            "FROM pg_stat_database)"
        )
        database = _cpu_of(self._server.pid)
        return Cost(
            time.process_time(), database, time.perf_counter(), float(wal), float(temporary)
        )

    @property
    def bytes(self) -> float:
        """The size of all databases."""
        [(size,)] = self._server.run("SELECT sum(pg_database_size(oid)) FROM pg_database")
        return float(size)


def _cpu_of(first: int) -> float:
    """CPU seconds of a process, its children, and those that have ended."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(path.parent.name) == first:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == first:
            ticks += sum(map(int, fields[11:13]))
    return ticks / TICKS


def measure(rows: int, folder: Path) -> Units:
    """Plan, send and report a list of so many rows, at a service that answers at once."""
    table = write_table(folder / f"list-{rows}.csv", rows)
    settings = {"shared_buffers": "256MB", "max_wal_size": "4GB"}
    with Server(settings) as server, serve(folder) as service:
        database = server.dsn(server.create_database())
        return asyncio.run(_measure(rows, table, Meter(server), database, service.url))


async def _measure(rows: int, table: Path, meter: Meter, database: str, url: str) -> Units:
    trips, waited = Trips(), 0.0
    mark = Planning.mark_duplicates

    async def timed(planning: Planning, job: Any) -> None:
        nonlocal waited
        began = time.perf_counter()
        await mark(planning, job)
        waited = time.perf_counter() - began

    requests = 0

    def count(attempt: Attempt) -> None:
        nonlocal requests
        requests += attempt.outcome is not None

    async with (
        await Journal.open(database) as journal,
        SmsBy(TOKEN, url, requests=WIDE, hooks=[count]) as client,
        BulkSender(client, journal=journal) as sender,
    ):
        size, begun = meter.bytes, meter.read()
        setattr(Planning, "mark_duplicates", timed)  # noqa: B010
        try:
            job = await plan(journal, client, JobSpec(COMMON, read_recipients(table), "bench"))
        finally:
            setattr(Planning, "mark_duplicates", mark)  # noqa: B010
        planned = meter.read()
        chunks = await journal.chunks.planned(job)
        await journal.workers.leave(job)
        (size_of_rows,) = await journal._db.read(
            lambda db: db.execute("SELECT sum(size) FROM rows").fetchone()
        )
        with trips.counted():
            sending = meter.read()
            report = await (await sender.resume("bench")).wait()
            sent = meter.read()
        assert report.complete
        with (table.parent / "report.csv").open("w", newline="", encoding="utf-8") as file:
            await csv_report(journal, "bench", file)
        told = meter.read()
        grown = meter.bytes - size
    return Units(
        rows=rows,
        chunks=chunks,
        plan=planned - begun,
        deduplication=waited,
        bytes=grown / rows,
        send=sent - sending,
        requests=requests / chunks,
        request_bytes=size_of_rows / chunks + len(COMMON.body.encode()),
        transactions=trips.of(chunks),
        report=told - sent,
    )
