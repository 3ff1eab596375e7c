"""Live updates: a stream of events that tells an open page to look again."""

from collections.abc import Callable

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from mailkit.sandbox.wire import Pause

EVERY = 0.5
"""Real seconds between two looks at whether anything has changed."""
TIME_PASSES = 10
"""After so many looks a page is refreshed in any case: emails go on their way as time passes."""
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
)


class Updates(web.StreamResponse):
    """An event each time that `version` has changed, until one side closes the connection."""

    def __init__(self, version: Callable[[], object], pause: Pause) -> None:
        super().__init__()
        self._version = version
        self._pause = pause

    @property
    def keep_alive(self) -> bool:
        """The stream ends with its connection."""
        return False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write events, none for HEAD; ConnectionError if nobody listens, or the sandbox stops."""
        if request.method == "HEAD":
            self._write(request, HEAD)
            return None
        known, looks = self._version(), 0
        self._write(request, HEAD + b"retry: 1000\ndata: hello\n\n")
        while True:
            await self._pause(EVERY)
            version, looks = self._version(), looks + 1
            if version != known or looks % TIME_PASSES == 0:
                self._write(request, b"data: look\n\n")
            known = version

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""

    def _write(self, request: web.BaseRequest, data: bytes) -> None:
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the page was closed")
        transport.write(data)
