"""The listening socket: it can be closed for a while and opened again on the same port."""

import asyncio
import math
import os
import socket

from aiohttp import web

BACKLOG = 1024


class Listener:
    """Accepts connections for `server` on one address; used in the event loop only.

    While it is closed the port stays bound, but nobody listens: the system refuses connections,
    and no other program can use the port.
    """

    def __init__(self, host: str, port: int, server: web.Server) -> None:
        self.host = host
        self.port = port
        self._server = server
        self._family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
        self._bound: socket.socket | None = None
        self._listening: socket.socket | None = None
        self._acceptor: asyncio.Server | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Listen from now on; the port is known when this returns. OSError if it is taken."""
        self._stop_timer()
        if self._listening is not None:
            return
        sock = self._listening = self._bound or self._bind()
        self._bound = None
        sock.listen(BACKLOG)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(sock))

    async def settled(self) -> None:
        """Wait until the last `open` is complete: connections are accepted, not only queued."""
        if self._accepting is not None:
            await self._accepting

    def close(self) -> None:
        """Stop listening and free the port; existing connections stay open."""
        self._stop_listening()
        if self._bound is not None:
            self._bound.close()
            self._bound = None

    def close_for(self, seconds: float) -> None:
        """Refuse connections for real seconds; with infinity until `open` is called."""
        self._stop_listening()
        if self._bound is None:
            self._bound = self._bind()
        if math.isfinite(seconds):
            self._timer = asyncio.get_running_loop().call_later(seconds, self.open)

    def _bind(self) -> socket.socket:
        sock = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setblocking(False)
            sock.bind((self.host, self.port))
        except OSError:
            sock.close()
            raise
        self.port = sock.getsockname()[1]
        return sock

    async def _accept(self, sock: socket.socket) -> None:
        acceptor = await asyncio.get_running_loop().create_server(self._server, sock=sock)
        if self._listening is sock:
            self._acceptor = acceptor
        else:
            acceptor.close()

    def _stop_listening(self) -> None:
        self._stop_timer()
        self._listening = None
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
