"""Requests a second with many workers: mailkit beside the clients of SendPulse and bare HTTP.

All make a mailing list, again and again. aiohttp, httpx and aiosendpulse are awaited by as many
workers. pysendpulse is synchronous: the rows call it in one thread, as its own examples do; the
plot gives it as many threads. It opens a connection for each request by itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from pathlib import Path

import aiohttp
import attrs

from benchmarks.measure import Pair, Side, Work, in_turn, median, paired
from benchmarks.rows import Bench, Goal, Row, Setting, at_least, row_of
from mailkit import SendPulse

__all__ = ["BENCHES"]

WORKERS = 32
PLOT = "throughput"
BODY = {"bookName": "Autumn"}
Call = Callable[[], Awaitable[object]]


@attrs.frozen
class Target:
    """Where to: over HTTP, or over TLS with this bundle of authorities."""

    url: str
    authorities: Path | None
    folder: Path

    def context(self) -> ssl.SSLContext | None:
        if self.authorities is None:
            return None
        return ssl.create_default_context(cafile=str(self.authorities))

    def session(self) -> aiohttp.ClientSession:
        tls = self.context()
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls or True))


Client = Callable[[Target, int], AbstractAsyncContextManager[Call]]
"""Opens a client for so many workers, and gives the call that each of them repeats."""


@asynccontextmanager
async def mailkit(target: Target, workers: int) -> AsyncIterator[Call]:
    async with (
        target.session() as session,
        SendPulse(
            api_key="bench-key",
            url=target.url,
            requests=None,
            session=session if target.authorities else None,
        ) as client,
    ):
        yield lambda: client.mailing_lists.create("Autumn")


@asynccontextmanager
async def bare_aiohttp(target: Target, workers: int) -> AsyncIterator[Call]:
    headers = {"Authorization": "Bearer t"}
    async with target.session() as session:

        async def call() -> object:
            async with session.post(
                f"{target.url}/addressbooks", json=BODY, headers=headers
            ) as answer:
                return await answer.json()

        yield call


@asynccontextmanager
async def httpx(target: Target, workers: int) -> AsyncIterator[Call]:
    headers = {"Authorization": "Bearer t"}
    async with import_module("httpx").AsyncClient() as client:

        async def call() -> object:
            return (
                await client.post(f"{target.url}/addressbooks", json=BODY, headers=headers)
            ).json()

        yield call


@asynccontextmanager
async def aiosendpulse(target: Target, workers: int) -> AsyncIterator[Call]:
    sendpulse = import_module("aiosendpulse").AioSendPulseClient
    async with sendpulse("id", "secret", token_storage=None, token="t") as client:
        client.base_url = import_module("httpx").URL(target.url)
        yield lambda: client.email.addressbook.create("Autumn")


@asynccontextmanager
async def pysendpulse(target: Target, workers: int) -> AsyncIterator[Call]:
    module = import_module("pysendpulse.pysendpulse")
    logging.getLogger(module.__name__).setLevel(logging.ERROR)
    if target.authorities is not None:
        os.environ["REQUESTS_CA_BUNDLE"] = str(target.authorities)
    module.PySendPulse._PySendPulse__api_url = target.url
    client = module.PySendPulse("id", "secret", token_file_path=f"{target.folder}/")

    async def one_thread() -> object:
        return client.add_addressbook("Autumn")

    with ThreadPoolExecutor(workers) as threads:
        loop = asyncio.get_running_loop()
        yield (
            one_thread
            if workers == 1
            else lambda: loop.run_in_executor(threads, client.add_addressbook, "Autumn")
        )


def busy(client: Client, target: Target, workers: int, count: int) -> Side:
    """So many workers share so many calls."""

    @asynccontextmanager
    async def side() -> AsyncIterator[Work]:
        async with client(target, workers) as call:

            async def work() -> int:
                left = iter(range(count))

                async def worker() -> None:
                    for _ in left:
                        await call()

                async with asyncio.TaskGroup() as tasks:
                    for _ in range(workers):
                        tasks.create_task(worker())
                return count

            yield work

    return side


def against(
    peer: Client,
    name: str,
    goal: Goal | None,
    *,
    count: int,
    workers: int = WORKERS,
    tls: bool = False,
) -> Callable[[Setting], Iterable[Row]]:
    def run(setting: Setting) -> Iterable[Row]:
        server = setting.server
        target = Target(server.url, None, setting.folder)
        if tls:
            if server.authorities is None:
                raise ImportError("no certificate without trustme and certifi")
            target = Target(server.tls_url, server.authorities, setting.folder)
        pairs = paired(
            busy(mailkit, target, WORKERS, setting.pick(640, 3_200)),
            busy(peer, target, workers, count),
            setting.pick(7, 15),
            server,
        )
        yield row_of(name, pairs, goal, kind="wall", rate=True, note=_cpu(pairs))

    return run


def _cpu(pairs: list[Pair]) -> str:
    ours, peer = (median([getattr(pair, side).cpu for pair in pairs]) for side in ("ours", "peer"))
    return f"CPU a request: {ours * 1e6:,.0f} µs and {peer * 1e6:,.0f} µs"


LINES: dict[str, tuple[Client, int]] = {
    "mailkit": (mailkit, 640),
    "bare aiohttp": (bare_aiohttp, 640),
    "httpx": (httpx, 96),
    "aiosendpulse": (aiosendpulse, 64),
    "pysendpulse, threads": (pysendpulse, 64),
}
"""Each client of the plot, and how many calls make one measurement of it."""


def plot(setting: Setting) -> Iterable[Row]:
    """No rows, but the points of throughput over concurrency."""
    target = Target(setting.server.url, None, setting.folder)
    lines: dict[str, list[tuple[float, float]]] = {name: [] for name in LINES}
    for workers in (1, 4, 16, 64) if setting.quick else (1, 2, 4, 8, 16, 32, 64):
        sides = [busy(client, target, workers, count) for client, count in LINES.values()]
        rounds = in_turn(sides, setting.pick(3, 7), setting.server)
        for place, points in enumerate(lines.values()):
            points.append((workers, 1 / median([costs[place].wall for costs in rounds])))
    setting.series[PLOT] = lines
    return ()


BENCHES = [
    Bench(
        "rate-pysendpulse",
        against(
            pysendpulse,
            "requests a second, times those of pysendpulse in one thread, HTTP",
            at_least(9),
            count=64,
            workers=1,
        ),
    ),
    Bench(
        "rate-pysendpulse-tls",
        against(
            pysendpulse,
            "requests a second, times those of pysendpulse in one thread, TLS",
            at_least(150),
            count=16,
            workers=1,
            tls=True,
        ),
    ),
    Bench(
        "rate-aiosendpulse",
        against(
            aiosendpulse,
            "requests a second, times those of aiosendpulse with 32 workers",
            at_least(20),
            count=96,
        ),
    ),
    Bench(
        "rate-httpx",
        against(httpx, "requests a second, times those of httpx with 32 workers", None, count=128),
    ),
    Bench("rate-plot", plot),
]
