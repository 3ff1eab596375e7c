"""The other processes of a made-up world: they look on, join in, and send a corrected list."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, cast

from mailkit import Job, Journal, Progress, html_report, read_recipients, resolve
from mailkit.bulk.journal import RowState
from mailkit.bulk.report import make_report
from mailkit.errors import JobExists, MailkitError

from ..bulk.report.pages import Page
from .vandals import VANDALS

if TYPE_CHECKING:
    from .world import World

__all__ = ["OBSERVERS", "SLOWEST", "observe", "start_or_resume", "verdicts"]

SLOWEST = 200.0
"""Seconds until a request that was held up has acted: so long a person waits before looking."""
WATCHES = 12
"""How often a job under way is looked at before the looks become more seldom."""


async def _status(world: World, journal: Journal) -> None:
    """Every job's counts add up, at every moment."""
    for record in await journal.jobs.list():
        counts = (await make_report(journal, record.name)).counts
        assert counts.accounted == counts.read, f"{record.name} does not add up: {counts}"


async def _report(world: World, journal: Journal) -> None:
    """Every row that was read is in the report, once, and in the sums of its page."""
    for record in await journal.jobs.list():
        ids: list[int] = []
        async for rows in journal.reports.rows(record):
            ids += (row.line for row in rows)
        assert len(ids) == len(set(ids)) == record.read
        Page.read(await html_report(journal, record.name)).check_sums()


async def _rival(world: World, journal: Journal) -> None:
    """A second worker of a job. In memory, no lock says who lives: it takes others for dead."""
    records = await journal.jobs.list()
    if records and world.rng.random() < 0.3:
        name = world.rng.choice(records).name
        async with world.sender(journal) as sender:
            await (await sender.resume(name)).wait()


async def _resolver(world: World, journal: Journal) -> None:
    """A person who looks at a doubt, waits, looks in the dashboard and says what was found."""
    for record in await journal.jobs.list():
        before = await make_report(journal, record.name)
        seen = {(one.label, one.started) for one in before.doubts}
        await asyncio.sleep(SLOWEST)
        report = await make_report(journal, record.name)
        found = await verdicts(world, journal, record.name)
        for doubt in report.doubts:
            if (doubt.label, doubt.started) in seen and doubt.chunk in found:
                accepted = found[doubt.chunk]
                await resolve(
                    journal, record.name, doubt.label, accepted=accepted, clock=world.clock
                )


async def _corrected(world: World, journal: Journal) -> None:
    """The same message to the same list with one row more, as a job of its own."""
    if "job" in {record.name for record in await journal.jobs.list()}:
        await start_or_resume(world, journal, "corrected")


OBSERVERS: Mapping[str, Callable[[World, Journal], Awaitable[None]]] = {
    "status": _status,
    "report": _report,
    "rival": _rival,
    "resolver": _resolver,
    "corrected": _corrected,
}


async def observe(world: World, name: str, happened: Counter[str]) -> None:
    """Open the journal, do something, close it, again and again, but ever more seldom; errors of
    mailkit's own pass.
    """
    pause = world.pause
    while True:
        await asyncio.sleep(world.rng.expovariate(1 / pause))
        pause *= 1.35
        if not world.disk.there:
            continue  # as the command line, which makes a journal only for a send
        try:
            if name in VANDALS:
                await VANDALS[name](world, happened)
            else:
                async with world.disk.opened() as journal:
                    await OBSERVERS[name](world, journal)
                happened[f"turns of {name}"] += 1
        except MailkitError:
            happened[f"refusals of {name}"] += 1


async def start_or_resume(world: World, journal: Journal, name: str) -> None:
    """Run a job's engine to its end."""
    async with world.sender(journal) as sender:
        try:
            job = await sender.start(world.message, read_recipients(world.lists[name]), name=name)
        except JobExists:
            job = await sender.resume(name)
        every = world.rng.choice((0.3, 3.0, 30.0))
        while not await _watched(world, job, len(world.lists[name]), every):
            every *= 4
        await job.wait()


async def _watched(world: World, job: Job, rows: int, every: float) -> bool:
    """Look at the job a few times, and perhaps stop it; whether its run has ended."""
    generator = cast("AsyncGenerator[Progress, None]", job.progress(every=every))
    async with contextlib.aclosing(generator) as looks:
        for _ in range(WATCHES):
            progress = await anext(looks)
            assert progress.counts.accounted == progress.counts.read == rows
            if progress.done:
                return True
            if world.rng.random() < 0.02:
                job.stop()
    return False


async def verdicts(world: World, journal: Journal, name: str) -> dict[int, bool]:
    """What a person finds of each chunk in doubt. One of none but addresses that the service
    forgets is given up: no response ever names them.
    """
    record = await journal.jobs.get(name)
    sent: dict[int, bool] = {}
    hopeless: dict[int, bool] = {}
    async for rows in journal.reports.rows(record, states=[RowState.IN_DOUBT]):
        for row in rows:
            n = row.chunk
            assert n is not None
            sent[n] = sent.get(n, False) or world.side.took(row.address)
            hopeless[n] = hopeless.get(n, True) and row.address.startswith(world.side.unnamed)
    return {n: was or hopeless[n] for n, was in sent.items()}
