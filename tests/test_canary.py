"""A token never shows: in a repr, a log, an error, a hook or a name's value in a traceback."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import mailkit
from mailkit.core.client import Attempt
from mailkit.core.wire import Answer
from mailkit.errors import MailkitError
from mailkit.providers.smsby import PersonalLetter, SmsBy
from mailkit.sandbox import Fault, Sandbox

from .core.doubles import Script

CANARY = "canary+Zm9v/YmFy=="
OURS = str(Path(mailkit.__file__).parent)
LETTER: dict[str, Any] = {"sender": "a@b.by", "to": "c@mail.by", "subject": "s", "html": "h"}

Act = Callable[[SmsBy], Awaitable[object]]

ACTS: dict[str, Act] = {
    "form": lambda smsby: smsby.emails.send(**LETTER),
    "multipart": lambda smsby: smsby.emails.send(**LETTER, attachment=b"x"),
    "personal": lambda smsby: smsby.bulk.send(
        sender="a@b.by", delivery_list=[PersonalLetter("c@d.by", "s", "m")]
    ),
    "query": lambda smsby: smsby.templates.list(),
}


def assert_hidden(text: str) -> None:
    for spelling in (CANARY, CANARY[:9], quote(CANARY, safe=""), quote(CANARY)):
        assert spelling not in text


def told(error: BaseException) -> str:
    """All that a log with the values of mailkit's names would show of an error and its causes."""
    shown: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        shown += [str(seen), repr(seen), repr(seen.args), repr(vars(seen))]
        for frame, _ in traceback.walk_tb(seen.__traceback__):
            if frame.f_code.co_filename.startswith(OURS):
                shown += map(_shown, frame.f_locals.values())
        seen = seen.__cause__ or seen.__context__
    return "\n".join(shown)


def _shown(value: object) -> str:
    try:
        return repr(value)
    except AttributeError:  # an object that could not be made
        return object.__repr__(value)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize(
    "kind",
    ["refuse", "reset_after_reading", "slow_answer", "cut_answer", "cut_json", "server_error",
     "rate_limited", "error_envelope", "token_refused", "redirect", "html_200", "huge_body"],
)  # fmt: skip
async def test_no_failure_shows_the_token(
    kind: Any, act: Act, logged: pytest.LogCaptureFixture
) -> None:
    seen: list[Attempt] = []
    async with Sandbox(smsby_token=CANARY) as sandbox:
        smsby = SmsBy(CANARY, sandbox.url, timeout=0.3, hooks=[seen.append])
        async with smsby.with_options(attempts=1) as client:
            sandbox.faults.add(Fault(kind, times=None, seconds=5, retry_after=90))
            with pytest.raises(MailkitError) as caught:
                await act(client)
    assert_hidden(told(caught.value))
    assert_hidden(repr(seen) + logged.text + repr(smsby) + repr(client) + smsby.account)
    assert "attempt 1" in logged.text


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize("status", [200, 400, 421, 429, 500, 503, 302])
@pytest.mark.parametrize("shape", ['{"error":"bad token %s"}', "<p>%s</p>", '"%s', '{"x":"%s"}'])
async def test_a_service_that_repeats_the_token_is_not_repeated(
    shape: str, status: int, act: Act
) -> None:
    answer = Answer(status, {"X-Token": CANARY}, (shape % CANARY).encode())
    smsby = SmsBy(CANARY, transport=Script(answer)).with_options(attempts=1)
    with pytest.raises(MailkitError) as caught:
        await act(smsby)
    assert_hidden(told(caught.value))


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_a_cancelled_call_shows_nothing(act: Act) -> None:
    async with Sandbox(smsby_token=CANARY) as sandbox, SmsBy(CANARY, sandbox.url) as smsby:
        sandbox.faults.add(Fault("slow_answer", seconds=5))

        async def run() -> object:
            return await act(smsby)

        task = asyncio.create_task(run())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert_hidden(told(caught.value))


@pytest.mark.parametrize(
    "change",
    [{"html": "\ud83d"}, {"subject": "a\n"}, {"send_at": "soon"}, {"attachment": Path("none")}],
)
async def test_input_that_cannot_be_sent_shows_nothing(change: dict[str, Any]) -> None:
    with pytest.raises((MailkitError, AttributeError)) as caught:
        await SmsBy(CANARY, transport=Script()).emails.send(**LETTER | change)
    assert_hidden(told(caught.value))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: SmsBy(CANARY, "http://sms.example"),
        lambda: SmsBy(CANARY + " "),
        lambda: SmsBy(CANARY, zone="Nowhere"),
        lambda: SmsBy(CANARY, timeout=0),
        lambda: SmsBy(CANARY, connections=0),
        lambda: SmsBy.from_env(zone="Nowhere"),
        lambda: SmsBy.from_env(),
    ],
)
def test_a_client_that_cannot_be_made_shows_nothing(
    wrong: Callable[[], SmsBy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILKIT_SMSBY_TOKEN", CANARY)
    monkeypatch.setenv("MAILKIT_SMSBY_URL", "http://sms.example")
    with pytest.raises(MailkitError) as caught:
        wrong()
    assert_hidden(told(caught.value))


def test_a_client_cannot_be_pickled() -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps(SmsBy(CANARY))
    assert_hidden(told(caught.value))


def test_nothing_inside_a_client_shows_the_token() -> None:
    assert_hidden(_deep(SmsBy(CANARY), 6))


def _deep(value: object, depth: int) -> str:
    inner = vars(value).values() if hasattr(value, "__dict__") else ()
    return repr(value) + "".join(_deep(one, depth - 1) for one in inner if depth)
