"""Parts of mailkit measured alone: reading a long answer, the quotas, the import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import attrs
import cattrs
from multidict import CIMultiDict

from benchmarks.measure import Serves, Work, in_turn, median, paired, spread
from benchmarks.rows import Bench, Goal, Row, Setting, at_least, at_most, figure, row_of
from benchmarks.server import TOKEN
from mailkit import Journal, SmsBy
from mailkit.bulk.journal import Account
from mailkit.bulk.journal.ledger import Grant
from mailkit.bulk.journal.store import Connection
from mailkit.core.clock import Clock
from mailkit.core.lateness import elapsed
from mailkit.core.quota import LocalPermits, Quota
from mailkit.core.wire import Request, Response

__all__ = ["BENCHES", "ledger_rows"]

STATUS_ROWS = 100_000


# reading


@attrs.frozen
class PlainLetter:
    email_id: int
    recipient: str
    status: str
    error: str | None


@attrs.frozen
class PlainMessage:
    message_id: int
    name: str
    sender_email: str
    sender_name: str
    success: list[PlainLetter]
    errors: list[PlainLetter]


@attrs.frozen
class PlainAnswer:
    status: str
    result: list[PlainMessage]


def long_answer() -> bytes:
    letters = [
        {
            "email_id": str(n),
            "recipient": f"friend{n}@friends{n % 997}.example",
            "status": "DELIVERED",
            "error": None,
        }
        for n in range(STATUS_ROWS)
    ]
    message: dict[str, object] = {"message_id": "7", "name": "autumn #1"}
    message |= {"sender_email": "a@b.by", "sender_name": "Shop"}
    message |= {"success": letters, "errors": []}
    return json.dumps({"status": "OK", "result": [message]}).encode()


@attrs.frozen
class Canned:
    """A transport whose answer is always the same."""

    body: bytes

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        return Response(200, CIMultiDict({"Content-Type": "application/json"}), self.body)

    async def aclose(self) -> None:
        pass


def reading(setting: Setting) -> Iterable[Row]:
    body = long_answer()

    @asynccontextmanager
    async def ours() -> AsyncIterator[Work]:
        async with SmsBy(TOKEN, transport=Canned(body)) as client:

            async def work() -> int:
                (message,) = await client.bulk.status("u")
                return len(message.success)

            yield work

    @asynccontextmanager
    async def peer() -> AsyncIterator[Work]:
        structure = cattrs.Converter().structure

        async def work() -> int:
            (message,) = structure(json.loads(body), PlainAnswer).result
            return len(message.success)

        yield work

    pairs = paired(ours, peer, setting.pick(7, 15))
    yield row_of(
        "reading a bulk.status of 100,000 rows, times faster than json + cattrs",
        pairs,
        at_least(8),
        faster=True,
    )


# the quota


@attrs.define
class Ticking(Clock):
    """A clock that goes on by one tick each time somebody looks."""

    tick: float
    seconds: float = 0.0

    def monotonic(self) -> float:
        self.seconds += self.tick
        return self.seconds


def quota(setting: Setting) -> Iterable[Row]:
    """3,000 requests a minute, evenly spread, so that the window is always nearly full."""

    @asynccontextmanager
    async def side() -> AsyncIterator[Work]:
        clock = Ticking(60 / 2_900 / 3)
        permits, names = LocalPermits({"requests": Quota(3_000, 60.0)}, clock), ("requests",)

        async def work() -> int:
            for _ in range(20_000):
                permit = await permits.acquire(names, None, 30.0)
                permit.sent()
                permit.done()
            return 20_000

        yield work

    costs = [cost.cpu * 1e6 for (cost,) in in_turn([side], setting.pick(7, 15))]
    yield figure(
        "the in-process quota, a permit taken and given back",
        costs,
        "µs cpu",
        at_most(2.0),
        "a window of 3,000 a minute that is nearly full",
    )


# the ledger

PLENTY = {"requests": Quota(900, 0.05), "campaigns": Quota(900, 0.05, "campaigns")}


def ledger(setting: Setting) -> Iterable[Row]:
    """Two quotas that nobody waits for; in a transaction of many, and each in its own."""
    places = [str(setting.folder / f"ledger-{alone}.db") for alone in (False, True)]
    return ledger_rows(setting, places, "the journal's ledger", at_most(300.0))


def ledger_rows(
    setting: Setting,
    places: Sequence[str],
    whose: str,
    goal: Goal,
    server: Serves | None = None,
    a_commit: int = 1_000,
) -> Iterable[Row]:
    """The rows for a ledger in the journals at these two places."""

    @asynccontextmanager
    async def side(place: str, alone: bool) -> AsyncIterator[Work]:
        journal = await Journal.open(place)
        permits = journal.permits_of(Account("bench", "account", PLENTY), Clock())
        ledger, names = permits.ledger, tuple(PLENTY)

        def many(db: Connection) -> int:
            for _ in range(a_commit):
                found = ledger.ask(
                    db, ledger.needs(*names), key=None, deadline=30.0, asked=elapsed()
                )
                if isinstance(found, Grant):
                    ledger.end(db, found, ledger.clock.elapsed())
            return a_commit

        async def each() -> int:
            for _ in range(300):
                (await permits.acquire(names, None, 30.0)).done()
            return 300

        async def together() -> int:
            return sum([await permits._store.write(many) for _ in range(1_000 // a_commit)])

        try:
            yield each if alone else together
        finally:
            await journal.close()

    sides = [
        partial(side, place, alone) for place, alone in zip(places, (False, True), strict=True)
    ]
    costs = in_turn(sides, setting.pick(7, 15), server)
    note = "of two quotas, granted and ended"
    yield figure(
        f"a permit of {whose}, in the transaction of a take",
        [(one.cpu + one.server) * 1e6 for one, _ in costs],
        "µs cpu",
        goal,
        f"{note}, {a_commit:,} in one",
    )
    yield figure(
        f"a permit of {whose}, for a direct call",
        [one.wall * 1e6 for _, one in costs],
        "µs wall",
        None,
        f"{note}, in two transactions of their own",
    )


# the import

WITH_CLIENT = "from mailkit import BulkSender, Message, SmsBy, read_recipients"


def imports(setting: Setting) -> Iterable[Row]:
    statements = ["import mailkit", "import aiohttp", WITH_CLIENT]
    runs = [
        [_import_seconds(statement) for statement in statements]
        for _ in range(setting.pick(9, 31) + 1)
    ][1:]
    yield _import_row("import mailkit / import aiohttp, wall", runs, 0, at_most(0.2))
    yield _import_row(
        "import of what a bulk send needs / import aiohttp, wall", runs, 2, at_most(1.5)
    )


def _import_row(name: str, runs: Sequence[Sequence[float]], place: int, goal: Goal | None) -> Row:
    ratios = [run[place] / run[1] for run in runs]
    ours, peer = (median([run[n] for run in runs]) * 1e3 for n in (place, 1))
    return Row(name, ours, peer, "ms wall", median(ratios), spread(ratios), goal)


def _import_seconds(statement: str) -> float:
    program = (
        f"import time; began = time.perf_counter()\n{statement}\nprint(time.perf_counter() - began)"
    )
    settings = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # what is imported again is compiled
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=settings
    )
    return float(done.stdout)


BENCHES = [
    Bench("reading", reading),
    Bench("quota", quota),
    Bench("ledger", ledger),
    Bench("import", imports),
]
