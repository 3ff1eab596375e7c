"""What ended jobs hold about people goes, and the promise stays."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailkit.bulk.journal import Chosen, Journal, PruneResult, RowState
from mailkit.bulk.journal import pruning as pruning_module
from mailkit.bulk.journal.store import Connection
from mailkit.bulk.report import make_report
from mailkit.bulk.report.table import csv_report
from mailkit.errors import InvalidArgument, JobExists, JournalError
from mailkit.events import DeliveryStatus

from .counted import checked
from .fakes import FakeProvider, people
from .jobs import at, in_each, planned, stored, take
from .test_elsewhere import ends, rows_of, send
from .test_elsewhere import planned as plan
from .test_forgetting import UNSUBSCRIBED, accepted, everything

DAY = 86400.0
LATER = 100 * DAY


@pytest.fixture(params=["memory", "PostgreSQL"])
async def journal(request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
    async with in_each(request) as opened:
        yield opened


async def prune(journal: Journal, *, dry_run: bool = False) -> PruneResult:
    """Of all that ended before now."""
    return await journal.pruning.prune(LATER, now=LATER, dry_run=dry_run)


async def names(journal: Journal) -> list[str]:
    return [job.name for job in (await prune(journal)).jobs]


async def test_a_pruned_job_keeps_its_counts_and_nobody(journal: Journal) -> None:
    await journal.suppressions.add(["gone@example.com"], reason="asked", now=1.0)
    rows = [*people(5), "p0@example.com", "nobody at all", "gone@example.com"]
    job = await planned(journal, rows, chunk=3)
    await accepted(journal, job, rejected={2: "p1@example.com: no such mailbox"})
    ticket = (await take(journal, job)).ticket
    await journal.chunks.reject(job, ticket, 3.0, "p3@example.com is bad")
    await journal.workers.leave(job)
    before = await journal.reports.counts(job)
    result = await prune(journal)
    assert ([(one.name, one.rows) for one in result.jobs], result.rows) == ([("a", 8)], 8)
    assert await journal.reports.counts(job) == before
    assert await stored(journal, job) == 8
    assert (await journal.jobs.get("a")).pruned == LATER
    text = await everything(journal)
    for word in ("p0@", "p1@", "p3@", "nobody at all", "no such mailbox", '["1"]'):
        assert word not in text
    assert [row.state for row in await rows_of(journal, "a")].count(RowState.REJECTED) == 3
    await checked(journal)
    assert (await prune(journal)).jobs == []


async def test_nobody_is_mailed_twice_after_it(journal: Journal) -> None:
    provider = FakeProvider()
    await send(journal, provider, people(5), "m1")
    await journal.pruning.prune(4e9, now=4e9)
    with pytest.raises(JobExists):
        await send(journal, provider, people(5), "m2")
    report = await send(journal, provider, [*people(6), "P2@example.com"], "m2")
    assert report.elsewhere == {"already sent by job m1": 5}
    assert provider.mailed == dict.fromkeys(people(6), 1)
    await send(journal, provider, people(5), "m3", again=True)
    assert provider.mailed["p0@example.com"] == 2
    await checked(journal)


async def test_only_old_jobs_that_have_ended_are_pruned(journal: Journal) -> None:
    jobs = {name: await planned(journal, people(2), name) for name in "abcdef"}
    await accepted(journal, jobs["a"])
    await accepted(journal, jobs["b"], "77")  # still looked for
    await journal.chunks.doubt(jobs["c"], (await take(journal, jobs["c"])).ticket, 3.0, "reset")
    await accepted(journal, jobs["d"])  # somebody is at work on it
    await accepted(journal, jobs["f"])
    await journal._db.write(lambda db: db.execute("UPDATE chunks SET ended = 1e9 WHERE job = 6"))
    for name in "abcef":
        await journal.workers.leave(jobs[name])
    before = await everything(journal)
    found = await prune(journal, dry_run=True)
    assert await everything(journal) == before
    assert await prune(journal) == found
    assert [job.name for job in found.jobs] == ["a"]
    assert found.kept == [*"bcde"]
    assert (await rows_of(journal, "f"))[0].address == "p0@example.com"


async def test_a_cancelled_job_is_pruned_and_not_restored(journal: Journal) -> None:
    job = await planned(journal, people(4))
    await accepted(journal, job)
    await journal.cancelling.cancel(job, 4.0)
    await journal.workers.leave(job)
    assert await names(journal) == ["a"]
    with pytest.raises(InvalidArgument, match="the job a was pruned"):
        await journal.cancelling.restore(job)
    assert await ends(journal, "a") == ["accepted", "accepted", "unsent", "unsent"]


async def test_rejected_rows_of_a_pruned_job_are_not_planned_again(journal: Journal) -> None:
    job = await planned(journal, people(2))
    await accepted(journal, job, rejected={1: "bad"})
    await journal.workers.leave(job)
    await prune(journal)
    with pytest.raises(InvalidArgument, match="the job a was pruned"):
        await journal.resolving.again(job, Chosen())


async def test_rows_that_are_left_to_other_jobs_are_known_by_codes_on_either_side(
    journal: Journal,
) -> None:
    provider = FakeProvider()
    first = await plan(journal, people(4), "m1", provider=FakeProvider(chunk_rows=2))
    await accepted(journal, first)
    await send(journal, provider, people(5), "m2")
    await journal.workers.leave(first)

    async def left() -> list[tuple[str, int, bool]]:
        others = (await make_report(journal, "m2")).others
        return [(other.name, other.unsent, other.cancelled) for other in others]

    assert await left() == [("m1", 2, False)]
    assert (await journal.pruning.prune(4e9, now=4e9)).kept == ["m1"]
    assert await left() == [("m1", 2, False)]  # m2 has codes now
    await journal.cancelling.cancel(first, 4.0)
    assert await left() == [("m1", 2, True)]
    assert len((await journal.pruning.prune(4e9, now=4e9)).jobs) == 1
    assert await left() == [("m1", 2, True)]  # and so has m1
    await send(journal, provider, people(3)[2:], "m3")
    assert provider.mailed == {"p4@example.com": 1, "p2@example.com": 1}
    assert await left() == [("m1", 1, True)]


async def test_an_event_about_a_pruned_row_still_suppresses(journal: Journal) -> None:
    job = await planned(journal, people(2))
    taken = await accepted(journal, job)
    await journal.workers.leave(job)
    await prune(journal)
    token = taken.task.token(taken.task.rows[1])
    event = attrs.evolve(UNSUBSCRIBED, token=token, address="p1@example.com")
    assert (await journal.events.record([event], now=LATER)).applied == 1
    assert (await journal.reports.deliveries(job)) == {DeliveryStatus.UNSUBSCRIBED: 1}
    await planned(journal, people(2), "later")
    assert await ends(journal, "later") == ["unsent", "suppressed"]
    await checked(journal)


async def test_what_was_cut_off_is_done_the_next_time(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning_module, "ROWS_A_COMMIT", 2)
    job = await planned(journal, people(6), chunk=6)
    await accepted(journal, job)
    await journal.workers.leave(job)
    write, writes = journal._db.write, iter(range(99))

    async def dies(run: Callable[[Connection], object], **how: Any) -> object:
        if next(writes) == 4:
            raise JournalError("cut off")
        return await write(run, **how)

    monkeypatch.setattr(journal._db, "write", dies)
    with pytest.raises(JournalError):
        await prune(journal)
    rows = [row.address for row in await rows_of(journal, "a")]
    assert "p5@example.com" in rows
    assert "p0@example.com" not in rows
    half = await journal.jobs.get("a")
    assert (half.pruned, half.is_pruned) == (LATER, False)
    await planned(journal, ["x@b.by"], "other")  # jobs are planned meanwhile
    await checked(journal)
    assert await names(journal) == ["a"]
    assert "p5@example.com" not in await everything(journal)
    assert (await journal.jobs.get("a")).is_pruned
    await checked(journal)


async def test_whoever_goes_on_with_a_job_between_is_not_disturbed(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await planned(journal, people(2))
    await accepted(journal, job, rejected={1: "bad"})
    await journal.workers.leave(job)
    read = journal._db.read

    async def first(run: Callable[[Connection], object]) -> object:
        found = await read(run)
        monkeypatch.undo()
        await journal.resolving.again(job, Chosen())
        return found

    monkeypatch.setattr(journal._db, "read", first)
    assert (await prune(journal)).jobs == []
    assert (await rows_of(journal, "a"))[0].address == "p0@example.com"


async def test_a_job_that_is_pruned_while_another_one_is_compared_with_it(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = FakeProvider()
    await send(journal, provider, people(5), "m1")
    stream, pruned = journal._db.stream, list[PruneResult]()

    async def late(sql: str, values: Sequence[object], size: int = 1_000) -> AsyncIterator[Any]:
        if "owner" in sql and not pruned:
            pruned.append(await journal.pruning.prune(4e9, now=4e9))
        async for rows in stream(sql, values, size):
            yield rows

    monkeypatch.setattr(journal._db, "stream", late)
    await send(journal, provider, people(6), "m2")
    assert [job.name for job in pruned[0].jobs] == ["m1"]
    assert provider.mailed == dict.fromkeys(people(6), 1)


async def test_nobody_can_be_read_out_of_a_list_of_a_pruned_job(journal: Journal) -> None:
    job = await planned(journal, people(2))
    await accepted(journal, job)
    await journal.workers.leave(job)
    await prune(journal)
    with pytest.raises(InvalidArgument, match="was pruned"):
        await csv_report(journal, "a", StringIO(), as_recipients=True)
    file = StringIO()
    await csv_report(journal, "a", file)
    assert len(file.getvalue().splitlines()) == 3
    assert "@" not in file.getvalue()


async def test_the_file_gets_room_for_new_rows(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with at(path) as journal:
        job = await planned(
            journal, [f"somebody{n}@long-domain.of-a-list.example.com" for n in range(6_000)]
        )
        await journal.cancelling.cancel(job, 4.0)
        await journal.workers.leave(job)
        assert (await journal.info()).store.free == 0
        await prune(journal)
        free = (await journal.info()).store.free
        assert free is not None
        assert free > 100_000
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert b"somebody" not in path.read_bytes()
