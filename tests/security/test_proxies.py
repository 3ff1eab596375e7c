"""A proxy of the environment: it learns the host's name and nothing else, and its no is proof that
nothing was sent.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from mailkit.core.proxies import Proxies
from mailkit.core.secret import Secret
from mailkit.errors import InvalidArgument, NotSent
from mailkit.providers.smsby import SmsBy

from ..tcp import tcp_server
from .canary import CANARY, assert_hidden, everything
from .certificate import write_certificate
from .service import EMPTY, answer
from .test_network import GOOD, tls_server

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]
PASSWORD = "open sesame/№1"


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> None:
    host, _, port = target.rpartition(":")
    inner, outer = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while piece := await source.read(65_536):
            to.write(piece)
        to.close()

    try:
        await asyncio.gather(copy(reader, outer), copy(inner, writer), return_exceptions=True)
    finally:
        outer.close()
        with suppress(OSError):
            await outer.wait_closed()


def saying(*pieces: bytes) -> Answer:
    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str
    ) -> None:
        for piece in pieces:
            writer.write(piece)
        await writer.drain()

    return answer


@asynccontextmanager
async def proxy(answer: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy, its address, and the heads that it has seen."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        await answer(reader, writer, heads[-1].split()[1].decode())

    async with tcp_server(serve) as address:
        yield address, heads


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that this process trusts, as it would with SSL_CERT_FILE; no proxy is set."""
    path = write_certificate(tmp_path / "own.pem", **GOOD)
    context = ssl.create_default_context(cafile=str(path))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    return path


async def test_a_proxy_learns_the_host_alone(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_server(certificate) as (url, heard), proxy(tunnel) as (place, heads):
        quoted = PASSWORD.replace(" ", "%20").replace("/", "%2F")
        monkeypatch.setenv("https_proxy", f"http://anna:{quoted}@{place}")
        async with SmsBy(CANARY, url) as client:
            assert await client.templates.list() == []
    said = b64encode(f"anna:{PASSWORD}".encode())
    assert heads[0].startswith(f"CONNECT {url.removeprefix('https://')} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic " + said in heads[0]
    assert CANARY.encode() not in heads[0]
    assert heard[0].startswith(b"POST /api/v2/getEmailTemplates?token=")
    assert b"Proxy" not in heard[0]
    assert said not in heard[0]


FAILING: dict[str, tuple[Answer, str]] = {
    "it wants a password": (
        saying(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
        "HTTPS_PROXY refused the connection with HTTP 407",
    ),
    "it can't reach the service": (
        saying(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\noops"),
        "HTTPS_PROXY refused the connection with HTTP 502",
    ),
    "it is silent": (saying(), "not sent"),
    "it is not a proxy": (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), "not sent"),
    "it closes the tunnel": (saying(b"HTTP/1.1 200 OK\r\n\r\n"), "not sent"),
    "it speaks for the service": (
        saying(b"HTTP/1.1 200 OK\r\n\r\n", answer(200, EMPTY.decode())),
        "not sent",
    ),
}


@pytest.mark.parametrize("case", FAILING)
async def test_a_tunnel_that_fails_is_not_sent(
    case: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behavior, words = FAILING[case]
    async with tls_server(certificate) as (url, heard), proxy(behavior) as (place, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://anna:{CANARY.replace('/', '%2F')}@{place}")
        async with SmsBy("token", url) as client:
            with pytest.raises(NotSent, match=words) as caught:
                await client.emails.send(
                    sender="news@shop.by", to="a@b.by", subject="s", html="<p>Hi</p>"
                )
        assert_hidden(everything(caught.value))
    assert len(heads) == 1
    assert not heard


async def test_a_proxy_that_is_not_there_is_not_sent(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(saying()) as (place, _):
        pass
    monkeypatch.setenv("HTTPS_PROXY", place)
    async with SmsBy("token", "https://localhost:1") as client:
        with pytest.raises(NotSent, match="the proxy in HTTPS_PROXY can't be reached"):
            await client.templates.list()


async def test_a_certificate_is_checked_through_the_proxy(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_certificate(tmp_path / "other.pem", **GOOD, hosts=("mail.example",))
    async with tls_server(other) as (url, heard), proxy(tunnel) as (place, _):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{place}")
        async with SmsBy("token", url) as client:
            with pytest.raises(NotSent):
                await client.templates.list()
    assert not any(heard)


async def test_who_goes_without_a_proxy(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with tls_server(certificate) as (url, heard), proxy(saying()) as (place, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{place}")
        monkeypatch.setenv("HTTP_PROXY", f"http://{place}")
        monkeypatch.setenv("NO_PROXY", "example.com, localhost")
        async with SmsBy("token", url) as client:
            assert await client.templates.list() == []
        async with (
            proxy(saying(answer(200, EMPTY.decode()))) as (own, direct),
            SmsBy("token", f"http://{own}") as client,  # this machine, and no other
        ):
            assert await client.templates.list() == []
    assert len(heard) == len(direct) == 1
    assert not heads


@pytest.mark.parametrize("url", ["socks5://h:1080", "ftp://h", "http://", "http://h:port", "h p"])
def test_an_address_that_is_no_proxy_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument, match="HTTPS_PROXY: give the address") as caught:
        Proxies(Secret(url)).arguments("https://sms.example/")
    assert str(caught.value).endswith("such as http://proxy.example:3128")


async def test_a_proxy_that_can_not_be_used_is_refused_only_where_it_would_be_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy.example:1080")
    monkeypatch.setenv("NO_PROXY", "near.example")
    found = Proxies.of_environment()
    assert found is not None
    assert found.arguments("https://near.example/") == {}
    async with (
        proxy(saying(answer(200, EMPTY.decode()))) as (place, heads),
        SmsBy("token", f"http://{place}") as client,
    ):
        assert await client.templates.list() == []
    assert len(heads) == 1
    async with SmsBy("token", "https://localhost:1") as client:
        with pytest.raises(InvalidArgument, match="HTTPS_PROXY: give the address"):
            await client.templates.list()


def test_an_authority_of_ssl_cert_file_is_trusted(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "own.pem", **GOOD)
    program = (
        "import asyncio, sys; from mailkit import SmsBy\n"
        "async def main():\n"
        "    async with SmsBy('token', sys.argv[1]) as client:\n"
        "        print(await client.templates.list())\n"
        "asyncio.run(main())"
    )

    async def main() -> bytes:
        async with tls_server(certificate) as (url, _):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-c", program, url),
                stdout=subprocess.PIPE,
                env={"SSL_CERT_FILE": str(certificate), "PATH": ""},
            )
            return (await process.communicate())[0]

    assert asyncio.run(main()) == b"[]\n"
