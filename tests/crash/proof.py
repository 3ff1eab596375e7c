"""A job that is killed five times, and what the service knows of it in the end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import attrs
import msgspec

from mailkit import Journal, Report, resolve
from mailkit.bulk.report import make_report

from .life import JOB, ROWS_A_CHUNK, SENDERS, TRANSITIONS, Death, live

KILLS = 5


@attrs.define
class Verdict:
    """What went wrong in a job, which should be nothing, and how often it was in doubt."""

    seed: int
    kills: int = 0
    doubts: int = 0
    rows_in_doubt: int = 0
    mailed_twice: int = 0
    lost: int = 0
    wrong_ends: int = 0
    too_many_doubts: int = 0

    @property
    def good(self) -> bool:
        return not (self.mailed_twice or self.lost or self.wrong_ends or self.too_many_doubts)


@contextmanager
def sandbox() -> Iterator[tuple[str, str]]:
    """A sandbox in its own process: its address and its token."""
    command = [sys.executable, "-m", "mailkit", "sandbox", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            settings = msgspec.json.decode(process.stdout.readline(), type=dict[str, str])
            yield settings["MAILKIT_SMSBY_URL"], settings["MAILKIT_SMSBY_TOKEN"]
        finally:
            process.terminate()


def prove(seed: int, url: str, token: str, folder: Path, rows: int) -> Verdict:
    """Run the job of this seed, killed on its way, to an end that a person helped to."""
    rng = Random(seed)
    verdict = Verdict(seed)
    ask(url, "reset", {})
    ask(url, "faults", {"kind": "slow_answer", "on": "smsby.bulk.send", "seconds": 0.2})
    table, journal = folder / f"{seed}.csv", folder / f"{seed}.db"
    good, refused = write_list(table, rows, rng)
    chosen = TRANSITIONS[seed % len(TRANSITIONS)]
    for kill in range(KILLS):
        death = _death(rng, chosen, kill) if kill % 2 == 0 else None
        if _live(url, token, table, journal, death, rng.uniform(0.1, 0.4)):
            break
        verdict.kills += 1
    while _report(journal) is None or _unsent(journal):
        _live(url, token, table, journal, None, None)
    asyncio.run(_judge(verdict, journal, url, good, refused))
    for path in folder.glob(f"{seed}.*"):
        path.unlink() if path.is_file() else None
    return verdict


def write_list(path: Path, rows: int, rng: Random) -> tuple[set[str], set[str]]:
    """A list with duplicates and wrong addresses; who must be mailed, and who is refused."""
    good, refused = set[str](), set[str]()
    with path.open("w", encoding="utf-8") as file:
        file.write("email,name\n")
        for n in range(rows):
            kind = rng.random()
            address = f"p{n}@example.com"
            if kind < 0.03:
                address = f"invalid{n}@example.com"
                refused.add(address)
            elif kind < 0.06:
                address = "no-at-sign"
            elif kind < 0.1 and good:
                address = min(good).upper()
            else:
                good.add(address)
            file.write(f"{address},N{n}\n")
    return good, refused


def ask(url: str, what: str, order: object = None) -> Any:
    """A control request to the sandbox."""
    data = None if order is None else msgspec.json.encode(order)
    with urllib.request.urlopen(f"{url}/sandbox/{what}", data=data) as answer:
        return msgspec.json.decode(answer.read())


def _death(rng: Random, chosen: tuple[type, str], kill: int) -> Death:
    owner, name = chosen if kill == 0 else rng.choice(TRANSITIONS[-4:])  # planned by then
    often = 5 if name in ("take", "accept", "reconcile") else 1
    return Death(owner, name, rng.randint(1, often), rng.random() < 0.5)


def _live(
    url: str, token: str, table: Path, journal: Path, death: Death | None, after: float | None
) -> bool:
    """A life in a forked process; True if it came to its end. Without a Death it is killed
    ``after`` so many seconds, if that is not None.
    """
    pid = os.fork()
    if pid == 0:
        live(url, token, table, journal, death)
    deadline = None if death is not None or after is None else time.monotonic() + after
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if deadline is not None and time.monotonic() >= deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise AssertionError("a life ended with an error")
    return os.WIFEXITED(status)


def _report(path: Path) -> Report | None:
    async def look() -> Report | None:
        journal = await Journal.open(path)
        try:
            return await make_report(journal, JOB) if await _planned(journal) else None
        finally:
            await journal.close()

    return asyncio.run(look())


async def _planned(journal: Journal) -> bool:
    return any(record.name == JOB for record in await journal.jobs.list())


def _unsent(path: Path) -> int:
    report = _report(path)
    assert report is not None
    assert report.counts.accounted == report.counts.read
    return report.counts.unsent or report.unreconciled


async def _judge(verdict: Verdict, path: Path, url: str, good: set[str], refused: set[str]) -> None:
    truth = ask(url, "truth?full=1")
    mailed: dict[str, int] = truth["mailed"]
    journal = await Journal.open(path)
    try:
        report = await make_report(journal, JOB)
        verdict.doubts, verdict.rows_in_doubt = len(report.doubts), report.counts.in_doubt
        allowed = verdict.kills * SENDERS * ROWS_A_CHUNK
        verdict.too_many_doubts = max(0, report.counts.in_doubt - allowed)
        record = await journal.jobs.get(JOB)
        doubtful: dict[int, bool] = {}
        async for rows in journal.accounts.rows(record, running=False, states=["in doubt"]):
            for row in rows:
                assert row.chunk is not None
                sent = doubtful.get(row.chunk, False) or row.address in mailed
                doubtful[row.chunk] = sent
        for chunk, sent in doubtful.items():
            await resolve(journal, JOB, chunk, accepted=sent)
        async for rows in journal.accounts.rows(record, running=False):
            for row in rows:
                right = {
                    "accepted": row.address in mailed or row.address in refused,
                    "rejected": row.address in refused,
                    "unsent": row.address not in mailed,
                    "invalid": row.address == "no-at-sign",
                    "duplicate": row.address.lower() in good,
                }
                verdict.wrong_ends += not right.get(row.state, False)
        unsent = {
            row.address
            async for rows in journal.accounts.rows(record, running=False, states=["unsent"])
            for row in rows
        }
        verdict.mailed_twice = truth["mailed_twice"]
        verdict.lost = len(good - mailed.keys() - unsent)
    finally:
        await journal.close()
