"""One awaited call after another: mailkit's ``emails.send`` beside bare HTTP clients.

The peers post the same letter to the same address; what they spare is all that a client does
besides: checking the arguments, writing the form, judging the outcome, reading it into a type.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from urllib.parse import urlencode

import aiohttp

from benchmarks.measure import Side, Work, paired
from benchmarks.rows import Bench, Goal, Row, Setting, at_most, row_of
from benchmarks.server import TOKEN
from mailkit import SmsBy

__all__ = ["BENCHES"]

LETTER = {
    "sender_email": "news@shop.by",
    "sender_name": "Shop",
    "email": "anna@mail.by",
    "subject": "Добро пожаловать",
    "message": "<p>Здравствуйте, Анна! Спасибо, что выбрали нас.</p>",
}
Call = Callable[[], Awaitable[object]]
Caller = Callable[[str], AbstractAsyncContextManager[Call]]


@asynccontextmanager
async def mailkit(url: str) -> AsyncIterator[Call]:
    async with SmsBy(TOKEN, url) as client:
        yield lambda: client.emails.send(
            sender="Shop <news@shop.by>",
            to=LETTER["email"],
            subject=LETTER["subject"],
            html=LETTER["message"],
        )


@asynccontextmanager
async def ready_bytes(url: str) -> AsyncIterator[Call]:
    """Bare aiohttp: the body was encoded once and for all; orjson reads the answer."""
    loads = import_module("orjson").loads
    body = urlencode({"token": TOKEN, **LETTER}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url += "/api/v2/sendEmail"
    async with aiohttp.ClientSession() as session:

        async def call() -> object:
            async with session.post(url, data=body, headers=headers) as answer:
                return loads(await answer.read())

        yield call


@asynccontextmanager
async def dict_and_json(url: str) -> AsyncIterator[Call]:
    """Bare aiohttp as its tutorial has it: ``data=`` a dict, ``json()`` of the answer."""
    url += "/api/v2/sendEmail"
    async with aiohttp.ClientSession() as session:

        async def call() -> object:
            async with session.post(url, data={"token": TOKEN, **LETTER}) as answer:
                return await answer.json()

        yield call


@asynccontextmanager
async def httpx_client(url: str) -> AsyncIterator[Call]:
    url += "/api/v2/sendEmail"
    async with import_module("httpx").AsyncClient() as client:

        async def call() -> object:
            return (await client.post(url, data={"token": TOKEN, **LETTER})).json()

        yield call


def one_by_one(caller: Caller, url: str, count: int) -> Side:
    @asynccontextmanager
    async def side() -> AsyncIterator[Work]:
        async with caller(url) as call:

            async def work() -> int:
                for _ in range(count):
                    await call()
                return count

            yield work

    return side


def against(
    peer: Caller, name: str, goal: Goal | None, *, count: int = 500, uvloop: bool = False
) -> Callable[[Setting], Iterable[Row]]:
    def run(setting: Setting) -> Iterable[Row]:
        url = setting.server.url
        pairs = paired(
            one_by_one(mailkit, url, count),
            one_by_one(peer, url, count),
            setting.pick(15, 61),
            setting.server,
            loops=import_module("uvloop").new_event_loop if uvloop else None,
        )
        yield row_of(name, pairs, goal)

    return run


BENCHES = [
    Bench(
        "call-ready",
        against(
            ready_bytes,
            "one awaited call / bare aiohttp with a ready bytes body and orjson",
            at_most(1.15),
        ),
    ),
    Bench(
        "call-uvloop",
        against(
            ready_bytes,
            "the same on uvloop, both sides",
            at_most(1.18),
            uvloop=True,
        ),
    ),
    Bench(
        "call-dict",
        against(
            dict_and_json,
            "one awaited call / bare aiohttp with data=dict and json()",
            at_most(0.80),
        ),
    ),
    Bench("call-httpx", against(httpx_client, "one awaited call / httpx", None, count=100)),
]
