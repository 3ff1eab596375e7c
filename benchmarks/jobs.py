"""Bulk sends through sms.by: the send stage alone, whole jobs, and a job's stages one by one."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from benchmarks import naive
from benchmarks.measure import Side, Work, median, paired
from benchmarks.naive import Person
from benchmarks.rows import Bench, Goal, Row, Setting, at_least, at_most, row_of
from benchmarks.server import TOKEN
from mailkit import BulkSender, Message, SmsBy, read_recipients
from mailkit.bulk.engine import Engine
from mailkit.bulk.journal import JobRecord, Journal, Taken
from mailkit.bulk.plan import JobSpec, plan
from mailkit.bulk.report import make_report
from mailkit.core.clock import Clock
from mailkit.core.dispatch import SEND, Dispatch, Sent, Task, TaskRow

__all__ = [
    "BENCHES",
    "COMMON",
    "LETTER",
    "PERSONAL",
    "new_journal",
    "people",
    "planned",
    "remove",
    "write_table",
]

SUBJECT = "{{ name }}, новые лампы уже в магазине"
LETTER = (
    '<h1>Здравствуйте, {{ name }}!</h1><p>Ждём вас в городе {{ city }}: <a href="https://shop.by/'
    'autumn?from=letter&amp;n=1">осенние лампы</a> уже в магазине.</p>'
    + '<p style="color:#333">Лампа настольная, зелёный абажур, <b>100 рублей</b></p>'
    * 17
)
PERSONAL = Message(sender="Shop <news@shop.by>", subject=SUBJECT, html=LETTER)
COMMON = Message(
    sender="Shop <news@shop.by>",
    subject="Новые лампы",
    html=LETTER.replace("{{ name }}", "друзья").replace("{{ city }}", "Минск"),
)
SENDERS = 8

NaiveLoop = Callable[[aiohttp.ClientSession, str, Sequence[Person], str, str], Awaitable[None]]
_numbers = itertools.count()


def people(count: int) -> list[Person]:
    return [
        Person(f"friend{n}@friends{n % 997}.example", f"Анна {n}", "Minsk") for n in range(count)
    ]


def write_table(path: Path, count: int) -> Path:
    """A CSV of so many rows, made once."""
    if not path.exists():
        with path.open("w", encoding="utf-8") as file:
            file.write("email,name,city\n")
            file.writelines(
                f"friend{n}@friends{n % 997}.example,Анна {n},Minsk\n" for n in range(count)
            )
    return path


# the send stage: recipients in memory, no plan, no journal


async def send_all(dispatch: Dispatch, tasks: Iterable[Task]) -> dict[int, Sent]:
    """Perform all tasks, eight requests at once; gives what came of each chunk."""
    waiting, ends = iter(tasks), {}

    async def sender() -> None:
        for task in waiting:
            sent = await dispatch.perform(task)
            assert isinstance(sent, Sent)
            ends[task.chunk] = sent

    async with asyncio.TaskGroup() as group:
        for _ in range(SENDERS):
            group.create_task(sender())
    return ends


def mailkit_sends(url: str, message: Message, crowd: Sequence[Person]) -> Side:
    @asynccontextmanager
    async def side() -> AsyncIterator[Work]:
        async with SmsBy(TOKEN, url) as client:
            dispatch = client.dispatch(message, ("name", "city"))
            rows = [TaskRow(n, who.email, (who.name, who.city)) for n, who in enumerate(crowd)]
            size = dispatch.limits.rows

            async def work() -> int:
                await send_all(
                    dispatch,
                    (
                        Task("bench", n, SEND, rows[start : start + size])
                        for n, start in enumerate(range(0, len(rows), size), 1)
                    ),
                )
                return len(rows)

            yield work

    return side


def naive_sends(url: str, loop: NaiveLoop, message: Message, crowd: Sequence[Person]) -> Side:
    @asynccontextmanager
    async def side() -> AsyncIterator[Work]:
        async with aiohttp.ClientSession() as session:

            async def work() -> int:
                await loop(session, url, crowd, message.subject, message.body)
                return len(crowd)

            yield work

    return side


def send_stage(
    name: str, message: Message, loop: NaiveLoop, goal: Goal | None, quick: int, full: int
) -> Callable[[Setting], Iterable[Row]]:
    def run(setting: Setting) -> Iterable[Row]:
        url, crowd = setting.server.url, people(setting.pick(quick, full))
        pairs = paired(
            mailkit_sends(url, message, crowd),
            naive_sends(url, loop, message, crowd),
            setting.pick(5, 9),
            setting.server,
        )
        yield row_of(name, pairs, goal, faster=True)

    return run


# whole jobs: from a CSV to the report


def mailkit_job(url: str, table: Path, folder: Path, *, on_disk: bool = True) -> Side:
    @asynccontextmanager
    async def side() -> AsyncIterator[Work]:
        async def work() -> int:
            journal = new_journal(folder) if on_disk else ":memory:"
            async with (
                SmsBy(TOKEN, url) as client,
                BulkSender(client, journal=journal) as sender,
            ):
                job = await sender.start(PERSONAL, read_recipients(table))
                report = await job.wait()
                assert report.complete
            if on_disk:
                remove(Path(journal))
            return report.counts.read

        yield work

    return side


def new_journal(folder: Path) -> Path:
    """A place where no journal was before."""
    return folder / f"journal-{next(_numbers)}.db"


def remove(journal: Path) -> None:
    for path in journal.parent.glob(journal.name + "*"):
        if path.is_file():
            path.unlink()


def naive_job(url: str, table: Path, loop: NaiveLoop) -> Side:
    @asynccontextmanager
    async def side() -> AsyncIterator[Work]:
        async def work() -> int:
            crowd = naive.read(table)
            async with aiohttp.ClientSession() as session:
                await loop(session, url, crowd, SUBJECT, LETTER)
            return len(crowd)

        yield work

    return side


def whole_job(
    name: str, loop: NaiveLoop, goal: Goal | None, quick: int, full: int
) -> Callable[[Setting], Iterable[Row]]:
    def run(setting: Setting) -> Iterable[Row]:
        url, rows = setting.server.url, setting.pick(quick, full)
        table = write_table(setting.folder / f"list-{rows}.csv", rows)
        pairs = paired(
            mailkit_job(url, table, setting.folder),
            naive_job(url, table, loop),
            setting.pick(3, 9),
            setting.server,
        )
        yield row_of(name, pairs, goal, faster=True)

    return run


def on_disk_and_in_memory(setting: Setting) -> Iterable[Row]:
    url, rows = setting.server.url, setting.pick(20_000, 100_000)
    table = write_table(setting.folder / f"list-{rows}.csv", rows)
    pairs = paired(
        mailkit_job(url, table, setting.folder),
        mailkit_job(url, table, setting.folder, on_disk=False),
        setting.pick(3, 9),
        setting.server,
    )
    yield row_of(
        "whole job, journal on disk / in memory, wall",
        pairs,
        at_most(1.2),
        kind="wall",
        note="both hold the second before the first question about a chunk",
    )


# the stages one by one


async def planned(journal: Journal, client: SmsBy, table: Path) -> JobRecord:
    """A job as `mailkit.bulk.plan` leaves it, with its planner."""
    return await plan(journal, client, JobSpec(PERSONAL, read_recipients(table)))


class Stages:
    """A job's stages run one after another, each alone; collects the CPU time of each."""

    def __init__(self, url: str, table: Path, folder: Path) -> None:
        self.url, self.table, self.folder = url, table, folder
        self.runs: list[dict[str, float]] = []

    @asynccontextmanager
    async def side(self) -> AsyncIterator[Work]:
        yield self.work

    async def work(self) -> int:
        place, clock = new_journal(self.folder), Clock()
        self.runs.append({})
        self._began = time.process_time()
        async with SmsBy(TOKEN, self.url) as client:
            journal = await Journal.open(place)
            read = await planned(journal, client, self.table)
            job = await journal.workers.join(read)
            await journal.workers.leave(read)
            self._ended("plan")
            taken = []
            while isinstance(one := await journal.chunks.take(job, clock.now()), Taken):
                taken.append(one)
            self._ended("journal")
            dispatch = client.dispatch(PERSONAL, job.columns)
            ends = await send_all(dispatch, [one.task for one in taken])
            self._ended("send")
            for one in taken:
                sent = ends[one.ticket.chunk]
                await journal.chunks.accept(job, one.ticket, clock.now(), sent)
            self._ended("journal")
            # Without sends the engine asks about the accepted chunks, and does nothing else.
            await Engine(journal, dispatch, job, sends=False).run()
            self._ended("reconcile")
            report = await make_report(journal, job.name)
            assert report.complete
            await journal.workers.leave(job)
            await journal.close()
            self._ended("report")
        remove(place)
        return report.counts.read

    def _ended(self, stage: str) -> None:
        now = time.process_time()
        self.runs[-1][stage] = self.runs[-1].get(stage, 0.0) + now - self._began
        self._began = now


def stages(setting: Setting) -> Iterable[Row]:
    url, rows = setting.server.url, setting.pick(20_000, 100_000)
    table = write_table(setting.folder / f"list-{rows}.csv", rows)
    alone = Stages(url, table, setting.folder)
    pairs = paired(
        mailkit_job(url, table, setting.folder), alone.side, setting.pick(3, 9), setting.server
    )
    parts = ", ".join(
        f"{stage} {median([run[stage] for run in alone.runs[1:]]) / rows * 1e6:.1f}"
        for stage in alone.runs[0]
    )
    yield row_of(
        "whole job / the sum of its stages alone",
        pairs,
        at_most(1.2),
        note=f"µs a row: {parts}",
    )


BENCHES = [
    Bench(
        "send-personal",
        send_stage(
            "send stage, personal 2 KB letters, times faster than the naive loop",
            PERSONAL,
            naive.chunks,
            at_least(25),
            6_000,
            30_000,
        ),
    ),
    Bench(
        "send-personal-letters",
        send_stage(
            "send stage, personal, times faster than a naive loop of a request each",
            PERSONAL,
            naive.letters,
            None,
            3_000,
            10_000,
        ),
        quick=False,
    ),
    Bench(
        "send-bulk",
        send_stage(
            "send stage, bulk mode, times faster than the naive loop",
            COMMON,
            naive.one_letter_to_all,
            at_least(4),
            50_000,
            200_000,
        ),
    ),
    Bench(
        "job-whole",
        whole_job(
            "whole personal job from a CSV, times faster than the naive loop",
            naive.chunks,
            at_least(6.5),
            9_000,
            30_000,
        ),
    ),
    Bench(
        "job-whole-letters",
        whole_job(
            "whole personal job, times faster than a naive loop of a request each",
            naive.letters,
            None,
            3_000,
            10_000,
        ),
        quick=False,
    ),
    Bench("job-stages", stages),
    Bench("job-disk", on_disk_and_in_memory),
]
