"""A service that says a credential back, in any spelling and with any status, is not repeated."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import partial

import pytest

from mailkit.core.hooks import Attempt
from mailkit.core.wire import Request, Response
from mailkit.errors import MailkitError, OutcomeUnknown, RequestError
from mailkit.providers.sendpulse import SendPulse

from .acts import ACTS, FREE, HOOK, Act, each_act
from .canary import CANARY, ECHOES, TEXT, assert_hidden, everything, watched
from .service import Said, Saying, no, service

STATUSES = [200, 302, 400, 401, 403, 404, 421, 429, 500, 503]


def in_raw_json(echo: str) -> str:
    """As a service writes it that escapes nothing, or all in its own way."""
    return f'{{"error":"{echo}","message":"{echo}","description":"{echo}"}}'


def bodies(provider: str) -> list[Callable[[str], str]]:
    return [partial(no, provider), in_raw_json, "<p>{}</p>".format, '"{}'.format]


@each_act
@pytest.mark.parametrize("status", STATUSES)
async def test_no_echo_is_repeated(status: int, act: Act) -> None:
    headers = {"X-Token": CANARY, "Location": f"https://evil.example/?token={CANARY}"}
    forms = bodies(act.provider)
    says, errors = Saying(Response(status, headers, b"")), []
    client = act.client(transport=says).with_options(attempts=1)
    # Each echo in another form; the next act, and the next status, has it in the next form.
    for n, echo in enumerate(ECHOES.values(), ACTS.index(act) + STATUSES.index(status)):
        says.answer = Response(status, headers, forms[n % len(forms)](echo).encode())
        with pytest.raises(RequestError) as caught:
            await act.call(client)
        errors.append(caught.value)
    assert_hidden("".join(f"{error}{error!r}{vars(error)!r}" for error in errors))
    assert_hidden(everything(errors[STATUSES.index(status) % len(errors)]))


@each_act
async def test_a_body_that_cannot_be_put_together_shows_nothing(
    act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*args: object, **options: object) -> int:
        raise MemoryError("while the body is put together")

    generator = random.Random()
    monkeypatch.setattr(generator, "getrandbits", exhausted)
    monkeypatch.setattr("mailkit.core.codec._encode", exhausted)
    client = act.client(transport=Saying(Response(400, {}, TEXT.encode())), random=generator)
    with pytest.raises((MemoryError, RequestError)) as caught:  # a short form needs neither
        await act.call(client)
    assert_hidden(everything(caught.value))


async def test_a_webhook_s_address_is_not_in_its_repr() -> None:
    body = json.dumps([{"id": 1, "url": HOOK, "action": "open"}]).encode()
    client = SendPulse(api_key="a-key", transport=Saying(Response(200, {}, body)), **FREE)
    for hooks in (await client.webhooks.list(), await client.webhooks.create(HOOK, "open")):
        assert [hook.url for hook in hooks] == [HOOK]
        assert_hidden(repr(hooks) + str(hooks))


# SendPulse's tokens


async def test_a_token_that_cannot_be_asked_for_shows_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exhausted(*args: object, **options: object) -> None:
        raise MemoryError("while the body is put together")

    monkeypatch.setattr("mailkit.core.codec._encode", exhausted)
    client = SendPulse(CANARY, CANARY, transport=Saying(Response(200, {}, b"")), **FREE)
    with pytest.raises(MemoryError) as caught:
        await client.senders.request_code("news@shop.by")
    assert_hidden(everything(caught.value))


@pytest.mark.parametrize("secret", ["id", "secret"])
@pytest.mark.parametrize("asked", ["access_token", "campaigns"])
@pytest.mark.parametrize("status", STATUSES)
def test_what_tokens_are_fetched_with_does_not_show(
    status: int,
    asked: str,
    secret: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)
    pair = (CANARY, "secret") if secret == "id" else ("id", CANARY)
    granted = Said(b'{"access_token":"another-token"}')

    async def call(seen: list[Attempt]) -> None:
        script = {"access_token": granted, asked: Said(no("sendpulse", TEXT).encode(), status)}
        with service(script) as running:
            async with SendPulse(*pair, running.url, hooks=[seen.append], **FREE) as client:
                assert_hidden(repr(client) + client.account)
                await client.campaigns.send_test(
                    sender="Shop <a@b.by>", subject="s", html="h", list_id=1, to=["c@d.by"]
                )

    assert isinstance(watched(call, caplog), MailkitError)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"access_token": TEXT, "expires_in": "soon"}),
        (200, {"access_token": TEXT, "expires_in": TEXT}),
        (200, {"access_token": f"{TEXT}\r\nX: y"}),
        (200, {"access_token": {"token": TEXT}}),
        (200, {"token": TEXT}),
        (302, {"access_token": TEXT}),
        (500, {"access_token": TEXT}),
    ],
)
def test_a_token_in_an_answer_that_is_of_no_use_does_not_show(
    status: int,
    body: dict[str, object],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)

    async def call(seen: list[Attempt]) -> None:
        script = {"access_token": Said(json.dumps(body).encode(), status)}
        with service(script) as running:
            async with SendPulse("id", "secret", running.url, hooks=[seen.append]) as client:
                await client.senders.request_code("news@shop.by")

    assert isinstance(watched(call, caplog), RequestError)


async def test_a_token_that_was_renewed_meanwhile_does_not_show() -> None:
    """An answer may come when another call has fetched a new token already."""
    tokens = [CANARY, "second-token"]

    class Renewing(Saying):
        async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
            request.began = True
            if request.url.endswith("/oauth/access_token"):
                return Response(200, {}, json.dumps({"access_token": tokens.pop(0)}).encode())
            if request.verb == "GET":
                assert await client._auth.renew(request)
            return self.answer

    client = SendPulse(
        "id", "secret", transport=Renewing(Response(500, {}, CANARY.encode())), **FREE
    )
    with pytest.raises(OutcomeUnknown) as caught:
        await client.senders.request_code("news@shop.by")
    assert tokens == []
    assert_hidden(everything(caught.value))
