"""Responses as they go onto the socket: whole, cut, trickled, or a reset instead.

The bytes are written by hand, because an HTTP library does not write a response that breaks the
rules of HTTP, and because a ready block of bytes is the cheapest response of all.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from mailkit.sandbox.service import Response

Headers = Iterable[tuple[str, str]]
Pause = Callable[[float], Awaitable[None]]

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Service</title></head><body><h1>%s</h1></body></html>\n"
)


class Bytes(web.StreamResponse):
    """A response of ready bytes; with `keep` false the connection is closed after it.

    `steps` are written one after another, with a pause of `interval` real seconds between them.
    """

    def __init__(
        self,
        *steps: bytes,
        keep: bool = True,
        interval: float = 0.0,
        pause: Pause | None = None,
    ) -> None:
        super().__init__()
        self._steps = steps
        self._keep = keep
        self._interval = interval
        self._pause = pause

    @property
    def keep_alive(self) -> bool:
        """Whether a further request may follow on the connection."""
        return self._keep

    def force_close(self) -> None:
        """Close the connection after the response."""
        self._keep = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write it all, for HEAD the headers alone; ConnectionResetError if the client has closed
        the connection.
        """
        self._keep = self._keep and request.keep_alive
        steps = self._steps
        if request.method == "HEAD":
            start, end, _ = b"".join(steps).partition(b"\r\n\r\n")
            steps = (start + end,)
        for number, step in enumerate(steps):
            if number and self._pause is not None:
                await self._pause(self._interval)
            transport = request.transport
            if transport is None or transport.is_closing():
                raise ConnectionResetError("the client has closed the connection")
            transport.write(step)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""


class Reset(web.StreamResponse):
    """A TCP reset and nothing else: what was not yet read or written is thrown away."""

    @property
    def keep_alive(self) -> bool:
        """A reset connection takes no further request."""
        return False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Reset the connection."""
        transport = request.transport
        if transport is not None:
            reset(transport)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing can be written any more."""


def reset(transport: asyncio.Transport) -> None:
    """Close at once with RST: a socket that lingers for zero seconds sends no FIN."""
    sock: socket.socket = transport.get_extra_info("socket")
    sock.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    )
    transport.abort()


def head(status: int, length: int, headers: Headers = (), content_type: str = JSON) -> bytes:
    """Status line and headers, with the blank line."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [
        f"HTTP/1.1 {status} {reason}",
        f"Content-Type: {content_type}",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def encoded(response: Response) -> bytes:
    """The body of a response."""
    return msgspec.json.encode(response.value)


def whole(response: Response) -> Bytes:
    """The response as it should be."""
    body = encoded(response)
    return Bytes(head(response.status, len(body), response.headers) + body)


def last(response: Response) -> Bytes:
    """The response as it should be, on a connection that ends with it."""
    body = encoded(response)
    headers = (*response.headers, ("Connection", "close"))
    return Bytes(head(response.status, len(body), headers) + body, keep=False)


def page(status: int, title: str) -> Bytes:
    """A page of HTML."""
    body = PAGE % title.encode()
    return Bytes(head(status, len(body), content_type=HTML) + body)


def method(request: web.BaseRequest) -> str:
    """What a request asks for: HEAD asks for what GET does, but for the body."""
    return "GET" if request.method == "HEAD" else request.method


async def read_body(request: web.BaseRequest, limit: int | None = None) -> bytes | None:
    """The whole body; None if it exceeds the limit, in which case it is read and thrown away."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    pieces: list[bytes] = []
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if limit is None or size <= limit:
            pieces.append(piece)
        else:
            pieces.clear()
    return b"".join(pieces) if limit is None or size <= limit else None
