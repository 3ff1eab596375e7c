"""The wire itself: the only part of the core that knows aiohttp.

A transport sends a request once and returns the response, or says what it knows of the failure:
NotSent on evidence that no byte of the request left, else OutcomeUnknown. The evidence is a request
object of aiohttp's whose ``send`` was never called.

No error here is chained to aiohttp's, whose texts hold the address and with it credentials, and no
traceback that leaves has a frame of aiohttp's, whose names have them as values.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import struct
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import anyio
import attrs
from yarl import URL

from mailkit.core.checks import check_number
from mailkit.core.frames import strip_frames
from mailkit.core.lateness import is_too_late
from mailkit.core.proxies import DIRECT, VARIABLE, Proxies
from mailkit.core.unpack import ENCODINGS, BadBody, Body
from mailkit.core.wire import Request, Response, Upload
from mailkit.errors import InvalidArgument, NotSent, OutcomeUnknown, RequestError

__all__ = ["AiohttpTransport", "Session", "Transport"]

Session = aiohttp.ClientSession

_AT_ONCE = 2**20  # bytes that aiohttp writes in one piece without a complaint
_PIECE = 2**18  # bytes of a file that are in memory at once
_LOOKS = 32  # turns of the event loop to read what lies in the socket when the time is up
_RESET = struct.pack("ii", 1, 0)  # no lingering: what was not sent yet never will be


class Transport(Protocol):
    """Sends requests; a test double needs these two methods."""

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        """Send the request once, wait at most ``timeout`` seconds for the whole response.

        Raises NotSent or OutcomeUnknown, and InvalidArgument if a file can't be sent whole. Sets
        ``request.began`` to what is known of the sending, also when it is cancelled.
        """
        ...

    async def aclose(self) -> None:
        """Close what this transport opened."""
        ...


class _Sending:
    """One sending of a request, as a middleware of aiohttp: whether it began, and how it ends."""

    def __init__(self, request: Request, timeout: float, task: asyncio.Task[Any]) -> None:
        self._request = request
        self._process = os.getpid()
        self._task = task
        self._cancelling = task.cancelling()
        self._loop = loop = task.get_loop()
        self._deadline = loop.time() + timeout
        self._timer: asyncio.Handle = loop.call_at(self._deadline, self._expire, _LOOKS)
        self._expired = False
        self._transport: asyncio.Transport | None = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self._request.began:  # aiohttp repeats GET, PUT and DELETE on a lost connection
            raise aiohttp.ClientConnectionError("the connection was lost")
        self._request.began = False
        send = request.send

        async def watched(connection: Any) -> aiohttp.ClientResponse:
            del request.send  # it is part of a cycle
            protocol = connection.protocol
            if protocol is None or protocol.should_close:
                # Unexpected data on a kept connection would be taken for the response to this
                # request.
                raise aiohttp.ClientConnectionError("unexpected data on an idle connection")
            if self._loop.time() >= self._deadline or is_too_late():
                raise TimeoutError  # the loop was held up: nothing goes out this late
            self._transport = protocol.transport
            self._request.began = True
            return await send(connection)

        request.send = watched  # type: ignore[assignment, method-assign]
        return await handler(request)

    def _expire(self, looks: int) -> None:
        """The time is up, but the loop may have been held up too: what lies in the socket is read
        before the request is given up.
        """
        if looks:
            self._timer = self._loop.call_soon(self._expire, looks - 1)
        else:
            self._expired = True
            self._task.cancel()

    def answered(self) -> None:
        """There is a response: no more need of a timer."""
        self._timer.cancel()

    def abandoned(self) -> bool:
        """There won't be one: nothing of the request may leave from now on. Whether the task was
        cancelled for the time alone, which is undone.
        """
        if self._process != os.getpid():  # a copy that a fork has made: the parent goes on
            return False
        self._timer.cancel()
        transport = self._transport
        # One that is not closing went back to the pool, after a response that was of no use.
        if transport is not None and transport.is_closing() and not self._loop.is_closed():
            connection = transport.get_extra_info("socket")
            with suppress(OSError, ValueError, AttributeError):  # it may be closed already
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
        return self._expired and self._task.uncancel() <= self._cancelling


@attrs.frozen
class _Opened:
    """A session, what closes it with its event loop, and the proxies that it goes through."""

    session: Session
    keeper: AsyncGenerator[None] | None = None
    proxies: Proxies | None = None


_inherited: list[Mapping[asyncio.AbstractEventLoop, _Opened]] = []
"""What this process has from the one that it was forked from: kept, so that nothing closes it."""


async def _until_the_loop_ends(session: Session) -> AsyncGenerator[None]:
    """Closes the session once nobody holds it any more, or when its event loop shuts down: both
    end an asynchronous generator, and in its own loop.
    """
    try:
        yield
    finally:
        await session.close()


async def _close_without_loops(opened: dict[asyncio.AbstractEventLoop, _Opened]) -> None:
    """Close the sessions whose event loop was closed before them, and forget them."""
    for loop in [*opened]:
        if loop.is_closed():
            await opened.pop(loop).session.close()


class AiohttpTransport:
    """aiohttp as mailkit needs it: no redirects, no repeats, no cookies, a bounded response.

    A given ``session`` is used in its own event loop, and never closed. Else the first request in
    each event loop opens one, which is closed with that loop at the latest; https goes through the
    proxy that the environment names. ``connections`` is the size of its pool, ``keep_alive`` the
    seconds that an idle connection is kept, ``connect`` the seconds to get a place in the pool and
    a connection, ``largest`` the bytes that an unpacked response may have.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession | None = None,
        *,
        connections: int = 100,
        keep_alive: float = 4.0,
        connect: float = 10.0,
        largest: int = 64 * 2**20,
    ) -> None:
        check_number(connections, "connections", least=1, whole=True)
        check_number(connect, "connect", least=0.001)
        check_number(largest, "largest", least=1, whole=True)
        self._given = None if session is None else _Opened(session)
        self._opened: dict[asyncio.AbstractEventLoop, _Opened] = {}
        self._process = os.getpid()
        self._closed = False
        self._connections = connections
        self._keep_alive = keep_alive
        self._connect = connect
        self._largest = largest
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        """Send the request once; see `Transport`."""
        if request.upload is None:
            return await self._send(request, timeout, None)
        request.began = False
        try:
            file = await anyio.open_file(request.upload.file, "rb")
        except OSError as error:
            raise NotSent(f"not sent: {request.upload.file}: {error.strerror}") from None
        try:
            return await self._send(request, timeout, _pieces(request, request.upload, file))
        finally:
            with anyio.CancelScope(shield=True):
                await file.aclose()  # aiohttp leaves it open where the sending breaks off

    async def _send(
        self,
        request: Request,
        timeout: float,  # noqa: ASYNC109
        pieces: AsyncIterator[bytes] | None,
    ) -> Response:
        known = sys.exception()
        request.began = False
        try:
            task = asyncio.current_task()
        except RuntimeError:  # no event loop, one of another library's, or one that was forked
            task = None
        if task is None:
            raise InvalidArgument("mailkit runs only in a task of asyncio's event loop")
        opened = None if self._closed else self._given or await self._own(task.get_loop())
        if opened is None or opened.session.closed:
            raise InvalidArgument("the client is closed: create another one")
        if opened.session._loop is not task.get_loop():
            raise NotSent(
                "not sent: the session belongs to another event loop; give one for each loop, or "
                "none, so that mailkit opens its own"
            )
        request.began = None
        sending = _Sending(request, timeout, task)
        try:
            response = await self._exchange(opened, request, timeout, pieces, sending)
        except BaseException as error:
            timed_out = sending.abandoned() and isinstance(error, asyncio.CancelledError)
            if not isinstance(error, Exception) and not timed_out:
                strip_frames(error, known)
                raise
            failure = _failure(request, TimeoutError() if timed_out else error)
        else:
            sending.answered()
            return response
        raise failure

    async def _exchange(
        self,
        opened: _Opened,
        request: Request,
        timeout: float,  # noqa: ASYNC109
        pieces: AsyncIterator[bytes] | None,
        sending: _Sending,
    ) -> Response:
        session, proxies = opened.session, opened.proxies
        response = await session.request(
            request.verb,
            URL(request.url, encoded=True),
            data=_payload(request.body) if pieces is None else pieces,
            headers={**request.headers, "Accept-Encoding": ENCODINGS},
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=False,
            timeout=self._timeouts.get(timeout) or self._limits(timeout),
            middlewares=(*session._middlewares, sending),
            **(proxies.arguments(request.url) if proxies else DIRECT),
        )
        try:
            body = Body(response.headers.get("Content-Encoding", ""), self._largest)
            while not response.content.at_eof():
                body.add(await response.content.readany())
            return Response(response.status, response.headers, body.whole())
        finally:
            response.close()  # of effect only if the response was not read to its end

    async def aclose(self) -> None:
        """Close the sessions that were opened here: that of the running event loop at once, others
        in their own.
        """
        self._closed = True
        self._leave_to_the_parent()
        opened, self._opened = self._opened, {}
        here = opened.pop(asyncio.get_running_loop(), None)
        if here is not None and here.keeper is not None:
            await here.keeper.aclose()
        await _close_without_loops(opened)

    async def _own(self, loop: asyncio.AbstractEventLoop) -> _Opened:
        """The session of this event loop, opened if there is none."""
        opened = self._opened.get(loop)
        if opened is not None and self._process == os.getpid():
            return opened
        self._leave_to_the_parent()
        await _close_without_loops(self._opened)
        proxies = Proxies.of_environment()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=self._keep_alive
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "mailkit"},
        )
        keeper = _until_the_loop_ends(session)
        await anext(keeper)
        opened = self._opened[loop] = _Opened(session, keeper, proxies)
        return opened

    def _leave_to_the_parent(self) -> None:
        """In a forked process: the parent's connections are neither used nor closed here, since
        both processes have the same sockets.
        """
        if self._process != os.getpid():
            _inherited.append(self._opened)
            self._process, self._opened = os.getpid(), {}

    def _limits(self, timeout: float) -> aiohttp.ClientTimeout:
        if len(self._timeouts) >= 64:
            self._timeouts.clear()
        limits = aiohttp.ClientTimeout(total=None, connect=min(self._connect, timeout))
        self._timeouts[timeout] = limits
        return limits


async def _pieces(
    request: Request, upload: Upload, file: anyio.AsyncFile[bytes]
) -> AsyncIterator[bytes]:
    """The body; it breaks off, and the request with it, where the file is not what it was."""
    yield upload.head
    left = upload.size
    while left >= 0 and (piece := await file.read(_PIECE)):
        left -= len(piece)
        if left >= 0:
            yield piece
    if left or os.fstat(file.wrapped.fileno()).st_mtime_ns != upload.changed:
        request.fault = f"{upload.file} changed while it was sent; send it again"
        raise aiohttp.ClientPayloadError
    yield upload.tail


def _payload(body: bytes | None) -> bytes | BytesIO | None:
    return body if body is None or len(body) <= _AT_ONCE else BytesIO(body)


def _failure(request: Request, error: BaseException) -> RequestError | InvalidArgument:
    if request.fault is not None:
        return InvalidArgument(request.fault)
    if request.began is False:
        return NotSent(f"not sent: {_reason(error)}")
    if isinstance(error, BadBody):
        return OutcomeUnknown(f"unreadable: {error}")
    if isinstance(error, aiohttp.ClientResponseError):
        return OutcomeUnknown(f"unreadable: {_broken_head(error)}")
    return OutcomeUnknown(f"no response: {_reason(error)}")


def _broken_head(error: aiohttp.ClientResponseError) -> str:
    """What is wrong with the status line or the headers of a response."""
    if found := _too_long(error.message):
        return f"a line longer than {found[1]} bytes in the response's headers"
    said = " ".join(error.message.split())[:200]  # may repeat bytes of the response
    return f"the response's headers are not HTTP: {said.encode(errors='replace').decode()}"


_too_long = re.compile(r"Got more than (\d+) bytes").search


def _authorities() -> str:
    """What to do about a certificate that is not trusted."""
    named = os.environ.get("SSL_CERT_FILE")
    if named and not Path(named).exists():
        return "the file that SSL_CERT_FILE names is missing"
    return "SSL_CERT_FILE can name the certificates of another authority"


def _reason(error: BaseException) -> str:
    """The error in words that hold no address."""
    name = type(error).__name__
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy in {VARIABLE} refused the connection with HTTP {error.status}"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        reason = error.os_error.strerror or type(error.os_error).__name__
        return f"the proxy in {VARIABLE} can't be reached, {reason}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{name}, {error.certificate_error}; {_authorities()}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{name}, {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.ClientError | OSError) and not isinstance(
        error, aiohttp.ClientPayloadError
    ):
        return name
    said = " ".join(str(error).split())[:200]  # may repeat bytes of the response
    return f"{name}, {said.encode(errors='replace').decode()}"
