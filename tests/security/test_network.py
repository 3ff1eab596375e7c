"""Where the token goes: over verified TLS, or to this very machine, and never on to another."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yarl import URL

from mailkit.core.wire import base_url
from mailkit.errors import InvalidArgument, NotSent, RequestError
from mailkit.providers.smsby import SmsBy

from ..tcp import tcp_server
from .acts import ACTS, CLIENTS, Act, each_act
from .canary import CANARY, assert_hidden, everything
from .certificate import write_certificate
from .service import EMPTY, answer

NOW = datetime.now(UTC)
GOOD: dict[str, Any] = {"since": datetime(2020, 1, 1, tzinfo=UTC)}
WRONG: dict[str, dict[str, Any]] = {
    "of another host": GOOD | {"hosts": ("mail.example", "10.0.0.1")},
    "that has run out": GOOD | {"days": 30},
    "of the future": {"since": datetime(NOW.year + 2, 1, 1, tzinfo=UTC)},
}


@asynccontextmanager
async def tls_server(certificate: Path) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server with this certificate; what it was sent, once the handshake was done."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100_000))
        if heard[-1]:
            writer.write(answer(200, EMPTY.decode(), "Connection: close"))
            await writer.drain()

    async with tcp_server(serve, context) as address:
        yield f"https://{address.replace('127.0.0.1', 'localhost')}", heard


def trusting(certificate: Path) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=str(certificate))
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))


@each_act
async def test_a_server_that_vouches_for_itself_gets_nothing(
    act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    async with tls_server(write_certificate(tmp_path / "own.pem", **GOOD)) as (url, heard):
        async with act.client(url=url) as client:
            with pytest.raises(NotSent, match="signed certificate") as caught:
                await act.call(client)
        assert_hidden(everything(caught.value))
        assert not any(heard)


async def test_the_same_server_is_answered_by_who_trusts_it(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "own.pem", **GOOD)
    async with tls_server(certificate) as (url, heard), trusting(certificate) as session:
        assert await SmsBy(CANARY, url, session=session).templates.list() == []
    assert heard[0].startswith(b"POST /api/v2/getEmailTemplates?token=")


@pytest.mark.parametrize("fault", WRONG)
async def test_trust_does_not_stretch_to_a_certificate(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    certificate = write_certificate(tmp_path / "own.pem", **WRONG[fault])
    async with tls_server(certificate) as (url, heard), trusting(certificate) as session:
        for act in ACTS:
            with pytest.raises(RequestError, match="certificate"):
                await act.call(act.client(url=url, session=session))
        assert not any(heard)


# addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://app.sms.by",
        "http://127.0.0.1.evil.com",
        "http://localhost.evil.com",
        "http://evil.com/127.0.0.1",
        "http://evil.com:80",
        "http://127.0.0.1@evil.com",
        "http://127.0.0.1:80@evil.com",
        "http://localhost:x@evil.com",
        "http://evil.com@127.0.0.1",
        "http://@127.0.0.1",
        "http://:@127.0.0.1",
        "https://user:password@app.sms.by",
        "http://127.0.0.1#@evil.com",
        "http://127.0.0.1?@evil.com",
        "http://evil.com#127.0.0.1",
        "http://evil.com\\@127.0.0.1",
        "http://127.0.0.1\\@evil.com",
        "http://127.0.0.1\\.evil.com",
        "http://[::1]evil.com",
        "http://[::1].evil.com",
        "http://[::1]@evil.com",
        "http://[::1%25evil]",
        "http://[::ffff:8.8.8.8]",
        "http://[fe80::1]",
        "http://127.0.0.1%2eevil.com",
        "http://127.0.0.1%00.evil.com",
        "http://127.0.0.1\t.evil.com",
        "http://127.0.0.1\n.evil.com",
        "http://127.0.0.1 .evil.com",
        "http://127.0.0.1,evil.com",
        "http://127.0.0.1;evil.com",
        "http://127.1",
        "http://0x7f.1",
        "http://0177.0.0.1",
        "http://2130706433",
        "http://0.0.0.0",
        "http://[::]",
        "http://10.0.0.1",
        "http://localhost.",
        "http://localhost.localdomain",
        "http://ⓛocalhost",
        "http://127。0。0。1",
        "http://①②⑦.0.0.1",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:٨٠",
        "http://127.0.0.1:80:80",
        "http:127.0.0.1",
        "http:///127.0.0.1",
        "//127.0.0.1",
        "127.0.0.1",
        "",
        "file:///etc/passwd",
        "ftp://127.0.0.1",
        "javascript:alert(1)",
        "https://",
        "https://?",
        "https://a.by?x=1",
        "https://a.by#x",
        "https://a.by?",
        "https://пример.рф",
        "https://a.by/\r\nX: y",
        "https://a.by/ HTTP/1.1",
        "https://a.by/\x1b[2J",
        "https://a.by/\ud800",
        "https://a..b",
        "https://.",
    ],
)
def test_no_address_like_this_gets_the_token(url: str) -> None:
    for make in CLIENTS.values():
        with pytest.raises(InvalidArgument, match=r"^url: ") as caught:
            make(url=url)
        assert_hidden(everything(caught.value))


@pytest.mark.parametrize(
    "url",
    ["https://app.sms.by", "https://app.sms.by:8443/x/", "HTTPS://App.SMS.by", "http://127.0.0.1",
     "http://127.8.9.1:81", "http://[::1]", "http://[::1]:8025/", "http://localhost:8025",
     "http://LOCALHOST", " https://app.sms.by/ ", "https://10.0.0.1", "https://intra"],
)  # fmt: skip
def test_https_and_this_machine_are_good_addresses(url: str) -> None:
    assert base_url(url, "url") == url.strip().rstrip("/")


PIECES = st.sampled_from(
    ["http", "https", "://", "//", ":", "@", "/", "\\", "?", "#", "[", "]", "::1", ".", "%", "%2e",
     "127.0.0.1", "localhost", "evil.com", "80", "user", "\t", "\n", " ", "\0", "ⓛ", "。", "٨", ";"]
)  # fmt: skip
URLS = st.lists(PIECES, max_size=9).map("".join) | st.text(max_size=20)


@settings(derandomize=True)
@given(st.sampled_from(["", "http://", "https://", "http://127.0.0.1", "http://[::1]"]), URLS)
@example("http://", "[::1]evil.com")
@example("https://", "a.by\r\n")
def test_both_readers_of_an_address_find_the_same_host(start: str, rest: str) -> None:
    try:
        base = base_url(start + rest, "url")
    except InvalidArgument:
        return
    ours, theirs = urlsplit(base), URL(base + "/api/v2/x?token=t", encoded=True)
    assert (theirs.scheme, theirs.host) == (ours.scheme, ours.hostname)
    assert (theirs.user, theirs.password, theirs.fragment) == (None, None, "")
    assert theirs.raw_path.endswith("/api/v2/x")
    assert str(theirs).isprintable()
    if theirs.scheme == "http":
        assert theirs.host == "localhost" or ip_address(theirs.host or "").is_loopback
