"""The wire itself: the only part of the core that knows aiohttp.

A transport sends a request once and returns the answer, or says what it knows of the failure:
NotSent on evidence that no byte of the request left, else OutcomeUnknown. The evidence is an error
of aiohttp's connector, or a request object of ours whose ``send`` was never called.

No error here is chained to aiohttp's, whose texts hold the address and with it credentials.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextvars import ContextVar
from io import BytesIO
from typing import Any, Protocol

import aiohttp
import anyio
from yarl import URL

from mailkit.core.wire import Answer, Request, Upload
from mailkit.errors import InvalidArgument, NotSent, OutcomeUnknown, RequestError

__all__ = ["AiohttpTransport", "Session", "Transport"]

Session = aiohttp.ClientSession

_AT_ONCE = 2**20  # bytes that aiohttp writes in one piece without a complaint
_PIECE = 2**18  # bytes of a file that are in memory at once
_PROVEN_ON = ("POST", "PATCH")  # aiohttp itself sends no other method a second time

_current: ContextVar[Request | None] = ContextVar("mailkit_request", default=None)


class Transport(Protocol):
    """Sends requests; a test double needs these two methods."""

    async def send(self, request: Request, timeout: float) -> Answer:  # noqa: ASYNC109
        """Send the request once, wait at most ``timeout`` seconds for the whole answer.

        Raises NotSent or OutcomeUnknown, and InvalidArgument if a file can't be sent whole. Sets
        ``request.began`` to what is known of the sending, also when it is cancelled.
        """
        ...

    async def aclose(self) -> None:
        """Close what this transport opened."""
        ...


class _Watched(aiohttp.ClientRequest):
    """A request that notes when it begins to be written, and is never written twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.watch = watch = _current.get()
        if watch is not None:
            if watch.began:  # aiohttp repeats GET, PUT and DELETE on a lost connection
                raise aiohttp.ClientConnectionError("the connection was lost")
            watch.began = False
        super().__init__(*args, **kwargs)

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        if self.watch is not None:
            if conn.protocol is None or conn.protocol.should_close:
                # A kept connection that has said something unasked: it would be taken for the
                # answer to this request.
                raise aiohttp.ClientConnectionError("the connection spoke out of turn")
            self.watch.began = True
        return await super().send(conn)


class AiohttpTransport:
    """aiohttp as mailkit needs it: no redirects, no repeats, no cookies, a bounded answer.

    ``session`` is used and left open if given, else one is opened at the first request.
    ``connections`` is the size of its pool, ``keep_alive`` the seconds that an idle connection is
    kept, ``connect`` the seconds for a place in the pool and a connection, ``largest`` the bytes
    that an unpacked answer may have.
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
        if connections < 1 or connect <= 0 or largest < 1:
            raise InvalidArgument("connections, connect and largest must be positive")
        self._session = session
        self._owned = session is None
        self._closed = False
        self._connections = connections
        self._keep_alive = keep_alive
        self._connect = connect
        self._largest = largest
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}

    async def send(self, request: Request, timeout: float) -> Answer:  # noqa: ASYNC109
        """Send the request once; see `Transport`."""
        if request.upload is None:
            return await self._send(request, timeout, None)
        request.began = False
        try:
            file = await anyio.open_file(request.upload.file, "rb")
        except OSError as error:
            raise NotSent(f"not sent: {request.upload.file}: {error.strerror}") from None
        async with file:  # closed here: aiohttp leaves it open where the sending breaks off
            return await self._send(request, timeout, _pieces(request, request.upload, file))

    async def _send(
        self,
        request: Request,
        timeout: float,  # noqa: ASYNC109
        pieces: AsyncIterator[bytes] | None,
    ) -> Answer:
        # No body in names here: tracebacks can show names' values.
        session = self._session or self._open()
        request.began = None
        mark = _current.set(request)
        response = None
        try:
            response = await session.request(
                request.verb,
                URL(request.url, encoded=True),
                data=_payload(request.body) if pieces is None else pieces,
                headers=request.headers,
                allow_redirects=False,
                raise_for_status=False,
                timeout=self._timeouts.get(timeout) or self._limits(timeout),
            )
            return Answer(response.status, response.headers, await self._body(response.content))
        except (aiohttp.ClientError, OSError) as error:
            failure = self._failure(request, error)
        finally:
            if response is not None:
                response.close()  # of effect only if the answer was not read to its end
            response = None  # a traceback that shows names' values would show its address
            _current.reset(mark)
        raise failure

    async def aclose(self) -> None:
        """Close the session if it was opened here."""
        self._closed = True
        if self._owned and self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("the client is closed")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=self._keep_alive
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "mailkit"},
            request_class=_Watched,
        )
        return self._session

    def _limits(self, timeout: float) -> aiohttp.ClientTimeout:
        if len(self._timeouts) >= 64:
            self._timeouts.clear()
        limits = aiohttp.ClientTimeout(total=timeout, connect=min(self._connect, timeout))
        self._timeouts[timeout] = limits
        return limits

    async def _body(self, stream: aiohttp.StreamReader) -> bytes:
        body = BytesIO()  # no bytes in names here: tracebacks can show names' values
        while body.write(await stream.readany()) and not stream.at_eof():
            if body.tell() > self._largest:
                raise aiohttp.ClientPayloadError(f"an answer of more than {self._largest} bytes")
        return body.getvalue()

    def _failure(self, request: Request, error: Exception) -> RequestError | InvalidArgument:
        if request.fault is not None:
            return InvalidArgument(request.fault)
        if self._before_sending(request, error):
            request.began = False
            return NotSent(f"not sent: {_reason(error)}")
        return OutcomeUnknown(f"no answer: {_reason(error)}")

    def _before_sending(self, request: Request, error: Exception) -> bool:
        if request.began is not None:
            return not request.began
        # Without our own request class the connector's word is taken, unless aiohttp may have
        # sent the request before on a connection that it lost.
        return request.verb in _PROVEN_ON and isinstance(
            error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
        )


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


def _reason(error: Exception) -> str:
    """The error in words that hold no address."""
    name = type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{name}, {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{name}, {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.ClientPayloadError):  # may repeat bytes of the answer
        said = " ".join(str(error).split())[:200]
        return f"{name}, {said.encode(errors='replace').decode()}"
    return name
