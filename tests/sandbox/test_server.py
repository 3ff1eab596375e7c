import asyncio
import logging
import socket as sockets
from typing import Any

import aiohttp
import pytest

from mailkit.sandbox import Sandbox
from mailkit.sandbox.request_log import MAX_BYTES

from .conftest import BULK, MESSAGE, Api, Socket, request_bytes, until


async def test_a_client_is_pointed_at_it(sandbox: Sandbox) -> None:
    assert sandbox.url.startswith("http://127.0.0.1:")
    assert sandbox.environment() == {
        "MAILKIT_SMSBY_URL": sandbox.url,
        "MAILKIT_SMSBY_TOKEN": "sandbox-token",
        "MAILKIT_DEVINO_URL": sandbox.url,
        "MAILKIT_DEVINO_API_KEY": "sandbox-key",
        "MAILKIT_SENDPULSE_URL": sandbox.url,
        "MAILKIT_SENDPULSE_CLIENT_ID": "sandbox-client",
        "MAILKIT_SENDPULSE_CLIENT_SECRET": "sandbox-secret",
    }


async def test_there_is_no_url_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="started"):
        Sandbox().url  # noqa: B018


async def test_it_listens_where_it_is_told_and_not_twice() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            await Sandbox(port=port).start()
    async with Sandbox(port=port) as sandbox:
        assert sandbox.url == f"http://127.0.0.1:{port}"
        with pytest.raises(RuntimeError, match="already"):
            await sandbox.start()


async def test_all_interfaces_are_reached_over_loopback() -> None:
    async with Sandbox(host="0.0.0.0") as sandbox, aiohttp.ClientSession() as session:
        assert "127.0.0.1" in sandbox.url
        async with session.get(f"{sandbox.url}/sandbox/health") as response:
            assert response.status == 200


async def test_ipv6_if_there_is_any() -> None:
    try:
        sockets.create_server(("::1", 0), family=sockets.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    async with Sandbox(host="::1") as sandbox, aiohttp.ClientSession() as session:
        assert sandbox.url.startswith("http://[::1]:")
        async with session.get(f"{sandbox.url}/sandbox/health") as response:
            assert response.status == 200


async def test_it_can_be_stopped_twice_and_started_again() -> None:
    sandbox = Sandbox()
    await sandbox.stop()
    await sandbox.start()
    first = sandbox.url
    await sandbox.stop()
    await sandbox.stop()
    await sandbox.start()
    assert sandbox.url == first
    await sandbox.stop()


async def test_serve_forever_ends_when_cancelled() -> None:
    sandbox = Sandbox()
    serving = asyncio.create_task(sandbox.serve_forever())
    async with asyncio.timeout(10):
        while True:
            try:
                url = sandbox.url
                break
            except RuntimeError:
                await asyncio.sleep(0)
        async with aiohttp.ClientSession(url) as session, session.get("/sandbox/health") as got:
            assert got.status == 200
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(RuntimeError, match="started"):
        _ = sandbox.url


async def test_serve_forever_takes_over_a_started_sandbox() -> None:
    async with Sandbox() as sandbox:
        serving = asyncio.create_task(sandbox.serve_forever())
        await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving


async def test_requests_are_remembered_as_they_came(api: Api, sandbox: Sandbox) -> None:
    await api.post("sendBulkEmail", BULK, params={"x": "1"})
    seen = sandbox.requests.last[-1]
    assert (seen.method, seen.path, seen.operation) == (
        "POST",
        "/api/v2/sendBulkEmail",
        "smsby.bulk.send",
    )
    assert seen.content_type == "application/x-www-form-urlencoded"
    assert seen.query == {"x": "1"}
    assert seen.params == {
        "x": "1",
        "token": "sandbox-token",
        **MESSAGE,
        "delivery_list": ["anna@mail.by", "boris@mail.by"],
    }


async def test_only_the_last_requests_are_remembered() -> None:
    async with (
        Sandbox(keep_requests=2) as sandbox,
        aiohttp.ClientSession(sandbox.url) as session,
    ):
        api = Api(session, sandbox.smsby.settings.token)
        for number in range(3):
            await api("statusBulkEmail", uuid=f"{number}")
        assert [seen.params["uuid"] for seen in sandbox.requests.last] == ["1", "2"]
        assert sandbox.requests == {"smsby.bulk.status": 3}


async def test_large_requests_push_each_other_out(
    api: Api, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_BYTES > 1_000_000
    monkeypatch.setattr("mailkit.sandbox.request_log.MAX_BYTES", 5000)
    for _ in range(3):
        await api("statusBulkEmail", uuid="x" * 3000)
    assert len(sandbox.requests.last) == 1


async def test_a_client_that_leaves_in_the_middle_does_no_harm(
    connect: Any, api: Api, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    whole = request_bytes("sendEmail", {**MESSAGE, "message": "x" * 5000, "token": api.token})
    for leave in ("abort", "close"):
        sandbox.requests.clear()
        socket: Socket = await connect()
        socket.writer.write(whole[:1000])
        await until(lambda: sandbox.requests["smsby.emails.send"] == 1)
        getattr(socket.writer.transport, leave)()
    assert (await api("sendEmail", **MESSAGE, email="anna@mail.by")).result
    assert sandbox.truth.emails == 1
    assert caplog.records == []


async def test_http_1_0_and_connection_close_end_the_connection(connect: Any) -> None:
    request = request_bytes("statusBulkEmail", {"token": "x"})
    for asked in (request.replace(b"HTTP/1.1", b"HTTP/1.0"), request):
        socket: Socket = await connect()
        if asked is request:
            asked = request_bytes("statusBulkEmail", {"token": "x"}, close=True)
        socket.writer.write(asked)
        assert b'{"error":' in await socket.rest()


async def test_pipelined_requests_are_answered_in_turn(connect: Any, sandbox: Sandbox) -> None:
    socket: Socket = await connect()
    form = {**MESSAGE, "message": "x", "token": "sandbox-token"}
    for name in ("anna", "boris"):
        socket.writer.write(request_bytes("sendEmail", {**form, "email": f"{name}@mail.by"}))
    assert b"1234567" in (await socket.answer())[2]
    assert b"1234568" in (await socket.answer())[2]


async def test_many_requests_at_once(api: Api, sandbox: Sandbox) -> None:
    await asyncio.gather(
        *(api("sendEmail", **MESSAGE, email=f"person{n}@mail.by") for n in range(50))
    )
    assert (sandbox.truth.emails, sandbox.truth.mailed_twice) == (50, [])
