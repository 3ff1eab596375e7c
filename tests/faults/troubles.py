"""What can go wrong on the way of a request, each as a context: begun, and over again.

Where the sandbox can do it, it is a fault of the sandbox; else a server of a few lines stands in
for it or between.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from email.utils import format_datetime
from functools import cache
from math import inf
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pytest
import trustme

from mailkit.core.wire import Request
from mailkit.errors import NotSent
from mailkit.sandbox import Fault

from ..tcp import tcp_server
from .answers import Play
from .servers import ask, message
from .world import World, until

SHORT = 0.03
"""Seconds for what is going to run out of time."""

Trouble = Callable[[World, str], AbstractAsyncContextManager[None]]
"""A trouble on the way of the operation of this name."""


def sandbox(kind: str, **options: Any) -> Trouble:
    """A fault of the sandbox."""

    @asynccontextmanager
    async def trouble(world: World, operation: str) -> AsyncIterator[None]:
        world.sandbox.faults.add(Fault(kind, on=operation, **options))
        yield
        world.sandbox.faults.clear()

    return trouble


@asynccontextmanager
async def nothing(world: World, operation: str) -> AsyncIterator[None]:
    """All is well."""
    yield


# Before the first byte.


@asynccontextmanager
async def refused(world: World, operation: str) -> AsyncIterator[None]:
    """Nobody listens."""
    world.gate.renew()
    world.sandbox.faults.add(Fault("refuse", seconds=inf))
    yield
    world.sandbox.faults.clear()


def nameless(code: int) -> Trouble:
    """A name that the resolver has no address for, without asking anybody outside."""

    @asynccontextmanager
    async def trouble(world: World, operation: str) -> AsyncIterator[None]:
        real = socket.getaddrinfo

        def look_up(host: Any, *args: Any, **options: Any) -> Any:
            if host == "service.invalid":
                raise socket.gaierror(code, "no address")
            return real(host, *args, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", look_up)
            async with _detour(world, "https://service.invalid"):
                yield

    return trouble


@asynccontextmanager
async def plain_text(world: World, operation: str) -> AsyncIterator[None]:
    """TLS with a port that speaks plain HTTP."""
    async with _detour(world, world.sandbox.url.replace("http:", "https:")):
        yield


@asynccontextmanager
async def hung_up(world: World, operation: str) -> AsyncIterator[None]:
    """TLS with a server that hangs up in the middle of the handshake."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with tcp_server(serve) as address, _detour(world, f"https://{address}"):
        yield


@asynccontextmanager
async def self_signed(world: World, operation: str) -> AsyncIterator[None]:
    """TLS with a certificate that nobody vouches for."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        world.astray += 1

    async with tcp_server(serve, _certificate()) as address, _detour(world, f"https://{address}"):
        yield


@cache
def _certificate() -> SSLContext:
    context = SSLContext(PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


def handshake_without_end(connect: float = SHORT) -> Trouble:
    """TLS with a server that takes the connection and says nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    @asynccontextmanager
    async def trouble(world: World, operation: str) -> AsyncIterator[None]:
        async with (
            tcp_server(serve) as address,
            _detour(world, f"https://{address}", connect=connect),
        ):
            yield

    return trouble


def deaf_port(connect: float = SHORT) -> Trouble:
    """A port whose queue of connections is full, so that a further one waits."""

    @asynccontextmanager
    async def trouble(world: World, operation: str) -> AsyncIterator[None]:
        if sys.platform == "win32":
            pytest.skip("Windows refuses the connections that don't fit into the queue")
        with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            for one in (first, second):
                one.setblocking(False)
                one.connect_ex(listening.getsockname())
            port = listening.getsockname()[1]
            async with _detour(world, f"http://127.0.0.1:{port}", connect=connect):
                yield

    return trouble


def full_pool(connect: float = SHORT) -> Trouble:
    """One connection, which a request that gets no answer holds."""
    other = "smsby.subscriptions.subscribe"

    @asynccontextmanager
    async def trouble(world: World, operation: str) -> AsyncIterator[None]:
        world.gate.renew(connections=1, connect=connect)
        world.sandbox.faults.add(Fault("slow_before_acting", on=other, seconds=inf, times=1))
        seen = world.sandbox.requests[other]
        request = Request("POST", f"{world.sandbox.url}/api/v2/subscribeEmail", {}, None)

        async def hang() -> None:
            while True:
                with suppress(NotSent):  # its connection has as little time as any other
                    await world.gate.transport.send(request, 60.0)

        hung = asyncio.create_task(hang())
        await until(lambda: world.sandbox.requests[other] > seen)
        yield
        hung.cancel()
        with suppress(asyncio.CancelledError):
            await hung
        world.gate.renew()

    return trouble


# Answers that the sandbox doesn't give.


def said(*, acted: bool, play: Play) -> Trouble:
    """Other bytes in place of the service's answer (or of none, if it was not asked), and the
    end of the connection.
    """

    @asynccontextmanager
    async def trouble(world: World, operation: str) -> AsyncIterator[None]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await message(reader)
            if acted:
                answer = await ask(world.sandbox.url, request)
            else:
                world.astray += 1
                answer = b""
            writer.write(play(answer))
            await writer.drain()

        async with tcp_server(serve) as address, _detour(world, f"http://{address}"):
            yield

    return trouble


def later(seconds: float) -> Trouble:
    """HTTP 429 with a Retry-After that is a date, so many seconds from now."""

    @asynccontextmanager
    async def trouble(world: World, operation: str) -> AsyncIterator[None]:
        date = format_datetime(world.clock.utc + timedelta(seconds=seconds), usegmt=True)
        async with sandbox("rate_limited", retry_after=date)(world, operation):
            yield

    return trouble


def moved(status: int) -> Trouble:
    """A redirect to another host, which must never hear of it."""

    @asynccontextmanager
    async def trouble(world: World, operation: str) -> AsyncIterator[None]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            world.strangers += 1

        async with tcp_server(serve) as address:
            location = f"http://{address.replace('127.0.0.1', 'localhost')}/api"
            async with sandbox("redirect", status=status, location=location)(world, operation):
                yield

    return trouble


@asynccontextmanager
async def reads_nothing(world: World, operation: str) -> AsyncIterator[None]:
    """A server that takes the connection and leaves the request unread."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        world.astray += 1
        await over.wait()

    async with tcp_server(serve) as address, _detour(world, f"http://{address}"):
        yield
        over.set()


def unasked(play: Play, when: asyncio.Event, said: asyncio.Event) -> Trouble:
    """A server that answers, and then says something more on the same connection."""

    @asynccontextmanager
    async def trouble(world: World, operation: str) -> AsyncIterator[None]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                answer = await ask(world.sandbox.url, await message(reader))
                writer.write(answer)
                await when.wait()
                writer.write(play(answer))
                said.set()

        async with tcp_server(serve) as address, _detour(world, f"http://{address}"):
            yield

    return trouble


@asynccontextmanager
async def _detour(world: World, base: str, **options: float) -> AsyncIterator[None]:
    """The operation's requests go to another address, over new connections."""
    world.gate.renew(**options)  # type: ignore[arg-type]
    world.gate.detour = base
    yield
    world.gate.detour = None
    world.gate.renew()
