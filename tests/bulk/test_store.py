"""What every store must do: in memory, in a file and in a database alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from mailkit.bulk.journal import Counts, InlineExecutor, Journal, Taken
from mailkit.bulk.journal.store import Connection, Store
from mailkit.errors import JournalError
from mailkit.provider import Done, Limits, Scope, Sent, Stage

from .jobs import die, planned, states, take

ADD = "INSERT INTO suppressions (job, key, reason, since) VALUES (0, ?, 'x', 1.0)"
STORES = ("memory, at once", "memory, threads", "file, at once", "file, threads", "PostgreSQL")


@pytest.fixture(params=STORES)
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    place, _, how = str(request.param).partition(", ")
    where: str | Path = tmp_path / "journal.db" if place == "file" else ":memory:"
    if place == "PostgreSQL":
        where = str(request.getfixturevalue("postgres_database"))
    journal = await Journal.open(
        where,
        executor=InlineExecutor if how == "at once" else None,
    )
    yield journal
    await journal.close()


@pytest.fixture
def store(journal: Journal) -> Store:
    return journal._db


async def keys(store: Store) -> list[str]:
    def work(db: Connection) -> list[str]:
        return [key for (key,) in db.execute("SELECT key FROM suppressions ORDER BY key")]

    return await store.read(work)


async def test_what_was_written_is_read(store: Store) -> None:
    def work(db: Connection) -> tuple[int, object]:
        changed = db.executemany(ADD, [("a@b.by",), ("c@b.by",)]).rowcount
        return changed, db.execute("SELECT max(key) FROM suppressions").fetchone()

    assert await store.write(work) == (2, ("c@b.by",))
    assert await keys(store) == ["a@b.by", "c@b.by"]


@pytest.mark.parametrize(
    "texts",
    [
        ["plain", "Ёлка", ""],
        ["a\tb\\tc", "new\nline\r\n", "\\N", "\\."],
        [None, "after\tnone"],
        ["before\tnone", None],
        [None, None],
    ],
)
async def test_many_rows_come_in_as_they_are(store: Store, texts: list[str | None]) -> None:
    numbers = range(1, len(texts) + 1)

    def work(db: Connection) -> list[tuple[object, ...]]:
        columns: dict[str, Sequence[object]] = {
            "id": numbers,
            "line": numbers,
            "address": ["a@b.by"] * len(texts),
            "fields": texts,
            "size": [7] * len(texts),
        }
        store.load(db, "rows", columns)
        return [*db.execute("SELECT id, line, fields, size FROM rows ORDER BY id")]

    found = await store.write(work)
    assert found == [(n, n, text, 7) for n, text in zip(numbers, texts, strict=True)]


async def test_a_text_keeps_a_mark_where_it_has_a_zero_character(store: Store) -> None:
    def work(db: Connection) -> list[str]:
        numbers = [1, 2]
        store.load(db, "rows", {"id": numbers, "line": numbers, "address": ["a\0\tb", "plain"]})
        return [text for (text,) in db.execute("SELECT address FROM rows ORDER BY id")]

    zero = "\0" if store.path or store.place == ":memory:" else "\ufffd"
    assert await store.write(work) == [f"a{zero}\tb", "plain"]


async def test_an_operation_that_fails_undoes_itself_alone(store: Store) -> None:
    def fails(db: Connection) -> None:
        db.execute(ADD, ("lost@b.by",))
        db.execute(ADD, ("lost@b.by",))

    def works(db: Connection) -> None:
        db.execute(ADD, ("kept@b.by",))

    ends = await asyncio.gather(store.write(works), store.write(fails), return_exceptions=True)
    assert ends[0] is None
    assert isinstance(ends[1], JournalError)
    assert await keys(store) == ["kept@b.by"]


async def test_an_error_of_the_operations_own_comes_back_as_it_is(store: Store) -> None:
    class Own(Exception):
        pass

    def fails(db: Connection) -> None:
        db.execute(ADD, ("lost@b.by",))
        raise Own

    with pytest.raises(Own):
        await store.write(fails)
    assert await keys(store) == []


async def test_a_cancelled_caller_does_not_cancel_the_operation(store: Store) -> None:
    def work(db: Connection) -> None:
        db.execute(ADD, ("a@b.by",))

    waiting = asyncio.ensure_future(store.write(work))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    for _ in range(1_000):  # it is committed before or after the next ones
        if await keys(store) == ["a@b.by"]:
            break
    assert await keys(store) == ["a@b.by"]


async def test_a_stream_goes_on_while_the_journal_is_written(store: Store) -> None:
    def add(db: Connection) -> None:
        db.executemany(ADD, [(f"p{n:04}@b.by",) for n in range(2_500)])

    def touch(db: Connection) -> None:
        db.execute("UPDATE suppressions SET reason = 'y' WHERE key = 'p2400@b.by'")

    await store.write(add)
    found = []
    async for rows in store.stream("SELECT key FROM suppressions ORDER BY key", (), 1_000):
        found += [key for (key,) in rows]
        await store.write(touch, durable=False)
    assert found == [f"p{n:04}@b.by" for n in range(2_500)]


async def test_a_job_lives_alike_in_every_store(journal: Journal, store: Store) -> None:
    people = [*(f"p{n}@example.com" for n in range(8)), "p7@example.com", "nobody"]
    job = await planned(journal, people)
    first, second, third = [await take(journal, job) for _ in range(3)]
    await journal.chunks.accept(job, first.ticket, 3.0, Sent("r", {1: "blocked"}))
    await journal.chunks.put_back(job, second.ticket, 3.0, "dns")
    assert third.ticket.number == 1
    die(job)
    await store.write(lambda db: db.execute("UPDATE workers SET lease = lease - 1000"))
    other = await journal.workers.join(job)
    again = await take(journal, other)
    assert (again.ticket, again.task.label) == ((second.ticket.chunk, 2), "a #2")
    assert set((await states(journal, other)).values()) == {
        "accepted", "rejected", "in doubt", "unsent", "invalid", "duplicate",
    }  # fmt: skip
    assert await journal.reports.counts(other) == Counts(
        read=10, invalid=1, duplicate=1, accepted=1, rejected=1, in_doubt=2, unsent=4
    )


async def test_stages_go_on_alike_in_every_store(journal: Journal) -> None:
    stages = (
        Stage("list", repeatable=True, carries_rows=False),
        Stage("load", Scope.PART, repeatable=True),
        Stage("afford", Scope.JOB, repeatable=True),
        Stage("send", carries_rows=False),
    )
    job = await planned(journal, [f"p{n}@example.com" for n in range(6)], chunk=3)
    limits = Limits(3, 1_000, part_rows=2)
    seen = []
    while isinstance(taken := await journal.chunks.take(job, 2.0, stages, limits=limits), Taken):
        seen.append((taken.task.stage.name, taken.task.chunk, taken.task.part, taken.task.count))
        if taken.task.stage is stages[-1]:
            await journal.chunks.accept(job, taken.ticket, 3.0, Sent(None))
        else:
            await journal.chunks.advance(job, taken, Done(cursor="list 1"), stages)
    assert seen == [
        ("list", 1, None, 3), ("load", 1, 1, 2), ("load", 1, 2, 1),
        ("list", 2, None, 3), ("load", 2, 1, 2), ("load", 2, 2, 1),
        ("afford", 1, None, 6), ("send", 1, None, 3), ("send", 2, None, 3),
    ]  # fmt: skip
    assert (await journal.reports.counts(job)).accepted == 6
