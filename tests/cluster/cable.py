"""A port that leads to another one, until its cable is cut."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

__all__ = ["Cable"]


class Cable:
    """``url`` leads to the server's. Once it is cut, a request gets no response: what comes in is
    read, and the connection ends.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (str(parts.hostname), parts.port or 80)
        self._is_cut = threading.Event()
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def cut(self) -> None:
        """From now on nothing comes back."""
        self._is_cut.set()

    def mend(self) -> None:
        """All is as before."""
        self._is_cut.clear()

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        cable = self

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError), socket.create_connection(cable._to) as there:
                    back = threading.Thread(target=cable._copy, args=(there, self.request))
                    back.start()
                    cable._copy(self.request, there)
                    back.join()

        return Connection

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(1 << 16)) and not self._is_cut.is_set():
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
