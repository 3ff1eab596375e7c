"""A client in several event loops, threads and processes: it works there, or says no before the
first byte.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from socket import create_server, socket
from typing import Any

import aiohttp
import pytest
from asgiref.sync import async_to_sync

from mailkit import SendPulse, SmsBy
from mailkit.core.auth import Bearer, Grant
from mailkit.core.http import AiohttpTransport
from mailkit.core.quota import LocalPermits, Permit, Quota
from mailkit.core.secret import Secret
from mailkit.core.wire import Request
from mailkit.errors import InvalidArgument, MailkitError, NotSent, QuotaExhausted
from mailkit.sandbox import Sandbox
from mailkit.testing import FakeClock

from .test_http import OK, request

Work = Callable[[], Awaitable[Any]]


def mails(smsby: SmsBy, to: str) -> Work:
    async def work() -> Any:
        return await smsby.emails.send(
            sender="news@shop.by", to=to, subject="Autumn", html="<p>Hi</p>"
        )

    return work


def in_threads(*works: Work) -> list[Any]:
    """Each in a thread with an event loop of its own, all at once."""
    found: list[Any] = [None] * len(works)
    start = threading.Barrier(len(works))

    def run(place: int) -> None:
        async def main() -> Any:
            start.wait(30)
            return await works[place]()

        try:
            found[place] = asyncio.run(main())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


@contextmanager
def connections() -> Iterator[tuple[str, list[list[bytes]]]]:
    """A server; of each connection the heads of its requests, and b"" once it was closed."""
    seen: list[list[bytes]] = []

    def serve(connection: socket, heads: list[bytes]) -> None:
        with connection, connection.makefile("rb") as lines:
            head = b""
            for line in lines:
                head += line
                if line == b"\r\n":
                    lines.read(3)
                    heads.append(head)
                    head = b""
                    connection.sendall(OK)
        heads.append(b"")

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            seen.append([])
            threads.append(threading.Thread(target=serve, args=(connection, seen[-1])))
            threads[-1].start()

    with create_server(("127.0.0.1", 0)) as listening:
        threads = [threading.Thread(target=accept)]
        threads[0].start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", seen
        listening.shutdown(2)
    for thread in threads:
        thread.join(30)


def test_each_run_has_connections_that_end_with_it() -> None:
    with connections() as (url, seen):
        transport = AiohttpTransport(keep_alive=60.0)

        async def twice() -> None:
            for _ in range(2):
                assert (await transport.send(request(url), 5.0)).body == b"ok"

        asyncio.run(twice())
        asyncio.run(twice())
    assert [len(heads) for heads in seen] == [3, 3]  # two requests each, and the end
    asyncio.run(transport.aclose())


def test_a_loop_that_is_closed_without_a_shutdown_leaves_nothing_behind() -> None:
    transport = AiohttpTransport(keep_alive=60.0)
    with connections() as (url, seen):
        for _ in range(2):
            loop = asyncio.new_event_loop()
            sent = loop.run_until_complete(transport.send(request(url), 5.0))
            assert sent.body == b"ok"
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
        assert len(transport._opened) == 1  # the last one's, closed with its loop
        asyncio.run(transport.aclose())
    assert [len(heads) for heads in seen] == [2, 2]


def test_a_client_works_in_one_run_after_the_other(mailkit_sandbox: Sandbox) -> None:
    smsby = SmsBy(mailkit_sandbox.smsby.settings.token, mailkit_sandbox.url)
    addresses = [f"n{n}@mail.by" for n in range(4)]
    asyncio.run(mails(smsby, addresses[0])())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    async_to_sync(mails(smsby, addresses[1]))()
    async_to_sync(mails(smsby, addresses[2]))()
    uvloop = pytest.importorskip("uvloop")
    uvloop.run(mails(smsby, addresses[3])())
    assert [mailkit_sandbox.truth.count(one) for one in addresses] == [1] * 4

    async def leave() -> None:
        async with smsby:
            pass

    asyncio.run(leave())
    with pytest.raises(InvalidArgument, match="the client is closed"):
        async_to_sync(mails(smsby, addresses[0]))()
    assert mailkit_sandbox.truth.count(addresses[0]) == 1


def test_a_client_works_in_several_threads_at_once(mailkit_sandbox: Sandbox) -> None:
    smsby = SmsBy(
        mailkit_sandbox.smsby.settings.token, mailkit_sandbox.url, requests=Quota(5, 0.02)
    )

    def many(thread: int) -> Work:
        async def work() -> int:
            sent = [mails(smsby, f"t{thread}n{n}@mail.by")() for n in range(4)]
            return len(await asyncio.gather(*sent))

        return work

    assert in_threads(*map(many, range(4))) == [4] * 4
    assert mailkit_sandbox.truth.emails == 16
    assert not mailkit_sandbox.truth.mailed_twice
    asyncio.run(smsby.aclose())


def test_a_session_of_another_loop_sends_nothing() -> None:
    with connections() as (url, seen):
        first = asyncio.new_event_loop()

        async def make() -> AiohttpTransport:
            return AiohttpTransport(aiohttp.ClientSession())

        transport = first.run_until_complete(make())
        sent = request(url)
        with pytest.raises(NotSent, match="another event loop"):
            asyncio.run(transport.send(sent, 5.0))
        assert sent.began is False
        assert transport._given is not None
        first.run_until_complete(transport._given.session.close())
        first.close()
    assert not seen


def test_without_a_loop_nothing_is_sent() -> None:
    sent = request("https://h.test/")
    sending = AiohttpTransport().send(sent, 5.0)
    with pytest.raises(InvalidArgument, match="asyncio's event loop"):
        sending.send(None)
    assert sent.began is False


def test_closing_a_client_closes_its_connections_in_all_loops() -> None:
    with connections() as (url, seen):
        transport = AiohttpTransport(keep_alive=60.0)
        sent, closed = threading.Event(), threading.Event()

        async def wait() -> None:
            await transport.send(request(url), 5.0)
            sent.set()
            while not all(heads[-1:] == [b""] for heads in seen):  # noqa: ASYNC110 - the server is a thread
                await asyncio.sleep(0)
            closed.set()

        thread = threading.Thread(target=lambda: asyncio.run(wait()))
        thread.start()
        assert sent.wait(30)

        async def close() -> None:
            await transport.send(request(url), 5.0)
            await transport.aclose()

        asyncio.run(close())
        assert closed.wait(30)
        thread.join(30)
    assert [len(heads) for heads in seen] == [2, 2]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_connections_of_its_own() -> None:
    with connections() as (url, seen), asyncio.Runner() as runner:
        transport = AiohttpTransport(keep_alive=60.0)
        permits = LocalPermits({"requests": Quota(2, 3600.0)})

        async def send() -> str:
            try:
                permit = await permits.acquire(("requests",), 0.0, 1.0)
            except QuotaExhausted:
                return "quota"
            permit.sent()
            said = (await transport.send(request(url), 5.0)).body.decode()
            permit.done()
            return said

        assert runner.run(send()) == "ok"
        held = runner.run(permits.acquire(("requests",), 0.0, 1.0))
        child = os.fork()
        if not child:
            code = 1
            try:
                # What the parent sent and what it had under way count here, too.
                assert asyncio.run(send()) == "quota"
                assert asyncio.run(transport.send(request(url), 5.0)).body == b"ok"
                asyncio.run(transport.aclose())
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        held.release()
        assert runner.run(send()) == "ok"
        runner.run(transport.aclose())
    assert [len(heads) for heads in seen] == [3, 2]  # the parent's went on


def test_a_permit_that_ends_wakes_who_waits_in_another_loop() -> None:
    permits = LocalPermits({"requests": Quota(1, 0.001)})
    taken = threading.Event()
    ended: list[str] = []

    async def first() -> None:
        permit = await permits.acquire(("requests",), None, 5.0)
        taken.set()
        while not permits._lines:  # noqa: ASYNC110 - the other thread is to come
            await asyncio.sleep(0)
        ended.append("first")
        permit.done()

    async def second() -> None:
        assert taken.wait(30)
        permit = await permits.acquire(("requests",), None, 5.0)
        ended.append("second")
        permit.done()

    assert in_threads(first, second) == [None, None]
    assert ended == ["first", "second"]


def test_who_waited_in_a_closed_loop_takes_no_permit() -> None:
    permits = LocalPermits({"requests": Quota(1, 60.0)}, FakeClock())

    async def acquire() -> Permit:
        return await permits.acquire(("requests",), None, 5.0)

    held = asyncio.run(acquire())
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(acquire())
    loop.run_until_complete(asyncio.sleep(0))
    assert not waiting.done()
    loop._ready.clear()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    loop.close()
    held.release()
    asyncio.run(acquire()).done()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def test_each_loop_fetches_one_token_at_a_time() -> None:
    fetched: list[int] = []

    async def fetch() -> Grant:
        await asyncio.sleep(0)
        fetched.append(threading.get_ident())
        return Grant(Secret(f"token{len(fetched)}"), 3600.0)

    bearer = Bearer(fetch, Secret("id"))

    async def need() -> bool:
        await asyncio.gather(*[bearer.refresh() for _ in range(5)])
        return bearer.sign(Request("GET", "https://h.test/", {}, None))

    assert in_threads(need, need, need) == [True] * 3
    assert 1 <= len(fetched) <= 3


def test_tokens_are_fetched_in_whatever_loop_needs_one(mailkit_sandbox: Sandbox) -> None:
    settings = mailkit_sandbox.sendpulse.settings
    sendpulse = SendPulse(
        settings.client_id, settings.client_secret, mailkit_sandbox.url, requests=None
    )

    async def look() -> int:
        found = await asyncio.gather(*[sendpulse.senders.list() for _ in range(2)])
        return len(found)

    assert asyncio.run(look()) == 2
    assert in_threads(look, look) == [2, 2]
    with pytest.raises(MailkitError):
        asyncio.run(sendpulse.mailing_lists.get(404))
    asyncio.run(sendpulse.aclose())
