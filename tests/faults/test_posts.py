"""What can happen to a webhook's post. A 200 means that the journal has all of it on the disk;
after anything else it has nothing, or all if the disk failed after the fact. Once the same post is
made again and taken, it has all.

The job: six people in three chunks, of which one is accepted, one in doubt and one being sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
import pytest

from mailkit.bulk.journal import InlineExecutor, JobRecord, Journal, PlannedRow
from mailkit.errors import JournalError
from mailkit.events import DeliveryEvent, DeliveryStatus
from mailkit.provider import Sent
from mailkit.testing import FakeClock
from mailkit.webhooks import WebhookReceiver
from mailkit.webhooks.aiohttp_app import listening
from mailkit.webhooks.exchange import Answer, Request

from ..bulk.fakes import people
from ..bulk.jobs import finish, take
from .disk import ERRORS, Disk

SECRET = "a-secret-of-the-fault-matrix"
PEOPLE = people(6)
WORDS = ("BOUNCED", "DELIVERED", "OPENED", "UNSUBSCRIBED", "COMPLAINED", "CLICKED")
HEARD: Mapping[str, DeliveryStatus] = dict(
    zip(
        PEOPLE,
        [
            *(DeliveryStatus.HARD_BOUNCE, DeliveryStatus.DELIVERED, DeliveryStatus.OPENED),
            *(DeliveryStatus.UNSUBSCRIBED, DeliveryStatus.COMPLAINED, DeliveryStatus.CLICKED),
        ],
        strict=True,
    )
)
"""What the post says of whom."""
GONE = {PEOPLE[0], PEOPLE[3], PEOPLE[4]}
LARGEST = 1_000_000  # bytes of a body


@attrs.frozen
class Known:
    """What a journal says: deliveries, suppressions, and calls of handlers that are to be made."""

    deliveries: Mapping[str, DeliveryStatus]
    suppressed: frozenset[str] = frozenset()
    calls: int = 0


NOTHING = Known({})
ALL = Known(HEARD, frozenset(GONE), len(PEOPLE))


@attrs.frozen
class Story:
    """A journal's file and a post about its job."""

    path: Path
    body: bytes

    @classmethod
    async def begin(cls, path: Path) -> Story:
        """The job, under way, and the service's post about it."""
        async with opened(path) as journal:
            job = await _planned(journal)
            items: list[dict[str, object]] = []
            for n in range(3):
                taken = await take(journal, job)
                if n == 0:
                    await journal.chunks.accept(job, taken.ticket, 3.0, Sent(None))
                elif n == 1:
                    await journal.chunks.doubt(job, taken.ticket, 3.0, "reset")
                for row in taken.task.rows:
                    items.append(
                        {
                            "messageId": f"m{row.n}",
                            "ts": 1_900_000_000_000 + row.n,
                            "status": WORDS[row.n - 1],
                            "email": row.address,
                            "mailkit": taken.task.token(row),
                        }
                    )
            await journal.workers.leave(job)
        return cls(path, json.dumps(items).encode())

    async def known(self) -> Known:
        """What the journal says, on a disk in order."""
        async with opened(self.path) as journal:
            rows = journal.reports.rows(await journal.jobs.get("a"))
            found = [row async for some in rows for row in some]
            waiting = await journal.handler_calls.waiting()
            return Known(
                {row.address: row.delivery for row in found if row.delivery is not None},
                frozenset([one.address async for one in journal.suppressions.list()]),
                sum(waiting.values()),
            )

    async def check(self, status: int | None, *, may_be_there: bool = False) -> None:
        """The promise of a post that ended with this status."""
        known = await self.known()
        if status == 200:
            assert known == ALL, known
            return
        assert known == NOTHING or (may_be_there and known == ALL), known
        async with receiving(self.path) as receiver:
            assert (await post(receiver, self.body)).status == 200
            assert (await post(receiver, self.body)).status == 200
        assert await self.known() == ALL


@asynccontextmanager
async def opened(path: Path, disk: Disk | None = None) -> AsyncIterator[Journal]:
    with (disk or Disk()).of_new_connections():
        journal = await Journal.open(path, executor=InlineExecutor)
    try:
        yield journal
    finally:
        await journal.close()


@asynccontextmanager
async def receiving(path: Path, disk: Disk | None = None) -> AsyncIterator[WebhookReceiver]:
    """A receiver on this disk."""
    async with opened(path, disk) as journal, made(journal) as receiver:
        yield receiver


def made(journal: Journal | Path) -> WebhookReceiver:
    """With a handler whose calls all fail."""
    receiver = WebhookReceiver(
        journal,
        secret=SECRET,
        max_size=LARGEST,
        body_timeout=0.2,
        clock=FakeClock(autojump=False),
    )

    @receiver.on(DeliveryEvent, name="shop")
    async def fails(event: DeliveryEvent) -> None:
        raise RuntimeError("the shop is closed")  # so its calls stay in the journal

    return receiver


async def post(receiver: WebhookReceiver, body: bytes, path: str = f"/devino/{SECRET}") -> Answer:
    async def pieces() -> AsyncIterator[bytes]:
        yield body

    return await receiver.respond(Request("POST", receiver.routes.find(path), pieces()))


async def _planned(journal: Journal) -> JobRecord:
    job = await journal.jobs.create("a", "devino", "shop", "{}", again=False, now=1.0)
    rows = [
        PlannedRow(job.ids[0] + n, n + 1, row, None, f'["{n}"]', 10)
        for n, row in enumerate(PEOPLE, 1)
    ]
    await journal.planning.add(job, rows, [])
    await journal.planning.cut(job, rows=2, size=1_000)
    return await journal.workers.join(await finish(journal, job))


# on the way

Say = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[int | None]]


def head(length: int, *, place: str = f"devino/{SECRET}", verb: str = "POST") -> bytes:
    return (
        f"{verb} /webhooks/{place} HTTP/1.1\r\nHost: shop.by\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def status(reader: asyncio.StreamReader) -> int | None:
    """The response's; None if the connection ends without one."""
    try:
        words = (await reader.readuntil(b"\r\n")).split()
        fields = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        [length] = [int(one.split(b":")[1]) for one in fields if one.startswith(b"content-length")]
        await reader.readexactly(length)
        return int(words[1])
    except (asyncio.IncompleteReadError, OSError):
        return None


def saying(*parts: bytes | Callable[[bytes], bytes], ends: bool = False, times: int = 1) -> Say:
    """Send these parts, of which some are made of the post, and perhaps end there."""

    async def say(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes
    ) -> int | None:
        said: int | None = None
        for _ in range(times):
            writer.writelines(part(body) if callable(part) else part for part in parts)
            if ends:
                writer.close()
            said = await status(reader)
        return said

    return say


def whole(body: bytes) -> bytes:
    return head(len(body)) + body


def half(body: bytes) -> bytes:
    return head(len(body)) + body[: len(body) // 2]


def piece(n: int) -> Callable[[bytes], bytes]:
    """The nth of 40."""
    return lambda body: body[n * len(body) // 40 : (n + 1) * len(body) // 40]


def to(place: str, verb: str = "POST") -> Callable[[bytes], bytes]:
    return lambda body: head(len(body), place=place, verb=verb) + body


def instead(other: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda body: whole(other(body))


LARGE = b"[%b]" % (b" " * 10_000_000)
WAYS: Mapping[str, tuple[Say, set[int | None]]] = {
    "whole": (saying(whole), {200}),
    "three times": (saying(whole, times=3), {200}),
    "in pieces": (saying(lambda body: head(len(body)), *[piece(n) for n in range(40)]), {200}),
    "cut off": (saying(half, ends=True), {None}),
    "cut off in its head": (saying(lambda body: whole(body)[:60], ends=True), {None}),
    "stuck half-way": (saying(half), {408, None}),
    "half of it, as if it were all": (saying(instead(lambda body: body[: len(body) // 2])), {400}),
    "with an item that is none": (saying(instead(lambda body: body[:-1] + b", 7]")), {200}),
    "with an item without a status": (saying(instead(lambda body: body[:-1] + b", {}]")), {200}),
    "10 MB": (saying(instead(lambda body: LARGE)), {413, None}),
    "10,000 deep": (saying(instead(lambda body: b"[" * 10_000 + body)), {400}),
    "a forged secret": (saying(to("devino/a-secret-that-somebody-guessed")), {404}),
    "another provider": (saying(to(f"pigeon/{SECRET}")), {404}),
    "another verb": (saying(to(f"devino/{SECRET}", "PUT")), {405}),
}
"""What arrives of a post, and how it may be answered."""


@pytest.mark.parametrize("way", WAYS)
async def test_whatever_arrives_of_a_post(way: str, tmp_path: Path) -> None:
    story = await Story.begin(tmp_path / "journal.db")
    say, allowed = WAYS[way]
    async with (
        receiving(story.path) as receiver,
        listening(receiver, "127.0.0.1", 0) as url,
    ):
        port = int(url.split(":")[2].partition("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        said = await say(reader, writer, story.body)
        assert said in allowed
        writer.close()
        again = await asyncio.open_connection("127.0.0.1", port)  # others are not affected
        assert await saying(to(f"devino/{SECRET}", "PUT"))(*again, b"[]") == 405
        again[1].close()
    await story.check(said)


# the journal


async def attempt(story: Story, disk: Disk, nth: int) -> int:
    """Post to a receiver whose disk fails at the nth write from then on."""
    async with receiving(story.path, disk) as receiver:
        disk.nth = disk.writes + nth if nth else 0
        answer = await post(receiver, story.body)
        assert answer.status in (200, 503)
        assert ("Retry-After" in answer.headers) == (answer.status == 503)
        return answer.status


async def writes(path: Path) -> int:
    """How many there are from a post to the end of its receiver."""
    story, disk = await Story.begin(path), Disk()
    async with receiving(path, disk) as receiver:
        before = disk.writes
        assert (await post(receiver, story.body)).status == 200
    return disk.writes - before


@pytest.mark.parametrize("kind", ERRORS)
async def test_any_write_may_fail(kind: str, tmp_path: Path) -> None:
    first, failed = list(ERRORS).index(kind), 0
    for nth in range(1 + first, await writes(tmp_path / "clean.db") + 1, len(ERRORS)):
        story = await Story.begin(tmp_path / f"{nth}.db")
        said = await attempt(story, Disk(error=ERRORS[kind]), nth)
        failed += said == 503
        await story.check(said)
    assert failed


@pytest.mark.parametrize("late", [False, True], ids=["lost", "done all the same"])
async def test_any_write_may_be_the_last_that_the_disk_heard_of(late: bool, tmp_path: Path) -> None:
    kinds = list(ERRORS.values())
    for nth in range(1 + late, await writes(tmp_path / "clean.db") + 1, 3):
        story = await Story.begin(tmp_path / f"{nth}.db")
        disk = Disk(error=kinds[nth % 4], lasting=not late, late=late)
        await story.check(await attempt(story, disk, nth), may_be_there=late)


@pytest.mark.parametrize("disk", [Disk(query_only=True), Disk(pages=1)], ids=["read-only", "full"])
async def test_a_disk_that_takes_no_more(disk: Disk, tmp_path: Path) -> None:
    story = await Story.begin(tmp_path / "journal.db")
    receiver, said = made(story.path), 200
    strangers = [
        {"messageId": f"s{n}", "ts": 1_900_000_000_000, "status": "SENT", "email": "x@example.com"}
        for n in range(1000)
    ]
    with disk.of_new_connections():
        for first in range(0, 1000, 50):
            if said == 200:  # there is still room
                some = json.dumps(strangers[first : first + 50])
                said = (await post(receiver, some.encode())).status
        assert said == 503
        answer = await post(receiver, story.body)
        await receiver.aclose()
    await story.check(answer.status)


@pytest.mark.parametrize("moment", ["before the first post", "between two posts"])
async def test_a_journal_that_is_moved_away_under_a_receiver(moment: str, tmp_path: Path) -> None:
    story, away = await Story.begin(tmp_path / "journal.db"), tmp_path / "away.db"
    receiver = made(story.path)
    if moment == "between two posts":
        assert (await post(receiver, b"[]")).status == 200
    story.path.rename(away)
    answer = await post(receiver, story.body)
    assert answer.status == 503
    with suppress(JournalError):  # it says so once more
        await receiver.aclose()
    assert not story.path.exists()
    away.rename(story.path)
    await story.check(answer.status, may_be_there=True)  # it went into the file that was moved
