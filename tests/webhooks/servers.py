"""A receiver behind each of the servers that it is made for, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import attrs
import uvicorn
from aiohttp import web
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from mailkit.webhooks import WebhookReceiver
from mailkit.webhooks.aiohttp_app import listening

from .posting import SECRET

Serve = Callable[[WebhookReceiver], AbstractAsyncContextManager[int]]
"""Serves a receiver, for as long, on the port that is given."""


@attrs.frozen
class Said:
    """What a server said: its status, or None if it closed the connection instead."""

    status: int | None
    text: str


class Uvicorn(uvicorn.Server):
    """One that ends at once, and not at its next look at the clock."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    async def main_loop(self) -> None:
        await self.ended.wait()


@asynccontextmanager
async def uvicorn_with(app: object, *, lifespan: str = "auto") -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_config=None, lifespan=lifespan)  # type: ignore[arg-type]
        server = Uvicorn(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.ended.set()
            await serving


@asynccontextmanager
async def alone(receiver: WebhookReceiver) -> AsyncIterator[int]:
    """``uvicorn hooks:receiver``."""
    async with uvicorn_with(receiver, lifespan="on") as port:
        yield port


@asynccontextmanager
async def without_lifespan(receiver: WebhookReceiver) -> AsyncIterator[int]:
    async with uvicorn_with(receiver, lifespan="off") as port:
        yield port
    await receiver.aclose()


@asynccontextmanager
async def in_fastapi(receiver: WebhookReceiver) -> AsyncIterator[int]:
    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with receiver:
            yield

    app = FastAPI(lifespan=life)
    app.mount("/webhooks", receiver)
    async with uvicorn_with(app) as port:
        yield port


@asynccontextmanager
async def in_starlette(receiver: WebhookReceiver) -> AsyncIterator[int]:
    """Mounted twice over, and not opened by anybody."""
    inner = Starlette(routes=[Mount("/webhooks", receiver)])
    async with uvicorn_with(Starlette(routes=[Mount("/", inner)])) as port:
        yield port
    await receiver.aclose()


@asynccontextmanager
async def in_aiohttp(receiver: WebhookReceiver) -> AsyncIterator[int]:
    app = web.Application()
    app.add_subapp("/webhooks", receiver.aiohttp_app())
    runner = web.AppRunner(app, lingering_time=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def as_the_command(receiver: WebhookReceiver) -> AsyncIterator[int]:
    async with listening(receiver, "127.0.0.1", 0) as url:
        yield int(url.removeprefix("http://127.0.0.1:"))


SERVERS: list[Serve] = [alone, in_fastapi, in_aiohttp, as_the_command]
OTHERS: list[Serve] = [without_lifespan, in_starlette]


def head(
    *fields: str, length: int | None = None, secret: str = SECRET, method: str = "POST"
) -> bytes:
    """A request's head."""
    lines = [f"{method} /webhooks/devino/{secret} HTTP/1.1", "Host: shop.test", *fields]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


class Connection:
    """A connection to a server, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *parts: bytes) -> None:
        """Send as much as the server takes."""
        for part in parts:
            self._writer.write(part)
            try:
                await self._writer.drain()
            except ConnectionError:
                return

    async def said(self) -> Said:
        """The next response."""
        try:
            top = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            size = int(top.lower().partition("content-length: ")[2].partition("\r")[0] or 0)
            text = (await self._reader.readexactly(size)).decode()
        except (ConnectionError, asyncio.IncompleteReadError):
            return Said(None, "")
        return Said(int(top.split(" ", 2)[1]), text)

    async def closed(self) -> bool:
        """Wait until the server closes it."""
        try:
            return await self._reader.read() == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def posted(port: int, data: bytes, *fields: str, secret: str = SECRET) -> Said:
    """What is said to one post on a connection of its own."""
    async with connected(port) as connection:
        await connection.send(head(*fields, length=len(data), secret=secret), data)
        return await connection.said()
