"""One seed, played to its end: whatever happens, nobody is mailed twice and nobody is lost."""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Coroutine

from mailkit import Journal, Report, read_recipients, resolve
from mailkit.bulk.journal import RowRecord
from mailkit.bulk.report import make_report
from mailkit.errors import InvalidArgument, JobExists, MailkitError

from .network import Died
from .world import World

LIVES = 40


def play(seed: int) -> Counter[str]:
    """Run the world of this seed; AssertionError if the promise is broken. Counts what happened."""
    world = World(seed)
    happened: Counter[str] = Counter()
    try:
        report: Report | None = None
        for life in range(LIVES):
            if world.rng.random() < 0.6 and life < 6:
                world.dies_after = world.commits + world.rng.randint(1, 60)
            _live(world, _start_or_resume(world, happened), happened)
            world.dies_after = 0
            report = _live(world, _look(world), happened)
            if report is not None:
                _check(world, report)
                if report.complete and not report.unreconciled:
                    break
                if not report.counts.unsent:
                    _live(world, _end_doubts(world, report, happened), happened)
        assert report is not None
        assert report.complete, report
        _check_end(world, report, happened)
        failures = [one for one in world.loop.failures if not isinstance(one, Died)]
        assert not failures, failures
    finally:
        world.loop.close()
        if world.disk.db is not None:
            world.disk.db.close()
    return happened


def attempt(seed: int) -> tuple[int, Counter[str] | str]:
    """What happened in the world of this seed, or the traceback of the broken promise."""
    try:
        return seed, play(seed)
    except Exception:  # noqa: BLE001 - whatever it is, it is told with its seed
        return seed, traceback.format_exc()


def _live(
    world: World, work: Coroutine[object, object, Report | None], happened: Counter[str]
) -> Report | None:
    """A process's life: to the end of its work, or to its death."""
    life = world.life
    asyncio.set_event_loop(world.loop)
    task = world.loop.create_task(work)
    try:
        return world.loop.run_until_complete(task)
    except (asyncio.CancelledError, Died):
        happened["kills"] += 1
        return None
    except MailkitError:
        return None
    finally:
        asyncio.set_event_loop(None)
        if world.life == life:
            world.life += 1
        left = world.loop.tasks()
        for other in left:
            other.cancel()
        if left:
            world.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


async def _open(world: World) -> Journal:
    return await Journal.open(":memory:", executor=world.disk.executor)


async def _start_or_resume(world: World, happened: Counter[str]) -> None:
    journal = await _open(world)
    async with world.sender(journal) as sender:
        try:
            job = await sender.start(world.message, read_recipients(world.people), name="job")
        except JobExists:
            job = await sender.resume("job")
        if world.rng.random() < 0.1:
            happened["second engines"] += 1
            await asyncio.sleep(world.rng.expovariate(2))
            async with world.sender(journal) as other:
                await (await other.resume("job")).wait()
        async for progress in job.progress(every=world.rng.uniform(0.1, 5)):
            assert progress.counts.accounted == progress.counts.read == world.count
            if world.rng.random() < 0.02:
                happened["stops"] += 1
                job.stop()
        await job.wait()


async def _look(world: World) -> Report | None:
    journal = await _open(world)
    await asyncio.sleep(200)  # until requests that were slow have acted
    try:
        report = await make_report(journal, "job")
    except InvalidArgument:
        return None  # it died while planning
    record = await journal.jobs.get("job")
    async for rows in journal.accounts.rows(record, running=False, states=["accepted", "rejected"]):
        for row in rows:
            _check_row(world, row)
    return report


def _check_row(world: World, row: RowRecord) -> None:
    mailed, side = world.truth.count(row.address) > 0, world.side
    if row.state == "rejected":
        assert not mailed, f"{row.address} was mailed, but counts as rejected"
        assert row.address.startswith(side.refused), f"nobody rejected {row.address}"
    elif not mailed:
        assert row.address.startswith(side.never), f"{row.address} was never mailed"
        told = side.unnamed + (side.refused if side.tells_at_once else ())
        known = row.address.startswith(told)
        assert not known or row.reason == "resolved by a person", f"{row.address} was not taken"


async def _end_doubts(world: World, report: Report, happened: Counter[str]) -> None:
    """The person who looks into the panel: the truth by chunks, or for single rows.

    A chunk of none but addresses that the service forgets is given up: no answer ever names them.
    """
    journal = await _open(world)
    record = await journal.jobs.get("job")
    took: dict[int, bool] = {}
    hopeless: dict[int, bool] = {}
    async for rows in journal.accounts.rows(record, running=False, states=["in doubt"]):
        for row in rows:
            n = row.chunk
            assert n is not None
            took[n] = took.get(n, False) or world.truth.count(row.address) > 0
            hopeless[n] = hopeless.get(n, True) and row.address.startswith(world.side.unnamed)
    for n, was_sent in took.items():
        happened["doubts"] += 1
        accepted = was_sent or hopeless[n]
        await resolve(journal, "job", n, accepted=accepted, clock=world.clock)


def _check(world: World, report: Report) -> None:
    counts = report.counts
    assert counts.accounted == counts.read == world.count
    twice = {address: n for address, n in world.mailed().items() if n > 1}
    assert not twice, f"mailed twice: {twice}"
    assert counts.accepted <= sum(world.mailed().values()) + _unmailable(world)
    if world.quota is not None:
        for network in world.networks:
            for n, at in enumerate(network.arrivals):
                window = [one for one in network.arrivals[n:] if one < at + world.quota.per_seconds]
                assert len(window) <= world.quota.limit, "the quota was exceeded"


def _check_end(world: World, report: Report, happened: Counter[str]) -> None:
    good = {one["email"] for one in world.people if not one["email"].startswith(world.side.never)}
    assert set(world.mailed()) == good, "somebody was lost"
    happened[f"worlds of {world.side.name}"] += 1
    happened["rows"] += world.count
    happened["commits"] += world.commits
    happened["made-up seconds"] += round(world.loop.now)
    happened["rejected"] += report.counts.rejected
    happened["requests"] += sum(len(network.arrivals) for network in world.networks)


def _unmailable(world: World) -> int:
    return sum(one["email"].startswith(world.side.never) for one in world.people)
