from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from mailkit.errors import InvalidArgument
from mailkit.provider import Provider
from mailkit.providers.smsby import SmsBy
from mailkit.sandbox import Sandbox

from ...core.doubles import Script


def test_making_a_client_needs_no_event_loop_and_opens_nothing() -> None:
    smsby = SmsBy("TOKEN")
    assert smsby.name == "smsby"
    provider: Provider = smsby
    assert provider.account == SmsBy("TOKEN").account != SmsBy("OTHER").account
    assert "TOKEN" not in provider.account
    assert SmsBy("TOKEN", account="shop").account == "shop"


def test_the_environment_has_token_and_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILKIT_SMSBY_TOKEN", "  TOKEN\n")
    monkeypatch.delenv("MAILKIT_SMSBY_URL", raising=False)
    assert repr(SmsBy.from_env(account="me")) == "<SmsBy me at https://app.sms.by>"
    monkeypatch.setenv("MAILKIT_SMSBY_URL", "http://127.0.0.1:8080/")
    assert repr(SmsBy.from_env(account="me")) == "<SmsBy me at http://127.0.0.1:8080>"
    monkeypatch.setenv("MAILKIT_SMSBY_URL", "http://sms.example")
    with pytest.raises(InvalidArgument, match=r"^MAILKIT_SMSBY_URL: .*https"):
        SmsBy.from_env()


@pytest.mark.parametrize("token", [None, "", "два"])
def test_a_missing_or_wrong_token_is_told(
    token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAILKIT_SMSBY_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("MAILKIT_SMSBY_TOKEN", token)
    with pytest.raises(InvalidArgument, match=r"MAILKIT_SMSBY_TOKEN|token"):
        SmsBy.from_env()


def test_the_zone_is_a_name_or_a_tzinfo() -> None:
    assert SmsBy("T", zone=UTC)._wire_format.zone is UTC
    assert SmsBy("T", zone="Asia/Tokyo")._wire_format.zone == ZoneInfo("Asia/Tokyo")
    for wrong in ("Europe/Nowhere", "", "../etc/passwd", "/etc/passwd"):
        with pytest.raises(InvalidArgument, match=r"^zone: "):
            SmsBy("T", zone=wrong)


async def test_a_session_of_one_s_own_is_used_and_left_open() -> None:
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        async with SmsBy(sandbox.smsby.settings.token, sandbox.url, session=session) as smsby:
            assert await smsby.templates.list()
        assert not session.closed


async def test_a_client_made_with_options_shares_the_connections() -> None:
    async with Sandbox() as sandbox:
        smsby = SmsBy(sandbox.smsby.settings.token, sandbox.url)
        assert await smsby.with_options(timeout=3).templates.list()
        await smsby.aclose()
        with pytest.raises(InvalidArgument, match="closed"):
            await smsby.with_options(attempts=1).templates.list()


async def test_a_transport_of_one_s_own_takes_the_place_of_the_wire() -> None:
    script = Script()
    async with SmsBy("TOKEN", transport=script):
        pass
    assert script.closed
