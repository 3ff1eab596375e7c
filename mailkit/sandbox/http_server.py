"""The sandbox's HTTP server, which can refuse connections for a while."""

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable

from aiohttp import ClientError, web

from mailkit.sandbox.listener import Listener
from mailkit.sandbox.wire import Bytes

Respond = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HttpServer:
    """Answers requests on one local port by `respond`.

    `close_port` and `open_port` may be used in any thread, everything else in the server's loop.
    """

    def __init__(self, host: str, port: int, respond: Respond) -> None:
        self._host = host
        self._port = port
        self._respond = respond
        self._listener: Listener | None = None
        self._http: web.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._busy: set[object] = set()
        self._ending: set[object] = set()
        self._stopping = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not closed again."""
        return self._listener is not None

    @property
    def is_idle(self) -> bool:
        """Whether every request that has arrived was answered."""
        return not self._busy

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end; RuntimeError before it does."""
        if self._listener is None:
            raise RuntimeError("the sandbox has not been started")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    def open(self) -> None:
        """Listen; OSError if the port is taken, RuntimeError if it listens already."""
        if self._listener is not None:
            raise RuntimeError("the sandbox has been started already")
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._stopping.clear()
        # No lingering: a body left unread on purpose must not hold the connection.
        self._http = web.Server(
            self._handle, access_log=None, lingering_time=0, auto_decompress=False
        )
        listener = Listener(self._host, self._port, self._http)
        listener.open()
        self._listener = listener
        self._port = listener.port

    async def settled(self) -> None:
        """Wait until connections are accepted, not only queued."""
        if self._listener is not None:
            await self._listener.settled()

    async def close(self) -> None:
        """Close the port and all connections; responses still held back are dropped."""
        if self._listener is None or self._http is None:
            return
        self._stopping.set()
        listener, self._listener = self._listener, None
        await listener.settled()
        listener.close()
        await self._http.shutdown(timeout=1)
        await asyncio.sleep(0)

    async def pause(self, seconds: float) -> None:
        """Wait for real seconds; if the server closes meanwhile, the connection is dropped."""
        try:
            async with asyncio.timeout(seconds if math.isfinite(seconds) else None):
                await self._stopping.wait()
        except TimeoutError:
            return
        raise ConnectionAbortedError("the sandbox has stopped")

    def close_port(self, seconds: float) -> None:
        """Refuse connections and end the idle ones; the others end after their response."""
        self._in_loop(lambda: self._refuse(seconds))

    def close_port_soon(self, seconds: float) -> None:
        """The same, once the response to the current request is written."""
        if self._loop is not None:
            self._loop.call_soon(self._refuse, seconds)

    def open_port(self) -> None:
        """Take connections again."""
        self._in_loop(self._accept)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._busy.add(request.protocol)
        try:
            response = await self._respond(request)
            if request.protocol in self._ending:
                response.force_close()
            return response
        except (OSError, ClientError):
            return Bytes(keep=False)  # one side closed the connection in the middle of the request
        finally:
            self._busy.discard(request.protocol)
            self._ending.discard(request.protocol)

    def _refuse(self, seconds: float) -> None:
        if self._listener is None or self._http is None:
            return
        self._listener.close_for(seconds)
        for connection in self._http.connections:
            if connection in self._busy:
                self._ending.add(connection)
            else:
                connection.force_close()

    def _accept(self) -> None:
        if self._listener is not None:
            self._listener.open()

    def _in_loop(self, action: Callable[[], None]) -> None:
        """Run `action` in the server's loop and wait for it, from whatever thread."""
        loop = self._loop
        if loop is None or loop.is_closed() or self._listener is None:
            return
        if threading.get_ident() == self._thread:
            action()
            return

        async def run() -> None:
            action()

        asyncio.run_coroutine_threadsafe(run(), loop).result(timeout=10)
