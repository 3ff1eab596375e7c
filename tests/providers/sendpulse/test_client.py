from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mailkit.core.quota import Quota
from mailkit.core.wire import Request, Response
from mailkit.errors import (
    AuthenticationFailed,
    BadResponse,
    InvalidArgument,
    OutcomeUnknown,
    Unavailable,
)
from mailkit.providers.sendpulse import SendPulse
from mailkit.testing import FakeClock

from ...core.doubles import Script, response
from .doubles import client, sample, sent

NOT_TODAY = response(401, {"message": "Unauthorized", "error_code": 401})
LISTS = response(200, [])
OAUTH: dict[str, Any] = {"client_id": "canary-id-1", "client_secret": "canary-secret-1"}


def token(text: str = "canary-token-1", seconds: int = 3600) -> Response:
    tree = {"access_token": text, "token_type": "Bearer", "expires_in": seconds}
    return response(200, tree)


def with_oauth(transport: Script | Desk, clock: FakeClock | None = None) -> SendPulse:
    clock = clock or FakeClock()
    return SendPulse(**OAUTH, transport=transport, clock=clock, requests=None)


class Desk:
    """A service that gives out tokens t1, t2, … and knows only the latest of them."""

    def __init__(self, *acts: Response) -> None:
        self.acts = list(acts)
        self.fetched = 0
        self.answered = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        request.began = True
        if request.url.endswith("/oauth/access_token"):
            await self.gate.wait()
            self.fetched += 1
            return self.acts.pop(0) if self.acts else token(f"t{self.fetched}")
        await asyncio.sleep(0)
        if request.headers["Authorization"] != f"Bearer t{self.fetched}":
            return NOT_TODAY
        self.answered += 1
        return LISTS

    async def aclose(self) -> None:
        pass


async def test_a_token_is_fetched_with_id_and_secret_and_used_until_it_is_about_to_expire() -> None:
    script, clock = Script(token(), LISTS, LISTS, token("t2"), LISTS), FakeClock()
    sendpulse = with_oauth(script, clock)
    await sendpulse.mailing_lists.list()
    await sendpulse.mailing_lists.list()
    clock.advance(3541)
    await sendpulse.mailing_lists.list()
    assert sent(script, 0).path == "/oauth/access_token"
    assert sent(script, 0).body == {**OAUTH, "grant_type": "client_credentials"}
    assert "Authorization" not in script.requests[0][2]
    used = [script.requests[place][2]["Authorization"] for place in (1, 2, 4)]
    assert used == ["Bearer canary-token-1", "Bearer canary-token-1", "Bearer t2"]


async def test_fifty_calls_at_once_with_an_expired_token_fetch_one() -> None:
    desk, clock = Desk(), FakeClock()
    sendpulse = with_oauth(desk, clock)
    await sendpulse.mailing_lists.list()
    clock.advance(3600)
    desk.gate.clear()
    calls = [asyncio.create_task(sendpulse.mailing_lists.list()) for _ in range(50)]
    await asyncio.sleep(0.01)
    desk.gate.set()
    await asyncio.gather(*calls)
    assert (desk.fetched, desk.answered) == (2, 51)


async def test_fifty_calls_at_once_whose_token_is_refused_fetch_one() -> None:
    desk, clock = Desk(), FakeClock()
    sendpulse = with_oauth(desk, clock)
    await sendpulse.mailing_lists.list()
    desk.fetched += 1  # from now on the service doesn't know the first token
    await asyncio.gather(*(sendpulse.mailing_lists.list() for _ in range(50)))
    assert (desk.fetched, desk.answered) == (3, 51)


async def test_a_token_takes_a_permit_and_never_waits_for_calls_that_wait_for_it() -> None:
    desk, quota = Desk(), Quota(3, 0.05)
    sendpulse = SendPulse(**OAUTH, transport=desk, requests=quota)
    start = asyncio.get_running_loop().time()
    await asyncio.gather(*(sendpulse.mailing_lists.list() for _ in range(6)))
    assert (desk.fetched, desk.answered) == (1, 6)
    took = asyncio.get_running_loop().time() - start
    assert 0.1 <= took < 5, "seven requests are two full windows and one more"


async def test_a_cancelled_waiter_leaves_the_token_to_the_others() -> None:
    desk = Desk()
    desk.gate.clear()
    sendpulse = with_oauth(desk)
    calls = [asyncio.create_task(sendpulse.mailing_lists.list()) for _ in range(5)]
    await asyncio.sleep(0.01)
    calls[0].cancel()
    calls[3].cancel()
    await asyncio.sleep(0.01)
    desk.gate.set()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends].count(list) == 3
    assert desk.fetched == 1


async def test_a_401_fetches_a_token_and_sends_the_same_bytes_again() -> None:
    script = Script(token("t1"), NOT_TODAY, token("t2"), response(200, {"id": 5}))
    assert await with_oauth(script).mailing_lists.create("Autumn") == 5
    first, second = script.requests[1], script.requests[3]
    assert (first[1], first[3]) == (second[1], second[3])
    assert second[2]["Authorization"] == "Bearer t2"


@pytest.mark.parametrize("body", [b"<html>401</html>", {"message": "Unauthorized"}])
async def test_a_gateway_s_401_to_a_call_that_is_not_repeated_fetches_no_token(
    body: object,
) -> None:
    script = Script(token("t1"), response(401, body))
    with pytest.raises(AuthenticationFailed):
        await with_oauth(script).mailing_lists.create("Autumn")
    assert not script.acts


async def test_a_second_401_is_final() -> None:
    script = Script(token("t1"), NOT_TODAY, token("t2"), NOT_TODAY)
    with pytest.raises(AuthenticationFailed, match="Unauthorized"):
        await with_oauth(script).mailing_lists.list()
    assert not script.acts


async def test_a_fetch_that_fails_once_does_not_lock_the_client() -> None:
    script = Script(sample("token_invalid", 401), token(), LISTS)
    sendpulse = with_oauth(script)
    with pytest.raises(AuthenticationFailed, match="Client authentication failed") as caught:
        await sendpulse.mailing_lists.list()
    assert caught.value.call == "oauth.access_token"
    assert await sendpulse.mailing_lists.list() == []


async def test_a_service_that_is_down_is_asked_for_a_token_again_and_then_told() -> None:
    script = Script(*[OutcomeUnknown("no response: reset")] * 3)
    with pytest.raises(Unavailable):
        await with_oauth(script).campaigns.cancel(1)
    assert not script.acts


async def test_a_401_with_a_static_key_is_final() -> None:
    script = Script(NOT_TODAY)
    with pytest.raises(AuthenticationFailed):
        await client(script).mailing_lists.list()
    assert len(script.requests) == 1


@pytest.mark.parametrize("oauth", [True, False])
async def test_a_403_never_fetches_a_token(oauth: bool) -> None:
    script = Script(*([token()] if oauth else []), sample("forbidden", 403))
    sendpulse = with_oauth(script) if oauth else client(script)
    with pytest.raises(AuthenticationFailed, match="Unauthorized action") as caught:
        await sendpulse.user.info()
    assert caught.value.code == 800
    assert not script.acts


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (sample("token_invalid", 401), AuthenticationFailed),
        (sample("token_invalid", 400), AuthenticationFailed),
        (response(401, {"error": "invalid_client"}), AuthenticationFailed),
        (response(401, {"message": "No", "error_code": 1}), AuthenticationFailed),
        (response(401, {"error": "Unauthorized"}), Unavailable),
        (response(401, {"message": "Unauthorized"}), Unavailable),
        (response(401, {"error": {"code": 401, "message": "No", "status": "NO"}}), Unavailable),
        (response(401, b"<html>"), Unavailable),
        (response(403, sample("token_invalid").body), Unavailable),
        (response(502, sample("token_invalid").body), Unavailable),
        (response(200, sample("token_invalid").body), BadResponse),
        (response(200, {"access_token": ""}), BadResponse),
    ],
)
async def test_only_the_service_refuses_a_token(said: Response, error: type[Exception]) -> None:
    script = Script(said, said, said)
    with pytest.raises(error) as caught:
        await with_oauth(script).mailing_lists.list()
    assert type(caught.value) is error
    assert len(script.requests) == (1 if error is AuthenticationFailed else 3)


async def test_no_credential_comes_back_in_an_error() -> None:
    unreadable = response(200, {"access_token": {"canary-token-1": 1}})
    echo = response(422, {"message": "canary-secret-1 canary-id-1", "error_code": 1})
    said = response(422, {"message": "canary-token-1", "error_code": 1})
    for acts in ([unreadable] * 3, [echo], [token(), said]):
        sendpulse = with_oauth(Script(*acts))
        with pytest.raises(Exception, match=r"oauth|mailing_lists") as caught:
            await sendpulse.mailing_lists.list()
        shown = f"{caught.value} {getattr(caught.value, 'where', '')} {sendpulse!r}"
        assert "canary" not in shown


def test_from_env_takes_a_pair_or_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    place = "MAILKIT_SENDPULSE_"
    for name in ("CLIENT_ID", "CLIENT_SECRET", "API_KEY", "URL", "ZONE"):
        monkeypatch.delenv(place + name, raising=False)
    with pytest.raises(InvalidArgument, match="MAILKIT_SENDPULSE_API_KEY"):
        SendPulse.from_env()
    monkeypatch.setenv(place + "CLIENT_ID", "me")
    with pytest.raises(InvalidArgument, match="CLIENT_SECRET"):
        SendPulse.from_env()
    monkeypatch.setenv(place + "CLIENT_SECRET", "s")
    by_pair = SendPulse.from_env()
    assert by_pair.account == SendPulse("me", "other").account
    monkeypatch.setenv(place + "API_KEY", "k")
    with pytest.raises(InvalidArgument, match="alone"):
        SendPulse.from_env()
    monkeypatch.delenv(place + "CLIENT_ID")
    monkeypatch.delenv(place + "CLIENT_SECRET")
    monkeypatch.setenv(place + "URL", "http://127.0.0.1:8025")
    assert "127.0.0.1:8025" in repr(SendPulse.from_env(account="shop"))


@pytest.mark.parametrize(
    "options",
    [{}, {"client_id": "a"}, {"client_secret": "a"}, {**OAUTH, "api_key": "k"}, {"api_key": ""}],
)
def test_half_a_credential_or_two_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        SendPulse(**options)


def test_a_client_needs_https_and_a_zone_that_exists() -> None:
    with pytest.raises(InvalidArgument, match="https"):
        SendPulse(api_key="k", url="http://sendpulse.test")
    with pytest.raises(InvalidArgument, match="zone"):
        SendPulse(api_key="k", zone="Europe/Atlantis")


async def test_what_is_beyond_the_pages_is_spoken_too() -> None:
    script = Script(
        sample("tags"), *[sample("tag_queued")] * 7, response(200, {"id": 1, "plan": {"a": []}})
    )
    sendpulse = client(script)
    (tag,) = await sendpulse.tags.list()
    assert (tag.id, tag.name, tag.color) == (2506, "vip", "#f0f4f6")
    await sendpulse.tags.create("vip", "#f0f4f6")
    await sendpulse.tags.update(2506, "gold")
    await sendpulse.tags.delete(2506)
    await sendpulse.tags.pin_email("a@mail.by", [2506])
    await sendpulse.tags.pin_phone("375291234567", [2506])
    await sendpulse.tags.unpin_email("a@mail.by", [2506])
    await sendpulse.tags.unpin_phone("375291234567", [2506])
    assert await sendpulse.user.info() == {"id": 1, "plan": {"a": []}}
    spoken = [(one[0], one[1].removeprefix("https://api.sendpulse.com")) for one in script.requests]
    assert spoken == [
        ("GET", "/tags"),
        ("POST", "/tags"),
        ("PUT", "/tags/2506"),
        ("DELETE", "/tags/2506"),
        ("POST", "/tags/pin/email"),
        ("POST", "/tags/pin/phone"),
        ("POST", "/tags/unpin/email"),
        ("POST", "/tags/unpin/phone"),
        ("GET", "/user/info"),
    ]
    assert json.loads(script.requests[4][3] or b"") == {"email": "a@mail.by", "tags": [2506]}
