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
import ssl
import struct
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Coroutine, Mapping
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import anyio
import attrs
from aiohttp.abc import AbstractStreamWriter
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

_PIECE = 2**18  # bytes of a body that are written at once, and of a file that are in memory
_LOOKS = 32  # turns of the event loop to read what lies in the socket when the time is up
_UNPACKS = {"Accept-Encoding": ENCODINGS}
_RESET = struct.pack("ii", 1, 0)  # no lingering: what was not sent yet never will be


class Transport(Protocol):
    """Sends requests; a test double needs these two methods."""

    def send(self, request: Request, timeout: float) -> Coroutine[Any, Any, Response]:
        """Send the request once, wait at most ``timeout`` seconds for the whole response.

        Raises NotSent or OutcomeUnknown, and InvalidArgument if a file can't be sent whole. Sets
        ``request.began`` to what is known of the sending, also when it is cancelled.
        """
        ...

    async def aclose(self) -> None:
        """Close what this transport opened."""
        ...


class _Unusable(aiohttp.ClientConnectionError):
    """A connection that this request can't go through, in our words."""


class _Sending:
    """One sending of a request, as a middleware of aiohttp: whether it began, and how it ends."""

    def __init__(
        self,
        request: Request,
        deadlines: _Deadlines,
        timeout: float,
        task: asyncio.Task[Any],
        process: int,
    ) -> None:
        self._request = request
        self._process = process
        self._task = task
        self._cancelling = task.cancelling()
        self._deadlines = deadlines
        self._loop = deadlines.loop
        self.deadline = self._loop.time() + timeout
        self._look: asyncio.Handle | None = None
        self._expired = False
        self._transport: asyncio.Transport | None = None
        deadlines.add(self)

    def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> Awaitable[aiohttp.ClientResponse]:
        if self._request.began:  # aiohttp repeats GET, PUT and DELETE on a lost connection
            raise _Unusable(_LOST)
        self._request.began = False
        send = request.send

        def watched(connection: Any) -> Awaitable[aiohttp.ClientResponse]:
            del request.send  # it is part of a cycle
            protocol = connection.protocol
            if protocol is None or protocol.should_close:
                # Unexpected data on a kept connection would be taken for the response to this
                # request.
                raise _Unusable("unexpected data on an idle connection")
            if self._loop.time() >= self.deadline or is_too_late():
                raise TimeoutError  # the loop was held up: nothing goes out this late
            self._transport = protocol.transport
            self._request.began = True
            return send(connection)

        request.send = watched  # type: ignore[assignment, method-assign]
        return handler(request)

    def expire(self, looks: int = _LOOKS) -> None:
        """The time is up, but the loop may have been held up too: what lies in the socket is read
        before the request is given up.
        """
        if looks:
            self._look = self._loop.call_soon(self.expire, looks - 1)
        else:
            self._expired = True
            self._task.cancel()

    def ended(self) -> None:
        """No more need of a deadline."""
        self._deadlines.remove(self)
        if self._look is not None:
            self._look.cancel()

    def abandoned(self) -> bool:
        """There won't be a response: nothing of the request may leave from now on. Whether the task
        was cancelled for the time alone, which is undone.
        """
        if self._process != os.getpid():  # a copy that a fork has made: the parent goes on
            return False
        self.ended()
        transport = self._transport
        # One that is not closing went back to the pool, after a response that was of no use.
        if transport is not None and transport.is_closing() and not self._loop.is_closed():
            connection = transport.get_extra_info("socket")
            with suppress(OSError, ValueError, AttributeError):  # it may be closed already
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
        return self._expired and self._task.uncancel() <= self._cancelling


class _Deadlines:
    """Ends the sendings of an event loop whose time is up: one timer for all of them, since few
    ever need it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._sendings: set[_Sending] = set()
        self._next = inf
        self._timer: asyncio.Handle | None = None

    def add(self, sending: _Sending) -> None:
        """Watch it."""
        self._sendings.add(sending)
        if sending.deadline < self._next:
            self._wait(sending.deadline)

    def remove(self, sending: _Sending) -> None:
        """Forget it."""
        self._sendings.discard(sending)

    def _wait(self, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = until
        self._timer = None if until == inf else self.loop.call_at(until, self._expire)

    def _expire(self) -> None:
        now = max(self._next, self.loop.time())  # a timer may be early by the clock's resolution
        for sending in [one for one in self._sendings if one.deadline <= now]:
            self._sendings.discard(sending)
            sending.expire()
        self._wait(min((one.deadline for one in self._sendings), default=inf))


class _Bytes(aiohttp.Payload):
    """A body that goes out as it is: what it is, the request's headers say."""

    _autoclose = True
    _headers = aiohttp.BytesPayload(b"").headers

    def __init__(self, data: bytes) -> None:
        self._value = data  # aiohttp's own would make headers for each

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self._value)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Its text."""
        return str(self._value, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all of it, a long one in pieces."""
        if len(self._value) <= _PIECE:
            await writer.write(self._value)
            return
        for start in range(0, len(self._value), _PIECE):
            await writer.write(memoryview(self._value)[start : start + _PIECE])

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Write all of it: that is the length in the headers."""
        await self.write(writer)


@attrs.frozen
class _Opened:
    """A session, what closes it with its event loop, and the proxies that it goes through."""

    session: Session
    deadlines: _Deadlines
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
        self._given = None if session is None else _Opened(session, _Deadlines(session._loop))
        self._opened: dict[asyncio.AbstractEventLoop, _Opened] = {}
        self._process = os.getpid()
        self._closed = False
        self._connections = connections
        self._keep_alive = keep_alive
        self._connect = connect
        self._largest = largest
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}

    def send(self, request: Request, timeout: float) -> Coroutine[Any, Any, Response]:
        """Send the request once; see `Transport`."""
        if request.upload is None:
            data = None if request.body is None else _Bytes(request.body)
            return self._send(request, timeout, data)
        return self._upload(request, timeout, request.upload)

    async def _upload(self, request: Request, timeout: float, upload: Upload) -> Response:  # noqa: ASYNC109
        request.began = False
        try:
            file = await anyio.open_file(upload.file, "rb")
        except OSError as error:
            raise NotSent(f"not sent: {upload.file}: {error.strerror}") from None
        try:
            return await self._send(request, timeout, _pieces(request, upload, file))
        finally:
            with anyio.CancelScope(shield=True):
                await file.aclose()  # aiohttp leaves it open where the sending breaks off

    async def _send(
        self,
        request: Request,
        timeout: float,  # noqa: ASYNC109
        data: _Bytes | AsyncIterator[bytes] | None,
    ) -> Response:
        known = sys.exception()
        request.began = False
        try:
            task = asyncio.current_task()
        except RuntimeError:  # no event loop, one of another library's, or one that was forked
            task = None
        if task is None:
            raise InvalidArgument("mailkit runs only in a task of asyncio's event loop")
        loop, process = task.get_loop(), os.getpid()
        opened = self._given or self._opened.get(loop)
        if opened is None or (opened.keeper and self._process != process):
            opened = None if self._closed else await self._own(loop)
        if opened is None or self._closed or opened.session.closed:
            raise InvalidArgument("the client is closed: create another one")
        session, proxies = opened.session, opened.proxies
        if session._loop is not loop:
            raise NotSent(
                "not sent: the session belongs to another event loop; give one for each loop, or "
                "none, so that mailkit opens its own"
            )
        through = proxies.arguments(request.url) if proxies else DIRECT
        request.began = None
        sending = _Sending(request, opened.deadlines, timeout, task, process)
        try:
            response = await session.request(
                request.verb,
                URL(request.url, encoded=True),
                data=data,
                headers=request.headers if opened.keeper else {**request.headers, **_UNPACKS},
                allow_redirects=False,
                raise_for_status=False,
                auto_decompress=False,
                timeout=self._timeouts.get(timeout) or self._limits(timeout),
                middlewares=(*session._middlewares, sending),
                **through,
            )
            content = response.content
            if (
                content.is_eof()
                and content.total_bytes <= self._largest
                and "Content-Encoding" not in response.headers
            ):
                body = content.read_nowait()  # as most: it is here with its headers
            else:
                body = await self._read(response)
        except BaseException as error:
            timed_out = sending.abandoned() and isinstance(error, asyncio.CancelledError)
            if not isinstance(error, Exception) and not timed_out:
                strip_frames(error, known)
                raise
            failure = _failure(request, TimeoutError() if timed_out else error)
        else:
            sending.ended()
            return Response(response.status, response.headers, body)
        raise failure

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        try:
            content = response.content
            body = Body(response.headers.get("Content-Encoding", ""), self._largest)
            while not content.at_eof():
                body.add(await content.readany())
            return body.whole()
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
        """Open the session of this event loop."""
        self._leave_to_the_parent()
        await _close_without_loops(self._opened)
        proxies = Proxies.of_environment()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=self._keep_alive
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "mailkit", **_UNPACKS},
        )
        keeper = _until_the_loop_ends(session)
        await anext(keeper)
        opened = self._opened[loop] = _Opened(session, _Deadlines(loop), keeper, proxies)
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
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy in {VARIABLE} refused the connection with HTTP {error.status}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = error.certificate_error
        said = getattr(why, "verify_message", "") or why
        return f"the certificate is not trusted ({said}); {_authorities()}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{_failed_step(error)}{_of_the_system(error.os_error)}"
    if isinstance(error, TimeoutError):
        connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
        return "timed out waiting for a connection" if connecting else "timed out"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed"
    if isinstance(error, _Unusable):
        return str(error)
    if isinstance(error, OSError):  # some of aiohttp's have an address in their words
        number = error.errno or 0
        return f"the connection was lost ({os.strerror(number)})" if number > _OF_TLS else _LOST
    if isinstance(error, aiohttp.ClientConnectionError):
        return _LOST
    said = " ".join(str(error).split())[:200]  # may repeat bytes of the response
    words = said.encode(errors="replace").decode()
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"the response broke off ({words})" if words else "the response broke off"
    if isinstance(error, aiohttp.ClientError):
        return f"the request failed ({type(error).__name__})"
    return f"{type(error).__name__}, {words}"


_LOST = "the connection was lost"
_OF_TLS = 9  # the largest number of OpenSSL's own errors, which are none of the system's


def _failed_step(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"the proxy in {VARIABLE} can't be reached"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        proxy = "" if Proxies.of_environment() is None else f", or that of the proxy in {VARIABLE},"
        return f"the host's name{proxy} can't be resolved"
    return "TLS failed" if isinstance(error, aiohttp.ClientSSLError) else "can't connect"


def _of_the_system(error: OSError) -> str:
    """The system's words in parentheses: asyncio's have an address."""
    number = error.errno or 0
    known = number > 0 and not isinstance(error, ssl.SSLError)
    said = os.strerror(number) if known else error.strerror
    return f" ({said})" if said else ""
