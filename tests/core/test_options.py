"""The options that all clients share: each is taken, checked and said to be unknown if it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mailkit.core.client import Client
from mailkit.core.options import ClientOptions
from mailkit.core.quota import Quota
from mailkit.errors import InvalidArgument
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy
from mailkit.testing import FakeClock

from .doubles import Script, response

MAKERS: list[Callable[..., Client]] = [
    lambda **options: SmsBy("token", **options),
    lambda **options: Devino("key", **options),
    lambda **options: SendPulse(api_key="key", **options),
]
each_client = pytest.mark.parametrize("make", MAKERS, ids=["smsby", "devino", "sendpulse"])


@each_client
def test_an_unknown_option_is_named(make: Callable[..., Client]) -> None:
    with pytest.raises(TypeError, match="got an unexpected option: color, size"):
        make(size=1, color="red", timeout=3)


async def later(attempt: object) -> None: ...


@each_client
def test_options_of_another_type_are_named(make: Callable[..., Client]) -> None:
    wrong: dict[str, list[object]] = {
        "account": [5, b"x"],
        "requests": ["x", 5, ["x"]],
        "session": ["x", 5],
        "connections": ["x", 1.5],
        "timeout": ["x", [5]],
        "hooks": ["x", 5, [5], [later]],
        "clock": ["x", 5],
        "random": ["x", 5],
        "limits": ["x", 5],
    }
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(InvalidArgument, match=rf"^{name}\b.*: give "):
                make(**{name: value})


@pytest.mark.parametrize("url", [5, None, b"https://h", ["https://h"]])
def test_an_address_that_is_no_text_is_refused(url: Any) -> None:
    for make in (lambda: SmsBy("t", url), lambda: Devino("k", url)):
        with pytest.raises(InvalidArgument, match="url: not an http"):
            make()


@each_client
def test_the_account_is_a_hash_of_the_credential_unless_it_is_named(
    make: Callable[..., Client],
) -> None:
    assert make(account="shop").account == "shop"
    assert make(account=None).account == make().account != ""
    assert make(account="").account == make().account


@each_client
@pytest.mark.parametrize(
    "wrong",
    [
        {"account": "a\nb"}, {"timeout": 0}, {"timeout": -1}, {"timeout": "5"}, {"timeout": True},
        {"connections": 0}, {"connections": 1.5},
    ],
)  # fmt: skip
def test_what_an_option_cannot_be_is_refused_by_its_name(
    make: Callable[..., Client], wrong: dict[str, Any]
) -> None:
    [name] = wrong
    with pytest.raises(InvalidArgument, match=name):
        make(**wrong)


@each_client
def test_every_option_may_be_left_to_its_default(make: Callable[..., Client]) -> None:
    assert ClientOptions.__optional_keys__ == ClientOptions.__annotations__.keys()
    quotas = {"requests": Quota(1, 2.0)}
    assert make(**quotas).quotas["requests"] is quotas["requests"]
    assert "requests" not in make(requests=None).quotas


async def test_attempts_time_and_chance_come_from_the_options() -> None:
    script, clock, seen = Script(*[response(503, b"<html>")] * 3), FakeClock(), list[Any]()
    client = SmsBy("token", transport=script, clock=clock, hooks=[seen.append], timeout=7)
    with pytest.raises(Exception, match=r"smsby\.templates\.list"):
        await client.templates.list()
    assert script.timeouts[0] == 7
    assert len(seen) == 6
    assert clock.now() > FakeClock().now()
