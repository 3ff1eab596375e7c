"""One job over several worker processes, with the journal in PostgreSQL and a provider that takes
200 ms for each request.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from benchmarks.child import NAME
from benchmarks.jobs import COMMON, write_table
from benchmarks.postgres import Database, load, server_of
from benchmarks.rows import Bench, Row, Setting, at_least
from benchmarks.server import TOKEN, Server, serve
from mailkit import Journal, SmsBy, read_recipients
from mailkit.bulk.plan import JobSpec, plan

__all__ = ["BENCHES"]

LATENCY = 0.2
CHUNK = 500
AT_ONCE = 8
CEILING = AT_ONCE / LATENCY  # chunks a second that one worker can send


@attrs.frozen
class Sent:
    """What became of a job: when each chunk was taken last, and of how many it is not known whether
    they were sent.
    """

    moments: Sequence[float]
    unknown: int
    addresses: int
    twice: int

    @property
    def rate(self) -> float:
        """Chunks a second, without the first and the last tenth, when not all are at work."""
        tenth = max(1, len(self.moments) // 10)
        some = self.moments[tenth:-tenth]
        return (len(some) - 1) / (some[-1] - some[0])


def made(db: Database, provider: Server, table: Path) -> None:
    """A planned job that nobody works on."""

    async def make() -> None:
        async with await Journal.open(db.dsn) as journal, SmsBy(TOKEN, provider.url) as client:
            job = await plan(journal, client, JobSpec(COMMON, read_recipients(table), NAME))
            await journal.workers.leave(job)

    asyncio.run(make())


@contextmanager
def workers(commands: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ready to work and begin together."""
    with ExitStack() as stack:
        started = [stack.enter_context(_worker(command)) for command in commands]
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        for process in started:
            _begin(process)
        yield started


@contextmanager
def _worker(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parent.parent,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def command(url: str, table: Path, dsn: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.child", "work", url, str(table), dsn]


def result(db: Database, provider: Server) -> Sent:
    moments = db.server.run(
        "SELECT started FROM chunks WHERE started IS NOT NULL ORDER BY started", database=db.name
    )
    doubts = db.asked("SELECT count(*) FROM chunks WHERE state IN ('sending', 'in doubt')")
    return Sent([moment for (moment,) in moments], doubts, *provider.times())


def unsent(db: Database) -> int:
    found: int = db.asked("SELECT count(*) FROM chunks WHERE state = 'planned'")
    return found


def scaling(setting: Setting) -> Iterable[Row]:
    """The same job over 1, 2 and 4 processes, in turn."""
    chunks, rounds = setting.pick(160, 600), setting.pick(1, 3)
    table = write_table(setting.folder / f"list-{chunks * CHUNK}.csv", chunks * CHUNK)
    found: dict[int, list[Sent]] = {1: [], 2: [], 4: []}
    with serve(setting.folder, LATENCY) as provider, server_of() as server:
        for _ in range(rounds):
            for count, runs in found.items():
                db = Database(server, server.create_database())
                provider.forget()
                made(db, provider, table)
                with workers([command(provider.url, table, db.dsn)] * count) as started:
                    for process in started:
                        process.wait()
                runs.append(result(db, provider))
                server.drop_database(db.name)
    twice = sum(run.twice for runs in found.values() for run in runs)
    one = [run.rate for run in found[1]]
    for count, goal in ((2, at_least(1.8)), (4, at_least(3.0))):
        rates = [run.rate for run in found[count]]
        ratios = [many / alone for many, alone in zip(rates, one, strict=True)]
        yield Row(
            f"one job over {count} workers, times the chunks a second of one",
            sorted(rates)[len(rates) // 2],
            sorted(one)[len(one) // 2],
            "a second",
            sorted(ratios)[len(ratios) // 2],
            (min(ratios), max(ratios)),
            goal,
            f"a provider that takes 200 ms lets each have {CEILING:.0f}; addresses mailed twice: "
            f"{twice}; {load()}",
        )


def killed(setting: Setting) -> Iterable[Row]:
    """Two workers, of which one is killed three times and started anew, beside one alone."""
    chunks = setting.pick(600, 1_600)
    table = write_table(setting.folder / f"list-{chunks * CHUNK}.csv", chunks * CHUNK)
    with serve(setting.folder, LATENCY) as provider, server_of() as server:
        runs = []
        for kills in (0, 3):
            db = Database(server, server.create_database())
            provider.forget()
            made(db, provider, table)
            ours = command(provider.url, table, db.dsn)
            began, left = time.monotonic(), chunks
            with workers([ours] * (2 if kills else 1)) as started, ExitStack() as stack:
                victim = started[-1]
                for n in range(1, kills + 1):
                    while unsent(db) > chunks * (4 - n) // 4 and victim.poll() is None:
                        time.sleep(0.05)
                    os.kill(victim.pid, signal.SIGKILL)
                    victim = stack.enter_context(_worker(ours))
                    _begin(victim)
                while left := unsent(db):
                    time.sleep(0.05)
                seconds = time.monotonic() - began
                time.sleep(1 + 2 * LATENCY)  # until what is under way has ended
            runs.append((seconds, result(db, provider)))
            assert not left
    (alone, _), (both, sent) = runs
    yield Row(
        "two workers, one killed three times, times as fast as one until all is sent",
        both,
        alone,
        "s wall",
        alone / both,
        (alone / both, alone / both),
        at_least(1.0),
        f"{sent.unknown} chunks were under way at the kills and are not sent again; addresses "
        f"mailed twice: {sent.twice}; {load()}",
    )


BENCHES = [Bench("workers-scaling", scaling), Bench("workers-killed", killed)]
