"""The transport over real sockets: the whole promise stands on what it knows of a failure."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aioresponses import aioresponses

from mailkit.core.http import AiohttpTransport
from mailkit.core.wire import Request, Response
from mailkit.errors import InvalidArgument, NotSent, OutcomeUnknown

from ..tcp import Serve, tcp_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    async with tcp_server(serve) as address:
        yield f"http://{address}/path"


@asynccontextmanager
async def transports(**options: int | float) -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport(**options)  # type: ignore[arg-type]
    try:
        yield transport
    finally:
        await transport.aclose()


async def arrival(reader: asyncio.StreamReader) -> bytes:
    """One request with its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    sizes = [
        line[16:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    ]
    return head + (await reader.readexactly(int(sizes[0])) if sizes else b"")


def answering(*responses: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for response in responses:
            await arrival(reader)
            writer.write(response)
            await writer.drain()

    return serve


def request(url: str, verb: str = "POST", body: bytes | None = b"a=1") -> Request:
    return Request(verb, url, {"Content-Type": "application/x-www-form-urlencoded"}, body)


async def test_an_answer_comes_back_whole() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await arrival(reader))
        writer.write(b"HTTP/1.1 429 Later\r\nRetry-After: 5\r\nContent-Length: 6\r\n\r\nabc")
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(b"def")

    async with server(serve) as url, transports() as transport:
        sent = request(url + "?q=%D0%96%2B+")
        response = await transport.send(sent, 5.0)
    assert (response.status, response.headers["retry-after"], response.body) == (
        429,
        "5",
        b"abcdef",
    )
    assert sent.began is True
    assert seen[0].startswith(b"POST /path?q=%D0%96%2B+ HTTP/1.1\r\n")
    assert seen[0].endswith(b"\r\n\r\na=1")
    assert b"User-Agent: mailkit" in seen[0]


async def test_a_body_of_several_megabytes_arrives_unchanged() -> None:
    body = bytes(range(256)) * 20_000
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            seen.append(await arrival(reader))
            writer.write(OK)

    async with server(serve) as url, transports() as transport:
        sent = request(url, body=body)
        for _ in range(2):  # a repeat sends the same bytes
            assert (await transport.send(sent, 5.0)).body == b"ok"
    assert [one.endswith(b"\r\n\r\n" + body) for one in seen] == [True, True]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("verb", ["POST", "GET", "DELETE"])
async def test_a_refused_connection_is_not_sent(verb: str) -> None:
    async with transports() as transport:
        sent = request(f"http://127.0.0.1:{free_port()}/secret", verb)
        with pytest.raises(
            NotSent, match=r"not sent: can't connect \(Connection refused\)"
        ) as caught:
            await transport.send(sent, 5.0)
    assert sent.began is False
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


async def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    async with transports() as transport:
        with pytest.raises(NotSent, match="the host's name can't be resolved"):
            await transport.send(request("http://no-such-host.invalid/"), 5.0)


async def test_a_proxy_whose_name_does_not_resolve_is_mentioned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://no-such-proxy.invalid:3128")
    async with transports() as transport:
        with pytest.raises(NotSent, match="or that of the proxy in HTTPS_PROXY, can't be resolved"):
            await transport.send(request("https://shop.example/"), 5.0)


async def test_a_failed_tls_handshake_is_not_sent() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 This is no TLS\r\n\r\n")
        await writer.drain()

    async with server(plain) as url, transports() as transport:
        sent = request(url.replace("http:", "https:"))
        with pytest.raises(NotSent, match="SSL"):
            await transport.send(sent, 5.0)
    assert sent.began is False


async def test_a_wait_for_the_pool_that_runs_out_is_not_sent() -> None:
    gate = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await arrival(reader)
        await gate.wait()
        writer.write(OK)

    for options, timeout in ({"connect": 0.05}, 5.0), ({"connect": 5.0}, 0.05):
        gate.clear()
        async with server(serve) as url, transports(connections=1, **options) as transport:
            first = asyncio.create_task(transport.send(request(url), 5.0))
            await asyncio.sleep(0.02)
            waiting = request(url)
            with pytest.raises(NotSent):
                await transport.send(waiting, timeout)
            assert waiting.began is False
            gate.set()
            assert (await first).status == 200


def reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def reset_unread(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n")
    reset(writer)


async def reset_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await arrival(reader)
    reset(writer)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await arrival(reader)
    await reader.read()


HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5_000_000
BOMB = gzip.compress(b"0" * 20_000_000)


@pytest.mark.parametrize("verb", ["POST", "GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "serve",
    [
        reset_unread,
        reset_read,
        silent,
        answering(b""),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
        answering(b"garbage\r\n\r\n"),
        answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"),
        answering(HUGE),
        answering(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB)
            + BOMB
        ),
    ],
    ids=[
        "reset-unread", "reset-read", "silent", "closed", "cut", "cut-chunk", "bad-chunk",
        "bad-gzip", "bad-length", "garbage", "long-header", "huge", "bomb",
    ],
)  # fmt: skip
async def test_every_other_failure_is_unknown(serve: Serve, verb: str) -> None:
    arrivals = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrivals
        arrivals += 1
        await serve(reader, writer)

    async with server(counted) as url, transports(largest=1_000_000) as transport:
        sent = request(url + "?token=canary", verb)
        with pytest.raises(OutcomeUnknown) as caught:
            await transport.send(sent, 0.5 if serve is silent else 20.0)
    assert sent.began is True
    assert arrivals == 1
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("borrowed", [False, True])
@pytest.mark.parametrize("verb", ["POST", "GET", "PUT", "DELETE"])
async def test_a_lost_keep_alive_connection_is_never_used_for_a_second_sending(
    verb: str, borrowed: bool
) -> None:
    arrivals = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrivals
        for response in (OK, b""):  # the second request gets no response
            await arrival(reader)
            arrivals += 1
            writer.write(response)
        writer.close()

    async with server(once) as url, transports() as ours, aiohttp.ClientSession() as session:
        transport = AiohttpTransport(session) if borrowed else ours
        await transport.send(request(url, verb), 5.0)
        with pytest.raises(OutcomeUnknown):
            await transport.send(request(url, verb), 5.0)
    assert arrivals == 2


async def test_a_borrowed_session_s_own_middleware_can_t_send_twice() -> None:
    arrivals: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrivals.append(await arrival(reader))
        writer.write(b"HTTP/1.1 502 Oops\r\nContent-Length: 0\r\n\r\n")
        await arrival(reader)

    async def eager(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers["X-Seen"] = "yes"
        await handler(request)
        return await handler(request)

    async with server(serve) as url, aiohttp.ClientSession(middlewares=[eager]) as session:
        with pytest.raises(OutcomeUnknown, match="the connection was lost"):
            await AiohttpTransport(session).send(request(url), 5.0)
    assert len(arrivals) == 1
    assert b"X-Seen: yes" in arrivals[0]


@pytest.mark.parametrize("chunked", [True, False])
async def test_the_last_piece_of_an_answer_counts_too(chunked: bool) -> None:
    body = b"x" * 1001
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + body
    if chunked:
        whole = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n%b\r\n0\r\n\r\n" % body
        )
    async with server(answering(whole, whole)) as url, transports(largest=1000) as short:
        with pytest.raises(OutcomeUnknown, match="more than 1000 bytes"):
            await short.send(request(url), 5.0)
        async with transports(largest=1001) as long:
            assert (await long.send(request(url), 5.0)).body == body


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    arrivals: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrivals.append(await arrival(reader))
        writer.write(b"HTTP/1.1 307 Away\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with server(serve) as url, transports() as transport:
        response = await transport.send(request(url), 5.0)
    assert (response.status, response.body, len(arrivals)) == (307, b"", 1)


async def test_a_cancelled_request_says_whether_it_had_begun() -> None:
    arrived = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await arrival(reader)
        arrived.set()
        await reader.read()

    async with server(serve) as url, transports(connections=1) as transport:
        begun, waiting = request(url), request(url)
        tasks = [asyncio.create_task(transport.send(one, 5.0)) for one in (begun, waiting)]
        await arrived.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
    assert (begun.began, waiting.began) == (True, False)


async def test_a_borrowed_session_is_used_and_left_open() -> None:
    async with server(answering(OK)) as url, aiohttp.ClientSession(headers={"X": "y"}) as session:
        transport = AiohttpTransport(session)
        sent = request(url)
        assert (await transport.send(sent, 5.0)).body == b"ok"
        assert sent.began is True
        await transport.aclose()
        assert not session.closed


@pytest.mark.parametrize("verb", ["POST", "PATCH", "GET"])
async def test_the_evidence_is_the_same_in_a_borrowed_session(verb: str) -> None:
    async with aiohttp.ClientSession() as session:
        sent = request(f"http://127.0.0.1:{free_port()}/", verb)
        with pytest.raises(NotSent):
            await AiohttpTransport(session).send(sent, 5.0)
        assert sent.began is False


async def test_without_evidence_a_timeout_is_unknown(wire: aioresponses) -> None:
    wire.post("https://h.test/", exception=TimeoutError())
    async with transports() as transport:
        with pytest.raises(OutcomeUnknown):
            await transport.send(request("https://h.test/"), 5.0)


async def test_nothing_is_opened_before_the_first_request_nor_after_the_end() -> None:
    transport = AiohttpTransport()
    await transport.aclose()
    with pytest.raises(InvalidArgument, match="closed"):
        await transport.send(request("https://h.test/"), 5.0)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (
            b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 9_000 + b"\r\n\r\n",
            "longer than 8190 bytes in the",
        ),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "headers are not HTTP: Invalid"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "headers are not HTTP: "),
        (b"hello\r\n\r\n", "headers are not HTTP: "),
    ],
)
async def test_headers_that_cannot_be_read_are_named(head: bytes, words: str) -> None:
    async with server(answering(head)) as url, transports() as transport:
        with pytest.raises(OutcomeUnknown, match=f"^unreadable: .*{words}"):
            await transport.send(request(url), 5.0)


def test_making_a_transport_needs_no_event_loop() -> None:
    assert not AiohttpTransport(connections=5)._opened


@pytest.mark.parametrize("wrong", [{"connections": 0}, {"connect": 0}, {"largest": 0}])
def test_limits_are_positive(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument):
        AiohttpTransport(**wrong)  # type: ignore[arg-type]


async def test_requests_of_many_tasks_do_not_mix_their_evidence() -> None:
    async def one(place: int, transport: AiohttpTransport, url: str) -> Response | None:
        sent = request(url if place % 2 else f"http://127.0.0.1:{free_port()}/")
        try:
            return await transport.send(sent, 5.0)
        except NotSent:
            assert place % 2 == 0
            return None
        finally:
            assert sent.began is bool(place % 2)

    async with server(answering(*[OK] * 50)) as url, transports() as transport:
        responses = await asyncio.gather(*(one(place, transport, url) for place in range(50)))
    assert sum(response is not None for response in responses) == 25
