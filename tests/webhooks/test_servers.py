"""The same behind each server: good posts, and whatever comes from strangers."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import attrs
import pytest

from mailkit.bulk.journal import Journal
from mailkit.webhooks import WebhookCounts, WebhookReceiver
from mailkit.webhooks.aiohttp_app import listening

from .posting import SECRET, body, callback
from .servers import OTHERS, SERVERS, Serve, as_the_command, connected, head, posted

LARGE = b" " * 10_000_000
PIECES = 200
LIMIT = 100_000


def name_of(serve: Serve) -> str:
    return serve.__name__


@attrs.frozen
class Running:
    receiver: WebhookReceiver
    port: int

    @property
    def counts(self) -> WebhookCounts:
        return self.receiver.counts

    async def check_good(self) -> None:
        """A good post is still taken."""
        before = self.counts.posts
        assert (await posted(self.port, body())).status == 200
        assert self.counts.posts == before + 1


each_server = pytest.mark.parametrize("running", SERVERS + OTHERS, indirect=True, ids=name_of)
the_command = pytest.mark.parametrize("running", [as_the_command], indirect=True, ids=name_of)


@pytest.fixture(params=SERVERS, ids=name_of)
async def running(
    request: pytest.FixtureRequest, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    monkeypatch.setattr("mailkit.webhooks.aiohttp_app._LINGER", 0.1)
    serve: Serve = request.param
    receiver = WebhookReceiver(journal, secret=SECRET, max_size=LIMIT, body_timeout=5)
    async with serve(receiver) as port:
        yield Running(receiver, port)


@each_server
async def test_posts_on_one_connection(running: Running) -> None:
    async with connected(running.port) as connection:
        for n in range(3):
            data = body(callback(n))
            await connection.send(head(length=len(data)), data)
            assert (await connection.said()).status == 200
    assert (running.counts.posts, running.counts.repeated) == (3, 0)


async def test_any_content_type_is_taken(running: Running) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", ""):
        assert (await posted(running.port, body(), f"Content-Type: {kind}")).status == 200


async def test_a_chunked_body(running: Running) -> None:
    async with connected(running.port) as connection:
        await connection.send(head("Transfer-Encoding: chunked"))
        for byte in body():
            await connection.send(b"1\r\n%c\r\n" % byte)
        await connection.send(b"0\r\n\r\n")
        assert (await connection.said()).status == 200
    assert running.counts.events == 1


async def test_a_packed_body(running: Running) -> None:
    packed = gzip.compress(body())
    assert (await posted(running.port, packed, "Content-Encoding: gzip")).status == 200
    assert running.counts.events == 1


async def test_a_packed_bomb(running: Running) -> None:
    bomb = gzip.compress(LARGE)
    said = await posted(running.port, bomb, "Content-Encoding: gzip")
    assert said.status in (413, None)
    assert running.counts.events == 0
    await running.check_good()


async def test_a_body_of_ten_megabytes(running: Running) -> None:
    assert (await posted(running.port, LARGE)).status in (413, None)
    assert running.counts == WebhookCounts(broken=1)
    await running.check_good()


async def test_a_chunked_body_without_an_end(running: Running) -> None:
    async with connected(running.port) as connection:
        await connection.send(head("Transfer-Encoding: chunked"))
        await connection.send(*[b"10000\r\n" + b" " * 65536 + b"\r\n"] * PIECES)
        assert (await connection.said()).status in (413, None)
        assert await connection.closed()
    assert running.counts == WebhookCounts(broken=1)
    await running.check_good()


async def test_a_forged_secret_with_a_large_body(running: Running) -> None:
    for n, secret in enumerate(("a-forged-secret-of-some-length", SECRET[:-1], "x" * 3000), 1):
        assert (await posted(running.port, LARGE, secret=secret)).status in (404, None)
        assert running.counts == WebhookCounts(strangers=n)
    await running.check_good()


async def test_a_deep_body(running: Running) -> None:
    said = await posted(running.port, b"[" * 10_000 + b"]" * 10_000)
    assert (said.status, running.counts) == (400, WebhookCounts(broken=1))
    await running.check_good()


async def test_a_slow_sender_is_in_nobody_elses_way(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.receiver, "_body_timeout", 0.05)
    async with connected(running.port) as connection:
        await connection.send(head(length=1000), b"[")
        assert (await connection.said()).status in (408, None)
        assert await connection.closed()
    assert running.counts == WebhookCounts(broken=1)
    await running.check_good()


async def test_a_sender_that_goes_away(running: Running) -> None:
    async with connected(running.port) as connection:
        await connection.send(head(length=len(body())), body()[:-1])
    async with connected(running.port) as connection:
        await connection.send(head(length=len(body()))[:-2])
    await running.check_good()
    assert (running.counts.events, running.counts.broken) == (1, 0)


@the_command
@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST\r\n\r\n",
        head("Content-Length: -5") + body(),
        head("Transfer-Encoding: chunked") + b"zz\r\n",
        head("X: " + "y" * 200_000, length=5) + b"[]",
    ],
)
async def test_what_is_not_http(running: Running, data: bytes) -> None:
    async with connected(running.port) as connection:
        await connection.send(data)
        said = await connection.said()
        assert said.status is None or 400 <= said.status < 500
    assert running.counts.events == 0
    await running.check_good()


async def test_a_head_that_never_ends(
    receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.webhooks.aiohttp_app._IDLE", 0.05)
    async with as_the_command(receiver) as port:
        for data in (b"", b"POST", head(length=5)[:-2]):
            async with connected(port) as connection:
                await connection.send(data)
                assert await connection.closed()


async def test_other_methods_and_the_health(running: Running) -> None:
    async with connected(running.port) as connection:
        await connection.send(b"GET /webhooks/health HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        assert (await connection.said()).status == 200
        await connection.send(head(method="GET"))
        assert (await connection.said()).status == 405
    await running.check_good()


async def test_many_at_once(running: Running) -> None:
    posts = [posted(running.port, body(callback(n), callback(n // 2))) for n in range(50)]
    assert {said.status for said in await asyncio.gather(*posts)} == {200}
    assert (running.counts.events, running.counts.repeated) == (100, 50)


@each_server
async def test_the_access_log_and_all_others_hide_the_secret(
    running: Running, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    caplog.set_level(logging.DEBUG)
    await running.check_good()
    await posted(running.port, b"{", secret=SECRET)
    await posted(running.port, body(), secret="mistyped-" + SECRET[:-1])
    async with connected(running.port) as connection:  # below no receiver
        await connection.send(head("Connection: close").replace(b"/webhooks/", b"/elsewhere/"))
        await connection.said()
    shown = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    assert "/webhooks/devino/hidden" in shown
    assert SECRET[:-1] not in shown


async def test_the_journal_is_opened_and_closed_with_the_server(tmp_path: Path) -> None:
    for n, serve in enumerate(SERVERS + OTHERS):
        receiver = WebhookReceiver(tmp_path / f"{n}.db", secret=SECRET)
        async with serve(receiver) as port:
            assert (await posted(port, body())).status == 200
        again = await Journal.open(tmp_path / f"{n}.db")
        await again.close()
        assert receiver._journal is None


async def test_a_server_does_not_start_on_a_journal_that_can_not_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "journal.db"
    place.write_bytes(b"a letter to Anna" * 1000)
    said: list[object] = []
    messages = [{"type": "lifespan.startup"}]

    async def receive() -> dict[str, object]:
        return {**messages.pop()}

    async def send(message: object) -> None:
        said.append(message)

    await WebhookReceiver(place, secret=SECRET)({"type": "lifespan"}, receive, send)
    (failed,) = said
    assert failed["type"] == "lifespan.startup.failed"  # type: ignore[index]
    assert str(place) in failed["message"]  # type: ignore[index]


@pytest.mark.parametrize("raw", [True, False])
async def test_the_scope_shows_no_secret_to_whoever_logs_it_later(
    receiver: WebhookReceiver, raw: bool
) -> None:
    path = f"/webhooks/devino/{SECRET}"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": f"a=b&secret={SECRET}".encode(),
        "headers": [],
    }
    if raw:
        scope["raw_path"] = path.encode()
    said: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body()}

    async def send(message: dict[str, object]) -> None:
        said.append(message)

    async with receiver:
        await receiver(scope, receive, send)  # type: ignore[arg-type]
    assert [message.get("status") for message in said] == [200, None]
    assert scope["path"] == "/webhooks/devino/hidden"
    assert scope["query_string"] == b"a=b&secret=hidden"
    assert scope.get("raw_path") == (b"/webhooks/devino/hidden" if raw else None)


async def test_other_scopes(receiver: WebhookReceiver) -> None:
    said: list[object] = []

    async def receive() -> dict[str, object]:
        raise NotImplementedError

    async def send(message: object) -> None:
        said.append(message)

    scope = {"type": "websocket", "path": f"/devino/{SECRET}"}
    await receiver(scope, receive, send)
    assert said == [{"type": "websocket.close", "code": 1000}]
    assert scope["path"] == "/devino/hidden"
    with pytest.raises(ValueError, match="telepathy"):
        await receiver({"type": "telepathy"}, receive, send)


async def test_a_port_that_is_taken(receiver: WebhookReceiver) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(listening(receiver, "127.0.0.1", 0))
        port = int(url.rpartition(":")[2])
        with pytest.raises(OSError, match=str(port)):
            async with listening(receiver, "127.0.0.1", port):
                pass
