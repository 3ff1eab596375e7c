"""The server that everything is measured against, in a process of its own.

It reads just enough of a request to answer it: the sandbox, which checks and remembers all, would
be the bottleneck. It speaks the few calls of sms.by and SendPulse that the rows use, over HTTP and
TLS. What a bulk send carried is kept until its status was asked for.

    python -m benchmarks.server [--certificate FILE] [--latency SECONDS]

It prints its addresses as JSON, and ends with its stdin. With a latency, it takes so long to answer
a bulk send, and counts how often it has had each address.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from urllib.parse import unquote_to_bytes
from urllib.request import urlopen

import attrs

__all__ = ["TOKEN", "Server", "serve"]

TOKEN = "bench-token"
OK = b'{"status":"OK","result":%s}'
FIXED = {
    b"/api/v2/sendEmail": OK % b'{"email_id":1}',
    b"/api/v2/getEmailTemplates": OK % b"[]",
    b"/oauth/access_token": b'{"access_token":"t","token_type":"Bearer","expires_in":3600}',
    b"/senders": b'[{"name":"Shop","email":"news@shop.by","status":"Active"}]',
    b"/emails": b"{}",
    b"/blacklist": b"[]",
    b"/user/balance/detail": b'{"balance":{"main":"9","bonus":"0","currency":"USD"},'
    b'"email":{"tariff_name":"Pro","emails_left":1000000000}}',
}
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
LIST_ID = re.compile(rb'"list_id": *"?(\d+)')
UUID = re.compile(rb"uuid=([0-9a-f]+)")
IN_MULTIPART = re.compile(rb'name="delivery_list\[\d+\]\[email\]"\r\n\r\n([^\r]+)')
IN_FORM = re.compile(rb"delivery_list(?:\[|%5B)\d+(?:\]|%5D)(?:%5Bemail%5D)?=([^&]+)")


class Bulks:
    """The addresses of bulk sends whose status nobody has asked for yet."""

    def __init__(self, *, counts: bool) -> None:
        self._count = 0
        self._waiting: dict[bytes, list[bytes]] = {}
        self._times: Counter[bytes] | None = Counter() if counts else None

    def send(self, body: bytes) -> bytes:
        found = IN_MULTIPART.findall(body)
        if not found:
            found = [unquote_to_bytes(address) for address in IN_FORM.findall(body)]
        if self._times is not None:
            self._times.update(found)
        self._count += 1
        uuid = b"%032x" % self._count
        self._waiting[uuid] = found
        return OK % (b'{"uuid":"%s"}' % uuid)

    def status(self, body: bytes) -> bytes:
        uuid = UUID.search(body)
        rows = self._waiting.pop(uuid[1], []) if uuid else []
        letters = b",".join(
            b'{"email_id":"%d","recipient":"%s","status":"DELIVERED","error":null}' % (n, address)
            for n, address in enumerate(rows, 1)
        )
        message = b'[{"message_id":"1","name":"n","success":[%s],"errors":[]}]' % letters
        return OK % message

    def times(self) -> bytes:
        """How many addresses have come, and how many of them more than once."""
        times = self._times or Counter()
        return b'{"once":%d,"twice":%d}' % (len(times), sum(n > 1 for n in times.values()))

    def forget(self) -> None:
        self._waiting.clear()
        if self._times is not None:
            self._times.clear()


class Lists:
    """How many contacts each mailing list has, and the campaigns, which are over at once."""

    def __init__(self) -> None:
        self._contacts: list[int] = []
        self._campaigns: list[int] = []

    def answer(self, verb: bytes, path: bytes, body: bytes) -> bytes | None:
        match path.split(b"/")[1:]:
            case [b"addressbooks"] if verb == b"POST":
                self._contacts.append(0)
                return b'{"id":%d}' % len(self._contacts)
            case [b"addressbooks"]:
                return b"[]"
            case [b"addressbooks", number, b"emails"]:
                self._contacts[int(number) - 1] += body.count(b'"email":')
                return b'{"result":true}'
            case [b"addressbooks", number]:
                count = self._contacts[int(number) - 1]
                return b'[{"id":%b,"active_email_qty":%d,"status":0}]' % (number, count)
            case [b"addressbooks", number, b"emails", b"total"]:
                return b'{"total":%d}' % self._contacts[int(number) - 1]
            case [b"addressbooks", number, b"cost"]:
                return b'{"result":true,"sent_emails_qty":%d}' % self._contacts[int(number) - 1]
            case [b"addressbooks", _, b"campaigns"]:
                return b"[]"
            case [b"campaigns"]:
                list_id = LIST_ID.search(body)
                self._campaigns.append(self._contacts[int(list_id[1]) - 1] if list_id else 0)
                return b'{"id":%d}' % len(self._campaigns)
            case [b"campaigns", number]:
                return b'{"id":%b,"status":3,"statistics":[{"code":1,"count":%d}]}' % (
                    number,
                    self._campaigns[int(number) - 1],
                )
        return None


class Protocol(asyncio.Protocol):
    """HTTP/1.1 with Content-Length, one request after the other."""

    def __init__(self, bulks: Bulks, lists: Lists, latency: float) -> None:
        self._bulks = bulks
        self._lists = lists
        self._latency = latency
        self._data = bytearray()
        self._need = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while len(self._data) >= max(self._need, 1):
            head_end = self._data.find(b"\r\n\r\n")
            if head_end < 0:
                return
            head = bytes(self._data[:head_end])
            length = CONTENT_LENGTH.search(head)
            self._need = head_end + 4 + (int(length[1]) if length else 0)
            if len(self._data) < self._need:
                return
            body = bytes(memoryview(self._data)[head_end + 4 : self._need])
            del self._data[: self._need]
            self._need = 0
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        verb, path, _ = head.split(b" ", 2)
        path = path.partition(b"?")[0]
        if path == b"/api/v2/sendBulkEmail":
            answer = self._bulks.send(body)
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._write, answer)
                return
        elif path == b"/api/v2/statusBulkEmail":
            answer = self._bulks.status(body)
        elif path == b"/times":
            answer = self._bulks.times()
        elif path == b"/forget":
            self._bulks.forget()
            answer = b"{}"
        else:
            answer = self._lists.answer(verb, path, body) or FIXED[path]
        self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport.is_closing():  # whoever asked is gone
            return
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(answer), answer)
        )


async def _main(certificate: str | None, latency: float) -> None:
    bulks, lists, loop = Bulks(counts=latency > 0), Lists(), asyncio.get_running_loop()
    ports = {}
    for scheme in ("http", "https") if certificate else ("http",):
        tls = None
        if scheme == "https":
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate or "")
        listening = await loop.create_server(
            lambda: Protocol(bulks, lists, latency), "127.0.0.1", 0, ssl=tls, backlog=1024
        )
        ports[scheme] = listening.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@attrs.frozen
class Server:
    """The running server, as the measuring process sees it."""

    url: str
    tls_url: str
    authorities: Path | None
    pid: int

    def cpu_seconds(self) -> float:
        """The CPU time that the server has used so far; 0 where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def forget(self) -> None:
        """Let the server drop the recipients whose status nobody is going to ask for."""
        urlopen(f"{self.url}/forget").close()

    def times(self) -> tuple[int, int]:
        """How many addresses it has had, and how many of them more than once."""
        with urlopen(f"{self.url}/times") as answer:
            found = json.load(answer)
        return found["once"], found["twice"]


@contextmanager
def serve(folder: Path, latency: float = 0.0) -> Iterator[Server]:
    """A server in a process of its own; ``folder`` takes its certificate."""
    command = [sys.executable, "-m", "benchmarks.server", "--latency", str(latency)]
    authorities = _certificates(folder)
    if authorities:
        command += ["--certificate", str(folder / "server.pem")]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
        start_new_session=True,  # Ctrl-C is for the measuring process
    ) as process:
        try:
            assert process.stdout is not None
            ports = json.loads(process.stdout.readline())
            url, tls_url = (
                f"{scheme}://127.0.0.1:{ports.get(scheme, 0)}" for scheme in ("http", "https")
            )
            yield Server(url, tls_url, authorities, process.pid)
        finally:
            process.terminate()


def _certificates(folder: Path) -> Path | None:
    """Write the server's certificate; gives a bundle as large as the usual one, with its issuer."""
    try:
        import certifi
        import trustme
    except ImportError:
        return None
    issuer = trustme.CA()
    issuer.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        folder / "server.pem"
    )
    bundle = folder / "authorities.pem"
    bundle.write_bytes(issuer.cert_pem.bytes() + Path(certifi.where()).read_bytes())
    return bundle


if __name__ == "__main__":
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run  # type: ignore[assignment]
    parser = argparse.ArgumentParser()
    parser.add_argument("--certificate")
    parser.add_argument("--latency", type=float, default=0.0)
    options = parser.parse_args()
    run(_main(options.certificate, options.latency))
