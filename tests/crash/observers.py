"""The other processes of daily life: they look on, join in, and order the same again.

Each repeats its turn in a process of its own; what mailkit says to it goes to the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import attrs

from mailkit import BulkSender, Journal, html_report, read_recipients, resolve
from mailkit.bulk.job import Job
from mailkit.bulk.journal import RowState
from mailkit.bulk.report import make_report
from mailkit.errors import JournalError

from .account import Account, look_into
from .life import Errand, engine, start_or_resume
from .processes import Forked, turns
from .sandbox import mailed, settle

__all__ = [
    "DISTURBING",
    "LOOK",
    "OBSERVERS",
    "Dashboard",
    "is_planned",
    "look",
    "look_into_dashboard",
    "observe",
]

LOOK = "looked"
PATIENCE = 0.5
"""Seconds before a person believes that what is not in the dashboard was not sent."""
HOURS = 2 * 3600.0
"""A person waits so long until nothing can be held up in the network any longer; see settle."""

Turn = Callable[[Errand, Random], None]


@attrs.frozen
class Dashboard:
    """What a person sees there: who was mailed, and with SendPulse the campaigns by their names."""

    mailed: Mapping[str, int]
    account: Account | None

    def has(self, label: str, address: str) -> bool:
        """Whether the service has the chunk of this label, in which this address is."""
        return address in self.mailed if self.account is None else self.account.has_campaign(label)


async def look_into_dashboard(errand: Errand) -> Dashboard:
    """What there is at this moment."""
    account = await look_into(errand.url) if errand.subject.name == "sendpulse" else None
    return Dashboard(mailed(errand.url), account)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Journal]:
    """The journal, opened and closed as ``mailkit status`` does."""
    journal = await Journal.open(path)
    try:
        yield journal
    finally:
        await journal.close()


def _status(errand: Errand, rng: Random) -> None:
    """``mailkit status``: every job's counts add up, or make_report raises JournalError."""

    async def turn() -> None:
        async with opened(errand.journal) as journal:
            for record in await journal.jobs.list():
                await make_report(journal, record.name)

    asyncio.run(turn())


def _report(errand: Errand, rng: Random) -> None:
    """``mailkit report`` as CSV and as a page: every row that was read is there."""

    async def turn() -> None:
        async with opened(errand.journal) as journal:
            for record in await journal.jobs.list():
                rows = 0
                async for some in journal.reports.rows(record):
                    rows += len(some)
                if rows != record.read:
                    raise JournalError(f"{rows} rows of {record.read} do not add up")
                await html_report(journal, record.name)

    asyncio.run(turn())


def _sitter(errand: Errand, rng: Random) -> None:
    """A web service that keeps the journal open for a while."""

    async def turn() -> None:
        async with opened(errand.journal) as journal:
            for _ in range(rng.randint(1, 10)):
                for record in await journal.jobs.list():
                    await make_report(journal, record.name)
                await asyncio.sleep(rng.uniform(0, 0.05))

    asyncio.run(turn())


async def _resume(sender: BulkSender, errand: Errand) -> Job:
    return await sender.resume(errand.job)


def _rival(errand: Errand, rng: Random) -> None:
    """A second ``mailkit resume``, which joins whoever sends the job, or goes on alone."""
    engine(errand, "rival", _resume)


def _linked(errand: Errand, rng: Random) -> None:
    """The same through a symbolic link of another name."""
    link = errand.journal.with_name("link-to-" + errand.journal.name)
    link.unlink(missing_ok=True)
    link.symlink_to(errand.journal)
    _rival(attrs.evolve(errand, journal=link), rng)


def _hard_linked(errand: Errand, rng: Random) -> None:
    """The same through a hard link in another folder."""
    folder = errand.journal.with_name("links-to-" + errand.journal.name)
    folder.mkdir(exist_ok=True)
    link = folder / "journal.db"
    link.unlink(missing_ok=True)
    os.link(errand.journal, link)
    try:
        _rival(attrs.evolve(errand, journal=link), rng)
    finally:
        link.unlink()
    time.sleep(rng.uniform(0.1, 0.5))


def _copied(errand: Errand, rng: Random) -> None:
    """The same with a copy of the journal, which must be refused."""
    copy = errand.journal.with_name("copy-of-" + errand.journal.name)
    for end in rng.choice((("",), ("", "-wal"), ("", "-wal", "-shm"))):
        with contextlib.suppress(FileNotFoundError):  # whoever closes it last removes it
            shutil.copyfile(f"{errand.journal}{end}", f"{copy}{end}")
    try:
        if engine(attrs.evolve(errand, journal=copy), "copied", _resume) != 1:
            errand.log.add("copied", "AssertionError", "a copy was used without a word")
    finally:
        for end in ("", "-wal", "-shm"):
            Path(f"{copy}{end}").unlink(missing_ok=True)


def _moved(errand: Errand, rng: Random) -> None:
    """Somebody moves the journal's file away, and back a moment later. Before anything was sent,
    a new one may be made in its place, which nobody would overwrite.
    """
    if not mailed(errand.url):
        return
    away = errand.journal.with_name("away-" + errand.journal.name)
    errand.journal.rename(away)
    time.sleep(rng.uniform(0, 0.03))
    away.rename(errand.journal)
    time.sleep(rng.uniform(0.1, 0.5))


def _resolver(errand: Errand, rng: Random) -> None:
    """A person who looks in the dashboard, and then says what became of each doubt."""

    async def turn() -> None:
        async with opened(errand.journal) as journal:
            for record in await journal.jobs.list():
                await _resolve(journal, record.name, errand)

    asyncio.run(turn())


async def _resolve(journal: Journal, job: str, errand: Errand) -> None:
    report = await make_report(journal, job)
    since = errand.clock.now() - PATIENCE * errand.clock.speed
    doubts = [one for one in report.doubts if one.started and one.started.timestamp() < since]
    if report.running or not doubts:
        return
    settle(errand.url)
    dashboard = await look_into_dashboard(errand)
    labels = {doubt.chunk: doubt.label for doubt in doubts}
    found: dict[int, bool] = {}
    record = await journal.jobs.get(job)
    async for rows in journal.reports.rows(record, states=[RowState.IN_DOUBT]):
        for row in rows:
            if row.chunk in labels:
                here = dashboard.has(labels[row.chunk], row.address)
                found[row.chunk] = found.get(row.chunk, False) or here
    clock = errand.clock.later(HOURS)
    for doubt in doubts:
        if doubt.chunk in found:
            await resolve(journal, job, doubt.label, accepted=found[doubt.chunk], clock=clock)


def _again(errand: Errand, rng: Random) -> None:
    """The same message to the same list: there must be no second job."""

    async def start(sender: BulkSender, errand: Errand) -> Job:
        name = rng.choice((None, errand.job))
        return await sender.start(errand.message, read_recipients(errand.list), name=name)

    if asyncio.run(is_planned(errand)) and engine(errand, "again", start) != 1:
        errand.log.add("again", "AssertionError", "the same was sent again without a word")


def _corrected(errand: Errand, rng: Random) -> None:
    """The same message to the same list with one row more, while the first job is under way."""
    if asyncio.run(is_planned(errand)):
        engine(errand.corrected, "corrected", start_or_resume)


def _second(errand: Errand, rng: Random) -> None:
    """Another job in the same journal, to other people."""
    engine(errand.second, "second", start_or_resume)


def _typed_status(errand: Errand, rng: Random) -> None:
    errand.command.run(errand.journal, "status")


def _typed_report(errand: Errand, rng: Random) -> None:
    errand.command.run(errand.journal, "report", errand.job, "--csv")


def _typed_resume(errand: Errand, rng: Random) -> None:
    errand.command.run(errand.journal, "resume", errand.job)


async def is_planned(errand: Errand) -> bool:
    """Whether the journal has the job."""
    if not errand.journal.exists():
        return False
    async with opened(errand.journal) as journal:
        return errand.job in {record.name for record in await journal.jobs.list()}


OBSERVERS: Mapping[str, Turn] = {
    "status": _status,
    "report": _report,
    "sitter": _sitter,
    "rival": _rival,
    "resolver": _resolver,
    "again": _again,
    "corrected": _corrected,
    "second": _second,
    "linked": _linked,
    "hard-linked": _hard_linked,
    "copied": _copied,
    "moved": _moved,
    "mailkit status": _typed_status,
    "mailkit report": _typed_report,
    "mailkit resume": _typed_resume,
}
DISTURBING = frozenset({"hard-linked", "moved"})
"""While these are about, anybody may be refused the journal, with a sentence."""


def observe(name: str, errand: Errand, seed: str) -> Forked:
    """Take these turns again and again, in a process of its own."""
    rng, often = Random(seed), errand.subject.looks_a_second

    def work() -> int:
        for _ in turns(lambda: rng.expovariate(often)):
            look(name, errand, rng)
        return 0

    return Forked(name, work)


def look(name: str, errand: Errand, rng: Random) -> None:
    """One turn of an observer; what it hears goes to the log."""
    if not errand.journal.exists():
        return  # as the command line, which makes a journal only for a send
    try:
        OBSERVERS[name](errand, rng)
    except Exception as error:  # noqa: BLE001 - anything but a MailkitError counts against it
        errand.log.error(name, error)
    else:
        errand.log.add(name, LOOK)
