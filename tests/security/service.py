"""A service of a few lines that answers as it is told, over real sockets, in a thread."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs

from mailkit.core.wire import Request, Response

from .canary import CANARY

GRANT = json.dumps({"access_token": CANARY, "expires_in": 3600}).encode()
"""SendPulse's answer to whoever asks for a token."""
EMPTY = b'{"status":"OK","result":[]}'
SENT = b'{"status":"OK","result":{"uuid":"u-1"}}'


def taken(address: str) -> bytes:
    """A status list that names one address as delivered."""
    letter = f'{{"email":"{address}","status":"DELIVERED"}}'
    return f'{{"status":"OK","result":[{{"message_id":1,"success":[{letter}]}}]}}'.encode()


def no(provider: str, text: str, second: str = "", code: str = "") -> str:
    """A refusal in the service's own form."""
    tree: dict[str, object] = {"error": " ".join(filter(None, (text, second, code)))}
    if provider == "devino":
        reasons = [{"key": text}, {"key": second or text, "reference": second}]
        tree = {"description": "Validation failed", "reasons": reasons, "code": code or 1}
    elif provider == "sendpulse":
        tree = {"message": text, "error_code": 1, "error": second, "errors": {code: [code]}}
    return json.dumps(tree)


@attrs.frozen
class Said:
    """One answer: status, body and headers."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)


Script = Mapping[str, Said | list[Said]]
"""The end of a path, as ``sendBulkEmail``, or ``*`` for all others, to its answer, or to several,
the last of which stays. Without an answer there, tokens are given, and all else gets an empty
result.
"""


@attrs.define
class Service:
    """``script`` may change at any time; ``asked`` has the paths of all requests so far, and
    ``cookies`` what they had in their header of that name.
    """

    url: str
    script: Script
    asked: list[str] = attrs.field(factory=list)
    cookies: list[str | None] = attrs.field(factory=list)


@contextmanager
def service(script: Script | None = None) -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            running.asked.append(path)
            running.cookies.append(self.headers.get("Cookie"))
            said = _found(running.script, path.rpartition("/")[2])
            if isinstance(said, list):
                said = said.pop(0) if len(said) > 1 else said[0]
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running = Service(f"http://127.0.0.1:{server.server_port}", script or {})
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()


def _found(script: Script, name: str) -> Said | list[Said]:
    if name == "access_token":
        return script.get(name, Said(GRANT))
    return script.get(name) or script.get("*", Said(EMPTY))


class Saying:
    """A transport, without a socket, that always says the same, but gives tokens; ``seen`` has the
    requests.
    """

    def __init__(self, answer: Response, seen: list[Request] | None = None) -> None:
        self.answer = answer
        self.seen = [] if seen is None else seen

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        request.began = True
        self.seen.append(request)
        if request.url.endswith("/oauth/access_token"):
            return Response(200, {}, GRANT)
        return self.answer

    async def aclose(self) -> None:
        """There is nothing to close."""


Serve = Callable[[socket.socket], None]
"""What a server does with a connection, once the request has been read."""


@contextmanager
def raw_service(serve: Serve | None) -> Iterator[str]:
    """A server that may say anything at all, connection after connection; who asks for a token
    before gets one. None: a port where nobody is.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        if serve is None:
            server.close()
            yield url
            return
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                connection, _ = server.accept()
                with connection, suppress(OSError):  # whoever came may go away
                    connection.settimeout(5)
                    while b"/oauth/access_token " in (line := _read_request(connection)):
                        connection.sendall(answer(200, GRANT.decode()))
                    if line:
                        serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield url
        finally:
            ended.set()
            socket.create_connection(server.getsockname()).close()  # wakes it
            thread.join()


def _read_request(connection: socket.socket) -> bytes:
    """The request's first line; empty if none came."""
    with connection.makefile("rb") as file:
        first = file.readline()
        size = 0
        while line := file.readline().strip():
            name, _, value = line.lower().partition(b":")
            size = int(value) if name == b"content-length" else size
        file.read(size)
        return first


def saying(*pieces: bytes) -> Serve:
    """Says these bytes, each in a packet of its own, and hangs up."""

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.003)

    return serve


def stalling(*pieces: bytes) -> Serve:
    """Says these bytes, and then nothing until the other side hangs up."""

    def serve(connection: socket.socket) -> None:
        saying(*pieces)(connection)
        while connection.recv(1000):
            pass

    return serve


def resetting(connection: socket.socket) -> None:
    """Cuts the connection off."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answer(status: int, body: str, *headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body.encode())}", *headers, "", body]
    return "\r\n".join(lines).encode()


def chunked(status: int, body: str) -> list[bytes]:
    """An answer in chunks, broken in the middle, and each in a packet of its own."""
    data = body.encode()
    middle = len(data) // 2
    return [
        b"HTTP/1.1 %d x\r\nTransfer-Encoding: chunked\r\n\r\n" % status,
        *(b"%x\r\n%s\r\n" % (len(one), one) for one in (data[:middle], data[middle:], b"")),
    ]
