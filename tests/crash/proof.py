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
from mailkit.core.clock import Clock

from .life import JOB, SENDERS, Death, Errand, live
from .subjects import ROWS_A_CHUNK, Kind, Subject

LATER = Clock(now=lambda: time.time() + 3600)
"""A person looks when nothing can be held up in the network any longer."""
KILLS = 5
RESETS = 2
"""Chunks whose answer is lost on the way, besides those whose process dies."""


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
def sandbox() -> Iterator[dict[str, str]]:
    """A sandbox in its own process: its address and the services' keys."""
    command = [sys.executable, "-m", "mailkit", "sandbox", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            settings = msgspec.json.decode(process.stdout.readline(), type=dict[str, str])
            yield {
                "url": settings["MAILKIT_SMSBY_URL"],
                "smsby": settings["MAILKIT_SMSBY_TOKEN"],
                "devino": settings["MAILKIT_DEVINO_API_KEY"],
            }
        finally:
            process.terminate()


def prove(seed: int, subject: Subject, place: dict[str, str], folder: Path, rows: int) -> Verdict:
    """Run the job of this seed, killed on its way, to an end that a person helped to."""
    rng = Random(seed)
    verdict = Verdict(seed)
    url = place["url"]
    ask(url, "reset", {})
    faults = [
        {"kind": "reset_after_acting", "after": rng.randint(0, 8), "times": RESETS},
        {"kind": "slow_answer", "seconds": 0.2},
    ]
    ask(url, "faults", [{"on": subject.operation, **fault} for fault in faults])
    table, journal = folder / f"{seed}.csv", folder / f"{seed}.db"
    people = write_list(table, rows, rng, subject)
    errand = Errand(subject, url, place[subject.name], table, journal)
    transitions = subject.transitions
    chosen = transitions[seed // 2 % len(transitions)]  # the provider may go by seed % 2
    for kill in range(KILLS):
        death = None
        if kill % 2 == 0:  # the job is planned after the first
            death = _death(rng, chosen if kill == 0 else rng.choice(subject.sending))
        if _live(errand, death, rng.uniform(0.1, 0.4)):
            break
        verdict.kills += 1
    while _report(journal) is None or _unsent(journal):
        _live(errand, None, None)
    asyncio.run(_judge(verdict, subject, journal, url, people))
    for path in folder.glob(f"{seed}.*"):
        path.unlink() if path.is_file() else None
    return verdict


def write_list(path: Path, rows: int, rng: Random, subject: Subject) -> dict[int, tuple[str, Kind]]:
    """A list with duplicates and addresses that get no letter: each line's address and kind."""
    people: dict[int, tuple[str, Kind]] = {}
    first = ""
    with path.open("w", encoding="utf-8") as file:
        file.write("email,name\n")
        for n in range(rows):
            chance = rng.random()
            address, kind = f"p{n}@example.com", Kind.GOOD
            if chance < 0.03:
                beginning = rng.choice(sorted(subject.strange))
                address, kind = f"{beginning}{n}@example.com", subject.strange[beginning]
            elif chance < 0.06:
                address, kind = "no-at-sign", Kind.MALFORMED
            elif chance < 0.1 and first:
                address, kind = first.upper(), Kind.DUPLICATE
            else:
                first = first or address
            people[n + 2] = address, kind
            file.write(f"{address},N{n}\n")
    return people


def ask(url: str, what: str, order: object = None) -> Any:
    """A control request to the sandbox."""
    data = None if order is None else msgspec.json.encode(order)
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/sandbox/{what}", data, headers)
    with urllib.request.urlopen(request) as answer:
        return msgspec.json.decode(answer.read())


def _death(rng: Random, transition: tuple[type, str]) -> Death:
    owner, name = transition
    often = 5 if name in ("take", "accept", "reconcile") else 1
    return Death(owner, name, rng.randint(1, often), rng.random() < 0.5)


def _live(errand: Errand, death: Death | None, after: float | None) -> bool:
    """A life in a forked process; True if it came to its end. Without a Death it is killed
    ``after`` so many seconds, if that is not None.
    """
    pid = os.fork()
    if pid == 0:
        live(errand, death)
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


async def _judge(
    verdict: Verdict, subject: Subject, path: Path, url: str, people: dict[int, tuple[str, Kind]]
) -> None:
    truth = ask(url, "truth?full=1")
    mailed: dict[str, int] = truth["mailed"]
    journal = await Journal.open(path)
    try:
        report = await make_report(journal, JOB)
        verdict.doubts, verdict.rows_in_doubt = len(report.doubts), report.counts.in_doubt
        unnamed = sum(kind is Kind.UNNAMED for _, kind in people.values())
        allowed = (verdict.kills * SENDERS + RESETS) * ROWS_A_CHUNK + unnamed
        verdict.too_many_doubts = max(0, report.counts.in_doubt - allowed)
        record = await journal.jobs.get(JOB)
        doubtful: dict[int, bool] = {}
        async for rows in journal.accounts.rows(record, running=False, states=["in doubt"]):
            for row in rows:
                assert row.chunk is not None
                doubtful[row.chunk] = doubtful.get(row.chunk, False) or row.address in mailed
        for chunk, sent in doubtful.items():
            await resolve(journal, JOB, chunk, accepted=sent, clock=LATER)
        async for rows in journal.accounts.rows(record, running=False):
            for row in rows:
                address, kind = people.pop(row.line)
                right = subject.right(row, kind, row.address in mailed)
                verdict.wrong_ends += row.address.lower() != address.lower() or not right
                good = kind is Kind.GOOD and row.state != "unsent"
                verdict.lost += good and row.address not in mailed
        verdict.lost += len(people)  # lines that have no row
        verdict.mailed_twice = truth["mailed_twice"]
    finally:
        await journal.close()
