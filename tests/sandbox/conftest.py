import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from mailkit.sandbox import Sandbox

MESSAGE = {"sender_email": "news@shop.by", "subject": "Autumn", "message": "<p>Hello</p>"}
BULK = {**MESSAGE, "delivery_list[0]": "anna@mail.by", "delivery_list[1]": "boris@mail.by"}


@attrs.frozen
class Answer:
    status: int
    value: Any
    headers: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def result(self) -> Any:
        assert self.status == 200
        assert self.value["status"] == "OK"
        return self.value["result"]


@attrs.frozen
class Api:
    """A plain client: a form with the token in, JSON out."""

    session: aiohttp.ClientSession
    token: str

    async def __call__(self, name: str, /, **fields: str | int) -> Answer:
        return await self.post(name, fields)

    async def post(self, name: str, fields: Mapping[str, str | int], **options: Any) -> Answer:
        form = {"token": self.token, **{key: str(value) for key, value in fields.items()}}
        async with self.session.post(f"/api/v2/{name}", data=form, **options) as response:
            value = await response.json(content_type=None)
            return Answer(response.status, value, response.headers)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(speed=0, seed=1) as running:
        yield running


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[Api]:
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(sandbox.url, timeout=timeout) as session:
        yield Api(session, sandbox.smsby.settings.token)


@attrs.frozen
class JsonApi:
    """A plain client of a service with JSON bodies and a header for its key."""

    session: aiohttp.ClientSession
    url: str
    authorization: str = ""

    async def __call__(self, method: str, path: str, body: object = None, **options: Any) -> Answer:
        if body is not None:
            options["json"] = body
        headers = {"Authorization": self.authorization} if self.authorization else {}
        url = URL(self.url + path, encoded=True)
        async with self.session.request(method, url, headers=headers, **options) as response:
            value = await response.json(content_type=None)
            return Answer(response.status, value, response.headers)


@asynccontextmanager
async def opened(sandbox: Sandbox, authorization: str) -> AsyncIterator[JsonApi]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield JsonApi(session, sandbox.url, authorization)


@pytest.fixture
async def devino(sandbox: Sandbox) -> AsyncIterator[JsonApi]:
    async with opened(sandbox, f"Key {sandbox.devino.settings.api_key}") as api:
        yield api


@pytest.fixture
async def sendpulse(sandbox: Sandbox) -> AsyncIterator[JsonApi]:
    """SendPulse with a static key, without quotas or moderation, in its usual shapes."""
    settings = sandbox.sendpulse.settings
    settings.requests_per_second = settings.campaigns_per_hour = settings.tests_per_hour = None
    settings.moderated_first, settings.quirks = 0, False
    async with opened(sandbox, f"Bearer {sandbox.sendpulse.settings.api_key}") as api:
        yield api


@attrs.define
class Hook:
    """A customer's own address that takes posts; `refusals` are the statuses of the next ones,
    which it does not take.
    """

    url: str
    posts: list[Any] = attrs.field(factory=list)
    refusals: list[int] = attrs.field(factory=list)

    @property
    def events(self) -> list[Any]:
        """The rows of all posts."""
        return [row for post in self.posts for row in post]


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async def take(request: web.Request) -> web.Response:
        if taken.refusals:
            return web.Response(status=taken.refusals.pop(0))
        taken.posts.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    async with TestServer(app) as server:
        taken = Hook(str(server.make_url("/hook")))
        yield taken


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until the condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- nothing to wait for but the loop itself
            await asyncio.sleep(0)


def request_bytes(name: str, fields: Mapping[str, str], *, close: bool = False) -> bytes:
    """An HTTP request with a simple form, byte for byte."""
    body = "&".join(f"{key}={value}" for key, value in fields.items()).encode()
    lines = [
        f"POST /api/v2/{name} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        *(["Connection: close"] if close else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@attrs.frozen
class Socket:
    """A bare connection to the sandbox."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def rest(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.reader.read()

    async def answer(self) -> tuple[int, bytes, bytes]:
        """Status, header block and body of one answer."""
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            return int(head.split(b" ")[1]), head, await self.reader.readexactly(length)


@pytest.fixture
async def connect(sandbox: Sandbox) -> AsyncIterator[Callable[[], Any]]:
    opened: list[asyncio.StreamWriter] = []

    async def dial() -> Socket:
        host, port = sandbox.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        opened.append(writer)
        return Socket(reader, writer)

    yield dial
    for writer in opened:
        writer.transport.abort()
    await asyncio.sleep(0)
