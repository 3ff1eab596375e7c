from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mailkit.core.auth import BasicAuth, Bearer, Credential, FieldToken, Grant, HeaderKey, Unsigned
from mailkit.core.secret import Secret
from mailkit.core.wire import Request
from mailkit.errors import AuthenticationFailed, InvalidArgument, RequestError, Unavailable
from mailkit.testing import FakeClock

from .doubles import CANARY


def request() -> Request:
    return Request("GET", "https://h", {}, None)


async def signed(bearer: Bearer, sent: Request) -> None:
    """As a client does it."""
    if not bearer.sign(sent):
        await bearer.refresh()
        assert bearer.sign(sent)


class Fetch:
    """Gives the tokens t1, t2, … or raises what stands in their place."""

    def __init__(self, *acts: RequestError | None, seconds: float = 3600.0) -> None:
        self.acts = list(acts)
        self.seconds = seconds
        self.count = 0

    async def __call__(self) -> Grant:
        self.count += 1
        await asyncio.sleep(0)
        act = self.acts.pop(0) if self.acts else None
        if act is not None:
            raise act
        return Grant(Secret(f"t{self.count}"), self.seconds)


async def test_a_key_goes_into_its_header() -> None:
    for auth, header, text in (
        (HeaderKey(Secret("k"), "Key"), "Authorization", "Key k"),
        (HeaderKey(Secret("k"), "", "X-Key"), "X-Key", "k"),
    ):
        sent = request()
        assert auth.sign(sent)
        await auth.refresh()
        assert sent.headers == {header: text}
        assert not await auth.renew(sent)
        assert auth.secrets == (Secret("k"),)


async def test_basic_authentication_is_name_and_password_in_base64() -> None:
    auth = BasicAuth("shop", "open:sesame")
    sent = request()
    assert auth.sign(sent)
    assert sent.headers == {"Authorization": "Basic c2hvcDpvcGVuOnNlc2FtZQ=="}
    assert [secret.reveal() for secret in auth.secrets] == [
        "shop",
        "open:sesame",
        "c2hvcDpvcGVuOnNlc2FtZQ==",
    ]


@pytest.mark.parametrize(("user", "password"), [("a:b", "c"), ("", "c"), ("a", "é"), ("a", "")])
def test_basic_authentication_needs_both_and_no_colon_in_the_name(user: str, password: str) -> None:
    with pytest.raises(InvalidArgument):
        BasicAuth(user, password)


async def test_a_field_token_stands_in_the_fields_and_nowhere_else() -> None:
    auth = FieldToken(Secret("a b"))
    sent = request()
    assert auth.sign(sent)
    await auth.refresh()
    assert sent.headers == {}
    assert not await auth.renew(sent)
    assert list(auth.fields.pairs()) == [("token", "a b")]
    assert auth.fields.after("x=1", "?") == "?x=1&token=a%20b"


def test_no_credential_adds_nothing() -> None:
    assert Credential({}).after("", "?") == ""
    assert Credential({}).after("a=1", "?") == "?a=1"
    assert Credential({"t": Secret("s")}).after("", "?") == "?t=s"


async def test_many_requests_wait_for_one_fetch() -> None:
    fetch = Fetch()
    bearer = Bearer(fetch)
    requests = [request() for _ in range(20)]
    await asyncio.gather(*(signed(bearer, one) for one in requests))
    assert fetch.count == 1
    assert {one.headers["Authorization"] for one in requests} == {"Bearer t1"}
    assert bearer.secrets == (Secret("t1"),)


async def test_a_token_is_fetched_anew_before_it_expires() -> None:
    clock, fetch = FakeClock(), Fetch(seconds=3600.0)
    bearer = Bearer(fetch, clock=clock)
    for passed, token in ((0, "t1"), (3539, "t1"), (1, "t2")):
        clock.advance(passed)
        sent = request()
        await signed(bearer, sent)
        assert sent.headers["Authorization"] == f"Bearer {token}"


async def test_a_short_token_is_used_for_half_its_time() -> None:
    clock, fetch = FakeClock(), Fetch(seconds=10.0)
    bearer = Bearer(fetch, clock=clock)
    for _ in range(3):
        await signed(bearer, request())
        clock.advance(4)
    assert fetch.count == 2


async def test_after_a_401_the_token_is_renewed_once_for_all() -> None:
    fetch = Fetch()
    bearer = Bearer(fetch)
    requests = [request() for _ in range(10)]
    for one in requests:
        await signed(bearer, one)
    assert await asyncio.gather(*(bearer.renew(one) for one in requests)) == [True] * 10
    assert fetch.count == 2
    late = requests[0]
    assert await bearer.renew(late)  # it still has t1, and there is t2
    assert fetch.count == 2


async def test_one_failed_fetch_is_told_to_all_who_waited_and_locks_nobody() -> None:
    fetch = Fetch(Unavailable("down"))
    bearer = Bearer(fetch, Secret(CANARY))
    ends = await asyncio.gather(
        *(signed(bearer, request()) for _ in range(5)), return_exceptions=True
    )
    assert [type(end) for end in ends] == [Unavailable] * 5
    assert fetch.count == 1
    await signed(bearer, request())
    assert fetch.count == 2


async def test_a_failed_renewal_keeps_the_old_token_for_the_next_try() -> None:
    fetch = Fetch(None, AuthenticationFailed("no"))
    bearer = Bearer(fetch)
    sent = request()
    await signed(bearer, sent)
    with pytest.raises(AuthenticationFailed):
        await bearer.renew(sent)
    await signed(bearer, request())
    assert await bearer.renew(sent)


async def test_a_cancelled_fetch_is_taken_over_by_the_next_in_line() -> None:
    gate = asyncio.Event()
    fetched: list[int] = []

    async def slow() -> Grant:
        fetched.append(1)
        await gate.wait()
        return Grant(Secret("t"), 60.0)

    fetch: Callable[[], Awaitable[Grant]] = slow
    bearer = Bearer(fetch)
    first, second = (asyncio.create_task(signed(bearer, request())) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    await second
    assert len(fetched) == 2
    assert first.cancelled()


async def test_a_call_that_fetches_a_credential_carries_none_and_keeps_its_secrets() -> None:
    auth, sent = Unsigned(Secret(CANARY)), request()
    assert auth.sign(sent)
    await auth.refresh()
    assert sent.headers == {}
    assert not await auth.renew(sent)
    assert auth.secrets == (Secret(CANARY),)
    assert auth.fields.after("", "?") == ""
