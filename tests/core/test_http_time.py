"""When the time is up: what lies in the socket is still read, and nothing leaves any more."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import aiohttp
import pytest

from mailkit.core.http import AiohttpTransport
from mailkit.core.lateness import begins_by, elapsed
from mailkit.errors import NotSent, OutcomeUnknown

from .test_http import OK, answering, request, server, silent, transports


@contextmanager
def listener() -> Iterator[tuple[socket.socket, str]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        yield listening, f"http://127.0.0.1:{listening.getsockname()[1]}/"


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1)
    return head


# A loop that is held up.


class Blocker:
    """User code that holds the loop up for 40 s, made up; meanwhile something may happen."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.begun, self.ended = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.ended.wait(30)
        real = type(self.loop).time
        self.loop.time = lambda: real(self.loop) + 40.0  # type: ignore[method-assign]


@pytest.mark.parametrize("pieces", [1, 2, 3])
async def test_an_answer_that_came_while_the_loop_was_held_up_is_read(pieces: int) -> None:
    block = Blocker(asyncio.get_running_loop())
    body = b"x" * 3000

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            read_head(connection)
            block.loop.call_soon_threadsafe(block)
            assert block.begun.wait(30)
            whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + body
            for n in range(pieces):
                connection.sendall(whole[len(whole) * n // pieces : len(whole) * (n + 1) // pieces])
            block.ended.set()
            connection.recv(1)  # until the other side hangs up

    with listener() as (listening, url):
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        try:
            async with transports() as transport:
                sent = request(url, "GET", None)
                assert (await transport.send(sent, 30.0)).body == body
        finally:
            block.ended.set()
            thread.join()


async def test_a_service_that_says_nothing_is_given_up_however_long_the_loop_was_held_up() -> None:
    block = Blocker(asyncio.get_running_loop())
    block.ended.set()
    async with server(silent) as url, transports() as transport:
        sent = request(url)
        block.loop.call_later(0.05, block)
        with pytest.raises(OutcomeUnknown, match="timed out"):
            await transport.send(sent, 30.0)
        assert sent.began is True


async def test_an_answer_in_drops_does_not_hold_the_loop_s_time_up() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        with suppress(OSError):
            for _ in range(3000):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.001)

    loop = asyncio.get_running_loop()
    async with server(drip) as url, transports() as transport:
        start = loop.time()
        with pytest.raises(OutcomeUnknown, match="timed out"):
            await transport.send(request(url, "GET", None), 0.1)
        assert loop.time() - start < 2.5


async def test_nothing_goes_out_when_the_loop_was_held_up_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is a connection only after the time is up, in the very turn of the loop."""
    block = Blocker(asyncio.get_running_loop())
    block.ended.set()
    connect = aiohttp.TCPConnector.connect

    async def late(self: Any, *args: Any, **options: Any) -> Any:
        connection = await connect(self, *args, **options)
        block()
        return connection

    arrivals = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrivals
        arrivals += len(await reader.read(1))

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", late)
    async with server(serve) as url, transports() as transport:
        sent = request(url)
        with pytest.raises(NotSent, match="timed out"):
            await transport.send(sent, 30.0)
        assert sent.began is False
    assert arrivals == 0


# A process that is suspended.

CHILD = """
    import asyncio, sys
    from mailkit.core.http import AiohttpTransport
    from mailkit.core.wire import Request

    async def main(url):
        transport = AiohttpTransport()
        try:
            for _ in range(2):
                response = await transport.send(Request("POST", url, {}, b"a=1"), 0.4)
                print(response.body.decode(), flush=True)
        finally:
            await transport.aclose()

    if sys.argv[2] == "uvloop":
        import uvloop
        uvloop.run(main(sys.argv[1]))
    else:
        asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process can be suspended here")
@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_answers_that_lie_in_the_socket_of_a_suspended_process_are_read(kind: str) -> None:
    if kind == "uvloop":
        pytest.importorskip("uvloop")
    with listener() as (listening, url):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), url, kind],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = listening.accept()
        with connection:
            for _ in range(2):
                assert b"POST" in read_head(connection)
                assert connection.recv(3) == b"a=1"
                os.kill(child.pid, signal.SIGSTOP)
                os.waitpid(child.pid, os.WUNTRACED)
                stopped = time.monotonic()
                connection.sendall(OK)
                while time.monotonic() < stopped + 0.45:  # its time must be up
                    threading.Event().wait(0.05)
                os.kill(child.pid, signal.SIGCONT)
            said, complaints = child.communicate(timeout=30)
    assert said == "ok\nok\n", complaints


# Nothing leaves after the end.


@pytest.mark.parametrize("size", [2**19, 32 * 2**20], ids=["at once", "in pieces"])
@pytest.mark.parametrize("end", ["timeout", "cancelled"])
async def test_what_was_not_written_when_a_request_was_given_up_never_is(
    end: str, size: int
) -> None:
    """A service that is busy and reads on later would get the whole of it, and act."""
    began, given_up = threading.Event(), threading.Event()
    heard, body = bytearray(), bytes(size)

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(ConnectionError):
            heard.extend(read_head(connection))
            began.set()
            assert given_up.wait(30)
            while piece := connection.recv(2**20):
                heard.extend(piece)

    with listener() as (listening, url):
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        async with transports() as transport:
            sent = request(url, body=body)
            if end == "timeout":
                with pytest.raises(OutcomeUnknown):
                    await transport.send(sent, 0.3)
            else:
                task = asyncio.create_task(transport.send(sent, 30.0))
                assert await asyncio.to_thread(began.wait, 30)
                await asyncio.sleep(0.02)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            for _ in range(3):
                await asyncio.sleep(0)  # the socket is closed in the next turn
            given_up.set()
            await asyncio.get_running_loop().run_in_executor(None, thread.join)
    assert 0 < len(heard) < len(body)


async def test_a_connection_that_went_back_to_the_pool_is_left_alone() -> None:
    """Its response was read to the end, and was too long; another request has it now."""
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000
    async with (
        server(answering(big, OK, big, OK)) as url,
        transports(connections=1, largest=1000) as transport,
    ):
        first, second = (asyncio.create_task(transport.send(request(url), 5.0)) for _ in range(2))
        with pytest.raises(OutcomeUnknown, match="more than 1000 bytes"):
            await first
        assert (await second).body == b"ok"


# Requests that must not begin any more.


def test_a_request_that_was_held_up_before_its_first_byte_is_not_sent() -> None:
    transport = AiohttpTransport(keep_alive=60.0)

    async def work(url: str) -> None:
        late = request(url)
        with begins_by(elapsed() - 1.0), pytest.raises(NotSent):
            await transport.send(late, 5.0)
        assert late.began is False
        with begins_by(elapsed() + 60.0):
            assert (await transport.send(request(url), 5.0)).body == b"ok"
        await transport.aclose()

    heard = b""

    def serve(listening: socket.socket) -> None:
        nonlocal heard
        while not heard:
            connection, _ = listening.accept()
            with connection:
                while b"\r\n\r\n" not in heard and (more := connection.recv(1000)):
                    heard += more
                if heard:
                    connection.sendall(OK)

    with listener() as (listening, url):
        thread = threading.Thread(target=partial(serve, listening), daemon=True)
        thread.start()
        asyncio.run(work(url))
        thread.join(10)
    assert heard.count(b"HTTP/1.1") == 1


async def test_each_sending_has_its_own_deadline() -> None:
    """One timer serves them all: the shortest goes first, whatever the order they came in."""
    order: list[float] = []

    async def give_up(transport: AiohttpTransport, url: str, after: float) -> None:
        with pytest.raises(OutcomeUnknown, match="timed out"):
            await transport.send(request(url), after)
        order.append(after)

    loop = asyncio.get_running_loop()
    async with server(silent) as url, transports() as transport:
        asleep = asyncio.create_task(transport.send(request(url), 60.0))
        timeouts = (0.3, 0.05, 0.2)
        start = loop.time()
        await asyncio.gather(*(give_up(transport, url, after) for after in timeouts))
        assert loop.time() - start >= 0.3
        assert not asleep.done()
        asleep.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asleep
    assert order == [0.05, 0.2, 0.3]
