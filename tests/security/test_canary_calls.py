"""However a call ends, the canary shows in no error, log, hook or name's value of a traceback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from mailkit.core.client import Client
from mailkit.core.hooks import Attempt
from mailkit.core.quota import REQUESTS, Quota
from mailkit.errors import (
    AuthenticationFailed,
    MailkitError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    RequestError,
    Unavailable,
)
from mailkit.providers.smsby import SmsBy
from mailkit.sandbox import (
    DevinoSettings,
    Fault,
    SendPulseSettings,
    SmsBySettings,
    sandbox_in_thread,
)

from .acts import ACTS, Act, each_act, each_client
from .canary import CANARY, HALVES, TEXT, assert_hidden, everything, watched
from .service import (
    Serve,
    answer,
    chunked,
    no,
    raw_service,
    resetting,
    saying,
    stalling,
)

DONE = answer(200, '{"status":"OK","result":[]}')
LOST = (OutcomeUnknown, Unavailable)
HANGS = {"silent", "a chunk that is none"}  # until the timeout
Expected = type[MailkitError] | tuple[type[MailkitError], ...] | None
Words = Callable[[str], Serve]
"""What the server of a provider says."""


def says(*pieces: bytes) -> Words:
    return lambda provider: saying(*pieces)


def refuses(status: int, *words: str, **more: str) -> Words:
    return lambda provider: saying(answer(status, no(provider, *words, **more)))


ENDS: dict[str, tuple[Words | None, Expected]] = {
    "answered": (says(DONE), None),
    "no port": (None, NotSent),
    "reset": (lambda provider: resetting, LOST),
    "silent": (lambda provider: stalling(), RequestError),
    "cut": (says(answer(200, CANARY * 9).replace(b"h: ", b"h: 9")), LOST),
    "a chunk that is none": (
        says(b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", f"zz{CANARY}\r\n".encode()),
        RequestError,
    ),
    "a status that is none": (says(f"HTTP/1.1 2{CANARY}\r\n\r\n".encode()), LOST),
    "a page": (says(answer(200, f"<p>{CANARY}</p>")), RequestError),
    "a page of a gateway": (says(answer(403, f"<html><body>{CANARY}</body></html>")), Unavailable),
    "other types": (says(answer(200, json.dumps({"status": "OK", "result": TEXT}))), None),
    "refused": (lambda provider: saying(*chunked(400, no(provider, CANARY))), Refused),
    "refused at 200": (refuses(200, CANARY), Refused),
    "a code": (refuses(400, "no", code=CANARY), Refused),
    "halves": (refuses(400, *HALVES), Refused),
    "an object": (
        says(
            answer(
                400,
                json.dumps(
                    {"errors": {TEXT: [TEXT]}, "error": {TEXT: [TEXT]}, "reasons": {TEXT: [TEXT]}}
                ),
            )
        ),
        LOST,
    ),
    "unauthorised": (refuses(401, CANARY), (AuthenticationFailed, *LOST)),
    "not found": (refuses(404, CANARY), NotFound),
    "limited": (refuses(429, CANARY), RateLimited),
    "limited by a gateway": (
        says(answer(429, CANARY, "Retry-After: 9", f"X: {CANARY}")),
        (RateLimited, OutcomeUnknown),
    ),
    "unavailable": (refuses(503, CANARY), LOST),
    "an error's page": (says(answer(500, CANARY * 50)), LOST),
    "a redirect": (
        says(answer(302, CANARY, f"Location: https://evil.example/?token={TEXT}")),
        RequestError,
    ),
}
"""What the server does, and the error; None where some calls succeed."""


PAIRS = {
    f"{act.name}, {end}": (end, act)
    for turn, act in enumerate(ACTS)
    for place, end in enumerate(ENDS)
    if (turn + place) % 2
}
"""Each call meets every second end; the next one, as a rule of the same service, the others."""


@pytest.mark.parametrize(("end", "act"), PAIRS.values(), ids=PAIRS)
def test_no_end_of_a_call_shows_the_canary(
    end: str, act: Act, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    words, expected = ENDS[end]
    serve = None if words is None else words(act.provider)

    async def call(seen: list[Attempt]) -> None:
        with raw_service(serve) as url:
            async with act.client(
                url=url, hooks=[seen.append], timeout=0.1 if end in HANGS else 9
            ) as client:
                assert_hidden(repr(client) + client.account)
                try:
                    assert_hidden(repr(await act.call(client)))
                finally:
                    assert len(seen) in (0, 2)  # none without a token

    failure = watched(call, caplog)
    if expected is None:
        assert failure is None or isinstance(failure, RequestError)
    else:
        assert isinstance(failure, expected), failure


@pytest.mark.parametrize("kind", ["token_refused", "error_envelope"])
async def test_the_sandbox_s_own_words_show_nothing(kind: Any) -> None:
    with sandbox_in_thread(
        smsby=SmsBySettings(token=CANARY),
        devino=DevinoSettings(api_key=CANARY),
        sendpulse=SendPulseSettings(api_key=CANARY),
    ) as sandbox:
        sandbox.faults.add(Fault(kind))
        for act in ACTS:
            async with act.client(url=sandbox.url) as client:
                try:
                    assert_hidden(repr(await act.call(client.with_options(attempts=1))))
                except MailkitError as error:
                    assert_hidden(everything(error))
        assert sandbox.requests.total() >= len(ACTS)


def test_an_answer_s_headers_show_only_if_they_are_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = answer(200, '{"status":"OK","result":[]}', f"Set-Cookie: token={TEXT}")

    async def call(seen: list[Attempt]) -> None:
        with raw_service(saying(said)) as url:
            async with SmsBy(CANARY, url) as smsby:
                reply = await smsby.templates.list.raw()
                assert TEXT in reply.headers["set-cookie"]
                assert_hidden(repr(reply) + str(reply))

    assert watched(call, caplog) is None


@each_act
def test_a_call_that_is_cancelled_in_its_answer_shows_nothing(
    act: Act, caplog: pytest.LogCaptureFixture
) -> None:
    said = answer(400, CANARY + "x" * 100).replace(b"h: 1", b"h: 91")

    async def call(seen: list[Attempt]) -> None:
        answered = asyncio.Event()
        loop = asyncio.get_running_loop()

        def serve(connection: Any) -> None:
            saying(said[:-50])(connection)
            loop.call_soon_threadsafe(answered.set)
            stalling(said[-50:])(connection)

        with raw_service(serve) as url:
            async with act.client(url=url) as client:

                async def run() -> object:
                    return await act.call(client)

                task = asyncio.create_task(run())
                await answered.wait()
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError as error:
                    assert_hidden(everything(error))
                else:
                    pytest.fail("it was not cancelled")

    assert watched(call, caplog) is None


@each_act
def test_a_hook_that_fails_shows_nothing(
    act: Act, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)

    def hook(attempt: Attempt) -> None:
        raise ZeroDivisionError(CANARY)

    async def call(seen: list[Attempt]) -> None:
        with raw_service(saying(answer(400, CANARY))) as url:
            async with act.client(url=url, hooks=[seen.append, hook]) as client:
                await act.call(client)

    assert isinstance(watched(call, caplog), LOST)
    assert "ZeroDivisionError at " in caplog.text


@each_client
def test_a_quota_that_is_used_up_shows_nothing(
    make: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    act = next(act for act in ACTS if act.client is make)

    async def call(seen: list[Attempt]) -> None:
        async with make(url="http://127.0.0.1:1", requests=Quota(1, 60.0)) as client:
            hasty = client.with_options(quota_wait=0, attempts=1)
            assert client._permits is not None
            await client._permits.acquire(REQUESTS, 0, 60.0)
            await act.call(hasty)

    assert isinstance(watched(call, caplog), QuotaExhausted)
