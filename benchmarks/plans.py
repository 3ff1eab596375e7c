"""The plan alone: beside a naive one that keeps no record, with duplicates, and as lists grow."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from benchmarks import naive
from benchmarks.jobs import new_journal, planned, remove, write_table
from benchmarks.measure import Work, paired
from benchmarks.rows import Bench, Row, Setting, at_most, row_of
from benchmarks.server import TOKEN
from mailkit import SmsBy
from mailkit.bulk.journal import Journal

__all__ = ["BENCHES"]

HALF, DIRTY = 0.5, 0.6  # of the rows have an address for the second time


def write_dirty(path: Path, count: int, share: float) -> Path:
    """A CSV of which so large a share are duplicates, all in no order at all."""
    if not path.exists():
        people = list(range(int(count * (1 - share))))
        rng = random.Random(1)
        rows = people + rng.choices(people, k=count - len(people))
        rng.shuffle(rows)
        with path.open("w", encoding="utf-8") as file:
            file.write("email,name,city\n")
            file.writelines(f"friend{n}@friends{n % 997}.example,Анна {n},Minsk\n" for n in rows)
    return path


@asynccontextmanager
async def mailkit_plan(setting: Setting, table: Path) -> AsyncIterator[Work]:
    async with SmsBy(TOKEN, setting.server.url) as client:

        async def work() -> int:
            place = new_journal(setting.folder)
            async with await Journal.open(place) as journal:
                job = await planned(journal, client, table)
                read = (await journal.reports.counts(job)).read
            remove(place)
            return read

        yield work


@asynccontextmanager
async def naive_plan(table: Path) -> AsyncIterator[Work]:
    async def work() -> int:
        return len(naive.plan(table))

    yield work


def beside_naive(setting: Setting) -> Iterable[Row]:
    rows = setting.pick(50_000, 200_000)
    table = write_table(setting.folder / f"list-{rows}.csv", rows)
    pairs = paired(
        partial(mailkit_plan, setting, table),
        partial(naive_plan, table),
        setting.pick(5, 9),
    )
    yield row_of("plan, in a journal on disk / csv + re + set in memory", pairs, at_most(2.2))


def duplicates(setting: Setting) -> Iterable[Row]:
    rows = setting.pick(50_000, 200_000)
    clean = write_table(setting.folder / f"list-{rows}.csv", rows)
    half = write_dirty(setting.folder / f"half-{rows}.csv", rows, HALF)
    pairs = paired(
        partial(mailkit_plan, setting, half),
        partial(mailkit_plan, setting, clean),
        setting.pick(5, 9),
    )
    yield row_of("plan of a list with 50 % duplicates / of a clean one", pairs, at_most(1.8))


def growth(setting: Setting) -> Iterable[Row]:
    few, many = setting.pick(20_000, 100_000), setting.pick(200_000, 1_000_000)
    clean = [write_table(setting.folder / f"list-{rows}.csv", rows) for rows in (many, few)]
    dirty = [write_dirty(setting.folder / f"dirty-{rows}.csv", rows, DIRTY) for rows in (many, few)]
    for kind, tables in (("a clean list", clean), ("a list with 60 % duplicates", dirty)):
        more, fewer = (partial(mailkit_plan, setting, table) for table in tables)
        pairs = paired(more, fewer, setting.pick(3, 5))
        yield row_of(f"plan of {kind}, a row of {many:,} / of {few:,}", pairs, at_most(1.1))


BENCHES = [
    Bench("plan-naive", beside_naive),
    Bench("plan-duplicates", duplicates),
    Bench("plan-growth", growth),
]
