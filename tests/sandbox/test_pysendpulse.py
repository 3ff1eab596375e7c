"""The provider's own client gets sensible answers from the sandbox."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mailkit.sandbox import Sandbox, SendPulseSettings, sandbox_in_thread

official = pytest.importorskip("pysendpulse.pysendpulse")

FAST = SendPulseSettings(requests_per_second=None, moderated_first=0, quirks=False)


def _readable(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with sandbox_in_thread(speed=0, sendpulse=FAST) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client at the sandbox; its JSON takes bytes, as the library that it prefers does."""
    logging.getLogger(official.__name__).setLevel(logging.CRITICAL)
    dumps = SimpleNamespace(
        dumps=lambda value: json.dumps(value, default=_readable), loads=json.loads
    )
    monkeypatch.setattr(official, "json", dumps)
    monkeypatch.setattr(official.PySendPulse, "_PySendPulse__api_url", sandbox.url)
    return official.PySendPulse("sandbox-client", "sandbox-secret", "FILE", f"{tmp_path}/")


def test_mailing_lists(client: Any, sandbox: Sandbox) -> None:
    book = client.add_addressbook("Autumn")["id"]
    assert client.edit_addressbook(book, "Winter") == {"result": True}
    people = [{"email": "anna@b.by", "variables": {"name": "Anna"}}, {"email": "boris@b.by"}]
    assert client.add_emails_to_addressbook(book, people) == {"result": True}
    assert client.get_addressbook_info(book)[0]["all_email_qty"] == 2
    assert [one["name"] for one in client.get_list_of_addressbooks()] == ["Winter"]
    assert [one["email"] for one in client.get_emails_from_addressbook(book)] == [
        "anna@b.by",
        "boris@b.by",
    ]
    assert {one["name"] for one in client.get_addressbook_variables(book)} == {"email", "name"}
    change = [{"name": "name", "value": "Ann"}]
    assert client.set_variables_for_email(book, "anna@b.by", change) == {"result": True}
    one = client.get_email_info_from_one_addressbooks(book, "anna@b.by")
    assert one["variables"][0]["value"] == "Ann"
    assert client.get_email_info_from_all_addressbooks("anna@b.by")[0]["book_id"] == book
    assert client.get_campaign_cost(book)["sent_emails_qty"] == 2
    removed = client.delete_emails_from_addressbook(book, ["boris@b.by"])
    assert removed == {"result": True}
    assert client.delete_email_from_all_addressooks("anna@b.by") == {"result": True}
    assert client.delete_addressbook(book) == {"result": True}
    assert client.get_addressbook_info(book)["data"]["http_code"] == 404


def test_campaigns(client: Any, sandbox: Sandbox) -> None:
    book = client.add_addressbook("Autumn")["id"]
    client.add_emails_to_addressbook(book, [{"email": "clicks@b.by"}])
    body = b'<a href="https://shop.by/">Hello</a>'
    made = client.add_campaign(
        "news@shop.by", "Shop", "Hi", body, book, "autumn", {"a.txt": "text"}
    )
    assert made["status"] == 13
    sandbox.clock.advance(300)
    assert sandbox.truth.count("clicks@b.by") == 1
    assert client.get_campaign_info(made["id"])["status"] == 3
    assert client.get_list_of_campaigns()[0]["statistics"]["opening"] == 1
    assert sum(client.get_campaign_stat_by_countries(made["id"]).values()) == 1
    assert client.get_campaign_stat_by_referrals(made["id"])[0]["count"] == 1
    assert client.get_email_statistic_by_campaigns("clicks@b.by")["statistic"]["sent"] == 1
    assert client.get_emails_stat_by_campaigns(["clicks@b.by"])["clicks@b.by"]["link"] == 1
    again = client.add_campaign("news@shop.by", "Shop", "Hi", body, book)
    assert client.cancel_campaign(again["id"]) == {"result": True}


def test_senders_blacklist_and_balance(client: Any) -> None:
    assert client.add_sender("sale@shop.by", "Sale") == {"result": True}
    assert client.send_sender_activation_email("sale@shop.by")["result"] is True
    assert client.activate_sender("sale@shop.by", "sandbox-code")["email"] == "sale@shop.by"
    assert [one["status"] for one in client.get_list_of_senders()] == ["Active", "Active"]
    assert client.delete_sender("sale@shop.by") == {"result": True}
    assert client.add_email_to_blacklist(b"anna@b.by", "asked") == {"result": True}
    assert client.get_emails_in_blacklist() == ["anna@b.by"]
    assert client.delete_email_from_blacklist(b"anna@b.by") == {"result": True}
    assert client.get_balance() == {"currency": "USD", "balance_currency": 10.0}
    assert client.get_balance("eur")["currency"] == "EUR"


def test_a_token_that_has_expired_is_renewed(client: Any, sandbox: Sandbox) -> None:
    sandbox.clock.advance(3600)
    assert client.get_balance()["currency"] == "USD"
    assert sandbox.requests["sendpulse.auth.token"] == 2


def test_wrong_credentials(client: Any, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="Could not connect"):
        official.PySendPulse("sandbox-client", "wrong", "FILE", f"{tmp_path}/other/")
