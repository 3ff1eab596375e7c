"""``mailkit doctor``: what a user can say about a service that nobody else can reach."""

from __future__ import annotations

import platform
from importlib.metadata import version

import pytest

from mailkit.sandbox import Fault
from mailkit.sandbox.request_log import RecordedRequest

from ..approval import approve
from .shop import Ended, Shop

MESSAGE = {"sender": "Shop <news@shop.by>", "subject": "Hi", "html": "<p>Hi</p>"}


def lines(ended: Ended) -> str:
    """What was said, without what is different on each machine."""
    first, rest = ended.out.split("\n", 1)
    for part in (version("mailkit-bulk"), platform.python_version(), version("aiohttp")):
        assert part in first
    return rest


def asked(shop: Shop) -> list[RecordedRequest]:
    return list(shop.sandbox.requests.last)


@pytest.mark.parametrize("provider", ["smsby", "devino", "sendpulse"])
def test_a_new_account_is_well(shop: Shop, provider: str) -> None:
    ended = shop("doctor", "--provider", provider)
    assert (ended.code, ended.err) == (0, "")
    approve(f"doctor: {provider}", lines(ended))
    assert not shop.journal.exists()


def test_an_account_in_use_is_read_and_not_changed(shop: Shop) -> None:
    own = shop.sandbox.sendpulse.settings
    own.requests_per_second = own.campaigns_per_hour = None  # its time stands still
    own.moderated_first, own.moderated_from, own.copying, own.sending = 0, 1_000_000, 0.0, 0.0
    words = ("--provider", "sendpulse")
    shop("send", shop.letter(**MESSAGE), shop.customers(2), *words)
    before = len(asked(shop))
    ended = shop("doctor", *words, "--json")
    assert (ended.code, ended.err) == (0, "")
    told = ended.json
    assert {check["name"]: check["state"] for check in told["checks"]} == dict.fromkeys(
        (check["name"] for check in told["checks"]), "ok"
    )
    others = [seen.path for seen in asked(shop)[before:] if seen.method != "GET"]
    assert others == ["/oauth/access_token"]
    assert "customer" not in ended.out
    assert "shop.by" not in ended.out


def test_what_is_wrong_is_told(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("token_refused", on="smsby.*"))
    ended = shop("doctor", "--provider", "smsby")
    assert ended.code == 1
    approve("doctor: a wrong token", lines(ended))
    away = {"MAILKIT_SMSBY_URL": "http://127.0.0.1:1"}
    ended = shop("doctor", "--provider", "smsby", environment=away)
    assert ended.code == 1
    approve("doctor: nobody is there", lines(ended))
    shop.journal.write_text("no journal")
    ended = shop("doctor", "--provider", "devino")
    assert ended.code == 1
    approve("doctor: no journal", lines(ended), folder=shop.folder)
