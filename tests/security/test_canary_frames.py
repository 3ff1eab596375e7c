"""Whoever ends a call, and wherever it is: no frame of its traceback holds a credential."""

from __future__ import annotations

import asyncio
import signal
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp
import anyio
import pytest

from mailkit.core.quota import LocalPermits, Quota
from mailkit.errors import MailkitError, Unavailable
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy

from ..tcp import Serve, tcp_server
from .acts import FREE, LETTER
from .canary import CANARY, assert_hidden, everything
from .service import GRANT, answer

Make = Callable[..., Any]
Call = Callable[[Any], Awaitable[object]]

WHOSE: dict[str, tuple[Make, Call]] = {
    "smsby, in the body": (partial(SmsBy, CANARY), lambda c: c.emails.send(to="c@d.by", **LETTER)),
    "smsby, in the query": (partial(SmsBy, CANARY), lambda c: c.templates.list()),
    "smsby, beside a file": (
        partial(SmsBy, CANARY),
        lambda c: c.emails.send(to="c@d.by", attachment=BIG[0], **LETTER),
    ),
    "devino, in a header": (
        partial(Devino, CANARY),
        lambda c: c.messages.send(recipients=["c@d.by"], **LETTER),
    ),
    "sendpulse, a key": (
        partial(SendPulse, api_key=CANARY, **FREE),
        lambda c: c.campaigns.create(list_id=7, **LETTER),
    ),
    "sendpulse, a token": (
        partial(SendPulse, "an-id", "a-secret", **FREE),
        lambda c: c.campaigns.create(list_id=7, **LETTER),
    ),
    "sendpulse, fetching a token": (
        partial(SendPulse, CANARY, CANARY[::-1], **FREE),
        lambda c: c.campaigns.create(list_id=7, **LETTER),
    ),
}
BIG: list[Path] = []
"""The file, once there is one."""
each_client = pytest.mark.parametrize("whose", WHOSE)


@pytest.fixture(autouse=True, scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("files") / "price.pdf"
    path.write_bytes(bytes(8 * 2**20))
    BIG[:] = [path]


# Where the call is when it ends.


class Reached:
    """How far a service has come with the request that is to end."""

    def __init__(self, tokens: bool) -> None:
        self.tokens = tokens
        self.event = asyncio.Event()


Place = Callable[[Reached], AbstractAsyncContextManager[str]]


async def _request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ours: Reached
) -> None:
    """Read the request that matters; who asks for a token before gets one."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [
            line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        ]
        if not (ours.tokens and b"/oauth/access_token" in head):
            return
        await reader.readexactly(int(length[0][16:]))
        writer.write(answer(200, GRANT.decode()))


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    async def serve_and_keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        await asyncio.Event().wait()

    async with tcp_server(serve_and_keep) as address:
        yield f"http://{address}"


@asynccontextmanager
async def connecting(reached: Reached) -> AsyncIterator[str]:
    """A handshake without an end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        reached.event.set()

    async with serving(serve) as url:
        yield url.replace("http:", "https:")


@asynccontextmanager
async def silent(reached: Reached) -> AsyncIterator[str]:
    """No answer; what is larger than the buffers is not read either."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader, writer, reached)
        reached.event.set()

    async with serving(serve) as url:
        yield url


@asynccontextmanager
async def dripping(reached: Reached) -> AsyncIterator[str]:
    """An answer in drops, that says the canary."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader, writer, reached)
        writer.write(answer(400, CANARY * 40)[:-20])
        await writer.drain()
        reached.event.set()

    async with serving(serve) as url:
        yield url


PLACES: dict[str, Place] = {"connecting": connecting, "silent": silent, "dripping": dripping}


# Who ends it.


async def by_task_cancel(work: Callable[[], Awaitable[object]], reached: Reached) -> object:
    async def run() -> object:
        return await work()

    task = asyncio.create_task(run())
    await reached.event.wait()
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert task.cancelled()
    assert caught.value.args == ("enough",)
    raise caught.value


async def by_asyncio_timeout(work: Callable[[], Awaitable[object]], reached: Reached) -> object:
    task = asyncio.current_task()
    assert task is not None
    try:
        async with asyncio.timeout(None) as limit:
            _when(reached, lambda: limit.reschedule(0))
            return await work()
    except TimeoutError:
        assert task.cancelling() == 0
        raise


async def by_wait_for(work: Callable[[], Awaitable[object]], reached: Reached) -> object:
    async def run() -> object:
        return await work()

    return await asyncio.wait_for(run(), 0.2)


async def by_anyio(work: Callable[[], Awaitable[object]], reached: Reached) -> object:
    with anyio.fail_after(60) as scope:
        _when(reached, lambda: setattr(scope, "deadline", 0.0))
        return await work()


async def by_a_task_group(work: Callable[[], Awaitable[object]], reached: Reached) -> object:
    async def fail() -> None:
        await reached.event.wait()
        raise ZeroDivisionError("another task")

    async with anyio.create_task_group() as group:
        group.start_soon(fail)
        await work()
    return None


async def by_the_client_s_own(work: Callable[[], Awaitable[object]], reached: Reached) -> object:
    return await work()


def _when(reached: Reached, act: Callable[[], object]) -> None:
    async def wait() -> None:
        await reached.event.wait()
        act()

    task = asyncio.ensure_future(wait())
    task.add_done_callback(lambda _: None)


ENDS: dict[str, tuple[Any, type[BaseException] | tuple[type[BaseException], ...]]] = {
    "task.cancel": (by_task_cancel, asyncio.CancelledError),
    "asyncio.timeout": (by_asyncio_timeout, TimeoutError),
    "wait_for": (by_wait_for, TimeoutError),
    "anyio.fail_after": (by_anyio, TimeoutError),
    "a task group": (by_a_task_group, ExceptionGroup),
    "its own timeout": (by_the_client_s_own, MailkitError),
}


def no_frame_of(error: BaseException, folder: str) -> None:
    seen = "".join(traceback.format_exception(error))
    assert f"/{folder}/" not in seen, seen


@each_client
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("end", ENDS)
async def test_no_frame_of_a_call_that_was_ended_holds_a_credential(
    end: str, place: str, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    make, call = WHOSE[whose]
    by, expected = ENDS[end]
    reached = Reached(tokens=whose == "sendpulse, a token")
    timeout = 0.2 if end == "its own timeout" else 60
    async with PLACES[place](reached) as url, make(url=url, timeout=timeout) as client:
        with pytest.raises(expected) as caught:
            await by(lambda: call(client), reached)
        assert_hidden(everything(caught.value))
        no_frame_of(caught.value, "aiohttp")


@each_client
async def test_no_frame_of_a_call_that_waits_holds_a_credential(whose: str) -> None:
    """For the pool, for the token that another call fetches, or for a quota."""
    make, call = WHOSE[whose]
    reached = Reached(tokens=whose == "sendpulse, a token")
    async with silent(reached) as url, make(url=url, connections=1) as client:
        limited = client.with_permits(LocalPermits({"requests": Quota(1, 3600.0)}))
        limited = limited.with_options(quota_wait=float("inf"))
        calls = [call(limited), call(client), call(client), call(limited)]
        tasks = [asyncio.ensure_future(one) for one in calls]
        await reached.event.wait()
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 4
        for end in ends:
            assert isinstance(end, BaseException)
            assert_hidden(everything(end))
            no_frame_of(end, "aiohttp")


@each_client
def test_ctrl_c_shows_no_credential(whose: str) -> None:
    make, call = WHOSE[whose]

    async def work() -> None:
        reached = Reached(tokens=whose == "sendpulse, a token")
        async with silent(reached) as url, make(url=url) as client:
            _when(reached, lambda: signal.raise_signal(signal.SIGINT))
            await call(client)

    with pytest.raises(KeyboardInterrupt) as caught:
        asyncio.run(work())
    assert_hidden(everything(caught.value))


@each_client
@pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit, MemoryError, ValueError])
async def test_what_breaks_out_of_the_http_library_shows_no_credential(
    fault: type[BaseException], whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)

    start = aiohttp.ClientResponse.start

    async def broken(response: aiohttp.ClientResponse, *args: Any) -> aiohttp.ClientResponse:
        if reached.tokens and response.url.path == "/oauth/access_token":
            return await start(response, *args)  # it has not said the token yet
        raise fault(CANARY) from ValueError(CANARY)

    make, call = WHOSE[whose]
    reached = Reached(tokens=whose == "sendpulse, a token")
    async with dripping(reached) as url, make(url=url) as client:
        monkeypatch.setattr(aiohttp.ClientResponse, "start", broken)
        with pytest.raises((fault, MailkitError)) as caught:
            await call(client)
        if isinstance(caught.value, MailkitError):
            assert issubclass(fault, Exception)
            assert_hidden(everything(caught.value))
        else:
            caught.value.args = ()  # its own words are not ours
            assert_hidden(everything(caught.value))
            no_frame_of(caught.value, "aiohttp")


@each_client
async def test_an_error_that_was_handled_when_the_call_was_ended_is_not_told(
    whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: Any, **options: Any) -> None:
        try:
            raise aiohttp.ConnectionTimeoutError(f"to host https://a.by/?token={CANARY}")
        except aiohttp.ClientError:
            await asyncio.sleep(60)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", broken)
    make, call = WHOSE[whose]
    async with make(url="http://127.0.0.1:1") as client:
        task = asyncio.ensure_future(call(client))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert_hidden(everything(caught.value))


async def test_what_the_user_was_handling_stays_as_it_is() -> None:
    def parse(line: str) -> int:
        return int(line)

    reached = Reached(tokens=False)
    known = cancelled = None
    async with silent(reached) as url, SmsBy(CANARY, url) as client:

        async def call() -> None:
            nonlocal cancelled
            try:
                await client.templates.list()
            except asyncio.CancelledError as error:
                cancelled = error  # Python 3.11.2 names it in no TimeoutError
                raise

        try:
            parse("seven")
        except ValueError as error:
            known = error
            with pytest.raises(TimeoutError):
                await by_asyncio_timeout(call, reached)
        assert known is not None
        assert isinstance(cancelled, asyncio.CancelledError)
        assert cancelled.__context__ is known
        [_, frame] = [frame for frame, _ in traceback.walk_tb(known.__traceback__)]
        assert frame.f_locals == {"line": "seven"}
        lines = [line.name for line in traceback.extract_tb(cancelled.__traceback__)]
        assert {"by_asyncio_timeout", "templates.list", "exchange"} <= set(lines)


# Whoever cancels still gets what is due.


@pytest.mark.parametrize("place", ["silent", "connecting"])
async def test_scopes_and_timeouts_end_as_they_should(place: str) -> None:
    task = asyncio.current_task()
    assert task is not None
    for _ in range(2):
        reached = Reached(tokens=False)
        async with PLACES[place](reached) as url, SmsBy(CANARY, url) as client:
            with anyio.CancelScope() as outer, anyio.CancelScope() as inner:
                _when(reached, inner.cancel)
                await client.templates.list()
            assert inner.cancelled_caught
            assert not outer.cancelled_caught
            with anyio.move_on_after(0.02) as scope:
                await client.templates.list()
            assert scope.cancelled_caught
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await client.templates.list()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.templates.list(), 0.02)
            hasty = client.with_options(timeout=0.05, attempts=1)
            with (
                anyio.move_on_after(0.02),
                anyio.CancelScope(shield=True),
                pytest.raises(MailkitError),
            ):
                await hasty.templates.list()
            assert task.cancelling() == 0
            await asyncio.sleep(0)  # nothing is left that would be raised here


async def test_a_call_during_a_cancellation_keeps_its_own_time() -> None:
    """As in the ``finally`` of a task that is being cancelled."""
    ends: list[BaseException] = []

    async def work(client: SmsBy) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            try:
                await client.templates.list()
            except MailkitError as error:
                ends.append(error)

    reached = Reached(tokens=False)
    async with silent(reached) as url, SmsBy(CANARY, url, timeout=0.05) as client:
        task = asyncio.create_task(work(client.with_options(attempts=1)))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [type(end) for end in ends] == [Unavailable]


async def test_a_cancellation_in_the_same_turn_as_the_timeout_wins() -> None:
    reached = Reached(tokens=False)
    async with silent(reached) as url, SmsBy(CANARY, url) as client:
        task = asyncio.ensure_future(client.templates.list())
        await reached.event.wait()
        sending = next(
            frame.f_locals["sending"] for frame in _frames(task) if "sending" in frame.f_locals
        )
        sending.expire(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelling() == 1


def _frames(task: asyncio.Future[Any]) -> Iterator[FrameType]:
    waits: Any = task.get_coro()  # type: ignore[attr-defined]
    while waits is not None:
        if frame := getattr(waits, "cr_frame", None):
            yield frame
        waits = getattr(waits, "cr_await", None)
