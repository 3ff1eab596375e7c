"""One seed, played to its end: whatever happens, nobody is mailed twice and nobody is lost."""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections import Counter
from collections.abc import Coroutine, Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import attrs

from mailkit import Quota, Report, resolve
from mailkit.bulk.journal import RowRecord, RowState
from mailkit.bulk.report import make_report
from mailkit.core import lateness
from mailkit.errors import InvalidArgument
from mailkit.events import DeliveryStatus
from mailkit.webhooks import calling

from ..outcomes import SUPPRESSING, truth_of
from .observers import SLOWEST, observe, start_or_resume, verdicts
from .process import Died
from .sides import LEAVE
from .vandals import Backup
from .webhooks import RECEIVER, Postman
from .world import SPOILED, World

LOG = logging.getLogger("mailkit.webhooks")
RESOLVED = "resolved by a person"
LIVES = 40
CALM = 8
"""After so many lives the others have gone, so that the job comes to its end."""


def play(seed: int) -> Counter[str]:
    """Run the world of this seed; AssertionError if the promise is broken. Counts what happened."""
    world = World(seed)
    happened: Counter[str] = Counter()
    made_up = SimpleNamespace(monotonic=lambda: world.loop.now)
    try:
        with (
            patch.multiple(lateness, time=made_up, _BOOT=None),
            patch.object(LOG, "disabled", True),
            patch.object(calling, "SystemRandom", lambda: world.rng),
        ):
            _play(world, happened)
    finally:
        world.close()
    return happened


def _play(world: World, happened: Counter[str]) -> None:
    for name in world.others:
        world.begin(name, observe(world, name, happened))
    if world.restored is not None:
        _play_until_restored(world, world.restored, happened)
    else:
        _play_to_the_end(world, happened)
    _end_all(world)
    failures = [one for one in world.loop.failures if not isinstance(one, Died)]
    assert not failures, failures
    happened[f"worlds of {world.side.name}"] += 1
    happened["commits"] += world.commits
    happened["made-up seconds"] += round(world.loop.now)
    happened["requests"] += sum(len(network.arrivals) for network in world.networks)
    if world.postman is not None:
        happened.update(world.postman.happened)


def attempt(seed: int) -> tuple[int, Counter[str] | str]:
    """What happened in the world of this seed, or the traceback of the broken promise."""
    try:
        return seed, play(seed)
    except Exception:  # noqa: BLE001 - whatever it is, it is told with its seed
        return seed, traceback.format_exc()


def _play_to_the_end(world: World, happened: Counter[str]) -> None:
    looks: dict[str, _Look] = {}
    for life in range(LIVES):
        _others(world, life, happened)
        if life and world.rng.random() < 0.5:
            world.side.pay()
        for name in world.jobs:
            _live(world, name, happened, mortal=life < CALM)
        looks = {}
        for name in world.jobs:
            look = _alone(world, _look(world, name))
            if look is not None:
                _check(world, look.report, name)
                looks[name] = look
        if len(looks) == len(world.jobs):
            if all(look.done for look in looks.values()):
                break
            heard = world.postman is not None and world.rng.random() < 0.5
            if heard and world.postman is not None:
                _alone(world, world.postman.emptied())
            if heard and not world.side.settles:
                _alone(world, _check_doubts(world))
            forged = world.postman is not None and life >= CALM  # a riddle only a person can solve
            if forged or not world.side.settles:
                _alone(world, _end_doubts(world, looks, happened))
    assert len(looks) == len(world.jobs), "a job vanished"
    assert all(look.done for look in looks.values()), looks
    if world.postman is not None:
        looks = _hear_everything(world, world.postman)
    _alone(world, _check_suppressed(world))
    _check_end(world)
    happened["rows"] += world.count
    happened["rejected"] += sum(look.report.counts.rejected for look in looks.values())


def _hear_everything(world: World, postman: Postman) -> dict[str, _Look]:
    """The others have gone, and the receiver lives until all is told."""
    _end_all(world)
    postman.calm_down()
    _alone(world, postman.emptied())
    _alone(world, postman.handled())
    looks = {name: _alone(world, _look(world, name)) for name in world.jobs}
    for name, look in looks.items():
        _check(world, look.report, name)
        assert look.done, f"{name} was done before the last events: {look}"
    _alone(world, _check_deliveries(world))
    return looks


def _play_until_restored(world: World, how: str, happened: Counter[str]) -> None:
    """The journal is put back from a backup: from then on, nobody is mailed."""
    backup: Backup | None = None
    for life in range(world.rng.randint(2, 4)):
        if world.disk.there and (backup is None or world.rng.random() < 0.5):
            backup = Backup(world)
        _others(world, life, happened)
        _live(world, "job", happened, mortal=True)
    if backup is None:
        return
    if world.postman is not None:
        world.postman.close()
    _end_all(world)
    world.loop.run_until_complete(asyncio.sleep(SLOWEST))  # requests that were held up have acted
    world.disk.close()
    if backup.accepted == world.side.accepted:
        return  # nothing was sent since
    backup.restore(how)
    happened[f"restored with {how}"] += 1
    accepted = world.side.accepted
    if world.postman is not None:
        world.postman = Postman(world)
        world.postman.look()
    for _ in range(3):
        _live(world, "job", happened, mortal=False)
    _check_mailed(world)
    assert world.side.accepted == accepted, f"the journal was used after {how}"


def _end_all(world: World) -> None:
    for process in list(world.processes):
        world.end(process)


def _others(world: World, life: int, happened: Counter[str]) -> None:
    """Those who look on and join in: some are killed, and come back; at last all are gone."""
    for process in list(world.processes):
        if process.failure is not None:
            raise process.failure
        if process.name == RECEIVER:  # it comes back by itself
            if world.rng.random() < 0.2:
                world.end(process)
        elif life >= CALM or (
            process.name not in ("moved", "hard-linked") and world.rng.random() < 0.1
        ):
            world.end(process)
            if life < CALM:
                world.begin(process.name, observe(world, process.name, happened))


def _live(world: World, name: str, happened: Counter[str], *, mortal: bool) -> None:
    """A process that starts or resumes a job: to the end of its work, or to its death."""
    process, task = world.begin("engine", _engine(world, name))
    if mortal and world.stepped:
        world.set_clock()
        happened["clocks set"] += 1
    if mortal and world.rng.random() < 0.6:
        process.dies(world.rng.randint(1, world.side.commits), before=world.rng.random() < 0.5)
    _finish(world, task)
    happened["kills"] += not process.alive
    world.end(process)


async def _engine(world: World, name: str) -> None:
    async with world.disk.opened() as journal:
        await start_or_resume(world, journal, name)


def _alone(world: World, work: Coroutine[Any, Any, Any]) -> Any:
    """Run a process to its end, and return what its work does."""
    process, task = world.begin("look", work)
    result = _finish(world, task)
    world.end(process)
    return result


def _finish(world: World, task: asyncio.Task[Any]) -> Any:
    asyncio.set_event_loop(world.loop)
    try:
        return world.loop.run_until_complete(task)
    except asyncio.CancelledError:
        return None
    finally:
        asyncio.set_event_loop(None)


@attrs.frozen
class _Look:
    """A report, and how many rows may still be mailed: a job of none but rows that the service
    refuses stops, for nobody can tell whether they or the account are meant.
    """

    report: Report
    to_come: int

    @property
    def done(self) -> bool:
        report = self.report
        return not (self.to_come or report.counts.in_doubt or report.unreconciled)


async def _look(world: World, name: str) -> _Look | None:
    async with world.disk.opened() as journal:
        await asyncio.sleep(SLOWEST)
        try:
            report = await make_report(journal, name)
        except InvalidArgument:
            return None  # it died while planning
        record = await journal.jobs.get(name)
        to_come = 0
        async for rows in journal.reports.rows(record):
            for row in rows:
                to_come += row.state == "unsent" and not row.address.startswith(world.refusable)
                _check_row(world, row)
        return _Look(report, to_come)


def _check_row(world: World, row: RowRecord) -> None:
    side = world.side
    mailed = side.took(row.address)
    if row.state == "rejected":
        out = side.left_out(row.address)
        assert out or not mailed, f"{row.address} was mailed, but counts as rejected"
        if not (out or row.address.startswith(world.refusable)):
            world.condemned.add(row.address)
            assert len(world.condemned) <= world.condemnable, f"nobody rejected {row}"
    elif row.state == "suppressed":
        assert row.address.startswith((*side.opted_out, *LEAVE)), f"nobody opted {row} out"
    elif row.state == "accepted" and not mailed:
        never = (SPOILED, *side.never)
        assert row.address.startswith(never), f"{row.address} was never mailed"
        told = side.unnamed + (side.refused if side.tells_at_once else ())
        known = row.address.startswith(told)
        assert not known or row.reason == RESOLVED, f"{row.address} was not taken"


async def _check_doubts(world: World) -> None:
    """Of nobody who is in doubt has anything been said, by events that name their rows."""
    told = truth_of(world.side.service.outcomes(world.side.now()))
    async with world.disk.opened() as journal:
        for name in world.jobs:
            record = await journal.jobs.get(name)
            async for rows in journal.reports.rows(record, states=[RowState.IN_DOUBT]):
                known = [row.address for row in rows if row.address in told]
                assert not known, f"{known} are in doubt, although events tell of them"


async def _check_deliveries(world: World) -> None:
    """Whoever got an email is accepted in one job, with the last that became of it. A person's word
    names no campaign, so of what that became nothing is known.
    """
    accepted: list[tuple[str, DeliveryStatus | None]] = []
    unknown: set[str] = set()
    async with world.disk.opened() as journal:
        for name in world.jobs:
            async for rows in journal.reports.rows(await journal.jobs.get(name)):
                for row in rows:
                    if row.state == RowState.ACCEPTED:
                        accepted.append((row.address, row.delivery))
                        if world.side.settles and row.reason == RESOLVED:
                            unknown.add(row.address)
    outcomes = truth_of(world.side.service.outcomes(math.inf))
    truth = sorted((address, end) for address, end in outcomes.items() if address not in unknown)
    told = sorted(one for one in accepted if one[0] in outcomes and one[0] not in unknown)
    assert told == truth, set(told) ^ set(truth)


async def _check_suppressed(world: World) -> None:
    """Suppressed are those of our rows that bounced hard, left or complained, and nobody else."""
    gone: set[str] = set()
    async with world.disk.opened() as journal:
        for name in world.jobs:
            async for rows in journal.reports.rows(await journal.jobs.get(name)):
                gone |= {row.address for row in rows if row.delivery in SUPPRESSING}
        suppressed = {one.address async for one in journal.suppressions.list()}
    assert suppressed == gone, suppressed ^ gone


async def _end_doubts(world: World, looks: dict[str, _Look], happened: Counter[str]) -> None:
    """The person who looks in the dashboard."""
    async with world.disk.opened() as journal:
        for name, look in looks.items():
            if look.to_come:
                continue
            for chunk, accepted in (await verdicts(world, journal, name)).items():
                happened["doubts"] += 1
                await resolve(journal, name, chunk, accepted=accepted, clock=world.clock)


def _check(world: World, report: Report, name: str) -> None:
    counts = report.counts
    assert counts.accounted == counts.read == len(world.lists[name])
    assert counts.accepted <= world.side.emails + _unmailable(world)
    _check_mailed(world)


def _check_mailed(world: World) -> None:
    twice = {address: n for address, n in world.mailed().items() if n > 1}
    assert not twice, f"mailed twice: {twice}"
    world.side.check()
    for quota, times in _counted(world):
        for n, at in enumerate(times):
            window = [one for one in times[n:] if one < at + quota.per_seconds]
            assert len(window) <= quota.limit, f"the quota of {quota} was exceeded"


def _counted(world: World) -> Iterator[tuple[Quota, list[float]]]:
    """Each quota, with the times at which its requests arrived, of all processes together."""
    arrivals = sorted(one for network in world.networks for one in network.arrivals)
    if world.quota is not None:
        yield world.quota, [at for at, _ in arrivals]
    for quota, operation in world.side.quotas():
        yield quota, [at for at, what in arrivals if what == operation]


def _check_end(world: World) -> None:
    people = {one["email"]: one["name"] for name in world.jobs for one in world.lists[name]}
    never, mailed = (SPOILED, *world.side.never), set(world.mailed())
    good = {
        address
        for address in people
        if not address.startswith(never) and (address in mailed or not world.side.left_out(address))
    }
    assert mailed == good - world.condemned, "somebody was lost"
    personal = "{{ name }}" in world.message.subject + (world.message.html or "")
    for email in world.truth.kept:
        assert not personal or people[email.address] in email.body, f"not their values: {email}"


def _unmailable(world: World) -> int:
    return sum(one["email"].startswith(world.side.never) for one in world.people)
