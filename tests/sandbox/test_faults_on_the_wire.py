import asyncio
import gzip
import json
import math
from typing import Any

import aiohttp
import pytest

from mailkit.sandbox import Fault, Sandbox
from mailkit.sandbox.faults.distort import STRANGER

from .conftest import BULK, MESSAGE, Api, Socket, request_bytes, until

SEND = "smsby.emails.send"
REQUEST = request_bytes(
    "sendEmail", {**MESSAGE, "message": "Hello", "token": "sandbox-token", "email": "anna@mail.by"}
)
TRUE_ANSWER = b'{"status":"OK","result":{"email_id":1234567}}'


@pytest.fixture
async def socket(connect: Any) -> Socket:
    """A connection with an email on its way; the fault is added before by the test."""
    opened: Socket = await connect()
    return opened


async def test_without_a_fault_the_answer_is_whole(socket: Socket, sandbox: Sandbox) -> None:
    for number in (1, 2):  # on one connection
        socket.writer.write(REQUEST)
        status, head, body = await socket.answer()
        assert (status, json.loads(body)["status"]) == (200, "OK")
        assert b"Content-Type: application/json" in head
        assert sandbox.truth.emails == number


@pytest.mark.parametrize(
    ("kind", "emails"),
    [("reset_before_reading", 0), ("reset_after_reading", 0), ("reset_after_acting", 1)],
)
async def test_a_reset(kind: Any, emails: int, socket: Socket, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(kind, on=SEND))
    socket.writer.write(REQUEST)
    with pytest.raises(ConnectionResetError):
        await socket.rest()
    assert sandbox.truth.emails == emails
    assert sandbox.requests[SEND] == 1


async def test_a_reset_before_reading_does_not_wait_for_the_body(
    socket: Socket, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault("reset_before_reading"))
    socket.writer.write(REQUEST.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await socket.rest()


async def test_a_reset_after_reading_waits_for_the_body(socket: Socket, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("reset_after_reading"))
    head, _, body = REQUEST.partition(b"\r\n\r\n")
    socket.writer.write(head + b"\r\n\r\n")
    await until(lambda: sandbox.requests[SEND] == 1)
    assert not sandbox.requests.last
    socket.writer.write(body)
    with pytest.raises(ConnectionResetError):
        await socket.rest()
    assert len(sandbox.requests.last) == 1


async def test_refused_connections_end_the_idle_ones_too(
    socket: Socket, connect: Any, sandbox: Sandbox
) -> None:
    socket.writer.write(REQUEST)
    await socket.answer()
    sandbox.faults.add(Fault("refuse", seconds=math.inf))
    with pytest.raises(ConnectionRefusedError):
        await connect()
    assert await socket.rest() == b""
    sandbox.faults.clear()
    again: Socket = await connect()
    again.writer.write(REQUEST)
    assert (await again.answer())[0] == 200


async def test_connections_are_refused_for_a_while(connect: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("refuse", seconds=0.5))
    with pytest.raises(ConnectionRefusedError):
        await connect()
    async with asyncio.timeout(10):
        while True:
            try:
                again: Socket = await connect()
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0)
    again.writer.write(REQUEST)
    assert (await again.answer())[0] == 200


async def test_connections_are_refused_after_some_requests(connect: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("refuse", on=SEND, after=2, seconds=math.inf))
    socket: Socket = await connect()
    socket.writer.write(REQUEST)
    assert (await socket.answer())[0] == 200
    socket.writer.write(REQUEST)
    status, head, _ = await socket.answer()
    assert (status, b"Connection: close" in head) == (200, True)
    assert await socket.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        await connect()
    assert sandbox.truth.emails == 2


async def test_a_request_under_way_ends_before_its_connection_does(
    socket: Socket, connect: Any, sandbox: Sandbox
) -> None:
    head, _, body = REQUEST.partition(b"\r\n\r\n")
    socket.writer.write(head + b"\r\n\r\n")
    await until(lambda: sandbox.requests[SEND] == 1)
    sandbox.faults.add(Fault("refuse", seconds=math.inf))
    sandbox.faults.add(Fault("refuse", seconds=math.inf))  # twice is once
    socket.writer.write(body)
    assert (await socket.answer())[0] == 200
    assert await socket.rest() == b""


async def test_slow_before_acting(api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("slow_before_acting", times=1, seconds=0.1))
    request = asyncio.create_task(api("sendEmail", **MESSAGE, email="anna@mail.by"))
    await until(lambda: len(sandbox.requests.last) == 1)
    assert sandbox.truth.emails == 0
    assert (await request).result
    assert sandbox.truth.emails == 1


async def test_the_service_acts_though_the_client_has_gone(
    socket: Socket, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault("slow_before_acting", seconds=0.03))
    socket.writer.write(REQUEST)
    await until(lambda: len(sandbox.requests.last) == 1)
    socket.writer.transport.abort()
    await until(lambda: sandbox.truth.emails == 1)


async def test_slow_answer(socket: Socket, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("slow_answer", seconds=0.03))
    socket.writer.write(REQUEST)
    began = asyncio.get_running_loop().time()
    await until(lambda: sandbox.truth.emails == 1)
    assert (await socket.answer())[0] == 200
    assert asyncio.get_running_loop().time() - began >= 0.03


@pytest.mark.parametrize(
    ("kind", "emails"), [("slow_before_acting", 0), ("slow_answer", 1), ("slow_headers", 1)]
)
async def test_a_stop_does_not_wait_for_slow_answers(
    kind: Any, emails: int, sandbox: Sandbox, socket: Socket
) -> None:
    sandbox.faults.add(Fault(kind, seconds=1000))
    socket.writer.write(REQUEST)
    await until(lambda: len(sandbox.requests.last) == 1)
    await sandbox.stop()
    assert TRUE_ANSWER not in await socket.rest()
    assert sandbox.truth.emails == emails


async def test_slow_headers_trickle(socket: Socket, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("slow_headers", seconds=0.05))
    socket.writer.write(REQUEST)
    first = await socket.reader.read(1000)
    assert first.startswith(b"HTTP")
    assert b"\r\n\r\n" not in first
    assert await socket.reader.readuntil(TRUE_ANSWER)


async def test_cut_answer(socket: Socket, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("cut_answer"))
    socket.writer.write(REQUEST)
    head, _, body = (await socket.rest()).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(TRUE_ANSWER)}".encode() in head
    assert body == TRUE_ANSWER[: len(TRUE_ANSWER) // 2]
    assert sandbox.truth.emails == 1


@pytest.mark.parametrize(
    ("size", "off"), [({}, -5), ({"size": 7}, 7), ({"size": -1000}, -len(TRUE_ANSWER))]
)
async def test_wrong_length(
    size: dict[str, Any], off: int, socket: Socket, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault("wrong_length", **size))
    socket.writer.write(REQUEST)
    head, _, body = (await socket.rest()).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(TRUE_ANSWER) + off}\r\n".encode() in head + b"\r\n"
    assert body == TRUE_ANSWER


async def test_cut_json(socket: Socket, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("cut_json", times=1))
    socket.writer.write(REQUEST)
    status, _, body = await socket.answer()
    assert (status, body) == (200, TRUE_ANSWER[: len(TRUE_ANSWER) // 2])
    socket.writer.write(REQUEST)
    assert (await socket.answer())[0] == 200
    assert sandbox.truth.emails == 2


async def test_wrong_types(api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("wrong_types"))
    answer = await api("sendEmail", **MESSAGE, email="anna@mail.by")
    assert answer.value == {"status": "OK", "result": {"email_id": [1234567]}}
    assert sandbox.truth.emails == 1


async def test_partial(api: Api, sandbox: Sandbox) -> None:
    uuid = (await api.post("sendBulkEmail", BULK)).result["uuid"]
    sandbox.faults.add(Fault("partial"))
    [message] = (await api("statusBulkEmail", uuid=uuid)).result
    assert [row["recipient"] for row in message["success"]] == ["boris@mail.by", STRANGER]
    rows = (await api("getEmailDeliveryList", message_id=message["message_id"])).result
    assert [row["email"] for row in rows] == ["boris@mail.by", STRANGER]


@pytest.mark.parametrize("acted", [True, False])
async def test_html_200(acted: bool, socket: Socket, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("html_200", acted=acted))
    socket.writer.write(REQUEST)
    status, head, body = await socket.answer()
    assert (status, b"text/html" in head, body[:9]) == (200, True, b"<!DOCTYPE")
    assert sandbox.truth.emails == acted


async def test_empty_200(socket: Socket, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("empty_200"))
    socket.writer.write(REQUEST)
    assert (await socket.answer())[::2] == (200, b"")
    assert sandbox.truth.emails == 1


async def test_gzip_bomb(socket: Socket, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("gzip_bomb", size=20_000_000))
    socket.writer.write(REQUEST)
    _, head, body = await socket.answer()
    assert b"Content-Encoding: gzip" in head
    assert len(body) < 40_000
    unpacked = gzip.decompress(body)
    assert len(unpacked) == 20_000_000
    assert json.loads(unpacked) == json.loads(TRUE_ANSWER)


async def test_huge_body(api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("huge_body", size=3_000_000))
    async with api.session.post("/api/v2/sendEmail", data={}) as response:
        assert response.headers["Content-Length"] == "3000000"
        assert len(await response.read()) == 3_000_000


async def test_a_huge_body_ends_when_the_client_has_had_enough(
    socket: Socket, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault("huge_body", times=1))
    socket.writer.write(REQUEST)
    head = await socket.reader.readuntil(b"\r\n\r\n")
    assert b"Content-Length: 104857600" in head
    socket.writer.transport.abort()


@pytest.mark.parametrize(
    ("retry_after", "header"),
    [
        (1, "1"),
        (0, "0"),
        (-5, "-5"),
        (1.5, "1.5"),
        ("99999999999999", "99999999999999"),
        ("Wed, 21 Oct 2099 07:28:00 GMT", "Wed, 21 Oct 2099 07:28:00 GMT"),
        ("soon", "soon"),
        (None, None),
    ],
)
async def test_rate_limited(
    retry_after: Any, header: str | None, api: Api, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault("rate_limited", retry_after=retry_after))
    answer = await api("sendEmail", **MESSAGE, email="anna@mail.by")
    assert (answer.status, answer.headers.get("Retry-After")) == (429, header)
    assert sandbox.truth.emails == 0


@pytest.mark.parametrize("acted", [True, False])
@pytest.mark.parametrize("html", [True, False])
@pytest.mark.parametrize("status", [500, 502, 503, 599])
async def test_server_error(
    status: int, html: bool, acted: bool, socket: Socket, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault("server_error", status=status, html=html, acted=acted))
    socket.writer.write(REQUEST)
    got, head, body = await socket.answer()
    assert (got, b"text/html" in head) == (status, html)
    assert body.startswith(b"<!DOCTYPE" if html else b'{"error":')
    assert sandbox.truth.emails == acted


async def test_error_envelope(api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("error_envelope"))
    answer = await api("sendEmail", **MESSAGE, email="anna@mail.by")
    assert (answer.status, answer.value.keys()) == (200, {"error"})
    assert sandbox.truth.emails == 0


async def test_token_refused(api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("token_refused"))
    true = await api("sendEmail", token="wrong")
    answer = await api("sendEmail", **MESSAGE, email="anna@mail.by")
    assert answer.value == true.value
    assert sandbox.truth.emails == 0


@pytest.mark.parametrize("location", [None, "http://127.0.0.1:9/there"])
async def test_redirect(location: str | None, api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("redirect", location=location))
    answer = await api.post("sendEmail", MESSAGE, allow_redirects=False)
    assert answer.status == 307
    assert answer.headers["Location"] == (location or f"{sandbox.url}/moved")
    assert sandbox.truth.emails == 0


async def test_who_follows_a_redirect_is_seen(api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("redirect"))
    answer = await api("sendEmail", **MESSAGE, email="anna@mail.by")
    assert answer.status == 404
    assert sandbox.requests["unknown"] == 1


async def test_random_faults_repeat_with_the_seed() -> None:
    async def run() -> list[int]:
        async with (
            Sandbox(seed=3) as sandbox,
            aiohttp.ClientSession(sandbox.url) as session,
        ):
            sandbox.faults.add(Fault("server_error", probability=0.3))
            api = Api(session, sandbox.smsby.settings.token)
            return [(await api("statusBulkEmail", uuid="x")).status for _ in range(30)]

    first = await run()
    assert first == await run()
    assert set(first) == {200, 500}
