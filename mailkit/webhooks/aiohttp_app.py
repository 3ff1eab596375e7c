"""A receiver as an aiohttp app, and aiohttp's server for ``mailkit listen``."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientError, web

from mailkit.webhooks.asgi import Receiver
from mailkit.webhooks.exchange import Disconnected, Request

__all__ = ["Application", "listening", "make_app"]

Application = web.Application

_PIECE = 2**16
_IDLE = 30.0
"""Seconds that a connection may take to send a request's head, and be idle between two."""
_LINGER = 1.0
"""Seconds in which what is left of a refused body is thrown away, so that the answer arrives."""


class _Brief(logging.Filter):
    """Errors of connections in a line each: strangers can cause as many as they like."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[0] is not None:
            record.msg, record.args = f"{record.getMessage()}: {record.exc_info[0].__name__}", ()
            record.exc_info = None
        return True


_log = logging.getLogger("mailkit.webhooks.connections")
_log.addFilter(_Brief())


def make_app(receiver: Receiver, *, unpacked: bool = True) -> web.Application:
    """The app; ``unpacked`` says that the server undoes Content-Encoding, as aiohttp's does unless
    it is told otherwise.
    """

    async def take(request: web.Request) -> web.Response:
        answer = await receiver.respond(
            Request(
                request.method,
                receiver.routes.find(request.path),
                _pieces(request),
                length=request.headers.get("Content-Length", ""),
                encoding="" if unpacked else request.headers.get("Content-Encoding", ""),
            )
        )
        response = web.Response(status=answer.status, text=answer.text, headers=answer.headers)
        if answer.close:
            response.force_close()
        return response

    async def life(app: web.Application) -> AsyncIterator[None]:
        await receiver.open()
        yield
        await receiver.aclose()

    app = web.Application()
    app.cleanup_ctx.append(life)
    app.router.add_route("*", "/{path:.*}", take)
    return app


@asynccontextmanager
async def listening(receiver: Receiver, host: str, port: int) -> AsyncIterator[str]:
    """Serve it at the URL that is given. At the end, posts under way are answered first.

    OSError if the port can't be listened on.
    """
    runner = web.AppRunner(
        make_app(receiver, unpacked=False),
        access_log=None,  # the command shows counts instead
        logger=_log,
        auto_decompress=False,
        keepalive_timeout=_IDLE,
        lingering_time=_LINGER,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        name, taken = runner.addresses[0][:2]
        yield f"http://[{name}]:{taken}" if ":" in name else f"http://{name}:{taken}"
        await site.stop()
        await receiver.settled()  # before the cleanup, which reads no more of their bodies
    finally:
        await runner.cleanup()


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.content.iter_chunked(_PIECE):
            yield piece
    except (OSError, ClientError, web.RequestPayloadError):
        raise Disconnected from None
