"""Very many events, in random order and some twice, posted to ``mailkit listen`` while a job is
sent and the receiver is killed: in the end the journal is as the sandbox's truth has it.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import aiohttp
import attrs
import msgspec

from mailkit.providers.devino import ChunkLimits, Devino

from .judge import prepare, sound, write_list
from .life import Errand, live
from .listener import Listening, hear_the_rest, outcomes_of, untrue
from .processes import Forked, ended
from .sandbox import Place, ask
from .subjects import SUBJECTS

__all__ = ["Flood", "prove_flood"]

BATCH, REPEATED, CONNECTIONS = 100, 0.2, 4
EVENTS_A_ROW = 3.0
"""At least; so long a list is for so many events."""
SLOWLY = 0.5
"""Seconds that the service takes for a chunk of the job that is sent meanwhile."""
ROWS_A_SECOND = 400
"""About as many are sent then."""
PATIENCE = 300.0


@attrs.frozen
class Flood:
    """What came of it: ``events`` that were posted, in ``seconds``; the response times of the posts
    that were taken, in seconds; and what is ``wrong`` in the end.
    """

    events: int
    repeated: int
    seconds: float
    times: Sequence[float]
    kills: int
    refused: int
    sent_meanwhile: int
    wrong: Sequence[str]

    def __str__(self) -> str:
        quantiles = statistics.quantiles(self.times, n=100)
        return (
            f"{self.events:,} events, {self.repeated:,} of them repeats, in {len(self.times):,} "
            f"posts: {self.events / self.seconds:,.0f} a second; the response took "
            f"{1000 * quantiles[49]:.0f} ms (median), {1000 * quantiles[98]:.0f} ms (99th "
            f"percentile); {self.kills} kills, {self.refused} posts that had to be made again, "
            f"{self.sent_meanwhile:,} emails sent meanwhile; untrue: {len(self.wrong)}"
        )


def prove_flood(seed: int, place: Place, folder: Path, events: int, kills: int) -> Flood:
    """So many events of a job that was sent, about another one that is being sent meanwhile."""
    rng = Random(seed)
    subject = attrs.evolve(SUBJECTS["devino"], client=_client)
    first = prepare(f"flood-{seed}", subject, place, folder)
    write_list(first, round(events / EVENTS_A_ROW), rng, f"p{seed}", lively=True)
    bodies, count, repeated = _batches(_events_of(first, folder / "events.jsonl"), rng)
    ask(place.url, "faults", {"on": subject.acts[-1], "kind": "slow_answer", "seconds": SLOWLY})
    second = attrs.evolve(first.second, subject=SUBJECTS["devino"])
    write_list(second, max(500, events // 25), rng, f"q{seed}", lively=True)

    receiver: Forked = _listen(first)
    sending = live(second, who="meanwhile")
    before = ask(place.url, "truth")["emails"]
    with _posted(place, bodies, folder / "posted.json") as (poster, taken):
        try:
            for kill in range(1, kills + 1):
                taken(round(len(bodies) * (kill - rng.random()) / kills))
                receiver.kill()
                time.sleep(rng.uniform(0, 0.3))
                receiver = _listen(first)
            code = poster.wait(PATIENCE)
            sent = ask(place.url, "truth")["emails"] - before
            ask(place.url, "faults", method="DELETE")
            wrong = [f"the poster ended with {code}"] if code else []
            sending.wait(PATIENCE)
            lost = hear_the_rest(place)
            wrong += [f"{lost} events were lost"] if lost else []
        finally:
            receiver.kill()
            sending.kill()
    wrong += untrue(
        first.journal, outcomes_of(place, "devino"), [first.job, second.job], settles=False
    )
    wrong += [] if sound(first.journal) else ["the file is damaged"]
    wrong += ["somebody was mailed twice"] if ask(place.url, "truth")["mailed_twice"] else []
    seconds, times, refused = msgspec.json.decode((folder / "posted.json").read_bytes())
    return Flood(count, repeated, seconds, times, kills, refused, sent, wrong)


def _client(place: Place, clock: object) -> Devino:
    return Devino(place.environment["MAILKIT_DEVINO_API_KEY"], place.url, limits=ChunkLimits())


def _listen(errand: Errand) -> Listening:
    return Listening(errand.place, errand.journal, errand.command.errors)


def _events_of(errand: Errand, path: Path) -> list[bytes]:
    """Send the job, and keep all that the service posts about it, each event once."""
    path.touch()
    with ended([Forked("collector", _collect(errand.place.hook, path))]):
        live(errand).wait(PATIENCE)
        assert hear_the_rest(errand.place) == 0
    posts = map(msgspec.json.decode, path.read_bytes().splitlines())
    return sorted({msgspec.json.encode(row, order="sorted") for rows in posts for row in rows})


def _collect(port: int, path: Path) -> Callable[[], int]:
    """What takes posts, and appends them to the file."""

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with path.open("ab") as file:
                file.write(body + b"\n")
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    def work() -> int:
        ThreadingHTTPServer(("127.0.0.1", port), Collector).serve_forever()
        return 0

    return work


def _batches(events: list[bytes], rng: Random) -> tuple[list[bytes], int, int]:
    """The posts, how many events are in them, and how many of these are repeats."""
    again = rng.sample(events, round(REPEATED * len(events)))
    every = [*events, *again]
    rng.shuffle(every)
    bodies = [
        b"[" + b",".join(every[first : first + BATCH]) + b"]"
        for first in range(0, len(every), BATCH)
    ]
    return bodies, len(every), len(again)


@contextmanager
def _posted(
    place: Place, bodies: Sequence[bytes], result: Path
) -> Iterator[tuple[Forked, Callable[[int], None]]]:
    """A process that posts all that, each post until it is taken; and what waits until so many
    are.
    """
    reading, writing = os.pipe()
    url = place.hook_url("devino")

    def work() -> int:
        os.close(reading)
        found = asyncio.run(_post_all(url, bodies, lambda: os.write(writing, b".")))
        result.write_bytes(msgspec.json.encode(found))
        return 0

    poster = Forked("poster", work)
    os.close(writing)
    seen = 0

    def wait(count: int) -> None:
        nonlocal seen
        while seen < count and (some := os.read(reading, count - seen)):
            seen += len(some)

    with ended([poster]):
        yield poster, wait
    os.close(reading)


async def _post_all(
    url: str, bodies: Sequence[bytes], taken: Callable[[], object]
) -> tuple[float, list[float], int]:
    """Over some connections at once; the seconds in all, those of each post that was taken, and how
    many were not.
    """
    left, times, refused = list(reversed(bodies)), list[float](), 0

    async def post(session: aiohttp.ClientSession) -> None:
        nonlocal refused
        while left:
            body, began = left.pop(), time.perf_counter()
            while not await _is_taken(session, url, body):
                refused += 1
                await asyncio.sleep(0.1)
                began = time.perf_counter()
            times.append(time.perf_counter() - began)
            taken()

    began = time.perf_counter()
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session,
        asyncio.TaskGroup() as posters,
    ):
        for _ in range(CONNECTIONS):
            posters.create_task(post(session))
    return time.perf_counter() - began, times, refused


async def _is_taken(session: aiohttp.ClientSession, url: str, body: bytes) -> bool:
    try:
        async with session.post(url, data=body) as response:
            return response.status == 200
    except (aiohttp.ClientError, OSError):
        return False
